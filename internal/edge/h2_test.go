package edge

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// TestH2Answers wants what the cache has and what it has not, whole and in parts, each with its line in the record.
func TestH2Answers(t *testing.T) {
	tests := []struct {
		name, method, target string
		fields               []string
		status               int
		body, length, cache  string
	}{
		{"miss", "GET", "/cached", nil, 200, "0123456789", "10", "miss"},
		{"hit", "GET", "/cached", nil, 200, "0123456789", "10", "hit"},
		{"HEAD", "HEAD", "/cached", nil, 200, "", "10", "hit"},
		{"not modified", "GET", "/cached", []string{`If-None-Match: "one"`}, 304, "", "", "hit"},
		{"range", "GET", "/cached", []string{"Range: bytes=2-4"}, 206, "234", "3", "hit"},
		{"not stored", "GET", "/", nil, 200, "0123456789", "10", "miss"},
		{"HEAD, not stored", "HEAD", "/", nil, 200, "", "10", "bypass"},
		{"no content", "GET", "/nothing", nil, 204, "", "", "miss"},
		{"empty", "GET", "/empty", nil, 200, "", "0", "miss"},
		{"length unknown", "GET", "/flushed", nil, 200, "0123456789", "", "miss"},
		{"an error of the origin's", "GET", "/fails", nil, 500, "0123456789", "10", "miss"},
	}
	origin := func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/nothing":
			w.WriteHeader(204)
		case "/empty":
		case "/flushed":
			io.WriteString(w, "01234")
			w.(http.Flusher).Flush()
			io.WriteString(w, "56789")
		default:
			page(w, r)
		}
	}
	everyEntrance(t, visit{origin: plain(origin)}, func(e *entrance) {
		s := e.speaker()
		for _, tt := range tests {
			a := s.ask(tt.method, tt.target, nil, tt.fields...)
			if a.status != tt.status || a.body != tt.body || a.header.Get("Content-Length") != tt.length || a.err != nil {
				e.Errorf("%s: got %d, %q, length %q, %v, want %d, %q, length %q",
					tt.name, a.status, a.body, a.header.Get("Content-Length"), a.err, tt.status, tt.body, tt.length)
				continue
			}
			if w := e.written(a); w.Cache != tt.cache || w.Proto != "HTTP/2.0" || w.Bytes != int64(len(tt.body)) || w.Error != "" {
				e.Errorf("%s: got %s over %s, %d bytes, error %q, want a %s", tt.name, w.Cache, w.Proto, w.Bytes, w.Error, tt.cache)
			}
		}
		e.wantNothingLeft()
	})
}

// TestH2Refusals wants each refusal's status on its stream, its id to explain itself, and the connection to go on.
func TestH2Refusals(t *testing.T) {
	node := testNode()
	tests := []struct {
		name, method, target string
		fields               []string
		zone                 string
		status               int
		reason               flow.Reason
		rule                 string
	}{
		{"bad escape", "GET", "/%zz", nil, "site", 400, flow.Malformed, "http"},
		{"long target", "GET", "/" + strings.Repeat("x", 9000), nil, "site", 414, flow.TooLarge, "http"},
		{"many fields", "GET", "/", many("x-many", 120), "site", 431, flow.TooLarge, "http"},
		{"large fields", "GET", "/", []string{"x", strings.Repeat("x", 20_000), "y", strings.Repeat("y", 20_000)}, "site", 431, flow.TooLarge, "http"},
		{"TRACE", "TRACE", "/", nil, "site", 501, flow.Unsupported, "http"},
		{"another tunnel", "CONNECT", "/", []string{":protocol", "connect-udp"}, "site", 501, flow.Unsupported, "http"},
		{"loop", "GET", "/", []string{"cdn-loop", spec.CDNLoop(&node)}, "site", 508, flow.Loop, "cdn-loop"},
		{"denied", "GET", "/denied", nil, "site", 403, flow.Denied, "lists.deny"},
		{"only if cached", "GET", "/", []string{"cache-control", "only-if-cached"}, "site", 504, flow.OnlyIfCached, "cache.only-if-cached"},
		{"unreachable", "GET", "/", nil, "site", 502, flow.OriginUnreachable, "origin"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			zone := func(z *spec.Zone) {
				if tt.reason == flow.Denied {
					z.Lists.Deny = []netip.Prefix{netip.MustParsePrefix(visitor + "/32")}
				}
			}
			simulated(t, visit{zone: zone}, func(e *entrance) {
				w := e.wire()
				for id := uint32(1); id < 4; id += 2 {
					w.ask(id, tt.method != "CONNECT", tt.method, tt.target, tt.fields...)
					e.wantRefusal(tt.name, w.read(id), tt.status, tt.zone, tt.reason, tt.rule)
				}
			})
		})
	}
}

