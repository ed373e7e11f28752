package rules

import (
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/rules"
)

// Trial is an expression that is tried on requests, outside of all rules. It is not for concurrent use.
type Trial struct {
	filter *rules.Filter
	judge  *judge
}

// Try compiles an expression, which may name lists. Its error is a [*rules.Error], which has the place.
func (r *Room) Try(expression string, lists rules.Lists) (*Trial, error) {
	scheme, err := r.scheme(lists)
	if err != nil {
		return nil, err
	}
	f, err := rules.Compile(scheme, expression)
	if err != nil {
		return nil, err
	}
	return &Trial{filter: f, judge: r.judge(scheme)}, nil
}

// Explain says what each part of the expression is for a request, and its response, if it has one.
func (t *Trial) Explain(f *flow.Flow) rules.Explanation {
	t.judge.begin(f)
	t.judge.source.message = f.Message()
	return t.filter.Explain(t.judge.machine)
}

// scheme is what expressions may speak of.
func (r *Room) scheme(lists rules.Lists) (*rules.Scheme, error) {
	declared := make([]rules.Field, len(r.fields))
	for i := range r.fields {
		declared[i] = r.fields[i].Field
		declared[i].Unknown = r.Unknown[declared[i].Name]
	}
	return rules.NewScheme(declared, lists)
}

func (r *Room) judge(scheme *rules.Scheme) *judge {
	return &judge{machine: rules.NewMachine(scheme), source: source{fields: r.fields}}
}
