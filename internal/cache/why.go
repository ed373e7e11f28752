package cache

import (
	"fmt"
	"strings"
	"time"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/cache/store"
	"github.com/seawall/seawall/internal/flow"
)

// Step is one step of a decision about a request.
type Step struct {
	Step string `json:"step"`
	Says string `json:"says"`
}

// Why tells, step by step, what the cache would do now with a flow's request, as rules have left it. It changes nothing, and takes locks of the
// way of misses only.
func (p *Policy) Why(f *flow.Flow) (steps []Step) {
	q := f.Effective()
	add := func(step, format string, args ...any) {
		steps = append(steps, Step{step, fmt.Sprintf(format, args...)})
	}
	if reason := p.whyBypass(f); reason != "" {
		add("request", "%s", reason)
		add("outcome", "bypass: it goes to the origin, and its response is not stored")
		return steps
	}
	var s spot
	p.locate(q, &s)
	add("key", "%s", p.keyText(&s.target, q))
	e, verdict := p.whyStored(&s, q, add)
	p.whyCopy(&s, add)
	now := time.Now()
	d := p.decide(e, q, now)
	if e != nil {
		add("freshness", "%s; lifetime %v, age %v, so fresh for %v", d.Reason, e.meta.Lifetime, round(d.Age), round(d.TTL))
	}
	switch {
	case d.Outcome == httpcache.Fresh, d.Outcome == httpcache.Stale && d.Reason == httpcache.AllowedByMaxStale:
		add("outcome", "hit: it is served from memory")
	case d.Outcome == httpcache.Forbid:
		add("outcome", "504: the request wants nothing but a stored response (only-if-cached)")
	case unfillable(q) != "":
		add("outcome", "bypass: %s, so it goes to the origin, and its response is not stored", unfillable(q))
	case d.Outcome == httpcache.Stale:
		add("outcome", "hit, stale, if the origin is being asked already; else it asks the origin whether what is stored is still good")
	case e != nil:
		add("outcome", "the origin is asked %s", map[bool]string{
			true: "whether what is stored is still good", false: "anew: what is stored has neither ETag nor Last-Modified to ask by",
		}[len(e.meta.Validators(nil)) > 0])
	case p.mayRecall(&s, q):
		add("outcome", "hit, if it is still good: it is read from the disk")
	case verdict != "":
		add("outcome", "miss: the last response was not kept (%s), so it goes to the origin", verdict)
	default:
		add("outcome", "miss: it goes to the origin, and its response is stored if it may be")
	}
	return steps
}

// whyBypass is why a request has no part in the cache, with the rule that says so.
func (p *Policy) whyBypass(f *flow.Flow) string {
	q := f.Effective()
	if f.Verdict.Settings.Bypass {
		return "a rule of the zone says bypass"
	}
	for i := range p.rules {
		if r := &p.rules[i]; p.enabled && r.bypass && r.fits(q) {
			return fmt.Sprintf("cache.rules[%d] fits it, and says bypass", i)
		}
	}
	return p.bypass(q)
}

// keyText is the key for people.
func (p *Policy) keyText(t *target, q *flow.Request) string {
	var b strings.Builder
	b.WriteString(t.scheme + "://" + t.host)
	if t.port != "" {
		b.WriteString(":" + t.port)
	}
	b.WriteString(pathAndQuery(t.path, t.query, t.hasQuery))
	if t.query != q.Query || t.hasQuery != q.HasQuery {
		fmt.Fprintf(&b, " (cache.key takes the query %q as this)", q.Query)
	}
	for _, h := range p.dimensions.headers {
		fmt.Fprintf(&b, ", header %s %q", h, q.Get(h))
	}
	for _, name := range p.dimensions.cookies {
		for n, value := range cookies(q.Fields) {
			if n == name {
				fmt.Fprintf(&b, ", cookie %s %q", n, value)
			}
		}
	}
	if p.dimensions.device {
		b.WriteString(", device " + deviceOf(q.Get("user-agent")))
	}
	if p.dimensions.country {
		b.WriteString(", country " + countryOf(q))
	}
	return b.String()
}

// whyStored tells what is stored for a request, and what was wrong with the last response if nothing is.
func (p *Policy) whyStored(s *spot, q *flow.Request, add func(step, format string, args ...any)) (e *entry, verdict string) {
	if s.vary != nil {
		add("variants", "responses differ by %s (Vary)", strings.Join(s.vary, ", "))
	}
	if e = s.entry; e != nil {
		m := &e.meta
		add("stored", "%d, %d bytes, received %v ago%s%s", m.Status, len(e.message.Body), ago(m.ResponseTime),
			prefixed("; ETag ", m.ETag), prefixed("; tags ", strings.Join(e.tags, " ")))
		if soft := e.soft.Load(); soft != 0 {
			add("purge", "it was made stale by a soft purge %v ago", round(time.Since(time.Unix(0, soft))))
		}
		return e, ""
	}
	if p.mayRecall(s, q) {
		add("stored", "nothing in memory, but the disk has it")
		return nil, ""
	}
	if s.vary != nil && p.room.get(s.primary, &s.target) != nil {
		add("stored", "nothing for these values of %s: not asked for yet, evicted, or purged", strings.Join(s.vary, ", "))
	} else {
		add("stored", "nothing: not asked for yet, not storable, evicted, or purged")
	}
	if v, ok := p.room.fills.last(s.key); ok {
		note := ""
		if left := time.Until(v.until); left > 0 {
			note = fmt.Sprintf("; for %v more, nobody waits for another's fetch", round(left))
		}
		add("last answer", "%s%s", v.reason, note)
		return nil, v.reason
	}
	if latest := p.purges.latest.Load(); latest != 0 {
		add("purges", "the zone's last was %v ago", round(time.Since(time.Unix(0, latest))))
	}
	return nil, ""
}

// mayRecall tells whether the disk has what memory has not. While it is still finding out what it has, it says no.
func (p *Policy) mayRecall(s *spot, q *flow.Request) bool {
	d := p.room.disk.Load()
	if d == nil || d.State() != store.Serving {
		return false
	}
	s.name(q, p)
	return d.Has(s.place(d))
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

func ago(t time.Time) time.Duration { return round(time.Since(t)) }

func round(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }
