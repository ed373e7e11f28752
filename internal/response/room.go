// Package response writes what the client is sent: the cache's or the origin's message with the fields a proxy owes it, or a page
// that says why there is none.
//
// It learns the message and the refusals that earlier rooms left in the flow, and writes [flow.Flow.Response] while it sends.
// Nothing is buffered beyond one piece of a body: its memory is bounded by the client's pace, which conn enforces. It fails by breaking
// the response off, so that no client takes a truncated body for a whole one.
package response

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall/seawall/h1"
	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/reqid"
)

// Room writes a node's responses.
type Room struct {
	name   string // of the node, as Via and Cache-Status show it
	via    string
	hit    string // what Cache-Status says of a plain hit, up to its freshness
	sealer *reqid.Sealer
	pages  *pages
	bodies sync.Pool // of *[]byte, to write a refusal's body in: it is shorter than what an exchange copies
	date   atomic.Pointer[dateText]
}

// New makes a room that seals its refusals' ids with sealer.
func New(node *spec.Node, sealer *reqid.Sealer) *Room {
	name := spec.Token(node.Name)
	hit := httpcache.CacheStatus{Cache: name, Hit: true}.Append(nil)
	r := &Room{name: name, via: "1.1 " + name, hit: string(hit) + "; ttl=", sealer: sealer, pages: newPages(name)}
	r.bodies.New = func() any { return new(make([]byte, 0, maxBody)) }
	r.date.Store(&dateText{})
	return r
}

// Policy is the room compiled for one zone.
type Policy struct {
	room *Room
	zone uint32
	hsts string // Strict-Transport-Security, "" for none
}

// Compile makes the policy of a zone.
func (r *Room) Compile(z *spec.Zone) (*Policy, error) {
	hsts, err := hsts(&z.HTTPS.HSTS)
	if err != nil {
		return nil, err
	}
	return &Policy{room: r, zone: Hash(z.Name), hsts: hsts}, nil
}

// hsts is the value of Strict-Transport-Security (RFC 6797 §6.1).
func hsts(s *spec.HSTS) (string, error) {
	const year = 365 * 24 * time.Hour // what the browsers' list asks for
	switch {
	case s.MaxAge < 0:
		return "", fmt.Errorf("https.hsts.max_age: %v is negative", s.MaxAge)
	case s.Preload && (s.MaxAge < year || !s.IncludeSubdomains):
		return "", fmt.Errorf("https.hsts.preload: browsers take a name into their list only with a max_age of at least %v and include_subdomains", year)
	case s.MaxAge == 0:
		return "", nil
	}
	value := "max-age=" + strconv.FormatInt(int64(s.MaxAge/time.Second), 10)
	if s.IncludeSubdomains {
		value += "; includeSubDomains"
	}
	if s.Preload {
		value += "; preload"
	}
	return value, nil
}

// strict adds Strict-Transport-Security to what is sent in private: elsewhere browsers take no notice (RFC 6797 §7.2).
func (p *Policy) strict(fields []flow.Field, f *flow.Flow) []flow.Field {
	if p.hsts == "" || f.Request.Scheme != "https" {
		return fields
	}
	return append(fields, flow.Field{Name: "Strict-Transport-Security", Value: p.hsts})
}

// Hash is how a zone's or a rule's name is sealed into an id: FNV-1a.
func Hash(name string) uint32 {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return h
}

// Write sends the flow's response: its message if a room has one, else the page of the first refusal.
func (p *Policy) Write(f *flow.Flow) {
	if m := f.Message(); m != nil {
		p.deliver(f, m)
	} else {
		p.refuse(f, f.Refusal())
	}
	f.Response.Done = f.Request.Received.Add(time.Since(f.Request.Received)) // one clock is read, not two
}

// dateText is the Date field's value for one second.
type dateText struct {
	second int64
	text   string
}

// dateKept is how far times may go back before Date does: flows that waited are answered after younger ones.
const dateKept = 60

func (r *Room) dateAt(now time.Time) string {
	d := r.date.Load()
	if second := now.Unix(); second > d.second || second < d.second-dateKept {
		d = &dateText{second, string(h1.AppendDate(nil, now))}
		r.date.Store(d)
	}
	return d.text
}
