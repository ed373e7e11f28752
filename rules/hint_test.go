package rules

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestHint(t *testing.T) {
	tests := []struct {
		pattern string
		want    hint
	}{
		{`/wp-login\.php$`, hint{"/wp-login.php"}},
		{`(?i)(curl|wget|python)/[0-9]`, hint{"curl", "wget", "python"}},
		{`(?i)masscan`, hint{"can"}}, // s has a third case
		{`(?i)bask`, nil},
		{`^[a-z]+/admin(/.*)?$`, hint{"/admin"}},
		{`(abc)+d*`, hint{"abc"}},
		{`(abc)*d`, nil},
		{`(abc){2,}`, hint{"abc"}},
		{`(abc){0,2}`, nil},
		{`abc|.`, nil},
		{`ÄBC`, hint{"Äbc"}},
		{`(?i)Äbcd`, hint{"bcd"}},
		{"x*\ufffdabc", nil}, // which matches what is no UTF-8
		{`ab`, nil},
		{``, nil},
	}
	for _, tt := range tests {
		_, got, why := compileRegexp(tt.pattern)
		if why != "" {
			t.Fatal(why)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.pattern, got, tt.want)
		}
	}
}

// With a hint, a regular expression matches what it matches without.
func TestHintedRegexp(t *testing.T) {
	piece := rapid.SampledFrom([]string{
		"abc", "ABK", "(?i:abk)", "(?i:abs)c", ".", "[ab]", "(abc|bca)", "(abc|b)", "a*", "(abc)?", "(abc)+", "(bab){2}", "^", "$", "ſab", "é", "\ufffdab",
	})
	letters := rapid.SampledFrom([]string{"a", "b", "c", "A", "B", "C", "k", "K", "\u212a", "s", "ſ", "é", "\xff", "\ufffd"})
	rapid.Check(t, func(t *rapid.T) {
		pattern := strings.Join(rapid.SliceOfN(piece, 1, 4).Draw(t, "pattern"), "")
		re, h, why := compileRegexp(pattern)
		if why != "" {
			t.Skip(why)
		}
		test := &regexTest{re, h, h.automaton()}
		plain := regexp.MustCompile(pattern)
		for range 20 {
			text := strings.Join(rapid.SliceOfN(letters, 0, 8).Draw(t, "text"), "")
			if got, want := test.holds(nil, BytesValue(text)), plain.MatchString(text); got != want {
				t.Fatalf("%q matches %q: got %v, want %v (hint %q)", pattern, text, got, want, h)
			}
			if got, want := test.holds(nil, rawValue([]byte(text))), plain.MatchString(text); got != want {
				t.Fatalf("%q matches %q: got %v, want %v (hint %q)", pattern, text, got, want, h)
			}
		}
	})
}
