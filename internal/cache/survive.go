package cache

import (
	"io"
	"slices"
	"time"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/cache/store"
	"github.com/seawall/seawall/internal/flow"
)

// A survival copy is kept under a key beside that of its target: it takes no part in what the cache otherwise does, and is looked for when the
// origin fails. It is one a target, whatever the response varies by, as a page in another language is better than none. How often pages are
// asked for decides which copies stay, as with all objects. With a disk, copies outlive the process (copies.go).

// copyAge is how old a copy gets, at least, before the next answer replaces it.
const copyAge = time.Minute

// survivalKey is where the copy of a target is.
func (r *Room) survivalKey(primary store.Key) store.Key {
	return store.Key(uint64(primary)*spread ^ r.survival)
}

// wantsCopy returns an entry for a copy of the origin's answer, without its body, unless it may not be copied, or there is one.
func (k *keep) wantsCopy() *entry {
	p, q, m := k.policy, k.flow.Effective(), k.flow.Origin.Message
	if p.survive == 0 || m.Length > p.room.maxObject {
		return nil
	}
	t := &k.lead.spot.target
	if old := p.room.get(p.room.survivalKey(k.lead.spot.primary), t); old != nil && k.now.Sub(old.meta.ResponseTime) < copyAge && p.purges.alive(old) {
		return nil
	}
	req := httpcache.Request{Method: q.Method, Fields: q.Fields}
	if p.cookieless(k.flow) && k.flow.Cache.Asked.Cookie == "" {
		req.Fields = slices.DeleteFunc(slices.Clone(req.Fields), func(f flow.Field) bool { return flow.Named(f.Name, "cookie") })
	}
	resp := httpcache.Response{Status: m.Status, Fields: m.Fields}
	meta, ok := httpcache.Survivor(&req, &resp, k.now.Add(-k.flow.Origin.FirstByte), k.now)
	if !ok || !fewTags(m.Fields) {
		return nil
	}
	fields := slices.DeleteFunc(slices.Clone(m.Fields), isSetCookie)
	return newEntry(*t, &meta, m.Status, fields, k.lead.begun)
}

// copyPassing makes a survival copy of a message that passes unstored.
func (k *keep) copyPassing(m *flow.Message) {
	e := k.wantsCopy()
	switch {
	case e == nil:
	case m.Stream == nil:
		k.policy.room.keepCopy(k.lead.spot.primary, e, slices.Clone(m.Body))
	default:
		m.Stream = &copying{Body: m.Stream, room: k.policy.room, primary: k.lead.spot.primary, entry: e, want: m.Length}
	}
}

func (r *Room) keepCopy(primary store.Key, e *entry, body []byte) {
	e.complete(body)
	r.setCopy(r.survivalKey(primary), e)
}

// copying is a body on its way to a client, of which a copy is made. What is copied counts against the memory for fetches.
type copying struct {
	flow.Body
	room     *Room
	primary  store.Key
	entry    *entry // nil when the copy was given up
	want     int64  // bytes, -1 if unknown
	copied   []byte
	reserved int64
}

// Next implements [flow.Body].
func (c *copying) Next() ([]byte, error) {
	piece, err := c.Body.Next()
	if c.entry != nil {
		c.take(piece, err)
	}
	return piece, err
}

func (c *copying) take(piece []byte, err error) {
	n := int64(len(c.copied) + len(piece))
	switch {
	case err != nil && err != io.EOF, n > c.room.maxObject, !c.reserve(n):
		c.giveUp()
		return
	}
	c.copied = append(c.copied, piece...)
	if err == io.EOF {
		if c.want < 0 || n == c.want {
			c.room.keepCopy(c.primary, c.entry, slices.Clip(c.copied))
		}
		c.giveUp()
	}
}

func (c *copying) reserve(n int64) bool {
	if n <= c.reserved {
		return true
	}
	more := max(n, 2*c.reserved) - c.reserved
	if !c.room.filling.take(more) {
		return false
	}
	c.reserved += more
	return true
}

func (c *copying) giveUp() {
	c.room.filling.add(-c.reserved)
	c.entry, c.copied, c.reserved = nil, nil, 0
}

// Close implements [flow.Body].
func (c *copying) Close() {
	c.giveUp()
	c.Body.Close()
}

// copyStored makes a survival copy of what is stored, too, if it may not be served stale as it is.
func (k *keep) copyStored(e *entry) {
	if !e.meta.NoCache && !e.meta.MustRevalidate {
		return
	}
	if c := k.wantsCopy(); c != nil {
		e.copyAs = k.policy.room.survivalKey(k.lead.spot.primary)
	}
}

// survivor is the copy that may stand in for the origin's answer to a request, nil if there is none.
func (k *keep) survivor() *entry {
	p, s := k.policy, &k.lead.spot
	if p.survive == 0 {
		return nil
	}
	key := p.room.survivalKey(s.primary)
	e := p.alive(key, p.room.get(key, &s.target))
	if e == nil {
		e = p.recallCopy(k.flow, key, &s.target)
	}
	if e == nil || k.now.Sub(e.meta.ResponseTime) > p.survive || !takesCoding(k.flow.Effective(), e.message.Fields) {
		return nil
	}
	return e
}

// takesCoding tells whether a request's client understands the coding that a stored response has, if it has one.
func takesCoding(q *flow.Request, fields []flow.Field) bool {
	name := flow.Get(fields, "content-encoding")
	if name == "" {
		return true
	}
	c, known := httpcache.ParseCoding(name)
	return known && httpcache.ParseAcceptEncoding(q.Fields)[c] > 0
}

// standIn gives the flow, and those who wait for its fetch, the copy in place of an answer. It reports whether there is one.
func (k *keep) standIn(reason string) bool {
	e := k.survivor()
	if e == nil {
		return false
	}
	c := &k.flow.Cache
	c.Status, c.Reason = flow.Stale, reason
	c.Message, c.Meta = &e.message, &e.meta
	c.Age = e.meta.Age(k.now)
	c.TTL = min(e.meta.Lifetime-c.Age, 0)
	fl := k.lead.fill
	switch {
	case fl == nil:
	case flow.Get(e.message.Fields, "content-encoding") == "":
		fl.settle(answer{e, nil, flow.Stale}, false, k.lead.spot.key)
		k.lead.leave()
	default: // which not all may understand
		fl.handOver(k.lead)
	}
	return true
}
