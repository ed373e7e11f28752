package drill

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/drill/scenario"
	"github.com/seawall/seawall/internal/drill/scenario/network"
)

func TestSeatsOf(t *testing.T) {
	cast := []role{{name: "a"}, {name: "b"}, {name: "c"}, {name: "d"}}
	some := map[string]float64{"a": 5, "b": 3, "c": 2}
	tests := []struct {
		name  string
		count int
		kinds map[string]float64
		want  []int
	}{
		{"by weight", 10, some, []int{5, 3, 2, 0}},
		{"the rest to whom most is owed", 9, some, []int{4, 3, 2, 0}},
		{"one each", 3, some, []int{1, 1, 1, 0}},
		{"fewer than kinds", 2, some, []int{1, 1, 0, 0}},
		{"one", 1, some, []int{1, 0, 0, 0}},
		{"by other weights", 8, map[string]float64{"c": 3, "d": 1}, []int{0, 0, 6, 2}},
		{"a small weight", 100, map[string]float64{"a": 1, "b": 0.0001}, []int{99, 1, 0, 0}},
		{"nobody", 5, map[string]float64{"x": 1}, []int{0, 0, 0, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := seatsOf(cast, &scenario.Visitors{Count: tt.count, Kinds: tt.kinds})
			if !slices.Equal(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

// So many visitors are there at any moment, each kind in its share, and all stories with one seed are the same.
func TestPlanStory(t *testing.T) {
	s := everybody()
	s.Visitors.Count, s.Length = 200, 20*time.Second
	story := planStory(s)
	unexported := cmp.AllowUnexported(stay{}, role{}, netip.Addr{})
	ignore := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".role" }, cmp.Ignore())
	if d := cmp.Diff(story, planStory(s), unexported, ignore, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
		t.Fatalf("two plans of one scenario differ:\n%s", d)
	}
	if !slices.IsSortedFunc(story, func(a, b stay) int { return int(a.moments[0] - b.moments[0]) }) {
		t.Error("stays are not in the order of their beginnings")
	}
	seen := map[uint64]bool{}
	for _, st := range story {
		if seen[st.stream] {
			t.Fatalf("two persons have the random numbers of stream %#x", st.stream)
		}
		seen[st.stream] = true
		if !slices.IsSorted(st.moments) || st.moments[len(st.moments)-1] >= s.Length || !st.source.IsLoopback() {
			t.Errorf("%s from %s at %v", st.role.name, st.source, st.moments)
		}
	}
	// A person is there from their first errand to the pause after the last: think time, in the mean.
	there := 0.0
	for _, st := range story {
		last := st.moments[len(st.moments)-1]
		there += (min(last+time.Duration(st.role.think*float64(s.Visitors.Think)), s.Length) - st.moments[0]).Seconds()
	}
	if mean := there / s.Length.Seconds(); mean < 185 || mean > 200 {
		t.Errorf("%.0f visitors in the mean, want just under 200", mean)
	}
}

func TestArrivals(t *testing.T) {
	const length = 60 * time.Second
	tests := []struct {
		name  string
		event scenario.Event
		want  [3]int // in each third of the scenario
	}{
		{"steady", scenario.Event{Until: length, Arrivals: 100, Shape: scenario.Shape{Kind: scenario.Steady}}, [3]int{2000, 2000, 2000}},
		{"open end", scenario.Event{From: 20 * time.Second, Arrivals: 100, Shape: scenario.Shape{Kind: scenario.Steady}}, [3]int{0, 2000, 2000}},
		{"ramp", scenario.Event{Until: length, Arrivals: 100, Shape: scenario.Shape{Kind: scenario.Ramp}}, [3]int{333, 1000, 1667}},
		{"pulse", scenario.Event{From: 10 * time.Second, Until: 50 * time.Second, Arrivals: 100,
			Shape: scenario.Shape{Kind: scenario.Pulse, On: 10 * time.Second, Off: 20 * time.Second}}, [3]int{1000, 0, 1000}},
		{"none", scenario.Event{Until: length, Shape: scenario.Shape{Kind: scenario.Steady}}, [3]int{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got [3]int
			for at := range arrivals(rand.New(rand.NewPCG(1, 2)), &tt.event, length) {
				got[at/(length/3)]++
			}
			for i, n := range got {
				if off := n - tt.want[i]; off < -120 || off > 120 || (tt.want[i] == 0 && n > 0) {
					t.Errorf("arrivals in thirds: %v, want about %v", got, tt.want)
					break
				}
			}
		})
	}
}

func TestPlaces(t *testing.T) {
	all := map[string]*role{}
	cast := roles()
	for i := range cast {
		all[cast[i].name] = &cast[i]
	}
	tests := []struct {
		name      string
		role      *role
		networks  []string
		countries []string
		addresses int
		least     int // addresses
		most      int
		kinds     []network.Kind
	}{
		{"browser", all["browser"], nil, nil, 0, 900, 1000, []network.Kind{network.Residential, network.University}},
		{"office", all["office"], nil, nil, 0, 1, 1, []network.Kind{network.Office}},
		{"carrier", all["carrier"], nil, nil, 0, 4, 4, []network.Kind{network.Mobile}},
		{"tor", all["tor"], nil, nil, 0, 8, 8, []network.Kind{network.Tor}},
		{"monitor", all["monitor"], nil, nil, 0, 3, 3, []network.Kind{network.Crawler, network.Hosting}},
		{"crawler", all["crawler"], nil, []string{"FR"}, 0, 4, 4, []network.Kind{network.Crawler}},
		{"preview", all["preview"], []string{"crawler"}, nil, 0, 400, 510, []network.Kind{network.Crawler}},
		{"classroom", all["office"], []string{"university"}, nil, 2, 2, 2, []network.Kind{network.University}},
		{"abroad", all["browser"], []string{"cloud"}, []string{"KE"}, 0, 900, 1000, []network.Kind{network.Cloud}},
		{"at home", all["browser"], nil, []string{"FR"}, 0, 900, 1000, []network.Kind{network.Residential, network.University}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlaces(rand.New(rand.NewPCG(3, 4)), tt.role, tt.networks, tt.countries, tt.addresses)
			rng, seen := rand.New(rand.NewPCG(5, 6)), map[netip.Addr]bool{}
			for n := range 1000 {
				a := p.draw(rng, n)
				seen[a] = true
				home, ok := network.Of(a)
				if !ok || !slices.Contains(tt.kinds, home.Kind) || (tt.name == "at home" && home.Country != "FR") {
					t.Fatalf("%s is of %s in %s", a, home.Kind, home.Country)
				}
			}
			if homes := tt.role.homes; len(homes) > 0 {
				for a := range seen {
					if home, _ := network.Of(a); !slices.Contains(homes, home.Name) {
						t.Errorf("%s is of %s, want one of %q", a, home.Name, homes)
					}
				}
			}
			if len(seen) < tt.least || len(seen) > tt.most {
				t.Errorf("%d addresses, want %d to %d", len(seen), tt.least, tt.most)
			}
		})
	}
}

func BenchmarkPlanStory(b *testing.B) {
	s := everybody()
	s.Visitors.Count, s.Length = 2000, time.Minute
	b.ReportAllocs()
	for b.Loop() {
		if len(planStory(s)) < 2000 {
			b.Fatal("too few")
		}
	}
}
