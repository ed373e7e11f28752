package cache

import (
	"net/url"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/cache/store"
	"github.com/seawall/seawall/internal/flow"
)

// Invalidate follows the origin's answer to a request whose method is not safe: unless that was an error, what is stored under
// the target URI, and under a Location and Content-Location of the same origin, is dropped with all its variants, for http and
// https, and fetches of it in progress are not stored (RFC 9111 §4.4). Other methods and answers change nothing. Each
// request drops at most three targets and has itself cost the origin one, so nobody gains much by it.
func (p *Policy) Invalidate(f *flow.Flow) {
	q, msg := f.Effective(), f.Origin.Message
	if !p.enabled || msg == nil || !httpcache.Invalidates(q.Method, msg.Status) {
		return
	}
	if p.room.disk.Load() != nil {
		f.Task.Leave() // what is dropped there waits for being noted
	}
	t := p.target(q)
	p.drop(t)
	uri := q.Scheme + "://" + q.Host + q.Path
	if q.HasQuery {
		uri += "?" + q.Query
	}
	resp := httpcache.Response{Status: msg.Status, Fields: msg.Fields}
	for _, other := range httpcache.Invalidated(nil, q.Method, uri, &resp) {
		if u, err := url.Parse(other); err == nil && other != uri {
			t.path = u.EscapedPath()
			t.query, t.hasQuery = p.query.apply(u.RawQuery, u.ForceQuery || u.RawQuery != "")
			p.drop(t)
		}
	}
}

// drop forgets a target under either scheme, here and in other processes. What the owner or rules added to the key can't be known: then it is
// a purge.
func (p *Policy) drop(t target) {
	if t.port != "" || t.dimensions != "" || p.routed {
		p.room.purge(p.zone, purgeRecord{key: purgeKey{PurgeURL, t.host, pathAndQuery(t.path, t.query, t.hasQuery)}, at: p.room.tick()}, nil)
		return
	}
	p.room.drop(p.basis, t)
	p.room.peers.tell(t, nil)
}

func (r *Room) drop(basis uint64, t target) {
	r.purgesOf(t.zone).invalidate(r.seed, &t, r.tick())
	for _, t.scheme = range [...]string{"http", "https"} {
		k := r.key(basis, &t)
		if e := r.get(k, &t); e != nil && e.marker != nil {
			for _, v := range e.marker.list() {
				r.fills.bar(v)
				r.objects.Delete(v)
			}
		}
		for _, k := range [...]store.Key{k, partsKey(k), r.survivalKey(k)} {
			r.fills.bar(k)
		}
		r.dropOnDisk(k, &t)
		for _, k := range [...]store.Key{k, partsKey(k), r.survivalKey(k)} {
			r.objects.Delete(k)
		}
		r.dropOnDisk(k, &t) // again: a variant that was stored in between may have brought the marker back
	}
}
