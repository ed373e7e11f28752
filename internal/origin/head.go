package origin

import (
	"errors"
	"strconv"
	"strings"

	"github.com/seawall/seawall/h1"
	"github.com/seawall/seawall/internal/flow"
)

// maxNominated bounds the fields that a client's Connection may name, since each is compared to all others.
const maxNominated = 16

var errNominated = errors.New("connection names more than 16 fields")

// nominated are the fields that Connection names (RFC 9110 §7.6.1), beside those that never pass anyway.
type nominated struct {
	names [maxNominated]string
	n     int
}

func (m *nominated) add(value string) error {
	for name := range h1.Tokens(value) {
		switch {
		case h1.EqualFold(name, "keep-alive"), h1.EqualFold(name, "close"), h1.EqualFold(name, "upgrade"), h1.EqualFold(name, "te"):
		case m.n == maxNominated:
			return errNominated
		default:
			m.names[m.n] = name
			m.n++
		}
	}
	return nil
}

func (m *nominated) has(name string) bool {
	for _, s := range m.names[:m.n] {
		if strings.EqualFold(s, name) {
			return true
		}
	}
	return false
}

// sight is what the client's fields hold that the rest of the head depends on.
type sight struct {
	trusted, asked                bool // whether the peer is a trusted proxy, once that was asked
	trailers                      bool
	forwarded, forwardedFor       bool
	forwardedHost, forwardedProto bool
}

// appendHead appends the head of the flow's request as the origin gets it, the empty line included.
func (p *Policy) appendHead(b []byte, f *flow.Flow) ([]byte, error) {
	r, target := f.Effective(), f.Target()
	b = append(b, r.Method...)
	b = append(b, ' ')
	b = append(b, r.Path...)
	if target.HasQuery {
		b = append(b, '?')
		b = append(b, target.Query...)
	}
	b = append(b, " HTTP/1.1\r\nHost: "...)
	switch {
	case r.HostHeader != "":
		b = append(b, r.HostHeader...)
	case target.Authority != "":
		b = append(b, target.Authority...)
	default:
		b = append(b, p.host...)
	}
	b = append(b, "\r\n"...)
	var s sight
	b, err := p.appendFields(b, f, &s)
	if err != nil {
		return b, err
	}
	b = appendFraming(b, r, s.trailers, p.origin.ProxyProtocol != "")
	return append(p.appendOwn(b, f, &s), "\r\n"...), nil
}

// appendOwn appends the fields that are ours.
func (p *Policy) appendOwn(b []byte, f *flow.Flow, s *sight) []byte {
	b = p.appendForwarding(b, f, s)
	b = append(b, p.cdnLoop...)
	if device := f.Target().Device; device != "" {
		b = h1.AppendField(b, "X-Device-Type", device)
	}
	if country := f.Target().Country; country != "" {
		b = h1.AppendField(b, "CF-IPCountry", country)
	}
	b = append(b, "Via: "...)
	b = append(b, strings.TrimPrefix(f.Request.Proto, "HTTP/")...)
	b = append(b, p.via...)
	b = append(b, "X-Request-Id: "...)
	b = f.Request.ID.Append(b)
	return append(b, "\r\n"...)
}

// appendFields appends the client's fields that pass, in its order and spelling, and the cache's conditions; it takes note of others.
func (p *Policy) appendFields(b []byte, f *flow.Flow, s *sight) ([]byte, error) {
	fields := f.Effective().Fields
	var m nominated
	for i := range fields {
		if len(fields[i].Name) == len("connection") && classify(fields[i].Name) == connection {
			if err := m.add(fields[i].Value); err != nil {
				return b, err
			}
		}
	}
	for i := range fields {
		field := &fields[i]
		if f.Cache.Asked.Language != "" && same(field.Name, "accept-language") || f.Cache.Asked.UnsetCookies && same(field.Name, "cookie") {
			continue
		}
		if p.passes(f, field, s) && (m.n == 0 || !m.has(field.Name)) {
			b = h1.AppendField(b, field.Name, field.Value)
		}
	}
	if f.Cache.Asked.Language != "" {
		b = h1.AppendField(b, "Accept-Language", f.Cache.Asked.Language)
	}
	if f.Cache.Asked.Cookie != "" {
		b = h1.AppendField(b, "Cookie", f.Cache.Asked.Cookie)
	}
	if f.Cache.Whole {
		if f.Cache.Asked.AcceptEncoding != "" {
			b = h1.AppendField(b, "Accept-Encoding", f.Cache.Asked.AcceptEncoding)
		}
		for i := range f.Cache.Validators {
			b = h1.AppendField(b, f.Cache.Validators[i].Name, f.Cache.Validators[i].Value)
		}
	}
	return b, nil
}

// passes tells whether a field of the client's goes to the origin as it is.
func (p *Policy) passes(f *flow.Flow, field *flow.Field, s *sight) bool {
	k := classify(field.Name)
	switch k {
	case kept:
		return p.clientName == "" || !same(field.Name, p.clientName)
	case te:
		s.trailers = s.trailers || listed(field.Value, "trailers")
		return false
	case trailer:
		return f.Request.Length < 0
	case condition, unkeyed:
		return !f.Cache.Whole
	case encodings:
		return !f.Cache.Whole || f.Cache.Asked.AcceptEncoding == ""
	case hop, connection:
		return false
	}
	if !s.asked {
		s.asked, s.trusted = true, p.room.trusts(f.Conn.Remote.Addr())
	}
	if !s.trusted || p.clientName != "" && same(field.Name, p.clientName) {
		return false
	}
	switch k {
	case forwarded:
		s.forwarded = true
		return false // goes on with our element appended
	case forwardedFor:
		s.forwardedFor = true
		return false
	case forwardedHost:
		s.forwardedHost = true
	case forwardedProto:
		s.forwardedProto = true
	}
	return true
}

// listed tells whether an element of a comma-separated list is the lower-case token, in any case; parameters do not count.
func listed(value, lower string) bool {
	for element := range h1.Tokens(value) {
		token, _, _ := strings.Cut(element, ";")
		if h1.EqualFold(strings.TrimRight(token, " \t"), lower) {
			return true
		}
	}
	return false
}

// appendFraming appends what says where the request's content ends, and what concerns our connection. The last request on it says so
// (RFC 9112 §9.6), unless it asks for another protocol there.
func appendFraming(b []byte, r *flow.Request, trailers, last bool) []byte {
	switch {
	case r.Length < 0:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case r.Length > 0 || r.Method == "POST" || r.Method == "PUT" || r.Method == "PATCH":
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, r.Length, 10)
		b = append(b, "\r\n"...)
	}
	protocol := r.Upgrade
	switch {
	case protocol != "" && trailers:
		b = append(b, "Connection: Upgrade, TE\r\n"...)
	case protocol != "":
		b = append(b, "Connection: Upgrade\r\n"...)
	case last && trailers:
		b = append(b, "Connection: close, TE\r\n"...)
	case last:
		b = append(b, "Connection: close\r\n"...)
	case trailers:
		b = append(b, "Connection: TE\r\n"...)
	}
	if protocol != "" {
		b = h1.AppendField(b, "Upgrade", protocol)
	}
	if trailers {
		b = append(b, "TE: trailers\r\n"...)
	}
	return b
}
