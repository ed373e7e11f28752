package scenario

import (
	"errors"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/spec/config"
)

// FuzzParse: what is read is within bounds, and what is not is a problem of its file.
func FuzzParse(f *testing.F) {
	for _, name := range Names() {
		text, err := Text(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 64<<10 {
			return
		}
		start := time.Now()
		s, err := Parse("fuzz.yaml", text)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%d bytes took %v", len(text), took)
		}
		if err != nil {
			if _, ok := errors.AsType[*config.Problem](err); !ok {
				t.Errorf("got error %v, want a Problem", err)
			}
			return
		}
		if err := s.Validate(); err != nil {
			t.Errorf("valid once, and then: %v", err)
		}
	})
}
