package score

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// The overview is a grid of small pictures, one a scenario.
const (
	gridColumns = 4
	cellWidth   = 216.0
	cellHeight  = 108.0
	cellGap     = 16.0
	groupHead   = 38.0
	maxCells    = 400 // scenarios drawn
)

// WriteSVG draws all scenarios at a glance, each on a scale of its own: its score; of an attack what was offered and what
// of it reached the origin, of an event what the origin got; and the share of visitors served.
func (r Report) WriteSVG(w io.Writer) error {
	var attacks, events []Result
	for _, s := range r.Results[:min(len(r.Results), maxCells)] {
		if s.Group == Event {
			events = append(events, s)
		} else {
			attacks = append(attacks, s)
		}
	}
	c := &canvas{}
	c.open(116+groupHeight(len(attacks))+groupHeight(len(events)), fmt.Sprintf("The drill against %s: %.1f of 100", r.Target, r.Totals.Drill.Score))
	c.text(margin, 38, "title", "start", cut("The drill against "+r.Target, 66))
	c.text(margin, 59, "", "start", fmt.Sprintf("%s · seed %d", plural(len(r.Results), "scenario"), r.Seed))
	c.text(plotRight, 46, "score", "end", fmt.Sprintf("%.1f", r.Totals.Drill.Score))
	c.text(plotRight, 63, "small", "end", fmt.Sprintf("± %.1f, of 100", r.Totals.Drill.Margin))
	c.legend([]entry{
		{"refused", "attack offered"}, {"attacker", "attack at the origin"}, {"visitor", "visitors"},
		{"failed", "failed"}, {"wrong", "refused"},
	}, 92)
	c.group("Attacks", r.Totals.Attacks, attacks, 100)
	c.group("Not attacks", r.Totals.Events, events, 100+groupHeight(len(attacks)))
	c.close()
	return c.writeTo(w)
}

func groupHeight(cells int) float64 {
	if cells == 0 {
		return 0
	}
	rows := (cells + gridColumns - 1) / gridColumns
	return groupHead + float64(rows)*(cellHeight+cellGap)
}

func (c *canvas) group(title string, m Mean, results []Result, y float64) {
	if len(results) == 0 {
		return
	}
	c.text(margin, y+20, "head", "start", title)
	c.text(plotRight, y+20, "", "end", "mean "+m.String())
	for n, r := range results {
		column, row := n%gridColumns, n/gridColumns
		c.cell(r, margin+(cellWidth+cellGap)*float64(column), y+groupHead+(cellHeight+cellGap)*float64(row))
	}
}

// cell draws a scenario small: what came above, the visitors below.
func (c *canvas) cell(r Result, left, top float64) {
	const upper, middle, served, bottom = 22.0, 72.0, 78.0, 100.0
	c.text(left, top+12, "ink", "start", cut(r.Scenario, 26))
	c.text(left+cellWidth, top+12, "head", "end", fmt.Sprintf("%.0f", r.Total.Score))
	s := sketch{left: left, span: max(time.Second, time.Duration(r.Length)), canvas: c}
	d := &drawing{r: r, span: s.span}
	d.bands(s.x, top+upper, middle-upper)
	c.b.Write(d.b.Bytes())
	offered := values(r.Timeline.Attack, func(m Moment) float64 { return float64(m.Offered) })
	attackers := values(r.Timeline.Origin, func(o Origin) float64 { return float64(o.Attacker) })
	if r.Group == Event {
		visitors := values(r.Timeline.Origin, func(o Origin) float64 { return float64(o.all()) })
		most := max(1, slices.Max(append(visitors, 0)), r.Site.Capacity*Step.Seconds())
		s.fill("visitor", visitors, Step, most, top+middle, middle-upper)
	} else {
		most := max(1, slices.Max(append(offered, 0)), slices.Max(append(attackers, 0)))
		s.fill("refused", offered, Step, most, top+middle, middle-upper)
		s.fill("attacker", attackers, Step, most, top+middle, middle-upper)
	}
	c.line("axis", left, top+middle, left+cellWidth, top+middle)
	pulses := r.Timeline.Visitors
	for _, l := range []struct {
		class string
		of    func(Pulse) int
	}{
		{"wrong", func(p Pulse) int { return p.Steps }},
		{"failed", func(p Pulse) int { return p.Steps - p.Refused }},
		{"blank", func(p Pulse) int { return p.Served }},
		{"visitor", func(p Pulse) int { return p.Served }},
	} {
		shares := values(pulses, func(p Pulse) float64 { return float64(l.of(p)) / float64(max(1, p.Steps)) })
		s.fill(l.class, shares, pulse, 1, top+bottom, bottom-served)
	}
	c.line("axis", left, top+bottom, left+cellWidth, top+bottom)
}

// A sketch is where areas are filled in a cell.
type sketch struct {
	*canvas
	left float64
	span time.Duration
}

func (s sketch) x(at time.Duration) float64 { return s.left + cellWidth*float64(at)/float64(s.span) }

// fill draws the area under values, of which most is as high as height.
func (s sketch) fill(class string, of []float64, piece time.Duration, most, bottom, height float64) {
	var top, base []point
	for i, v := range of {
		at := time.Duration(i)*piece + piece/2
		if at > s.span {
			break
		}
		top = append(top, point{s.x(at), bottom - height*min(1, max(0, v/most))})
		base = append(base, point{s.x(at), bottom})
	}
	s.area(class, top, base)
}
