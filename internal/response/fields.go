package response

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seawall/seawall/h1"
	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/flow"
)

// fields makes the response's header: the message's, without what belongs to its own connection, and then Date where it lacks one,
// Age, Via, Cache-Status and the request's id. All new values share one string.
func (p *Policy) fields(f *flow.Flow, m *flow.Message, d *delivery) []flow.Field {
	out := f.Response.Fields[:0]
	var nominated []string
	if !d.cached {
		nominated = nominations(m.Fields)
	}
	hasDate := false
	from := 0 // of the fields that are kept and not copied yet
	for i := range m.Fields {
		name := m.Fields[i].Name
		switch k := d.kind(name); {
		case k == upgrade && d.status == http.StatusSwitchingProtocols: // although it is nominated
		case !d.keeps(k) || k == transport && p.hsts != "" || nominated != nil && contains(nominated, name):
			out = append(out, m.Fields[from:i]...)
			from = i + 1
		case k == date:
			hasDate = true
		case k == tag && d.weakly:
			out = append(out, m.Fields[from:i]...)
			out = append(out, flow.Field{Name: name, Value: "W/" + m.Fields[i].Value})
			from = i + 1
		}
	}
	out = append(out, m.Fields[from:]...)
	if d.mediaType != "" {
		out = append(out, flow.Field{Name: "Content-Type", Value: d.mediaType})
	}
	if d.contentRange != "" {
		out = append(out, flow.Field{Name: "Content-Range", Value: d.contentRange})
	}
	out = flow.Apply(out, f.Verdict.Responding)
	if !hasDate {
		out = append(out, flow.Field{Name: "Date", Value: p.room.dateAt(f.Request.Received)})
	}
	return p.appendOwn(p.strict(out, f), f, d)
}

func (p *Policy) appendOwn(out []flow.Field, f *flow.Flow, d *delivery) []flow.Field {
	var buffer [192]byte
	text := strconv.AppendInt(buffer[:0], int64(f.Cache.Age/time.Second), 10)
	ageEnd := len(text)
	text = p.room.appendCacheStatus(text, f)
	statusEnd := len(text)
	text = f.Request.ID.Append(text)
	values := string(text)

	// What has just been fetched has an age, too, if it came through another cache (RFC 9111 §5.1).
	if d.cached && (f.Cache.Status != flow.Miss || f.Cache.Age >= time.Second) {
		out = append(out, flow.Field{Name: "Age", Value: values[:ageEnd]})
	}
	out = append(out, flow.Field{Name: "Via", Value: p.room.via})
	switch refusal := f.Verdict.Refusal; {
	case f.Verdict.Answer == nil: // else neither a cache nor an origin was asked for it
		out = append(out, flow.Field{Name: "Cache-Status", Value: values[ageEnd:statusEnd]})
	case refusal != nil && refusal.RetryAfter > 0:
		out = append(out, flow.Field{Name: "Retry-After", Value: strconv.FormatInt(seconds(refusal.RetryAfter), 10)})
	}
	return append(out, flow.Field{Name: requestID, Value: values[statusEnd:]})
}

// requestID is the field that carries the request's id.
const requestID = "X-Request-Id"

// appendCacheStatus writes the value of Cache-Status (RFC 9211). Most are a plain hit's, of which only the freshness is new.
func (r *Room) appendCacheStatus(b []byte, f *flow.Flow) []byte {
	c := &f.Cache
	if c.Status == flow.Hit && c.TTL >= 0 && !c.Stored && !c.Collapsed {
		return strconv.AppendInt(append(b, r.hit...), int64(c.TTL/time.Second), 10)
	}
	return cacheStatus(f, r.name).Append(b)
}

// cacheStatus says in RFC 9211's words what the cache did.
func cacheStatus(f *flow.Flow, name string) httpcache.CacheStatus {
	c := &f.Cache
	s := httpcache.CacheStatus{Cache: name, Stored: c.Stored, Collapsed: c.Collapsed, Detail: c.Reason}
	switch c.Status {
	case flow.Hit:
		s.Hit, s.TTL, s.HasTTL, s.Detail = true, c.TTL, true, ""
	case flow.Stale:
		s.TTL, s.HasTTL = c.TTL, true
		if s.Hit = f.Origin.Attempts == 0 && !c.Collapsed; !s.Hit {
			s.Forward, s.FwdStatus = httpcache.ForwardStale, f.Origin.Status
		}
	case flow.Revalidated:
		s.Forward, s.FwdStatus = httpcache.ForwardStale, f.Origin.Status
	case flow.Miss:
		s.Forward = httpcache.ForwardMiss
	case flow.Bypass:
		s.Forward = httpcache.ForwardBypass
		if f.Request.Method != http.MethodGet && f.Request.Method != http.MethodHead {
			s.Forward = httpcache.ForwardMethod
		}
	}
	return s
}

