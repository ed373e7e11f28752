package origin

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
	"golang.org/x/net/http2"

	"github.com/seawall/seawall/internal/flow"
)

// canned is a connection whose origin says something whatever it is asked, in pieces.
type canned struct {
	text  []byte
	piece int
}

func (c *canned) Read(p []byte) (int, error) {
	if len(c.text) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.piece)], c.text)
	c.text = c.text[n:]
	return n, nil
}
func (c *canned) Write(p []byte) (int, error)      { return len(p), nil }
func (c *canned) Close() error                     { return nil }
func (c *canned) LocalAddr() net.Addr              { return nil }
func (c *canned) RemoteAddr() net.Addr             { return nil }
func (c *canned) SetDeadline(time.Time) error      { return nil }
func (c *canned) SetReadDeadline(time.Time) error  { return nil }
func (c *canned) SetWriteDeadline(time.Time) error { return nil }

// FuzzResponse lets an origin say anything: the flow gets a refusal or a message, never both, the share goes back once, the pieces
// in which it came make no difference, and what net/http also reads as a whole response has the same body.
func FuzzResponse(f *testing.F) {
	for _, text := range []string{
		ok, bodyless, switching + "x", ok + ok, "HTTP/1.1 200 OK\r\n\r\nuntil close",
		"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + ok,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3;x\r\ncde\r\n0\r\nT: v\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
	} {
		f.Add([]byte(text), "GET", 7)
	}
	f.Fuzz(func(t *testing.T, text []byte, method string, piece int) {
		if method != "GET" && method != "HEAD" {
			method = "GET"
		}
		fetch := func(piece int) (status int, body string, whole bool) {
			r := newRoom(t)
			r.Dial = func(context.Context, string, string) (net.Conn, error) { return &canned{text, piece}, nil }
			q := ordinary()
			q.Request.Method = method
			l := q.Admission.Lease.(*lease)
			compile(t, r, zoneOf("http://192.0.2.1")).Fetch(q)
			if (q.Origin.Refusal == nil) == (q.Origin.Message == nil) {
				t.Fatalf("refusal %+v, message %+v", q.Origin.Refusal, q.Origin.Message)
			}
			body, err := drain(q)
			if n := l.count(); n != 1 {
				t.Fatalf("lease released %d times", n)
			}
			if m := q.Origin.Message; err == nil && m != nil && m.Stream != nil && m.Length >= 0 && int64(len(body)) != m.Length {
				t.Fatalf("%d bytes of body, want %d", len(body), m.Length)
			}
			return q.Origin.Status, body, err == nil && q.Origin.Refusal == nil
		}
		status, body, whole := fetch(len(text) + 1)
		pieceStatus, pieceBody, pieceWhole := fetch(1 + (piece&0xff)%64)
		if whole != pieceWhole || whole && (status != pieceStatus || body != pieceBody) {
			t.Fatalf("whole: %d %q %v, in pieces: %d %q %v", status, body, whole, pieceStatus, pieceBody, pieceWhole)
		}
		if !whole || status < 200 || bytes.HasPrefix(text, []byte("HTTP/1.1 1")) {
			return
		}
		w, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(text)), &http.Request{Method: method})
		if err != nil {
			return // more tolerant we are, but in ways that h1 answers for
		}
		if want, err := io.ReadAll(w.Body); err == nil && string(want) != body && w.StatusCode == status {
			t.Fatalf("body %q, net/http has %q", body, want)
		}
	})
}

