package score

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzReadJSON: what can be read can be written, and is then read as the same; and every picture and table of it ends.
func FuzzReadJSON(f *testing.F) {
	var b bytes.Buffer
	in := play(proxy{attackPasses: always(0.1), serves: peopleAlways(0.9), refuses: Refused}, 1)
	in.Samples, in.Attack, in.Origin = in.Samples[:50], in.Attack[:4], in.Origin[:4]
	if err := NewReport("made up", 1, []Result{Judge(in)}).WriteJSON(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.String())
	f.Add(`{"version":1,"results":[{"length_ms":-1,"timeline":{"visitors":[{"steps":1}],"attack":[{"offered":-1}]}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ReadJSON(strings.NewReader(text))
		if err != nil {
			return
		}
		var first, second bytes.Buffer
		if err := r.WriteJSON(&first); err != nil {
			t.Fatal(err)
		}
		again, err := ReadJSON(bytes.NewReader(first.Bytes()))
		if err != nil {
			t.Fatalf("can't read what was written: %v", err)
		}
		if err := again.WriteJSON(&second); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(first.String(), second.String()); d != "" {
			t.Errorf("read again (-want +got):\n%s", d)
		}
		var out bytes.Buffer
		if err := r.WriteSVG(&out); err != nil {
			t.Error(err)
		}
		if err := r.WriteTable(&out); err != nil {
			t.Error(err)
		}
		for _, s := range r.Results {
			if err := s.WriteSVG(&out); err != nil {
				t.Error(err)
			}
			if err := s.WriteTable(&out); err != nil {
				t.Error(err)
			}
		}
	})
}
