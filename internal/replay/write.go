package replay

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"
)

// Write shows the report to a person.
func (p *Report) Write(w io.Writer) error {
	t := text{w: w}
	t.line("log        %s, %s%s", p.Format, plural(p.Lines, "line"), p.between())
	t.line("requests   %s", p.All.who(false))
	if p.OtherZones > 0 {
		t.line("           %s of other zones left out", plural(p.OtherZones, "line"))
	}
	if p.Broken > 0 {
		t.line("broken     %s", plural(p.Broken, "line"))
		for _, b := range p.BrokenLines {
			t.line("           line %d: %s", b.Line, b.Error)
		}
	}
	t.outcome("rules", &p.Rules)
	if p.Against != nil {
		t.outcome("against", p.Against)
	}
	if p.Diff != nil {
		t.line("")
		t.change("newly refused", &p.Diff.NewlyRefused)
		t.change("no longer refused", &p.Diff.NoLongerRefused)
	}
	return t.err
}

// between is the time that a log is about.
func (p *Report) between() string {
	if p.From.IsZero() {
		return ""
	}
	const layout = "2006-01-02 15:04:05"
	return fmt.Sprintf(", from %s to %s", p.From.Format(layout), p.To.Format(layout+" MST"))
}

// text writes lines and keeps the first error.
type text struct {
	w   io.Writer
	err error
}

// line writes one. Clients chose parts of it, so what would not print is shown as U+FFFD: no terminal obeys a report.
func (t *text) line(format string, args ...any) {
	if t.err != nil {
		return
	}
	_, t.err = fmt.Fprintln(t.w, strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, fmt.Sprintf(format, args...)))
}

// outcome writes what a set of rules has done.
func (t *text) outcome(label string, o *Outcome) {
	t.line("")
	t.line("%-10s %s", label, o.Source)
	t.line("refused    %s", o.Refused.who(true))
	if len(o.Rules) == 0 {
		return
	}
	t.line("")
	t.table(o.Rules)
	for i := range o.Rules {
		t.samples(o.Rules[i].Name, o.Rules[i].Samples)
	}
}

func (t *text) table(rules []Rule) {
	if t.err != nil {
		return
	}
	table := tabwriter.NewWriter(t.w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "rule\taction\trequests\tshare\tclients\tvisitors")
	for i := range rules {
		r := &rules[i]
		clients := strconv.Itoa(r.Clients)
		if r.Clients == 0 && r.Requests > 0 {
			clients = "" // not counted
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\n", r.Name, r.Action, r.Requests, percent(r.Share), clients, r.kinds())
	}
	t.err = table.Flush()
}

// samples writes some of the requests that a rule held for.
func (t *text) samples(of string, samples []Sample) {
	if len(samples) == 0 {
		return
	}
	t.line("")
	t.line("%s, for example", of)
	for i := range samples {
		s := &samples[i]
		t.line("  line %d: %s %s %s%s, %s", s.Line, s.Client, s.Method, s.Host, s.Target, s.Kind)
		if s.Agent != "" {
			t.line("    by %s", s.Agent)
		}
		if s.Why != "" {
			t.line("    %s", s.Why)
		}
	}
}

func (t *text) change(label string, c *Change) {
	t.line("%s: %s", label, c.who(true))
	t.samples(label, c.Samples)
}

// who is a count in words.
func (c *Count) who(share bool) string {
	s := strconv.Itoa(c.Requests)
	if share {
		s += " (" + percent(c.Share) + ")"
	}
	if c.Requests == 0 {
		return s
	}
	return s + " from " + plural(c.Clients, "client") + ": " + c.kinds()
}

// kinds lists the kinds of visitors, those first that have the most requests.
func (c *Count) kinds() string {
	var all []Kind
	for kind := range c.Kinds {
		all = append(all, kind)
	}
	slices.SortFunc(all, func(a, b Kind) int { return cmp.Or(c.Kinds[b]-c.Kinds[a], int(a)-int(b)) })
	words := make([]string, len(all))
	for i, kind := range all {
		words[i] = fmt.Sprintf("%s %d", kind, c.Kinds[kind])
	}
	return strings.Join(words, ", ")
}

func percent(share float64) string { return strconv.FormatFloat(100*share, 'f', 2, 64) + "%" }

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
