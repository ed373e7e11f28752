package edge

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/admission"
	"github.com/seawall/seawall/internal/cache"
	"github.com/seawall/seawall/internal/conn"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/origin"
	"github.com/seawall/seawall/internal/record"
	"github.com/seawall/seawall/internal/request"
	"github.com/seawall/seawall/internal/response"
	"github.com/seawall/seawall/internal/sim"
	"github.com/seawall/seawall/internal/snapshot"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/verdict"
	"github.com/seawall/seawall/internal/zone"
	"github.com/seawall/seawall/reqid"
)

// Addresses in the simulated network: the house, two origins, and somebody who visits.
const (
	door        = "192.0.2.1:80"
	secureDoor  = "192.0.2.1:443"
	firstOrigin = "198.51.100.1:80"
	otherOrigin = "198.51.100.2:80"
	visitor     = "203.0.113.77"
)

// house is all the rooms, put together as node does it, over a network in memory.
type house struct {
	testing.TB
	net      sim.Network
	conns    *conn.Room
	path     *Path
	requests *request.Room
	rooms    zone.Rooms
	snapshot *snapshot.Snapshot
	sealer   *reqid.Sealer
}

// build makes a house and puts zones in force. Within a bubble it has to end with the test: build sees to that.
func build(tb testing.TB, n spec.Node, zones ...spec.Zone) *house {
	tb.Helper()
	h := &house{TB: tb, sealer: reqid.NewSealer([32]byte{1})}
	var err error
	h.rooms.Record, err = record.New(&n, slog.New(slog.DiscardHandler))
	h.must(err)
	h.rooms.Cache, err = cache.New(&n)
	h.must(err)
	h.rooms.Verdict, h.rooms.Admission, h.rooms.Origin = verdict.New(&n), admission.New(&n), origin.New(&n)
	h.rooms.Response = response.New(&n, h.sealer)
	h.rooms.Origin.Dial = func(ctx context.Context, _, address string) (net.Conn, error) {
		return h.net.Dial(ctx, netip.MustParseAddrPort("192.0.2.1:0"), address)
	}
	h.snapshot, err = snapshot.New(&h.rooms)
	h.must(err)
	h.must(errors.Join(h.snapshot.Apply(zones)...))
	h.path = New(h.snapshot)
	h.requests = request.New(&n, reqid.NewGenerator(1, 64), h.path)
	h.conns = conn.New(&n, conn.Options{Open: h.requests.Open, Log: slog.New(slog.DiscardHandler)})
	for address, secure := range map[string]conn.Secure{door: nil, secureDoor: trusting{}} {
		l, err := h.net.Listen(address)
		h.must(err)
		go h.conns.Serve(l, secure)
	}
	tb.Cleanup(func() {
		h.path.EndPrefetch()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := h.conns.Shutdown(ctx); err != nil {
			tb.Errorf("shutdown: got %v, want every request finished", err)
		}
		h.rooms.Origin.Close()
		h.must(h.rooms.Record.Close())
		if faults := h.conns.Stats().Faults; faults != 0 {
			tb.Errorf("got %d faults, want none", faults)
		}
	})
	return h
}

func (h *house) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// trusting is a handshake that says nothing: the connection counts as one over TLS, for a name of no zone.
type trusting struct{}

// Handshake implements [conn.Secure].
func (trusting) Handshake(raw net.Conn, info *flow.Conn) (net.Conn, error) {
	info.TLS = new(flow.TLS)
	return raw, nil
}

// Begin implements [conn.Secure].
func (trusting) Begin(net.Conn, *flow.Conn) conn.Shake { return nil }

// testNode is a small node; it remembers a few thousand requests.
func testNode() spec.Node {
	n := spec.DefaultNode()
	n.Cache = spec.Memory{Size: 16 << 20, Object: 2 << 20}
	n.Log.Ring = 4 << 20
	return n
}

// site is a zone without limits in front of the first origin.
func site(name string, hosts ...string) spec.Zone {
	z := spec.DefaultZone()
	z.Name, z.Hosts = name, hosts
	z.Origin.Servers = spec.OneServer("http://" + firstOrigin)
	z.Limits = spec.Limits{PerNetwork: z.Limits.PerNetwork}
	return z
}

// serve runs an origin until the test ends.
func (h *house) serve(address string, handler http.HandlerFunc) *http.Server {
	h.Helper()
	l, err := h.net.Listen(address)
	h.must(err)
	type served struct{} // counts a connection's requests
	s := &http.Server{
		Handler:  handler,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, served{}, new(int))
		},
	}
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := r.Context().Value(served{}).(*int)
		*n++
		r.Header.Set("Nth-On-Connection", fmt.Sprint(*n))
		handler(w, r)
	})
	go s.Serve(l)
	h.Cleanup(func() { s.Close() })
	return s
}

// client is a connection to the house.
type client struct {
	*house
	conn   *sim.Conn
	reader *bufio.Reader
}

// dial connects from an address.
func (h *house) dial(from string) *client { return h.dialAt(from, door) }

