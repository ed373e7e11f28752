package drill

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/drill/score"
)

// told is a run as frames: quiet for a quarter, then a flood; served in the flood are share percent.
func told(name string, share int, facts *Facts) []Frame {
	var out []Frame
	for i := range 41 {
		at := time.Duration(i) * 500 * time.Millisecond
		f := Frame{Name: name, Elapsed: at, Planned: 20 * time.Second, Workers: 8, Shield: facts}
		f.Quiet.Served = 10 * min(i, 10)
		f.Origin.Concurrent = 2
		if i > 10 {
			f.Attacking = true
			steps := 10 * (i - 10)
			f.During = Steps{steps * share / 100, steps - steps*share/100}
			f.Offered = 2000 * (i - 10)
			f.Origin.Concurrent = min(1032, 8+(100-share)*(i-10))
		}
		out = append(out, f)
	}
	return out
}

func facts() *Facts {
	return &Facts{Budget: 8, CacheHits: 1234, Refused: map[string]int64{"rate limit": 50_000, "signature": 9000, "budget": 12, "list": 1, "none": 0}}
}

func draw(p *Picture) string {
	for _, run := range [][]Frame{told(Bare, 20, nil), told(Shielded, 100, facts())} {
		for _, f := range run {
			p.Draw(f)
		}
	}
	var out []string
	for _, l := range p.lines() {
		out = append(out, l.render(p.width()-1, p.color))
	}
	return strings.Join(out, "\n")
}

func TestPicture(t *testing.T) {
	p := &Picture{out: &bytes.Buffer{}, live: true, width: func() int { return 80 }}
	want := `
  bare   flood, the last steps
  visitors  ████████▅▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂        20.0 % served  60 of 300
  flood     ▁▁▁▁▁▁▁▁▅████████████████████████        4,000/s
  origin    ▂▂▂▂▂▂▂▂█████████████████████████        1,032 at once  8 fit

  behind Seawall   flood, the last steps
  visitors  █████████████████████████████████        100.0 % served  300 of 300
  flood     ▁▁▁▁▁▁▁▁▅████████████████████████        4,000/s
  origin    ▂▂▂▂▂▂▂▂▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅        8 at once  8 fit
  refused   rate limit 50,000 · signature 9,000 · budget 12 · other 1`
	if d := cmp.Diff(want, draw(p)); d != "" {
		t.Errorf("picture (-want +got):\n%s", d)
	}
}

func TestPictureNarrowAndColoured(t *testing.T) {
	p := &Picture{out: &bytes.Buffer{}, live: true, color: true, width: func() int { return 12 }}
	lines := strings.Split(draw(p), "\n")
	if got, want := lines[1], "\x1b[1m  bare\x1b[0m\x1b[2m   fl\x1b[0m"; got != want {
		t.Errorf("head %q, want %q", got, want)
	}
	redrawn := p.out.(*bytes.Buffer).String()
	for _, want := range []string{"\x1b[?25l", "\x1b[5A", "\x1b[11A", "\x1b[K\n"} {
		if !strings.Contains(redrawn, want) {
			t.Errorf("the live picture lacks %q", want)
		}
	}
}

func TestPictureInALog(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := NewPicture(f)
	draw(p)
	p.Close()
	got, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(got)), "\n")
	if len(lines) != 22 || bytes.Contains(got, []byte("\x1b")) {
		t.Errorf("%d lines, want 11 a run, and no escapes:\n%s", len(lines), got)
	}
	want := "bare:           flood, 8 s of 20 s:      visitors 20.0 % served (12 of 60), flood 4,000/s, origin 488 at once (8 fit)"
	if lines[4] != want {
		t.Errorf("got  %s\nwant %s", lines[4], want)
	}
}

func TestTable(t *testing.T) {
	ms := func(n int) score.Quantile {
		return score.Quantile{Value: score.Millis(time.Duration(n) * time.Millisecond)}
	}
	figures := func(served, steps int, p50, p95 score.Quantile) score.Figures {
		return score.Figures{Steps: steps, Served: score.Share{Count: served, Of: steps}, P50: p50, P95: p95}
	}
	bare := score.Result{
		Site:     score.Site{Workers: 8},
		Everyone: score.Phases{During: figures(71, 343, ms(2706), ms(3752))},
		Kinds:    map[string]score.Phases{"browser": {During: figures(20, 189, ms(1), ms(4150))}, "office": {During: figures(0, 3, ms(0), ms(0))}},
		Attack:   score.Assault{Offered: 76001, Answered: 542, Failed: 75459, Reached: score.Share{Count: 76001}},
		Origin:   score.Load{Peak: 1038, TurnedAway: 67701},
		Total:    score.Total{Score: 3.14},
	}
	bare.Everyone.During.Late = 29
	shielded := score.Result{
		Site:     score.Site{Workers: 8},
		Everyone: score.Phases{During: figures(402, 402, ms(31), ms(88))},
		Kinds:    map[string]score.Phases{"browser": {During: figures(201, 201, ms(1), ms(90))}, "office": {}},
		Attack:   score.Assault{Offered: 64000, Refused: 64000},
		Origin:   score.Load{Peak: 8},
		Total:    score.Total{Score: 99.96},
	}
	shielded.Generator = score.Generator{Limit: true, Why: "a shot was sent 1.5 s late"}
	var b bytes.Buffer
	c := Comparison{Bare: bare, Shielded: shielded, Shield: *facts()}
	if err := c.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	want := `
                        bare                         behind Seawall
visitors served         71 of 343 20.6 %             402 of 402 100.0 %
  at second try         29                           0
  refused               0                            0
  p50 / p95             2.7 s / 3.8 s                31 ms / 88 ms
  browser               20 of 189 10.5 %    4.2 s    201 of 201 100.0 %  90 ms
  office                0 of 3 0.0 %                 -

flood offered           76,001 requests              64,000 requests
  answered              542                          0
  refused               0                            64,000
  failed                75,459                       0
  that reached the site 76,001                       0

origin: most at once    1,038                        8
  that fit              8                            8, budget 8
  turned away           67,701                       0
answered by cache       -                            1,234
refused, and why        -                            59,013
                                                     rate limit            50,000
                                                     signature              9,000
                                                     budget                    12
                                                     list                       1

score                   3.1 of 100                   100.0 of 100

This machine was too busy for the drill: a shot was sent 1.5 s late. Don't trust the figures.
`
	if d := cmp.Diff(strings.TrimPrefix(want, "\n"), b.String()); d != "" {
		t.Errorf("table (-want +got):\n%s", d)
	}
}
