package rules

// quantifier builds any and all.
func (c *compiler) quantifier(n *callNode, args []operand) (expr, error) {
	o := args[0]
	isArray := o.typ == ArrayOf(Bool) && o.over == nil
	if !isArray && (o.over == nil || o.typ != Bool) {
		return nil, c.errorf(n.args[0], "%s wants an array of Booleans: %s has type %s", n.name, c.source(n.args[0]), o.nodeType())
	}
	over, of := o.elements(format(n.args[0]))
	return &quantifier{over, of, n.name == "all"}, nil
}

// buildLen builds len: of Bytes, of an array, or of the array that [*] made.
func buildLen(c *compiler, n *callNode, args []operand) (expr, error) {
	o := args[0]
	switch {
	case o.lifted:
		return &countExpr{o.over}, nil
	case o.typ == Bytes:
		return newCall(func(_ *Machine, args []Value) Value { return IntValue(int64(args[0].size())) }, o), nil
	case o.typ.isArray():
		return newCall(func(_ *Machine, args []Value) Value { return IntValue(int64(args[0].count())) }, o), nil
	}
	return nil, c.errorf(n.args[0], "len wants a String or an array: %s has type %s", c.source(n.args[0]), o.nodeType())
}

// countExpr is how many elements a [*] goes through.
type countExpr struct{ over *each }

func (e *countExpr) eval(m *Machine) Value {
	n := int64(0)
	_, present := e.over.walk(m, func() bool {
		n++
		return true
	})
	if !present {
		return Value{}
	}
	return IntValue(n)
}

// buildJoin builds join: of an array, or of the array that [*] made.
func buildJoin(c *compiler, n *callNode, args []operand) (expr, error) {
	o := args[0]
	isArray := o.typ == ArrayOf(Bytes) && o.over == nil
	if !isArray && (!o.lifted || o.typ != Bytes) {
		return nil, c.errorf(n.args[0], "join wants an array of Strings: %s has type %s", c.source(n.args[0]), o.nodeType())
	}
	over, of := o.elements("")
	return &joinExpr{over, of, text(args, 1)}, nil
}

// joinExpr puts elements together with a separator between each two. One that is missing is as if it was empty.
type joinExpr struct {
	over      *each
	of        expr
	separator string
}

func (e *joinExpr) eval(m *Machine) Value {
	base := len(m.stack)
	_, present := e.over.walk(m, func() bool {
		v := e.of.eval(m)
		m.stack = append(m.stack, v)
		return true
	})
	joined := Value{}
	if present {
		joined = join(m, m.stack[base:], e.separator)
	}
	m.stack = m.stack[:base]
	return joined
}

func join(m *Machine, values []Value, separator string) Value {
	start := len(m.arena)
	for i := range values {
		if !m.room(len(separator) + values[i].size()) {
			return Value{}
		}
		if i > 0 {
			m.arena = append(m.arena, separator...)
		}
		m.arena = values[i].Append(m.arena)
	}
	return m.made(start)
}

func buildHasKey(c *compiler, n *callNode, args []operand) (expr, error) {
	if !args[0].typ.isMap() {
		return nil, c.errorf(n.args[0], "has_key wants a map: %s has type %s", c.source(n.args[0]), args[0].nodeType())
	}
	return newCall(func(_ *Machine, args []Value) Value {
		key := args[1].str
		if args[1].raw != nil {
			key = string(args[1].raw) // Items know keys as texts
		}
		v := args[0].under(key)
		return BoolValue(!v.Missing())
	}, args...), nil
}

