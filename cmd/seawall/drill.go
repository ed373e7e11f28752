package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"github.com/seawall/seawall/internal/drill"
	"github.com/seawall/seawall/internal/drill/scenario"
	"github.com/seawall/seawall/internal/drill/score"
	"github.com/seawall/seawall/internal/drill/wire"
)

type drillCommands struct {
	Play drillPlay `cmd:"" default:"withargs" help:"Play scenarios, against a Seawall that the drill starts or against --target."`
	List drillList `cmd:"" help:"List the built-in scenarios."`
	Show drillShow `cmd:"" help:"Print a scenario's file, to be read or copied."`
}

type drillList struct{}

// Run prints a line for each.
func (drillList) Run(o output) error {
	table := tabwriter.NewWriter(o.out, 0, 8, 2, ' ', 0)
	for _, s := range scenario.List() {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", s.Name, s.Group, s.Length, s.Title)
	}
	return table.Flush()
}

type drillShow struct {
	Name string `arg:"" help:"The scenario's name."`
}

// Run prints its text.
func (c *drillShow) Run(o output) error {
	text, err := scenario.Text(c.Name)
	if err != nil {
		return usageError{err}
	}
	_, err = io.WriteString(o.out, text)
	return err
}

// drillPlay is the command line of a drill.
type drillPlay struct {
	Scenarios []string `arg:"" optional:"" help:"Names of built-in scenarios, or files. Default: all that are built in."`

	Target    string `help:"What is attacked: http://127.0.0.1:PORT or https://127.0.0.1:PORT, of this machine only. Default: a Seawall that is started for each scenario." placeholder:"URL" group:"Target"`
	Name      string `help:"What the target is called in tables." placeholder:"NAME" group:"Target"`
	Host      string `help:"The target's name for the drill's site, in requests and hellos." default:"harbour.test" placeholder:"NAME" group:"Target"`
	Origin    string `help:"Where the drill's site listens, so that the target can have it as its origin." default:"127.0.0.1:0" placeholder:"ADDR" group:"Target"`
	Neighbour string `name:"neighbour-origin" help:"Where the site of neighbour.test listens, another zone of the target." default:"127.0.0.1:0" placeholder:"ADDR" group:"Target"`
	Bare      bool   `help:"Attack the drill's site itself, with nothing in front of it." group:"Target"`
	Profile   string `help:"A profile of rules for the Seawall that is started, such as website." placeholder:"NAME" group:"Target"`

	Seed   uint64 `help:"Draw everything from this seed. Default: the scenario's own." placeholder:"N"`
	Repeat int    `help:"Play each scenario so often, and say which shares differ by more than 2 points." default:"1" placeholder:"N"`
	JSON   string `name:"json" help:"Write the report as JSON to this file; - for standard output, in place of the table." placeholder:"FILE" type:"path"`
	SVG    string `name:"svg" help:"Draw a picture of each scenario into this folder." placeholder:"DIR" type:"path"`
}

// Run plays the scenarios one after another.
func (c *drillPlay) Run(ctx context.Context, o output) error {
	scenarios, err := c.load()
	if err != nil {
		return err
	}
	var on cores
	if c.Target == "" && !c.Bare {
		if on, err = splitCores(); err == nil {
			err = on.keepTo()
		}
		if err != nil {
			return err
		}
	}
	reports := make([]score.Report, c.Repeat)
	for i := range reports {
		results, err := c.round(ctx, o, on, scenarios)
		if err != nil {
			return err
		}
		reports[i] = score.NewReport(c.name(), c.Seed, results)
	}
	for _, again := range reports[1:] {
		for _, difference := range score.Differences(reports[0], again) {
			fmt.Fprintln(o.err, difference)
		}
	}
	return c.write(o, reports[0])
}

// load finds the scenarios, and checks what else was asked for.
func (c *drillPlay) load() ([]*scenario.Scenario, error) {
	switch {
	case c.Repeat < 1 || c.Repeat > 100:
		return nil, usageError{fmt.Errorf("--repeat: %d: want 1 to 100", c.Repeat)}
	case c.Target != "" && (c.Bare || c.Profile != ""):
		return nil, usageError{errors.New("--target: can't be together with --bare or --profile, which are about what the drill starts")}
	case c.Profile != "" && c.Bare:
		return nil, usageError{errors.New("--profile: is for the Seawall that the drill starts, which --bare leaves out")}
	}
	out, err := c.read()
	if err != nil {
		return nil, usageError{err}
	}
	for _, s := range out {
		switch ours := len(s.Site.Pages) == 0; {
		case !ours && c.Target == "":
			return nil, usageError{fmt.Errorf("%s: site.pages: are a real site's: give its --target", s.Name)}
		case ours && c.Target != "" && strings.HasSuffix(c.Origin, ":0"):
			return nil, usageError{errors.New("--origin: where is the target's origin to listen? Give the address that the target is configured with, such as 127.0.0.1:9001")}
		}
		if c.Seed != 0 {
			s.Seed = c.Seed
		}
	}
	return out, nil
}

