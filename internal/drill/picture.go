package drill

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"
)

const (
	plannedColumns = 32 // of a chart, for the planned length
	chartColumns   = 40 // with room for the steps that end late
	pictureWidth   = 80
	plainInterval  = 2 * time.Second
)

// Picture shows frames: a few lines drawn over and over on a terminal, a plain line every two seconds elsewhere. It
// keeps one chart a run. It is not safe for concurrent use.
type Picture struct {
	out    io.Writer
	live   bool // redraws
	color  bool
	width  func() int
	charts []*chart
	drawn  int           // lines on the screen
	next   time.Duration // of the next plain line
}

// NewPicture shows frames on out: live if it is a terminal that can (TERM is not dumb, 16 lines and more), in colour
// unless NO_COLOR is set (https://no-color.org).
func NewPicture(out *os.File) *Picture {
	p := &Picture{out: out, width: func() int { return pictureWidth }}
	fd := int(out.Fd())
	_, rows, err := term.GetSize(fd)
	if err != nil || rows < 16 || os.Getenv("TERM") == "dumb" {
		return p
	}
	p.live, p.color = true, os.Getenv("NO_COLOR") == ""
	p.width = func() int {
		columns, _, err := term.GetSize(fd)
		if err != nil {
			return pictureWidth
		}
		return columns
	}
	return p
}

// Draw shows f; frames of one run come in order. What cannot be written is not shown.
func (p *Picture) Draw(f Frame) {
	if len(p.charts) == 0 || p.charts[len(p.charts)-1].last.Name != f.Name {
		p.charts = append(p.charts, &chart{})
		p.next = 0
	}
	c := p.charts[len(p.charts)-1]
	c.add(f)
	if !p.live {
		if f.Elapsed >= p.next {
			p.next += plainInterval
			_, _ = io.WriteString(p.out, plainLine(c)+"\n")
		}
		return
	}
	var b strings.Builder
	if p.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", p.drawn)
	} else {
		b.WriteString("\x1b[?25l") // hide the cursor
	}
	width, lines := p.width(), p.lines()
	for _, l := range lines {
		b.WriteString("\r" + l.render(width-1, p.color) + "\x1b[K\n")
	}
	p.drawn = len(lines)
	_, _ = io.WriteString(p.out, b.String())
}

// Close gives the cursor back.
func (p *Picture) Close() {
	if p.live && p.drawn > 0 {
		_, _ = io.WriteString(p.out, "\x1b[?25h\n")
	}
}

// lines is the whole picture.
func (p *Picture) lines() []line {
	var out []line
	for _, c := range p.charts {
		out = append(out, line{})
		out = append(out, c.lines()...)
	}
	return out
}

// A style is an SGR parameter (ECMA-48 §8.3.117); 0 is plain.
type style int

const (
	plain  style = 0
	bold   style = 1
	dim    style = 2
	red    style = 31
	green  style = 32
	yellow style = 33
	cyan   style = 36
)

type span struct {
	text  string
	style style
}

type line []span

