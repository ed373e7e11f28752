package cache

import (
	"slices"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/cache/store"
	"github.com/seawall/seawall/internal/flow"
)

// maxSpans bounds the pieces of an incomplete object. Past it, the smallest is forgotten.
const maxSpans = 8

// A part of an object larger than smallObject has to be at least one in leastPart of it: joining it to what is there copies up to all of
// that, and nobody should have much copied by asking for a little.
const (
	smallObject = 64 << 10
	leastPart   = 64
)

// worthKeeping reports whether a part of length bytes of an object is large enough.
func worthKeeping(length, total int64) bool { return total <= smallObject || length >= total/leastPart }

// spanOverhead is what a piece takes besides its bytes.
const spanOverhead = 48

// parts is what is there of an incomplete object (RFC 9111 §3.3): bytes of a representation of total bytes. It is immutable.
type parts struct {
	total int64
	spans []span // in order; none touches another
}

// span is the bytes from an offset on.
type span struct {
	start int64
	data  []byte
}

func (s *span) end() int64 { return s.start + int64(len(s.data)) }

// with returns the parts with one more span, as one with those that it touches.
func (p *parts) with(s span) *parts {
	out := &parts{total: p.total}
	for _, old := range p.spans {
		switch {
		case old.end() < s.start || old.start > s.end():
			out.spans = append(out.spans, old)
		case old.start <= s.start && old.end() >= s.end():
			s = old
		case old.start <= s.start:
			s = span{old.start, slices.Concat(old.data[:s.start-old.start], s.data)}
		case old.end() > s.end():
			s.data = slices.Concat(s.data, old.data[s.end()-old.start:])
		}
	}
	at, _ := slices.BinarySearchFunc(out.spans, s.start, func(o span, start int64) int {
		if o.start < start {
			return -1
		}
		return 1
	})
	out.spans = slices.Insert(out.spans, at, s)
	if len(out.spans) > maxSpans {
		least := 0
		for i := range out.spans {
			if len(out.spans[i].data) < len(out.spans[least].data) {
				least = i
			}
		}
		out.spans = slices.Delete(out.spans, least, least+1)
	}
	return out
}

// whole returns the content if nothing of it is missing, else nil.
func (p *parts) whole() []byte {
	if len(p.spans) == 1 && int64(len(p.spans[0].data)) == p.total {
		return p.spans[0].data
	}
	return nil
}

// slice returns the bytes of a range, or nil if they are not all there.
func (p *parts) slice(start, length int64) []byte {
	for i := range p.spans {
		if s := &p.spans[i]; s.start <= start && start+length <= s.end() {
			from := start - s.start
			return s.data[from : from+length : from+length]
		}
	}
	return nil
}

// size is the parts' weight in the store.
func (p *parts) size() (n int64) {
	for i := range p.spans {
		n += spanOverhead + int64(cap(p.spans[i].data))
	}
	return n
}

// partsKey is where a target's incomplete object is kept: never where a complete one is looked for.
func partsKey(primary store.Key) store.Key { return (primary ^ spread) * spread }

// incomplete returns the target's incomplete object if it has been selected by the same fields as the request's.
func (p *Policy) incomplete(s *spot, fields []flow.Field) *entry {
	key := partsKey(s.primary)
	e := p.alive(key, p.room.getParts(key, &s.target))
	if e == nil || e.variant != string(p.languages.AppendVaryKey(nil, e.meta.Vary, fields)) {
		return nil
	}
	return e
}

// servePart answers a request for a range that an incomplete object holds (RFC 9111 §3.4) and reports whether it could. Whether that has
// been modified for this client is response's to see, as with others.
func (p *Policy) servePart(f *flow.Flow, s *spot) bool {
	q := f.Effective()
	if q.Get("range") == "" {
		return false
	}
	e := p.incomplete(s, q.Fields)
	if e == nil || s.entry != nil && s.entry.meta.Date.After(e.meta.Date) { // the latest counts (RFC 9111 §4)
		return false
	}
	d := p.decide(e, q, q.Received)
	if d.Outcome != httpcache.Fresh {
		return false
	}
	start, length, outcome := e.meta.Range(&httpcache.Request{Method: q.Method, Fields: q.Fields}, e.parts.total)
	if outcome != httpcache.RangeSatisfiable {
		return false
	}
	data := e.parts.slice(start, length)
	if data == nil {
		return false
	}
	c := &f.Cache
	serve(c, e, flow.Hit, &d)
	c.Reason = d.Reason.String()
	c.Message = &flow.Message{
		Status: 206, Length: length, Body: data,
		Fields: append(slices.Clip(e.message.Fields), flow.Field{
			Name: "Content-Range", Value: httpcache.Part{First: start, Length: length, Total: e.parts.total}.String(),
		}),
	}
	return true
}
