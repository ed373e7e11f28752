package score

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// element is one of an SVG.
type element struct {
	name  string
	attrs map[string]string
	text  string
}

func (e element) number(t *testing.T, name string) float64 {
	v, err := strconv.ParseFloat(e.attrs[name], 64)
	if err != nil {
		t.Fatalf("%s of %+v: %v", name, e, err)
	}
	return v
}

// elements reads a picture as a strict parser does.
func elements(t *testing.T, svg []byte) []element {
	t.Helper()
	var out []element
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := element{name: token.Name.Local, attrs: map[string]string{}}
			for _, a := range token.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			out = append(out, e)
		case xml.CharData:
			if len(out) > 0 {
				out[len(out)-1].text += strings.TrimSpace(string(token))
			}
		}
	}
}

// pictures are those of a drill, and of what may go wrong with one.
func pictures(t *testing.T) map[string][]byte {
	t.Helper()
	r := madeUp("Seawall, <defaults> & more", 0.5)
	nothing := Judge(Input{Group: Attack})
	swamped := r.Results[0]
	swamped.Timeline.Origin = slices.Clone(swamped.Timeline.Origin)
	for i := range swamped.Timeline.Origin {
		swamped.Timeline.Origin[i].Attacker, swamped.Timeline.Origin[i].Unknown = 1e6, 7
	}
	swamped.Origin.Unknown, swamped.Site.Capacity, swamped.Length = 7, 123456, Millis(10*time.Minute)
	swamped.Scenario, swamped.Title = strings.Repeat("long ", 50), strings.Repeat("long ", 50)
	out := map[string][]byte{}
	for name, write := range map[string]func(io.Writer) error{
		"overview": r.WriteSVG, "attack": r.Results[0].WriteSVG, "event": r.Results[1].WriteSVG, "nothing": nothing.WriteSVG,
		"side by side": func(w io.Writer) error {
			return CompareSVG(w, r, madeUp("bare", 0), Report{}, madeUp(strings.Repeat("long ", 9), 1))
		},
		"side by side of none": func(w io.Writer) error { return CompareSVG(w) },
		"side by side of many": func(w io.Writer) error { return CompareSVG(w, slices.Repeat([]Report{r}, 20)...) },
		"swamped":              swamped.WriteSVG, "overview of nothing": Report{}.WriteSVG, "overview of much": NewReport("", 1, []Result{nothing, swamped}).WriteSVG,
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		out[name] = b.Bytes()
	}
	return out
}

// TestPictures: well-formed, all within the frame, no text upon another.
func TestPictures(t *testing.T) {
	for name, svg := range pictures(t) {
		t.Run(name, func(t *testing.T) {
			all := elements(t, svg)
			height := all[0].number(t, "height")
			if all[0].name != "svg" || all[0].attrs["width"] != fmt.Sprint(pictureWidth) {
				t.Errorf("got a %s %s wide, want an svg of %d", all[0].name, all[0].attrs["width"], pictureWidth)
			}
			var texts []box
			for _, e := range all {
				switch e.name {
				case "text":
					texts = append(texts, boxOf(t, e))
				case "path":
					inside(t, e.attrs["d"], height)
				case "rect":
					if x, y := e.number(t, "x"), e.number(t, "y"); x < 0 || y < 0 || x+e.number(t, "width") > pictureWidth || y+e.number(t, "height") > height {
						t.Errorf("outside: %+v", e)
					}
				}
			}
			for i, a := range texts {
				if a.left < 0 || a.right > pictureWidth || a.y > height-8 {
					t.Errorf("outside: %+v", a)
				}
				for _, b := range texts[:i] {
					if math.Abs(a.y-b.y) < 10 && a.left < b.right && b.left < a.right {
						t.Errorf("%+v is upon %+v", a, b)
					}
				}
			}
		})
	}
}

// box is where a text is.
type box struct {
	left, right, y float64
	text           string
}

func boxOf(t *testing.T, e element) box {
	size := map[string]float64{"title": 20, "head": 13, "score": 34, "value": 15, "small": 11, "small warn": 11}[e.attrs["class"]]
	if size == 0 {
		size = 12
	}
	width := textWidth(e.text) * size / 12
	b := box{left: e.number(t, "x"), y: e.number(t, "y"), text: e.text}
	switch e.attrs["text-anchor"] {
	case "middle":
		b.left -= width / 2
	case "end":
		b.left -= width
	}
	b.right = b.left + width
	return b
}

// inside checks the coordinates of a path.
func inside(t *testing.T, d string, height float64) {
	t.Helper()
	numbers := strings.FieldsFunc(d, func(r rune) bool { return strings.ContainsRune("MLZh ", r) })
	if strings.Contains(d, "h0") {
		numbers = slices.DeleteFunc(numbers, func(s string) bool { return s == "0" })
	}
	for i, n := range numbers {
		v, err := strconv.ParseFloat(n, 64)
		if err != nil || v < 0 || i%2 == 0 && v > pictureWidth || i%2 == 1 && v > height {
			t.Errorf("outside: %.60s… at number %d, %q", d, i, n)
			return
		}
	}
}

