package main

import (
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/alecthomas/kong"
)

// completion is the command line of a script that teaches a shell the commands and flags.
type completion struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Run prints the script.
func (c *completion) Run(k *kong.Kong, o output) error {
	t, err := template.New(c.Shell+".tmpl").Funcs(template.FuncMap{
		"quote":    quote,
		"join":     strings.Join,
		"function": func(command string) string { return "_" + strings.NewReplacer(" ", "_", "-", "_").Replace(command) },
		"escape":   strings.NewReplacer(`\`, `\\`, ":", `\:`, "[", `\[`, "]", `\]`).Replace, // for zsh's _arguments
	}).ParseFS(templates, "templates/"+c.Shell+".tmpl")
	if err != nil {
		return fmt.Errorf("completion for %s: %w", c.Shell, err)
	}
	return t.Execute(o.out, usageOf(k.Model.Node))
}

// quote makes a text one word of any of the shells.
func quote(text string) string {
	// Within quotes only fish knows \', and what stands outside they all read alike.
	return "'" + strings.NewReplacer(`'`, `'\''`, `\`, `'\\'`).Replace(text) + "'"
}

// choice is flags of a command whose values are alike.
type choice struct {
	Flags []string // such as "--config"
	values
}

// Choices are the flags that take a value.
func (u *usage) Choices() (all []choice) {
	for _, f := range u.Flags() {
		if f.ValueName() == "" {
			continue
		}
		at := slices.IndexFunc(all, func(c choice) bool { return c.Action() == f.Action() })
		if at < 0 {
			at = len(all)
			all = append(all, choice{values: f.values})
		}
		all[at].Flags = append(all[at].Flags, "--"+f.Name)
		if f.Short != 0 {
			all[at].Flags = append(all[at].Flags, "-"+string(f.Short))
		}
	}
	return all
}

// Kind is what bash's compgen has to list for a value; nothing if it can't know.
func (v values) Kind() string {
	switch {
	case v.Files:
		return "-f"
	case v.Folders:
		return "-d"
	}
	return ""
}

// Action is what zsh's _arguments has to do for a value.
func (v values) Action() string {
	switch {
	case len(v.Words) > 0:
		return "(" + strings.Join(v.Words, " ") + ")"
	case v.Files:
		return "_files"
	case v.Folders:
		return "_files -/"
	}
	return " "
}
