package cache

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall/seawall/internal/cache/store"
	"github.com/seawall/seawall/internal/flow"
)

// mostPurges bounds what a zone remembers of purges. When it is full, the older half becomes one purge of all that was fetched before them.
const mostPurges = 1 << 16

// Scope is what of a zone a purge is about.
type Scope uint8

const (
	PurgeAll    Scope = iota // everything
	PurgeHost                // everything of one host
	PurgePrefix              // what begins with a path, of one host
	PurgeURL                 // one URL, for both schemes, with all its variants
	PurgeTag                 // what the origin gave a tag: Cache-Tag, Surrogate-Key or xkey
)

// String is the scope's name in receipts and on the command line.
func (s Scope) String() string {
	return [...]string{"all", "host", "prefix", "url", "tag"}[s]
}

// Purge is what is to be dropped, or with Soft only to be taken for stale.
type Purge struct {
	Scope Scope
	// Host is of hosts, prefixes and URLs, in the normal form of a request's.
	Host string
	// Path is the prefix, or the URL's path in a request's normal form.
	Path string
	// Query is the URL's.
	Query    string
	HasQuery bool
	Tag      string
	Soft     bool
}

// Purge is in force when it returns, also for fetches in progress: nobody who asks from then on gets what was asked of the origin before. It
// takes the same time whatever is stored, and waits for the disk, if there is a part of the cache on it. It returns the moment, which is later
// than any before it.
func (p *Policy) Purge(what Purge) time.Time {
	r := what.record(p)
	r.at = p.room.tick()
	p.room.purge(p.zone, r, nil)
	return time.Unix(0, r.at)
}

// purging, as a flow's Fetch, tells Join that the request purges, and has to wait for the disk.
type purging struct{}

// obey does what a request with the method PURGE asks for, as Varnish and Squid have it: its target is dropped, with all its variants.
func (p *Policy) obey(f *flow.Flow) {
	q, c := f.Effective(), &f.Cache
	c.Status, c.Reason = flow.Bypass, "request purges"
	if !p.purger.Contains(q.Client) {
		c.Refusal = &flow.Refusal{Reason: flow.Denied, Status: 403, Rule: "cache.purge_from", Detail: "the client is not on the list of those who may purge"}
		return
	}
	if p.room.disk.Load() != nil {
		f.Task.Leave() // the note on the disk takes its time
	}
	at := p.Purge(Purge{Scope: PurgeURL, Host: q.Host, Path: q.Path, Query: q.Query, HasQuery: q.HasQuery})
	body := []byte("purged, in force since " + at.UTC().Format(time.RFC3339Nano) + "\n")
	c.Message = &flow.Message{
		Status: 200, Length: int64(len(body)), Body: body,
		Fields: []flow.Field{{Name: "Content-Type", Value: "text/plain; charset=utf-8"}, {Name: "Cache-Control", Value: "no-store"}},
	}
}

// purgeKey is what entries are compared with.
type purgeKey struct {
	scope      Scope
	host, text string
}

// purgeRecord is one purge: of what was fetched before at, in nanoseconds since 1970.
type purgeRecord struct {
	key  purgeKey
	at   int64
	soft bool
}

func (w *Purge) record(p *Policy) purgeRecord {
	k := purgeKey{scope: w.Scope}
	switch w.Scope {
	case PurgeAll:
	case PurgeHost:
		k.host = w.Host
	case PurgePrefix:
		k.host, k.text = w.Host, w.Path
	case PurgeURL:
		query, has := p.query.apply(w.Query, w.HasQuery)
		k.host, k.text = w.Host, pathAndQuery(w.Path, query, has)
	case PurgeTag:
		k.text = w.Tag
	}
	return purgeRecord{key: k, soft: w.Soft}
}

func pathAndQuery(path, query string, has bool) string {
	if !has {
		return path
	}
	return path + "?" + query
}

// purgeTimes are the newest purges of one key.
type purgeTimes struct{ hard, soft int64 }

// purges is what a zone remembers of purges. An entry is compared with them once after each, so the lock is not taken for most hits.
type purges struct {
	latest atomic.Int64           // the newest purge
	recent atomic.Pointer[recent] // invalidations, nil before the first

	mu      sync.RWMutex
	times   map[purgeKey]purgeTimes
	lengths []int // of the prefixes, each once
}

// purgesOf is what is remembered of a zone of this name.
func (r *Room) purgesOf(zone string) *purges {
	z, _ := r.purges.LoadOrStore(zone, &purges{times: make(map[purgeKey]purgeTimes)})
	return z.(*purges)
}

// tick is the time, and later than all that it was before, however the system's clock is set.
func (r *Room) tick() int64 {
	for {
		last := r.ticks.Load()
		now := max(time.Now().UnixNano(), last+1)
		if r.ticks.CompareAndSwap(last, now) {
			return now
		}
	}
}

