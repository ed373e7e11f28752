package rules

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// compileRegexp compiles what RE2 can match in linear time with a bounded program. Its error is a clause.
func compileRegexp(pattern string) (*regexp.Regexp, hint, string) {
	if len(pattern) > MaxRegexp {
		return nil, nil, fmt.Sprintf("the regular expression has %d bytes: %d are allowed", len(pattern), MaxRegexp)
	}
	pattern = withoutUnicodeFlag(pattern)
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, nil, strings.TrimPrefix(err.Error(), "error parsing regexp: ")
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, nil, err.Error()
	}
	parsed = parsed.Simplify()
	program, err := syntax.Compile(parsed)
	if err != nil || len(program.Inst) > MaxProgram {
		return nil, nil, "the regular expression is too large: fewer or shorter repetitions are wanted"
	}
	return re, hintOf(parsed), ""
}

// withoutUnicodeFlag takes the flag u out of the flags that an expression begins with, as in (?u) or (?iu), which those who come from Rust
// write: it says that the expression is about characters, and RE2's always are.
func withoutUnicodeFlag(pattern string) string {
	group, rest, closed := strings.Cut(pattern, ")")
	flags, ok := strings.CutPrefix(group, "(?")
	if !ok || !closed || !strings.Contains(flags, "u") || strings.Trim(flags, "imsUu") != "" {
		return pattern
	}
	if flags = strings.ReplaceAll(flags, "u", ""); flags == "" {
		return rest
	}
	return "(?" + flags + ")" + rest
}

// comparison compiles an operator and its literals, for values of a type.
func (c *compiler) comparison(n *compareNode, typ Type) (test, int, error) {
	switch n.op {
	case eqOp, neOp, ltOp, leOp, gtOp, geOp:
		return c.ordering(n, typ)
	case inOp:
		if n.list != nil {
			return c.list(n, typ)
		}
		return c.members(n, typ)
	case bitOp:
		if typ == Int {
			l, err := c.literalOf(n.right[0], intLiteral)
			return &bitTest{l.lo}, 1, err
		}
	default:
		if typ == Bytes {
			return c.pattern(n)
		}
	}
	return nil, 0, c.errorf(n.left, "%s does not work on a value of type %s", n.op, typ)
}

func (c *compiler) ordering(n *compareNode, typ Type) (test, int, error) {
	l := n.right[0]
	switch typ {
	case Bytes:
		l, err := c.literalOf(l, bytesLiteral)
		switch n.op {
		case eqOp:
			return &bytesTest{l.bytes}, 2, err
		case neOp:
			return &negatedTest{&bytesTest{l.bytes}}, 2, err
		}
		return &orderTest{n.op, l.bytes}, 3, err
	case Int:
		l, err := c.literalOf(l, intLiteral)
		return intTest(n.op, intNumber(l.lo)), 3, err
	case IP:
		if n.op != eqOp && n.op != neOp {
			break
		}
		l, err := c.literalOf(l, ipLiteral)
		if err != nil {
			return nil, 0, err
		}
		return intTest(n.op, ipNumber(l.from)), 3, nil
	case Bool:
		return nil, 0, c.errorf(n, "a Boolean is not compared: write %s, or not %[1]s", c.source(n.left))
	}
	return nil, 0, c.errorf(n.left, "%s does not work on a value of type %s", n.op, typ)
}

// intTest is a comparison with one number.
func intTest(o op, n number) test {
	lowest, highest := number{}, intNumber(1<<63-1)
	switch o {
	case eqOp:
		return &rangeTest{[]numbers{{n, n}}}
	case neOp:
		return &negatedTest{&rangeTest{[]numbers{{n, n}}}}
	case leOp:
		return &rangeTest{[]numbers{{lowest, n}}}
	case geOp:
		return &rangeTest{[]numbers{{n, highest}}}
	case ltOp:
		if n != lowest {
			return &rangeTest{[]numbers{{lowest, number{lo: n.lo - 1}}}}
		}
	case gtOp:
		if n != highest {
			return &rangeTest{[]numbers{{n.next(), highest}}}
		}
	}
	return &rangeTest{}
}

