package wire

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Software is a client as the network sees it: its TLS hello, its HTTP/2, the fields that it sends. It is not changed once it is in
// use, and may be shared by clients.
type Software struct {
	Name  string // "chrome 156 on windows"
	Hello Hello
	HTTP2 *HTTP2 // nil: it speaks HTTP/1.1 only
	// Fields are sent with every request, in order. One whose Value is "" is the place of a request's own field of that name; own fields
	// without a place come last.
	Fields  []Field
	Scripts bool // it runs scripts: it solves what a browser would

	loads *loads // how it asks for parts of a page; nil: as for anything else
}

// Field is a header field.
type Field struct{ Name, Value string }

// HTTP2 is how a software begins and uses a connection of HTTP/2 (RFC 9113).
type HTTP2 struct {
	Settings []Setting // in order
	Window   uint32    // what the connection's window is raised by at once
	Pseudo   string    // the order of :method, :authority, :scheme and :path by their first letters: "masp"
	Priority *Priority // in HEADERS; nil: none
	First    uint32    // stream; 0: 1
}

// Setting is a parameter of SETTINGS (RFC 9113 §6.5.2).
type Setting struct {
	ID    uint16
	Value uint32
}

// Priority is the deprecated priority of a stream (RFC 9113 §5.3.2), which browsers go on sending.
type Priority struct {
	Depends   uint32
	Exclusive bool
	Weight    uint8 // less one, as on the wire
}

// loads is how a browser asks for what a page loads.
type loads struct {
	order    []string          // of field names
	accept   map[string]string // by Dest; of others, anything
	priority map[string]string // by Dest
	weights  map[string]uint8  // of streams' priorities, by Dest
	sockets  []string          // order where a WebSocket is opened
	http2    []string          // what is sent over HTTP/2 only
}

// socket is the Dest of a WebSocket's opening.
const socket = "websocket"

// WithoutHTTP2 returns the software as it is where HTTP/2 is not to be had: for WebSockets, or behind an old proxy.
func (s *Software) WithoutHTTP2() *Software {
	old := *s
	old.HTTP2 = nil
	return &old
}

// priority returns that of a request, ok false if it has none.
func (s *Software) priority(q *Request) (p Priority, ok bool) {
	if s.HTTP2.Priority == nil {
		return p, false
	}
	p = *s.HTTP2.Priority
	if s.loads != nil {
		if weight, ok := s.loads.weights[q.Dest]; ok {
			p.Weight = weight
		}
	}
	return p, true
}

// protocols are what it offers by ALPN (RFC 7301).
func (s *Software) protocols() []string {
	if s.HTTP2 == nil {
		return []string{"http/1.1"}
	}
	return []string{"h2", "http/1.1"}
}

// Browser draws a browser of the day in somebody's language, in the shares that browsers have on a European site.
func Browser(rng *rand.Rand) *Software {
	n := rng.IntN(100)
	for _, b := range browsers {
		if n -= b.share; n < 0 {
			return b.draw(rng)
		}
	}
	return browsers[0].draw(rng)
}

// Named draws a software of that name, in one of its versions and in somebody's language. Names tells the names.
func Named(name string, rng *rand.Rand) (*Software, error) {
	for _, b := range browsers {
		if b.name == name {
			return b.draw(rng), nil
		}
	}
	if draw, ok := programs[name]; ok {
		return draw(rng), nil
	}
	return nil, fmt.Errorf("software %q: want one of %s", name, strings.Join(Names(), ", "))
}

// Names are what Named takes, sorted.
func Names() []string {
	names := make([]string, 0, len(browsers)+len(programs))
	for _, b := range browsers {
		names = append(names, b.name)
	}
	for name := range programs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// one draws one of values.
func one[T any](rng *rand.Rand, values ...T) T { return values[rng.IntN(len(values))] }
