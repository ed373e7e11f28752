package rules

import "math/bits"

// Machine is what matching needs for itself: the values of a request's fields, an arena for what functions make of them, and what a
// Set has found out. Its owner uses it for one request after another.
type Machine struct {
	scheme  *Scheme
	source  Source
	values  []Value
	known   bitset
	current Value // the element that [*] is at
	arena   []byte
	stack   []Value // arguments of calls under way
	splits  []*parts
	parted  int // of splits, those in use
	touched int // of splits, those that were in use since Reset

	exceeded bool
	judged   judged
}

// kept is the arena that is kept from one request to the next, lest one large request cost its memory forever.
const kept = 64 << 10

// NewMachine returns a machine for expressions of a scheme. It matches nothing before Reset.
func NewMachine(s *Scheme) *Machine {
	return &Machine{scheme: s, source: nothing{}, values: make([]Value, len(s.fields)), known: newBits(len(s.fields))}
}

// nothing is the source of a request of which nothing is known.
type nothing struct{}

func (nothing) Value(int) Value { return Value{} }

// Reset begins with another request, and forgets the one before. With a nil source it only forgets.
func (m *Machine) Reset(source Source) {
	if source == nil {
		source = nothing{}
	}
	m.source, m.exceeded = source, false
	m.forget()
	m.judged.set = nil
	clear(m.stack[:cap(m.stack)]) // what a request's values are parts of is not kept
	for _, p := range m.splits[:m.touched] {
		p.forget()
	}
	m.touched = 0
	if cap(m.arena) > kept {
		m.arena = nil
	}
}

// forget clears the values that were asked for, which are parts of a request.
func (m *Machine) forget() {
	for word, known := range m.known {
		for ; known != 0; known &= known - 1 {
			m.values[word<<6|bits.TrailingZeros64(known)] = Value{}
		}
	}
	clear(m.known)
}

// Exceeded tells whether a result was missing since Reset because the arena had no room for it.
func (m *Machine) Exceeded() bool { return m.exceeded }

// field returns the value of a field, and asks for it if it is the first to. Only the machine changes it.
func (m *Machine) field(i int) *Value {
	v := &m.values[i]
	if !m.known.has(i) {
		m.known.set(i)
		if *v = m.source.Value(i); v.typ != m.scheme.fields[i].Type {
			*v = Value{}
		}
	}
	return v
}

// A mark is a state of the arena to go back to.
type mark struct{ bytes, parts int }

func (m *Machine) mark() mark { return mark{len(m.arena), m.parted} }

// release gives back what was made since the mark.
func (m *Machine) release(to mark) {
	m.arena, m.parted = m.arena[:to.bytes], to.parts
}

// room tells whether n more bytes may be appended to the arena.
func (m *Machine) room(n int) bool {
	if len(m.arena)+n > MaxArena {
		m.exceeded = true
		return false
	}
	return true
}

// made returns what was appended to the arena since it had start bytes.
func (m *Machine) made(start int) Value { return rawValue(m.arena[start:len(m.arena):len(m.arena)]) }

// parts are a text that was split. They are Items.
type parts struct{ of []Value }

func (p *parts) Len() int               { return len(p.of) }
func (p *parts) At(i int) Value         { return p.of[i] }
func (p *parts) Under(int, string) bool { return false } // an array has no keys
func (p *parts) Key(int) string         { return "" }

// forget keeps nothing of a text, and no more memory than a split takes.
func (p *parts) forget() {
	if cap(p.of) > 2*maxParts {
		p.of = nil
	}
	clear(p.of[:cap(p.of)])
	p.of = p.of[:0]
}

// newParts returns parts that live until the mark before is released.
func (m *Machine) newParts() *parts {
	if m.parted == len(m.splits) {
		m.splits = append(m.splits, new(parts))
	}
	p := m.splits[m.parted]
	m.parted++
	m.touched = max(m.touched, m.parted)
	p.of = p.of[:0]
	return p
}

// bitset is a set of small numbers.
type bitset []uint64

func newBits(n int) bitset { return make(bitset, (n+63)/64) }

func (b bitset) has(i int) bool { return b[i>>6]&(1<<(i&63)) != 0 }
func (b bitset) set(i int)      { b[i>>6] |= 1 << (i & 63) }

// sized returns an empty set for numbers below n, in the place of b if that is large enough.
func (b bitset) sized(n int) bitset {
	if words := (n + 63) / 64; words <= cap(b) {
		b = b[:words]
		clear(b)
		return b
	}
	return newBits(n)
}
