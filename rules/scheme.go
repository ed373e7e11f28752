package rules

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Field is one that the host offers.
type Field struct {
	Name    string
	Aliases []string // other names of the same field
	Type    Type
	Cost    int // what asking the Source for it costs, in ns; 0 counts as 1
	Phase   Phase
	Unknown string // unless "", nothing is known of it, and what is to be done about that: expressions that read it do not compile
}

// Source gives the values of one request's fields.
type Source interface {
	// Value returns the value of field i, in the order of NewScheme; a value of another type than the field's is as good as
	// missing. It is asked at most once between two calls of Machine.Reset.
	Value(i int) Value
}

// List is what $name stands for. It may change at any time, and so must be safe for concurrent use. Of its methods only the one
// for the type that it was asked for is called.
type List interface {
	ContainsIP(netip.Addr) bool
	ContainsInt(int64) bool
	ContainsBytes([]byte) bool // which is only lent
}

// Lists finds the lists that expressions name.
type Lists interface {
	// List returns the list of a name, of values of type Bytes, Int or IP. Its error is shown to whoever wrote the expression.
	List(name string, t Type) (List, error)
}

// Scheme is what expressions may speak of.
type Scheme struct {
	fields []Field
	byName map[string]int
	lists  Lists
}

// NewScheme returns the scheme of fields, which a Source will know by their places. Lists may be nil. It refuses names that are
// no names, or not unique, and types that are none.
func NewScheme(fields []Field, lists Lists) (*Scheme, error) {
	s := &Scheme{fields: slices.Clone(fields), byName: make(map[string]int), lists: lists}
	for i, f := range fields {
		if !f.Type.valid() {
			return nil, fmt.Errorf("field %q has no type", f.Name)
		}
		for _, name := range append([]string{f.Name}, f.Aliases...) {
			if !isName(name) {
				return nil, fmt.Errorf("%q is no name of a field: want letters, digits, _ and . with a letter first", name)
			}
			if _, ok := s.byName[name]; ok {
				return nil, fmt.Errorf("field %q is declared twice", name)
			}
			s.byName[name] = i
		}
	}
	return s, nil
}

// names returns all names of fields, sorted.
func (s *Scheme) names() []string {
	names := make([]string, 0, len(s.byName))
	for name := range s.byName {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// isName tells what the lexer reads as one word, and no operator.
func isName(name string) bool {
	if name == "" || !isLetter(name[0]) || strings.Trim(name, nameBytes) != "" {
		return false
	}
	_, reserved := words[name]
	return !reserved
}

const nameBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_."

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' }

// listNameBytes are those of lists' names.
const listNameBytes = "abcdefghijklmnopqrstuvwxyz0123456789_"
