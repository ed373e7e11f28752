package rules

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strconv"
	"strings"
)

// part returns v[from:to] of Bytes.
func (v *Value) part(from, to int) Value {
	if v.raw != nil {
		return rawValue(v.raw[from:to:to])
	}
	return BytesValue(v.str[from:to])
}

// A needle is a text that is looked for in both forms that a value may have.
type needle struct {
	text string
	raw  []byte
}

func newNeedle(s string) needle { return needle{s, []byte(s)} }

// find is strings.Index of Bytes.
func (v *Value) find(n *needle) int {
	if v.raw != nil {
		return bytes.Index(v.raw, n.raw)
	}
	return strings.Index(v.str, n.text)
}

// findByte is strings.IndexByte of Bytes.
func (v *Value) findByte(c byte) int {
	if v.raw != nil {
		return bytes.IndexByte(v.raw, c)
	}
	return strings.IndexByte(v.str, c)
}

// appended copies a value to the end of the arena, and returns where it begins; false if there is no room for it and extra bytes.
func (m *Machine) appended(v *Value, extra int) (start int, ok bool) {
	start = len(m.arena)
	if !m.room(v.size() + extra) {
		return start, false
	}
	m.arena = v.Append(m.arena)
	return start, true
}

// bytes returns the bytes of a value, which it may have to copy.
func (m *Machine) bytes(v *Value) ([]byte, bool) {
	if v.raw != nil {
		return v.raw, true
	}
	start, ok := m.appended(v, 0)
	return m.arena[start:], ok
}

func lower(m *Machine, args []Value) Value {
	start, ok := m.appended(&args[0], 0)
	if !ok {
		return Value{}
	}
	lowerAll(m.arena[start:])
	return m.made(start)
}

func upper(m *Machine, args []Value) Value {
	start, ok := m.appended(&args[0], 0)
	if !ok {
		return Value{}
	}
	for i := start; i < len(m.arena); i++ {
		if c := m.arena[i]; 'a' <= c && c <= 'z' {
			m.arena[i] = c &^ 0x20
		}
	}
	return m.made(start)
}

// concat puts values together, without those that are missing.
func concat(m *Machine, args []Value) Value {
	start := len(m.arena)
	for i := range args {
		if !m.room(args[i].size() + maxDigits) {
			return Value{}
		}
		if args[i].typ == Int {
			m.arena = strconv.AppendInt(m.arena, args[i].Int(), 10)
		} else {
			m.arena = args[i].Append(m.arena)
		}
	}
	return m.made(start)
}

// maxDigits is enough for an integer, a Boolean or an address.
const maxDigits = 64

func toString(m *Machine, args []Value) Value {
	start := len(m.arena)
	if !m.room(maxDigits) {
		return Value{}
	}
	switch v := &args[0]; v.typ {
	case Int:
		m.arena = strconv.AppendInt(m.arena, v.Int(), 10)
	case Bool:
		m.arena = strconv.AppendBool(m.arena, v.Bool())
	case IP:
		m.arena = v.IP().AppendTo(m.arena)
	}
	return m.made(start)
}

// substring counts negative places from the end; what lies outside is cut off.
func substring(_ *Machine, args []Value) Value {
	v := &args[0]
	size := int64(v.size())
	place := func(i int) int64 {
		if i >= len(args) {
			return size
		}
		n := args[i].Int()
		if n < 0 {
			n += size
		}
		return min(max(n, 0), size)
	}
	from, to := place(1), place(2)
	return v.part(int(from), int(max(from, to)))
}

func decodeBase64(m *Machine, args []Value) Value {
	start, ok := m.appended(&args[0], args[0].size())
	if !ok {
		return Value{}
	}
	middle := len(m.arena)
	decoded, err := base64.RawStdEncoding.AppendDecode(m.arena, bytes.TrimRight(m.arena[start:], "="))
	if err != nil {
		return Value{}
	}
	m.arena = decoded
	return m.made(middle)
}

func buildEncodeBase64(c *compiler, n *callNode, args []operand) (expr, error) {
	flags, err := c.flags(n, args, 1, "up")
	if err != nil {
		return nil, err
	}
	encoding := base64.RawStdEncoding
	if strings.Contains(flags, "u") {
		encoding = base64.RawURLEncoding
	}
	if strings.Contains(flags, "p") {
		encoding = encoding.WithPadding(base64.StdPadding)
	}
	return newCall(func(m *Machine, args []Value) Value {
		start, ok := m.appended(&args[0], encoding.EncodedLen(args[0].size()))
		if !ok {
			return Value{}
		}
		middle := len(m.arena)
		m.arena = encoding.AppendEncode(m.arena, m.arena[start:middle])
		return m.made(middle)
	}, args[0]), nil
}

func sum256(m *Machine, args []Value) Value {
	text, ok := m.bytes(&args[0])
	if !ok || !m.room(sha256.Size) {
		return Value{}
	}
	sum := sha256.Sum256(text)
	start := len(m.arena)
	m.arena = append(m.arena, sum[:]...)
	return m.made(start)
}

