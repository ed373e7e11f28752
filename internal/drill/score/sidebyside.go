package score

import (
	"fmt"
	"io"
	"strings"
)

// The picture of several targets is a table of bars.
const (
	rowHeight   = 21.0
	rowHead     = 210.0 // where the first target's column begins
	maxTargets  = 8     // drawn
	barHeight   = 9.0
	harmHeight  = 3.0
	columnSpace = 16.0 // between two targets
	numberWidth = 32.0
)

// CompareSVG draws the first eight reports side by side: of each scenario a bar as long as the target's score, and under it
// one of the share of visitors' steps that failed or were refused. What follows a comma in a target's name is written
// below the rest.
func CompareSVG(w io.Writer, reports ...Report) error {
	reports = reports[:min(len(reports), maxTargets)]
	attacks, events := scenarioNames(Attack, reports), scenarioNames(Event, reports)
	attacks, events = attacks[:min(len(attacks), maxCells)], events[:min(len(events), maxCells)]
	c := &canvas{}
	c.open(142+rowsHeight(len(attacks))+rowsHeight(len(events)), "The drill, side by side")
	s := sideBySide{canvas: c, reports: reports, column: (plotRight - rowHead + columnSpace) / float64(max(1, len(reports)))}
	c.text(margin, 38, "title", "start", "The drill, side by side")
	c.legend([]entry{{"visitor", "score, 0 to 100"}, {"failed", "visitors' steps failed"}, {"wrong", "refused"}}, 38)
	for i, r := range reports {
		name, rest, _ := strings.Cut(r.Target, ", ")
		c.text(s.left(i), 78, "ink", "start", cut(name, int(s.width()/7.5)))
		c.text(s.left(i), 94, "small", "start", cut(rest, int(s.width()/7)))
		c.text(s.left(i), 120, "value", "start", fmt.Sprintf("%.1f", r.Totals.Drill.Score))
		c.text(s.left(i)+48, 120, "small", "start", fmt.Sprintf("± %.1f", r.Totals.Drill.Margin))
	}
	s.group("Attacks", attacks, 126, func(t Totals) Mean { return t.Attacks })
	s.group("Not attacks", events, 126+rowsHeight(len(attacks)), func(t Totals) Mean { return t.Events })
	c.close()
	return c.writeTo(w)
}

func rowsHeight(rows int) float64 {
	if rows == 0 {
		return 0
	}
	return 34 + rowHeight*float64(rows) + 8
}

type sideBySide struct {
	*canvas
	reports []Report
	column  float64
}

// left is where a target's column begins, width how wide it is.
func (s sideBySide) left(target int) float64 { return rowHead + s.column*float64(target) }
func (s sideBySide) width() float64          { return s.column - columnSpace }

func (s sideBySide) group(title string, names []string, top float64, mean func(Totals) Mean) {
	if len(names) == 0 {
		return
	}
	s.text(margin, top+22, "head", "start", title)
	for i, r := range s.reports {
		if m := mean(r.Totals); m.Of > 0 {
			s.text(s.left(i), top+22, "head", "start", fmt.Sprintf("%.1f", m.Score))
		}
	}
	for n, name := range names {
		y := top + 34 + rowHeight*float64(n)
		s.text(margin, y+10, "", "start", cut(name, 24))
		for i, report := range s.reports {
			if r := report.find(name); r != nil {
				s.bars(r, s.left(i), y)
			}
		}
	}
}

// bars draws one scenario of one target.
func (s sideBySide) bars(r *Result, left, y float64) {
	width := s.width() - numberWidth
	f := r.Everyone.During
	s.rect("track", left, y, width, barHeight)
	s.rect("visitor", left, y, width*min(1, max(0, r.Total.Score/100)), barHeight)
	failed, refused := 0.0, 0.0
	if f.Steps > 0 {
		failed, refused = width*f.Failed.Value, width*float64(f.Refused.Count+f.Stuck)/float64(f.Steps)
	}
	s.rect("failed", left, y+barHeight+1, failed, harmHeight)
	s.rect("wrong", left+failed, y+barHeight+1, refused, harmHeight)
	mark := ""
	if r.Generator.Limit {
		mark = "!"
	}
	s.text(left+width+6, y+9, "small", "start", fmt.Sprintf("%.0f%s", r.Total.Score, mark))
}
