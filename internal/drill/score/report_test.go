package score

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// madeUp is a report of an attack that is mitigated after 3 s, and of an event.
func madeUp(target string, served float64) Report {
	attack := play(proxy{
		attackPasses: stoppedAfter(3 * time.Second), refuses: Refused,
		serves: func(at time.Duration, _ bool) float64 {
			if at >= attackFrom && at < attackFrom+3*time.Second {
				return served
			}
			return 1
		},
	}, 1)
	event := play(proxy{attackPasses: always(0), serves: peopleAlways(1)}, 1)
	event.Scenario, event.Title, event.Group, event.Attack = "newsletter", "A newsletter goes out", Event, nil
	event.Spans = []Span{{Name: "readers", Event: true, From: Millis(attackFrom), Until: Millis(attackUntil)}}
	for i := range event.Samples {
		if s := &event.Samples[i]; s.At > attackFrom && s.Kind == "browser" {
			s.Event = true
		}
	}
	attack.Target, event.Target = target, target
	return NewReport(target, 1, []Result{Judge(attack), Judge(event)})
}

func TestTotals(t *testing.T) {
	// Margins of a mean: the square root of the sum of squares, by how many there are.
	attack := func(score, margin float64) Result {
		return Result{Group: Attack, Total: Total{Score: score, Margin: margin}}
	}
	event := func(score float64) Result { return Result{Group: Event, Total: Total{Score: score, Margin: 2}} }
	tests := []struct {
		name    string
		results []Result
		want    Totals
	}{
		{"none", nil, Totals{}},
		{"attacks", []Result{attack(40, 0), attack(80, 3)}, Totals{Mean{60, 1.5, 2}, Mean{}, Mean{60, 1.5, 2}}},
		{"events", []Result{event(40)}, Totals{Mean{}, Mean{40, 2, 1}, Mean{40, 2, 1}}},
		{"both groups count alike", []Result{attack(40, 0), event(100), attack(80, 3)}, Totals{Mean{60, 1.5, 2}, Mean{100, 2, 1}, Mean{80, 1.25, 3}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := NewReport("", 1, tt.results).Totals; got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestJSON keeps the names, which others' programs know.
func TestJSON(t *testing.T) {
	report := madeUp("made up", 0.5)
	var b bytes.Buffer
	if err := report.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	again, err := ReadJSON(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	for i := range report.Results { // to the microsecond, as JSON has them
		if got, want := again.Results[i].Total, report.Results[i].Total; got != want {
			t.Errorf("total: got %+v, want %+v", got, want)
		}
	}
	var tree map[string]any
	if err := json.Unmarshal(b.Bytes(), &tree); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	collect(names, "", tree)
	want := `
results.attack: answered failed mitigation offered reached refused
results.attack.mitigation: after_ms of_ms state
results.attack.reached: count high low of share
results.everyone: added after during quiet
results.everyone.added: borrows p50_ms p99_ms quiet
results.everyone.during: challenged failed late p50 p95 p99 refused served steps stuck why worth worth_error
results.everyone.during.p50: high_ms low_ms ms
results.generator: lag_ms limit missed withheld
results.origin: attacker busy overloaded peak turned_away unclear unknown visitor
results.site: backlog capacity workers
results.spans: event from_ms name until_ms
results.timeline: attack origin step_ms visitors
results.timeline.attack: answered failed offered refused
results.timeline.origin: attacker overloaded peak unknown visitor
results.timeline.visitors: added_p50_ms added_p95_ms p50_ms p95_ms refused served steps
results.total: kept less margin people score soon
results: attack comers everyone generator group kinds length_ms origin patience_ms scenario seed site spans target timeline title total
totals.attacks: margin of score
totals: attacks drill events
`
	if d := cmp.Diff(want, "\n"+summary(names, want)); d != "" {
		t.Errorf("names (-want +got):\n%s", d)
	}
}

// collect gathers the paths of all names.
func collect(names map[string]bool, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, child := range v {
			below := strings.TrimPrefix(path+"."+name, ".")
			names[below] = true
			collect(names, below, child)
		}
	case []any:
		for _, child := range v {
			collect(names, path, child)
		}
	}
}

// summary lists the names below the paths that want lists.
func summary(names map[string]bool, want string) string {
	var out strings.Builder
	for line := range strings.Lines(strings.TrimSpace(want)) {
		path, _, _ := strings.Cut(line, ":")
		var children []string
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if rest, below := strings.CutPrefix(name, path+"."); below && !strings.Contains(rest, ".") {
				children = append(children, rest)
			}
		}
		out.WriteString(path + ": " + strings.Join(children, " ") + "\n")
	}
	return out.String()
}

func TestReadJSONRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"nothing", "", "report: EOF"},
		{"another version", `{"version": 2}`, "report: version 2, want 1"},
		{"a duration in words", `{"version":1,"results":[{"length_ms":"1s"}]}`, `want a number of milliseconds`},
		{"a duration without end", `{"version":1,"results":[{"length_ms":1e300}]}`, `want a number of milliseconds`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ReadJSON(strings.NewReader(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestMillis(t *testing.T) {
	tests := []struct {
		d    time.Duration
		want string
	}{
		{0, "0"}, {time.Second, "1000"}, {1500 * time.Microsecond, "1.5"}, {1499 * time.Nanosecond, "0.001"}, {-time.Minute, "-60000"},
	}
	for _, tt := range tests {
		got, err := json.Marshal(Millis(tt.d))
		if err != nil || string(got) != tt.want {
			t.Errorf("%v: got %s, %v; want %s", tt.d, got, err, tt.want)
		}
	}
}

// full is a disk without room.
type full struct{}

var errFull = errors.New("no room")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWritingFails(t *testing.T) {
	r := madeUp("made up", 1)
	for name, err := range map[string]error{
		"JSON": r.WriteJSON(full{}), "table": r.WriteTable(full{}), "overview": r.WriteSVG(full{}), "comparison": Compare(full{}, r),
		"table of a scenario": r.Results[0].WriteTable(full{}), "picture": r.Results[0].WriteSVG(full{}),
	} {
		if !errors.Is(err, errFull) {
			t.Errorf("%s: got %v, want %v", name, err, errFull)
		}
	}
}
