package h2

import (
	"slices"
	"strings"
)

// A Request is a request's field section.
type Request struct {
	ID uint32

	// The pseudo-header fields (RFC 9113 §8.3.1). Authority is a valid host [":" port] in the sender's case, that of
	// Host if there is no :authority. Path has its query, or is "*". Protocol is that of extended CONNECT (RFC 8441).
	// CONNECT itself has a Method and an Authority only.
	Method, Scheme, Authority, Path, Protocol string

	// Fields are the others but Host, in order as received. The slice is valid until Handler.Headers returns, its
	// strings stay valid. The crumbs of Cookie are joined with "; " where the first one was, without those that are
	// empty (RFC 9113 §8.2.3).
	Fields []Field

	Length   int64    // the declared content-length, -1 if none and content may follow, 0 with End
	End      bool     // no content follows
	Priority Priority // by PRIORITY_UPDATE or the priority field
	Excess   Excess   // 0, or which bound of Settings the section broke
	Bytes    int      // of the section as RFC 9113 §6.5.2 counts them, up to where it broke a bound
}

// An Excess is how a field section breaks the bounds of Settings. What is beyond was dropped, which may include
// pseudo-header fields. Such a request is to be answered with 431.
type Excess uint8

const (
	TooManyFields Excess = iota + 1
	TooLarge
)

// A section is a field section as it is decoded.
type section struct {
	Request
	trailers bool // of a request
	extended bool // Settings.ExtendedConnect

	malformed bool
	late      bool // a regular field came: pseudo-header fields must not follow
	hosts     bool // there is a Host
	crumbs    int  // Cookie fields
	declared  int64
	host      string

	seen   pseudos
	order  [nPseudos]byte // the pseudo-header fields' letters, as in Shape
	orderN uint8
}

// pseudos is a set of pseudo-header fields.
type pseudos uint8

const (
	hasMethod pseudos = 1 << iota
	hasScheme
	hasAuthority
	hasPath
	hasProtocol
	nPseudos = iota
)

const (
	fieldOverhead = 32  // what RFC 9113 §6.5.2 counts for a field beside its bytes
	usualFields   = 24  // room for the fields of most requests
	keepFields    = 256 // a section with more room is not kept for reuse
)

// reset makes q ready for another section.
func (q *section) reset(trailers, extended bool) {
	*q = section{Request: Request{Fields: q.Fields[:0], Priority: Priority{Urgency: defaultUrgency}},
		trailers: trailers, extended: extended, declared: -1}
}

// release forgets q's strings, so that a pool doesn't keep them in memory. It reports whether q is worth keeping.
func (q *section) release() bool {
	fields := q.Fields[:cap(q.Fields)]
	clear(fields)
	*q = section{Request: Request{Fields: fields[:0]}}
	return len(fields) <= keepFields
}

// add takes a field. It reports false if no more are wanted, since the section is malformed or breaks a bound.
func (q *section) add(name, value string, s *Settings) bool {
	if q.Bytes += len(name) + len(value) + fieldOverhead; q.Bytes > s.maxList {
		q.Excess = TooLarge
		return false
	}
	keep, ok := true, false
	switch {
	case !validValue(value):
	case name != "" && name[0] == ':':
		keep, ok = false, q.pseudo(name, value)
	case !validName(name):
	case q.trailers:
		ok = !forbiddenTrailer(name)
	default:
		q.late = true
		keep, ok = q.regular(name, value)
	}
	switch {
	case !ok:
		q.malformed = true
	case !keep:
	case len(q.Fields)-max(q.crumbs-1, 0) >= s.maxFields && (name != "cookie" || q.crumbs == 1):
		q.Excess = TooManyFields // crumbs are one field: that they are many is the compression's doing, and Bytes bounds them
	default:
		q.Fields = append(q.Fields, Field{name, value})
	}
	return ok && q.Excess == 0
}

// pseudo takes a pseudo-header field (RFC 9113 §8.3).
func (q *section) pseudo(name, value string) bool {
	var p pseudos
	var to *string
	switch name {
	case ":method":
		p, to = hasMethod, &q.Method
	case ":scheme":
		p, to = hasScheme, &q.Scheme
	case ":authority":
		p, to = hasAuthority, &q.Authority
	case ":path":
		p, to = hasPath, &q.Path
	case ":protocol":
		p, to = hasProtocol, &q.Protocol
	}
	if p == 0 || q.seen&p != 0 || q.late || q.trailers || p == hasProtocol && !q.extended {
		return false
	}
	*to = value
	q.seen |= p
	q.order[q.orderN] = name[1]
	if p == hasProtocol {
		q.order[q.orderN] = 'c'
	}
	q.orderN++
	return true
}

