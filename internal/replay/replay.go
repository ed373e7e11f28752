package replay

import (
	"bufio"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/flow"
)

const (
	maxLine     = 64 << 10 // bytes
	brokenShown = 10
	every       = 1024 // lines between two reports of progress
	// disorder is how far a line's time may lie behind those before it to count as theirs: logs are written when requests end.
	disorder = time.Minute
)

// Options say how a log is read.
type Options struct {
	Format   Format
	Fields   map[string]string // of JSON: where it has what
	Asked    Asked             // its empty fields are those of https and of the zone
	Zone     string            // of a log that says whose lines are whose, take this zone's only; "" takes all
	Samples  int               // of each rule
	Progress func(lines int)   // is told now and then how many lines were read, if it is not nil
}

// run is one replay.
type run struct {
	options Options
	parse   parser
	number  int // of the line
	last    time.Time
	line    Line
	asked   flow.Request
	kinds   kindsOf

	all           *tally
	rules         *side
	against       *side // or nil
	newly, longer *tally
	report        *Report
}

// Run replays a log. It fails if that can't be read; lines that are wrong are in the report. Against, unless nil, are the rules to compare with.
func Run(log io.Reader, rules, against *Rules, o Options) (*Report, error) {
	if o.Asked.Scheme == "" {
		o.Asked.Scheme = "https"
	}
	if o.Asked.Host == "" {
		o.Asked.Host = rules.host()
	}
	seed := maphash.MakeSeed()
	r := &run{
		options: o, kinds: make(kindsOf), report: &Report{}, all: newTally(seed), rules: newSide(rules, seed, o.Samples),
		newly: newTally(seed), longer: newTally(seed),
	}
	if against != nil {
		r.against = newSide(against, seed, o.Samples)
	}
	if err := r.read(bufio.NewReaderSize(log, maxLine)); err != nil {
		return nil, err
	}
	r.finish()
	return r.report, nil
}

// read goes through the lines.
func (r *run) read(in *bufio.Reader) error {
	for {
		text, err := in.ReadSlice('\n')
		if len(text) == 0 && errors.Is(err, io.EOF) {
			return nil
		}
		r.number++
		if r.options.Progress != nil && r.number%every == 0 {
			r.options.Progress(r.number)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			r.broken(mistake("it has more than %d bytes", maxLine))
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = in.ReadSlice('\n')
			}
		default:
			if wrong := r.take(string(text)); wrong != nil {
				r.broken(wrong)
			}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("reading line %d: %w", r.number, err)
		}
	}
}

// take replays a line, unless it is empty.
func (r *run) take(text string) error {
	text = strings.TrimRight(text, "\r\n")
	if text == "" {
		return nil
	}
	if r.parse == nil {
		if err := r.begin(text); err != nil {
			return err
		}
	}
	r.line = Line{}
	if err := r.parse(text, &r.line); err != nil {
		return err
	}
	if err := r.line.check(); err != nil {
		return err
	}
	if r.line.Zone != "" && r.options.Zone != "" && r.line.Zone != r.options.Zone {
		r.report.OtherZones++
		return nil
	}
	if err := r.options.Asked.fill(&r.asked, &r.line); err != nil {
		return err
	}
	r.judge()
	return nil
}

// begin goes by the first line.
func (r *run) begin(text string) (err error) {
	format := r.options.Format
	if format == Auto || format == "" {
		format = guess(text)
	}
	r.report.Format = format
	r.parse, err = newParser(format, r.options.Fields)
	return err
}

// judge has both sides judge the request, in the log's time.
func (r *run) judge() {
	if back := r.last.Sub(r.asked.Received); back > 0 && back <= disorder {
		r.asked.Received = r.last
	}
	r.last = r.asked.Received
	if r.report.From.IsZero() {
		r.report.From = r.last
	}
	r.report.To = r.last
	q := request{line: &r.line, number: r.number, asked: &r.asked, kind: r.kinds.of(r.line.Agent), client: r.line.Client}
	if r.line.Visitor != "" {
		q.client += " " + r.line.Visitor
	}
	r.all.add(&q, "", 0)
	refused := r.rules.judge(&q)
	if r.against == nil {
		return
	}
	switch before := r.against.judge(&q); {
	case refused && !before:
		r.newly.add(&q, r.rules.why(), r.options.Samples)
	case before && !refused:
		r.longer.add(&q, r.against.why(), r.options.Samples)
	}
}

// why is by which rule the last request was refused.
func (s *side) why() string { return s.flow.Verdict.Rule }

func (r *run) broken(err error) {
	r.report.Broken++
	if len(r.report.BrokenLines) < brokenShown {
		r.report.BrokenLines = append(r.report.BrokenLines, Broken{r.number, err.Error()})
	}
}
