package exceptions

import "github.com/seawall/seawall/internal/flow"

// Grace is what of the refusals in one zone is only noted: all in a dry run, else those that are undone.
type Grace struct {
	Room *Room
	Zone string
	Dry  bool
}

// Spares is asked by a rule that is about to refuse a request. It reports whether that is not to be, and then notes it in the flow.
func (g *Grace) Spares(f *flow.Flow, rule string) bool {
	undone := !g.Dry && g.Room.undone(g.Zone, rule, f.Request.Client)
	if undone || g.Dry {
		f.Verdict.Dry = append(f.Verdict.Dry, rule)
		f.Verdict.Undone = f.Verdict.Undone || undone
	}
	return undone || g.Dry
}
