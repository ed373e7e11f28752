package origin

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/sim"
)

func TestStreamInterimAndTrailers(t *testing.T) {
	room, zone := streamWays[0].open(t, saying(func(p *peer, id uint32) {
		p.head(id, false, ":status: 103", "link: </a>", "te: x")
		p.head(id, false, ":status: 103", "link: </b>")
		p.head(id, false, ":status: 200", "trailer: checksum, grpc-status", "b: 1", "a: 1", "set-cookie: a", "b: 2")
		p.data(id, false, "a")
		p.head(id, true, "grpc-status: 0", "checksum: 7", "grpc-status-details-bin: AAE=")
	}))
	p := compile(t, room, zone)
	f := ordinary()
	p.Fetch(f)
	body, err := drain(f)
	if body != "a" || err != nil {
		t.Errorf("body %q, %v, want a", body, err)
	}
	c := f.Exchange.(*client)
	if diff := cmp.Diff([][]flow.Field{{{Name: "Link", Value: "</a>"}}, {{Name: "Link", Value: "</b>"}}}, c.fields); diff != "" {
		t.Errorf("interim responses' fields (-want +got):\n%s", diff)
	}
	want := []flow.Field{{Name: "A", Value: "1"}, {Name: "B", Value: "1"}, {Name: "B", Value: "2"}, {Name: "Set-Cookie", Value: "a"},
		{Name: "Trailer", Value: "Checksum, Grpc-Status"}}
	if diff := cmp.Diff(want, f.Origin.Message.Fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	want = []flow.Field{{Name: "Checksum", Value: "7"}, {Name: "Grpc-Status", Value: "0"}, {Name: "Grpc-Status-Details-Bin", Value: "AAE="}}
	if diff := cmp.Diff(want, f.Origin.Message.Stream.Trailers()); diff != "" {
		t.Errorf("trailers (-want +got):\n%s", diff)
	}
}

// TestStreamContent sends content of many sizes to an origin that answers with it, and with the trailers.
func TestStreamContent(t *testing.T) {
	for _, secure := range []bool{false, true} {
		z := goServer(t, secure, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			w.Header().Set("Length", r.Header.Get("Content-Length"))
			w.Header().Set(http.TrailerPrefix+"Checksum", r.Trailer.Get("Checksum"))
			w.Write(body)
		})
		p := compile(t, newRoom(t), z)
		for _, size := range []int{1, 1000, bufferSize, bufferSize + 1, 10 * bufferSize} {
			for _, known := range []bool{true, false} {
				for _, expect := range []bool{false, true} {
					t.Run(fmt.Sprintf("secure %v/%d/known %v/expect %v", secure, size, known, expect), func(t *testing.T) {
						body := strings.Repeat("0123456789abcde", size)[:size]
						f := posting(ordinary(), body, known)
						f.Request.Expect = expect
						c := f.Exchange.(*client)
						if !known {
							f.Request.Fields = []flow.Field{{Name: "Trailer", Value: "Checksum"}}
							c.trailers = []flow.Field{{Name: "Checksum", Value: "7"}, {Name: "X-Real-IP", Value: "10.1.1.1"}}
						}
						p.Fetch(f)
						got, err := drain(f)
						if err != nil || f.Origin.Status != 200 {
							t.Fatalf("status %d, %v, refusal %+v", f.Origin.Status, err, f.Origin.Refusal)
						}
						if diff := cmp.Diff(body, got); diff != "" {
							t.Errorf("content (-want +got):\n%.500s", diff)
						}
						length := ""
						if known {
							length = fmt.Sprint(size)
						}
						if got := flow.Get(f.Origin.Message.Fields, "length"); got != length {
							t.Errorf("announced length %q, want %q", got, length)
						}
						if checksum := flow.Get(f.Origin.Message.Stream.Trailers(), "checksum"); known == (checksum == "7") {
							t.Errorf("trailer field %q, known length %v", checksum, known)
						}
						settled(t, p, f)
					})
				}
			}
		}
		if all, _ := connections(p, 0); all != 1 {
			t.Errorf("%d connections, want one for all", all)
		}
	}
}

