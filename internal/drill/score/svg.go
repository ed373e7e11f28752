package score

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
)

// style is every picture's: colours for light and, where the reader's setting says so, for dark, chosen to differ for
// those who can't tell red from green (M. Okabe, K. Ito, 2008). It has no variables, which many programs can't read.
const style = `<style>
text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:#59636e}
.title,.head,.score,.value,.ink{fill:#1f2328}
.title{font-size:20px;font-weight:600}
.head{font-size:13px;font-weight:600}
.score{font-size:34px;font-weight:700}
.value{font-size:15px;font-weight:600}
.small{font-size:11px}
.ground{fill:#fff;stroke:#d8dee4}
.blank{fill:#fff}
.track{fill:#eef1f4}
.grid{stroke:#e8ecf0}
.axis{stroke:#d8dee4}
.offered,.capacity,.mark,.whisker{fill:none;stroke:#1f2328;stroke-width:1.5}
.capacity{stroke-dasharray:6 4}
.mark{stroke-width:1;stroke-dasharray:2 3}
.visitor,.between,.event{fill:#0072b2}
.answered,.attacker,.band,.warn{fill:#d55e00}
.refused{fill:#9aa4ae}
.failed{fill:#e69f00}
.wrong{fill:#c2559d}
.unknown{fill:#c3cad1}
.visitor{opacity:.8}
.between{opacity:.12}
.band,.event{opacity:.07}
.p50,.p95{fill:none;stroke:#0072b2;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
.p95{stroke-width:1.5;opacity:.55}
@media(prefers-color-scheme:dark){
text{fill:#9198a1}
.title,.head,.score,.value,.ink{fill:#e6edf3}
.ground{fill:#0d1117;stroke:#30363d}
.blank{fill:#0d1117}
.track{fill:#1c2229}
.grid{stroke:#21262d}
.axis{stroke:#30363d}
.offered,.capacity,.mark,.whisker{stroke:#e6edf3}
.visitor,.between,.event{fill:#56b4e9}
.answered,.attacker,.band,.warn{fill:#ff7b42}
.refused{fill:#6e7781}
.failed{fill:#f0b429}
.wrong{fill:#e58ac2}
.unknown{fill:#484f58}
.p50,.p95{stroke:#56b4e9}
}
</style>`

const pictureWidth = 960

// canvas writes the elements of an SVG one after another.
type canvas struct{ b bytes.Buffer }

func (c *canvas) open(height float64, title string) {
	fmt.Fprintf(&c.b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %s" width="%[1]d" height="%[2]s" role="img">`, pictureWidth, num(height))
	c.b.WriteString("\n<title>" + escape(title) + "</title>\n" + style + "\n")
	fmt.Fprintf(&c.b, `<rect class="ground" x=".5" y=".5" width="%d" height="%s" rx="8"/>`+"\n", pictureWidth-1, num(height-1))
}

func (c *canvas) close() { c.b.WriteString("</svg>\n") }

// text writes s at x, y; anchor is start, middle or end.
func (c *canvas) text(x, y float64, class, anchor, s string) {
	fmt.Fprintf(&c.b, `<text class="%s" x="%s" y="%s" text-anchor="%s">%s</text>`+"\n", class, num(x), num(y), anchor, escape(s))
}

func (c *canvas) line(class string, x1, y1, x2, y2 float64) {
	c.path(class, "M"+num(x1)+" "+num(y1)+" "+num(x2)+" "+num(y2))
}

func (c *canvas) rect(class string, x, y, width, height float64) {
	fmt.Fprintf(&c.b, `<rect class="%s" x="%s" y="%s" width="%s" height="%s"/>`+"\n", class, num(x), num(y), num(max(0, width)), num(max(0, height)))
}

type point struct{ x, y float64 }

// curve joins points; one whose y is NaN is a gap. A point between two gaps becomes a dot.
func (c *canvas) curve(class string, points []point) {
	var d strings.Builder
	for from, to := range runs(points) {
		d.WriteString("M")
		writePoints(&d, points[from:to])
		if to-from == 1 {
			d.WriteString("h0")
		}
	}
	c.path(class, d.String())
}

// runs yields from where to where there are points without a gap.
func runs(points []point) iter.Seq2[int, int] {
	return func(yield func(from, to int) bool) {
		for from := 0; from < len(points); from++ {
			to := from
			for to < len(points) && !math.IsNaN(points[to].y) {
				to++
			}
			if to > from && !yield(from, to) {
				return
			}
			from = to
		}
	}
}

// writePoints leaves out those between two at the same height.
func writePoints(d *strings.Builder, points []point) {
	for i, p := range points {
		y := num(p.y)
		if i > 0 && i < len(points)-1 && num(points[i-1].y) == y && num(points[i+1].y) == y {
			continue
		}
		if i > 0 {
			d.WriteByte(' ')
		}
		d.WriteString(num(p.x) + " " + y)
	}
}

func (c *canvas) path(class, d string) {
	if d != "" {
		fmt.Fprintf(&c.b, `<path class="%s" d="%s"/>`+"\n", class, d)
	}
}

// area fills between two curves over the same x, which have their gaps in the same places.
func (c *canvas) area(class string, top, bottom []point) {
	var d strings.Builder
	for from, to := range runs(top) {
		if to-from == 1 {
			continue
		}
		back := slices.Clone(bottom[from:to])
		slices.Reverse(back)
		d.WriteString("M")
		writePoints(&d, top[from:to])
		d.WriteString(" ")
		writePoints(&d, back)
		d.WriteString("Z")
	}
	c.path(class, d.String())
}

// num writes a coordinate to a tenth.
func num(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		v = 0
	}
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}

func escape(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a Buffer takes all
	return b.String()
}

// textWidth is about what a text of 12 px takes in the widest of the fonts.
func textWidth(s string) float64 {
	width := 0.0
	for _, r := range s {
		switch {
		case strings.ContainsRune("fijlrtI.,:;()|' ", r):
			width += 4.4
		case strings.ContainsRune("mwMW%", r):
			width += 11
		default:
			width += 7.5
		}
	}
	return width
}

// ticks are round numbers from 0 up to at least most, three to six of them.
func ticks(most float64) []float64 {
	if !(most > 0) || math.IsInf(most, 0) {
		most = 1
	}
	step := math.Pow(10, math.Floor(math.Log10(most/3)))
	for _, m := range []float64{1, 2, 5, 10} {
		if most <= 4*m*step {
			step *= m
			break
		}
	}
	out := []float64{0}
	for i := 1; i <= 10 && out[len(out)-1] < most-1e-9*most; i++ {
		out = append(out, step*float64(i))
	}
	return out
}

func (c *canvas) writeTo(w io.Writer) error {
	if _, err := w.Write(c.b.Bytes()); err != nil {
		return fmt.Errorf("picture: %w", err)
	}
	return nil
}
