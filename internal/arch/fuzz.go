package arch

import (
	"go/ast"
	"regexp"
	"slices"
)

// parsers are the packages that read what a stranger or an operator wrote, besides those whose exported functions say so.
var parsers = []string{
	"h1", "h2", "rules", "httpcache", "ja4", "hfp", "puzzle", "prefixes", "reqid", "internal/spec", "internal/conn", "internal/request",
}

// parses matches the names of exported parsers.
var parses = regexp.MustCompile(`^(Parse|Decode|Unmarshal)([A-Z0-9]|$)`)

// fuzzProblems: every parser has a fuzz target in its folder.
func fuzzProblems(h *House) []Problem {
	var problems []Problem
	for _, p := range h.Packages {
		parser, fuzzed := slices.Contains(parsers, p.Dir), false
		for _, f := range p.Files {
			for _, decl := range f.Decls {
				fn, ok := decl.(*ast.FuncDecl)
				switch {
				case !ok:
				case f.Test:
					fuzzed = fuzzed || isFuzzTarget(p, fn)
				case parses.MatchString(fn.Name.Name) && !f.Generated:
					parser = true
				}
			}
		}
		if parser && !fuzzed {
			problems = append(problems, Problem{p.Dir, "has a parser and no fuzz target"})
		}
	}
	return problems
}

// isFuzzTarget recognises func FuzzX(f *testing.F).
func isFuzzTarget(p *Package, fn *ast.FuncDecl) bool {
	if fn.Recv != nil || len(fn.Type.Params.List) != 1 || len(fn.Name.Name) < 4 || fn.Name.Name[:4] != "Fuzz" {
		return false
	}
	star, ok := fn.Type.Params.List[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	sel, ok := star.X.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "F" && p.packageOf(sel.X) == "testing"
}
