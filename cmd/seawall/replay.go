package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/seawall/seawall/internal/replay"
)

// replayLog is the command line of a replay.
type replayLog struct {
	Log     string            `help:"The log; - for standard input. One whose name ends in .gz is unpacked." required:"" placeholder:"FILE"`
	Rules   string            `help:"The rules: a configuration, a zone's file, or a file with a zone's section of rules." xor:"rules" required:"" placeholder:"FILE"`
	Profile string            `help:"A profile in place of --rules." xor:"rules" required:"" placeholder:"NAME"`
	Against string            `help:"Other rules, likewise, such as those in force: who is newly refused, and who no longer." placeholder:"FILE"`
	Format  string            `help:"The log's format: ${enum}." enum:"auto,combined,common,json,seawall" default:"auto"`
	Fields  map[string]string `help:"Where JSON lines have what, such as client=request.ip;time=at, if not where usual logs have it." placeholder:"NAME=PLACE"`
	Zone    string            `help:"The zone of a configuration with several. Of our own log, its lines only." placeholder:"NAME"`
	Host    string            `help:"The host of lines that have none. Default: the zone's first." placeholder:"HOST"`
	Scheme  string            `help:"The scheme of lines that have none: ${enum}." enum:"https,http" default:"https"`
	Samples int               `help:"Requests to show for each rule." default:"3" placeholder:"N"`
	JSON    bool              `name:"json" help:"Print JSON."`
}

// Run prints what the rules would have done.
func (c *replayLog) Run(o output) error {
	if c.Samples < 0 || c.Samples > 1000 {
		return usageError{fmt.Errorf("--samples: %d: want 0 to 1000", c.Samples)}
	}
	load := func() (*replay.Rules, error) { return replay.Load(c.Rules, c.Zone) }
	if c.Profile != "" {
		load = func() (*replay.Rules, error) { return replay.Profile(c.Profile) }
	}
	rules, err := load()
	if err != nil {
		return err
	}
	var against *replay.Rules
	if c.Against != "" {
		if against, err = replay.Load(c.Against, c.Zone); err != nil {
			return err
		}
	}
	log, err := openLog(c.Log)
	if err != nil {
		return err
	}
	defer log.close()
	bar := newBar(o.err, log)
	report, err := replay.Run(log.text, rules, against, replay.Options{
		Format: replay.Format(c.Format), Fields: c.Fields, Zone: c.Zone, Samples: c.Samples, Progress: bar.show,
		Asked: replay.Asked{Scheme: c.Scheme, Host: c.Host},
	})
	bar.clear()
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", c.Log, err)
	case c.JSON:
		return json.NewEncoder(o.out).Encode(report)
	}
	return report.Write(o.out)
}

// logFile is a log, and how far it has been read.
type logFile struct {
	text io.Reader
	file *os.File
	size int64 // 0 if nobody knows
	read int64
}

func openLog(name string) (*logFile, error) {
	l := &logFile{file: os.Stdin}
	if name != "-" {
		var err error
		if l.file, err = os.Open(name); err != nil {
			return nil, err
		}
		if info, err := l.file.Stat(); err == nil && info.Mode().IsRegular() {
			l.size = info.Size()
		}
	}
	if l.text = l; !strings.HasSuffix(name, ".gz") {
		return l, nil
	}
	unpacked, err := gzip.NewReader(l)
	if err != nil {
		l.close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	l.text = unpacked
	return l, nil
}

// Read implements [io.Reader].
func (l *logFile) Read(p []byte) (int, error) {
	n, err := l.file.Read(p)
	l.read += int64(n)
	return n, err
}

func (l *logFile) close() {
	if l.file != os.Stdin {
		_ = l.file.Close()
	}
}

// bar shows on a terminal how far a log has been read.
type bar struct {
	to    io.Writer // nil where nobody looks
	log   *logFile
	begun time.Time
	shown time.Time
}

func newBar(to io.Writer, log *logFile) *bar {
	b := &bar{log: log, begun: time.Now()}
	if f, ok := to.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		b.to = f
	}
	return b
}

// barWidth is how many characters a whole bar has.
const barWidth = 30

// show draws the bar, ten times a second at most.
func (b *bar) show(lines int) {
	now := time.Now()
	if b.to == nil || now.Sub(b.shown) < 100*time.Millisecond {
		return
	}
	b.shown = now
	rate := float64(lines) / max(now.Sub(b.begun).Seconds(), 0.001)
	if b.log.size == 0 {
		fmt.Fprintf(b.to, "\r%d lines, %.0f a second\x1b[K", lines, rate)
		return
	}
	done := min(1, float64(b.log.read)/float64(b.log.size))
	full := int(done * barWidth)
	fmt.Fprintf(b.to, "\r[%s%s] %3.0f%%  %d lines, %.0f a second\x1b[K",
		strings.Repeat("#", full), strings.Repeat(".", barWidth-full), 100*done, lines, rate)
}

// clear takes the bar away.
func (b *bar) clear() {
	if b.to != nil && !b.shown.IsZero() {
		fmt.Fprint(b.to, "\r\x1b[K")
	}
}
