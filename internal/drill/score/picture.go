package score

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"
)

// The picture of a scenario: a head, panels one below the other over the same time, the time's axis, and the kinds.
const (
	margin     = 24.0
	plotLeft   = 76.0
	plotRight  = 936.0
	headHeight = 124.0
	panelHead  = 32.0 // title and legend above a plot, which they never cover
	panelGap   = 16.0
	axisHeight = 28.0
)

// WriteSVG draws the scenario over time: what the attack offered and what became of it, what reached the origin, how much
// longer than usual visitors waited, and how many were served; below, who was served.
func (r Result) WriteSVG(w io.Writer) error {
	d := &drawing{r: r, span: max(time.Second, time.Duration(r.Length))}
	panels := []panel{d.origin(), d.latency(), d.served()}
	if r.Group == Attack {
		panels = slices.Insert(panels, 0, d.attack())
	}
	height := headHeight + axisHeight + d.kindsHeight()
	for _, p := range panels {
		height += panelHead + p.height + panelGap
	}
	d.open(height, fmt.Sprintf("%s against %s: %.0f of 100", r.Title, r.Target, r.Total.Score))
	d.head()
	y := headHeight
	for _, p := range panels {
		d.panel(p, y)
		y += panelHead + p.height + panelGap
	}
	d.timeAxis(y - panelGap)
	d.kinds(y - panelGap + axisHeight)
	d.close()
	return d.writeTo(w)
}

type drawing struct {
	canvas
	r    Result
	span time.Duration // the width of a plot
}

// x places a time in the plot.
func (d *drawing) x(at time.Duration) float64 {
	return plotLeft + (plotRight-plotLeft)*float64(at)/float64(d.span)
}

// head says what was played against whom, and how it went.
func (d *drawing) head() {
	d.text(margin, 38, "title", "start", cut(d.r.Title, 66))
	d.text(margin, 59, "", "start", cut(fmt.Sprintf("%s · %s · seed %d", d.r.Target, d.r.Scenario, d.r.Seed), 110))
	d.text(plotRight, 46, "score", "end", fmt.Sprintf("%.0f", d.r.Total.Score))
	d.text(plotRight, 63, "small", "end", fmt.Sprintf("± %.1f, of 100", d.r.Total.Margin))
	f := d.r.Everyone.During
	facts := [][2]string{
		{percent(f.Served.Value), "of visitors' steps served"},
		{percentUp(f.Refused.Value), "wrongly refused"},
		{percentUp(f.Challenged.Value), "wrongly challenged"},
	}
	if d.r.Group == Attack {
		facts = append(facts, [2]string{percentUp(d.r.Attack.Reached.Value), "of the attack at the origin"},
			[2]string{d.r.Attack.Mitigation.String(), "mitigated"})
	}
	for i, fact := range facts {
		x := margin + 182*float64(i)
		d.text(x, 91, "value", "start", fact[0])
		d.text(x, 107, "small", "start", fact[1])
	}
	if d.r.Generator.Limit {
		d.text(plotRight, 107, "small warn", "end", "the generator was the limit")
	}
}

// A panel is a plot with its title and legend.
type panel struct {
	title  string
	legend []entry
	height float64
	most   float64 // what the scale must reach; what is more is cut off
	label  func(float64) string
	draw   func(y func(float64) float64)
}

type entry struct{ class, label string }

func (d *drawing) panel(p panel, top float64) {
	d.text(margin, top+20, "head", "start", p.title)
	d.legend(p.legend, top+20)
	top += panelHead
	marks := ticks(p.most)
	most := marks[len(marks)-1]
	y := func(v float64) float64 { return top + p.height*(1-min(1, max(0, v/most))) }
	d.bands(d.x, top, p.height)
	for i, m := range marks {
		class := "grid"
		if i == 0 {
			class = "axis"
		}
		d.line(class, plotLeft, y(m), plotRight, y(m))
		d.text(plotLeft-8, y(m)+4, "small", "end", p.label(m))
	}
	p.draw(y)
	if at, yes := d.mitigated(); yes {
		d.line("mark", d.x(at), top, d.x(at), top+p.height)
	}
}

