package verdict

import "sync/atomic"

// rule is what a verdict can rest on.
type rule uint8

const (
	listsAllow rule = iota
	listsDeny
	limitsRequests
	limitsOriginRequests
	limitsOriginRequestsBusy
	httpsRedirect
	nRules // how many there are
)

// String is the rule's key in the configuration.
func (r rule) String() string {
	return [...]string{
		"lists.allow", "lists.deny", "limits.requests", "limits.origin_requests", "limits.origin_requests_busy", "https.redirect",
	}[r]
}

// Count is how many requests have matched a rule, whether it refused them or, in a dry run, would have.
type Count struct {
	Rule    string
	Matches uint64
}

// shards is how many parts counts have, so that cores rarely share one.
const shards = 16

// counts are a zone's matches; each shard has a cache line of its own.
type counts [shards]struct {
	matches [nRules]atomic.Uint64
	_       [64 - 8*nRules]byte
}

func (c *counts) add(r rule, shard uint32) {
	c[shard%shards].matches[r].Add(1)
}

// Counts returns the zone's matches of each rule since the room first knew the zone.
func (p *Policy) Counts() []Count {
	sums := make([]Count, nRules)
	for r := range nRules {
		sums[r].Rule = r.String()
		for i := range p.counts {
			sums[r].Matches += p.counts[i].matches[r].Load()
		}
	}
	return sums
}
