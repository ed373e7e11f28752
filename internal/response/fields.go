package response

import (
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
	var named nominated
	if !d.cached {
		named.read(m.Fields)
	}
	hasDate := false
	for i := range m.Fields {
		field := &m.Fields[i]
		k := kind(field.Name)
		if k != kept && !d.keeps(k) || named.has(field.Name) && k != upgrade {
			continue
		}
		hasDate = hasDate || k == date
		out = append(out, *field)
	}
	if d.contentRange != "" {
		out = append(out, flow.Field{Name: "Content-Range", Value: d.contentRange})
	}
	if !hasDate {
		out = append(out, flow.Field{Name: "Date", Value: p.room.dateAt(f.Request.Received)})
	}
	return p.appendOwn(out, f, d)
}

func (p *Policy) appendOwn(out []flow.Field, f *flow.Flow, d *delivery) []flow.Field {
	var buffer [192]byte
	text := strconv.AppendInt(buffer[:0], int64(f.Cache.Age/time.Second), 10)
	ageEnd := len(text)
	text = cacheStatus(f, p.room.name).Append(text)
	statusEnd := len(text)
	text = f.Request.ID.Append(text)
	values := string(text)

	// What has just been fetched has an age, too, if it came through another cache (RFC 9111 §5.1).
	if d.cached && (f.Cache.Status != flow.Miss || f.Cache.Age >= time.Second) {
		out = append(out, flow.Field{Name: "Age", Value: values[:ageEnd]})
	}
	return append(out,
		flow.Field{Name: "Via", Value: p.room.via},
		flow.Field{Name: "Cache-Status", Value: values[ageEnd:statusEnd]},
		flow.Field{Name: requestID, Value: values[statusEnd:]})
}

// requestID is the field that carries the request's id.
const requestID = "X-Request-Id"

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
	}
	return s
}

// fieldKind says what becomes of a message's field.
type fieldKind uint8

const (
	kept      fieldKind = iota
	dropped             // it belongs to the connection it came on (RFC 9110 §7.6.1), or we write it ourselves
	upgrade             // only with 101
	trailer             // announces what only follows a body of unknown length
	date                // kept, and added where there is none
	age                 // of another cache; a stored response has a newer one
	content             // describes a body that is not sent with 304 (RFC 9110 §15.4.5) and 416
	ranged              // Content-Range: we have our own with 206 and 416
	freshness           // not with 416: what may be stored is the response, not that a range is beyond it
)

// keeps tells whether a field of a kind is sent.
func (d *delivery) keeps(k fieldKind) bool {
	switch k {
	case upgrade:
		return d.status == 101
	case trailer:
		return d.stream != nil && d.length < 0 && !d.cached
	case age:
		return !d.cached
	case content:
		return d.part == whole || d.part == oneRange
	case ranged:
		return d.part == whole
	case freshness:
		return d.part != unsatisfiable
	}
	return k != dropped
}

// kinds by the length of the name: hardly any field needs more than one comparison.
var kinds = [...][]struct {
	lower string
	kind  fieldKind
}{
	2:  {{"te", dropped}},
	3:  {{"age", age}},
	4:  {{"date", date}},
	7:  {{"upgrade", upgrade}, {"trailer", trailer}, {"expires", freshness}},
	10: {{"connection", dropped}, {"keep-alive", dropped}},
	12: {{"content-type", content}, {"x-request-id", dropped}},
	13: {{"cache-control", freshness}, {"content-range", ranged}},
	14: {{"content-length", dropped}},
	16: {{"proxy-connection", dropped}, {"content-encoding", content}, {"content-language", content}},
	17: {{"transfer-encoding", dropped}, {"cdn-cache-control", freshness}, {"surrogate-control", freshness}},
	18: {{"proxy-authenticate", dropped}},
}

func kind(name string) fieldKind {
	if len(name) < len(kinds) {
		for _, k := range kinds[len(name)] {
			if flow.Named(name, k.lower) {
				return k.kind
			}
		}
	}
	return kept
}

// nominated are the fields that a message's Connection names: they end where the connection ends. There is room for more than any
// server names, so that a strange one costs no more time than others; what it names beyond that passes.
type nominated struct {
	names [16]string
	n     int
}

func (o *nominated) read(fields []flow.Field) {
	for i := range fields {
		if !flow.Named(fields[i].Name, "connection") {
			continue
		}
		for name := range h1.Tokens(fields[i].Value) {
			if o.n == len(o.names) {
				return
			}
			o.names[o.n] = name
			o.n++
		}
	}
}

func (o *nominated) has(name string) bool {
	for _, n := range o.names[:o.n] {
		if len(n) == len(name) && strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}
