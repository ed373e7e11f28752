package cache

import (
	"io"
	"slices"
	"strings"
	"time"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/flow"
)

// Keep takes the origin's answer to a flow that leads, in flow.Origin.Message. It may wait for the body's first piece. After it,
// flow.Cache.Message is what to serve, and the origin's message is the cache's business: it is
//
//   - the response that is being stored, or has been: Stored is true;
//   - the stored response that a 304 confirmed: Status is Revalidated;
//   - a stale response in place of a server error, where the origin allows it: Status is Stale;
//   - or the origin's own, which is not stored, for the reason in Reason.
func (p *Policy) Keep(f *flow.Flow) {
	l := endLead(f)
	if l == nil {
		return
	}
	k := keep{policy: p, flow: f, lead: l, now: f.Task.Now()}
	msg, stale := f.Origin.Message, l.spot.entry
	switch {
	case isServerError(msg.Status) && k.survives("the origin's answer was an error"):
		closeMessage(msg)
	case l.fill == nil:
		k.single()
	case stale != nil && msg.Status == 304:
		k.revalidate(stale)
	default:
		k.store()
	}
	if l.fill != nil {
		l.client.Unwatch()
		f.Abort = l.client
	}
}

// survives answers with what is stored in place of an answer that is an error, and reports whether it may and can.
func (k *keep) survives(reason string) bool {
	survive := k.policy.survive
	if stale := k.lead.spot.entry; stale != nil && k.lead.fill != nil {
		d := k.policy.decide(stale, k.flow.Effective(), k.now)
		if d.StaleIfError > 0 || survive > 0 && d.MayBeStale && -d.TTL <= survive {
			k.serveStale(reason)
			return true
		}
	}
	return k.standIn(reason)
}

// Abandon ends the lead of a flow whose fetch was refused on the way or failed. If a stale response may stand in for an origin
// that cannot be reached, flow.Cache.Message is that one and Status is Stale, for those who wait as well. Otherwise the one
// that has waited longest leads.
func (p *Policy) Abandon(f *flow.Flow) {
	l := endLead(f)
	if l == nil {
		return
	}
	k := keep{policy: p, flow: f, lead: l, now: f.Task.Now()}
	if l.fill == nil {
		if disconnected(f) {
			k.standIn(unreachable)
		}
		return
	}
	if stale := l.spot.entry; stale != nil && disconnected(f) {
		d := p.decide(stale, f.Effective(), k.now)
		if d.StaleIfError > 0 || d.MayBeStale && -d.TTL <= max(disconnectedGrace, p.survive) {
			k.serveStale(unreachable)
		}
	}
	if f.Cache.Message == nil && disconnected(f) {
		k.standIn(unreachable)
	}
	l.fill.handOver(l)
	l.client.Unwatch()
	f.Abort = l.client
}

// endLead ends a flow's lead and returns it; nil if it has none.
func endLead(f *flow.Flow) *lead {
	l, _ := f.Cache.Fetch.(*lead)
	f.Cache.Fetch = nil
	return l
}

// disconnected reports whether a flow was refused because the origin could not be asked.
func disconnected(f *flow.Flow) bool {
	for _, r := range [...]*flow.Refusal{f.Admission.Refusal, f.Origin.Refusal} {
		if r == nil {
			continue
		}
		switch r.Reason {
		case flow.QueueFull, flow.QueueTimeout, flow.OriginUnreachable, flow.OriginTimeout, flow.OriginBroken, flow.OriginDown:
			return true
		}
	}
	return false
}

// isServerError names the statuses that RFC 5861 §4 is about.
func isServerError(status int) bool {
	return status == 500 || status >= 502 && status <= 504
}

func closeMessage(m *flow.Message) {
	if m.Stream != nil {
		m.Stream.Close()
	}
}

// What keeps a response out, beside what httpcache says.
const (
	tooLarge    = "response is too large"
	eventStream = "response is a stream of events"
	unreachable = "the origin cannot be reached"
)

// keep is one call of Keep or Abandon.
type keep struct {
	policy *Policy
	flow   *flow.Flow
	lead   *lead
	now    time.Time
}

// judge asks httpcache about a response to the flow's request. The time the request was sent does not include waiting for
// admission, so that a queue does not age responses.
func (k *keep) judge(status int, fields []flow.Field) (httpcache.Metadata, httpcache.Refusal) {
	q := k.flow.Effective()
	req := httpcache.Request{Method: q.Method, Fields: q.Fields}
	resp := httpcache.Response{Status: status, Fields: fields}
	policy := k.policy.http
	policy.Own = k.policy.own(k.flow, status, fields)
	policy.Own.UnsetCookies = k.policy.cookieless(k.flow)
	return httpcache.Store(&req, &resp, k.now.Add(-k.flow.Origin.FirstByte), k.now, policy)
}

