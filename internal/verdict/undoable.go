package verdict

import (
	"strings"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/verdict/rules"
)

// Undoable returns the rules that refuse and can be undone, of those that have a name with or without its phase; "" is every name.
func (p *Policy) Undoable(name string) (found []string) {
	for _, r := range []rule{listsDeny, limitsRequests, limitsOriginRequests, limitsOriginRequestsBusy} {
		if called(r.String(), name) {
			found = append(found, r.String())
		}
	}
	return append(found, blocking(p.rules.Counts(), name)...)
}

// blocking are the rules of a name that refuse.
func blocking(all []rules.Count, name string) (found []string) {
	for _, c := range all {
		if c.Action == spec.RuleBlock && called(c.Rule, name) {
			found = append(found, c.Rule)
		}
	}
	return found
}

func called(rule, name string) bool {
	return name == "" || rule == name || strings.HasSuffix(rule, "/"+name)
}
