package rules

import (
	"cmp"
	"slices"
)

// A compiler turns the nodes of one expression into exprs, and checks their types on the way.
type compiler struct {
	scheme  *Scheme
	text    string
	value   bool // a value expression, whose functions may allocate
	replace bool // regex_replace or wildcard_replace was met: only one is allowed
	phase   Phase
	notes   map[node]operand // what nodes became, for Explain
}

// An operand is what a node became.
type operand struct {
	expr expr
	typ  Type // of the expr's value
	cost int
	// over is what a [*] in the node goes through: the expr is then evaluated for each element. It is lifted once a function or a
	// comparison has been applied: the node is then an array of results.
	over   *each
	lifted bool
	flat   bool // over goes through a map of arrays: another [*] has to follow
}

// nodeType is the type of the node as its reader sees it.
func (o *operand) nodeType() Type {
	if o.lifted {
		return ArrayOf(o.typ)
	}
	return o.typ
}

func (o *operand) isConstant() bool {
	_, ok := o.expr.(*constant)
	return ok
}

// elements says how to go through an array, or through the results of [*].
func (o *operand) elements(key string) (*each, expr) {
	if o.over != nil {
		return o.over, o.expr
	}
	elem := o.typ.Elem()
	if o.typ.isMultimap() {
		elem = elem.Elem()
	}
	return &each{list: o.expr, key: key}, &currentExpr{elem}
}

// manyElements is how many elements an array is thought to have when costs are estimated.
const manyElements = 8

func (c *compiler) errorf(n node, format string, args ...any) error {
	return errorAt(c.text, n.place().start, format, args...)
}

// source is the text of a node as it was written.
func (c *compiler) source(n node) string {
	at := n.place()
	return c.text[at.start:at.end]
}

// compile compiles any node.
func (c *compiler) compile(n node) (operand, error) {
	o, err := c.part(n)
	if err == nil && o.flat {
		err = c.errorf(n, "[*] of a map of arrays wants another [*] behind it")
	}
	return o, err
}

func (c *compiler) part(n node) (o operand, err error) {
	switch n := n.(type) {
	case *literal:
		o, err = c.constant(n)
	case *fieldNode:
		o, err = c.field(n)
	case *indexNode:
		o, err = c.index(n)
	case *callNode:
		o, err = c.call(n)
	case *compareNode:
		o, err = c.compare(n)
	case *logicalNode:
		o, err = c.logical(n)
	case *notNode:
		o, err = c.negation(n)
	}
	if err == nil {
		c.notes[n] = o
	}
	return o, err
}

func (c *compiler) constant(n *literal) (operand, error) {
	var v Value
	switch n.kind {
	case boolLiteral:
		v = BoolValue(n.truth)
	case bytesLiteral:
		v = BytesValue(n.bytes)
	case intLiteral:
		v = IntValue(n.lo)
	case ipLiteral:
		v = IPValue(n.from)
	default:
		return operand{}, c.errorf(n, "%s stands only between { and }", c.source(n))
	}
	return operand{expr: &constant{v}, typ: v.typ}, nil
}

func (c *compiler) field(n *fieldNode) (operand, error) {
	i, ok := c.scheme.byName[n.name]
	if !ok {
		return operand{}, c.errorf(n, "unknown field %s%s", n.name, suggest(n.name, c.scheme.names()))
	}
	f := &c.scheme.fields[i]
	if f.Unknown != "" {
		return operand{}, c.errorf(n, "nothing is known of %s: %s", n.name, f.Unknown)
	}
	n.name = f.Name // one name for keys
	c.phase = max(c.phase, f.Phase)
	return operand{expr: &fieldExpr{i}, typ: f.Type, cost: max(f.Cost, 1)}, nil
}

func (c *compiler) index(n *indexNode) (operand, error) {
	o, err := c.part(n.of)
	if err != nil {
		return o, err
	}
	typ := o.nodeType()
	switch {
	case n.each && o.lifted:
		o.lifted = false
		return o, nil
	case n.each && o.flat:
		o.flat, o.over.key = false, format(n)
		return o, nil
	case o.flat:
		return o, c.errorf(n, "[*] of a map of arrays wants another [*] behind it")
	case n.each && typ.isMultimap():
		o = c.goThrough(n, o, typ.Elem().Elem()) // the elements of its arrays are its own
		o.flat = true
		return o, nil
	case n.each && (typ.isArray() || typ.isMap()):
		return c.goThrough(n, o, typ.Elem()), nil
	case n.each:
		return o, c.errorf(n, "[*] wants an array: %s has type %s", c.source(n.of), typ)
	case n.key.kind == bytesLiteral && typ.isMap():
		o.expr, o.typ, o.cost = &entryExpr{o.expr, n.key.bytes, typ.Elem()}, typ.Elem(), o.cost+20
	case n.key.kind == intLiteral && o.lifted:
		o = operand{expr: &liftedExpr{o.over, o.expr, int(n.key.lo)}, typ: o.typ, cost: o.cost * manyElements}
	case n.key.kind == intLiteral && typ.isArray():
		o.expr, o.typ, o.cost = &elementExpr{o.expr, int(n.key.lo), typ.Elem()}, typ.Elem(), o.cost+5
	default:
		return o, c.errorf(n, "%s does not index %s, which has type %s", c.source(n.key), c.source(n.of), typ)
	}
	return o, nil
}

