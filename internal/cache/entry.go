package cache

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/cache/store"
	"github.com/seawall/seawall/internal/flow"
)

// entryOverhead is roughly what an entry and its places in the store take besides texts and body, in bytes; a marker's keys
// come on top.
const (
	entryOverhead  = 640
	markerOverhead = entryOverhead + maxVariants*8
	fieldOverhead  = 32
	tagOverhead    = 16
)

// entry is what the store holds under a key: a response, or the marker of a target whose responses vary. It is immutable once
// stored, except for a marker's list of keys.
type entry struct {
	target  target
	marker  *marker
	variant string // the request's fields that selected the response, as httpcache.Languages.AppendVaryKey writes them
	// generation is that of the marker by way of which a variant is found; 0 of what is no variant.
	generation uint64
	meta       httpcache.Metadata
	message    flow.Message // ready to be served
	parts      *parts       // what is there of an incomplete response, which has no body; else nil
	forms      *forms       // nil if it is served as it is
	bytes      int64

	begun   int64        // when its fetch, or the last one that confirmed it, began: ns since 1970, by Room.tick
	tags    []string     // by which it is purged
	checked atomic.Int64 // the newest purge that it was compared with
	copyAs  store.Key    // where it is kept as a survival copy, too; 0 for nowhere
	// place is where the disk has its body, under its own key, if it is a stored one that was confirmed.
	place store.Place
	// survival tells that it is a survival copy itself.
	survival bool
	// refreshed is when somebody last began to refresh it behind an answer, in ns since 1970.
	refreshed atomic.Int64
	soft      atomic.Int64 // when it was made stale by a purge, 0 if never
}

// Size is the entry's weight in the store.
func (e *entry) Size() int64 { return e.bytes }

// newEntry prepares a response for the store: fields are copied into one string, so that no message is pinned. The body is
// added by complete.
func newEntry(t target, meta *httpcache.Metadata, status int, fields []flow.Field, begun int64) *entry {
	kept := meta.StoredFields(make([]flow.Field, 0, len(fields)+1), fields)
	kept = slices.DeleteFunc(kept, func(f flow.Field) bool { return flow.Named(f.Name, "content-length") })
	return entryOf(t.clone(), meta, status, cloneFields(kept), begun)
}

// entryOf is newEntry for what is an entry's own, and has the fields that are stored.
func entryOf(t target, meta *httpcache.Metadata, status int, fields []flow.Field, begun int64) *entry {
	e := &entry{target: t, meta: *meta, begun: begun}
	e.message = flow.Message{Status: status, Fields: fields}
	e.tags, _ = tagsOf(fields)
	e.bytes = entryOverhead + e.target.size() + int64(len(fields))*fieldOverhead + int64(len(e.tags))*tagOverhead
	for _, f := range fields {
		e.bytes += int64(len(f.Name) + len(f.Value))
	}
	return e
}

// clone is an entry like e. What is noted with e from now on may be missing in it: it is then found out anew.
func (e *entry) clone() *entry {
	c := &entry{
		target: e.target, marker: e.marker, variant: e.variant, parts: e.parts, forms: e.forms, meta: e.meta, message: e.message, bytes: e.bytes,
		begun: e.begun, tags: e.tags, copyAs: e.copyAs, survival: e.survival,
	}
	c.checked.Store(e.checked.Load()) // before soft, which is noted before it
	c.soft.Store(e.soft.Load())
	c.refreshed.Store(e.refreshed.Load())
	return c
}

// complete adds the body; e is then ready for the store.
func (e *entry) complete(body []byte) {
	e.message.Body = body
	e.message.Length = int64(len(body))
	e.bytes += int64(cap(body) + len(e.variant))
}

// cloneFields copies fields; their texts become parts of one new string.
func cloneFields(fields []flow.Field) []flow.Field {
	n := 0
	for _, f := range fields {
		n += len(f.Name) + len(f.Value)
	}
	var b strings.Builder
	b.Grow(n)
	for _, f := range fields {
		b.WriteString(f.Name)
		b.WriteString(f.Value)
	}
	text := b.String()
	clones := make([]flow.Field, len(fields))
	for i, f := range fields {
		clones[i].Name, text = text[:len(f.Name)], text[len(f.Name):]
		clones[i].Value, text = text[:len(f.Value)], text[len(f.Value):]
	}
	return clones
}

// marker tells which request fields select among a target's responses, and where these are.
type marker struct {
	vary       []string // lower case, sorted
	generation uint64

	mu   sync.Mutex
	keys []store.Key // of the variants, a ring once it is full
	next int         // the oldest in a full ring
}

func newMarker(t target, vary []string, generation uint64) *entry {
	e := &entry{target: t.clone(), marker: &marker{vary: vary, generation: generation}}
	e.bytes = markerOverhead + e.target.size()
	for _, name := range vary {
		e.bytes += int64(len(name)) + fieldOverhead
	}
	return e
}

// add notes a variant's key and returns the key that has to make room for it, if one has.
func (m *marker) add(k store.Key) (oldest store.Key, full bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case slices.Contains(m.keys, k):
		return oldest, false
	case len(m.keys) < maxVariants:
		m.keys = append(m.keys, k)
		return oldest, false
	}
	oldest, m.keys[m.next] = m.keys[m.next], k
	m.next = (m.next + 1) % maxVariants
	return oldest, true
}

// list returns the variants' keys.
func (m *marker) list() []store.Key {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.keys)
}

// assign gives a new response its spot: by Vary it belongs under its target's key or under that of a variant. Names that an
// earlier response of the target varied by stay, so that an origin that forgets Vary on some responses, or changes it, can't
// have a response served to the wrong client.
func (p *Policy) assign(s *spot, e *entry, fields []flow.Field) (vary []string) {
	r := p.room
	sh := r.fills.shard(s.primary)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	current := r.get(s.primary, &s.target)
	marked := current != nil && current.marker != nil
	if !marked && len(e.meta.Vary) == 0 {
		s.key = s.primary
		return nil
	}
	vary = e.meta.Vary
	if marked {
		vary = union(current.marker.vary, vary)
	}
	r.assignVariant(s, e, current, vary, p.languages.AppendVaryKey(nil, vary, fields), 0)
	return vary
}

// assignVariant gives a response its spot among the variants of a target, under which current is stored. If that takes a new marker, its
// generation is the one given, or a new one for 0. It is called with the shard locked.
func (r *Room) assignVariant(s *spot, e, current *entry, vary []string, variant []byte, generation uint64) {
	marked := current != nil && current.marker != nil
	if !marked || !slices.Equal(vary, current.marker.vary) {
		if marked {
			r.forgetVariants(current.marker)
		}
		if generation == 0 {
			generation = r.generations.Add(1)
		}
		current = newMarker(s.target, vary, generation)
		r.objects.Set(s.primary, current)
		s.marked = current
	}
	e.variant, e.generation = string(variant), current.marker.generation
	s.key = r.variantKey(s.primary, current.marker.generation, variant)
	if oldest, full := current.marker.add(s.key); full {
		r.objects.Delete(oldest)
	}
}

// forgetVariants drops all variants of a marker from the store.
func (r *Room) forgetVariants(m *marker) {
	for _, k := range m.list() {
		r.objects.Delete(k)
	}
}

// maxVaryNames bounds the names of a marker; httpcache bounds those of one response to the same number.
const maxVaryNames = 16

// union merges two sorted lists of names; if there are too many, the newer list alone counts.
func union(older, newer []string) []string {
	names := slices.Concat(older, newer)
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > maxVaryNames {
		return newer
	}
	return names
}
