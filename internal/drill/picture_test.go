package drill

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// told is a run as frames: quiet for a quarter, then a flood; served in the flood are share percent.
func told(name string, share int, facts *Facts) []Frame {
	var out []Frame
	for i := range 41 {
		at := time.Duration(i) * 500 * time.Millisecond
		f := Frame{Name: name, Elapsed: at, Planned: 20 * time.Second, Site: Minute().Site, Shield: facts}
		f.Quiet.Served = 10 * min(i, 10)
		f.Origin.Concurrent = 2
		if i > 10 {
			f.Flooding = true
			steps := 10 * (i - 10)
			f.Flood = Steps{steps * share / 100, steps - steps*share/100}
			f.Attack.Offered = 2000 * (i - 10)
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
	bare := Result{
		Flood: Visitors{
			All: Tally{Served: 71, Late: 29, Failed: 272, P50: 2706 * time.Millisecond, P95: 3752 * time.Millisecond,
				Failures: map[string]int{"503": 257, "timeout": 15}},
			ByKind: map[string]Tally{"browser": {Served: 20, Failed: 169, P95: 4150 * time.Millisecond}, "office": {Failed: 3}},
		},
		Attack: AttackCounts{Offered: 76001, Answered: 542, Outcomes: map[string]int{"200": 542, "503": 67701, "timeout": 7373, "closed": 2}},
		Origin: OriginCounts{Requests: 77395, PeakConcurrent: 1038, PeakRate: 4621, ByClient: map[string]int{"bot": 76001}},
	}
	shielded := Result{
		Flood: Visitors{
			All:    Tally{Served: 402, P50: 31 * time.Millisecond, P95: 88 * time.Millisecond},
			ByKind: map[string]Tally{"browser": {Served: 201, P95: 90 * time.Millisecond}},
		},
		Attack: AttackCounts{Offered: 64000, Outcomes: map[string]int{"429": 64000}},
		Origin: OriginCounts{Requests: 900, PeakConcurrent: 8, PeakRate: 70},
	}
	shielded.Attack.Lag = 1500 * time.Millisecond
	var b bytes.Buffer
	c := Comparison{Story: Minute(), Bare: bare, Shielded: shielded, Shield: *facts()}
	if err := c.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	want := `
                      bare                         behind Seawall
visitors served       71 of 343 20.6 %             402 of 402 100.0 %
  at second try       29                           0
  p50 / p95           2.7 s / 3.8 s                31 ms / 88 ms
  failed because      503 257 · timeout 15         -
  browser             20 of 189 10.5 %    4.2 s    201 of 201 100.0 %  90 ms
  office              0 of 3 0.0 %                 -
  text browser        -                            -
  feed reader         -                            -
  api client          -                            -
  phone               -                            -
  crawler             -                            -

flood offered         76,001 requests              64,000 requests
  answered            542                          0
  outcomes            503 67,701 · other 7,917     429 64,000

origin got            77,395 requests              900 requests
  from bots           76,001                       0
  most at once        1,038                        8
  that fit            8                            8, budget 8
  most in a second    4,621                        70
  that fit            400 dynamic
answered by cache     -                            1,234
refused, and why      -                            59,013
                                                   rate limit            50,000
                                                   signature              9,000
                                                   budget                    12
                                                   list                       1

This machine was too busy for the drill: requests were sent up to 1.5 s late. Don't trust the figures.
`
	if d := cmp.Diff(strings.TrimPrefix(want, "\n"), b.String()); d != "" {
		t.Errorf("table (-want +got):\n%s", d)
	}
}
