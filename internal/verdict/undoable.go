package verdict

import (
	"strings"

	"github.com/seawall/seawall/internal/spec"
)

// Undoable returns the rules that refuse and can be undone, of those that have a name with or without its phase; "" is every name.
func (p *Policy) Undoable(name string) (rules []string) {
	add := func(rule string) {
		if name == "" || rule == name || strings.HasSuffix(rule, "/"+name) {
			rules = append(rules, rule)
		}
	}
	for _, r := range []rule{listsDeny, limitsRequests, limitsOriginRequests} {
		add(r.String())
	}
	for _, c := range p.rules.Counts() {
		if c.Action == spec.RuleBlock {
			add(c.Rule)
		}
	}
	return rules
}
