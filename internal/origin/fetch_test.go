package origin

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/flow"
)

const (
	ok       = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	bodyless = "HTTP/1.1 204 No Content\r\n\r\n"
)

// TestOutcomes sends one request to origins that behave and misbehave, over every kind of connection. Whatever happens, the
// share of the budget goes back once, and the connection is kept only if its next response will be the next request's.
func TestOutcomes(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 1<<16/4) // 256 KiB
	type outcome struct {
		Reason   flow.Reason
		Status   int // of the response, or of the refusal
		Body     string
		Length   int64
		Err      error
		Attempts int
		Idle     int
	}
	tests := []struct {
		name   string
		change func(f *flow.Flow)
		script script
		want   outcome
	}{
		{"small", nil, always(ok), outcome{Status: 200, Body: "ok", Length: 2, Attempts: 1, Idle: 1}},
		{"empty", nil, always("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), outcome{Status: 200, Attempts: 1, Idle: 1}},
		{"no content", nil, always(bodyless), outcome{Status: 204, Attempts: 1, Idle: 1}},
		{"not modified", nil, always("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"), outcome{Status: 304, Length: 9, Attempts: 1, Idle: 1}},
		{"head", func(f *flow.Flow) { f.Request.Method = "HEAD" }, always("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"),
			outcome{Status: 200, Length: 7, Attempts: 1, Idle: 1}},
		{"big", nil, always(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(big), big)),
			outcome{Status: 200, Body: big, Length: int64(len(big)), Attempts: 1, Idle: 1}},
		{"chunked", nil, always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3;x\r\ncde\r\n0\r\n\r\n"),
			outcome{Status: 200, Body: "abcde", Length: -1, Attempts: 1, Idle: 1}},
		{"big chunks", nil, always(fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n1\r\nz\r\n0\r\n\r\n", len(big), big)),
			outcome{Status: 200, Body: big + "z", Length: -1, Attempts: 1, Idle: 1}},
		{"until close", nil, answers("HTTP/1.1 200 OK\r\n\r\nto the end"), outcome{Status: 200, Body: "to the end", Length: -1, Attempts: 1}},
		{"http/1.0", nil, answers("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"), outcome{Status: 200, Body: "ok", Length: 2, Attempts: 1}},
		{"close", nil, answers("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"), outcome{Status: 200, Body: "ok", Length: 2, Attempts: 1}},
		{"more than announced", nil, always(ok + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"), outcome{Status: 200, Body: "ok", Length: 2, Attempts: 1}},
		{"continue unasked", nil, always("HTTP/1.1 100 Continue\r\n\r\n" + ok), outcome{Status: 200, Body: "ok", Length: 2, Attempts: 1, Idle: 1}},

		{"closes at once", nil, func(c net.Conn, r *bufio.Reader) { ask(r) }, outcome{Reason: flow.OriginBroken, Status: 502, Attempts: 1}},
		{"resets at once", nil, func(c net.Conn, r *bufio.Reader) { ask(r); reset(c) }, outcome{Reason: flow.OriginBroken, Status: 502, Attempts: 1}},
		{"half a head", nil, answers("HTTP/1.1 200 OK\r\nContent-Le"), outcome{Reason: flow.OriginBroken, Status: 502, Attempts: 1}},
		{"not http", nil, answers("220 mail.example ESMTP\r\n\r\n"), outcome{Reason: flow.OriginBroken, Status: 502, Attempts: 1}},
		{"huge head", nil, answers("HTTP/1.1 200 OK\r\nX: " + big), outcome{Reason: flow.OriginBroken, Status: 502, Attempts: 1}},
		{"large head", nil, always("HTTP/1.1 200 OK\r\nX: " + big[:50<<10] + "\r\nContent-Length: 2\r\n\r\nok"),
			outcome{Status: 200, Body: "ok", Length: 2, Attempts: 1, Idle: 1}},
		{"too many fields", nil, answers("HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 201) + "\r\n"),
			outcome{Reason: flow.OriginBroken, Status: 502, Attempts: 1}},
		{"wrong chunk with the head", nil, answers("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
			outcome{Reason: flow.OriginBroken, Status: 502, Attempts: 1}},
		{"wrong chunk later", nil, func(c net.Conn, r *bufio.Reader) {
			ask(r)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8000\r\n"+big[:0x8000]+"\r\nzz\r\n")
		}, outcome{Status: 200, Length: -1, Err: errAny, Attempts: 1}},
		{"gzip as transfer coding", nil, answers("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
			outcome{Reason: flow.OriginBroken, Status: 502, Attempts: 1}},
		{"truncated", nil, answers("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"),
			outcome{Status: 200, Body: "abc", Length: 5, Err: io.ErrUnexpectedEOF, Attempts: 1}},
		{"truncated chunk", nil, answers("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"),
			outcome{Status: 200, Body: "abc", Length: -1, Err: io.ErrUnexpectedEOF, Attempts: 1}},
		{"reset in the body", nil, func(c net.Conn, r *bufio.Reader) {
			ask(r)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
			reset(c)
		}, outcome{Reason: anyReason, Status: 200, Length: 5, Err: io.ErrUnexpectedEOF, Attempts: 1}},
		{"endless interim", nil, answers(strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 20) + ok),
			outcome{Reason: flow.OriginBroken, Status: 502, Attempts: 1}},
		{"upgrade unasked", nil, answers("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
			outcome{Reason: flow.OriginBroken, Status: 502, Attempts: 1}},
		{"upgrade to another protocol", func(f *flow.Flow) { f.Request.Upgrade = "websocket" },
			answers("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n"),
			outcome{Reason: flow.OriginBroken, Status: 502, Attempts: 1}},
		{"upgrade declined", func(f *flow.Flow) { f.Request.Upgrade = "websocket" }, always(ok),
			outcome{Status: 200, Body: "ok", Length: 2, Attempts: 1, Idle: 1}},

		{"client gone before", func(f *flow.Flow) { f.Abort.Fire() }, always(ok), outcome{Reason: flow.ClientGone, Status: 499}},
		{"content", func(f *flow.Flow) { posting(f, "hello", true) }, always(ok), outcome{Status: 200, Body: "ok", Length: 2, Attempts: 1, Idle: 1}},
		{"content in chunks", func(f *flow.Flow) { posting(f, "hello", false) }, always(ok),
			outcome{Status: 200, Body: "ok", Length: 2, Attempts: 1, Idle: 1}},
		{"content in chunks, none back", func(f *flow.Flow) { posting(f, "hello", false) }, always(bodyless),
			outcome{Status: 204, Attempts: 1, Idle: 1}},
		{"content broken off", func(f *flow.Flow) { posting(f, "hello", true); f.Request.Length = 6 }, always(ok),
			outcome{Reason: flow.BodyBroken, Status: 400}},
		{"big content broken off", func(f *flow.Flow) { posting(f, big, true); f.Request.Length++ }, always(ok),
			outcome{Reason: flow.BodyBroken, Status: 400, Attempts: 1}},
	}
	for _, way := range ways {
		for _, tt := range tests {
			t.Run(way.name+"/"+tt.name, func(t *testing.T) {
				room, zone := way.open(t, tt.script)
				p := compile(t, room, zone)
				f := ordinary()
				if tt.change != nil {
					tt.change(f)
				}
				p.Fetch(f)
				got := outcome{Status: f.Origin.Status, Attempts: f.Origin.Attempts}
				if r := f.Origin.Refusal; r != nil {
					got.Reason, got.Status = r.Reason, r.Status
					if r.Detail == "" || f.Origin.Message != nil {
						t.Errorf("refusal %+v with message %v, want a detail and none", r, f.Origin.Message)
					}
				} else {
					got.Length = f.Origin.Message.Length
					got.Body, got.Err = drain(f)
				}
				if tt.want.Err == errAny {
					got.Body = "" // how much comes before depends on the pieces in which it arrives
				}
				got.Idle = p.servers[0].idleCount()
				if tt.want.Reason == anyReason && got.Reason == flow.OriginBroken { // a reset may overtake the head
					tt.want = outcome{Reason: flow.OriginBroken, Status: 502, Attempts: 1}
				} else if tt.want.Reason == anyReason {
					tt.want.Reason = flow.NoReason
				}
				same := cmp.Comparer(func(a, b error) bool {
					return a == nil && b == nil || a != nil && b != nil && (a == errAny || b == errAny || errors.Is(a, b) || errors.Is(b, a))
				})
				if diff := cmp.Diff(tt.want, got, same); diff != "" {
					t.Errorf("outcome (-want +got):\n%.2000s\nrefusal: %+v, error: %v", diff, f.Origin.Refusal, got.Err)
				}
				if n, at := f.Admission.Lease.(*lease).count(), p.Servers()[0].InFlight; n != 1 || at != 0 {
					t.Errorf("lease released %d times, %d requests in flight, want 1 and 0", n, at)
				}
			})
		}
	}
}

var errAny = errors.New("any error")

const anyReason = flow.Reason(255)

func TestRefusedConnection(t *testing.T) {
	l := loopback(t)
	l.Close()
	p := compile(t, newRoom(t), zoneOf("http://"+l.Addr().String()))
	f := ordinary()
	p.Fetch(f)
	r := f.Origin.Refusal
	if r == nil || r.Reason != flow.OriginUnreachable || r.Status != 502 || f.Origin.Attempts != 0 || f.Origin.Address != l.Addr().String() {
		t.Errorf("refusal %+v, origin %+v, want OriginUnreachable after no attempt", r, f.Origin)
	}
	if n := f.Admission.Lease.(*lease).count(); n != 1 {
		t.Errorf("lease released %d times, want 1", n)
	}
}

// TestClose gives up in the middle of bodies: the connection must not be used again, and the share goes back once however often
// Close is called.
func TestClose(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			room, zone := way.open(t, answers("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"))
			p := compile(t, room, zone)
			f := ordinary()
			p.Fetch(f)
			s := f.Origin.Message.Stream
			if piece, err := s.Next(); string(piece) != "abc" || err != nil {
				t.Fatalf("Next() = %q, %v, want abc", piece, err)
			}
			s.Close()
			s.Close()
			if piece, err := s.Next(); piece != nil || !errors.Is(err, net.ErrClosed) {
				t.Errorf("Next() after Close = %q, %v, want net.ErrClosed", piece, err)
			}
			if n, idle := f.Admission.Lease.(*lease).count(), p.servers[0].idleCount(); n != 1 || idle != 0 {
				t.Errorf("lease released %d times, %d idle connections, want 1 and 0", n, idle)
			}
		})
	}
}

// TestWholeBody sees to it that a response which came whole frees the origin before the client has read it, and that its
// bytes stay until they are used.
func TestWholeBody(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			room, zone := way.open(t, answers(ok, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno"))
			p := compile(t, room, zone)
			f, g := ordinary(), ordinary()
			p.Fetch(f)
			if n := f.Admission.Lease.(*lease).count(); n != 1 {
				t.Errorf("lease released %d times before the body was read, want 1", n)
			}
			p.Fetch(g)
			if !g.Origin.Reused {
				t.Error("the second request got a connection of its own")
			}
			for _, tt := range []struct {
				f    *flow.Flow
				want string
			}{{f, "ok"}, {g, "no"}} {
				s := tt.f.Origin.Message.Stream
				if piece, err := s.Next(); string(piece) != tt.want || err != io.EOF {
					t.Errorf("Next() = %q, %v, want %s with io.EOF", piece, err, tt.want)
				}
				if piece, err := s.Next(); len(piece) != 0 || err != io.EOF {
					t.Errorf("Next() after the end = %q, %v, want io.EOF", piece, err)
				}
				s.Close()
			}
			if f.Origin.Message.Fields[0].Value != "2" || f.Origin.Status != 200 {
				t.Error("the message's head did not outlive its body")
			}
		})
	}
}

func TestInterimAndTrailers(t *testing.T) {
	room, zone := ways[0].open(t, answers("HTTP/1.1 103 Early Hints\r\nConnection: x\r\nX: y\r\nLink: </a>\r\n\r\n"+
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-a: 1\r\nSet-Cookie: a\r\nx-A: 2\r\n\r\n1\r\na\r\n0\r\nChecksum: 7\r\n\r\n"))
	p := compile(t, room, zone)
	f := ordinary()
	p.Fetch(f)
	body, err := drain(f)
	if body != "a" || err != nil {
		t.Errorf("body %q, %v, want a", body, err)
	}
	c := f.Exchange.(*client)
	if diff := cmp.Diff([]int{103}, c.info); diff != "" {
		t.Errorf("interim responses (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]flow.Field{{{Name: "Link", Value: "</a>"}}}, c.fields); diff != "" {
		t.Errorf("their fields (-want +got):\n%s", diff)
	}
	want := []flow.Field{{Name: "Transfer-Encoding", Value: "chunked"}, {Name: "X-a", Value: "1"}, {Name: "Set-Cookie", Value: "a"}, {Name: "x-A", Value: "2"}}
	if diff := cmp.Diff(want, f.Origin.Message.Fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]flow.Field{{Name: "Checksum", Value: "7"}}, f.Origin.Message.Stream.Trailers()); diff != "" {
		t.Errorf("trailers (-want +got):\n%s", diff)
	}
}

// TestClientLeaves lets the client go in every kind of wait.
func TestClientLeaves(t *testing.T) {
	tests := []struct {
		name string
		text string // what the origin answers before it falls silent
	}{
		{"before the head", ""},
		{"within the head", "HTTP/1.1 200 OK\r\n"},
		{"within the body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"},
	}
	for _, way := range ways {
		for _, tt := range tests {
			t.Run(way.name+"/"+tt.name, func(t *testing.T) {
				cancelled := make(chan bool, 1)
				asked := make(chan bool, 1)
				room, zone := way.open(t, func(c net.Conn, r *bufio.Reader) {
					ask(r)
					io.WriteString(c, tt.text)
					asked <- true
					_, err := r.ReadByte()
					cancelled <- err != nil
				})
				p := compile(t, room, zone)
				f := ordinary()
				go func() { <-asked; f.Abort.Fire() }()
				p.Fetch(f)
				if r := f.Origin.Refusal; r != nil {
					if r.Reason != flow.ClientGone || r.Status != 499 {
						t.Errorf("refusal %+v, want ClientGone", r)
					}
				} else if _, err := drain(f); !errors.Is(err, errGone) {
					t.Errorf("body's error %v, want errGone", err)
				}
				if !<-cancelled {
					t.Error("the origin got more instead of the end of the connection")
				}
				f.Admission.Lease.(*lease).wait()
				if n, idle := f.Admission.Lease.(*lease).count(), p.servers[0].idleCount(); n != 1 || idle != 0 {
					t.Errorf("lease released %d times, %d idle connections, want 1 and 0", n, idle)
				}
			})
		}
	}
}

// TestBodyOutlivesItsFlow: the cache reads a body on behalf of others after the flow that fetched it is over and its Abort, and the
// flow itself, serve another request.
func TestBodyOutlivesItsFlow(t *testing.T) {
	asked := make(chan bool)
	room, zone := ways[0].open(t, func(c net.Conn, r *bufio.Reader) {
		ask(r)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
		<-asked
		io.WriteString(c, "cde")
		r.ReadByte()
	})
	p := compile(t, room, zone)
	f := ordinary()
	p.Fetch(f)
	body, fetch := f.Origin.Message.Stream, f.Abort
	*f = flow.Flow{Abort: new(flow.Abort)}
	f.Abort.Fire()
	close(asked)
	var got []byte
	for {
		piece, err := body.Next()
		got = append(got, piece...)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
	}
	if string(got) != "abcde" || fetch.Gone() {
		t.Errorf("body %q, want abcde", got)
	}
	body.Close()
}
