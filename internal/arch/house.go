// Package arch holds the rules of the house, and the test that holds the house to them: which package stands on which
// floor, behind which door a heavy module stays, what a package comment says, where state may live, how long a function
// may be.
//
// It reads source, not compiled packages: every file counts, whatever its build constraints, and a package that does not
// compile today is judged as far as it can be read. It is bounded by the size of the tree, and fails by listing
// [Problem]s, each at its place. Nothing imports it.
package arch

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// A House is the source of a module, parsed.
type House struct {
	Module   string // its path, as in go.mod
	Packages []*Package
	fset     *token.FileSet
}

// A Package is the Go files of one folder, its tests included.
type Package struct {
	Dir   string // relative to the module's root, with slashes; "." is the root itself
	Files []*File
	Info  *types.Info // what names mean, as far as the folder's own files tell; other packages are opaque
}

// A File is one Go file.
type File struct {
	*ast.File
	Path      string // relative to the module's root
	Lines     int
	Test      bool // its name ends in _test.go
	Generated bool // it says "Code generated … DO NOT EDIT."
}

// A Problem is one breach of one rule.
type Problem struct {
	Where string // file:line, or a folder
	What  string
}

func (p Problem) String() string { return p.Where + ": " + p.What }

// A Rule finds the places where a house breaks it.
type Rule struct {
	Name  string
	Check func(*House) []Problem
}

// Rules returns the rules of the house.
func Rules() []Rule {
	return []Rule{
		{"floors", floorProblems},
		{"doors", doorProblems},
		{"connections", connProblems},
		{"names", nameProblems},
		{"comments", commentProblems},
		{"state", stateProblems},
		{"fuzz", fuzzProblems},
		{"length", lengthProblems},
	}
}

// Load reads the module at the root of fsys. Folders that the go command passes over (testdata, vendor, .x, _x, nested
// modules) are passed over, and so are files with the build constraint "ignore". It fails on a file that cannot be read,
// not on one that cannot be parsed to its end.
func Load(fsys fs.FS) (*House, error) {
	mod, err := fs.ReadFile(fsys, "go.mod")
	if err != nil {
		return nil, fmt.Errorf("load the house: %w", err)
	}
	h := &House{Module: modulePath(mod), fset: token.NewFileSet()}
	if h.Module == "" {
		return nil, fmt.Errorf("load the house: go.mod names no module")
	}
	err = fs.WalkDir(fsys, ".", func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if dir != "." && (passedOver(d.Name()) || exists(fsys, path.Join(dir, "go.mod"))) {
			return fs.SkipDir
		}
		p, err := h.loadPackage(fsys, dir)
		if err == nil && len(p.Files) > 0 {
			h.Packages = append(h.Packages, p)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load the house: %w", err)
	}
	return h, nil
}

var moduleLine = regexp.MustCompile(`(?m)^module\s+"?([^\s"]+)`)

func modulePath(gomod []byte) string {
	if m := moduleLine.FindSubmatch(gomod); m != nil {
		return string(m[1])
	}
	return ""
}

func passedOver(name string) bool {
	return name == "testdata" || name == "vendor" || name == "node_modules" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

func exists(fsys fs.FS, name string) bool {
	_, err := fs.Stat(fsys, name)
	return err == nil
}

func (h *House) loadPackage(fsys fs.FS, dir string) (*Package, error) {
	names, err := fs.Glob(fsys, path.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	p := &Package{Dir: dir}
	for _, name := range names {
		if passedOver(path.Base(name)) {
			continue
		}
		src, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		f, _ := parser.ParseFile(h.fset, name, src, parser.ParseComments|parser.SkipObjectResolution) // the compiler complains better
		if f == nil || f.Name == nil || ignored(f) {
			continue
		}
		p.Files = append(p.Files, &File{
			File:      f,
			Path:      name,
			Lines:     bytes.Count(src, []byte("\n")),
			Test:      isTest(name),
			Generated: ast.IsGenerated(f),
		})
	}
	p.Info = h.resolve(p)
	return p, nil
}

func isTest(file string) bool { return strings.HasSuffix(file, "_test.go") }

// ignored reports whether f is a program that only `go run file.go` sees.
func ignored(f *ast.File) bool {
	for _, group := range f.Comments {
		for _, c := range group.List {
			if c.Pos() < f.Package && c.Text == "//go:build ignore" {
				return true
			}
		}
	}
	return false
}

// resolve finds out what each name in p means. It asks the type checker, and ignores its complaints: all that is imported
// is opaque to it, so most expressions have no type.
func (h *House) resolve(p *Package) *types.Info {
	info := &types.Info{Defs: make(map[*ast.Ident]types.Object), Uses: make(map[*ast.Ident]types.Object)}
	byName := make(map[string][]*ast.File) // a folder may also hold package x_test
	for _, f := range p.Files {
		byName[f.Name.Name] = append(byName[f.Name.Name], f.File)
	}
	conf := types.Config{Importer: opaque{}, Error: func(error) {}}
	for name, files := range byName {
		_, _ = conf.Check(path.Join(h.Module, p.Dir)+" "+name, h.fset, files, info)
	}
	return info
}

// opaque imports every package as an empty one.
type opaque struct{}

var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

// Import never fails.
func (opaque) Import(importPath string) (*types.Package, error) {
	name := path.Base(importPath)
	if majorVersion.MatchString(name) {
		name = path.Base(path.Dir(importPath))
	}
	p := types.NewPackage(importPath, name)
	p.MarkComplete()
	return p, nil
}

// packageOf returns the path of the package that x names in a selector like net.Conn, and "" if x is no package.
func (p *Package) packageOf(x ast.Expr) string {
	if id, ok := x.(*ast.Ident); ok {
		if name, ok := p.Info.Uses[id].(*types.PkgName); ok {
			return name.Imported().Path()
		}
	}
	return ""
}

// where is the place of pos, as file:line.
func (h *House) where(pos token.Pos) string {
	at := h.fset.Position(pos)
	return fmt.Sprintf("%s:%d", at.Filename, at.Line)
}

// problem reports a breach at pos.
func (h *House) problem(pos token.Pos, format string, args ...any) Problem {
	return Problem{h.where(pos), fmt.Sprintf(format, args...)}
}

// local returns the folder of an imported package of the house.
func (h *House) local(importPath string) (dir string, ok bool) {
	if importPath == h.Module {
		return ".", true
	}
	return strings.CutPrefix(importPath, h.Module+"/")
}

// under reports whether folder dir is root or lies in it.
func under(dir, root string) bool { return dir == root || strings.HasPrefix(dir, root+"/") }

func underAny(dir string, roots []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool { return under(dir, root) })
}
