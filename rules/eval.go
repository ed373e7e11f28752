package rules

// An expr is a compiled part of an expression. Its value is of the type that it was compiled for, or missing.
type expr interface {
	eval(m *Machine) Value
}

// truth evaluates a condition, of which a missing value is false.
func truth(e expr, m *Machine) bool {
	v := e.eval(m)
	return v.Bool()
}

// constant is a literal, or what was computed of literals.
type constant struct{ value Value }

func (e *constant) eval(*Machine) Value { return e.value }

// fieldExpr is the value of a field.
type fieldExpr struct{ index int }

func (e *fieldExpr) eval(m *Machine) Value { return *m.field(e.index) }

// currentExpr is the element that the [*] around it is at.
type currentExpr struct{ typ Type }

func (e *currentExpr) eval(m *Machine) Value {
	if m.current.typ != e.typ {
		return Value{}
	}
	return m.current
}

// elementExpr is list[n].
type elementExpr struct {
	list expr
	n    int
	typ  Type
}

func (e *elementExpr) eval(m *Machine) Value {
	v := e.list.eval(m)
	if v.Missing() {
		return v
	}
	if v = v.at(e.n); v.typ != e.typ {
		return Value{}
	}
	return v
}

// entryExpr is of["key"].
type entryExpr struct {
	of  expr
	key string
	typ Type
}

func (e *entryExpr) eval(m *Machine) Value {
	v := e.of.eval(m)
	if v.Missing() {
		return v
	}
	if v = v.under(e.key); v.typ != e.typ {
		return Value{}
	}
	return v
}

// each is what a [*] goes through.
type each struct {
	list  expr
	outer *each // list is of an element of these
	key   string
}

// walk makes every element the current one and visits it, until visit says that it is enough. It tells whether it went through all,
// and whether there was anything to go through: an empty array is.
func (e *each) walk(m *Machine, visit func() bool) (through, present bool) {
	before := m.current
	through, present = e.visit(m, visit)
	m.current = before
	return through, present
}

func (e *each) visit(m *Machine, visit func() bool) (through, present bool) {
	if e.outer != nil {
		return e.outer.visit(m, func() bool {
			through, _ := e.items(m, visit)
			return through
		})
	}
	return e.items(m, visit)
}

func (e *each) items(m *Machine, visit func() bool) (through, present bool) {
	v := e.list.eval(m)
	if v.Missing() {
		return true, false
	}
	for i := range v.items.Len() {
		if !v.has(i) {
			continue
		}
		m.current = v.items.At(i)
		if !visit() {
			return false, true
		}
	}
	return true, true
}

// liftedExpr is element n of what a function makes of every element.
type liftedExpr struct {
	over *each
	of   expr
	n    int
}

func (e *liftedExpr) eval(m *Machine) (v Value) {
	n := e.n
	e.over.walk(m, func() bool {
		if n--; n >= 0 {
			return true
		}
		v = e.of.eval(m)
		return false
	})
	return v
}

// quantifier is any(of), or all(of).
type quantifier struct {
	over *each
	of   expr
	all  bool
}

func (e *quantifier) eval(m *Machine) Value {
	through, _ := e.over.walk(m, func() bool {
		before := m.mark()
		holds := truth(e.of, m)
		m.release(before)
		return holds == e.all
	})
	return BoolValue(through == e.all)
}

// notExpr is the negation of a condition.
type notExpr struct{ arg expr }

func (e *notExpr) eval(m *Machine) Value { return BoolValue(!truth(e.arg, m)) }

// logicalExpr joins conditions, the cheap ones first.
type logicalExpr struct {
	op   op
	args []expr
}

func (e *logicalExpr) eval(m *Machine) Value {
	if e.op == xorOp {
		odd := false
		for _, arg := range e.args {
			odd = odd != truth(arg, m)
		}
		return BoolValue(odd)
	}
	for _, arg := range e.args {
		if truth(arg, m) == (e.op == orOp) {
			return BoolValue(e.op == orOp)
		}
	}
	return BoolValue(e.op == andOp)
}

// compareExpr puts a value to a test. Equal keys mean equal values.
type compareExpr struct {
	left expr
	key  string
	cost int // of left
	test test
}

func (e *compareExpr) eval(m *Machine) Value {
	before := m.mark()
	v := e.left.eval(m)
	holds := !v.Missing() && e.test.holds(m, v)
	m.release(before)
	return BoolValue(holds)
}

// A leaf is a condition that is no logical operation: what a Set answers once for all filters. Equal keys mean equal answers.
type leaf struct {
	expr
	key string
}

func (e *leaf) eval(m *Machine) Value {
	before := m.mark()
	v := e.expr.eval(m)
	m.release(before)
	return v
}