// serve makes a complete entry the leader's answer.
func (k *keep) serve(e *entry, status flow.CacheStatus) {
	d := k.policy.decide(e, k.flow.Effective(), k.now)
	serve(&k.flow.Cache, e, status, &d)
	if status != flow.Miss { // it is not complete yet, or was not asked for before
		k.policy.encode(k.flow, e, k.lead.spot.key)
	}
}

// serveStale gives the stale entry to the leader and to those who wait.
func (k *keep) serveStale(reason string) {
	stale := k.lead.spot.entry
	k.lead.fill.settle(answer{stale, k.lead.spot.vary, flow.Stale}, false, k.lead.spot.key)
	k.serve(stale, flow.Stale)
	k.flow.Cache.Reason = reason
	k.lead.leave()
}

// single is Keep for a flow that fetched for itself alone. Its response is not stored, but if it could have been and served others,
// the next request leads.
func (k *keep) single() {
	m := k.flow.Origin.Message
	meta, refusal := k.judge(m.Status, m.Fields)
	if k.policy.survive > 0 {
		passing := *m
		k.copyPassing(&passing)
		k.flow.Cache.Message = &passing
	}
	if refusal != httpcache.Storable {
		k.unstorable(refusal)
		return
	}
	q := httpcache.Request{Method: k.flow.Request.Method, Fields: k.flow.Effective().Fields}
	if meta.Decide(&q, k.now, k.policy.http).Outcome == httpcache.Fresh {
		k.policy.room.fills.forget(k.lead.spot.key)
	}
	k.flow.Cache.Reason = "responses could not be shared a moment ago"
}

// unstorable notes why a response is not stored, and what follows for its key.
func (k *keep) unstorable(refusal httpcache.Refusal) {
	status, l := k.flow.Origin.Message.Status, k.lead
	if status < 500 && l.spot.entry != nil {
		k.policy.room.erase(k.flow, l.spot.key, l.spot.entry) // it has been superseded
	}
	if refusal != httpcache.AboutRequest && refusal != httpcache.Authorization {
		k.rememberFor(unshareableFor, status, refusal.String())
	}
	k.flow.Cache.Reason = refusal.String()
}

// revalidate uses a 304 to refresh the stale entry (RFC 9111 §4.3.4).
func (k *keep) revalidate(stale *entry) {
	p, r, l, c := k.policy, k.policy.room, k.lead, &k.flow.Cache
	answered := *k.flow.Origin.Message
	closeMessage(&answered)
	defer l.leave()
	resp := httpcache.Response{Status: answered.Status, Fields: answered.Fields}
	if !stale.meta.Freshens(&resp) {
		// The origin says that what we asked about is good, with the validators of something else. It is served once more to
		// the one who asked, and then fetched anew.
		r.erase(k.flow, l.spot.key, stale)
		l.fill.refuse()
		k.serve(stale, flow.Revalidated)
		c.Reason = "the origin's 304 has other validators"
		return
	}
	fields := httpcache.Merge(stale.originFields(), answered.Fields, p.http)
	meta, refusal := k.judge(stale.message.Status, fields)
	storable := refusal == httpcache.Storable
	if !storable {
		meta, c.Reason = stale.meta, refusal.String()
	}
	e := newEntry(l.spot.target, &meta, stale.message.Status, fields, l.begun)
	own := k.own(&meta, answered.Fields)
	if !storable {
		e.complete(stale.message.Body)
		r.erase(k.flow, l.spot.key, stale)
		l.fill.refuse()
		k.serve(e, flow.Revalidated)
		k.give(own)
		return
	}
	vary := k.policy.assign(&l.spot, e, k.flow.Effective().Fields)
	e.place = r.supersede(k.flow, &l.spot, e)
	k.copyStored(e)
	e.complete(stale.message.Body)
	if p.compression.applies(e.message.Status, e.message.Fields, e.message.Length) {
		e.negotiate(stale.forms)
	}
	l.fill.settle(answer{e, vary, flow.Revalidated}, true, l.spot.key)
	k.serve(e, flow.Revalidated)
	k.give(own)
	k.remember(e)
	c.Stored = true
}

