package score

import (
	"fmt"
	"maps"
	"slices"
)

// The kinds stand in two columns of bars.
const (
	kindHeight = 19.0
	kindTop    = 38.0
	maxDrawn   = 64 // kinds
)

// person is a kind in the picture.
type person struct {
	name string
	f    Figures
}

// persons are the kinds that took steps, those an event brought last.
func (d *drawing) persons() []person {
	var out []person
	for i, kinds := range []map[string]Phases{d.r.Kinds, d.r.Comers} {
		for _, name := range slices.Sorted(maps.Keys(kinds)) {
			f := kinds[name].During
			if i == 1 {
				name += ", newly come"
			}
			if f.Steps > 0 && len(out) < maxDrawn {
				out = append(out, person{name, f})
			}
		}
	}
	return out
}

func (d *drawing) kindsHeight() float64 {
	rows := (len(d.persons()) + 1) / 2
	return kindTop + kindHeight*float64(rows) + 14
}

// kinds draws who was served: a bar a kind, with the confidence bounds of the share served.
func (d *drawing) kinds(top float64) {
	const nameWidth, barWidth, columnWidth = 150.0, 170.0, 472.0
	people := d.persons()
	rows := (len(people) + 1) / 2
	d.text(margin, top+20, "head", "start", "Who was served")
	d.legend([]entry{{"visitor", "served"}, {"failed", "failed"}, {"wrong", "refused"}, {"whisker", "95 % confidence"}}, top+20)
	for i, p := range people {
		left := margin + columnWidth*float64(i/max(1, rows))
		y := top + kindTop + kindHeight*float64(i%max(1, rows))
		d.text(left, y+10, "ink", "start", cut(p.name, 22))
		d.kind(p.f, left+nameWidth, y, barWidth)
		d.text(left+nameWidth+barWidth+10, y+10, "small", "start", fmt.Sprintf("%s of %s", percent(p.f.Served.Value), count(p.f.Steps)))
	}
}

func (d *drawing) kind(f Figures, left, y, width float64) {
	served := width * f.Served.Value
	refused := width * float64(f.Refused.Count+f.Stuck) / float64(f.Steps)
	d.rect("visitor", left, y, served, 11)
	d.rect("failed", left+served, y, width-served-refused, 11)
	d.rect("wrong", left+width-refused, y, refused, 11)
	d.whisker(left+width*f.Served.Low, left+width*f.Served.High, y+5.5)
}

// whisker draws confidence bounds.
func (c *canvas) whisker(low, high, y float64) {
	c.line("whisker", low, y, high, y)
	c.line("whisker", low, y-2.5, low, y+2.5)
	c.line("whisker", high, y-2.5, high, y+2.5)
}
