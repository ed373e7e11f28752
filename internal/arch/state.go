package arch

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// stateProblems: no init functions, and no package-level state. A package-level variable may be a table, an error, a
// compiled expression, an embedded file, a sync.Pool: anything that has its value from its declaration and keeps it. So
// it must have one, must not be made of what exists to be changed (locks, atomics, channels, make, new), and nothing may
// assign to it or into it, nor hand its address to a function of another package, be it in a test. What tests declare is
// their own affair.
//
// It reads names, so it can't see a pointer that a function returned, or a method that changes its receiver.
func stateProblems(h *House) []Problem {
	var problems []Problem
	for _, p := range h.Packages {
		for _, f := range p.Files {
			if f.Generated {
				continue
			}
			for _, decl := range f.Decls {
				problems = append(problems, h.declProblems(p, f, decl)...)
			}
			problems = append(problems, h.writeProblems(p, f)...)
		}
	}
	return problems
}

func (h *House) declProblems(p *Package, f *File, decl ast.Decl) []Problem {
	var problems []Problem
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil && d.Name.Name == "init" {
			problems = append(problems, h.problem(d.Pos(), "init function: let the caller decide when"))
		}
	case *ast.GenDecl:
		if d.Tok != token.VAR || f.Test || embeds(d.Doc) {
			return nil
		}
		for _, s := range d.Specs {
			v := s.(*ast.ValueSpec)
			if why := h.stateIn(p, v); why != "" {
				problems = append(problems, h.problem(v.Pos(), "package-level variable %s %s", v.Names[0].Name, why))
			}
		}
	}
	return problems
}

func embeds(doc *ast.CommentGroup) bool {
	if doc == nil {
		return false
	}
	for _, c := range doc.List {
		if strings.HasPrefix(c.Text, "//go:embed ") {
			return true
		}
	}
	return false
}

// stateIn says why a declaration can only be state, and "" if it need not be.
func (h *House) stateIn(p *Package, v *ast.ValueSpec) (why string) {
	if v.Names[0].Name == "_" || embeds(v.Doc) || p.isPool(v) {
		return ""
	}
	if len(v.Values) == 0 {
		return "has no value"
	}
	look := func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false // what it makes is its own
		case *ast.ChanType:
			why = "is made of a channel"
		case *ast.CallExpr:
			if p.calls(n, "make") || p.calls(n, "new") {
				why = "is made to be filled: write a literal"
			}
		case *ast.SelectorExpr:
			from, name := p.packageOf(n.X), n.Sel.Name
			if from == "sync/atomic" || from == "sync" && !strings.HasPrefix(name, "OnceValue") {
				why = "is made of " + from + "." + name
			}
		}
		return true
	}
	if v.Type != nil {
		ast.Inspect(v.Type, look)
	}
	for _, value := range v.Values {
		ast.Inspect(value, look)
	}
	return why
}

// isPool recognises `var x sync.Pool` and `var x = sync.Pool{…}`, whose state no one can see.
func (p *Package) isPool(v *ast.ValueSpec) bool {
	typ := v.Type
	if len(v.Values) == 1 {
		if lit, ok := v.Values[0].(*ast.CompositeLit); ok {
			typ = lit.Type
		}
	}
	sel, ok := typ.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "Pool" && p.packageOf(sel.X) == "sync"
}

// writeProblems finds what changes a package-level variable, of this package or another.
func (h *House) writeProblems(p *Package, f *File) []Problem {
	var problems []Problem
	written := func(targets ...ast.Expr) {
		for _, e := range targets {
			if name := h.packageVar(p, e); name != "" {
				problems = append(problems, h.problem(e.Pos(), "changes the package-level variable %s", name))
			}
		}
	}
	ast.Inspect(f.File, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				written(n.Lhs...)
			}
		case *ast.IncDecStmt:
			written(n.X)
		case *ast.RangeStmt:
			if n.Tok == token.ASSIGN {
				written(n.Key, n.Value)
			}
		case *ast.CallExpr:
			if p.calls(n, "delete") || p.calls(n, "clear") || p.calls(n, "copy") {
				written(n.Args[0])
			}
			if sel, ok := n.Fun.(*ast.SelectorExpr); ok && p.packageOf(sel.X) != "" {
				written(addressed(n.Args)...)
			}
		}
		return true
	})
	return problems
}

// addressed returns x of each argument &x.
func addressed(args []ast.Expr) []ast.Expr {
	var exprs []ast.Expr
	for _, arg := range args {
		if u, ok := arg.(*ast.UnaryExpr); ok && u.Op == token.AND {
			exprs = append(exprs, u.X)
		}
	}
	return exprs
}

// calls reports whether n is a call of the named builtin.
func (p *Package) calls(n *ast.CallExpr, builtin string) bool {
	id, ok := n.Fun.(*ast.Ident)
	if !ok || id.Name != builtin || len(n.Args) == 0 {
		return false
	}
	_, ok = p.Info.Uses[id].(*types.Builtin)
	return ok
}

// packageVar names the package-level variable that e is, or is a part of, unless a test declared it.
func (h *House) packageVar(p *Package, e ast.Expr) string {
	for {
		switch x := e.(type) {
		case *ast.ParenExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.SelectorExpr:
			if from := p.packageOf(x.X); from != "" {
				return from + "." + x.Sel.Name
			}
			e = x.X
		case *ast.Ident:
			v, ok := p.Info.Uses[x].(*types.Var)
			if !ok || v.Pkg() == nil || v.Parent() != v.Pkg().Scope() || isTest(h.fset.Position(v.Pos()).Filename) {
				return ""
			}
			return x.Name
		default:
			return ""
		}
	}
}
