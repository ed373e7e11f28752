package h1

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestValid(t *testing.T) {
	tests := []struct {
		s            string
		token, value bool
	}{
		{"", false, true},
		{"X-Forwarded-For", true, true},
		{"!#$%&'*+-.^_`|~09azAZ", true, true},
		{"a b", false, true},
		{"a\tb", false, true},
		{"caf\xc3\xa9, long enough for two words", false, true},
		{" a", false, false},
		{"a\t", false, false},
		{"a\r\nSet-Cookie: b", false, false},
		{"a value that goes on until\na line feed", false, false},
		{"a\x00", false, false},
		{"a\x7f", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.s, func(t *testing.T) {
			if got := ValidToken(tt.s); got != tt.token {
				t.Errorf("ValidToken(%q) = %v, want %v", tt.s, got, tt.token)
			}
			if got := ValidFieldValue(tt.s); got != tt.value {
				t.Errorf("ValidFieldValue(%q) = %v, want %v", tt.s, got, tt.value)
			}
		})
	}
}

func TestTokens(t *testing.T) {
	tests := []struct {
		in   string
		want []string
	}{
		{"", nil},
		{" , ,\t", nil},
		{"close", []string{"close"}},
		{"close, Upgrade", []string{"close", "Upgrade"}},
		{" a\t ,, b;q=1,c ", []string{"a", "b;q=1", "c"}},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, slices.Collect(Tokens(tt.in))); diff != "" {
				t.Errorf("Tokens(%q) differs (-want +got):\n%s", tt.in, diff)
			}
			for range Tokens(tt.in) {
				break // an iterator that goes on after this panics
			}
		})
	}
}

func TestEqualFold(t *testing.T) {
	tests := []struct {
		s, lower string
		want     bool
	}{
		{"", "", true},
		{"Content-LENGTH", "content-length", true},
		{"content-lengt", "content-length", false},
		{"content_length", "content-length", false},
		{"\r", "-", false}, // differs from "-" in the bit that case has
		{"[x]", "{x}", false},
		{"\u212a", "k", false}, // the Kelvin sign folds to k in Unicode
	}
	for _, tt := range tests {
		t.Run(tt.s, func(t *testing.T) {
			if got := EqualFold(tt.s, tt.lower); got != tt.want {
				t.Errorf("EqualFold(%q, %q) = %v, want %v", tt.s, tt.lower, got, tt.want)
			}
		})
	}
}

// TestScans compares the scans of eight bytes at a time with the tables, for every pair of neighbouring bytes.
func TestScans(t *testing.T) {
	scans := []struct {
		name  string
		scan  func(string, int) int
		valid *[256]bool
	}{
		{"value", valueEnd, &isValue},
		{"target", targetEnd, &isTarget},
		{"token", tokenEnd, &isToken},
	}
	for _, tt := range scans {
		t.Run(tt.name, func(t *testing.T) {
			for pair := range 1 << 16 {
				s := "abcde" + string([]byte{byte(pair), byte(pair >> 8)}) + "fgh"
				want := 0
				for ; want < len(s) && tt.valid[s[want]]; want++ {
				}
				if got := tt.scan(s, 0); got != want {
					t.Fatalf("scan of %q ends at %d, want %d", s, got, want)
				}
			}
		})
	}
}