// uuidv4 makes a UUID (RFC 9562 §5.4) of the first 16 bytes of a seed.
func uuidv4(m *Machine, args []Value) Value {
	const size = 16
	if args[0].size() < size || !m.room(3*size) {
		return Value{}
	}
	var id [size]byte
	first := args[0].part(0, size)
	first.Append(id[:0])
	id[6] = id[6]&0x0f | 0x40 // version
	id[8] = id[8]&0x3f | 0x80 // variant
	start := len(m.arena)
	for i, end := range [...]int{4, 6, 8, 10, size} {
		from := [...]int{0, 4, 6, 8, 10}[i]
		if i > 0 {
			m.arena = append(m.arena, '-')
		}
		m.arena = hex.AppendEncode(m.arena, id[from:end])
	}
	return m.made(start)
}

func buildRemoveBytes(_ *compiler, _ *callNode, args []operand) (expr, error) {
	var removed [256]bool
	for _, c := range []byte(text(args, 1)) {
		removed[c] = true
	}
	return newCall(func(m *Machine, args []Value) Value {
		start, ok := m.appended(&args[0], 0)
		if !ok {
			return Value{}
		}
		rest := m.arena[:start]
		for _, c := range m.arena[start:] {
			if !removed[c] {
				rest = append(rest, c)
			}
		}
		m.arena = rest
		return m.made(start)
	}, args[0]), nil
}

func buildRemoveQueryArgs(_ *compiler, _ *callNode, args []operand) (expr, error) {
	names := make(map[string]struct{})
	for i := 1; i < len(args); i++ {
		names[text(args, i)] = struct{}{}
	}
	return newCall(func(m *Machine, args []Value) Value {
		query, ok := m.bytes(&args[0])
		if !ok || !m.room(len(query)) {
			return Value{}
		}
		start := len(m.arena)
		for len(query) > 0 {
			arg, rest, more := bytes.Cut(query, []byte("&"))
			name, _, _ := bytes.Cut(arg, []byte("="))
			if _, removed := names[string(name)]; !removed {
				if len(m.arena) > start {
					m.arena = append(m.arena, '&')
				}
				m.arena = append(m.arena, arg...)
			}
			if query = rest; !more {
				break
			}
		}
		return m.made(start)
	}, args[0]), nil
}

// buildAffix builds starts_with and ends_with. With a literal they are comparisons, which a Set can look up.
func buildAffix(_ *compiler, n *callNode, args []operand) (expr, error) {
	starts := n.name == "starts_with"
	if v, ok := args[1].expr.(*constant); ok && !v.value.Missing() {
		var t test = &suffixTest{text(args, 1)}
		if starts {
			t = &prefixTest{text(args, 1)}
		}
		return &compareExpr{args[0].expr, format(n.args[0]), args[0].cost, t}, nil
	}
	return newCall(func(_ *Machine, args []Value) Value {
		v, affix := &args[0], &args[1]
		from, to := 0, affix.size()
		if to > v.size() {
			return BoolValue(false)
		}
		if !starts {
			from, to = v.size()-to, v.size()
		}
		part := v.part(from, to)
		return BoolValue(part.same(affix))
	}, args...), nil
}

func buildRegexReplace(c *compiler, n *callNode, args []operand) (expr, error) {
	re, _, why := compileRegexp(text(args, 1))
	if why != "" {
		return nil, c.errorf(n.args[1], "%s", why)
	}
	t, why := compileTemplate(text(args, 2), re.NumSubexp()+1)
	if why != "" {
		return nil, c.errorf(n.args[2], "%s", why)
	}
	return newCall(func(m *Machine, args []Value) Value { return replaceFirst(m, args[0], re, t) }, args[0]), nil
}

func replaceFirst(m *Machine, v Value, re *regexp.Regexp, t template) Value {
	text := string(v.Append(nil)) // a rewrite may allocate
	locations := re.FindStringSubmatchIndex(text)
	if locations == nil {
		return v
	}
	start := len(m.arena)
	if !m.room(len(text)) {
		return Value{}
	}
	m.arena = append(m.arena, text[:locations[0]]...)
	if !t.expand(m, &v, locations) || !m.room(len(text)) {
		return Value{}
	}
	m.arena = append(m.arena, text[locations[1]:]...)
	return m.made(start)
}

func buildWildcardReplace(c *compiler, n *callNode, args []operand) (expr, error) {
	flags, err := c.flags(n, args, 3, "s")
	if err != nil {
		return nil, err
	}
	w, why := compileWildcard(text(args, 1), flags != "")
	if why != "" {
		return nil, c.errorf(n.args[1], "%s", why)
	}
	t, why := compileTemplate(text(args, 2), len(w.parts))
	if why != "" {
		return nil, c.errorf(n.args[2], "%s", why)
	}
	replace := replaceWildcard(w, t)
	return newCall(func(m *Machine, args []Value) Value { return replace(m, args[0]) }, args[0]), nil
}