// many is n fields of a name.
func many(name string, n int) (fields []string) {
	for range n {
		fields = append(fields, name, "y")
	}
	return fields
}

// slow answers at once what is not under /wait. For that it tells that it has been asked, and waits to be let go on, or for its client to leave,
// of which a server hears only when it has read the content.
func slow(e *entrance, w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/wait") {
		e.began <- r.URL.Path
		_, err := io.Copy(io.Discard, r.Body)
		if err == nil {
			select {
			case <-e.proceed:
				page(w, r)
				return
			case <-r.Context().Done():
			}
		}
		e.began <- "gone"
		return
	}
	page(w, r)
}

// TestH2SideBySide wants requests that wait to keep no other of their connection waiting.
func TestH2SideBySide(t *testing.T) {
	everyEntrance(t, visit{origin: slow}, func(e *entrance) {
		s := e.speaker()
		var waiting sync.WaitGroup
		for i := range 8 {
			waiting.Go(func() { e.want("who waited", s.get(fmt.Sprintf("/wait/%d", i)), 200, "0123456789") })
			<-e.began
		}
		for range 3 {
			e.want("a miss beside", s.get("/"), 200, "0123456789")
			e.want("a hit beside", s.get("/cached"), 200, "0123456789")
		}
		close(e.proceed)
		waiting.Wait()
		e.wantNothingLeft()
	})
}

// echo sends a request's content back as it comes.
func echo(w http.ResponseWriter, r *http.Request) {
	http.NewResponseController(w).EnableFullDuplex()
	w.WriteHeader(200)
	b := make([]byte, 10_000)
	for {
		n, err := r.Body.Read(b)
		if _, werr := w.Write(b[:n]); werr != nil || err != nil {
			return
		}
		w.(http.Flusher).Flush()
	}
}

// digest takes in content.
type digest struct {
	size int64
	sum  [32]byte
}

func digestOf(r io.Reader) (d digest, err error) {
	h := sha256.New()
	d.size, err = io.Copy(h, r)
	h.Sum(d.sum[:0])
	return d, err
}

// noise is so many bytes that can't be mistaken for others.
func noise(seed byte, size int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{seed}), size)
}

// TestH2Bodies sends much both ways on several streams at once, with lengths that are announced and that are not.
func TestH2Bodies(t *testing.T) {
	everyEntrance(t, visit{origin: plain(echo)}, func(e *entrance) {
		s := e.speaker()
		var asking sync.WaitGroup
		for i := range byte(4) {
			asking.Go(func() {
				size := int64(i+1) << 20
				r := e.request("POST", "/", noise(i, size))
				if i%2 == 0 {
					r.ContentLength = size
				}
				want, _ := digestOf(noise(i, size))
				a, err := s.RoundTrip(r)
				if err != nil {
					e.Error(err)
					return
				}
				defer a.Body.Close()
				if got, err := digestOf(a.Body); got != want || err != nil {
					e.Errorf("got %d bytes, %v, want the %d that were sent", got.size, err, want.size)
				}
			})
		}
		asking.Wait()
		e.want("afterwards", s.ask("POST", "/", strings.NewReader("x")), 200, "x")
		e.wantNothingLeft()
	})
}

// counted counts what is read.
type counted struct {
	io.Reader
	n *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// TestH2Reader wants a response that its client does not read to hold its own stream only, and little of it to be taken from the origin.
func TestH2Reader(t *testing.T) {
	const size, window = 24 << 20, 64 << 10
	origin := func(e *entrance, w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large" {
			io.Copy(w, counted{noise(0, size), &e.moved})
			return
		}
		page(w, r)
	}
	everyEntrance(t, visit{origin: origin}, func(e *entrance) {
		w := e.wire()
		w.must(w.WriteWindowUpdate(0, 1<<20))
		w.ask(1, true, "GET", "/large")
		w.want("headers 1 200")
		w.wantContent(1, window-1)
		for id := uint32(3); id < 9; id += 2 {
			w.ask(id, true, "GET", "/cached")
			w.want(fmt.Sprintf("headers %d 200", id), fmt.Sprintf("data %d 10 end", id))
		}
		if !e.real {
			synctest.Wait()
			if got := e.moved.Load(); got > 6*window {
				e.Errorf("took %d bytes from the origin, of which the client took %d", got, window)
			}
		}
		if got := e.moved.Load(); got > size/2 { // the kernel's buffers take some
			e.Errorf("took %d bytes from the origin, of which the client took %d", got, window)
		}
		w.must(w.WriteWindowUpdate(1, 1000))
		w.wantContent(1, 1000)
		w.must(w.WriteRSTStream(1, http2.ErrCodeCancel))
		e.wantNothingLeft()
	})
}

