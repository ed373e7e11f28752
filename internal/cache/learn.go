package cache

import (
	"io"
	"slices"
	"time"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/flow"
)

// Learn follows the origin's answer to a flow that went on without the cache ([Pass]), after [Policy.Invalidate]. It uses what that says
// about stored responses, and keeps what later requests can use: the 200 to a HEAD updates the stored response, or has it count
// as stale (RFC 9111 §4.3.5); a 206 is kept as a part (§3.3), joined to what is there of the same representation (§3.4); and the response to a
// POST is stored where the owner wants that (RFC 9110 §9.3.3). A body is kept once it has gone to the client whole. Of one target, one
// answer at a time is learned from.
func (p *Policy) Learn(f *flow.Flow) {
	q, msg := *f.Effective(), f.Origin.Message
	if msg == nil {
		return
	}
	learn := p.learnPost
	switch {
	case q.Method == "HEAD" && msg.Status == 200:
		learn = p.learnHead
	case q.Method == "GET" && msg.Status == 206:
		learn = p.learnPart
	case q.Method == "POST" && p.http.StorePost:
		q.Method, q.Length = "GET", 0 // what it would be an answer to
	default:
		return
	}
	if p.bypass(&q) != "" || p.unsetsCookies(&q) && q.Get("cookie") != "" {
		return
	}
	l := &lesson{policy: p, flow: f, now: time.Now()}
	p.locate(&q, &l.spot)
	l.spot.target = l.spot.target.clone()
	if l.begin(); l.fill != nil {
		learn(l)
	}
}

// lesson is one call of Learn, until the body has gone.
type lesson struct {
	policy *Policy
	flow   *flow.Flow
	now    time.Time
	spot   spot
	// fill is in the table under the key of the target's parts: it gathers the body, and an invalidation bars it.
	fill *fill
}

// begun is a time before the origin was asked, for purges that came between; of a POST, whose response is not older than the invalidation that
// it brings, the time after that.
func (l *lesson) begun() int64 {
	if l.flow.Request.Method == "POST" {
		return l.policy.room.tick()
	}
	return l.flow.Request.Received.UnixNano()
}

// begin takes the target's place in the table, if nobody has it.
func (l *lesson) begin() {
	key := partsKey(l.spot.primary)
	sh := l.policy.room.fills.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.fills[key] != nil {
		return
	}
	l.fill = l.policy.room.newFill(key)
	l.fill.body.max = l.policy.room.maxObject
	sh.fills[key] = l.fill
}

// judge says whether the answer may be stored, as one with other fields than its own.
func (l *lesson) judge(method string, fields []flow.Field) (httpcache.Metadata, httpcache.Refusal) {
	req := httpcache.Request{Method: method, Fields: l.flow.Effective().Fields}
	resp := httpcache.Response{Status: 200, Fields: fields}
	policy := l.policy.http
	policy.Own = l.policy.own(l.flow, resp.Status, fields)
	policy.Own.UnsetCookies = l.policy.cookieless(l.flow)
	return httpcache.Store(&req, &resp, l.now.Add(-l.flow.Origin.FirstByte), l.now, policy)
}

// foreign reports whether a response that varies by these fields may be in a language or a coding that the origin was not asked for on the
// cache's behalf, since these flows carry their clients' own Accept-Language and Accept-Encoding.
func (l *lesson) foreign(vary []string) bool {
	return len(l.policy.languages) > 0 && slices.Contains(vary, "accept-language") ||
		slices.Contains(vary, "accept-encoding") && !l.understood()
}

// understood tells whether the answer's coding is one that all accept whose Accept-Encoding has the request's normal form.
func (l *lesson) understood() bool {
	return takesCoding(l.flow.Effective(), l.flow.Origin.Message.Fields)
}

// keep stores a complete entry in its place among the target's, unless an invalidation came between. The body of one that was confirmed is on the
// disk as it is.
func (l *lesson) keep(e *entry, body []byte, confirmed bool) {
	l.policy.assign(&l.spot, e, l.flow.Effective().Fields)
	if was := l.policy.room.supersede(l.flow, &l.spot, e); confirmed {
		e.place = was
	}
	e.complete(body)
	l.fill.settle(answer{entry: e}, true, l.spot.key)
}

// learnHead updates the fields of the stored response. One that the answer does not tell of counts as stale from now on: if it is that
// already, it stays, for when the origin can't be reached.
func (p *Policy) learnHead(l *lesson) {
	defer l.fill.refuse()
	e, msg := l.spot.entry, l.flow.Origin.Message
	if e == nil || l.foreign(e.meta.Vary) {
		return
	}
	head := httpcache.Response{Status: msg.Status, Fields: msg.Fields}
	if !e.meta.ConfirmedBy(&head, e.message.Length) {
		if e.meta.Decide(&httpcache.Request{Method: "GET"}, l.now, httpcache.Policy{}).Outcome == httpcache.Fresh {
			p.room.erase(l.flow, l.spot.key, e)
		}
		return
	}
	fields := httpcache.Merge(e.originFields(), msg.Fields, p.http)
	meta, refusal := l.judge("GET", fields)
	if refusal != httpcache.Storable {
		p.room.erase(l.flow, l.spot.key, e)
		return
	}
	updated := newEntry(l.spot.target, &meta, e.message.Status, fields, l.begun())
	if p.compression.applies(updated.message.Status, updated.message.Fields, e.message.Length) {
		updated.negotiate(e.forms)
	}
	l.keep(updated, e.message.Body, true)
	l.flow.Cache.Stored = true
}

