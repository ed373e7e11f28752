package lists

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/prefixes"
)

// Named is a list that policies hold on to: what is on it may change under them, in one step.
type Named struct {
	Name string
	Kind spec.ListKind

	contents atomic.Pointer[contents]
}

// contents are a list's values. They are never changed.
type contents struct {
	spec     spec.List
	prefixes *prefixes.Set
	numbers  map[uint32]struct{}
	texts    map[string]struct{}
}

// Has tells whether an address is on a list of addresses.
func (l *Named) Has(addr netip.Addr) bool { return l.contents.Load().prefixes.Contains(addr) }

// HasInt tells whether a number is on a list of numbers.
func (l *Named) HasInt(n int64) bool {
	_, ok := l.contents.Load().numbers[uint32(n)]
	return ok && int64(uint32(n)) == n
}

// HasString tells whether a text is on a list of hosts (in lower case), countries (in upper case) or fingerprints. A host is on it, too, if
// it is below one that is there with a star.
func (l *Named) HasString(s string) bool {
	texts := l.contents.Load().texts
	if _, ok := texts[s]; ok || l.Kind != spec.ListHost {
		return ok
	}
	var buffer [256]byte
	for rest := s; len(s) < len(buffer); {
		dot := strings.IndexByte(rest, '.')
		if dot < 0 {
			return false
		}
		rest = rest[dot+1:]
		if _, ok := texts[string(append(append(buffer[:0], "*."...), rest...))]; ok {
			return true
		}
	}
	return false
}

// set puts contents in force. It fails if the spec's values are not valid: then the list stays as it is.
func (l *Named) set(s *spec.List) error {
	if before := l.contents.Load(); before != nil && same(&before.spec, s) {
		return nil
	}
	values, err := s.Contents("file")
	if err != nil {
		return err
	}
	c := &contents{spec: *s, prefixes: prefixes.Compile(values.Prefixes), numbers: make(map[uint32]struct{}, len(values.Numbers))}
	for _, n := range values.Numbers {
		c.numbers[n] = struct{}{}
	}
	c.texts = make(map[string]struct{}, len(values.Texts))
	for _, text := range values.Texts {
		c.texts[text] = struct{}{}
	}
	l.contents.Store(c)
	return nil
}

func same(a, b *spec.List) bool { return a.File == b.File && slices.Equal(a.Values, b.Values) }

func newNamed(s *spec.List) (*Named, error) {
	l := &Named{Name: s.Name, Kind: s.Kind}
	return l, l.set(s)
}

// Shared are the lists of the node, which all zones may name.
type Shared struct {
	configuring sync.Mutex
	lists       atomic.Pointer[map[string]*Named]
}

// Configure changes the lists to these. Those that stay have their contents changed, whoever holds on to them; changed tells that there are
// others than before, which zones have to be compiled for.
func (s *Shared) Configure(want []spec.List) (changed bool, problems []error) {
	s.configuring.Lock()
	defer s.configuring.Unlock()
	before, lists := s.all(), make(map[string]*Named, len(want))
	for i := range want {
		w := &want[i]
		if lists[w.Name] != nil {
			problems = append(problems, fmt.Errorf("lists[%d].name: there is a list %s already", i, w.Name))
			continue
		}
		l := before[w.Name]
		if l == nil || l.Kind != w.Kind {
			l = &Named{Name: w.Name, Kind: w.Kind}
		}
		if err := l.set(w); err != nil {
			problems = append(problems, fmt.Errorf("lists[%d]: %w", i, err))
		}
		if l.contents.Load() != nil {
			lists[w.Name] = l
		}
	}
	s.lists.Store(&lists)
	return !maps.Equal(before, lists), problems
}

func (s *Shared) all() map[string]*Named {
	if lists := s.lists.Load(); lists != nil {
		return *lists
	}
	return nil
}

// Get returns a list of the node, nil if there is none.
func (s *Shared) Get(name string) *Named { return s.all()[name] }

// scope is what one zone can name.
type scope struct {
	shared *Shared
	own    map[string]*Named
}

// newScope makes a zone's own lists.
func newScope(shared *Shared, own []spec.List) (*scope, error) {
	s := &scope{shared: shared, own: make(map[string]*Named, len(own))}
	for i := range own {
		name := own[i].Name
		switch {
		case shared.Get(name) != nil:
			return nil, fmt.Errorf("lists.named[%d].name: the node has a list %s, which a zone may not hide", i, name)
		case s.own[name] != nil:
			return nil, fmt.Errorf("lists.named[%d].name: there is a list %s already", i, name)
		}
		l, err := newNamed(&own[i])
		if err != nil {
			return nil, fmt.Errorf("lists.named[%d]: %w", i, err)
		}
		s.own[name] = l
	}
	return s, nil
}

// get returns the zone's list or the node's, nil if there is none.
func (s *scope) get(name string) *Named {
	if l := s.own[name]; l != nil {
		return l
	}
	return s.shared.Get(name)
}

// names are all that can be named.
func (s *scope) names() []string {
	return slices.Sorted(func(yield func(string) bool) {
		for _, lists := range [...]map[string]*Named{s.own, s.shared.all()} {
			for name := range lists {
				if !yield(name) {
					return
				}
			}
		}
	})
}

// addresses resolves names of lists of addresses.
func (s *scope) addresses(key string, names []string) ([]*Named, error) {
	lists := make([]*Named, 0, len(names))
	for _, name := range names {
		l := s.get(name)
		switch {
		case l == nil && len(s.names()) == 0:
			return nil, fmt.Errorf("%s: there is no list %s: neither the node nor the zone has any", key, name)
		case l == nil:
			return nil, fmt.Errorf("%s: there is no list %s: want one of %s", key, name, strings.Join(s.names(), ", "))
		case l.Kind != spec.ListIP:
			return nil, fmt.Errorf("%s: %s is a list of kind %s: want one of kind %s", key, name, l.Kind, spec.ListIP)
		}
		lists = append(lists, l)
	}
	return lists, nil
}
