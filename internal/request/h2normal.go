package request

import (
	"crypto/rand"
	"encoding/base64"
	"strings"

	"github.com/seawall/seawall/h2"
	"github.com/seawall/seawall/hfp"
	"github.com/seawall/seawall/internal/flow"
)

// normaliseHTTP2 fills a flow's request from a field section, whose fields are the flow's own.
func (r *Room) normaliseHTTP2(x *h2exchange, s *h2.Request, client *hfp.Conn) {
	q := &x.flow.Request
	q.Proto = "HTTP/2.0"
	q.Method, q.Target = s.Method, s.Path
	if h := x.session; s.Authority != h.authority {
		h.authority, h.host = s.Authority, flow.NormalHost(s.Authority)
	}
	q.Authority, q.Host = s.Authority, x.session.host
	q.Length = s.Length
	switch {
	case s.Excess != 0:
		q.Refusal = excess(s.Excess)
		return
	case len(s.Path) > r.limits.Line:
		q.Refusal = &longTarget
		return
	}
	q.Fingerprint = hfp.OfHTTP2(client, x.fields)
	if s.Protocol != "" {
		x.switchTo(s.Protocol)
	}
	q.Fields = x.fields
	q.Expect = s.Length != 0 && strings.EqualFold(flow.Get(q.Fields, "expect"), "100-continue")
	var path string
	path, q.Query, q.HasQuery = strings.Cut(s.Path, "?")
	r.complete(q, path)
}

// switchTo makes of extended CONNECT (RFC 8441) the request for an upgrade that it is in HTTP/1.1, where an origin expects a key, too
// (RFC 6455 §4.1). Other protocols than WebSocket have no such form.
func (x *h2exchange) switchTo(protocol string) {
	q := &x.flow.Request
	if !strings.EqualFold(protocol, "websocket") {
		return // CONNECT is refused
	}
	var key [16]byte
	rand.Read(key[:])
	x.fields = append(x.fields, flow.Field{Name: "sec-websocket-key", Value: base64.StdEncoding.EncodeToString(key[:])})
	q.Method, q.Upgrade, q.Length = "GET", "websocket", 0
}

// excess is the refusal of a field section beyond our bounds.
func excess(e h2.Excess) *flow.Refusal {
	if e == h2.TooManyFields {
		return &manyFields
	}
	return &largeFields
}
