package cache

import (
	"time"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/flow"
)

// Lookup answers a GET or HEAD from memory if it can, or from what the page cache has of the disk. It never waits, and a hit in memory does
// not allocate: its message is shared and immutable. The time is that at which the request was received. It sets
//
//   - Status Hit and the Message of a fresh object, or Stale and the Message of an object that the client accepts stale, or that may be stale
//     while it is refreshed behind the answer (Refresh);
//   - a Refusal, if the client wants nothing but a stored response and there is none;
//   - else Miss, or Stale for an object that needs revalidation, without Message: the path goes on with [Policy.Join];
//   - the answer to a request that purges, or a Refusal of who may not;
//   - or Bypass for what the cache has no part in.
func (p *Policy) Lookup(f *flow.Flow) {
	q, c := f.Effective(), &f.Cache
	if q.Method == "PURGE" && p.purger != nil {
		if c.Fetch = (purging{}); p.room.disk.Load() == nil || !p.purger.Contains(q.Client) {
			c.Fetch = nil
			p.obey(f)
		}
		return
	}
	if f.Verdict.Settings.Bypass {
		c.Status, c.Reason = flow.Bypass, "a rule of the zone"
		return
	}
	if reason := p.bypass(q); reason != "" {
		c.Status, c.Reason = flow.Bypass, reason
		return
	}
	var s spot
	p.locate(q, &s)
	if s.entry == nil && p.recall(f, &s) {
		c.Status, c.Reason, c.Fetch = flow.Miss, "on the disk", onDisk{}
		return
	}
	p.answer(f, &s)
}

// answer is the part of Lookup in which it is known what is stored.
func (p *Policy) answer(f *flow.Flow, s *spot) {
	q, c := f.Effective(), &f.Cache
	d := p.decide(s.entry, q, q.Received)
	c.Reason = d.Reason.String()
	switch {
	case d.Outcome == httpcache.Fresh:
		serve(c, s.entry, flow.Hit, &d)
		p.encode(f, s.entry, s.key)
		return
	case d.Outcome == httpcache.Stale && d.Reason == httpcache.AllowedByMaxStale:
		serve(c, s.entry, flow.Stale, &d)
		p.encode(f, s.entry, s.key)
		return
	case d.Outcome == httpcache.Stale && d.Reason == httpcache.WhileRevalidate && p.mayRefresh(s.entry, f):
		serve(c, s.entry, flow.Stale, &d)
		p.encode(f, s.entry, s.key)
		return
	case p.servePart(f, s):
		return
	case d.Outcome == httpcache.Forbid:
		c.Status = flow.Miss
		c.Refusal = &flow.Refusal{Reason: flow.OnlyIfCached, Status: 504, Rule: "cache.only-if-cached"}
		return
	}
	if reason := unfillable(q); reason != "" {
		c.Status, c.Reason = flow.Bypass, reason
		return
	}
	c.Status = flow.Miss
	if s.entry != nil {
		c.Status = flow.Stale
	}
}

// bypass says why a request has nothing to do with the cache, or "".
func (p *Policy) bypass(q *flow.Request) string {
	switch {
	case !p.enabled:
		return "cache is off"
	case q.Method != "GET" && q.Method != "HEAD":
		return "method is not GET or HEAD"
	case q.Upgrade != "":
		return "request asks for an upgrade"
	case q.Length != 0:
		return "request has a body"
	case p.bypassed(q):
		return "a rule of the zone"
	case p.unsetsCookies(q) && q.Get("authorization") != "":
		return "request has Authorization, and a rule keeps what anybody gets"
	}
	return ""
}

// unfillable says why the response to a request that memory can't answer is of no use to the cache, or "".
func unfillable(q *flow.Request) string {
	switch {
	case q.Method != "GET":
		return "method is not GET"
	case q.Get("range") != "":
		return "request has Range"
	}
	return ""
}

// decide judges an entry, which may be nil, against a request.
func (p *Policy) decide(e *entry, q *flow.Request, now time.Time) httpcache.Decision {
	req := httpcache.Request{Method: q.Method, Fields: q.Fields}
	if e == nil {
		return (*httpcache.Metadata)(nil).Decide(&req, now, p.http)
	}
	if soft := e.soft.Load(); soft != 0 {
		meta := e.meta // as if its freshness had ended then
		meta.Lifetime = min(meta.Lifetime, meta.Age(time.Unix(0, soft)))
		return meta.Decide(&req, now, p.http)
	}
	return e.meta.Decide(&req, now, p.http)
}

// serve makes a complete entry the flow's answer.
func serve(c *flow.Cache, e *entry, status flow.CacheStatus, d *httpcache.Decision) {
	c.Status = status
	c.Message, c.Meta = &e.message, &e.meta
	c.Age, c.TTL = d.Age, d.TTL
}
