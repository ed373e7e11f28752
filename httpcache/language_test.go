package httpcache

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestLanguage(t *testing.T) {
	tests := []struct {
		name, accept, want string
	}{
		{"no field: the site's first", "-", "en"},
		{"empty", "", "en"},
		{"the only one", "de", "de"},
		{"the greatest weight", "en;q=0.5, de;q=0.8", "de"},
		{"no weight is 1", "en;q=0.9, de", "de"},
		{"among equals the first named", "fr, de, en", "fr"},
		{"case", "DE", "de"},
		{"4647 §3.4 subtags are cut off", "de-CH-1996", "de"},
		{"4647 §3.4 the longest is found first", "zh-hant-tw, en;q=0.5", "zh-hant"},
		{"4647 §3.4 a range does not find what is longer", "zh, de;q=0.1", "de"},
		{"languages that the site has not", "it, es", "en"},
		{"* finds none", "*, fr;q=0.5", "fr"},
		{"9110 §12.4.2 a weight of 0 is not acceptable", "de;q=0, fr;q=0.001", "fr"},
		{"9110 §12.4.2 a broken weight is as 0", "de;q=2, fr;q=0.1, en;q=x", "fr"},
		{"only so many are looked at", strings.Repeat("x,", maxRanges) + "de", "en"},
	}
	p := Policy{Languages: []string{"en", "de", "fr", "zh-hant"}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var fs []Field
			if tt.accept != "-" {
				fs = []Field{{"accept-language", tt.accept}}
			}
			if got := p.Language(fs); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if got := new(Policy).Language(fields("Accept-Language: de")); got != "" {
		t.Errorf("without languages: got %q, want none", got)
	}
}

func TestVaryKeyByLanguage(t *testing.T) {
	p := Policy{Languages: []string{"en", "de"}}
	key := func(accept string) []byte {
		return p.AppendVaryKey(nil, []string{"accept-language"}, fields("Accept-Language: "+accept))
	}
	if !bytes.Equal(key("de, fr;q=0.5"), key("fr;q=0.1, DE-at;q=0.2")) {
		t.Error("two requests that want German: got different keys")
	}
	if bytes.Equal(key("de"), key("en")) {
		t.Error("German and English: got the same key")
	}
}

// FuzzLanguage: what comes out is one of the site's languages, whatever a client sends.
func FuzzLanguage(f *testing.F) {
	f.Add("de-CH, en;q=0.5, *;q=0")
	p := Policy{Languages: []string{"en", "de"}}
	f.Fuzz(func(t *testing.T, accept string) {
		if got := p.Language([]Field{{"Accept-Language", accept}}); !slices.Contains(p.Languages, got) {
			t.Errorf("got %q", got)
		}
	})
}