// regular checks a field of a request that RFC 9113 §8.2.2 forbids, or that says what the request is. Host is not kept.
func (q *section) regular(name, value string) (keep, ok bool) {
	switch name {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		return false, false
	case "te":
		return true, equalFold(value, "trailers")
	case "host":
		ok, q.hosts, q.host = !q.hosts, true, value
		return false, ok
	case "content-length":
		n, ok := parseLength(value)
		ok = ok && q.declared < 0
		q.declared = n
		return true, ok
	case "cookie":
		q.crumbs++
	case "priority":
		q.Priority = ParsePriority(value)
	default:
		return true, !imitates(name, "content-length") && !imitates(name, "transfer-encoding")
	}
	return true, true
}

// imitates reports whether name is lower once "_" is read as "-", as gateways to CGI's environment variables do.
func imitates(name, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i := range len(name) {
		if c := name[i]; c != lower[i] && (c != '_' || lower[i] != '-') {
			return false
		}
	}
	return true
}

// forbiddenInTrailers are fields for framing, routing, request modification, authentication, response control and
// content format (RFC 9110 §6.5.1), and those of one connection: a reader that merges trailers into the head would
// believe them.
var forbiddenInTrailers = []string{
	"content-length", "transfer-encoding", "trailer", "connection", "keep-alive", "proxy-connection", "upgrade", "te",
	"host", "forwarded", "via", "max-forwards",
	"cache-control", "pragma", "expect", "range", "if-match", "if-none-match", "if-modified-since",
	"if-unmodified-since", "if-range",
	"authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate", "cookie", "set-cookie",
	"age", "date", "expires", "location", "retry-after", "vary", "warning",
	"content-encoding", "content-type", "content-range",
}

func forbiddenTrailer(name string) bool {
	return slices.ContainsFunc(forbiddenInTrailers, func(lower string) bool { return imitates(name, lower) }) ||
		strings.HasPrefix(name, "x-forwarded-")
}

// complete checks the request as a whole, and finishes it. It reports false if the request is malformed.
func (q *section) complete(end bool) bool {
	switch {
	case q.malformed || !q.wellFormed() || q.Excess == 0 && !q.whole():
		return false
	case q.declared > 0 && end, q.declared >= 0 && q.Method == "CONNECT": // what a tunnel carries is no content
		return false
	}
	if q.End, q.Length = end, q.declared; end {
		q.Length = 0
	}
	if q.crumbs > 1 {
		q.joinCookie()
	}
	return true
}

// wellFormed checks each pseudo-header field that there is, and Host, which becomes Authority.
func (q *section) wellFormed() bool {
	switch {
	case q.seen&hasMethod != 0 && !only(q.Method, &isToken),
		q.seen&hasScheme != 0 && q.Scheme != "https" && q.Scheme != "http",
		q.seen&hasPath != 0 && !validPath(q.Path, q.Method),
		q.seen&hasProtocol != 0 && !only(q.Protocol, &isToken):
		return false
	}
	if q.seen&hasAuthority != 0 {
		if _, _, ok := splitHost(q.Authority); !ok {
			return false
		}
	}
	if !q.hosts {
		return true
	}
	if _, _, ok := splitHost(q.host); !ok || q.seen&hasAuthority != 0 && !sameHost(q.Authority, q.host, q.Scheme) {
		return false
	}
	if q.seen&hasAuthority == 0 {
		q.Authority = q.host
	}
	return true
}

// whole checks that the pseudo-header fields are those that the method wants (RFC 9113 §8.3.1 and §8.5, RFC 8441 §4).
func (q *section) whole() bool {
	if q.Method == "CONNECT" && q.seen&hasProtocol == 0 {
		return q.seen == hasMethod|hasAuthority
	}
	return q.seen&(hasMethod|hasScheme|hasPath) == hasMethod|hasScheme|hasPath && q.Authority != "" &&
		(q.seen&hasProtocol == 0 || q.Method == "CONNECT")
}

// joinCookie joins the crumbs of Cookie (RFC 9113 §8.2.3) with one allocation.
func (q *section) joinCookie() {
	size := 0
	for i := range q.Fields {
		if q.Fields[i].Name == "cookie" {
			size += len(q.Fields[i].Value) + len("; ")
		}
	}
	var joined strings.Builder
	joined.Grow(size)
	kept, first := q.Fields[:0], -1
	for _, f := range q.Fields {
		if f.Name != "cookie" {
			kept = append(kept, f)
			continue
		}
		if first < 0 {
			first = len(kept)
			kept = append(kept, f)
		}
		if f.Value != "" {
			if joined.Len() > 0 {
				joined.WriteString("; ")
			}
			joined.WriteString(f.Value)
		}
	}
	kept[first].Value = joined.String()
	q.Fields = kept
}
