package httpcache

import (
	"bytes"
	"strings"
	"testing"
)

func TestVaryKey(t *testing.T) {
	tests := []struct {
		name string
		vary []string
		a, b []Field
		same bool
	}{
		{"9111 §4.1 same value", []string{"foo"}, fields("Foo: 1"), fields("foo: 1"), true},
		{"9111 §4.1 other value", []string{"foo"}, fields("Foo: 1"), fields("Foo: 2"), false},
		{"9111 §4.1 letter case of a value counts", []string{"foo"}, fields("Foo: a"), fields("Foo: A"), false},
		{"9110 §12.5.4 letter case of a language does not", []string{"accept-language"}, fields("Accept-Language: en-GB, de"), fields("Accept-Language: EN-gb, De"), true},
		{"9110 §12.5.4 order of languages counts", []string{"accept-language"}, fields("Accept-Language: en, de"), fields("Accept-Language: de, en"), false},
		{"9110 §12.5.4 a letter's number as a length", []string{"accept-language"}, fields("Accept-Language: " + strings.Repeat("a", 'A')), fields("Accept-Language: " + strings.Repeat("a", 'a')), false},
		{"9111 §4.1 fields that are not named do not count", []string{"foo"}, fields("Foo: 1", "Bar: 1"), fields("Bar: 2", "Foo: 1"), true},
		{"9111 §4.1 absent matches absent", []string{"foo"}, nil, fields("Bar: 1"), true},
		{"9111 §4.1 absent is not present", []string{"foo"}, nil, fields("Foo: 1"), false},
		{"9111 §4.1 absent is not empty", []string{"foo"}, nil, fields("Foo: "), false},
		{"9111 §4.1 whitespace around members", []string{"foo"}, fields("Foo: 1,2"), fields("Foo:  1, 2 "), true},
		{"9111 §4.1 whitespace within members counts", []string{"foo"}, fields("Foo: a b"), fields("Foo: a  b"), false},
		{"9111 §4.1 whitespace within quotes counts", []string{"foo"}, fields(`Foo: "a,b"`), fields(`Foo: "a, b"`), false},
		{"9111 §4.1 lines are one list", []string{"foo"}, fields("Foo: 1", "Foo: 2"), fields("Foo: 1, 2"), true},
		{"9111 §4.1 order of members counts", []string{"foo"}, fields("Foo: 1, 2"), fields("Foo: 2, 1"), false},
		{"9111 §4.1 an empty member counts", []string{"foo"}, fields("Foo: 1,"), fields("Foo: 1"), false},
		{"9111 §4.1 a comma within broken quotes ends nothing", []string{"foo"}, fields(`Foo: "x,`), fields(`Foo: "x,`, "Foo: "), false},
		{"9111 §4.1 values do not run into the next name", []string{"bar", "foo"}, fields("Bar: 1", "Foo: 2"), fields("Bar: 2", "Foo: 1"), false},
		{"9111 §4.1 an empty member does not end a field", []string{"a", "b"}, fields("A: ,b"), fields("B: ,b"), false},
		{"9111 §4.1 a member's length does not read as a name", []string{"a", "b"}, fields("A: \x01b" + strings.Repeat("x", 96)), fields("B: " + strings.Repeat("x", 96) + "\x01b"), false},
		{"9111 §4.1 a value cannot imitate another field", []string{"bar", "foo"}, fields("Bar: 1\x00\x03foo\x01\x012"), fields("Bar: 1", "Foo: 2"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := new(Policy).AppendVaryKey(nil, tt.vary, tt.a), new(Policy).AppendVaryKey(nil, tt.vary, tt.b)
			if got := bytes.Equal(a, b); got != tt.same {
				t.Errorf("got same = %v, want %v: %q and %q", got, tt.same, a, b)
			}
		})
	}
}

func TestVaryKeyOfOtherNames(t *testing.T) {
	request := fields("A: 1", "B: 1")
	a, b := new(Policy).AppendVaryKey(nil, []string{"a"}, request), new(Policy).AppendVaryKey(nil, []string{"b"}, request)
	if bytes.Equal(a, b) {
		t.Errorf("got %q for both Vary: a and Vary: b, want different keys", a)
	}
}
