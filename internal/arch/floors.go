package arch

import "strconv"

// A floor is packages that may import those of lower floors, and none of their own. A package owns its subfolders.
type floor struct {
	name     string
	packages []string
}

// floors, lowest first.
var floors = []floor{
	{"garden", []string{
		"h1", "h2", "rules", "httpcache", "limit", "sketch", "ja4", "hfp", "puzzle", "prefixes", "contrast", "reqid",
		"loop", "workers", "crawl",
	}},
	{"spec", []string{"internal/spec"}},
	{"flow", []string{"internal/flow"}},
	{"rooms", []string{
		"internal/packet", "internal/conn", "internal/hello", "internal/request", "internal/verdict", "internal/cache",
		"internal/admission", "internal/origin", "internal/response", "internal/record", "internal/detect", "internal/bus",
	}},
	{"zone", []string{"internal/zone"}},
	{"snapshot", []string{"internal/snapshot"}},
	{"roles", []string{
		"internal/edge", "internal/control", "internal/dns", "internal/tunnel", "internal/insight", "internal/dash",
		"internal/desk", "internal/drill", "internal/replay",
	}},
	{"node", []string{"internal/node"}},
	{"cmd", []string{"cmd/seawall"}},
	{"stage", []string{"test/server"}},         // what plays and benchmarks start
	{"outside", []string{"test", "packaging"}}, // plays, benchmarks and the package
}

// Folders that are on no floor: they are for tests, and import nothing of the house.
const (
	simDir   = "internal/sim"
	floodDir = "test/flood"
	archDir  = "internal/arch"
	testDir  = "test"
)

// A place is where a package stands.
type place struct {
	level int    // index in floors, -1 for what only tests use
	owner string // the package it is, or whose subfolder it is
}

// locate finds the place of a folder. A new package has to be given one before it can be used.
func locate(dir string) (place, bool) {
	for _, owner := range []string{simDir, floodDir, archDir} {
		if under(dir, owner) {
			return place{-1, owner}, true
		}
	}
	for level, f := range floors {
		for _, owner := range f.packages {
			if under(dir, owner) {
				return place{level, owner}, true
			}
		}
	}
	return place{}, false
}

// isRoom reports whether dir is a room itself, not a subfolder of one.
func isRoom(dir string) bool {
	p, ok := locate(dir)
	return ok && p.level >= 0 && floors[p.level].name == "rooms" && p.owner == dir
}

// floorProblems: a package imports only from lower floors, or from its own subfolders and the folders it is in. (That a
// subfolder may import its parent only if the parent does not import it, the compiler sees to.) Tests obey too, but may
// also import sim and flood, and the package they test.
func floorProblems(h *House) []Problem {
	var problems []Problem
	for _, p := range h.Packages {
		from, ok := locate(p.Dir)
		if !ok {
			problems = append(problems, Problem{p.Dir, "is on no floor: give it a place in internal/arch/floors.go"})
			continue
		}
		for _, f := range p.Files {
			for _, spec := range f.Imports {
				target, _ := strconv.Unquote(spec.Path.Value)
				dir, ok := h.local(target)
				if !ok {
					continue
				}
				if why := barred(p.Dir, from, dir, f.Test); why != "" {
					problems = append(problems, h.problem(spec.Pos(), "%s imports %s: %s", p.Dir, dir, why))
				}
			}
		}
	}
	return problems
}

// barred says why a file in folder dir must not import folder target, and "" if it may.
func barred(dir string, from place, target string, test bool) string {
	to, ok := locate(target)
	switch {
	case !ok:
		return "which is on no floor"
	case test && dir == target:
		return ""
	case to.owner == simDir || to.owner == floodDir:
		if test || under(dir, testDir) {
			return ""
		}
		return "which is for tests only"
	case target == archDir:
		return "which nobody imports"
	case from.level < 0:
		return "but what is for tests only imports nothing of the house"
	case to.level < from.level:
		return ""
	case to.level > from.level:
		return "a higher floor (" + floors[to.level].name + ")"
	case from.owner != to.owner:
		return "a neighbour on its floor (" + floors[to.level].name + ")"
	case !under(dir, target) && !under(target, dir):
		return "a neighbour in " + from.owner
	}
	return ""
}
