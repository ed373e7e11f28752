package cache

import (
	"hash/maphash"
	"math/bits"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/cache/store"
	"github.com/seawall/seawall/internal/flow"
)

// target is what a key stands for: everything in a request that selects a resource.
type target struct {
	zone, scheme, host, path, query string
	hasQuery                        bool
	port                            string // if it is not the scheme's: the origin may write it into links
	dimensions                      string // values of what the owner added to the key
}

func (p *Policy) target(q *flow.Request) target {
	t := target{zone: p.zone, scheme: q.Scheme, host: q.Host, path: q.Path, port: port(q)}
	t.query, t.hasQuery = p.query.apply(q.Query, q.HasQuery)
	t.dimensions = p.dimensions.text(q)
	return t
}

// port is the one that a request's authority names, "" if it is the scheme's.
func port(q *flow.Request) string {
	colon := strings.LastIndexByte(q.Authority, ':')
	if colon < 0 || strings.HasSuffix(q.Authority, "]") {
		return ""
	}
	p := q.Authority[colon+1:]
	if q.Scheme == "http" && p == "80" || q.Scheme == "https" && p == "443" {
		return ""
	}
	return p
}

// asked is what the origin is asked for in a fetch of t.
func (p *Policy) asked(t *target, q *flow.Request) flow.Asked {
	a := flow.Asked{Authority: q.Authority, Query: t.query, HasQuery: t.hasQuery}
	a.AcceptEncoding, a.Language = normalEncodings(q), p.languages.Preferred(q.Fields)
	if q.Authority != "" && q.Authority != t.host {
		a.Authority = t.host
		if t.port != "" {
			a.Authority += ":" + t.port
		}
	}
	if p.dimensions.device {
		a.Device = deviceOf(q.Get("user-agent"))
	}
	if a.UnsetCookies = p.unsetsCookies(q); a.UnsetCookies {
		a.Cookie = p.dimensions.cookie(q)
	}
	if p.dimensions.country {
		a.Country = countryOf(q)
	}
	return a
}

// clone copies the strings, which are part of a request's head.
func (t target) clone() target {
	t.scheme, t.host = strings.Clone(t.scheme), strings.Clone(t.host)
	t.path, t.query = strings.Clone(t.path), strings.Clone(t.query)
	t.port, t.dimensions = strings.Clone(t.port), strings.Clone(t.dimensions)
	return t
}

func (t *target) size() int64 {
	return int64(len(t.scheme) + len(t.host) + len(t.path) + len(t.query) + len(t.port) + len(t.dimensions))
}

// spread is 2^64 divided by the golden ratio: multiplying by it carries a difference into all higher bits.
const spread = 0x9e3779b97f4a7c15

// basis is the hash of a zone, which its keys start from.
func (r *Room) basis(zone string) uint64 { return maphash.String(r.seed, zone) }

// key is where a target's response, or the marker of its variants, is stored: keyed hashes of its parts, mixed in order. Nobody
// who does not know the seed can aim at a key, and the whole text is compared with what is found.
func (r *Room) key(basis uint64, t *target) store.Key {
	h := basis
	if t.scheme == "https" { // the other one is http
		h++
	}
	h = bits.RotateLeft64(h*spread, 29) ^ maphash.String(r.seed, t.host)
	h = bits.RotateLeft64(h*spread, 29) ^ maphash.String(r.seed, t.path)
	if t.hasQuery {
		h = bits.RotateLeft64(h*spread, 29) ^ maphash.String(r.seed, t.query)
	}
	if t.port != "" {
		h = bits.RotateLeft64(h*spread, 29) ^ maphash.String(r.seed, t.port)
	}
	if t.dimensions != "" {
		h = bits.RotateLeft64(h*spread, 29) ^ maphash.String(r.seed, t.dimensions)
	}
	return store.Key(h * spread)
}

// variantKey is where a variant is stored. The marker's generation is part of it, so that a marker that is gone takes its
// variants along.
func (r *Room) variantKey(k store.Key, generation uint64, variant []byte) store.Key {
	return store.Key((uint64(k)+generation)*spread ^ maphash.Bytes(r.seed, variant))
}

// spot is where a request's response is, or would be, stored.
type spot struct {
	target  target
	primary store.Key // of the target
	key     store.Key // of the response: primary, or a variant's
	// What finds a variant on the disk: the generation of the marker, and what recall has named it, or "".
	generation uint64
	variant    string
	vary       []string // of the marker, nil if there is none
	marked     *entry   // the marker, if a response that was given this spot took a new one
	entry      *entry   // nil if there is none
}

// locate finds a request's spot. It does not wait, and allocates only for field values that are unusually long.
func (p *Policy) locate(q *flow.Request, s *spot) {
	s.target = p.target(q)
	s.primary = p.room.key(p.basis, &s.target)
	s.key, s.vary = s.primary, nil
	s.generation, s.variant = 0, ""
	s.entry = p.room.get(s.primary, &s.target)
	if s.entry == nil || s.entry.marker == nil {
		s.entry = p.alive(s.primary, s.entry)
		return
	}
	m := s.entry.marker
	s.vary, s.entry, s.generation = m.vary, nil, m.generation
	var buf [512]byte
	variant := p.languages.AppendVaryKey(buf[:0], m.vary, q.Fields)
	s.key = p.room.variantKey(s.primary, m.generation, variant)
	if e := p.room.get(s.key, &s.target); e != nil && e.marker == nil && e.variant == string(variant) {
		s.entry = p.alive(s.key, e)
	}
}

// set stores a response, unless its target was invalidated since it was asked for, and the same as a survival copy if it is one.
func (r *Room) set(k store.Key, e *entry) {
	if r.purgesOf(e.target.zone).outdated(r.seed, e) {
		return
	}
	r.objects.Set(k, e)
	r.filling.lend(time.Now())
	r.keepOnDisk(e)
	if e.copyAs != 0 {
		r.setCopy(e.copyAs, e.clone())
	}
}

// get returns what is stored under a key if it is the target's.
func (r *Room) get(k store.Key, t *target) *entry {
	e, _ := r.objects.Get(k)
	if e == nil || e.parts != nil || e.target != *t {
		return nil
	}
	return e
}

// getParts is get for incomplete objects.
func (r *Room) getParts(k store.Key, t *target) *entry {
	e, _ := r.objects.Get(k)
	if e == nil || e.parts == nil || e.target != *t {
		return nil
	}
	return e
}