// read reads the scenarios that were asked for.
func (c *drillPlay) read() ([]*scenario.Scenario, error) {
	if len(c.Scenarios) == 0 {
		return scenario.List(), nil
	}
	var out []*scenario.Scenario
	for _, name := range c.Scenarios {
		read := scenario.Builtin
		if strings.ContainsAny(name, "./") {
			read = scenario.Load
		}
		s, err := read(name)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func (c *drillPlay) name() string {
	switch {
	case c.Name != "":
		return c.Name
	case c.Target != "":
		return c.Target
	case c.Bare:
		return "bare"
	case c.Profile != "":
		return "Seawall, " + c.Profile
	}
	return "Seawall"
}

// round plays each scenario once.
func (c *drillPlay) round(ctx context.Context, o output, on cores, scenarios []*scenario.Scenario) ([]score.Result, error) {
	var results []score.Result
	bar := newDrillBar(o.err, len(scenarios))
	defer bar.clear()
	for i, s := range scenarios {
		bar.begin(i, s.Name)
		r, err := c.play(ctx, s, on, bar.show)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		results = append(results, r)
	}
	return results, nil
}

// play plays a scenario against what was asked for.
func (c *drillPlay) play(ctx context.Context, s *scenario.Scenario, on cores, watch func(drill.Frame)) (score.Result, error) {
	stage, err := drill.Build(s, drill.Listen{Site: c.Origin, Neighbour: c.Neighbour})
	if err != nil {
		return score.Result{}, err
	}
	defer stage.Close()
	url := c.Target
	if url == "" {
		url, _ = stage.Origins()
	}
	if c.Target == "" && !c.Bare {
		n, err := startChild(ctx, on, stage, s.Site.Workers, c.Profile)
		if err != nil {
			return score.Result{}, err
		}
		defer n.end()
		url = n.url
	}
	target, err := wire.Resolve(ctx, url, c.Host)
	if err != nil {
		return score.Result{}, usageError{err}
	}
	return stage.Play(ctx, c.name(), target, watch)
}

// write writes the report as it was asked for.
func (c *drillPlay) write(o output, r score.Report) error {
	if err := c.draw(r); err != nil {
		return err
	}
	switch c.JSON {
	case "-":
		return r.WriteJSON(o.out)
	case "":
	default:
		if err := writeFile(c.JSON, r.WriteJSON); err != nil {
			return err
		}
	}
	if len(r.Results) == 1 {
		return r.Results[0].WriteTable(o.out)
	}
	return r.WriteTable(o.out)
}

// draw draws a picture of each scenario, and of several one of all.
func (c *drillPlay) draw(r score.Report) error {
	if c.SVG == "" {
		return nil
	}
	for i := range r.Results {
		if err := writeFile(filepath.Join(c.SVG, r.Results[i].Scenario+".svg"), r.Results[i].WriteSVG); err != nil {
			return err
		}
	}
	if len(r.Results) > 1 {
		return writeFile(filepath.Join(c.SVG, "drill.svg"), r.WriteSVG)
	}
	return nil
}

// writeFile makes a file, and the folder it is in.
func writeFile(path string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// drillBar shows how far a drill is: a line drawn over and over on a terminal, one for each scenario elsewhere.
type drillBar struct {
	to       io.Writer
	live     bool
	number   int
	of       int
	scenario string
}

func newDrillBar(to io.Writer, of int) *drillBar {
	b := &drillBar{to: to, of: of}
	if f, ok := to.(*os.File); ok {
		b.live = term.IsTerminal(int(f.Fd()))
	}
	return b
}

func (b *drillBar) begin(i int, name string) {
	b.number, b.scenario = i+1, name
	if !b.live {
		fmt.Fprintf(b.to, "%d of %d: %s\n", b.number, b.of, name)
	}
}

// show draws f.
func (b *drillBar) show(f drill.Frame) {
	if !b.live {
		return
	}
	full := int(min(1, float64(f.Elapsed)/float64(max(1, f.Planned))) * barWidth)
	fmt.Fprintf(b.to, "\r[%s%s] %d of %d  %s  %s  visitors served %.1f %%  attack %d  origin %d at once\x1b[K",
		strings.Repeat("#", full), strings.Repeat(".", barWidth-full), b.number, b.of, b.scenario,
		f.Elapsed.Truncate(time.Second), 100*f.During.Share(), f.Offered, f.Origin.Concurrent)
}

func (b *drillBar) clear() {
	if b.live {
		fmt.Fprint(b.to, "\r\x1b[K")
	}
}
