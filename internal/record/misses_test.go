package record

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/flow"
)

func TestMisses(t *testing.T) {
	r := &Room{shards: make([]shard, 2)}
	for i := range r.shards {
		r.shards[i].ring = newRing(1 << 20)
	}
	site, other := policy(t, r, "site"), policy(t, r, "other")
	n := uint32(0)
	add := func(p *Policy, target string, change func(*flow.Flow)) string {
		f := hit()
		f.Cache = flow.Cache{}
		f.Origin.Attempts, f.Response.Bytes = 1, 10
		f.Request.Target = target
		if change(f); f.Cache.Status == flow.Hit {
			f.Origin.Attempts = 0
		}
		n++
		f.Request.ID, f.Conn.Shard, f.Zone = idOf(n), n, zone(p.zone)
		p.Add(f)
		return string(f.Request.ID.Append(nil))
	}
	miss := func(reason string) func(*flow.Flow) {
		return func(f *flow.Flow) { f.Cache.Status, f.Cache.Reason = flow.Miss, reason }
	}
	answered := func(f *flow.Flow) { f.Cache.Status = flow.Hit }
	add(site, "/a?1", miss("response says no-store"))
	newest := add(site, "/a?2", miss("response says no-store"))
	add(site, "/a", miss("nothing stored"))
	bypass := add(site, "/b", func(f *flow.Flow) { f.Cache.Reason = "a rule of the zone" })
	add(site, "/b", answered)
	add(site, "/c", func(f *flow.Flow) { f.Cache.Status, f.Cache.Collapsed = flow.Miss, true })
	add(site, "/d", func(f *flow.Flow) { f.Verdict.Refusal = &flow.Refusal{Reason: flow.Denied, Status: 403} })
	elsewhere := add(other, "/e", miss("nothing stored"))

	host := hit().Request.Host
	got := r.Misses("site", 2)
	want := Misses{Requests: 6, Hits: 2, Bytes: 60, HitBytes: 20, Top: []MissedPage{
		{Host: host, Path: "/a", Cache: "miss", Reason: "response says no-store", Count: 2, Example: newest},
		{Host: host, Path: "/a", Cache: "miss", Reason: "nothing stored", Count: 1, Example: got.Top[1].Example},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("site (-want +got):\n%s", diff)
	}
	all := r.Misses("", 10)
	if len(all.Top) != 4 || all.Top[2].Example != bypass || all.Top[3].Example != elsewhere || all.Requests != 7 {
		t.Errorf("all zones: got %+v", all)
	}
	if got := r.Misses("none", 10); got.Requests != 0 || len(got.Top) != 0 {
		t.Errorf("no such zone: got %+v", got)
	}
}