// TestH2SlowOrigin wants little of an upload to be taken from its client while the origin does not read it, and all of it later.
func TestH2SlowOrigin(t *testing.T) {
	const size = 24 << 20
	origin := func(e *entrance, w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			e.began <- ""
			<-e.proceed
			d, err := digestOf(r.Body)
			fmt.Fprintf(w, "%d %x %v", d.size, d.sum, err)
			return
		}
		page(w, r)
	}
	everyEntrance(t, visit{origin: origin}, func(e *entrance) {
		s := e.speaker()
		var sent atomic.Int64
		var asking sync.WaitGroup
		asking.Go(func() {
			want, _ := digestOf(noise(7, size))
			e.want("the upload", s.ask("POST", "/", counted{noise(7, size), &sent}), 200, fmt.Sprintf("%d %x <nil>", want.size, want.sum))
		})
		<-e.began
		for range 3 {
			e.want("a request beside", s.get("/"), 200, "0123456789")
		}
		if !e.real {
			synctest.Wait()
			if got := sent.Load(); got > 512<<10 {
				e.Errorf("took %d bytes of an upload that the origin does not read", got)
			}
		}
		if got := sent.Load(); got > size/2 {
			e.Errorf("took %d bytes of an upload that the origin does not read", got)
		}
		close(e.proceed)
		asking.Wait()
		e.wantNothingLeft()
	})
}

// TestH2Continue wants a client that waits for it to be told to go on if the origin wants the content, and not if the request is refused.
func TestH2Continue(t *testing.T) {
	zone := func(z *spec.Zone) { z.Budget = spec.Budget{Concurrent: 1} }
	origin := func(e *entrance, w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			io.Copy(w, r.Body)
			return
		}
		slow(e, w, r)
	}
	everyEntrance(t, visit{origin: origin, zone: zone}, func(e *entrance) {
		s := e.speaker()
		ask := func() (a answer, told bool, sent int64) {
			var n atomic.Int64
			r := e.request("POST", "/", counted{strings.NewReader("content"), &n}, "Expect: 100-continue")
			r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{Got100Continue: func() { told = true }}))
			got, err := s.RoundTrip(r)
			if err != nil {
				return answer{err: err}, told, n.Load()
			}
			return readAll(got), told, n.Load()
		}
		a, told, _ := ask()
		if e.want("wanted", a, 200, "content"); !told {
			e.Error("the client was not told to go on")
		}
		e.wantNothingLeft()
		var waiting sync.WaitGroup
		waiting.Go(func() { s.get("/wait") })
		<-e.began
		a, told, sent := ask()
		if e.want("refused", a, 503, ""); told || sent > 0 {
			e.Errorf("told %t, and %d bytes sent, want none", told, sent)
		}
		close(e.proceed)
		waiting.Wait()
		e.wantNothingLeft()
	})
}

// TestH2Interim passes interim responses and trailers on, both ways.
func TestH2Interim(t *testing.T) {
	origin := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(103)
		w.Header().Set("Trailer", "Sum")
		io.WriteString(w, "content")
		w.(http.Flusher).Flush()
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Sum", r.Trailer.Get("Sum"))
	}
	everyEntrance(t, visit{origin: plain(origin)}, func(e *entrance) {
		s := e.speaker()
		for range 3 {
			var hints []string
			r := e.request("POST", "/", io.MultiReader(strings.NewReader("some"), strings.NewReader("thing")), "TE: trailers")
			r.Trailer = http.Header{"Sum": {"42"}}
			r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
				Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
					hints = append(hints, fmt.Sprint(code, " ", h.Get("Link")))
					return nil
				},
			}))
			got, err := s.RoundTrip(r)
			e.must(err)
			a := readAll(got)
			e.want("the answer", a, 200, "content")
			if sum := got.Trailer.Get("Sum"); sum != "42" {
				e.Errorf("got trailer %q, want %q", sum, "42")
			}
			if want := "103 </style.css>; rel=preload"; len(hints) != 1 || hints[0] != want {
				e.Errorf("got interim responses %q, want %q", hints, want)
			}
		}
		e.wantNothingLeft()
	})
}

