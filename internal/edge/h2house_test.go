package edge

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/seawall/seawall/internal/admission"
	"github.com/seawall/seawall/internal/conn"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/hello"
	"github.com/seawall/seawall/internal/record"
	"github.com/seawall/seawall/internal/sim"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/loop"
	"github.com/seawall/seawall/reqid"
)

// patience bounds every wait of a test over the kernel's network.
const patience = 20 * time.Second

// entrance is a way into a house of one zone, "site", with an origin behind it.
type entrance struct {
	*house
	room *conn.Room
	log  *bytes.Buffer
	try  func(from string, protocols ...string) (net.Conn, error) // to connect
	real bool                                                     // over the kernel's network, where the clock is everybody's

	began   chan string // for play
	proceed chan bool
	moved   atomic.Int64 // bytes
	loop    *loop.Loop   // the first, if there are any
}

// visit is what a test of an entrance wants of the house.
type visit struct {
	node   func(*spec.Node)
	zone   func(*spec.Zone)
	link   sim.Link // to the house, over the simulated network
	origin play
	// challenge answers an authority; see [Path.Challenge].
	challenge func(host, path string) (answer string, ok bool)
	// loops is how many serve the kernel's network, 2 if it is 0.
	loops int
	// dial takes the place of the way to the origin.
	dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// play is what the origin does, for tests that follow it.
type play func(e *entrance, w http.ResponseWriter, r *http.Request)

// plain is an origin that no test follows.
func plain(h http.HandlerFunc) play {
	return func(_ *entrance, w http.ResponseWriter, r *http.Request) { h(w, r) }
}

// entrances are a simulated network, and the kernel's: with event loops, by a listener of package net, and with TLS.
var entrances = []struct {
	name string
	run  func(t *testing.T, v visit, test func(e *entrance))
}{
	{"plain", simulated},
	{"loop", func(t *testing.T, v visit, test func(e *entrance)) { kernel(t, v, true, false, test) }},
	{"net", func(t *testing.T, v visit, test func(e *entrance)) { kernel(t, v, false, false, test) }},
	{"tls", func(t *testing.T, v visit, test func(e *entrance)) { kernel(t, v, true, true, test) }},
}

// everyEntrance runs a test by each way in.
func everyEntrance(t *testing.T, v visit, test func(e *entrance)) {
	for _, way := range entrances {
		t.Run(way.name, func(t *testing.T) { way.run(t, v, test) })
	}
}

func (v *visit) build(t *testing.T) (*entrance, spec.Node) {
	t.Helper()
	n, z := testNode(), site("site", "site.test")
	if v.node != nil {
		v.node(&n)
	}
	if v.zone != nil {
		v.zone(&z)
	}
	e := &entrance{house: build(t, n, z), log: new(bytes.Buffer), began: make(chan string), proceed: make(chan bool)}
	e.path.Challenge = v.challenge
	if v.dial != nil {
		e.rooms.Origin.Dial = v.dial
	}
	return e, n
}

// open lets a room of the entrance's own serve a listener until the test ends.
func (e *entrance) open(n *spec.Node, l net.Listener, secure conn.Secure, loops []*loop.Loop) {
	e.room = conn.New(n, conn.Options{Open: e.requests.Open, Log: slog.New(slog.NewTextHandler(e.log, nil)), Loops: loops})
	served := make(chan error, 1)
	go func() { served <- e.room.Serve(l, secure) }()
	e.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := e.room.Shutdown(ctx); err != nil {
			e.Errorf("shutdown: got %v, want every request finished", err)
		}
		if err := <-served; err != nil {
			e.Error(err)
		}
	})
}

func simulated(t *testing.T, v visit, test func(e *entrance)) {
	synctest.Test(t, func(t *testing.T) {
		const door = "192.0.2.1:8080"
		e, n := v.build(t)
		e.must(e.net.SetLink(door, v.link))
		l, err := e.net.Listen(door)
		e.must(err)
		e.open(&n, l, nil, nil)
		e.try = func(from string, _ ...string) (net.Conn, error) {
			return e.net.Dial(t.Context(), netip.AddrPortFrom(netip.MustParseAddr(from), 0), door)
		}
		if v.origin != nil {
			e.serve(firstOrigin, e.play(v.origin))
		}
		test(e)
	})
}

