package main

import (
	"errors"
	"fmt"

	"github.com/seawall/seawall/internal/node"
	"github.com/seawall/seawall/internal/spec/config"
)

// check is the command line of a look at a configuration.
type check struct {
	Config string `help:"The configuration (${default})." default:"${config}" placeholder:"FILE" type:"path"`
}

// Run says all that is wrong with the file, or that nothing is.
func (c *check) Run(o output) error {
	file, problems := node.Check(c.Config)
	for _, p := range problems {
		fmt.Fprintln(o.err, p)
	}
	switch {
	case file == nil:
		return errors.New("nothing of the configuration can be used")
	case len(problems) > 0:
		return fmt.Errorf("%s: problems: %d", c.Config, len(problems))
	}
	fmt.Fprintf(o.out, "%s: good; zones: %d\n", c.Config, len(file.Zones))
	return nil
}

// diff is the command line of a look at what a reload would change.
type diff struct {
	Config string `help:"The configuration (${default})." default:"${config}" placeholder:"FILE" type:"path"`
	Data   string `help:"Where the node keeps what is in force, if the configuration does not say it (${default})." default:"${data}" placeholder:"DIR" type:"path"`
}

// Run prints a line for each change, and nothing if there is none.
func (d *diff) Run(o output) error {
	changes, problems, err := node.Diff(d.Config, d.Data)
	for _, p := range problems {
		fmt.Fprintln(o.err, "stays as it is:", p)
	}
	if err != nil {
		return err
	}
	for _, c := range changes {
		fmt.Fprintln(o.out, c)
	}
	return nil
}

// schema prints the schema of the configuration.
type schema struct{}

// Run prints it.
func (schema) Run(o output) error {
	_, err := o.out.Write(config.Schema())
	return err
}