// TestH2EarlyAnswer wants a client whose request is answered before its end to be told a moment later that the rest is not wanted, and those
// who read it not to wait for that.
func TestH2EarlyAnswer(t *testing.T) {
	tests := []struct {
		name, target string
		content      string // sent before the answer
		status       string
	}{
		{"a refusal", "/%zz", "", "400"},
		{"a refusal, and some content", "/%zz", "content", "400"},
		{"by the origin", "/early", "content", "403"},
	}
	origin := func(_ *entrance, w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex() // or it would read the content first
		w.WriteHeader(403)
		io.WriteString(w, "0123456789")
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			run := everyEntrance
			if tt.status != "403" {
				run = simulated // which decides as the others do
			}
			run(t, visit{origin: origin}, func(e *entrance) {
				w := e.wire()
				began := time.Now()
				w.ask(1, false, "POST", tt.target)
				if tt.content != "" {
					w.must(w.WriteData(1, false, []byte(tt.content)))
				}
				w.want("headers 1 " + tt.status)
				for line := ""; line != "reset 1 NO_ERROR"; {
					if line = w.next(); !strings.HasPrefix(line, "data") && !strings.HasPrefix(line, "reset") && !strings.HasPrefix(line, "window") {
						e.Fatalf("got %q, want content and then a reset", line)
					}
				}
				if took := time.Since(began); took > 6*time.Second {
					e.Errorf("reset after %v: who read the request waited for the rest", took)
				}
				w.must(w.WriteData(1, true, []byte("not seen that yet")))
				w.must(w.WritePing(false, [8]byte{1}))
				w.want(`ping "\x01\x00\x00\x00\x00\x00\x00\x00"`)
				e.wantNothingLeft()
			})
		})
	}
}

// TestH2Reset wants a reset to end what its request waits for, at once, and to give the origin's budget back.
func TestH2Reset(t *testing.T) {
	zone := func(z *spec.Zone) { z.Budget = spec.Budget{Concurrent: 1} }
	for _, method := range []string{"GET", "POST"} {
		t.Run(method, func(t *testing.T) {
			everyEntrance(t, visit{origin: slow, zone: zone}, func(e *entrance) {
				w := e.wire()
				for id := uint32(1); id < 10; id += 2 {
					w.ask(id, method == "GET", method, "/wait")
					if method == "POST" {
						w.must(w.WriteData(id, false, []byte("content")))
					}
					<-e.began
					reset := time.Now()
					w.must(w.WriteRSTStream(id, http2.ErrCodeCancel))
					<-e.began
					if took := time.Since(reset); took > time.Second {
						e.Errorf("the origin's request ended after %v, want within a second", took)
					}
					e.wantNothingLeft()
				}
				w.ask(11, true, "GET", "/")
				w.want("headers 11 200", "data 11 10 end")
			})
		})
	}
}

// TestH2Gone wants a client's leaving to end what its requests wait for within about a second.
func TestH2Gone(t *testing.T) {
	leave := map[string]func(c io.Closer){
		"closes": func(c io.Closer) { c.Close() },
		"resets": func(c io.Closer) {
			switch c := c.(type) {
			case interface{ Reset() }:
				c.Reset()
			case interface{ SetLinger(int) error }:
				c.SetLinger(0)
				c.(io.Closer).Close()
			default:
				c.Close()
			}
		},
	}
	for how, leave := range leave {
		t.Run(how, func(t *testing.T) {
			everyEntrance(t, visit{origin: slow}, func(e *entrance) {
				w := e.wire()
				for id := uint32(1); id < 8; id += 2 {
					w.ask(id, true, "GET", fmt.Sprintf("/wait/%d", id))
					<-e.began
				}
				left := time.Now()
				leave(w.conn)
				for range 4 {
					<-e.began
				}
				if took := time.Since(left); took > 1500*time.Millisecond {
					e.Errorf("the origin's requests ended after %v, want about a second at most", took)
				}
				e.wantNothingLeft()
				e.settle("the connection's end", func() bool { return e.room.Stats().Open == 0 })
			})
		})
	}
}