// legend is written from the right end.
func (c *canvas) legend(entries []entry, y float64) {
	x := plotRight
	for _, e := range slices.Backward(entries) {
		x -= textWidth(e.label)
		c.text(x, y, "", "start", e.label)
		x -= 20
		switch e.class {
		case "offered", "capacity", "p50", "p95":
			c.line(e.class, x, y-4, x+14, y-4)
		case "mark":
			c.line(e.class, x+9, y-12, x+9, y+3)
		case "whisker":
			c.whisker(x, x+14, y-4)
		default:
			c.rect(e.class, x+3, y-10, 11, 11)
		}
		x -= 14
	}
}

// bands shade when there were attacks and events.
func (d *drawing) bands(x func(time.Duration) float64, top, height float64) {
	for _, s := range d.r.Spans {
		class := "band"
		if s.Event {
			class = "event"
		}
		from, until := x(time.Duration(s.From)), x(min(d.span, time.Duration(s.Until)))
		d.rect(class, from, top, until-from, height)
	}
}

// mitigated is when the attack was.
func (d *drawing) mitigated() (at time.Duration, yes bool) {
	in := Input{Length: d.span, Spans: d.r.Spans}
	from, _ := in.attack()
	m := d.r.Attack.Mitigation
	return from + time.Duration(m.After), m.State == Mitigated
}

func (d *drawing) timeAxis(y float64) {
	step := time.Second
	for _, s := range []int{1, 2, 5, 10, 20, 60, 120} {
		step = time.Duration(s) * time.Second
		if d.span <= 12*step {
			break
		}
	}
	for at := time.Duration(0); at <= min(d.span, 12*step); at += step {
		d.line("axis", d.x(at), y, d.x(at), y+4)
		anchor := "middle"
		if at == d.span {
			anchor = "end"
		}
		d.text(d.x(at), y+18, "small", anchor, fmt.Sprintf("%.0f s", at.Seconds()))
	}
}

// points puts values of pieces of the run into the middle of each; those beyond the plot are left out.
func (d *drawing) points(values []float64, piece time.Duration, y func(float64) float64) []point {
	var out []point
	for i, v := range values {
		at := time.Duration(i)*piece + piece/2
		if at > d.span {
			break
		}
		if !math.IsNaN(v) {
			v = y(v)
		}
		out = append(out, point{d.x(at), v})
	}
	return out
}

// layer is values to be stacked.
type layer struct {
	class  string
	values []float64
}

// stack fills layers one upon another.
func (d *drawing) stack(layers []layer, piece time.Duration, y func(float64) float64) {
	sums := make([]float64, len(layers[0].values))
	for _, l := range layers {
		bottom := d.points(sums, piece, y)
		for i, v := range l.values {
			sums[i] += v
		}
		d.area(l.class, d.points(sums, piece, y), bottom)
	}
}

// values picks a value of each moment.
func values[T any](moments []T, of func(T) float64) []float64 {
	out := make([]float64, len(moments))
	for i, m := range moments {
		out[i] = of(m)
	}
	return out
}

// perSecond turns a count of a Step into a rate.
func perSecond(n int) float64 { return float64(n) * float64(time.Second/Step) }

func (d *drawing) attack() panel {
	m := d.r.Timeline.Attack
	offered := values(m, func(m Moment) float64 { return perSecond(m.Offered) })
	ended := values(m, func(m Moment) float64 { return perSecond(m.Answered + m.Refused + m.Failed) })
	return panel{
		title: "The attack, requests a second", height: 130, label: rate,
		most:   max(1, slices.Max(append(offered, 0)), slices.Max(append(ended, 0))),
		legend: []entry{{"offered", "offered"}, {"answered", "answered"}, {"failed", "failed"}, {"refused", "refused"}},
		draw: func(y func(float64) float64) {
			d.stack([]layer{
				{"answered", values(m, func(m Moment) float64 { return perSecond(m.Answered) })},
				{"failed", values(m, func(m Moment) float64 { return perSecond(m.Failed) })},
				{"refused", values(m, func(m Moment) float64 { return perSecond(m.Refused) })},
			}, Step, y)
			d.curve("offered", d.points(offered, Step, y))
		},
	}
}