// kernel makes a house whose clients and origin are on the loopback. An address of a client that is not there is a plain client's.
func kernel(t *testing.T, v visit, looped, secure bool, test func(e *entrance)) {
	t.Parallel()
	e, n := v.build(t)
	e.real = true
	if v.origin != nil { // before the loops run, for what a loop hears from the kernel tells the race detector nothing
		e.serveKernel(e.play(v.origin))
	}
	var loops []*loop.Loop
	var l net.Listener
	var err error
	if looped {
		loops = runLoops(t, cmp.Or(v.loops, 2))
		e.loop = loops[0]
		l, err = conn.Listen(t.Context(), "127.0.0.1:0")
	} else {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	e.must(err)
	var handshake conn.Secure
	if secure {
		handshake = e.hello(&n)
	}
	e.open(&n, l, handshake, loops)
	e.try = func(from string, protocols ...string) (net.Conn, error) {
		d := net.Dialer{Timeout: patience}
		if a := netip.MustParseAddr(from); a.IsLoopback() {
			d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, 0))
		}
		c, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			return nil, err
		}
		c.SetDeadline(time.Now().Add(patience))
		if secure {
			c = tls.Client(c, &tls.Config{ServerName: "site.test", InsecureSkipVerify: true, NextProtos: protocols})
		}
		return c, nil
	}
	test(e)
}

// dial connects until the test ends.
func (e *entrance) dial(from string, protocols ...string) net.Conn {
	e.Helper()
	c, err := e.try(from, protocols...)
	e.must(err)
	e.Cleanup(func() { c.Close() })
	return c
}

func (e *entrance) play(p play) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { p(e, w, r) }
}

// runLoops runs n of them for the test.
func runLoops(t testing.TB, n int) []*loop.Loop {
	t.Helper()
	var all []*loop.Loop
	for range n {
		l, err := loop.New()
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
		over := make(chan error, 1)
		go func() { over <- l.Run() }()
		t.Cleanup(func() {
			l.Close()
			if err := <-over; err != nil {
				t.Error(err)
			}
		})
	}
	return all
}

// hello is a room that shakes hands with a certificate of its own.
func (e *entrance) hello(n *spec.Node) conn.Secure {
	n.Data = e.TempDir()
	r, problems := hello.New(n, hello.Options{}, time.Now())
	e.must(errors.Join(problems...))
	e.Cleanup(r.Close)
	return greeter{r}
}

// greeter is a hello room as [conn.Secure].
type greeter struct{ *hello.Room }

// Begin implements [conn.Secure].
func (g greeter) Begin(raw net.Conn, info *flow.Conn) conn.Shake { return g.Room.Begin(raw, info) }

// serveKernel runs the first origin on the loopback until the test ends.
func (e *entrance) serveKernel(handler http.HandlerFunc) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	e.must(err)
	e.rooms.Origin.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	}
	s := &http.Server{Handler: handler, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	go s.Serve(l)
	e.Cleanup(func() { s.Close() })
}

// settle waits for what another goroutine is about to do.
func (e *entrance) settle(what string, done func() bool) {
	e.Helper()
	if !e.real {
		synctest.Wait()
	}
	for end := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			e.Fatalf("%s did not come to pass", what)
		}
	}
}

// written is what the house has written down of an answer's request.
func (e *entrance) written(a answer) (entry record.Entry) {
	e.Helper()
	id, _, _, err := reqid.Parse(a.id())
	e.must(err)
	e.settle("a line of the record", func() bool {
		line, ok := e.rooms.Record.Find(id.String())
		if ok {
			entry, err = record.Parse(line)
			e.must(err)
		}
		return ok
	})
	return entry
}

