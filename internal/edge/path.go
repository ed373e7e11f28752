// Package edge is the corridor: the one place that says in which order a request passes the rooms.
//
//	packet → conn → hello → request → zone → verdict → cache → admission → origin → response → record
//
// Conn and hello hand bytes to a session of request, which calls [Path.Decide] for each flow and, where that left it,
// [Path.Fulfil].
package edge

import (
	"net/http"
	"strings"

	"github.com/seawall/seawall/internal/cache"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/snapshot"
	"github.com/seawall/seawall/internal/zone"
)

// Path is a node's corridor.
type Path struct {
	// Challenge, unless nil, knows the answer to an ACME authority that asks over HTTP for a path of a host (RFC 8555 §8.3). It is
	// set before the first flow, and never waits.
	Challenge func(host, path string) (answer string, ok bool)

	// Fault, unless nil, is told of a panic in what goes on behind an answer. It is set before the first flow.
	Fault func(value any)

	snapshot *snapshot.Snapshot
	ahead    ahead
}

// New makes the corridor to the zones in force.
func New(s *snapshot.Snapshot) *Path { return &Path{snapshot: s} }

// Decide answers what can be answered at once: refusals and what the cache has. It never waits. It reports false for a flow that is
// left for Fulfil.
func (p *Path) Decide(f *flow.Flow) bool {
	z := p.snapshot.Zones().Enter(f)
	if f.Refusal() == nil && !p.challenged(f) {
		z.Verdict.Judge(f)
	}
	if f.Refusal() == nil && f.Message() == nil {
		z.Cache.Lookup(f)
	}
	if f.Refusal() == nil && f.Message() == nil {
		return false
	}
	finish(z, f)
	if f.Cache.Refresh {
		p.refresh(z, f)
	}
	return true
}

// challenged answers an authority's challenge. It comes before the verdict: no list, limit or redirect keeps a certificate from being
// renewed. Challenges that are not this node's are the origin's own.
func (p *Path) challenged(f *flow.Flow) bool {
	if p.Challenge == nil || !strings.HasPrefix(f.Request.Path, flow.ChallengePath) {
		return false
	}
	answer, ok := p.Challenge(f.Request.Host, f.Request.Path)
	if ok {
		f.Verdict.Rule = "acme"
		f.Verdict.Answer = &flow.Message{
			Status: http.StatusOK,
			Fields: []flow.Field{{Name: "Content-Type", Value: "application/octet-stream"}, {Name: "Cache-Control", Value: "no-store"}},
			Length: int64(len(answer)),
			Body:   []byte(answer),
		}
	}
	return ok
}

// Fulfil answers what has to wait: for another flow's fetch, for the origin's budget, for the origin.
func (p *Path) Fulfil(f *flow.Flow) {
	z := f.Zone.(*zone.Zone)
	switch z.Cache.Join(f) {
	case cache.Lead:
		lead(z, f)
	case cache.Pass:
		if fetch(z, f) {
			z.Cache.Invalidate(f)
			z.Cache.Learn(f)
		}
	case cache.Served:
	}
	z.Cache.Compress(f)
	finish(z, f)
	if f.Cache.Refresh {
		p.refresh(z, f)
	}
}

// lead fetches for the cache and for those who wait for it. A lead is always given up, or the key would stay taken.
func lead(z *zone.Zone, f *flow.Flow) {
	defer z.Cache.Abandon(f)
	if fetch(z, f) {
		z.Cache.Keep(f)
	}
}

// fetch asks the origin, if the flow may, and reports whether it answered.
func fetch(z *zone.Zone, f *flow.Flow) bool {
	pool := z.Asked(f)
	pool.Admission.Gauge(f)
	if z.Verdict.JudgeBody(f); f.Verdict.Refusal != nil {
		giveBack(f)
		return false
	}
	if f.Admission.Lease == nil { // else it had to have a share before it set out
		pool.Admission.Admit(f)
	}
	if f.Admission.Refusal != nil {
		return false
	}
	if z.Verdict.JudgeContent(f); f.Verdict.Refusal != nil {
		giveBack(f)
		return false
	}
	pool.Origin.Fetch(f)
	return f.Origin.Refusal == nil
}

// giveBack gives the share of the origin's budget back that a flow has and does not need.
func giveBack(f *flow.Flow) {
	if l := f.Admission.Lease; l != nil {
		f.Admission.Lease = nil
		l.Release()
	}
}

// finish answers the client and writes down what happened.
func finish(z *zone.Zone, f *flow.Flow) {
	z.Verdict.JudgeResponse(f)
	z.Response.Write(f)
	if f.Response.Status == 101 && f.Response.Err == nil {
		z.Asked(f).Origin.Tunnel(f)
	}
	z.Verdict.Settle(f)
	z.Record.Add(f)
}
