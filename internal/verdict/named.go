package verdict

import (
	"fmt"
	"net/netip"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/verdict/lists"
	"github.com/seawall/seawall/rules"
)

// nameable are the lists that a zone's rules can name, as the language asks them.
type nameable struct{ lists *lists.Lists }

// List implements [rules.Lists].
func (n nameable) List(name string, t rules.Type) (rules.List, error) {
	l := n.lists.Named(name)
	switch {
	case l == nil:
		return nil, fmt.Errorf("there is no list %s: want one of node.lists or of the zone's lists.named", name)
	case typeOf(l.Kind) != t:
		return nil, fmt.Errorf("%s is a list of kind %s, of type %s: the value has type %s", name, l.Kind, typeOf(l.Kind), t)
	}
	return named{l}, nil
}

// typeOf is the type of the values of a kind of list.
func typeOf(k spec.ListKind) rules.Type {
	switch k {
	case spec.ListIP:
		return rules.IP
	case spec.ListASN:
		return rules.Int
	}
	return rules.Bytes
}

// named is a list as the language asks it.
type named struct{ list *lists.Named }

// ContainsIP implements [rules.List].
func (n named) ContainsIP(addr netip.Addr) bool { return n.list.Has(addr) }

// ContainsInt implements [rules.List].
func (n named) ContainsInt(i int64) bool { return n.list.HasInt(i) }

// ContainsBytes implements [rules.List].
func (n named) ContainsBytes(b []byte) bool { return n.list.HasString(string(b)) }
