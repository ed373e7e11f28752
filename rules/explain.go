package rules

import (
	"strconv"
	"strings"
)

// Explanation says what a part of an expression was for one request, and what its parts were.
type Explanation struct {
	Start, End int    // where the part stands, in bytes of the expression's text
	Text       string // the part as it was written
	Value      string // "true" and "false", or a value as it would be written; "missing" if there was none; [*] has one for each element
	Holds      bool   // whether it is a condition that holds
	Parts      []Explanation
}

// Explain evaluates all of a filter for the request that m was last reset to, also what Match would not have to. It allocates.
func (f *Filter) Explain(m *Machine) Explanation { return f.explain(m, f.tree) }

func (f *Filter) explain(m *Machine, n node) Explanation {
	at := n.place()
	e := Explanation{Start: at.start, End: at.end, Text: f.text[at.start:at.end]}
	switch n := n.(type) {
	case *logicalNode:
		e.Parts = f.explainAll(m, n.args)
	case *notNode:
		e.Parts = f.explainAll(m, []node{n.arg})
	case *compareNode:
		e.Parts = f.explainAll(m, []node{n.left})
	case *callNode:
		e.Parts = f.explainAll(m, n.args)
	case *indexNode:
		if _, ok := n.of.(*callNode); ok {
			e.Parts = f.explainAll(m, []node{n.of})
		}
	}
	o := f.notes[n]
	if o.over != nil {
		e.Value = explainEach(m, &o)
		return e
	}
	if holds, ok := joins(n, e.Parts); ok {
		e.Holds, e.Value = holds, strconv.FormatBool(holds)
		return e
	}
	before := m.mark()
	v := o.expr.eval(m)
	e.Holds, e.Value = v.Bool(), v.String()
	m.release(before)
	return e
}

// explainAll explains nodes but literals, which explain themselves.
func (f *Filter) explainAll(m *Machine, nodes []node) []Explanation {
	var parts []Explanation
	for _, n := range nodes {
		if l, ok := n.(*literal); !ok || l.kind == boolLiteral {
			parts = append(parts, f.explain(m, n))
		}
	}
	return parts
}

// joins computes a logical operation from its parts; false if n is none.
func joins(n node, parts []Explanation) (holds, ok bool) {
	switch n := n.(type) {
	case *notNode:
		return !parts[0].Holds, true
	case *logicalNode:
		count := 0
		for i := range parts {
			if parts[i].Holds {
				count++
			}
		}
		switch n.op {
		case andOp:
			return count == len(parts), true
		case orOp:
			return count > 0, true
		}
		return count%2 == 1, true
	}
	return false, false
}

// explainEach is what an operand was for each element that [*] goes through, as far as that is shown.
func explainEach(m *Machine, o *operand) string {
	var values []string
	through, _ := o.over.walk(m, func() bool {
		if len(values) == shown {
			return false
		}
		before := m.mark()
		values = append(values, o.expr.eval(m).String())
		m.release(before)
		return true
	})
	if !through {
		values = append(values, "…")
	}
	return "[" + strings.Join(values, ", ") + "]"
}

// String is one line for each part, below the whole and indented.
func (e Explanation) String() string {
	var b strings.Builder
	e.write(&b, "")
	return b.String()
}

func (e *Explanation) write(b *strings.Builder, indent string) {
	b.WriteString(indent + strings.ReplaceAll(e.Text, "\n", " ") + " = " + e.Value + "\n")
	for i := range e.Parts {
		e.Parts[i].write(b, indent+"  ")
	}
}