// wantNothingLeft checks that nothing is left of the zone's load, and that nothing went wrong in our own code.
func (e *entrance) wantNothingLeft() {
	e.Helper()
	e.settle("the end of the zone's load", func() bool {
		return e.policy("site").Admission.Load() == (admission.Load{})
	})
	if got := e.room.Stats().Faults; got != 0 {
		e.Errorf("got %d faults, want none:\n%s", got, e.log)
	}
}

// speaker is a client that speaks HTTP/2 on one connection as programs do.
type speaker struct {
	*entrance
	*http2.ClientConn
}

func (e *entrance) speaker() *speaker { return e.speakerFrom(visitor) }

func (e *entrance) speakerFrom(from string) *speaker {
	e.Helper()
	t, err := http2.ConfigureTransports(&http.Transport{DisableCompression: true, ExpectContinueTimeout: patience}) //nolint:staticcheck // net/http's, which is to take its place, has no Ping
	e.must(err)
	c, err := t.NewClientConn(e.dial(from, "h2")) //nolint:staticcheck // the same
	e.must(err)
	e.Cleanup(func() { c.Close() })
	return &speaker{e, c}
}

// request makes one. Fields are "Name: value".
func (e *entrance) request(method, target string, body io.Reader, fields ...string) *http.Request {
	r, err := http.NewRequestWithContext(e.Context(), method, "http://site.test"+target, body)
	e.must(err)
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// begin sends a request, and returns the response when its head is there.
func (s *speaker) begin(method, target string, body io.Reader, fields ...string) (*http.Response, error) {
	return s.RoundTrip(s.request(method, target, body, fields...))
}

// ask sends a request and reads the response.
func (s *speaker) ask(method, target string, body io.Reader, fields ...string) answer {
	r, err := s.begin(method, target, body, fields...)
	if err != nil {
		return answer{err: err}
	}
	return readAll(r)
}

func (s *speaker) get(target string, fields ...string) answer {
	return s.ask("GET", target, nil, fields...)
}

func readAll(r *http.Response) answer {
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return answer{r.StatusCode, r.Header, string(body), err}
}

// wire is a client that speaks HTTP/2 frame by frame. It has one goroutine.
type wire struct {
	*entrance
	*http2.Framer
	conn  net.Conn
	block bytes.Buffer
	enc   *hpack.Encoder
}

// wire begins a connection: the preface and both sides' settings.
func (e *entrance) wire(settings ...http2.Setting) *wire { return e.wireFrom(visitor, settings...) }

func (e *entrance) wireFrom(from string, settings ...http2.Setting) *wire {
	e.Helper()
	w := e.newWire(e.dial(from, "h2"))
	_, err := io.WriteString(w.conn, http2.ClientPreface)
	e.must(errors.Join(err, w.WriteSettings(settings...)))
	w.want("settings", "settings ack")
	e.must(w.WriteSettingsAck())
	return w
}

func (e *entrance) newWire(c net.Conn) *wire {
	w := &wire{entrance: e, conn: c, Framer: http2.NewFramer(c, c)}
	w.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	w.AllowIllegalWrites = true
	w.enc = hpack.NewEncoder(&w.block)
	return w
}

// section is the field section of a request; fields are names and values in turn.
func (w *wire) section(method, target string, fields ...string) []byte {
	w.block.Reset()
	for all := append([]string{":method", method, ":scheme", "http", ":authority", "site.test", ":path", target}, fields...); len(all) > 0; all = all[2:] {
		w.must(w.enc.WriteField(hpack.HeaderField{Name: all[0], Value: all[1]}))
	}
	return bytes.Clone(w.block.Bytes())
}

// ask sends a request's head.
func (w *wire) ask(id uint32, end bool, method, target string, fields ...string) {
	w.Helper()
	const most = 16 << 10 // of a frame
	block := w.section(method, target, fields...)
	rest := block[min(len(block), most):]
	w.must(w.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block[:len(block)-len(rest)], EndHeaders: len(rest) == 0, EndStream: end}))
	for len(rest) > 0 {
		part := rest[:min(len(rest), most)]
		rest = rest[len(part):]
		w.must(w.WriteContinuation(id, len(rest) == 0, part))
	}
}