// TestH2Streams wants more streams than there may be to be refused, alone.
func TestH2Streams(t *testing.T) {
	node := func(n *spec.Node) { n.HTTP2.Streams = 3 }
	everyEntrance(t, visit{origin: slow, node: node}, func(e *entrance) {
		w := e.wire()
		for id := uint32(1); id < 7; id += 2 {
			w.ask(id, true, "GET", fmt.Sprintf("/wait/%d", id))
			<-e.began
		}
		w.ask(7, true, "GET", "/")
		w.want("reset 7 REFUSED_STREAM")
		close(e.proceed)
		for heads, contents := 0, 0; heads < 3 || contents < 3; {
			switch line := w.next(); {
			case strings.HasPrefix(line, "headers") && strings.HasSuffix(line, " 200"):
				heads++
			case strings.HasPrefix(line, "data") && strings.HasSuffix(line, " 10 end"):
				contents++
			default:
				e.Fatalf("got %q, want a response's head or content", line)
			}
		}
		w.ask(9, true, "GET", "/")
		w.want("headers 9 200", "data 9 10 end")
		e.wantNothingLeft()
	})
}

// TestH2Beginnings wants each connection of one listener to speak what its client wants.
func TestH2Beginnings(t *testing.T) {
	everyEntrance(t, visit{origin: plain(page)}, func(e *entrance) {
		s := e.speaker()
		e.want("HTTP/2", s.get("/cached"), 200, "0123456789")

		c := e.dial(visitor, "http/1.1")
		io.WriteString(c, head("GET", "site.test", "/cached", "Connection: close"))
		text, err := io.ReadAll(c)
		if !strings.HasPrefix(string(text), "HTTP/1.1 200 OK") || err != nil {
			e.Errorf("HTTP/1.1: got %.40q, %v", text, err)
		}

		w := e.newWire(e.dial(visitor, "h2"))
		var first bytes.Buffer
		first.WriteString(http2.ClientPreface)
		into := http2.NewFramer(&first, nil)
		e.must(into.WriteSettings())
		e.must(into.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: w.section("GET", "/cached"), EndHeaders: true, EndStream: true}))
		for _, b := range first.Bytes() {
			if _, err := w.conn.Write([]byte{b}); err != nil {
				e.Fatal(err)
			}
			if !e.real {
				synctest.Wait()
			}
		}
		w.want("settings", "settings ack", "headers 1 200", "data 1 10 end")
	})
}

// TestH2Off wants a node that does not offer HTTP/2 to have none.
func TestH2Off(t *testing.T) {
	node := func(n *spec.Node) { n.HTTP2.Enabled = false }
	everyEntrance(t, visit{origin: plain(page), node: node}, func(e *entrance) {
		c := e.dial(visitor, "h2", "http/1.1")
		io.WriteString(c, http2.ClientPreface)
		text, err := io.ReadAll(c)
		if !strings.HasPrefix(string(text), "HTTP/1.1 505") || err != nil {
			e.Errorf("got %.40q, %v, want 505", text, err)
		}
	})
}

// TestH2FaultInDecide wants a panic in Decide to cost its connection and nothing else.
func TestH2FaultInDecide(t *testing.T) {
	broken := func(string, string) (string, bool) { panic("in Decide") }
	everyEntrance(t, visit{origin: slow, challenge: broken}, func(e *entrance) {
		other := e.speaker()
		e.want("before", other.get("/cached"), 200, "0123456789")
		const connections = 4 // some on each loop
		for range connections {
			w := e.wire()
			w.ask(1, true, "GET", "/wait") // which is at work meanwhile
			<-e.began
			w.ask(3, true, "GET", flow.ChallengePath+"x")
			if line := w.next(); !strings.HasPrefix(line, "end") {
				e.Errorf("got %q, want the connection's end", line)
			}
			<-e.began
		}
		e.want("after", other.get("/cached"), 200, "0123456789")
		if got := e.room.Stats().Faults; got != connections {
			e.Errorf("got %d faults, want %d", got, connections)
		}
	})
}

// TestH2FaultInFulfil wants a panic in Fulfil to cost its stream and nothing else.
func TestH2FaultInFulfil(t *testing.T) {
	broken := func(context.Context, string, string) (net.Conn, error) { panic("in Fulfil") }
	everyEntrance(t, visit{dial: broken}, func(e *entrance) {
		w := e.wire()
		for id := uint32(1); id < 6; id += 2 {
			w.ask(id, true, "GET", "/")
			w.want(fmt.Sprintf("reset %d INTERNAL_ERROR", id))
		}
		w.ask(7, true, "GET", "/%zz")
		if a := w.read(7); a.status != 400 {
			e.Errorf("got %d, %v, want 400", a.status, a.err)
		}
		if got := e.room.Stats().Faults; got != 3 {
			e.Errorf("got %d faults, want 3", got)
		}
	})
}
