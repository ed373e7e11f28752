package status

import (
	"math"
	"strconv"
	"strings"
)

// chartWidth and chartHeight are the drawing's own units.
const (
	chartWidth  = 600.0
	chartHeight = 100.0
)

// chart is the node's last minutes, drawn: areas of all requests and, in front of it, of those refused.
type chart struct {
	Requests, Refused string // SVG paths
	Top               string // the scale's end, in requests a second
}

// newChart draws points on a scale whose end is a round number, the newest at the right.
func newChart(list []Point) chart {
	var most float64
	for _, p := range list {
		most = max(most, p.Requests)
	}
	top := roundUp(most)
	return chart{
		Requests: area(list, top, func(p *Point) float64 { return p.Requests }),
		Refused:  area(list, top, func(p *Point) float64 { return p.Refused }),
		Top:      rate(top),
	}
}

// roundUp is the next of 1, 2, 5, 10, 20, 50, …
func roundUp(v float64) float64 {
	if v <= 1 {
		return 1
	}
	scale := math.Pow(10, math.Floor(math.Log10(v)))
	for _, step := range [...]float64{1, 2, 5} {
		if v <= step*scale {
			return step * scale
		}
	}
	return 10 * scale
}

func area(list []Point, top float64, of func(*Point) float64) string {
	if len(list) == 0 {
		return ""
	}
	step := chartWidth / float64(points-1)
	left := chartWidth - step*float64(len(list)-1)
	var b strings.Builder
	b.WriteString("M" + coordinates(left, chartHeight))
	for i := range list {
		b.WriteString("L" + coordinates(left+step*float64(i), chartHeight*(1-of(&list[i])/top)))
	}
	b.WriteString("L" + coordinates(chartWidth, chartHeight) + "Z")
	return b.String()
}

func coordinates(x, y float64) string {
	return strconv.FormatFloat(x, 'f', 1, 64) + " " + strconv.FormatFloat(y, 'f', 1, 64)
}