// speaker is content that is said piece by piece by the test.
type speaker struct {
	pieces chan string
	rest   string
}

func (s *speaker) Read(p []byte) (int, error) {
	if s.rest == "" {
		piece, ok := <-s.pieces
		if !ok {
			return 0, io.EOF
		}
		s.rest = piece
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// TestStreamDialogue has client and origin speak in turns, the origin first: neither's beginning waits for the other's end (gRPC's
// streaming both ways).
func TestStreamDialogue(t *testing.T) {
	for _, secure := range []bool{false, true} {
		z := goServer(t, secure, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Trailer", "Grpc-Status")
			w.WriteHeader(200)
			w.(http.Flusher).Flush()
			in := make([]byte, 100)
			for {
				n, err := r.Body.Read(in)
				fmt.Fprintf(w, "%s?", in[:n])
				w.(http.Flusher).Flush()
				if err != nil {
					break
				}
			}
			w.Header().Set("Grpc-Status", "0")
		})
		p := compile(t, newRoom(t), z)
		f := posting(ordinary(), "", false)
		s := &speaker{pieces: make(chan string)}
		f.Exchange.(*client).body = s
		p.Fetch(f)
		if f.Origin.Status != 200 {
			t.Fatalf("refusal %+v, want the head before any content", f.Origin.Refusal)
		}
		for _, word := range []string{"one", "two", "three"} {
			s.pieces <- word
			for got := ""; got != word+"?"; {
				piece, err := f.Origin.Message.Stream.Next()
				if got += string(piece); err != nil || len(got) > len(word)+1 {
					t.Fatalf("heard %q, %v, want %s?", got, err, word)
				}
			}
		}
		if n := f.Admission.Lease.(*lease).count(); n != 0 {
			t.Errorf("lease released %d times during the dialogue, want 0", n)
		}
		close(s.pieces)
		body, err := drain(f)
		if body != "?" || err != nil || flow.Get(f.Origin.Message.Stream.Trailers(), "grpc-status") != "0" {
			t.Errorf("the end: %q, %v, trailers %v, want ? and grpc-status 0", body, err, f.Origin.Message.Stream.Trailers())
		}
		settled(t, p, f)
	}
}

// TestStreamWholeBody sees to it that a response which came whole frees the origin before the client has read it.
func TestStreamWholeBody(t *testing.T) {
	room, zone := streamWays[0].open(t, saying(func(p *peer, id uint32) {
		p.head(id, false, ":status: 200")
		p.data(id, true, strings.Repeat("x", 10_000))
	}))
	p := compile(t, room, zone)
	f, g := ordinary(), ordinary()
	p.Fetch(f)
	f.Admission.Lease.(*lease).wait()
	p.Fetch(g)
	g.Admission.Lease.(*lease).wait()
	if !g.Origin.Reused {
		t.Error("the second request got a connection of its own")
	}
	for _, f := range []*flow.Flow{f, g} {
		s := f.Origin.Message.Stream
		if piece, err := s.Next(); len(piece) != 10_000 || err != io.EOF {
			t.Errorf("Next() = %d bytes, %v, want 10000 with io.EOF", len(piece), err)
		}
		if piece, err := s.Next(); len(piece) != 0 || err != io.EOF {
			t.Errorf("Next() after the end = %q, %v, want io.EOF", piece, err)
		}
		s.Close()
		s.Close()
		settled(t, p, f)
	}
}

// TestStreamEarlyResponse answers in the middle of uploads.
func TestStreamEarlyResponse(t *testing.T) {
	for _, status := range []string{"200", "413"} {
		for _, ends := range []bool{false, true} { // whether the origin says that it wants no more, as RFC 9113 §8.1 has it
			t.Run(fmt.Sprintf("%s/%v", status, ends), func(t *testing.T) {
				over := make(chan bool)
				room, zone := streamWays[0].open(t, frames(func(p *peer) {
					id, _ := p.request()
					p.head(id, false, ":status: "+status)
					p.data(id, true, "big")
					if ends {
						p.WriteRSTStream(id, http2.ErrCodeNo)
					}
					for f := p.next(); f != nil; f = p.next() {
						if d, ok := f.(*http2.DataFrame); ok {
							p.took(d)
						}
						if _, ok := f.(*http2.RSTStreamFrame); ok {
							break
						}
					}
					close(over)
					p.wait()
				}))
				p := compile(t, room, zone)
				f := posting(ordinary(), "", false)
				stop := make(chan struct{})
				f.Exchange.(*client).body = endless{stop}
				p.Fetch(f)
				if f.Origin.Refusal != nil {
					t.Fatalf("refusal %+v, want the origin's %s", f.Origin.Refusal, status)
				}
				if body, err := drain(f); fmt.Sprint(f.Origin.Status) != status || body != "big" || err != nil {
					t.Errorf("status %d, body %q, %v, want %s and big", f.Origin.Status, body, err, status)
				}
				if !ends {
					<-over
				}
				settled(t, p, f)
				if all, _ := connections(p, 0); all != 1 {
					t.Errorf("%d connections, want the one that serves others, too", all)
				}
			})
		}
	}
}

// TestStreamUploadBreaksOff fails the client's side while the response is being streamed.
func TestStreamUploadBreaksOff(t *testing.T) {
	code := make(chan http2.ErrCode, 1)
	room, zone := streamWays[0].open(t, frames(func(p *peer) {
		id, _ := p.request()
		p.head(id, false, ":status: 200")
		p.data(id, false, "ok")
		for f := p.next(); f != nil; f = p.next() {
			switch f := f.(type) {
			case *http2.DataFrame:
				p.took(f)
			case *http2.RSTStreamFrame:
				code <- f.ErrCode
			}
		}
	}))
	p := compile(t, room, zone)
	f := posting(ordinary(), "", false)
	stop := make(chan struct{})
	f.Exchange.(*client).body = endless{stop}
	p.Fetch(f)
	if f.Origin.Refusal != nil {
		t.Fatalf("refusal %+v", f.Origin.Refusal)
	}
	s := f.Origin.Message.Stream
	if piece, err := s.Next(); string(piece) != "ok" || err != nil {
		t.Errorf("Next() = %q, %v, want ok", piece, err)
	}
	go func() { close(stop) }()
	if _, err := s.Next(); !errors.As(err, new(bodyError)) {
		t.Errorf("Next() after the client broke off: %v, want bodyError", err)
	}
	s.Close()
	if got := <-code; got != http2.ErrCodeCancel {
		t.Errorf("the origin was told %v, want CANCEL", got)
	}
	settled(t, p, f)
}

// TestStreamClientLeaves lets the client go in every kind of wait: the origin is told at once, and the connection serves others.
func TestStreamClientLeaves(t *testing.T) {
	tests := []struct {
		name   string
		upload bool
		say    func(p *peer, id uint32)
	}{
		{"before the head", false, func(*peer, uint32) {}},
		{"after an interim head", false, func(p *peer, id uint32) { p.head(id, false, ":status: 103") }},
		{"within the body", false, func(p *peer, id uint32) {
			p.head(id, false, ":status: 200")
			p.data(id, false, "abc")
		}},
		{"within its upload", true, func(*peer, uint32) {}},
		{"within both bodies", true, func(p *peer, id uint32) {
			p.head(id, false, ":status: 200")
			p.data(id, false, "abc")
		}},
	}
	for _, way := range streamWays {
		for _, tt := range tests {
			t.Run(way.name+"/"+tt.name, func(t *testing.T) {
				told := make(chan http2.ErrCode, 1)
				asked := make(chan bool, 1)
				room, zone := way.open(t, frames(func(p *peer) {
					id, _ := p.request()
					tt.say(p, id)
					asked <- true
					for f := p.next(); f != nil; f = p.next() {
						switch f := f.(type) {
						case *http2.RSTStreamFrame:
							told <- f.ErrCode
						case *http2.MetaHeadersFrame:
							p.head(f.StreamID, true, ":status: 204")
						}
					}
				}))
				p := compile(t, room, zone)
				f := ordinary()
				s := &speaker{pieces: make(chan string)}
				if tt.upload {
					posting(f, "", false).Exchange.(*client).body = s
				}
				left := make(chan time.Time, 1)
				go func() {
					<-asked
					left <- time.Now()
					f.Abort.Fire()
					if tt.upload {
						close(s.pieces) // as the client's connection would
					}
				}()
				p.Fetch(f)
				if r := f.Origin.Refusal; r != nil {
					if r.Reason != flow.ClientGone || r.Status != 499 {
						t.Errorf("refusal %+v, want ClientGone", r)
					}
				} else if _, err := drain(f); !errors.Is(err, errGone) {
					t.Errorf("body's error %v, want errGone", err)
				}
				if code := <-told; code != http2.ErrCodeCancel {
					t.Errorf("the origin was told %v, want CANCEL", code)
				}
				if after := time.Since(<-left); after > time.Second {
					t.Errorf("the origin was told after %v, want it within a second", after)
				}
				if f.Origin.Message != nil || way.name == "http" { // else the share is held for another second: once is enough
					settled(t, p, f)
				}
				g := ordinary()
				if p.Fetch(g); g.Origin.Status != 204 || !g.Origin.Reused {
					t.Errorf("the next request: %+v, refusal %+v, want 204 on the same connection", g.Origin, g.Origin.Refusal)
				}
			})
		}
	}
}

// TestStreamCancelledHandler is TestStreamClientLeaves with net/http's server, whose handlers learn it by their context.
func TestStreamCancelledHandler(t *testing.T) {
	for _, secure := range []bool{false, true} {
		asked, done := make(chan bool, 1), make(chan time.Time, 1)
		p := compile(t, newRoom(t), goServer(t, secure, func(_ http.ResponseWriter, r *http.Request) {
			asked <- true
			<-r.Context().Done()
			done <- time.Now()
		}))
		f := ordinary()
		left := make(chan time.Time, 1)
		go func() {
			<-asked
			left <- time.Now()
			f.Abort.Fire()
		}()
		p.Fetch(f)
		if after := (<-done).Sub(<-left); after > time.Second {
			t.Errorf("the handler ended after %v, want within a second", after)
		}
	}
}

// TestStreamCancelledCall wants a gRPC client to be told what its server said: that a call was cancelled, as one is whose deadline is over.
func TestStreamCancelledCall(t *testing.T) {
	tests := []struct {
		name, proto, content string
		code                 http2.ErrCode
		want                 bool
	}{
		{"a call", "HTTP/2.0", "application/grpc", http2.ErrCodeCancel, true},
		{"a call in a format", "HTTP/2.0", "application/grpc+proto", http2.ErrCodeCancel, true},
		{"a call that failed", "HTTP/2.0", "application/grpc", http2.ErrCodeInternal, false},
		{"no call", "HTTP/2.0", "application/json", http2.ErrCodeCancel, false},
		{"a client without streams", "HTTP/1.1", "application/grpc", http2.ErrCodeCancel, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			room, zone := streamWays[0].open(t, saying(func(p *peer, id uint32) { p.WriteRSTStream(id, tt.code) }))
			p := compile(t, room, zone)
			f := ordinary()
			posting(f, "hello", true)
			f.Request.Proto = tt.proto
			f.Request.Fields = append(f.Request.Fields, flow.Field{Name: "Content-Type", Value: tt.content})
			p.Fetch(f)
			if r := f.Origin.Refusal; r == nil || r.Reason != flow.OriginBroken || (r.Reset != nil) != tt.want {
				t.Errorf("got %+v, want one of a broken answer, and its stream reset: %t", r, tt.want)
			}
			settled(t, p, f)
		})
	}
}

