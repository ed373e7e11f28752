package scenario

import (
	"fmt"
	"strings"
)

// Field is a header field of a request. As text it is "Name: value".
type Field struct{ Name, Value string }

const maxField = 1024 // bytes

// UnmarshalText implements [encoding.TextUnmarshaler].
func (f *Field) UnmarshalText(text []byte) error {
	name, value, ok := strings.Cut(string(text), ":")
	value = strings.Trim(value, " ")
	if !ok || !fieldName.MatchString(name) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) || len(text) > maxField {
		return fmt.Errorf("%.64q is no field: want a name and a value, such as \"Referer: https://news.example/\", at most %d bytes", text, maxField)
	}
	f.Name, f.Value = name, value
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (f Field) MarshalText() ([]byte, error) { return []byte(f.Name + ": " + f.Value), nil }
