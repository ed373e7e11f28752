package verdict

import (
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/verdict/exceptions"
	"github.com/seawall/seawall/internal/verdict/lists"
	"github.com/seawall/seawall/internal/verdict/rules"
)

// guard is the node's own rules in force. It is immutable.
type guard struct {
	spec  spec.NodeRules
	rules *rules.Ruleset
	grace exceptions.Grace
}

// guard puts the node's own rules in force, which may name its lists. If one does not compile, they stay as they were.
func (r *Room) guard(s *spec.NodeRules) error {
	if len(s.Firewall)+len(s.RateLimit) == 0 {
		r.own.Store(nil)
		return nil
	}
	known, err := lists.Compile(&spec.Lists{}, &r.lists)
	if err != nil {
		return err
	}
	set, err := r.rules.CompileNode(s, nameable{known})
	if err != nil {
		return err
	}
	r.own.Store(&guard{*s, set, exceptions.Grace{Room: r.Exceptions, Zone: spec.AllZones}})
	return nil
}

// NodeRules are the node's own rules in force: the last that could be used.
func (r *Room) NodeRules() spec.NodeRules {
	if g := r.own.Load(); g != nil {
		return g.spec
	}
	return spec.NodeRules{}
}

// Rules returns how often each of the node's own rules has held.
func (r *Room) Rules() []rules.Count {
	if g := r.own.Load(); g != nil {
		return g.rules.Counts()
	}
	return nil
}

// Undoable is as that of a [Policy], for the node's own rules.
func (r *Room) Undoable(name string) []string { return blocking(r.Rules(), name) }