// TestStreamLinger lets clients leave before their answer: the share of the budget is held as long again as they have waited, or until the
// connection ends.
func TestStreamLinger(t *testing.T) {
	tests := []struct {
		name         string
		waited, held time.Duration
		closes       bool
	}{
		{"at once", time.Millisecond, time.Second, false},
		{"after a while", 5 * time.Second, 5 * time.Second, false},
		{"and the connection ends", 5 * time.Second, 0, true},
		{"never", 0, 20 * time.Second, false}, // the origin's time is over
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				room, zone := simulate(t, sim.Link{}, frames(func(p *peer) {
					p.request()
					for f := p.next(); f != nil; f = p.next() {
						if _, ok := f.(*http2.RSTStreamFrame); ok && tt.closes {
							return
						}
					}
				}))
				p := compile(t, room, overStreams(zone))
				f := ordinary()
				if tt.waited > 0 {
					time.AfterFunc(tt.waited, f.Abort.Fire)
				}
				p.Fetch(f)
				left := time.Now()
				f.Admission.Lease.(*lease).wait()
				if held := time.Since(left); held != tt.held {
					t.Errorf("the share was held for %v, want %v", held, tt.held)
				}
				settled(t, p, f)
			})
		})
	}
}

// TestStreamTimeouts is TestTimeouts over HTTP/2.
func TestStreamTimeouts(t *testing.T) {
	quiet := func(say func(p *peer, id uint32)) script {
		return frames(func(p *peer) {
			id, _ := p.request()
			say(p, id)
			p.wait()
		})
	}
	nothing := func(*peer, uint32) {}
	tests := []struct {
		name    string
		link    sim.Link
		script  script
		body    string
		reason  flow.Reason
		status  int
		at      time.Duration
		stalled bool
	}{
		{"connecting", sim.Link{Blackhole: true}, silent(""), "", flow.OriginTimeout, 504, 4 * time.Second, false},
		{"no settings", sim.Link{}, func(c net.Conn, r *bufio.Reader) { r.WriteTo(io.Discard) }, "", flow.OriginTimeout, 504, 4 * time.Second, false},
		{"no head", sim.Link{}, quiet(nothing), "", flow.OriginTimeout, 504, 20 * time.Second, false},
		{"interim heads only", sim.Link{}, frames(func(p *peer) {
			id, _ := p.request()
			for range 10 {
				p.head(id, false, ":status: 103")
				time.Sleep(3 * time.Second)
			}
			p.wait()
		}), "", flow.OriginTimeout, 504, 20 * time.Second, false},
		{"no head after an upload", sim.Link{}, frames(func(p *peer) { p.ask(); p.wait() }), strings.Repeat("x", 100_000),
			flow.OriginTimeout, 504, 20 * time.Second, false},
		{"upload not taken", sim.Link{}, quiet(nothing), strings.Repeat("x", 100_000), flow.OriginTimeout, 504, 8 * time.Second, false},
		{"nothing read", sim.Link{Buffer: 1024}, frames(func(p *peer) {
			for range 4 { // settings, window update, ping, head
				f, _ := p.ReadFrame()
				if ping, ok := f.(*http2.PingFrame); ok {
					p.WritePing(true, ping.Data)
				}
			}
			time.Sleep(time.Hour)
		}), strings.Repeat("x", 100_000), flow.OriginTimeout, 504, 8 * time.Second, false},
		{"stalled body", sim.Link{}, quiet(func(p *peer, id uint32) {
			p.head(id, false, ":status: 200")
			p.data(id, false, "abc")
		}), "", flow.NoReason, 200, 8 * time.Second, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				room, zone := simulate(t, tt.link, tt.script)
				zone.Origin.Retries = 0
				p := compile(t, room, overStreams(zone))
				f := ordinary()
				if tt.body != "" {
					posting(f, tt.body, true)
				}
				start := time.Now()
				p.Fetch(f)
				reason, status := flow.NoReason, f.Origin.Status
				if r := f.Origin.Refusal; r != nil {
					reason, status = r.Reason, r.Status
				}
				if reason != tt.reason || status != tt.status {
					t.Errorf("%d, refusal %+v, want %v and %d", f.Origin.Status, f.Origin.Refusal, tt.reason, tt.status)
				}
				if tt.stalled {
					if _, err := drain(f); !isTimeout(err) {
						t.Errorf("body's error %v, want a timeout", err)
					}
				}
				if took := time.Since(start); took < tt.at || took > tt.at*5/4 {
					t.Errorf("took %v, want %v to a quarter more", took, tt.at)
				}
				settled(t, p, f)
			})
		})
	}
}

