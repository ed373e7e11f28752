package arch

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// badNames say nothing of what is inside.
var badNames = []string{"util", "utils", "common", "core", "types", "lib", "helpers", "helper", "base", "misc"}

// nameProblems: a package is called after what it is.
func nameProblems(h *House) []Problem {
	var problems []Problem
	for _, p := range h.Packages {
		name := strings.TrimSuffix(p.Files[0].Name.Name, "_test")
		for _, bad := range slices.Compact([]string{path.Base(p.Dir), name}) {
			if slices.Contains(badNames, bad) {
				problems = append(problems, Problem{p.Dir, fmt.Sprintf("%q says nothing of what is inside", bad)})
			}
		}
	}
	return problems
}

// minComment is the length of the shortest package comment that says something, in bytes.
const minComment = 80

// roomComment is what a room's package comment has to say (design, rule 6 of the house).
var roomComment = []struct {
	what string
	said *regexp.Regexp
}{
	{"what it learns", regexp.MustCompile(`(?i)\blearns?\b`)},
	{"what it writes", regexp.MustCompile(`(?i)\bwrites?\b`)},
	{"what bounds it", regexp.MustCompile(`(?i)\bbound(s|ed)?\b`)},
	{"how it fails", regexp.MustCompile(`(?i)\bfails?\b`)},
}

// commentProblems: every package says what it is, and every room what it learns, what it writes, what bounds it and how it
// fails. It is words that are looked for; whether the sentence is true, a reader has to see.
func commentProblems(h *House) []Problem {
	var problems []Problem
	for _, p := range h.Packages {
		comment := packageComment(p)
		if len(comment) < minComment {
			problems = append(problems, Problem{p.Dir, fmt.Sprintf("package comment of %d bytes: want %d at least", len(comment), minComment)})
		}
		if !isRoom(p.Dir) {
			continue
		}
		for _, must := range roomComment {
			if !must.said.MatchString(comment) {
				problems = append(problems, Problem{p.Dir, fmt.Sprintf("package comment doesn't say %s: want %s", must.what, must.said)})
			}
		}
	}
	return problems
}

// packageComment joins what stands over the package clauses on one line. Test files speak only for a folder that has
// nothing else.
func packageComment(p *Package) string {
	onlyTests := !slices.ContainsFunc(p.Files, func(f *File) bool { return !f.Test })
	var words []string
	for _, f := range p.Files {
		if f.Doc != nil && (!f.Test || onlyTests) {
			words = append(words, strings.Fields(f.Doc.Text())...)
		}
	}
	return strings.Join(words, " ")
}