func TestPictureSaysWhatHappened(t *testing.T) {
	svgs := pictures(t)
	tests := []struct {
		picture string
		want    []string
		not     []string
	}{
		{"attack", []string{
			"Seawall, <defaults> & more · search-flood · seed 1", "90", "95.3 %", "4.7 %", "10.8 %", "in 3.0 s",
			"The attack, requests a second", "At the origin, requests a second (up to 1,680)", "capacity, 400 pages/s", "mitigated", "git",
		}, []string{"unknown", "the generator was the limit"}},
		{"event", []string{"100", "browser, newly come", "At the origin, requests a second"}, []string{"The attack, requests a second", "mitigated", "attack"}},
		{"side by side", []string{"The drill, side by side", "Attacks", "Not attacks", "search-flood", "newsletter", "bare", "86", "90", "<defaults> & more"}, nil},
		{"swamped", []string{"unknown", "600 s"}, nil},
		{"overview", []string{"The drill against Seawall, <defaults> & more", "Attacks", "Not attacks", "search-flood", "newsletter", "mean 90.2 ± 0.8", "95.1"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.picture, func(t *testing.T) {
			var got []string
			for _, e := range elements(t, svgs[tt.picture]) {
				got = append(got, e.text)
			}
			for _, want := range tt.want {
				if !slices.Contains(got, want) {
					t.Errorf("no %q among %q", want, got)
				}
			}
			for _, not := range tt.not {
				if slices.Contains(got, not) {
					t.Errorf("there is %q", not)
				}
			}
		})
	}
}

// TestClassesHaveStyle: a class without one would be drawn black.
func TestClassesHaveStyle(t *testing.T) {
	for name, svg := range pictures(t) {
		for _, e := range elements(t, svg) {
			for class := range strings.FieldsSeq(e.attrs["class"]) {
				if !strings.Contains(style, "."+class) {
					t.Errorf("%s: %s has class %q, which has no style", name, e.name, class)
				}
			}
		}
	}
}

func TestTicks(t *testing.T) {
	tests := []struct {
		most float64
		want []float64
	}{
		{0, []float64{0, 0.5, 1}},
		{-1, []float64{0, 0.5, 1}},
		{math.NaN(), []float64{0, 0.5, 1}},
		{math.Inf(1), []float64{0, 0.5, 1}},
		{1, []float64{0, 0.5, 1}},
		{400, []float64{0, 100, 200, 300, 400}},
		{401, []float64{0, 200, 400, 600}},
		{1680, []float64{0, 500, 1000, 1500, 2000}},
		{7, []float64{0, 2, 4, 6, 8}},
	}
	for _, tt := range tests {
		if d := cmp.Diff(tt.want, ticks(tt.most)); d != "" {
			t.Errorf("ticks up to %v (-want +got):\n%s", tt.most, d)
		}
	}
	for most := 1e-300; most < 1e300; most *= 1.7 {
		got := ticks(most)
		if last := got[len(got)-1]; len(got) < 3 || len(got) > 7 || last < most*(1-1e-6) {
			t.Errorf("ticks up to %v: got %v, want 3 to 7 that reach it", most, got)
		}
	}
}

func TestCurve(t *testing.T) {
	gap := math.NaN()
	tests := []struct {
		name string
		ys   []float64
		want string
	}{
		{"none", nil, ""},
		{"one is a dot", []float64{1}, `M0 1h0`},
		{"gaps", []float64{gap, 1, 2, gap, gap, 3, gap}, `M1 1 2 2M5 3h0`},
		{"level", []float64{1, 1, 1, 1, 2}, `M0 1 3 1 4 2`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, points := &canvas{}, []point{}
			for i, y := range tt.ys {
				points = append(points, point{float64(i), y})
			}
			c.curve("p50", points)
			want := ""
			if tt.want != "" {
				want = `<path class="p50" d="` + tt.want + `"/>` + "\n"
			}
			if got := c.b.String(); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestAreaHasNoFillInGaps(t *testing.T) {
	gap := math.NaN()
	c := &canvas{}
	c.area("between", []point{{0, 1}, {1, 2}, {2, gap}, {3, 1}, {4, gap}, {5, 4}, {6, 5}}, []point{{0, 9}, {1, 9}, {2, gap}, {3, 9}, {4, gap}, {5, 8}, {6, 9}})
	want := `<path class="between" d="M0 1 1 2 1 9 0 9ZM5 4 6 5 6 9 5 8Z"/>` + "\n"
	if got := c.b.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