// fieldKind says what becomes of a message's field.
type fieldKind uint8

const (
	kept      fieldKind = iota
	dropped             // it belongs to the connection it came on (RFC 9110 §7.6.1), we write it ourselves, or it is for the cache alone
	upgrade             // only with 101
	trailer             // announces what only follows a body of unknown length
	date                // kept, and added where there is none
	age                 // of another cache; a stored response has a newer one
	content             // describes a body that is not sent with 304 (RFC 9110 §15.4.5) and 416
	typed               // Content-Type: as content, and we have our own with several parts
	ranged              // Content-Range: we have our own with 206 and 416
	transport           // Strict-Transport-Security: dropped where the zone has its own
	tag                 // ETag: a 304 may have its weak form
	freshness           // not with 416: what may be stored is the response, not that a range is beyond it
)

// keeps tells whether a field of a kind is sent, unless it is nominated.
func (d *delivery) keeps(k fieldKind) bool {
	switch k {
	case kept, date, transport, tag:
		return true
	case trailer:
		return d.stream != nil && d.length < 0 && !d.cached
	case age:
		return !d.cached
	case content:
		return d.part == whole || d.part == oneRange || d.part == severalRanges
	case typed:
		return d.part == whole || d.part == oneRange
	case ranged:
		return d.part == whole
	case freshness:
		return d.part != unsatisfiable
	}
	return false
}

// kind tells the kind of the named field: hardly any needs more than one comparison.
func (d *delivery) kind(name string) fieldKind {
	if d.part != whole {
		if k := partialKind(name); k != kept {
			return k
		}
	}
	switch len(name) {
	case 2:
		return dropped.when(name, "te")
	case 3:
		return age.when(name, "age")
	case 4:
		return max(date.when(name, "date"), dropped.when(name, "xkey"))
	case 7:
		return max(upgrade.when(name, "upgrade"), trailer.when(name, "trailer"))
	case 9:
		return dropped.when(name, "cache-tag")
	case 10:
		return dropped.when(name, "connection", "keep-alive")
	case 12:
		return dropped.when(name, "x-request-id")
	case 13:
		return dropped.when(name, "surrogate-key")
	case 14:
		return dropped.when(name, "content-length")
	case 16:
		return dropped.when(name, "proxy-connection")
	case 17:
		return dropped.when(name, "transfer-encoding", "surrogate-control")
	case 18:
		return dropped.when(name, "proxy-authenticate")
	case 21: // it is for us alone, and CDN-Cache-Control for whoever is between us and the client, too (RFC 9213 §2, §3.1)
		return dropped.when(name, "seawall-cache-control")
	case 25:
		return transport.when(name, "strict-transport-security")
	}
	return kept
}

// partialKind tells the kind of a field that is always kept with the whole of a message.
func partialKind(name string) fieldKind {
	switch len(name) {
	case 4:
		return tag.when(name, "etag")
	case 7:
		return freshness.when(name, "expires")
	case 12:
		return typed.when(name, "content-type")
	case 13:
		return max(freshness.when(name, "cache-control"), ranged.when(name, "content-range"))
	case 16:
		return content.when(name, "content-encoding", "content-language")
	case 17:
		return freshness.when(name, "cdn-cache-control")
	}
	return kept
}

// when is k if the name is one of those given, else kept, which is the least.
func (k fieldKind) when(name string, lower ...string) fieldKind {
	for _, l := range lower {
		if flow.Named(name, l) {
			return k
		}
	}
	return kept
}

// maxNominations is more fields than any server names in Connection. A strange one that names more costs no more time than others;
// what it names beyond that passes.
const maxNominations = 16

// nominations are the fields that a message's Connection names: they end where the connection ends. Those that are dropped anyway
// are left out.
func nominations(fields []flow.Field) (names []string) {
	for i := range fields {
		if !flow.Named(fields[i].Name, "connection") {
			continue
		}
		for name := range h1.Tokens(fields[i].Value) {
			switch {
			case h1.EqualFold(name, "close") || h1.EqualFold(name, "keep-alive") || h1.EqualFold(name, "upgrade"):
			case len(names) == maxNominations:
				return names
			default:
				names = append(names, name)
			}
		}
	}
	return names
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if len(n) == len(name) && strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}