// scaleOfCapacity is how often the origin's capacity fits into its panel: more is more than enough, however much it is.
const scaleOfCapacity = 3

func (d *drawing) origin() panel {
	m, capacity := d.r.Timeline.Origin, d.r.Site.Capacity
	peak := slices.Max(append(values(m, func(o Origin) float64 { return perSecond(o.all()) }), 0))
	p := panel{
		title: "At the origin, requests a second", height: 110, label: rate, most: max(1, capacity, peak), legend: d.originLegend(),
		draw: func(y func(float64) float64) {
			d.stack([]layer{
				{"visitor", values(m, func(o Origin) float64 { return perSecond(o.Visitor) })},
				{"unknown", values(m, func(o Origin) float64 { return perSecond(o.Unknown) })},
				{"attacker", values(m, func(o Origin) float64 { return perSecond(o.Attacker) })},
			}, Step, y)
			if capacity > 0 {
				d.line("capacity", plotLeft, y(capacity), plotRight, y(capacity))
			}
		},
	}
	if capacity > 0 && peak > scaleOfCapacity*capacity {
		p.most = scaleOfCapacity * capacity
		p.title = fmt.Sprintf("At the origin, requests a second (up to %s)", rate(peak))
	}
	return p
}

// originLegend names what there is.
func (d *drawing) originLegend() []entry {
	out := []entry{{"visitor", "visitors"}}
	if d.r.Origin.Attacker > 0 {
		out = append(out, entry{"attacker", "attack"})
	}
	if d.r.Origin.Unknown > 0 {
		out = append(out, entry{"unknown", "unknown"})
	}
	if c := d.r.Site.Capacity; c > 0 {
		out = append(out, entry{"capacity", "capacity, " + rate(c) + " pages/s"})
	}
	if _, yes := d.mitigated(); yes {
		out = append(out, entry{"mark", "mitigated"})
	}
	return out
}

func (d *drawing) latency() panel {
	pulses := d.r.Timeline.Visitors
	seconds := func(of func(Pulse) Millis) []float64 {
		return values(pulses, func(p Pulse) float64 {
			if p.Served == 0 {
				return math.NaN()
			}
			return time.Duration(of(p)).Seconds()
		})
	}
	p50, p95 := seconds(func(p Pulse) Millis { return p.AddedP50 }), seconds(func(p Pulse) Millis { return p.AddedP95 })
	most := 0.1
	for _, v := range p95 {
		if v > most {
			most = v
		}
	}
	return panel{
		title: "How much longer than usual visitors waited", height: 96, most: most, label: latency,
		legend: []entry{{"p50", "p50"}, {"p95", "p95 of those served"}},
		draw: func(y func(float64) float64) {
			low, high := d.points(p50, pulse, y), d.points(p95, pulse, y)
			d.area("between", high, low)
			d.curve("p95", high)
			d.curve("p50", low)
		},
	}
}

// served fills the share of steps that got what they came for, and of those that did not, without gaps: a piece without
// steps goes on as the one before.
func (d *drawing) served() panel {
	var served, refused, failed []float64
	last := Pulse{Steps: 1, Served: 1}
	for _, p := range d.r.Timeline.Visitors {
		if p.Steps <= 0 {
			p = last
		}
		last = p
		of := float64(p.Steps)
		served, refused = append(served, float64(p.Served)/of), append(refused, float64(p.Refused)/of)
		failed = append(failed, float64(p.Steps-p.Served-p.Refused)/of)
	}
	return panel{
		title: "Visitors, by when their steps began", height: 72, most: 1, label: func(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) },
		legend: []entry{{"visitor", "served"}, {"failed", "failed"}, {"wrong", "refused"}},
		draw: func(y func(float64) float64) {
			d.stack([]layer{{"visitor", served}, {"failed", failed}, {"wrong", refused}}, pulse, y)
		},
	}
}

// rate writes requests a second.
func rate(v float64) string {
	if v != math.Trunc(v) || math.Abs(v) > 1e9 {
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	return count(int(v))
}

// latency writes seconds, as ms if few.
func latency(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 1:
		return fmt.Sprintf("%.0f ms", 1000*v)
	}
	return fmt.Sprintf("%g s", math.Round(v*100)/100)
}