// members compiles the inline list right of in.
func (c *compiler) members(n *compareNode, typ Type) (test, int, error) {
	switch typ {
	case Bytes:
		set := make(map[string]struct{}, len(n.right))
		for _, l := range n.right {
			l, err := c.literalOf(l, bytesLiteral)
			if err != nil {
				return nil, 0, err
			}
			set[l.bytes] = struct{}{}
		}
		return &setTest{set}, 15, nil
	case Int, IP:
		var ranges []numbers
		for _, l := range n.right {
			kinds := []literalKind{intLiteral, intRange}
			if typ == IP {
				kinds = []literalKind{ipLiteral, ipRange, prefixLiteral}
			}
			l, err := c.literalOf(l, kinds...)
			if err != nil {
				return nil, 0, err
			}
			ranges = append(ranges, l.ranges()...)
		}
		return &rangeTest{merge(ranges)}, 10, nil
	}
	return nil, 0, c.errorf(n.left, "in does not work on a value of type %s", typ)
}

// ranges returns the numbers that a literal stands for.
func (l *literal) ranges() []numbers {
	switch l.kind {
	case intLiteral:
		return []numbers{{intNumber(l.lo), intNumber(l.lo)}}
	case intRange:
		return []numbers{{intNumber(l.lo), intNumber(l.hi)}}
	case ipLiteral:
		return []numbers{{ipNumber(l.from), ipNumber(l.from)}}
	case ipRange:
		return apart(numbers{ipNumber(l.from), ipNumber(l.to)})
	}
	bits := l.prefix.Bits()
	if l.prefix.Addr().Is4() {
		bits += 96
	}
	from := ipNumber(l.prefix.Addr()).mask(bits)
	return apart(numbers{from, from.fill(bits)})
}

// apart takes the IPv4 addresses out of a range of IPv6 addresses around them.
func apart(r numbers) []numbers {
	if r.from.is4() {
		return []numbers{r}
	}
	var rest []numbers
	if first := (number{lo: mapped}); r.from.less(first) {
		to := r.to
		if !to.less(first) {
			to = number{lo: mapped - 1}
		}
		rest = append(rest, numbers{r.from, to})
	}
	if after := (number{lo: mappedEnd + 1}); !r.to.less(after) {
		from := r.from
		if from.less(after) {
			from = after
		}
		rest = append(rest, numbers{from, r.to})
	}
	return rest
}

func (c *compiler) list(n *compareNode, typ Type) (test, int, error) {
	if typ != IP && typ != Int && typ != Bytes {
		return nil, 0, c.errorf(n.left, "in does not work on a value of type %s", typ)
	}
	if c.scheme.lists == nil {
		return nil, 0, errorAt(c.text, n.list.start, "there are no lists")
	}
	list, err := c.scheme.lists.List(n.list.name, typ)
	if err != nil {
		return nil, 0, errorAt(c.text, n.list.start, "list $%s: %s", n.list.name, err)
	}
	return &listTest{list, typ}, 30, nil
}

// pattern compiles the operators that only Bytes have.
func (c *compiler) pattern(n *compareNode) (test, int, error) {
	l, err := c.literalOf(n.right[0], bytesLiteral)
	if err != nil {
		return nil, 0, err
	}
	switch n.op {
	case containsOp:
		return &containsTest{newNeedle(l.bytes)}, 20, nil
	case matchesOp:
		re, hint, why := compileRegexp(l.bytes)
		if why != "" {
			return nil, 0, c.errorf(l, "%s", why)
		}
		return &regexTest{re, hint, hint.automaton()}, 5000, nil
	}
	w, why := compileWildcard(l.bytes, n.op == strictOp)
	if why != "" {
		return nil, 0, c.errorf(l, "%s", why)
	}
	return &wildcardTest{w}, 60, nil
}

// literalOf refuses literals of other kinds. With an error, it returns the literal all the same.
func (c *compiler) literalOf(l *literal, kinds ...literalKind) (*literal, error) {
	if slices.Contains(kinds, l.kind) {
		return l, nil
	}
	want := map[literalKind]string{
		bytesLiteral: `a string in "`, intLiteral: "an integer", ipLiteral: "an IP address", boolLiteral: "true or false",
	}[kinds[0]]
	hint := ""
	if l.kind == prefixLiteral && kinds[0] == ipLiteral {
		hint = ": prefixes stand right of in, between { and }"
	}
	return l, c.errorf(l, "found %s: want %s%s", format(l), want, hint)
}