func (h *house) dialAt(from, door string) *client {
	h.Helper()
	c, err := h.net.Dial(h.Context(), netip.AddrPortFrom(netip.MustParseAddr(from), 0), door)
	h.must(err)
	return &client{h, c.(*sim.Conn), bufio.NewReader(c)}
}

// send writes what may not be HTTP at all.
func (c *client) send(text string) {
	_, _ = io.WriteString(c.conn, text)
}

// answer is a response as a client has it. err tells that there was none, or only a part.
type answer struct {
	status int
	header http.Header
	body   string
	err    error
}

func (a answer) id() string { return a.header.Get("X-Request-Id") }

// read reads the response to a request with a method, over interim ones.
func (c *client) read(method string) answer {
	for {
		r, err := http.ReadResponse(c.reader, &http.Request{Method: method})
		if err != nil {
			return answer{err: err}
		}
		if r.StatusCode < 200 && r.StatusCode != 101 {
			continue
		}
		if r.StatusCode == 101 {
			return answer{status: 101, header: r.Header}
		}
		body, err := io.ReadAll(r.Body)
		return answer{r.StatusCode, r.Header, string(body), err}
	}
}

// ask sends a request without a body; fields are "Name: value".
func (c *client) ask(method, host, target string, fields ...string) answer {
	c.send(head(method, host, target, fields...))
	return c.read(method)
}

func head(method, host, target string, fields ...string) string {
	h := method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n"
	for _, f := range fields {
		h += f + "\r\n"
	}
	return h + "\r\n"
}

// ask sends one request from an address, on a connection of its own.
func (h *house) ask(from, method, host, target string, fields ...string) answer {
	h.Helper()
	c := h.dial(from)
	defer c.conn.Close()
	return c.ask(method, host, target, fields...)
}

func (h *house) get(from, host, target string, fields ...string) answer {
	h.Helper()
	return h.ask(from, "GET", host, target, fields...)
}

// want checks an answer's status and the beginning of its body.
func (h *house) want(what string, a answer, status int, body string) {
	h.Helper()
	if a.err != nil || a.status != status || !strings.HasPrefix(a.body, body) {
		h.Errorf("%s: got %d, %q, %v, want %d, %q", what, a.status, a.body, a.err, status, body)
	}
}

// entry is what the record has of an answer's request.
func (h *house) entry(a answer) record.Entry {
	h.Helper()
	synctest.Wait() // the line is written after the answer
	id, _, _, err := reqid.Parse(a.id())
	h.must(err)
	line, ok := h.rooms.Record.Find(id.String())
	if !ok {
		h.Fatalf("the record has nothing of %s", a.id())
	}
	e, err := record.Parse(line)
	h.must(err)
	return e
}

// wantRefusal checks that an answer is a refusal by a zone's rule, and that both its id and the record say so.
func (h *house) wantRefusal(what string, a answer, status int, zone string, reason flow.Reason, rule string) {
	h.Helper()
	if a.err != nil || a.status != status {
		h.Errorf("%s: got %d, %v, want %d", what, a.status, a.err, status)
		return
	}
	h.wantSealed(what, a, zone, reason, rule)
	e := h.entry(a)
	if e.Status != status || e.Zone != zone || e.Refusal != reason.String() || e.RefusalRule != rule {
		h.Errorf("%s: got the entry %+v, want status %d, zone %s, refusal %v by %s", what, e, status, zone, reason, rule)
	}
	var story strings.Builder
	h.must(e.Explain(&story))
	for _, part := range []string{"refused", reason.String(), rule, cmp.Or(e.RefusalDetail, rule), record.Remedy(reason.String())} {
		if !strings.Contains(story.String(), part) {
			h.Errorf("%s: got an explanation without %q:\n%s", what, part, story.String())
		}
	}
}

// wantSealed checks what a refusal's id itself tells.
func (h *house) wantSealed(what string, a answer, zone string, reason flow.Reason, rule string) {
	h.Helper()
	if !strings.Contains(a.body, a.id()) && a.body != "" {
		h.Errorf("%s: got a page without its id: %q", what, a.body)
	}
	_, got, err := h.sealer.Open(a.id())
	want := reqid.Evidence{Zone: response.Hash(zone), Rule: response.Hash(rule), Reason: uint8(reason)}
	if err != nil || got != want {
		h.Errorf("%s: got evidence %v (%v), %v, want %v (%v)", what, got, flow.Reason(got.Reason), err, want, reason)
	}
}

// policy is a zone in force.
func (h *house) policy(name string) (found *zone.Zone) {
	h.snapshot.Each(func(z *zone.Zone) {
		if z.Name() == name {
			found = z
		}
	})
	return found
}

// wantIdle checks that nothing is left of a zone's load.
func (h *house) wantIdle(name string) {
	h.Helper()
	synctest.Wait()
	if got := h.policy(name).Admission.Load(); got != (admission.Load{}) {
		h.Errorf("zone %s: got %+v under way at the end, want nothing", name, got)
	}
}
