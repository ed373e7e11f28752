package rules

import (
	"fmt"
	"slices"
	"strings"
)

// A function is one that expressions can call.
type function struct {
	params   []param
	optional int   // how many of the last params may be left out
	more     param // what any number of further arguments is, if it has a name
	result   Type
	cost     int // ns of a call, without its arguments
	build    func(c *compiler, n *callNode, args []operand) (expr, error)
	// whole functions take an array as one argument, and what [*] goes through as well.
	whole  bool
	arrays bool // of arrays it makes an array
	// Only in value expressions, because it allocates.
	rewrites bool
}

// A param says what an argument has to be.
type param struct {
	name    string
	types   []Type // none: any
	literal bool   // a literal is wanted
	dynamic bool   // a literal is refused, as Cloudflare does
}

func params(p ...param) []param              { return p }
func source(types ...Type) param             { return param{name: "source", types: types, dynamic: true} }
func value(types ...Type) param              { return param{name: "value", types: types} }
func fixed(name string, types ...Type) param { return param{name: name, types: types, literal: true} }

// functions are all that there are. Calls and their limits are those of Cloudflare's documentation.
var functions = map[string]function{
	"any": {params: params(value()), result: Bool, whole: true, build: (*compiler).quantifier},
	"all": {params: params(value()), result: Bool, whole: true, build: (*compiler).quantifier},

	"cidr":  {params: params(source(IP), fixed("IPv4 bits", Int), fixed("IPv6 bits", Int)), result: IP, cost: 3, build: buildCIDR},
	"cidr6": {params: params(source(IP), fixed("IPv6 bits", Int)), result: IP, cost: 3, build: buildCIDR},

	"coalesce": {params: params(value(), value()), more: value(), cost: 3, build: buildCoalesce},
	"concat": {
		params: params(value(Bytes, Int, ArrayOf(Bytes))), more: value(Bytes, Int, ArrayOf(Bytes)), result: Bytes, arrays: true, cost: 20,
		build: buildConcat,
	},
	"join": {params: params(value(), fixed("separator", Bytes)), result: Bytes, cost: 50, whole: true, build: buildJoin},
	"len":  {params: params(value()), result: Int, cost: 2, whole: true, build: buildLen},
	"split": {
		params: params(value(Bytes), fixed("separator", Bytes), fixed("limit", Int)), optional: 1, result: ArrayOf(Bytes), cost: 60, build: buildSplit,
	},
	"has_key":   {params: params(value(), param{name: "key", types: []Type{Bytes}}), result: Bool, cost: 20, build: buildHasKey},
	"has_value": {params: params(value(), value()), result: Bool, cost: 40, whole: true, build: buildHasValue},

	"starts_with":   {params: params(source(Bytes), value(Bytes)), result: Bool, cost: 3, build: buildAffix},
	"ends_with":     {params: params(source(Bytes), value(Bytes)), result: Bool, cost: 3, build: buildAffix},
	"lower":         {params: params(value(Bytes)), result: Bytes, cost: 30, build: strict(lower)},
	"upper":         {params: params(value(Bytes)), result: Bytes, cost: 30, build: strict(upper)},
	"substring":     {params: params(value(Bytes), value(Int), value(Int)), optional: 1, result: Bytes, cost: 3, build: strict(substring)},
	"remove_bytes":  {params: params(value(Bytes), fixed("bytes", Bytes)), result: Bytes, cost: 50, build: buildRemoveBytes},
	"to_string":     {params: params(value(Int, Bool, IP)), result: Bytes, cost: 20, build: strict(toString)},
	"url_decode":    {params: params(source(Bytes), fixed("options", Bytes)), optional: 1, result: Bytes, cost: 60, build: buildURLDecode},
	"decode_base64": {params: params(source(Bytes)), result: Bytes, cost: 100, build: strict(decodeBase64)},
	"encode_base64": {params: params(value(Bytes), fixed("flags", Bytes)), optional: 1, result: Bytes, cost: 100, build: buildEncodeBase64},
	"sha256":        {params: params(value(Bytes)), result: Bytes, cost: 200, build: strict(sum256)},
	"uuidv4":        {params: params(source(Bytes)), result: Bytes, cost: 50, build: strict(uuidv4)},

	"remove_query_args": {
		params: params(source(Bytes), fixed("name", Bytes)), more: fixed("name", Bytes), result: Bytes, cost: 60,
		build: buildRemoveQueryArgs,
	},
	"lookup_json_string": {
		params: params(source(Bytes), fixed("key", Bytes, Int)), more: fixed("key", Bytes, Int), result: Bytes,
		cost: 2000, build: buildLookup,
	},
	"lookup_json_integer": {
		params: params(source(Bytes), fixed("key", Bytes, Int)), more: fixed("key", Bytes, Int), result: Int,
		cost: 2000, build: buildLookup,
	},
	"is_timed_hmac_valid_v0": {
		params: params(fixed("key", Bytes), source(Bytes), fixed("time to live", Int), value(Int),
			fixed("length of the separator", Int), fixed("flags", Bytes)),
		optional: 2, result: Bool, cost: 700, build: buildTimedHMAC,
	},
	"regex_replace": {
		params: params(value(Bytes), fixed("regular expression", Bytes), fixed("replacement", Bytes)), result: Bytes, cost: 5000, rewrites: true,
		build: buildRegexReplace,
	},
	"wildcard_replace": {
		params:   params(source(Bytes), fixed("wildcard pattern", Bytes), fixed("replacement", Bytes), fixed("flags", Bytes)),
		optional: 1, result: Bytes, cost: 200, rewrites: true, build: buildWildcardReplace,
	},
}

