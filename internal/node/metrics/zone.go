package metrics

import (
	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/admission"
	"github.com/seawall/seawall/internal/edge"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/origin"
	"github.com/seawall/seawall/internal/verdict/rules"
	"github.com/seawall/seawall/internal/zone"
)

func (s sink) zone(z *zone.Zone) {
	name, counts := z.Name(), z.Record.Counts()
	for class, n := range counts.Status {
		s.add(requests, float64(n), name, string(rune('0'+class)))
	}
	for status, n := range counts.Cache {
		s.add(requestsCache, float64(n), name, flow.CacheStatus(status).String())
	}
	for c := httpcache.Gzip; c < httpcache.NumCodings; c++ {
		s.add(codingSaved, float64(counts.Saved[c]), name, c.String())
	}
	for reason, n := range counts.Refused {
		if reason != int(flow.NoReason) {
			s.add(requestsRefused, float64(n), name, flow.Reason(reason).String())
		}
	}
	s.add(requestsDry, float64(counts.Dry), name)
	for _, c := range z.Verdict.Counts() {
		s.add(ruleMatches, float64(c.Matches), name, c.Rule)
	}
	s.rules(name, z.Verdict.Rules())
	s.add(responsesBroken, float64(counts.Broken), name)
	s.add(bodyBytes, float64(counts.Bytes), name)
	s.add(bytesCache, float64(counts.CacheBytes), name)
	s.histogram(requestSeconds, &counts.Duration, name)

	s.add(originRequests, float64(counts.OriginAttempts), name)
	s.load(name, z.Admission)
	s.histogram(originSeconds, &counts.OriginDuration, name)
	s.histogram(queueSeconds, &counts.QueueDuration, name)
}

func (s sink) rules(zone string, counts []rules.Count) {
	for _, c := range counts {
		s.add(ruleMatches, float64(c.Matches), zone, c.Rule)
	}
}

// prefetched shows what of a zone is fetched ahead.
func (s sink) prefetched(name string, p *edge.Prefetched) {
	for result, n := range map[string]int64{"fetched": p.Fetched, "stored": p.Stored, "left": p.Left, "failed": p.Failed} {
		s.add(prefetchPages, float64(n), name, result)
	}
	s.add(prefetchListed, float64(p.Listed), name)
	s.add(prefetchLooked, float64(p.Looked), name)
}

// pools shows the servers of a zone's origin, and of its pools.
func (s sink) pools(z *zone.Zone) {
	s.servers(z.Name(), z.Origin)
	for name, p := range z.Pools {
		s.servers(z.Name()+"/"+name, p.Origin)
		s.load(z.Name()+"/"+name, p.Admission)
	}
}

// load shows how much of a budget is in use.
func (s sink) load(name string, p *admission.Policy) {
	load := p.Load()
	s.add(originConcurrent, float64(load.Concurrent), name)
	s.add(originQueued, float64(load.Queued), name)
	s.add(originUpgrades, float64(load.Upgrades), name)
}

// servers shows an origin's servers, of which no two have the same URL.
func (s sink) servers(name string, o *origin.Policy) {
	for _, server := range o.Servers() {
		s.add(serverUp, truth(server.Up), name, server.URL)
		s.add(serverInFlight, float64(server.InFlight), name, server.URL)
		s.add(serverRequests, float64(server.Requests), name, server.URL)
		s.add(serverFailures, float64(server.Failures), name, server.URL)
	}
}
