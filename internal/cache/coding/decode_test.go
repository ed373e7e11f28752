package coding

import (
	"bytes"
	"errors"
	"testing"

	"github.com/seawall/seawall/httpcache"
)

func TestDecode(t *testing.T) {
	var e Encoders
	body := page(100 << 10)
	for c := httpcache.Gzip; c < httpcache.NumCodings; c++ {
		form, _ := encode(&e, c, Fast, body)
		if got, err := Decode(c, form, len(body)); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%v: got %d bytes, %v, want the body", c, len(got), err)
		}
		if _, err := Decode(c, form, len(body)-1); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%v: error %v of a body one byte too large, want %v", c, err, ErrTooLarge)
		}
		if _, err := Decode(c, form[:len(form)/2], len(body)); err == nil {
			t.Errorf("%v: half a form decodes", c)
		}
	}
}

// No form makes more than was asked for, whatever it says of itself.
func FuzzDecode(f *testing.F) {
	var e Encoders
	for c := httpcache.Gzip; c < httpcache.NumCodings; c++ {
		form, _ := encode(&e, c, Fast, page(4<<10))
		f.Add(uint8(c), form)
	}
	f.Fuzz(func(t *testing.T, c uint8, form []byte) {
		const most = 32 << 10
		if got, err := Decode(httpcache.Coding(c%httpcache.NumCodings), form, most); err == nil && len(got) > most {
			t.Errorf("%d bytes, want %d at most", len(got), most)
		}
	})
}
