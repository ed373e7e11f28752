package score

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestReportTable(t *testing.T) {
	r := madeUp("Seawall, defaults", 0.5)
	r.Results[0].Notes = []string{"the generator, not the target, was the limit: requests were sent up to 251 ms late, which is too much"}
	var b bytes.Buffer
	if err := r.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	want := `
Seawall, defaults                                                                             seed 1

attacks                       total  served  refused  challenged  failed     +p99   origin mitigated
search-flood !                 90.2  95.3 %    4.7 %         0 %     0 %   +18 ms   10.8 %  in 3.0 s
mean of 1 scenario             90.2   ± 0.8

events                        total  served  refused  challenged  failed     +p99
newsletter                    100.0   100 %      0 %         0 %     0 %   +18 ms
mean of 1 scenario            100.0   ± 0.3

drill                          95.1   ± 0.4

! search-flood: the generator, not the target, was the limit: requests were sent up to 251 ms late,
  which is too much
`
	if d := cmp.Diff(want, "\n"+b.String()); d != "" {
		t.Errorf("table (-want +got):\n%s", d)
	}
}

func TestResultTable(t *testing.T) {
	for i, want := range []string{`
search-flood: A flood of searches from 5,000 addresses                             90.2 ± 0.8 of 100
Seawall, defaults, seed 1, flood from 8 s to 36 s

attack      44,800 offered, 4,800 answered, 40,000 refused, 0 failed
            429 40,000 · 200 4,700 · closed 50 · 503 30 · refused 10 · other 17
at origin   4,800 of it, 10.8 % (10.4–11.0 %), mitigated: in 3.0 s
origin got  2,560 from visitors, 4,800 from attackers, 0 from others
            at most 43 at once, 8 fit: more in 9.4 % of the time; turned 0 away
total       90.2 = 100 × people 0.953 × (1 + kept 0.893) / 2, kept = (less 0.893 + soon 0.893) / 2

visitors           steps  served         95 %  refused challenged  failed      p50     +p50     +p99
everyone           2,580  95.3 %  94.4–96.1 %    4.7 %        0 %     0 %    40 ms    +1 ms   +18 ms
  browser            512  96.4 %  94.5–97.8 %    3.6 %        0 %     0 %    40 ms     0 ms     0 ms
  carrier            515  95.5 %  93.4–97.0 %    4.5 %        0 %     0 %    60 ms     0 ms     0 ms
  download           527  94.6 %  92.4–96.3 %    5.4 %        0 %     0 %   882 ms   -18 ms    +9 ms
  feed               513  94.9 %  92.7–96.5 %    5.1 %        0 %     0 %    10 ms     0 ms     0 ms
  git                513  94.9 %  92.7–96.5 %    5.1 %        0 %     0 %    25 ms    +1 ms    +1 ms
because     429 121
first       browser at 127.20.1.2: GET /: 429
            git at 127.20.1.3: a long story a long story a long story a long story a long story a l…
            3
            4
`, `
newsletter: A newsletter goes out                                                 100.0 ± 0.3 of 100
Seawall, defaults, seed 1, readers from 8 s to 36 s

origin got  2,560 from visitors, 0 from attackers, 0 from others
            at most 3 at once, 8 fit: more in 0 % of the time; turned 0 away
total       100.0 = 100 × people 1.000

visitors           steps  served         95 %  refused challenged  failed      p50     +p50     +p99
everyone           2,580   100 % 99.9–100.0 %      0 %        0 %     0 %    40 ms    +1 ms   +18 ms
  browser              -
  carrier            515   100 % 99.3–100.0 %      0 %        0 %     0 %    60 ms     0 ms     0 ms
  download           527   100 % 99.3–100.0 %      0 %        0 %     0 %   882 ms   -18 ms    +9 ms
  feed               513   100 % 99.3–100.0 %      0 %        0 %     0 %    10 ms     0 ms     0 ms
  git                513   100 % 99.3–100.0 %      0 %        0 %     0 %    25 ms    +1 ms    +1 ms
who came
  browser            512   100 % 99.3–100.0 %      0 %        0 %     0 %    40 ms     0 ms     0 ms
`} {
		r := madeUp("Seawall, defaults", 0.5).Results[i]
		if r.Group == Attack {
			r.Attack.Outcomes = map[string]int{"429": 40000, "200": 4700, "closed": 50, "503": 30, "timeout": 10, "refused": 10, "404": 7}
			r.Failures = []string{"browser at 127.20.1.2: GET /: 429", "git at 127.20.1.3: " + strings.Repeat("a long story ", 10), "3", "4", "5"}
		}
		var b bytes.Buffer
		if err := r.WriteTable(&b); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, "\n"+b.String()); d != "" {
			t.Errorf("table of %s (-want +got):\n%s", r.Scenario, d)
		}
	}
}

// TestTableFits: 100 columns, however long the names and large the figures.
func TestTableFits(t *testing.T) {
	long := strings.Repeat("långt ", 40)
	r := madeUp(long, 0)
	for i := range r.Results {
		s := &r.Results[i]
		s.Scenario, s.Title, s.Attack.Offered, s.Attack.Refused, s.Origin.Visitor = long, long, 1e8, 1e8, 1e8
		s.Everyone.During.Steps = maxSamples
		s.Everyone.Added = Added{P50: Millis(-9 * time.Second), P99: Millis(59 * time.Second), Quiet: 5, Borrows: true}
		s.Kinds[long] = s.Everyone
	}
	var b bytes.Buffer
	for _, write := range []func() error{
		func() error { return r.WriteTable(&b) }, func() error { return r.Results[0].WriteTable(&b) }, func() error { return r.Results[1].WriteTable(&b) },
	} {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	for line := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > tableWidth {
			t.Errorf("%d columns, want %d at most: %s", n, tableWidth, line)
		}
	}
}
