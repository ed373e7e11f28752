package arch

import (
	"fmt"
	"go/ast"
	"slices"
)

// The lengths that the best houses keep, in lines (design, rule 8 of the house).
const (
	functionP90 = 40
	functionMax = 100
	fileP90     = 400
	fileMax     = 800
)

// lengths of what people wrote by hand and tests do not need, sorted.
func (h *House) lengths() (functions, files []int) {
	for _, p := range h.Packages {
		for _, f := range p.Files {
			if f.Test || f.Generated {
				continue
			}
			files = append(files, f.Lines)
			for _, decl := range f.Decls {
				if fn, ok := decl.(*ast.FuncDecl); ok {
					functions = append(functions, h.lines(fn))
				}
			}
		}
	}
	slices.Sort(functions)
	slices.Sort(files)
	return functions, files
}

// lines of a function, without its comment.
func (h *House) lines(fn *ast.FuncDecl) int {
	return h.fset.Position(fn.End()).Line - h.fset.Position(fn.Pos()).Line + 1
}

// p90 is the smallest length that at least nine in ten do not exceed, 0 of none.
func p90(sorted []int) int {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*9+9)/10-1]
}

// lengthProblems: no monsters, and few that are long.
func lengthProblems(h *House) []Problem {
	var problems []Problem
	functions, files := h.lengths()
	for _, s := range []struct {
		what        string
		lengths     []int
		percentile9 int
	}{{"functions", functions, functionP90}, {"files", files, fileP90}} {
		if got := p90(s.lengths); got > s.percentile9 {
			problems = append(problems, Problem{".", fmt.Sprintf("90th percentile of %s is %d lines: want %d at most", s.what, got, s.percentile9)})
		}
	}
	for _, p := range h.Packages {
		for _, f := range p.Files {
			if f.Test || f.Generated {
				continue
			}
			if f.Lines > fileMax {
				problems = append(problems, Problem{f.Path, fmt.Sprintf("%d lines: want %d at most", f.Lines, fileMax)})
			}
			for _, decl := range f.Decls {
				if fn, ok := decl.(*ast.FuncDecl); ok && h.lines(fn) > functionMax {
					problems = append(problems, h.problem(fn.Pos(), "%s has %d lines: want %d at most", fn.Name.Name, h.lines(fn), functionMax))
				}
			}
		}
	}
	return problems
}
