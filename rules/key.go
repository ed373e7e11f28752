package rules

import "encoding/binary"

// Key is a compiled expression that requests are told apart by: a value of any type but a map, such as ip.src or
// http.request.headers["x-api-key"]. Unlike a [Rewrite] it costs no memory.
type Key struct {
	text  string
	root  expr
	cost  int
	phase Phase
}

// CompileKey compiles a key. Its error is an [Error].
func CompileKey(s *Scheme, text string) (*Key, error) {
	c, tree, err := newCompiler(s, text)
	if err != nil {
		return nil, err
	}
	o, err := c.compile(tree)
	if err != nil {
		return nil, err
	}
	typ := o.nodeType()
	switch {
	case o.over != nil:
		return nil, c.errorf(tree, "[*] makes results of which there are many: want one value, or the array without it")
	case typ.isMap():
		return nil, c.errorf(tree, `the expression has type %s: want one of its values, as ["name"] picks it`, typ)
	case typ.isArray() && (typ.Elem().isArray() || typ.Elem().isMap()):
		return nil, c.errorf(tree, "the expression has type %s: want one of its elements, as [0] picks it", typ)
	}
	return &Key{text, o.expr, o.cost, c.phase}, nil
}

// endOfArray follows an array's elements: no type has that number.
const endOfArray = 0xff

// Append appends the value to b so that no two lists of values have the same bytes: each begins with its type and tells where it ends. What
// is missing is a value of its own, which differs from an empty one.
func (k *Key) Append(b []byte, m *Machine) []byte {
	before := m.mark()
	v := k.root.eval(m)
	b = v.appendKey(b)
	m.release(before)
	return b
}

func (v *Value) appendKey(b []byte) []byte {
	if !v.typ.isArray() {
		return v.appendScalar(b)
	}
	b = append(b, byte(array))
	for i := range v.items.Len() {
		if v.has(i) {
			element := v.items.At(i)
			b = element.appendScalar(b)
		}
	}
	return append(b, endOfArray)
}

func (v *Value) appendScalar(b []byte) []byte {
	b = append(b, byte(v.typ))
	switch v.typ {
	case Bool:
		b = append(b, byte(v.num.lo))
	case Int:
		b = binary.BigEndian.AppendUint64(b, v.num.lo)
	case IP:
		b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, v.num.hi), v.num.lo)
	case Bytes:
		b = v.Append(binary.AppendUvarint(b, uint64(v.size())))
	}
	return b
}

// Show is the value as [Value.String] has it.
func (k *Key) Show(m *Machine) string {
	before := m.mark()
	v := k.root.eval(m)
	text := v.String()
	m.release(before)
	return text
}

// Cost is an estimate of what Append costs, in ns.
func (k *Key) Cost() int { return k.cost }

// Phase is the phase in which all that the expression reads is known.
func (k *Key) Phase() Phase { return k.phase }

// String is the expression as it was written.
func (k *Key) String() string { return k.text }
