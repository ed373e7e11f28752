package origin

import (
	"net/netip"

	"github.com/seawall/seawall/h1"
	"github.com/seawall/seawall/internal/flow"
)

// appendForwarding appends for whom we ask. What a trusted proxy said comes first in the lists, and the proxy itself is the next
// in them; else the client is the first. Each list is one field, for readers that look at one only.
func (p *Policy) appendForwarding(b []byte, f *flow.Flow, s *sight) []byte {
	peer := f.Request.Client
	if s.trusted {
		peer = f.Conn.Remote.Addr()
	}
	peer = peer.Unmap().WithZone("")
	b = append(b, "X-Forwarded-For: "...)
	if s.forwardedFor {
		b = appendList(b, f.Effective().Fields, forwardedFor)
	}
	b = peer.AppendTo(b)
	if !s.forwardedProto {
		b = append(b, "\r\nX-Forwarded-Proto: "...)
		b = append(b, f.Request.Scheme...)
	}
	host := f.Target().Authority
	if !s.forwardedHost && host != "" {
		b = append(b, "\r\nX-Forwarded-Host: "...)
		b = append(b, host...)
	}
	b = append(b, "\r\nForwarded: "...)
	if s.forwarded {
		b = appendList(b, f.Effective().Fields, forwarded)
	}
	b = appendElement(b, peer, host, f.Request.Scheme)
	b = append(b, "\r\n"...)
	if p.clientHeader != "" {
		b = append(b, p.clientHeader...)
		b = f.Request.Client.Unmap().WithZone("").AppendTo(b)
		b = append(b, "\r\n"...)
	}
	return b
}

// appendList appends the values of a kind, each with a comma behind it.
func appendList(b []byte, fields []flow.Field, k kind) []byte {
	for i := range fields {
		if fields[i].Value != "" && classify(fields[i].Name) == k {
			b = append(b, fields[i].Value...)
			b = append(b, ", "...)
		}
	}
	return b
}

// appendElement appends a forwarded-element (RFC 7239 §4): values that are no tokens are quoted, IPv6 addresses in brackets too.
func appendElement(b []byte, peer netip.Addr, host, scheme string) []byte {
	b = append(b, "for="...)
	if peer.Is6() {
		b = append(b, `"[`...)
		b = peer.AppendTo(b)
		b = append(b, `]"`...)
	} else {
		b = peer.AppendTo(b)
	}
	if host != "" {
		b = append(b, ";host="...)
		b = appendValue(b, host)
	}
	b = append(b, ";proto="...)
	return append(b, scheme...)
}

// appendValue appends a token, or else a quoted string (RFC 9110 §5.6.4).
func appendValue(b []byte, v string) []byte {
	if h1.ValidToken(v) {
		return append(b, v...)
	}
	b = append(b, '"')
	for i := range len(v) {
		if v[i] == '"' || v[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, v[i])
	}
	return append(b, '"')
}
