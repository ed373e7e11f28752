package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"

	"github.com/seawall/seawall/internal/replay"
	"github.com/seawall/seawall/rules"
)

type ruleCommands struct {
	Test ruleTest `cmd:"" help:"Say what each part of an expression is for a request: exit 0 if it holds, 1 if not, 2 if something is wrong."`
}

// ruleTest is the command line of a trial of an expression.
type ruleTest struct {
	Expression string     `arg:"" help:"A filter expression, such as 'http.request.uri.path eq \"/\"'."`
	Request    string     `help:"A file with the request: its line, its header and an empty line, or one line of the access log; - for standard input." default:"-" placeholder:"FILE"`
	Client     netip.Addr `help:"The client's address. Default: the log's, or 127.0.0.1." placeholder:"ADDR"`
	Scheme     string     `help:"http or https. Default: the log's, or https." enum:",http,https" default:""`
	Config     string     `help:"A configuration, or a part of one, whose lists, geo and crawlers the expression may ask for." placeholder:"FILE"`
	Zone       string     `help:"The zone of a configuration with several." placeholder:"NAME"`
}

// maxRequest bounds what is read as a request, in bytes.
const maxRequest = 1 << 20

// errNotHeld tells that the expression does not hold; all is said.
var errNotHeld = errors.New("it does not hold")

// Run prints the explanation.
func (c *ruleTest) Run(o output) error {
	if strings.TrimSpace(c.Expression) == "" {
		return usageError{errors.New("the expression is empty")}
	}
	of := replay.None()
	if c.Config != "" {
		var err error
		if of, err = replay.Load(c.Config, c.Zone); err != nil {
			return usageError{err}
		}
	}
	text, err := readRequest(c.Request)
	if err != nil {
		return usageError{err}
	}
	trial := replay.Trial{Request: text, Client: c.Client, Asked: replay.Asked{Scheme: c.Scheme}}
	explanation, err := replay.Try(of, c.Expression, &trial)
	if err != nil {
		return usageError{marked(c.Expression, err)}
	}
	fmt.Fprint(o.out, explanation)
	if !explanation.Holds {
		return errNotHeld
	}
	return nil
}

func readRequest(name string) (string, error) {
	file := os.Stdin
	if name != "-" {
		var err error
		if file, err = os.Open(name); err != nil {
			return "", err
		}
		defer file.Close()
	}
	text, err := io.ReadAll(io.LimitReader(file, maxRequest+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("reading the request: %w", err)
	case len(text) > maxRequest:
		return "", fmt.Errorf("%s has more than %d bytes", name, maxRequest)
	}
	return string(text), nil
}

// marked shows the place of a mistake below the line of the expression that it is in.
func marked(expression string, err error) error {
	wrong, ok := errors.AsType[*rules.Error](err)
	if !ok {
		return err
	}
	line := strings.Split(expression, "\n")[wrong.Line-1]
	before := []rune(line)[:wrong.Column-1]
	for i, r := range before {
		if r != '\t' {
			before[i] = ' '
		}
	}
	return fmt.Errorf("%w\n  %s\n  %s^", err, line, string(before))
}
