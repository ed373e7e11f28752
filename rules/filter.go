package rules

// Filter is a compiled filter expression: a condition on requests.
type Filter struct {
	text  string
	tree  node
	root  expr
	cost  int
	phase Phase
	notes map[node]operand // what Explain needs
}

// Compile compiles a filter expression. Its error is an [Error].
func Compile(s *Scheme, text string) (*Filter, error) {
	c, tree, err := newCompiler(s, text)
	if err != nil {
		return nil, err
	}
	o, err := c.condition(tree)
	if err != nil {
		return nil, err
	}
	if o.over != nil {
		return nil, c.errorf(tree, "the expression is an array of Booleans: put any() or all() around it")
	}
	return &Filter{text, tree, o.expr, o.cost, c.phase, c.notes}, nil
}

func newCompiler(s *Scheme, text string) (*compiler, node, error) {
	tree, err := parse(text)
	return &compiler{scheme: s, text: text, notes: make(map[node]operand)}, tree, err
}

// Match tells whether the filter holds for the request that m was last reset to. The machine has to be of the filter's scheme.
func (f *Filter) Match(m *Machine) bool { return truth(f.root, m) }

// Cost is an estimate of what Match costs at most, in ns.
func (f *Filter) Cost() int { return f.cost }

// Phase is the phase in which all that the filter reads is known.
func (f *Filter) Phase() Phase { return f.phase }

// String is the expression as it was written.
func (f *Filter) String() string { return f.text }

// Rewrite is a compiled value expression: what goes into a URL or a header.
type Rewrite struct {
	text  string
	root  expr
	cost  int
	phase Phase
}

// CompileValue compiles a value expression, which has to be of type Bytes. Its error is an [Error].
func CompileValue(s *Scheme, text string) (*Rewrite, error) {
	c, tree, err := newCompiler(s, text)
	if err != nil {
		return nil, err
	}
	c.value = true
	o, err := c.compile(tree)
	if err != nil {
		return nil, err
	}
	if o.over != nil || o.typ != Bytes {
		return nil, c.errorf(tree, "the expression has type %s: want %s%s", o.nodeType(), Bytes, wantString(o.typ))
	}
	return &Rewrite{text, o.expr, o.cost, c.phase}, nil
}

func wantString(typ Type) string {
	if typ == Int || typ == Bool || typ == IP {
		return ", as to_string() makes it"
	}
	return ""
}

// Append appends the value that the request has to b; ok is false if it is missing.
func (r *Rewrite) Append(b []byte, m *Machine) (_ []byte, ok bool) {
	before := m.mark()
	v := r.root.eval(m)
	b = v.Append(b)
	m.release(before)
	return b, !v.Missing()
}

// Cost is an estimate of what Append costs, in ns.
func (r *Rewrite) Cost() int { return r.cost }

// Phase is the phase in which all that the expression reads is known.
func (r *Rewrite) Phase() Phase { return r.phase }

// String is the expression as it was written.
func (r *Rewrite) String() string { return r.text }