func buildHasValue(c *compiler, n *callNode, args []operand) (expr, error) {
	o, wanted := args[0], args[1]
	if o.over == nil && !o.typ.isArray() && !o.typ.isMap() || o.over != nil && !o.lifted {
		return nil, c.errorf(n.args[0], "has_value wants an array or a map: %s has type %s", c.source(n.args[0]), o.nodeType())
	}
	elem := o.typ
	if o.over == nil {
		if elem = elem.Elem(); o.typ.isMultimap() {
			elem = elem.Elem()
		}
	}
	if wanted.typ != elem || elem > IP {
		return nil, c.errorf(n.args[1], "%s has type %s, and the elements %s", c.source(n.args[1]), wanted.nodeType(), elem)
	}
	over, of := o.elements("")
	return &hasValueExpr{over, of, wanted.expr}, nil
}

// hasValueExpr tells whether an element equals a value.
type hasValueExpr struct {
	over   *each
	of     expr
	wanted expr
}

func (e *hasValueExpr) eval(m *Machine) Value {
	wanted := e.wanted.eval(m)
	if wanted.Missing() {
		return Value{}
	}
	through, present := e.over.walk(m, func() bool {
		before := m.mark()
		v := e.of.eval(m)
		same := v.same(&wanted)
		m.release(before)
		return !same
	})
	if !present {
		return Value{}
	}
	return BoolValue(!through)
}

// maxParts is how many elements split makes at most.
const maxParts = 128

func buildSplit(c *compiler, n *callNode, args []operand) (expr, error) {
	separator, limit := text(args, 1), integer(args, 2, maxParts)
	if separator == "" {
		return nil, c.errorf(n.args[1], "the separator of split is empty")
	}
	if limit < 1 || limit > maxParts {
		return nil, c.errorf(n.args[2], "the limit of split has to be from 1 to %d", maxParts)
	}
	wanted := newNeedle(separator)
	return newCall(func(m *Machine, args []Value) Value { return split(m, args[0], &wanted, int(limit)) }, args[0]), nil
}

func split(m *Machine, v Value, separator *needle, limit int) Value {
	p := m.newParts()
	for len(p.of) < limit-1 {
		i := v.find(separator)
		if i < 0 {
			break
		}
		p.of = append(p.of, v.part(0, i))
		v = v.part(i+len(separator.text), v.size())
	}
	p.of = append(p.of, v)
	return Value{typ: ArrayOf(Bytes), items: p}
}

// maxJoined is how many elements concat makes an array of at most.
const maxJoined = 1024

// buildConcat builds concat: of texts and numbers a text, of arrays an array.
func buildConcat(c *compiler, n *callNode, args []operand) (expr, error) {
	isArray := args[0].typ.isArray()
	for i := range args {
		if args[i].typ.isArray() != isArray || isArray && args[i].over != nil {
			return nil, c.errorf(n.args[i], "%s has type %s: concat takes arrays alone, and without [*]", c.source(n.args[i]), args[i].nodeType())
		}
	}
	fn := concat
	if isArray {
		fn = concatArrays
	}
	e := newCall(fn, args...)
	e.lenient = true
	return e, nil
}

// concatArrays puts arrays together, without those that are missing.
func concatArrays(m *Machine, args []Value) Value {
	p := m.newParts()
	for i := range args {
		if args[i].Missing() {
			continue
		}
		for k := range args[i].items.Len() {
			if !args[i].has(k) {
				continue
			}
			if len(p.of) == maxJoined {
				m.exceeded = true
				return Value{}
			}
			p.of = append(p.of, args[i].items.At(k))
		}
	}
	return Value{typ: ArrayOf(Bytes), items: p}
}

// buildCoalesce builds coalesce: the first of its arguments that is not missing.
func buildCoalesce(c *compiler, n *callNode, args []operand) (expr, error) {
	for i := range args {
		if args[i].typ != args[0].typ {
			return nil, c.errorf(n.args[i], "%s has type %s, and the first argument %s", c.source(n.args[i]), args[i].typ, args[0].typ)
		}
	}
	e := newCall(func(_ *Machine, args []Value) Value {
		for i := range args {
			if !args[i].Missing() {
				return args[i]
			}
		}
		return Value{}
	}, args...)
	e.lenient = true
	return e, nil
}