// learnPost stores the response.
func (p *Policy) learnPost(l *lesson) {
	q, msg := l.flow.Effective(), l.flow.Origin.Message
	uri := q.Scheme + "://" + q.Host + q.Path
	if q.HasQuery {
		uri += "?" + q.Query
	}
	meta, refusal := l.judge(q.Method, msg.Fields)
	if refusal != httpcache.Storable || msg.Status != 200 || l.foreign(meta.Vary) || !httpcache.SelfLocated(uri, msg.Fields) {
		l.fill.refuse()
		return
	}
	e := newEntry(l.spot.target, &meta, msg.Status, msg.Fields, l.begun())
	l.gather(msg.Length, func(body []byte) { l.keep(e, body, false) })
}

// learnPart keeps the answer to a request for a range.
func (p *Policy) learnPart(l *lesson) {
	msg := l.flow.Origin.Message
	part, ok := httpcache.ParseContentRange(msg.Fields)
	fields := slices.DeleteFunc(slices.Clone(msg.Fields), func(f flow.Field) bool { return flow.Named(f.Name, "content-range") })
	meta, refusal := l.judge("GET", fields)
	usable := ok && part.Total <= p.room.maxObject && worthKeeping(part.Length, part.Total) && (msg.Length < 0 || msg.Length == part.Length)
	if !usable || refusal != httpcache.Storable || l.foreign(meta.Vary) {
		l.fill.refuse()
		return
	}
	e := newEntry(l.spot.target, &meta, 200, fields, l.begun())
	l.gather(part.Length, func(body []byte) { l.addPart(e, part, body) })
}

// addPart stores a part under the fields it came with, with what is there of the same representation. What has become whole is an object
// like others.
func (l *lesson) addPart(e *entry, part httpcache.Part, data []byte) {
	request := l.flow.Effective().Fields
	e.variant = string(l.policy.languages.AppendVaryKey(nil, e.meta.Vary, request))
	e.parts = &parts{total: part.Total}
	old := l.policy.incomplete(&l.spot, request)
	switch whole := l.spot.entry; {
	case whole != nil && whole.meta.Combines(&e.meta) && whole.message.Length == part.Total:
		e = l.renew(e, whole)
		e.parts = &parts{total: part.Total, spans: []span{{0, whole.message.Body}}}
	case old != nil && old.variant == e.variant && old.meta.Combines(&e.meta) && old.parts.total == part.Total:
		e = l.renew(e, old)
		e.parts = old.parts
	}
	e.parts = e.parts.with(span{part.First, data})
	if body := e.parts.whole(); body != nil {
		l.policy.room.objects.Delete(partsKey(l.spot.primary))
		e.parts, e.variant = nil, ""
		l.keep(e, body, false)
		return
	}
	e.bytes += e.parts.size() + int64(len(e.variant))
	l.fill.settle(answer{entry: e}, true, partsKey(l.spot.primary))
}

// renew is a stored entry's fields, updated by those of a newer one (RFC 9111 §3.4).
func (l *lesson) renew(e, old *entry) *entry {
	renewed := newEntry(l.spot.target, &e.meta, 200, httpcache.Merge(old.originFields(), e.message.Fields, l.policy.http), l.begun())
	renewed.variant = e.variant
	return renewed
}

// gather has the body taken along on its way to the client. Of length bytes, it is given to done.
func (l *lesson) gather(length int64, done func(body []byte)) {
	msg, b := l.flow.Origin.Message, &l.fill.body
	if length > b.max {
		l.fill.refuse()
		return
	}
	b.length = length
	g := &gathering{lesson: l, done: done}
	if msg.Stream == nil {
		g.take(msg.Body, io.EOF)
		return
	}
	g.Body = msg.Stream
	with := *msg
	with.Stream = g
	l.flow.Cache.Message = &with
}

// gathering is a body on its way.
type gathering struct {
	flow.Body
	lesson *lesson
	done   func(body []byte)
	over   bool
}

// Next implements [flow.Body].
func (g *gathering) Next() ([]byte, error) {
	piece, err := g.Body.Next()
	g.take(piece, err)
	return piece, err
}

// take keeps a copy of a piece, as long as all of them fit.
func (g *gathering) take(piece []byte, err error) {
	if g.over {
		return
	}
	fl := g.lesson.fill
	fl.mu.Lock()
	b := &fl.body
	fits := !fl.barred && (err == nil || err == io.EOF) && b.append(piece, err == io.EOF)
	whole := fits && err == io.EOF && (b.length < 0 || b.length == b.have())
	var body []byte
	if whole {
		body = b.whole()
	}
	fl.mu.Unlock()
	switch {
	case whole:
		g.over = true
		if len(body) > smallObject {
			g.lesson.flow.Task.Leave() // a loop has better to do than to copy
		}
		g.done(slices.Clip(body))
	case !fits || err != nil:
		g.drop()
	}
}

// Close implements [flow.Body].
func (g *gathering) Close() {
	g.drop()
	g.Body.Close()
}

func (g *gathering) drop() {
	if !g.over {
		g.over = true
		g.lesson.fill.refuse()
	}
}
