package score

import (
	"encoding/json"
	"fmt"
	"io"
)

// formatVersion is that of a report as JSON. It grows when a name in it changes its meaning or goes.
const formatVersion = 1

// maxReport bounds what ReadJSON reads, in bytes: a hundred scenarios of a minute.
const maxReport = 64 << 20

// Mean is a mean of scores.
type Mean struct {
	Score  float64 `json:"score"`  // 0 to 100; of none, 0
	Margin float64 `json:"margin"` // as in Total
	Of     int     `json:"of"`     // scenarios
}

// Totals are the scores of a whole drill: the mean of its attacks, that of its events, and the mean of both, or the one
// there is.
type Totals struct {
	Attacks Mean `json:"attacks"`
	Events  Mean `json:"events"`
	Drill   Mean `json:"drill"`
}

// Report is a drill against one target.
type Report struct {
	Version int      `json:"version"`
	Target  string   `json:"target"`
	Seed    uint64   `json:"seed"` // of all scenarios; 0: each has its own
	Totals  Totals   `json:"totals"`
	Results []Result `json:"results"`
}

// NewReport puts the results of one target together, in the order in which they are shown.
func NewReport(target string, seed uint64, results []Result) Report {
	return Report{Version: formatVersion, Target: target, Seed: seed, Totals: totalsOf(results), Results: results}
}

func totalsOf(results []Result) Totals {
	var attacks, events, both []Mean
	for _, r := range results {
		m := Mean{r.Total.Score, r.Total.Margin, 1}
		if r.Group == Event {
			events = append(events, m)
		} else {
			attacks = append(attacks, m)
		}
	}
	t := Totals{Attacks: meanOf(attacks), Events: meanOf(events)}
	for _, m := range []Mean{t.Attacks, t.Events} {
		if m.Of > 0 {
			both = append(both, m)
		}
	}
	t.Drill = meanOf(both)
	return t
}

func meanOf(means []Mean) Mean {
	var scores, margins []float64
	of := 0
	for _, m := range means {
		scores, margins, of = append(scores, m.Score), append(margins, m.Margin), of+m.Of
	}
	return Mean{mean(scores), errorOfMean(margins), of}
}

func (m Mean) String() string { return fmt.Sprintf("%.1f ± %.1f", m.Score, m.Margin) }

// WriteJSON writes the report. Names are stable within a version; durations are numbers of milliseconds, and shares are
// from 0 to 1.
func (r Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("report as JSON: %w", err)
	}
	return nil
}

// ReadJSON reads what WriteJSON wrote, up to 64 MiB.
func ReadJSON(from io.Reader) (Report, error) {
	var r Report
	if err := json.NewDecoder(io.LimitReader(from, maxReport)).Decode(&r); err != nil {
		return Report{}, fmt.Errorf("report: %w", err)
	}
	if r.Version != formatVersion {
		return Report{}, fmt.Errorf("report: version %d, want %d", r.Version, formatVersion)
	}
	return r, nil
}
