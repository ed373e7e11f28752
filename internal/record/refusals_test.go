package record

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seawall/seawall/internal/flow"
)

// mixed is a room with two rings, each of which takes several pieces to read, after flows of three zones have gone through it. One in
// seven was refused, but of the zone "calm" only those before a number.
func mixed(t testing.TB, flows, calmUntil int) *Room {
	r := &Room{shards: make([]shard, 2)}
	for i := range r.shards {
		r.shards[i].ring = newRing(3*findStep + 1000)
	}
	var policies []*Policy
	for _, name := range []string{"attacked", "calm", `"quoted"`} {
		policies = append(policies, policy(t, r, name))
	}
	for i := range flows {
		p := policies[i%len(policies)]
		f := hit()
		if i%7 == 0 && (p.zone != "calm" || i < calmUntil) {
			f = refused(&flow.Refusal{Reason: flow.RequestLimit, Status: 429, Rule: "limits.requests", Detail: strings.Repeat("x", i%50)})
		}
		f.Request.ID, f.Conn.Shard, f.Zone = idOf(uint32(i)), uint32(i/5), zone(p.zone)
		p.Add(f)
	}
	return r
}

// refusals are all that the rings have, found the slow way: their ids by zone, the newest first.
func refusals(r *Room) map[string][]string {
	ids := make(map[string][]string)
	for i := range r.shards {
		ring := &r.shards[i].ring
		text := string(ring.appendRange(nil, ring.oldest(), ring.written))
		for line := range strings.Lines(text) {
			e, err := Parse([]byte(line))
			if err == nil && e.Refusal != "" {
				ids[""], ids[e.Zone] = append(ids[""], e.ID), append(ids[e.Zone], e.ID)
			}
		}
	}
	for _, list := range ids {
		slices.Sort(list)
		slices.Reverse(list)
	}
	return ids
}

func TestRefusals(t *testing.T) {
	for _, flows := range []int{0, 1, 100, 4000} {
		t.Run(fmt.Sprintf("%d flows", flows), func(t *testing.T) {
			r := mixed(t, flows, 2500)
			all := refusals(r)
			for _, zone := range []string{"", "calm", `"quoted"`, "attack"} {
				for _, n := range []int{-1, 1, 10, MostRefusals + 1} {
					var got []string
					for _, e := range r.Refusals(zone, n) {
						got = append(got, e.ID)
					}
					want := all[zone][:min(max(n, 0), len(all[zone]), MostRefusals)]
					if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
						t.Errorf("%d of zone %q: -want +got:\n%s", n, zone, diff)
					}
				}
			}
		})
	}
}

// TestRefusalsAreWhole: what is found tells as much as Find does.
func TestRefusalsAreWhole(t *testing.T) {
	r := newRoom(t, nil)
	f := refused(&flow.Refusal{Reason: flow.Denied, Status: 403, Rule: "lists.deny", Detail: "198.51.100.0/24"})
	policy(t, r, "example").Add(f)
	line, _ := r.Find(f.Request.ID.String())
	want, err := Parse(line)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Entry{want}, r.Refusals("example", 5)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestRefusalsAmongWriters: a ring that is written meanwhile yields whole lines, each once.
func TestRefusalsAmongWriters(t *testing.T) {
	r := mixed(t, 4000, 0)
	p := policy(t, r, "attacked")
	var writing sync.WaitGroup
	for shard := range uint32(2) {
		writing.Go(func() {
			f := refused(&flow.Refusal{Reason: flow.Denied, Status: 403, Rule: "lists.deny"})
			f.Conn.Shard = shard
			for i := range uint32(5000) {
				f.Request.ID = idOf(100_000*(shard+1) + i)
				p.Add(f)
			}
		})
	}
	for range 5 {
		entries := r.Refusals("", MostRefusals)
		if len(entries) < 100 || len(entries) > MostRefusals {
			t.Errorf("got %d, want some hundreds", len(entries))
		}
		for i, e := range entries {
			if e.Refusal == "" || i > 0 && e.ID >= entries[i-1].ID {
				t.Fatalf("got %q with refusal %q at %d, want the newest first", e.ID, e.Refusal, i)
			}
		}
	}
	writing.Wait()
	if got := len(r.Refusals("", MostRefusals+1)); got != MostRefusals {
		t.Errorf("got %d, want %d", got, MostRefusals)
	}
}

// BenchmarkRefusals looks for those of a zone that has none, in 16 MiB.
func BenchmarkRefusals(b *testing.B) {
	r := &Room{shards: make([]shard, 1)}
	r.shards[0].ring = newRing(16 << 20)
	p := policy(b, r, "example")
	for i := range 30_000 {
		f := hit()
		f.Request.ID = idOf(uint32(i))
		p.Add(f)
	}
	b.ReportAllocs()
	for b.Loop() {
		if got := r.Refusals("example", 10); len(got) != 0 {
			b.Fatalf("got %d", len(got))
		}
	}
}