func (z *purges) add(r purgeRecord) {
	z.mu.Lock()
	defer z.mu.Unlock()
	t, known := z.times[r.key]
	if !known && len(z.times) >= mostPurges {
		z.fold()
	}
	if r.soft {
		t.soft = max(t.soft, r.at)
	} else {
		t.hard = max(t.hard, r.at)
	}
	z.times[r.key] = t
	if n := len(r.key.text); r.key.scope == PurgePrefix && !slices.Contains(z.lengths, n) {
		z.lengths = append(z.lengths, n)
	}
	z.latest.Store(max(z.latest.Load(), r.at))
}

// purge puts a purge in force, here and in all other processes but the one that it comes from, and on the disk.
func (r *Room) purge(zone string, p purgeRecord, from *peer) {
	r.purgesOf(zone).add(p)
	r.peers.tellPurge(zone, p, from)
	r.notePurge(zone, p)
}

// each calls with every purge that is remembered.
func (z *purges) each(call func(purgeRecord)) {
	z.mu.RLock()
	defer z.mu.RUnlock()
	for k, t := range z.times {
		if t.hard > 0 {
			call(purgeRecord{k, t.hard, false})
		}
		if t.soft > 0 {
			call(purgeRecord{k, t.soft, true})
		}
	}
}

// fold makes room: the older half becomes a purge of everything that is older still. z.mu is held.
func (z *purges) fold() {
	all := make([]int64, 0, len(z.times))
	for _, t := range z.times {
		all = append(all, max(t.hard, t.soft))
	}
	slices.Sort(all)
	middle := all[len(all)/2]
	z.lengths = z.lengths[:0]
	for k, t := range z.times {
		switch {
		case max(t.hard, t.soft) <= middle:
			delete(z.times, k)
		case k.scope == PurgePrefix && !slices.Contains(z.lengths, len(k.text)):
			z.lengths = append(z.lengths, len(k.text))
		}
	}
	everything := z.times[purgeKey{}]
	everything.hard = max(everything.hard, middle)
	z.times[purgeKey{}] = everything
}

// alive reports whether an entry may be used. It notes with the entry what it has found, and since when the entry is stale if it is by a
// soft purge.
func (z *purges) alive(e *entry) bool {
	latest := z.latest.Load()
	if e.checked.Load() >= latest {
		return true
	}
	z.mu.RLock()
	newest := z.newest(e)
	z.mu.RUnlock()
	if newest.hard > e.begun {
		return false
	}
	if newest.soft > e.begun {
		e.soft.Store(newest.soft)
	}
	e.checked.Store(latest)
	return true
}

// newest are the newest purges that an entry falls under; z.mu is held.
func (z *purges) newest(e *entry) (n purgeTimes) {
	t := &e.target
	consider := func(k purgeKey) {
		found := z.times[k]
		n.hard, n.soft = max(n.hard, found.hard), max(n.soft, found.soft)
	}
	consider(purgeKey{})
	consider(purgeKey{scope: PurgeHost, host: t.host})
	consider(purgeKey{PurgeURL, t.host, pathAndQuery(t.path, t.query, t.hasQuery)})
	for _, length := range z.lengths {
		if length <= len(t.path) {
			consider(purgeKey{PurgePrefix, t.host, t.path[:length]})
		}
	}
	for _, tag := range e.tags {
		consider(purgeKey{scope: PurgeTag, text: tag})
	}
	return n
}

// alive returns what is stored under a key, unless it has been purged: then it is forgotten.
func (p *Policy) alive(k store.Key, e *entry) *entry {
	if e == nil || p.purges.alive(e) {
		return e
	}
	p.room.objects.Delete(k)
	return nil
}

// mostTags is how many tags a response may have.
const mostTags = 1024

// fewTags tells whether a response can be kept by its tags.
func fewTags(fields []flow.Field) bool {
	_, ok := tagsOf(fields)
	return ok
}

// tagsOf are the tags that an origin gave a response, in Cache-Tag (Cloudflare, Akamai), Surrogate-Key (Fastly) or xkey (Varnish), separated by
// commas or spaces. ok is false if there are too many to be kept.
func tagsOf(fields []flow.Field) (tags []string, ok bool) {
	for i := range fields {
		if name := fields[i].Name; !flow.Named(name, "cache-tag") && !flow.Named(name, "surrogate-key") && !flow.Named(name, "xkey") {
			continue
		}
		for tag := range strings.FieldsFuncSeq(fields[i].Value, func(c rune) bool { return c == ' ' || c == ',' || c == '\t' }) {
			if len(tags) == mostTags {
				return nil, false
			}
			tags = append(tags, tag)
		}
	}
	return tags, true
}
