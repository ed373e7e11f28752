package rules

import (
	"math"
	"strings"
)

// A parser reads one expression by recursive descent, a token ahead.
type parser struct {
	lexer
	depth    int
	literals int
}

// parse reads the whole of a text.
func parse(text string) (node, error) {
	if len(text) > MaxLength {
		return nil, errorAt(text, MaxLength, "the expression has %d bytes: %d are allowed", len(text), MaxLength)
	}
	p := &parser{lexer: lexer{text: text}}
	if err := p.next(); err != nil {
		return nil, err
	}
	if p.kind == endToken {
		return nil, p.errorf("the expression is empty")
	}
	n, err := p.logical(orOp)
	if err != nil {
		return nil, err
	}
	if p.kind != endToken {
		return nil, p.errorf("found %s: want and, or, xor or the end", p.found())
	}
	return n, nil
}

// errorf is an error at the token at hand.
func (p *parser) errorf(format string, args ...any) error {
	return errorAt(p.text, p.start, format, args...)
}

// found names the token at hand.
func (p *parser) found() string {
	if p.kind == endToken {
		return "the end"
	}
	text := p.lexeme()
	if len(text) > 40 {
		text = strings.ToValidUTF8(text[:40], "") + "…"
	}
	return text
}

// is tells whether the token at hand is a certain punctuation mark.
func (p *parser) is(mark string) bool { return p.kind == punctToken && p.lexeme() == mark }

// expect passes a punctuation mark.
func (p *parser) expect(mark string) error {
	if !p.is(mark) {
		return p.errorf("found %s: want %s", p.found(), mark)
	}
	return p.next()
}

// nest goes a level deeper; the caller goes back up.
func (p *parser) nest() error {
	if p.depth++; p.depth > MaxDepth {
		return p.errorf("more than %d levels", MaxDepth)
	}
	return nil
}

// logical reads operands joined by an operator that binds as o or tighter.
func (p *parser) logical(o op) (node, error) {
	if o > andOp {
		return p.unary()
	}
	start := p.start
	first, err := p.logical(o + 1)
	if err != nil || p.kind != opToken || p.op != o {
		return first, err
	}
	n := &logicalNode{op: o, args: []node{first}}
	for p.kind == opToken && p.op == o {
		if err := p.next(); err != nil {
			return nil, err
		}
		arg, err := p.logical(o + 1)
		if err != nil {
			return nil, err
		}
		n.args = append(n.args, arg)
	}
	n.span = span{start, p.last}
	return n, nil
}

// unary reads a negation, a group, a comparison or a value.
func (p *parser) unary() (node, error) {
	if err := p.nest(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	start := p.start
	switch {
	case p.kind == opToken && p.op == notOp:
		if err := p.next(); err != nil {
			return nil, err
		}
		arg, err := p.unary()
		if err != nil {
			return nil, err
		}
		return &notNode{span{start, p.last}, arg}, nil
	case p.is("("):
		if err := p.next(); err != nil {
			return nil, err
		}
		n, err := p.logical(orOp)
		if err != nil {
			return nil, err
		}
		return n, p.expect(")")
	}
	left, err := p.value()
	if err != nil || p.kind != opToken || !p.op.compares() {
		return left, err
	}
	return p.comparison(left)
}

// comparison reads an operator and what is right of it.
func (p *parser) comparison(left node) (node, error) {
	n := &compareNode{span: left.place(), left: left, op: p.op}
	if err := p.next(); err != nil {
		return nil, err
	}
	if n.op == inOp {
		return n, p.set(n)
	}
	if p.kind == wordToken && p.lexeme() != "true" && p.lexeme() != "false" {
		return nil, p.errorf("found %s: want a literal right of %s", p.found(), n.op)
	}
	l, err := p.literal(n.op == matchesOp)
	if err != nil {
		return nil, err
	}
	n.right, n.end = []*literal{l}, l.end
	return n, nil
}

// set reads what is right of in.
func (p *parser) set(n *compareNode) error {
	if p.kind == listToken {
		name := p.lexeme()[1:]
		if name == "" {
			return p.errorf("want a list's name behind $: lower-case letters, digits and _")
		}
		n.list = &listName{span{p.start, p.end}, name}
		n.end = p.end
		return p.next()
	}
	if !p.is("{") {
		return p.errorf("found %s: want { or $ behind in", p.found())
	}
	if err := p.next(); err != nil {
		return err
	}
	for !p.is("}") {
		if p.is(",") {
			return p.errorf("found a comma: want a space between elements")
		}
		l, err := p.element()
		if err != nil {
			return err
		}
		n.right = append(n.right, l)
	}
	if len(n.right) == 0 {
		return p.errorf("want at least one literal between { and }")
	}
	n.end = p.end
	return p.next()
}

// element reads a literal or a range.
func (p *parser) element() (*literal, error) {
	l, err := p.literal(false)
	if err != nil || p.kind != rangeToken {
		return l, err
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	at := p.start
	last, err := p.literal(false)
	if err != nil {
		return nil, err
	}
	switch {
	case l.kind == intLiteral && last.kind == intLiteral:
		l.kind, l.hi = intRange, last.lo
		err = p.ordered(at, l.lo <= l.hi)
	case l.kind == ipLiteral && last.kind == ipLiteral && l.from.Is4() == last.from.Is4():
		l.kind, l.to = ipRange, last.from
		err = p.ordered(at, !l.to.Less(l.from))
	default:
		err = errorAt(p.text, at, "want two integers, or two addresses of one family, about ..")
	}
	l.end = last.end
	return l, err
}

func (p *parser) ordered(at int, ok bool) error {
	if ok {
		return nil
	}
	return errorAt(p.text, at, "the range ends before it begins")
}

// value reads a literal, a field or a call, and indexes behind it.
func (p *parser) value() (node, error) {
	if p.kind != wordToken || p.lexeme() == "true" || p.lexeme() == "false" {
		return p.literal(false)
	}
	name, at := p.lexeme(), span{p.start, p.end}
	if err := p.next(); err != nil {
		return nil, err
	}
	var n node = &fieldNode{at, name}
	if p.is("(") {
		call, err := p.call(name, at)
		if err != nil {
			return nil, err
		}
		n = call
	}
	depth := p.depth
	defer func() { p.depth = depth }()
	for p.is("[") {
		if err := p.nest(); err != nil {
			return nil, err
		}
		index, err := p.index(n)
		if err != nil {
			return nil, err
		}
		n = index
	}
	return n, nil
}

// call reads the arguments of a function.
func (p *parser) call(name string, at span) (*callNode, error) {
	n := &callNode{span: at, name: name}
	if err := p.next(); err != nil {
		return nil, err
	}
	for !p.is(")") {
		if len(n.args) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		arg, err := p.logical(orOp)
		if err != nil {
			return nil, err
		}
		n.args = append(n.args, arg)
	}
	n.end = p.end
	return n, p.next()
}

// index reads [*], ["key"] or [0].
func (p *parser) index(of node) (node, error) {
	n := &indexNode{span: of.place(), of: of}
	if err := p.next(); err != nil {
		return nil, err
	}
	if p.is("*") {
		n.each = true
		if err := p.next(); err != nil {
			return nil, err
		}
	} else {
		at := p.start
		l, err := p.literal(false)
		if err != nil {
			return nil, err
		}
		if l.kind != bytesLiteral && (l.kind != intLiteral || l.lo < 0 || l.lo > math.MaxInt32) {
			return nil, errorAt(p.text, at, `want [0], ["key"] or [*]`)
		}
		n.key = l
	}
	n.end = p.end
	return n, p.expect("]")
}