// TestStreamSlowUpload takes longer than every timeout of the origin's: none of them is about the client.
func TestStreamSlowUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room, zone := simulate(t, sim.Link{}, saying(func(p *peer, id uint32) { p.head(id, true, ":status: 204") }))
		p := compile(t, room, overStreams(zone))
		f := posting(ordinary(), "", false)
		f.Exchange.(*client).body = &slowly{300}
		if p.Fetch(f); f.Origin.Status != 204 {
			t.Errorf("refusal %+v, want 204", f.Origin.Refusal)
		}
		settled(t, p, f)
	})
}

// TestStreamsAtOnce asks and leaves in many ways at once: every request is answered or refused, and in the end nothing is in flight.
func TestStreamsAtOnce(t *testing.T) {
	for _, secure := range []bool{false, true} {
		z := goServer(t, secure, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/echo":
				io.Copy(w, r.Body)
			case "/panic":
				panic(http.ErrAbortHandler)
			case "/wait":
				<-r.Context().Done()
			default:
				io.WriteString(w, strings.Repeat("x", 100_000))
			}
		})
		z.Origin.Health.MaxFails = 0
		p := compile(t, newRoom(t), z)
		var askers sync.WaitGroup
		for i := range 8 {
			askers.Go(func() {
				for n := range 25 {
					f := ordinary()
					f.Request.Path = [...]string{"/", "/echo", "/panic", "/wait", "/"}[(i+n)%5]
					switch f.Request.Path {
					case "/echo":
						posting(f, strings.Repeat("y", 50_000), n%2 == 0)
					case "/wait":
						time.AfterFunc(time.Millisecond, f.Abort.Fire)
					}
					p.Fetch(f)
					if n%7 == 0 && f.Origin.Message != nil && f.Origin.Message.Stream != nil {
						f.Origin.Message.Stream.Next()
						f.Origin.Message.Stream.Close()
						continue
					}
					body, err := drain(f)
					switch q := f.Origin.Refusal; f.Request.Path {
					case "/panic":
						if q == nil || q.Reason != flow.OriginBroken {
							t.Errorf("panic: refusal %+v", q)
						}
					case "/wait":
						if q == nil || q.Reason != flow.ClientGone {
							t.Errorf("wait: refusal %+v", q)
						}
					case "/echo":
						if len(body) != 50_000 || err != nil {
							t.Errorf("echo: %d bytes, %v, refusal %+v", len(body), err, q)
						}
					default:
						if len(body) != 100_000 || err != nil {
							t.Errorf("%d bytes, %v, refusal %+v", len(body), err, q)
						}
					}
				}
			})
		}
		askers.Wait()
		eventually(t, "nothing in flight", func() bool { return p.Servers()[0].InFlight == 0 })
		eventually(t, "idle connections only", func() bool {
			all, idle := connections(p, 0)
			return all == idle
		})
	}
}
