package cache

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// rule is a [spec.CacheRule], compiled.
type rule struct {
	paths, cookies []wildcard
	statuses       [][2]int
	bypass         bool
	unsetCookies   bool
	lifetime       httpcache.OwnLifetime
}

func compileRules(rules []spec.CacheRule) ([]rule, error) {
	var all []rule
	for i := range rules {
		r := &rules[i]
		switch {
		case r.Bypass && (r.TTL > 0 || r.Override || r.UnsetCookies):
			return nil, fmt.Errorf("cache.rules[%d].bypass: a ttl is for what is kept: want one of the two", i)
		case !r.Bypass && r.TTL == 0:
			return nil, fmt.Errorf("cache.rules[%d].ttl: missing: want a time, such as 1h, or bypass: true", i)
		case r.Bypass && len(r.Statuses) > 0:
			return nil, fmt.Errorf("cache.rules[%d].statuses: not known when a request is bypassed: want none", i)
		case r.UnsetCookies && len(r.Statuses) > 0:
			return nil, fmt.Errorf("cache.rules[%d].statuses: not known when a request is sent without its cookies: want none", i)
		}
		c := rule{
			paths: wildcards(r.Paths), cookies: wildcards(r.Cookies), bypass: r.Bypass, unsetCookies: r.UnsetCookies,
			lifetime: httpcache.OwnLifetime{TTL: r.TTL, Override: r.Override},
		}
		for _, s := range r.Statuses {
			c.statuses = append(c.statuses, statusRange(s))
		}
		all = append(all, c)
	}
	return all, nil
}

// statusRange reads "404" or "200-299".
func statusRange(s string) [2]int {
	first, last, isRange := strings.Cut(s, "-")
	if !isRange {
		last = first
	}
	from, _ := strconv.Atoi(first)
	to, _ := strconv.Atoi(last)
	return [2]int{from, to}
}

// fits tells whether a rule is for a request.
func (r *rule) fits(q *flow.Request) bool {
	return (r.paths == nil || matchAny(r.paths, q.Path)) && (r.cookies == nil || hasCookie(q.Fields, r.cookies))
}

// for tells whether a rule is for a response's status.
func (r *rule) covers(status int) bool {
	if r.statuses == nil {
		return httpcache.CacheableByDefault(status)
	}
	for _, s := range r.statuses {
		if s[0] <= status && status <= s[1] {
			return true
		}
	}
	return false
}

func hasCookie(fields []flow.Field, names []wildcard) bool {
	for name := range cookies(fields) {
		if matchAny(names, name) {
			return true
		}
	}
	return false
}

// bypassed tells whether the zone's rules leave a request to the origin.
func (p *Policy) bypassed(q *flow.Request) bool {
	for i := range p.rules {
		if r := &p.rules[i]; r.bypass && r.fits(q) {
			return true
		}
	}
	return false
}

// unsetsCookies tells whether a request is sent to the origin without its cookies: by the rule that says how long a page is kept. One that has
// statuses is not known to be that, and so can't say it.
func (p *Policy) unsetsCookies(q *flow.Request) bool {
	for i := range p.rules {
		if r := &p.rules[i]; !r.bypass && r.statuses == nil && r.fits(q) {
			return r.unsetCookies
		}
	}
	return false
}

// cookieless tells whether the origin makes the answer to a request without knowing of its cookies.
func (p *Policy) cookieless(f *flow.Flow) bool {
	if f.Cache.Whole {
		return f.Cache.Asked.UnsetCookies
	}
	q := f.Effective()
	return q.Method != "POST" && q.Get("cookie") == "" && p.unsetsCookies(q)
}

// errorTTL bounds how long what is not found, or elsewhere, is kept without having said so.
const errorTTL = 3 * time.Minute

// own is what rules say of how long a response is fresh, in Cloudflare's language or in the cache's section.
func (p *Policy) own(f *flow.Flow, status int, fields []flow.Field) httpcache.OwnLifetime {
	q, ttl := f.Effective(), f.Verdict.Settings.EdgeTTL
	if ttl > 0 && httpcache.CacheableByDefault(status) && !p.deceptive(q.Path, status, fields) {
		return httpcache.OwnLifetime{TTL: ttl, Override: true}
	}
	return p.lifetime(q, status, fields)
}

// lifetime is what the zone's owner says of how long a response is fresh: by the first rule that fits, or as a static file. The armour against
// deception is here: who has a visitor open /account/x.css must not find the account's page in the cache, so what is kept for its name has to
// be of the type that its name tells, whatever the site makes of such a path. (Omer Gil, "Web Cache Deception Attack", 2017.)
func (p *Policy) lifetime(q *flow.Request, status int, fields []flow.Field) httpcache.OwnLifetime {
	for i := range p.rules {
		if r := &p.rules[i]; !r.bypass && r.fits(q) && r.covers(status) {
			if !p.deceptive(q.Path, status, fields) {
				return r.lifetime
			}
			return httpcache.OwnLifetime{}
		}
	}
	if p.staticTTL == 0 || !p.static[extension(q.Path)] || p.deceptive(q.Path, status, fields) {
		return httpcache.OwnLifetime{}
	}
	switch status {
	case 200, 203, 301, 308:
		return httpcache.OwnLifetime{TTL: p.staticTTL}
	case 302, 303, 307, 404, 410:
		return httpcache.OwnLifetime{TTL: min(p.staticTTL, errorTTL)}
	}
	return httpcache.OwnLifetime{}
}

// extension is that of a path, in lower case, without the dot.
func extension(p string) string { return strings.ToLower(strings.TrimPrefix(path.Ext(p), ".")) }

// deceptive tells of a page under the name of a file: its path has the extension of a usual kind of file, but its content is HTML, or of a
// type that is not told.
func (p *Policy) deceptive(path string, status int, fields []flow.Field) bool {
	if status != 200 && status != 203 || !p.static[extension(path)] {
		return false
	}
	mediaType, _, _ := strings.Cut(flow.Get(fields, "content-type"), ";")
	switch strings.ToLower(strings.TrimSpace(mediaType)) {
	case "", "text/html", "application/xhtml+xml", "application/json", "application/problem+json":
		return true
	}
	return false
}