// functionNames returns the names of all functions, sorted.
func functionNames() []string {
	names := make([]string, 0, len(functions))
	for name := range functions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// call compiles a call.
func (c *compiler) call(n *callNode) (operand, error) {
	f, ok := functions[n.name]
	if !ok {
		return operand{}, c.errorf(n, "unknown function %s%s", n.name, suggest(n.name, functionNames()))
	}
	if f.rewrites {
		if !c.value {
			return operand{}, c.errorf(n, "%s is only for value expressions, not for filters", n.name)
		}
		if c.replace {
			return operand{}, c.errorf(n, "regex_replace or wildcard_replace may stand only once in an expression")
		}
		c.replace = true
	}
	args, err := c.arguments(n, &f)
	if err != nil {
		return operand{}, err
	}
	e, err := f.build(c, n, args)
	if err != nil {
		return operand{}, err
	}
	o := operand{expr: e, typ: f.result, cost: f.cost}
	if o.typ == 0 || f.arrays && args[0].typ.isArray() {
		o.typ = args[0].typ
	}
	constant := true
	for i := range args {
		o.cost += args[i].cost
		constant = constant && args[i].isConstant()
	}
	switch {
	case constant:
		o.expr, o.cost = c.fold(e), 0
	case f.whole && takesWhole(n, &args[0]):
		o.cost += args[0].cost * (manyElements - 1)
	case args[0].over != nil:
		o.over, o.lifted = args[0].over, true
	}
	return o, nil
}

// takesWhole tells whether a call takes an array whole. len of what [*] goes through is a length of each element.
func takesWhole(n *callNode, first *operand) bool {
	return first.over == nil || first.lifted || n.name == "any" || n.name == "all"
}

// arguments compiles the arguments of a call and checks each against its param.
func (c *compiler) arguments(n *callNode, f *function) ([]operand, error) {
	least, most := len(f.params)-f.optional, len(f.params)
	if len(n.args) < least || len(n.args) > most && f.more.name == "" {
		return nil, c.errorf(n, "%s has %d arguments: want %s", n.name, len(n.args), f.arity())
	}
	args := make([]operand, len(n.args))
	for i, arg := range n.args {
		p := &f.more
		if i < len(f.params) {
			p = &f.params[i]
		}
		o, err := c.argument(n, arg, p, f.whole && i == 0)
		if err != nil {
			return nil, err
		}
		if o.over != nil && i > 0 {
			return nil, c.errorf(arg, "[*] may stand only in the first argument of %s", n.name)
		}
		args[i] = o
	}
	return args, nil
}

func (c *compiler) argument(n *callNode, arg node, p *param, whole bool) (operand, error) {
	o, err := c.compile(arg)
	if err != nil {
		return o, err
	}
	_, isLiteral := arg.(*literal)
	switch {
	case p.literal && !isLiteral:
		return o, c.errorf(arg, "the %s of %s has to be a literal", p.name, n.name)
	case p.dynamic && isLiteral:
		return o, c.errorf(arg, "the %s of %s has to be a field or a function, not a literal", p.name, n.name)
	case whole:
		return o, nil
	case o.lifted && len(p.types) > 0:
		return o, c.errorf(arg, "the %s of %s has type %s: want [*] behind it", p.name, n.name, o.nodeType())
	case o.lifted || len(p.types) > 0 && !slices.Contains(p.types, o.typ):
		return o, c.errorf(arg, "the %s of %s has type %s: want %s", p.name, n.name, o.nodeType(), p.want())
	}
	return o, nil
}

func (p *param) want() string {
	if len(p.types) == 0 {
		return "a value, or [*] behind it"
	}
	names := make([]string, len(p.types))
	for i, t := range p.types {
		names[i] = t.String()
	}
	return strings.Join(names, " or ")
}

// arity says how many arguments there should be.
func (f *function) arity() string {
	least, most := len(f.params)-f.optional, len(f.params)
	switch {
	case f.more.name != "":
		return fmt.Sprintf("%d or more", least)
	case f.optional > 0:
		return fmt.Sprintf("%d to %d", least, most)
	}
	return fmt.Sprint(most)
}

// callExpr computes a value from those of its arguments.
type callExpr struct {
	args    []expr
	lenient bool // it is called with missing arguments, too
	fn      func(m *Machine, args []Value) Value
}

func (e *callExpr) eval(m *Machine) Value {
	base := len(m.stack)
	for _, arg := range e.args {
		v := arg.eval(m)
		if v.Missing() && !e.lenient {
			m.stack = m.stack[:base]
			return v
		}
		m.stack = append(m.stack, v)
	}
	v := e.fn(m, m.stack[base:])
	m.stack = m.stack[:base]
	return v
}

// newCall is a call of fn with those arguments.
func newCall(fn func(*Machine, []Value) Value, args ...operand) *callExpr {
	e := &callExpr{fn: fn, args: make([]expr, len(args))}
	for i := range args {
		e.args[i] = args[i].expr
	}
	return e
}

// strict builds calls that are missing when an argument is.
func strict(fn func(*Machine, []Value) Value) func(*compiler, *callNode, []operand) (expr, error) {
	return func(_ *compiler, _ *callNode, args []operand) (expr, error) { return newCall(fn, args...), nil }
}

// text returns the literal string that an argument is, "" if it was left out.
func text(args []operand, i int) string {
	if i >= len(args) {
		return ""
	}
	return args[i].expr.(*constant).value.str
}

// integer returns the literal integer that an argument is, or what stands for one that was left out.
func integer(args []operand, i int, otherwise int64) int64 {
	if i >= len(args) {
		return otherwise
	}
	v := args[i].expr.(*constant).value
	return v.Int()
}

// flags returns the letters of an argument, which have to be among those allowed.
func (c *compiler) flags(n *callNode, args []operand, i int, allowed string) (string, error) {
	given := text(args, i)
	if strings.Trim(given, allowed) != "" {
		return "", c.errorf(n.args[i], "found %s: want letters of %s", c.source(n.args[i]), quote(allowed))
	}
	return given, nil
}