// next is the next frame as a line.
func (w *wire) next() string {
	w.Helper()
	f, err := w.ReadFrame()
	if err != nil {
		return "end: " + ending(err)
	}
	return frameText(f)
}

// ending is how a connection ended.
func ending(err error) string {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "closed"
	case strings.Contains(err.Error(), "reset"):
		return "reset"
	}
	return err.Error()
}

// want compares what comes next to lines; window updates that no line names are passed over.
func (w *wire) want(lines ...string) {
	w.Helper()
	for _, want := range lines {
		got := w.next()
		for strings.HasPrefix(got, "window") && !strings.HasPrefix(want, "window") {
			got = w.next()
		}
		if got != want {
			w.Fatalf("got frame %q, want %q", got, want)
		}
	}
}

// read reads the response on a stream, whatever comes for others.
func (w *wire) read(id uint32) (a answer) {
	w.Helper()
	var body strings.Builder
	for {
		f, err := w.ReadFrame()
		if err != nil {
			return answer{err: err}
		}
		if f.Header().StreamID != id {
			continue
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			if a.header == nil {
				a.header = make(http.Header)
			}
			for _, h := range f.RegularFields() {
				a.header.Add(h.Name, h.Value)
			}
			if status := f.PseudoValue("status"); status != "" {
				a.status, err = strconv.Atoi(status)
				w.must(err)
			}
			if f.StreamEnded() {
				a.body = body.String()
				return a
			}
		case *http2.DataFrame:
			body.Write(f.Data())
			if f.StreamEnded() {
				a.body = body.String()
				return a
			}
		case *http2.RSTStreamFrame:
			a.err = http2.StreamError{StreamID: id, Code: f.ErrCode}
			return a
		}
	}
}

// wantContent wants so many bytes of content on a stream, and nothing else there.
func (w *wire) wantContent(id uint32, size int) {
	w.Helper()
	for got := 0; got < size; {
		f, err := w.ReadFrame()
		w.must(err)
		switch d, ok := f.(*http2.DataFrame); {
		case ok && f.Header().StreamID == id:
			got += len(d.Data())
		case f.Header().StreamID == id || got > size:
			w.Fatalf("got %q after %d bytes of content, want %d", frameText(f), got, size)
		}
	}
}

// wantEnd wants the connection to end after a GOAWAY, whatever else is sent before.
func (w *wire) wantEnd(goAway string) {
	w.Helper()
	last := ""
	for {
		line := w.next()
		switch {
		case strings.HasPrefix(line, "goaway"):
			last = line
		case strings.HasPrefix(line, "end"):
			if last != goAway {
				w.Fatalf("got %q, %q, want %q", last, line, goAway)
			}
			w.conn.Close()
			return
		}
	}
}

func frameText(f http2.Frame) string {
	h := f.Header()
	end := ""
	if h.Flags.Has(http2.FlagDataEndStream) && (h.Type == http2.FrameData || h.Type == http2.FrameHeaders) {
		end = " end"
	}
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		return fmt.Sprintf("headers %d %s%s", h.StreamID, f.PseudoValue("status"), end)
	case *http2.DataFrame:
		return fmt.Sprintf("data %d %d%s", h.StreamID, len(f.Data()), end)
	case *http2.RSTStreamFrame:
		return fmt.Sprintf("reset %d %v", h.StreamID, f.ErrCode)
	case *http2.GoAwayFrame:
		return fmt.Sprintf("goaway %d %v", f.LastStreamID, f.ErrCode)
	case *http2.WindowUpdateFrame:
		return fmt.Sprintf("window %d %d", h.StreamID, f.Increment)
	case *http2.SettingsFrame:
		if f.IsAck() {
			return "settings ack"
		}
		return "settings"
	case *http2.PingFrame:
		return fmt.Sprintf("ping %q", f.Data)
	}
	return h.String()
}