// render cuts a line at width and colours it.
func (l line) render(width int, color bool) string {
	var b strings.Builder
	for _, s := range l {
		runes := []rune(s.text)
		runes = runes[:max(0, min(len(runes), width))]
		width -= len(runes)
		if color && s.style != plain && len(runes) > 0 {
			fmt.Fprintf(&b, "\x1b[%dm%s\x1b[0m", int(s.style), string(runes))
		} else {
			b.WriteString(string(runes))
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// chart is a run over time.
type chart struct {
	last    Frame
	columns []Frame // the last frame of each column
	origin  []int   // most at once in each
}

func (c *chart) add(f Frame) {
	i := int(f.Elapsed * plannedColumns / max(1, f.Planned))
	for len(c.columns) <= min(i, chartColumns-1) {
		c.columns, c.origin = append(c.columns, f), append(c.origin, 0)
	}
	end := len(c.columns) - 1
	c.last, c.columns[end], c.origin[end] = f, f, max(c.origin[end], f.Origin.Concurrent)
}

// lines draws the run: who is served, what comes in, what the origin carries, what is refused.
func (c *chart) lines() []line {
	f := c.last
	head := line{{"  " + f.Name, bold}, {"   " + c.phase(), dim}}
	steps := c.steps()
	out := []line{
		head,
		c.row("visitors", c.visitors(), span{percent(steps) + " served", grade(steps.Share())}, fmt.Sprintf("  %s of %s", count(steps.Served), count(steps.Served+steps.Failed))),
		c.row("flood", c.flood(), span{count(int(c.rate())) + "/s", plain}, ""),
		c.row("origin", c.load(), span{count(f.Origin.Concurrent) + " at once", load(f.Origin.Concurrent, f.Workers)}, fmt.Sprintf("  %d fit", f.Workers)),
	}
	if f.Shield != nil {
		out = append(out, line{{"  refused   ", dim}, {reasons(f.Shield.Refused, 3), plain}})
	}
	return out
}

func (c *chart) row(label string, cells line, value span, rest string) line {
	out := append(line{{fmt.Sprintf("  %-10s", label), dim}}, cells...)
	out = append(out, span{strings.Repeat(" ", chartColumns+1-len(cells)), plain})
	return append(out, value, span{rest, dim})
}

// phase says where in the story the run is.
func (c *chart) phase() string {
	f := c.last
	at := fmt.Sprintf("%d s of %d s", int(f.Elapsed.Seconds()), int(f.Planned.Seconds()))
	switch {
	case !f.Attacking:
		return "quiet, " + at
	case f.Elapsed < f.Planned:
		return "flood, " + at
	}
	return "flood, the last steps"
}

// steps are those of the phase that the run is in.
func (c *chart) steps() Steps {
	if c.last.Attacking {
		return c.last.During
	}
	return c.last.Quiet
}

// visitors is the share of steps served, of those that ended in each column; blank where none did.
func (c *chart) visitors() line {
	var out line
	var before Steps
	for _, f := range c.columns {
		now := Steps{f.Quiet.Served + f.During.Served, f.Quiet.Failed + f.During.Failed}
		ended := Steps{now.Served - before.Served, now.Failed - before.Failed}
		before = now
		if ended == (Steps{}) {
			out = append(out, span{" ", plain})
			continue
		}
		out = append(out, span{bar(ended.Share()), grade(ended.Share())})
	}
	return out
}

// flood is the offered rate in each column, against the highest.
func (c *chart) flood() line {
	rates, most := make([]float64, len(c.columns)), 1.0
	for i := range c.columns {
		rates[i] = c.rateAt(i)
		most = max(most, rates[i])
	}
	var out line
	for _, r := range rates {
		out = append(out, span{bar(r / most), cyan})
	}
	return out
}

// rateAt is the flood's requests a second in column i.
func (c *chart) rateAt(i int) float64 {
	var before Frame
	if i > 0 {
		before = c.columns[i-1]
	}
	took := (c.columns[i].Elapsed - before.Elapsed).Seconds()
	if took <= 0 {
		return 0
	}
	return float64(c.columns[i].Offered-before.Offered) / took
}

// rate is that of the last column that is full.
func (c *chart) rate() float64 { return c.rateAt(max(0, len(c.columns)-2)) }

// load is the most requests at once in the origin in each column; half height is what fits.
func (c *chart) load() line {
	var out line
	for _, n := range c.origin {
		out = append(out, span{bar(float64(n) / float64(2*c.last.Workers)), load(n, c.last.Workers)})
	}
	return out
}

// bar draws 0 to 1, and 1 for more.
func bar(v float64) string {
	const bars = "▁▂▃▄▅▆▇█"
	return string([]rune(bars)[max(0, min(7, int(v*8)))])
}

func grade(share float64) style {
	switch {
	case share >= 0.99:
		return green
	case share >= 0.5:
		return yellow
	}
	return red
}

func load(n, workers int) style {
	if n > workers {
		return red
	}
	return green
}

// percent is one decimal, rounded down: 100.0 % means all.
func percent(s Steps) string {
	return strconv.FormatFloat(float64(int(s.Share()*1000))/10, 'f', 1, 64) + " %"
}

// plainLine is a frame for a log.
func plainLine(c *chart) string {
	f, steps := c.last, c.steps()
	s := fmt.Sprintf("%-15s %-24s visitors %s served (%d of %d), flood %s/s, origin %s at once (%d fit)",
		f.Name+":", c.phase()+":", percent(steps), steps.Served, steps.Served+steps.Failed, count(int(c.rate())),
		count(f.Origin.Concurrent), f.Workers)
	if f.Shield != nil {
		s += ", refused " + reasons(f.Shield.Refused, 3)
	}
	return s
}

// reasons lists the greatest counts first, the rest as one.
func reasons[N int | int64](counts map[string]N, most int) string {
	var parts []string
	rest := N(0)
	for i, name := range byCount(counts) {
		if i < most {
			parts = append(parts, name+" "+count(int(counts[name])))
		} else {
			rest += counts[name]
		}
	}
	if rest > 0 {
		parts = append(parts, "other "+count(int(rest)))
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, " · ")
}

func byCount[N int | int64](counts map[string]N) []string {
	names := make([]string, 0, len(counts))
	for name, n := range counts {
		if n > 0 {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	return names
}

// count writes n with a comma every three digits.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
