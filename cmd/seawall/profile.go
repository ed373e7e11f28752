package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/seawall/seawall/internal/spec/config"
	"github.com/seawall/seawall/internal/spec/config/profiles"
)

type profileCommands struct {
	List profileList `cmd:"" help:"List the profiles."`
	Show profileShow `cmd:"" help:"Print a profile, to be read or copied."`
	Diff profileDiff `cmd:"" help:"Compare a profile's rules with those of a file, such as an edited copy."`
}

type profileList struct{}

// Run prints a line for each.
func (profileList) Run(o output) error {
	table := tabwriter.NewWriter(o.out, 0, 8, 2, ' ', 0)
	for _, name := range profiles.Names() {
		text, err := profiles.Text(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%s\t%s\n", name, profiles.About(text))
	}
	return table.Flush()
}

type profileShow struct {
	Name string `arg:"" help:"The profile's name."`
}

// Run prints its text.
func (c *profileShow) Run(o output) error {
	text, err := profiles.Text(c.Name)
	if err != nil {
		return usageError{err}
	}
	_, err = io.WriteString(o.out, text)
	return err
}

type profileDiff struct {
	Name string `arg:"" help:"The profile's name."`
	File string `arg:"" help:"A file with rules: a copy of the profile, a zone's file or a part of one." type:"path"`
}

// Run prints a line for each difference, and nothing if there is none.
func (c *profileDiff) Run(o output) error {
	changes, err := config.DiffProfile(c.Name, c.File)
	if err != nil {
		return err
	}
	for _, change := range changes {
		fmt.Fprintln(o.out, change)
	}
	return nil
}