// store keeps a new response, if it may.
func (k *keep) store() {
	r, l, msg := k.policy.room, k.lead, k.flow.Origin.Message
	meta, refusal := k.judge(msg.Status, msg.Fields)
	switch {
	case refusal != httpcache.Storable:
		k.unstorable(refusal)
		k.passThrough(refusal.String())
		return
	case !fewTags(msg.Fields):
		k.passThrough("response has too many tags")
		return
	case msg.Length > r.maxObject && !r.spoolable(msg):
		r.fills.remember(l.spot.key, k.now, tooLargeFor, true, tooLarge)
		k.passThrough(tooLarge)
		return
	case msg.Length < 0 && isEventStream(msg.Fields):
		r.fills.remember(l.spot.key, k.now, unshareableFor, true, eventStream)
		k.passThrough(eventStream)
		return
	case r.filling.full():
		k.passThrough("memory for fetches is used up")
		return
	}
	from := l.spot.key
	e := newEntry(l.spot.target, &meta, msg.Status, msg.Fields, l.begun)
	large := msg.Length > r.maxObject
	if !large && k.policy.compression.applies(msg.Status, msg.Fields, msg.Length) {
		e.negotiate(nil)
	}
	vary := k.policy.assign(&l.spot, e, k.flow.Effective().Fields)
	r.supersede(k.flow, &l.spot, e)
	if large && !r.spool(l.fill, msg.Length) {
		k.passThrough("the disk has no room for a large response now")
		return
	}
	if reason := r.fills.move(l.fill, from, l.spot.key); reason != "" {
		l.fill.unspool()
		k.passThrough(reason)
		return
	}
	rd := l.fill.begin(answer{e, vary, flow.Miss}, l.spot.key, msg.Length, l.client, k.flow.Task)
	if rd == nil {
		r.fills.remove(l.fill, l.spot.key)
		l.fill.unspool()
		k.passThrough("the client is gone")
		return
	}
	if !large {
		k.copyStored(e)
	}
	r.fills.forget(from)
	k.remember(e)
	k.fill(rd, e, msg)
}

// fill begins to take the body. If it comes whole with its head, that is all; else a goroutine of its own goes on.
func (k *keep) fill(rd *reader, e *entry, msg *flow.Message) {
	fl, c := k.lead.fill, &k.flow.Cache
	own := k.own(&e.meta, msg.Fields)
	if fl.body.spool != nil {
		k.flow.Task.Leave() // pieces are written to the disk
	}
	piece, err := msg.Body, io.EOF
	if msg.Stream != nil {
		piece, err = msg.Stream.Next()
	}
	more := (err == nil || err == io.EOF) && fl.add(piece, err == io.EOF) && err == nil
	if more {
		k.flow.Task.Leave() // the pump waits for what the task would
		go fl.pump(msg.Stream)
	} else {
		fl.finish(err)
		closeMessage(msg)
	}
	k.serve(e, flow.Miss)
	whole := fl.whole()
	c.Stored = whole || more || fl.body.spool != nil && err == io.EOF
	if whole {
		rd.Close()
	} else {
		c.Message = fl.message(rd)
	}
	k.give(own)
	k.lead.leave()
}

// own are the fields that are for the leader's client alone. Of a session that was begun for all, the cookie is for nobody: the page may have
// that session's secrets in it.
func (k *keep) own(meta *httpcache.Metadata, fields []flow.Field) []flow.Field {
	own := meta.WithheldFields(nil, fields)
	if k.policy.cookieless(k.flow) {
		own = slices.DeleteFunc(own, isSetCookie)
	}
	return own
}

func isSetCookie(f flow.Field) bool { return flow.Named(f.Name, "set-cookie") }

// give adds the fields that are for the leader's client alone to what it is served.
func (k *keep) give(own []flow.Field) {
	if len(own) > 0 {
		m := *k.flow.Cache.Message
		m.Fields = append(slices.Clip(m.Fields), own...)
		k.flow.Cache.Message = &m
	}
}

// passThrough gives the leader the origin's response and lets those who wait fetch on their own.
func (k *keep) passThrough(reason string) {
	k.lead.fill.refuse()
	c := &k.flow.Cache
	c.Reason = reason
	m := *k.flow.Origin.Message
	k.copyPassing(&m)
	if m.Stream != nil {
		m.Stream = &relay{Body: m.Stream, lead: k.lead}
	}
	c.Message = &m
}

// isEventStream tells of content of which each piece has to reach its client at once, and whose head comes long before the first.
func isEventStream(fields []flow.Field) bool {
	mediaType, _, _ := strings.Cut(flow.Get(fields, "content-type"), ";")
	return flow.Named(strings.TrimSpace(mediaType), "text/event-stream")
}

// remember notes for a while that a response is of no use for other requests as it is, or forgets that.
func (k *keep) remember(e *entry) {
	if k.policy.decide(e, k.flow.Effective(), k.now).Outcome == httpcache.Fresh {
		k.policy.room.fills.forget(k.lead.spot.key)
		return
	}
	k.rememberFor(unshareableFor, e.message.Status, "response is stored, but never fresh")
}

func (k *keep) rememberFor(d time.Duration, status int, reason string) {
	if status >= 500 {
		d = errorFor
	}
	k.policy.room.fills.remember(k.lead.spot.key, k.now, d, false, reason)
}

// relay is an origin's body that is not stored, on its way to the client of the flow that led the fetch. While it waits, it tells
// the fetch when the client goes.
type relay struct {
	flow.Body
	lead *lead
}

// Next implements [flow.Body].
func (r *relay) Next() ([]byte, error) {
	if !r.lead.client.Watch(r.lead) {
		r.lead.leave()
	}
	defer r.lead.client.Unwatch()
	return r.Body.Next()
}

// Close implements [flow.Body].
func (r *relay) Close() {
	r.Body.Close()
	r.lead.leave()
}
