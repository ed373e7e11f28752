package rules

import (
	"net/netip"
	"strconv"
	"strings"
)

// A node is a part of an expression as it was written.
type node interface {
	place() span
	write(b *strings.Builder)
}

// span is where a node stands in the text.
type span struct{ start, end int }

func (s span) place() span { return s }

type (
	// fieldNode is a field by one of its names.
	fieldNode struct {
		span
		name string
	}
	// indexNode is of[index].
	indexNode struct {
		span
		of   node
		each bool     // [*]
		key  *literal // else a string or an integer
	}
	// callNode is name(args).
	callNode struct {
		span
		name string
		args []node
	}
	// compareNode is left op right.
	compareNode struct {
		span
		left node
		op   op
		// right is one literal, of inOp any number.
		right []*literal
		list  *listName // of inOp, instead of right
	}
	// logicalNode is args joined by one op.
	logicalNode struct {
		span
		op   op
		args []node
	}
	// notNode is not arg.
	notNode struct {
		span
		arg node
	}
)

// listName is $name.
type listName struct {
	span
	name string
}

type literalKind uint8

const (
	boolLiteral literalKind = iota + 1
	bytesLiteral
	intLiteral
	intRange
	ipLiteral
	ipRange
	prefixLiteral
)

// literal is a value that stands in the text, or a range of such. It is a node, too.
type literal struct {
	span
	kind   literalKind
	truth  bool
	bytes  string
	raw    bool // it was written as a raw string
	hashes int  // with so many #
	regex  bool // it is right of matches, where a quoted string keeps its escapes
	lo, hi int64
	from   netip.Addr
	to     netip.Addr
	prefix netip.Prefix
}

// format writes a node so that parsing it gives the same node.
func format(n node) string {
	var b strings.Builder
	n.write(&b)
	return b.String()
}

func (n *fieldNode) write(b *strings.Builder) { b.WriteString(n.name) }

func (n *indexNode) write(b *strings.Builder) {
	n.of.write(b)
	if n.each {
		b.WriteString("[*]")
		return
	}
	b.WriteByte('[')
	n.key.write(b)
	b.WriteByte(']')
}

func (n *callNode) write(b *strings.Builder) {
	b.WriteString(n.name)
	b.WriteByte('(')
	for i, arg := range n.args {
		if i > 0 {
			b.WriteString(", ")
		}
		arg.write(b)
	}
	b.WriteByte(')')
}

func (n *compareNode) write(b *strings.Builder) {
	n.left.write(b)
	b.WriteString(" " + n.op.String() + " ")
	switch {
	case n.list != nil:
		b.WriteString("$" + n.list.name)
	case n.op == inOp:
		b.WriteByte('{')
		for i, l := range n.right {
			if i > 0 {
				b.WriteByte(' ')
			}
			l.write(b)
		}
		b.WriteByte('}')
	default:
		n.right[0].write(b)
	}
}

func (n *logicalNode) write(b *strings.Builder) {
	for i, arg := range n.args {
		if i > 0 {
			b.WriteString(" " + n.op.String() + " ")
		}
		if l, ok := arg.(*logicalNode); ok && l.op <= n.op {
			writeGrouped(b, arg)
		} else {
			arg.write(b)
		}
	}
}

func (n *notNode) write(b *strings.Builder) {
	b.WriteString("not ")
	if _, ok := n.arg.(*logicalNode); ok {
		writeGrouped(b, n.arg)
	} else {
		n.arg.write(b)
	}
}

func writeGrouped(b *strings.Builder, n node) {
	b.WriteByte('(')
	n.write(b)
	b.WriteByte(')')
}

func (l *literal) write(b *strings.Builder) {
	switch l.kind {
	case boolLiteral:
		b.WriteString(strconv.FormatBool(l.truth))
	case bytesLiteral:
		l.writeBytes(b)
	case intLiteral:
		b.WriteString(strconv.FormatInt(l.lo, 10))
	case intRange:
		b.WriteString(strconv.FormatInt(l.lo, 10) + ".." + strconv.FormatInt(l.hi, 10))
	case ipLiteral:
		b.WriteString(l.from.String())
	case ipRange:
		b.WriteString(l.from.String() + ".." + l.to.String())
	case prefixLiteral:
		b.WriteString(l.prefix.String())
	}
}

func (l *literal) writeBytes(b *strings.Builder) {
	hashes := strings.Repeat("#", l.hashes)
	switch {
	case l.raw:
		b.WriteString("r" + hashes + `"` + l.bytes + `"` + hashes)
	case l.regex:
		b.WriteString(`"` + strings.ReplaceAll(l.bytes, `"`, `\"`) + `"`)
	default:
		b.WriteString(quote(l.bytes))
	}
}

// quote writes a string with the escapes that the language has.
func quote(s string) string {
	const hex = "0123456789abcdef"
	b := make([]byte, 0, len(s)+2)
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || c > '~':
			b = append(b, '\\', 'x', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return string(append(b, '"'))
}