// FuzzStreamResponse lets an origin that has begun HTTP/2 as it should say anything to a request: the flow gets a refusal or a message, never
// both, and the share goes back once.
func FuzzStreamResponse(f *testing.F) {
	written := func(write func(p *http2.Framer)) []byte {
		var b bytes.Buffer
		write(http2.NewFramer(&b, nil))
		return b.Bytes()
	}
	const ok = "\x88"                                                                           // :status: 200
	const five, early, trailer = "\x88\x0f\x0d\x015", "\x08\x03103", "\x00\x0bgrpc-status\x010" // content-length: 5, :status: 103
	head := func(text string, end bool) http2.HeadersFrameParam {
		return http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte(text), EndHeaders: true, EndStream: end}
	}
	for _, write := range []func(p *http2.Framer){
		func(p *http2.Framer) { p.WriteHeaders(head(ok, true)) },
		func(p *http2.Framer) { p.WriteHeaders(head(five, false)); p.WriteData(1, true, []byte("hello")) },
		func(p *http2.Framer) { p.WriteHeaders(head(five, true)) },
		func(p *http2.Framer) {
			p.WriteHeaders(head(early, false))
			p.WriteHeaders(head(ok, false))
			p.WriteData(1, false, []byte("hello"))
			p.WriteHeaders(head(trailer, true))
		},
		func(p *http2.Framer) { p.WriteRSTStream(1, http2.ErrCodeRefusedStream) },
		func(p *http2.Framer) { p.WriteHeaders(head(ok, false)); p.WriteGoAway(0, http2.ErrCodeNo, nil) },
		func(p *http2.Framer) { p.WritePing(false, [8]byte{}); p.WriteWindowUpdate(1, 1<<31-1) },
	} {
		f.Add(written(write), "GET")
	}
	f.Fuzz(func(t *testing.T, text []byte, method string) {
		if method != "GET" && method != "HEAD" && method != "POST" {
			method = "GET"
		}
		s := serve(t, loopback(t), "http", frames(func(p *peer) {
			if id, _ := p.ask(); id == 0 {
				return
			}
			p.conn.Write(text)
			p.conn.(*net.TCPConn).CloseWrite()
			p.wait()
		}))
		z := overStreams(zoneOf(s.url))
		z.Origin.Retries = 0
		p := compile(t, newRoom(t), z)
		q := ordinary()
		if q.Request.Method = method; method == "POST" {
			posting(q, "hello", false)
		}
		p.Fetch(q)
		if (q.Origin.Refusal == nil) == (q.Origin.Message == nil) {
			t.Fatalf("refusal %+v, message %+v", q.Origin.Refusal, q.Origin.Message)
		}
		body, err := drain(q)
		if m := q.Origin.Message; err == nil && m != nil && m.Stream != nil && m.Length >= 0 && method != "HEAD" && int64(len(body)) != m.Length {
			t.Fatalf("%d bytes of body, want %d", len(body), m.Length)
		}
		l := q.Admission.Lease.(*lease)
		l.wait()
		if n := l.count(); n != 1 {
			t.Fatalf("lease released %d times", n)
		}
	})
}

// FuzzClassify checks that a name's kind does not depend on its case, or on "_" for "-".
func FuzzClassify(f *testing.F) {
	for _, name := range []string{"X-Forwarded-For", "x_real_ip", "Connection", "TE", "Accept", "X-Forwarded-"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if got, want := classify(name), classify(fold(name)); got != want {
			t.Errorf("classify(%q) = %d, folded %d", name, got, want)
		}
		if classify(name) == forwardedFor && fold(name) != "x-forwarded-for" {
			t.Errorf("%q is taken for X-Forwarded-For", name)
		}
	})
}

var _ flow.Body = (*answer)(nil)

// FuzzParseStatuses compares the set to what the list says, element by element.
func FuzzParseStatuses(f *testing.F) {
	for _, text := range []string{"200-399", "200,204", "200-399,404", "399-200", "100-599", "2xx", ""} {
		f.Add(text, 200)
	}
	f.Fuzz(func(t *testing.T, text string, status int) {
		s, err := parseStatuses(text)
		if err != nil {
			return
		}
		status = 100 + (status&0xffff)%500
		want := false
		for part := range strings.SplitSeq(text, ",") {
			var from, to int
			if n, _ := fmt.Sscanf(strings.TrimSpace(part), "%d-%d", &from, &to); n == 1 {
				to = from
			}
			want = want || from <= status && status <= to
		}
		if got := s.has(status); got != want {
			t.Errorf("%q has %d: got %v, want %v", text, status, got, want)
		}
	})
}

// FuzzProxyHeader has what we write of any two addresses read by another's code.
func FuzzProxyHeader(f *testing.F) {
	f.Add([]byte{198, 51, 100, 7}, uint16(4242), []byte{192, 0, 2, 9}, uint16(443))
	f.Add(make([]byte, 16), uint16(0), []byte{192, 0, 2, 9}, uint16(443))
	f.Fuzz(func(t *testing.T, client []byte, port uint16, local []byte, to uint16) {
		from, ok := netip.AddrFromSlice(client)
		at, ok2 := netip.AddrFromSlice(local)
		if !ok || !ok2 {
			return
		}
		q := &flow.Flow{Conn: &flow.Conn{Remote: netip.AddrPortFrom(from, port), Local: netip.AddrPortFrom(at, to)}}
		q.Request.Client = from
		for _, version := range []string{"v1", "v2"} {
			b := appendProxy(nil, version, q)
			h, err := proxyproto.Read(bufio.NewReader(bytes.NewReader(b)))
			if err != nil {
				t.Fatalf("%s: %q: %v", version, b, err)
			}
			src, dst := h.SourceAddr.(*net.TCPAddr).AddrPort(), h.DestinationAddr.(*net.TCPAddr).AddrPort()
			if src.Addr().Unmap() != from.Unmap() || src.Port() != port || dst.Addr().Unmap() != at.Unmap() || dst.Port() != to {
				t.Fatalf("%s: %q was read as %v to %v, want %v:%d to %v:%d", version, b, src, dst, from, port, at, to)
			}
		}
	})
}
