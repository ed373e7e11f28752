package snapshot

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/admission"
	"github.com/seawall/seawall/internal/cache"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/origin"
	"github.com/seawall/seawall/internal/record"
	"github.com/seawall/seawall/internal/response"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/verdict"
	"github.com/seawall/seawall/internal/zone"
	"github.com/seawall/seawall/reqid"
)

func newSnapshot(t testing.TB) *Snapshot {
	t.Helper()
	n := spec.DefaultNode()
	n.Cache, n.Log.Ring = spec.Memory{Size: 1 << 20, Object: 1 << 18}, 1
	records, err := record.New(&n, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	objects, err := cache.New(&n)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(&zone.Rooms{
		Verdict: verdict.New(&n), Cache: objects, Admission: admission.New(&n), Origin: origin.New(&n),
		Response: response.New(&n, reqid.NewSealer([32]byte{})), Record: records,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// site is a zone's spec; its hosts are separated by spaces.
func site(name, hosts string) spec.Zone {
	z := spec.DefaultZone()
	z.Name, z.Hosts, z.Origin.Servers = name, strings.Fields(hosts), spec.OneServer("http://localhost")
	return z
}

// broken is a zone's spec that does not compile.
func broken(name, hosts string) spec.Zone {
	z := site(name, hosts)
	z.Origin.Servers = spec.OneServer("nonsense")
	return z
}

// inForce tells which zone has which of the hosts, and checks that Each agrees.
func inForce(t *testing.T, s *Snapshot, hosts ...string) map[string]string {
	t.Helper()
	got, names := map[string]string{}, map[string]int{}
	for _, h := range hosts {
		if z := s.Zones().Lookup(h); z != nil {
			got[h] = z.Name()
		}
	}
	s.Each(func(z *zone.Zone) { names[z.Name()]++ })
	for _, name := range got {
		if names[name] != 1 {
			t.Errorf("Each visits zone %s %d times, want once", name, names[name])
		}
	}
	if names[Unserved] != 1 {
		t.Errorf("Each visits what is not served %d times, want once", names[Unserved])
	}
	return got
}

func TestApply(t *testing.T) {
	tests := []struct {
		name     string
		applied  [][]spec.Zone
		want     map[string]string // of the hosts a to e
		problems []string          // of the last
	}{
		{"nothing", nil, map[string]string{}, nil},
		{"zones", [][]spec.Zone{{site("one", "a b"), site("two", "c")}},
			map[string]string{"a": "one", "b": "one", "c": "two"}, nil},
		{"replaced whole", [][]spec.Zone{{site("one", "a b"), site("two", "c")}, {site("one", "b"), site("three", "c d")}},
			map[string]string{"b": "one", "c": "three", "d": "three"}, nil},
		{"removed", [][]spec.Zone{{site("one", "a"), site("two", "b")}, {site("two", "b")}},
			map[string]string{"b": "two"}, nil},
		{"bad from the start", [][]spec.Zone{{broken("one", "a"), site("two", "b")}},
			map[string]string{"b": "two"}, []string{"zone one: "}},
		{"bad later, hosts included", [][]spec.Zone{{site("one", "a b"), site("two", "c")}, {broken("one", "a d"), site("two", "c e")}},
			map[string]string{"a": "one", "b": "one", "c": "two", "e": "two"}, []string{"zone one: "}},
		{"bad twice", [][]spec.Zone{{site("one", "a")}, {broken("one", "b")}, {broken("one", "c")}},
			map[string]string{"a": "one"}, []string{"zone one: "}},
		{"bad and then gone", [][]spec.Zone{{site("one", "a")}, {broken("one", "a")}, {}}, map[string]string{}, nil},
		{"mended", [][]spec.Zone{{site("one", "a")}, {broken("one", "a")}, {site("one", "b")}}, map[string]string{"b": "one"}, nil},
		{"two want a free host", [][]spec.Zone{{site("one", "a"), site("two", "a b")}},
			map[string]string{"a": "one"}, []string{`zone two: hosts: "a" already belongs to zone one`}},
		{"a newcomer wants what another has", [][]spec.Zone{{site("two", "b")}, {site("one", "a b"), site("two", "b")}},
			map[string]string{"b": "two"}, []string{`zone one: hosts: "b" already belongs to zone two`}},
		{"a neighbour wants what another has", [][]spec.Zone{{site("one", "a"), site("two", "b")}, {site("one", "b c"), site("two", "b")}},
			map[string]string{"a": "one", "b": "two"}, []string{`zone one: hosts: "b" already belongs to zone two`}},
		{"a host changes hands", [][]spec.Zone{{site("one", "a b"), site("two", "c")}, {site("two", "b c"), site("one", "a")}},
			map[string]string{"a": "one", "b": "two", "c": "two"}, nil},
		{"hosts are swapped", [][]spec.Zone{{site("one", "a"), site("two", "b")}, {site("one", "b"), site("two", "a")}},
			map[string]string{"a": "two", "b": "one"}, nil},
		{"a host is given up by a zone that is refused", [][]spec.Zone{
			{site("one", "a b"), site("two", "c"), site("three", "d")},
			{site("two", "b c"), site("one", "a d"), site("three", "d")},
		}, map[string]string{"a": "one", "b": "one", "c": "two", "d": "three"},
			[]string{`zone one: hosts: "d" already belongs to zone three`, `zone two: hosts: "b" already belongs to zone one`}},
		{"no host at all", [][]spec.Zone{{site("one", "a")}, {site("one", "a http://b")}},
			map[string]string{"a": "one"}, []string{`zone one: hosts: "http://b" is no host`}},
		{"two of a name", [][]spec.Zone{{site("one", "a"), site("one", "b")}},
			map[string]string{"a": "one"}, []string{`zone "one" with hosts ["b"]: want a name of its own`}},
		{"no name", [][]spec.Zone{{site("", "a")}}, map[string]string{}, []string{`zone "" with hosts ["a"]: want a name of its own`}},
		{"the name of what is not served", [][]spec.Zone{{site("-", "a")}}, map[string]string{}, []string{`want a name of its own`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSnapshot(t)
			var problems []error
			for _, specs := range tt.applied {
				problems = s.Apply(specs)
			}
			if diff := cmp.Diff(tt.want, inForce(t, s, "a", "b", "c", "d", "e")); diff != "" {
				t.Errorf("zones in force (-want +got):\n%s", diff)
			}
			if len(problems) != len(tt.problems) {
				t.Fatalf("got problems %v, want %q", problems, tt.problems)
			}
			for i, p := range problems {
				if !strings.Contains(p.Error(), tt.problems[i]) {
					t.Errorf("got problem %q, want %q", p, tt.problems[i])
				}
			}
		})
	}
}

// TestStateOutlivesApply: what is under way at a zone's origin counts on when its configuration changes.
func TestStateOutlivesApply(t *testing.T) {
	s := newSnapshot(t)
	if err := errors.Join(s.Apply([]spec.Zone{site("one", "a")})...); err != nil {
		t.Fatal(err)
	}
	before := s.Zones().Lookup("a")
	f := &flow.Flow{Abort: new(flow.Abort)}
	before.Admission.Admit(f)
	defer f.Admission.Lease.Release()
	changed := site("one", "b")
	changed.Budget.Concurrent++
	if err := errors.Join(s.Apply([]spec.Zone{changed})...); err != nil {
		t.Fatal(err)
	}
	after := s.Zones().Lookup("b")
	if before == after {
		t.Error("got the same zone, want a new one")
	}
	if got, want := after.Admission.Load(), (admission.Load{Concurrent: 1}); got != want {
		t.Errorf("got load %+v, want %+v", got, want)
	}
}

// TestReadersSeeWholeSets: whoever reads while sets are replaced sees one of them and no mixture.
func TestReadersSeeWholeSets(t *testing.T) {
	s := newSnapshot(t)
	var hosts []string
	for i := range 5 {
		hosts = append(hosts, fmt.Sprintf("host%d", i))
	}
	specs := map[string][]spec.Zone{}
	for _, name := range []string{"even", "odd"} {
		for i, h := range hosts {
			specs[name] = append(specs[name], site(fmt.Sprintf("%s%d", name, i), h))
		}
	}
	if err := errors.Join(s.Apply(specs["odd"])...); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				set, seen := s.Zones(), map[string]bool{}
				for _, h := range hosts {
					seen[strings.TrimRight(set.Lookup(h).Name(), "0123456789")] = true
				}
				if len(seen) != 1 {
					t.Errorf("got a set of %v, want one of even and odd", seen)
				}
				visited := 0
				s.Each(func(*zone.Zone) { visited++ })
				if visited != len(hosts)+1 {
					t.Errorf("Each visited %d zones, want %d", visited, len(hosts)+1)
				}
			}
		})
	}
	var writers sync.WaitGroup
	for _, name := range []string{"even", "odd"} {
		writers.Go(func() {
			for range 50 {
				if err := errors.Join(s.Apply(specs[name])...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
}

// TestKeep: a zone that could not be read keeps its last good form, and one that is named twice is what is wanted of it now.
func TestKeep(t *testing.T) {
	s := newSnapshot(t)
	if problems := s.Apply([]spec.Zone{site("a", "a.test"), site("b", "b.test"), site("c", "c.test")}); len(problems) > 0 {
		t.Fatal(problems)
	}
	if problems := s.Apply([]spec.Zone{site("b", "new.test")}, "a", "b", "a", "never"); len(problems) > 0 {
		t.Fatal(problems)
	}
	want := map[string]string{"a.test": "a", "new.test": "b"}
	if diff := cmp.Diff(want, inForce(t, s, "a.test", "b.test", "new.test", "c.test", "never.test")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	var names []string
	for _, z := range s.Specs() {
		names = append(names, z.Name+" "+z.Hosts[0])
	}
	if diff := cmp.Diff([]string{"a a.test", "b new.test"}, names); diff != "" {
		t.Errorf("specs: -want +got:\n%s", diff)
	}
}

// TestUnchanged: what is as it was is not compiled again, and who changes its spec afterwards changes nothing in force.
func TestUnchanged(t *testing.T) {
	s := newSnapshot(t)
	specs := []spec.Zone{site("a", "a.test"), site("b", "b.test")}
	s.Apply(specs)
	a, b := s.Zones().Lookup("a.test"), s.Zones().Lookup("b.test")
	specs[1].Limits.Requests.Burst++
	s.Apply(specs)
	if s.Zones().Lookup("a.test") != a {
		t.Error("the zone that is as it was was compiled again")
	}
	if s.Zones().Lookup("b.test") == b {
		t.Error("the zone that changed was not compiled again")
	}
	specs[0].Hosts[0] = "other.test"
	if got := s.Specs()[0].Hosts[0]; got != "a.test" {
		t.Errorf("got host %s in force, want a.test", got)
	}
}

// BenchmarkApply puts a thousand zones in force again after one has changed.
func BenchmarkApply(b *testing.B) {
	s := newSnapshot(b)
	specs := make([]spec.Zone, 1000)
	for i := range specs {
		specs[i] = site(fmt.Sprint("zone", i), fmt.Sprintf("a%d.test www.a%d.test", i, i))
	}
	s.Apply(specs)
	b.ReportAllocs()
	for b.Loop() {
		specs[500].Limits.Requests.Burst++
		if problems := s.Apply(specs); len(problems) > 0 {
			b.Fatal(problems)
		}
	}
}