// goThrough is of[*] for a list of elements of a type.
func (c *compiler) goThrough(n *indexNode, of operand, elem Type) operand {
	over := &each{list: of.expr, outer: of.over, key: format(n)}
	return operand{expr: &currentExpr{elem}, typ: elem, cost: of.cost + 5, over: over}
}

func (c *compiler) compare(n *compareNode) (operand, error) {
	if _, ok := n.left.(*literal); ok {
		return operand{}, c.errorf(n.left, "a literal stands right of %s: want a field or a function left of it", n.op)
	}
	o, err := c.compile(n.left)
	if err != nil {
		return o, err
	}
	if o.lifted {
		return o, c.errorf(n.left, "%s has type %s: want [*] behind it, to compare each element", c.source(n.left), o.nodeType())
	}
	t, cost, err := c.comparison(n, o.typ)
	if err != nil {
		return o, err
	}
	compared := &compareExpr{o.expr, format(n.left), o.cost, t}
	if o.isConstant() {
		return operand{expr: c.fold(compared), typ: Bool}, nil
	}
	return operand{expr: compared, typ: Bool, cost: o.cost + cost, over: o.over, lifted: o.over != nil}, nil
}

// fold computes what depends on no request.
func (c *compiler) fold(e expr) expr {
	v := e.eval(NewMachine(c.scheme))
	if v.raw != nil {
		v = BytesValue(string(v.raw))
	}
	return &constant{v}
}

// condition compiles a node that has to be a Boolean, or an array of them. A Boolean that is no logical operation becomes a leaf.
func (c *compiler) condition(n node) (operand, error) {
	o, err := c.compile(n)
	if err != nil {
		return o, err
	}
	if o.typ != Bool {
		return o, c.errorf(n, "%s has type %s: want a Boolean%s", c.source(n), o.nodeType(), wantOperator(o.typ))
	}
	switch o.expr.(type) {
	case *constant, *logicalExpr, *notExpr, *leaf:
	default:
		if o.over == nil {
			o.expr = &leaf{o.expr, format(n)}
		}
	}
	return o, nil
}

func wantOperator(typ Type) string {
	if typ == Bytes || typ == Int || typ == IP {
		return ": put an operator behind it, like eq"
	}
	return ""
}

func (c *compiler) negation(n *notNode) (operand, error) {
	o, err := c.condition(n.arg)
	if err != nil {
		return o, err
	}
	if v, ok := o.expr.(*constant); ok {
		o.expr = &constant{BoolValue(!v.value.Bool())}
		return o, nil
	}
	o.expr = &notExpr{o.expr}
	o.lifted = o.over != nil
	return o, nil
}

func (c *compiler) logical(n *logicalNode) (operand, error) {
	args := make([]operand, len(n.args))
	for i, arg := range n.args {
		o, err := c.condition(arg)
		if err != nil {
			return o, err
		}
		if args[i] = o; i > 0 {
			if err := c.alike(n, arg, &args[0], &o); err != nil {
				return o, err
			}
		}
	}
	slices.SortStableFunc(args, func(a, b operand) int { return cmp.Compare(a.cost, b.cost) })
	result := operand{typ: Bool, over: args[0].over, lifted: args[0].over != nil}
	e := &logicalExpr{op: n.op}
	odd := false
	for _, o := range args {
		if v, ok := o.expr.(*constant); ok && o.over == nil {
			truth := v.value.Bool()
			if n.op != xorOp && truth == (n.op == orOp) {
				return operand{expr: &constant{BoolValue(truth)}, typ: Bool}, nil
			}
			odd = odd != truth
			continue
		}
		e.args = append(e.args, o.expr)
		result.cost += o.cost
	}
	result.expr = joined(e, odd)
	return result, nil
}

// joined is a logical operation without the constants that were in it; odd is the exclusive or of those.
func joined(e *logicalExpr, odd bool) expr {
	switch {
	case len(e.args) == 0 && e.op == xorOp:
		return &constant{BoolValue(odd)}
	case len(e.args) == 0:
		return &constant{BoolValue(e.op == andOp)}
	case e.op == xorOp && odd:
		return &notExpr{e}
	case len(e.args) == 1:
		return e.args[0]
	}
	return e
}

// alike refuses to join conditions of which one is an array, or that are arrays of what different [*] go through.
func (c *compiler) alike(n *logicalNode, arg node, first, o *operand) error {
	switch {
	case first.over == nil && o.over == nil:
		return nil
	case first.over == nil || o.over == nil:
		return c.errorf(arg, "%s joins an array of Booleans with a Boolean: put any() or all() around the array", n.op)
	case first.over.key != o.over.key:
		return c.errorf(arg, "[*] goes through %s here and through %s before: want the same array", o.over.key, first.over.key)
	}
	return nil
}
