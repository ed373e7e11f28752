package main

import (
	"cmp"
	"embed"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// templates are what is the same in every version: of the manual pages and of the shells' completions.
//
//go:embed templates
var templates embed.FS

// usage is a command as manual pages and shells know it; what is hidden from the help is hidden from them.
type usage struct {
	Command   string // as it is typed, such as "seawall origin lock"
	Name      string // its last word
	Help      string
	Detail    string
	Arguments []argument
	Groups    []flagGroup // those without a title come first
	Children  []*usage
}

// argument is a value that has no name on the command line.
type argument struct {
	*kong.Positional
	values
}

// flagGroup is flags under one title.
type flagGroup struct {
	Title string
	Flags []flag
}

// flag has the values that it takes, if it takes one.
type flag struct {
	*kong.Flag
	values
}

// ValueName stands for the value that the flag takes, and is empty if it takes none.
func (f flag) ValueName() string {
	if f.IsBool() || f.IsCounter() {
		return ""
	}
	return cmp.Or(f.PlaceHolder, strings.ToUpper(f.Name))
}

// values are what can be said of a value before it is given: that it is one of Words, a file or a folder. Of many it is nothing.
type values struct {
	Words          []string
	Files, Folders bool
}

// usageOf describes a command and all below it.
func usageOf(n *kong.Node) *usage {
	u := &usage{Command: n.Name, Name: n.Name, Help: n.Help, Detail: n.Detail}
	for p := n.Parent; p != nil; p = p.Parent {
		u.Command = p.Name + " " + u.Command
	}
	for _, p := range n.Positional {
		u.Arguments = append(u.Arguments, argument{p, valuesOf(p, p.Name)})
	}
	u.Groups = []flagGroup{{}}
	for _, f := range slices.Concat(n.AllFlags(true)...) {
		title := ""
		if f.Group != nil {
			title = f.Group.Title
		}
		at := slices.IndexFunc(u.Groups, func(g flagGroup) bool { return g.Title == title })
		if at < 0 {
			at = len(u.Groups)
			u.Groups = append(u.Groups, flagGroup{Title: title})
		}
		u.Groups[at].Flags = append(u.Groups[at].Flags, flag{f, valuesOf(f.Value, f.PlaceHolder)})
	}
	for _, child := range n.Children {
		if !child.Hidden {
			u.Children = append(u.Children, usageOf(child))
		}
	}
	return u
}

// valuesOf goes by the kong tags of a value: its enum, its type and, as a path may be text that begins with a sign, its placeholder.
func valuesOf(v *kong.Value, placeholder string) values {
	switch {
	case v.Enum != "":
		return values{Words: slices.DeleteFunc(v.EnumSlice(), func(word string) bool { return word == "" })}
	case v.Tag.Type == "existingdir", placeholder == "DIR":
		return values{Folders: true}
	case v.Tag.Type == "path", v.Tag.Type == "existingfile", placeholder == "FILE":
		return values{Files: true}
	}
	return values{}
}

// All are the command and all below it, those above first.
func (u *usage) All() []*usage {
	all := []*usage{u}
	for _, child := range u.Children {
		all = append(all, child.All()...)
	}
	return all
}

// Flags are those of all groups.
func (u *usage) Flags() (all []flag) {
	for _, g := range u.Groups {
		all = append(all, g.Flags...)
	}
	return all
}
