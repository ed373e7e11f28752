package h2client

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"
)

// serve answers over HTTP/2 without TLS, and returns how to get there.
func serve(t testing.TB, handler http.HandlerFunc) *Want {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return &Want{
		Dial: func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", s.Listener.Addr().String())
		},
		Most: 2, IdleTimeout: time.Minute, WriteTimeout: time.Minute,
	}
}

func take(t testing.TB, p *Pool, w *Want) *Conn {
	t.Helper()
	c, _, err := p.Take(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func get() *Request {
	return &Request{Method: "GET", Scheme: "http", Authority: "www.example.org", Path: "/", ResponseTimeout: time.Minute, StallTimeout: time.Minute}
}

// read reads a stream to its end.
func read(s *Stream) (status int, body string, err error) {
	for status < 200 {
		h, err := s.Head()
		if err != nil {
			s.Close()
			return 0, "", err
		}
		status = h.Status
	}
	body, err = drain(s)
	return status, body, err
}

// drain reads a stream's content to its end.
func drain(s *Stream) (body string, err error) {
	defer s.Close()
	for err == nil {
		var piece []byte
		piece, err = s.Next()
		body += string(piece)
	}
	if err == io.EOF {
		err = nil
	}
	return body, err
}

func TestStream(t *testing.T) {
	w := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) })
	var p Pool
	defer p.Close()
	for i := range 3 {
		c, used, err := p.Take(t.Context(), w)
		if err != nil || used != (i > 0) {
			t.Fatalf("take %d: used %v, %v", i, used, err)
		}
		whole := make(chan bool, 2)
		q := get()
		q.Path, q.Whole = "/a", func() { whole <- true }
		if status, body, err := read(c.Start(q)); status != 200 || body != "/a" || err != nil {
			t.Errorf("%d, %q, %v, want 200 and /a", status, body, err)
		}
		if <-whole; len(whole) > 0 {
			t.Error("whole was told twice")
		}
	}
	if all, _ := p.Conns(); all != 1 {
		t.Errorf("%d connections, want 1", all)
	}
}

// TestReadLate reads a response that is larger than the buffers long after it came.
func TestReadLate(t *testing.T) {
	const size = 3*pieceSize + 100
	w := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat("x", size)) })
	var p Pool
	defer p.Close()
	whole := make(chan bool, 1)
	q := get()
	q.Whole = func() { whole <- true }
	s := take(t, &p, w).Start(q)
	if h, err := s.Head(); err != nil || h.Length != size && h.Length != -1 {
		t.Fatalf("head %+v, %v", h, err)
	}
	s.mu.Lock()
	for s.n < len(s.pieces) {
		s.change.Wait()
	}
	s.mu.Unlock()
	if len(whole) > 0 {
		t.Error("whole, although more is to come than there is room for")
	}
	if body, err := drain(s); len(body) != size || err != nil {
		t.Errorf("%d bytes, %v, want %d", len(body), err, size)
	}
	<-whole
}

// TestClosedConnection starts a stream on a connection that has just ended: it has not been processed.
func TestClosedConnection(t *testing.T) {
	w := serve(t, func(http.ResponseWriter, *http.Request) {})
	var p Pool
	defer p.Close()
	for _, used := range []bool{false, true} {
		c := take(t, &p, w)
		if used {
			read(c.Start(get()))
			c = take(t, &p, w)
		}
		c.close()
		<-c.Ended()
		if _, _, err := read(c.Start(get())); !errors.Is(err, ErrUnprocessed) {
			t.Errorf("used %v: %v, want ErrUnprocessed", used, err)
		}
	}
	if all, _ := p.Conns(); all != 0 {
		t.Errorf("%d connections, want none", all)
	}
}

// TestPoolClose lets streams end that are under way, and their connections then.
func TestPoolClose(t *testing.T) {
	release := make(chan bool)
	w := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		<-release
		io.WriteString(w, "late")
	})
	var p Pool
	c := take(t, &p, w)
	s := c.Start(get())
	if _, err := s.Head(); err != nil {
		t.Fatal(err)
	}
	p.Close()
	close(release)
	if body, err := drain(s); body != "late" || err != nil {
		t.Errorf("%q, %v, want late", body, err)
	}
	<-c.Ended()
}

func TestReturn(t *testing.T) {
	w := serve(t, func(http.ResponseWriter, *http.Request) {})
	var p Pool
	defer p.Close()
	c := take(t, &p, w)
	if _, idle := p.Conns(); idle != 0 {
		t.Error("the connection is idle while a place is taken")
	}
	c.Return()
	if _, idle := p.Conns(); idle != 1 {
		t.Error("the connection is not idle after the place was returned")
	}
	if p.Try(w) != c {
		t.Error("the connection was not given again")
	}
	c.Return()
}

func TestClassify(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want error
	}{
		{"refused", http2.StreamError{Code: http2.ErrCodeRefusedStream, Cause: errors.New(textFromPeer)}, ErrUnprocessed},
		{"refused by us", http2.StreamError{Code: http2.ErrCodeRefusedStream}, nil},
		{"eof", io.EOF, ErrEnded},
		{"protocol", http2.ConnectionError(http2.ErrCodeProtocol), ErrEnded},
		{"ended by us", context.Canceled, context.Canceled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := classify(tt.err)
			for _, kind := range []error{ErrUnprocessed, ErrEnded, ErrRequest, ErrTooLarge, ErrNoTunnel, context.Canceled} {
				if errors.Is(got, kind) != (kind == tt.want) {
					t.Errorf("%v: got %v %v, want %v", tt.err, kind, errors.Is(got, kind), kind == tt.want)
				}
			}
		})
	}
}

func TestHeader(t *testing.T) {
	fields := []Field{{"b", "1"}, {"A", "2"}, {"B", "3"}, {"user-agent", "x"}, {"a", ""}}
	h := headerOf(fields)
	want := http.Header{"A": {"2", ""}, "B": {"1", "3"}, "User-Agent": {"x"}}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	got, err := fieldsOf(h)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Field{{"A", "2"}, {"A", ""}, {"B", "1"}, {"B", "3"}, {"User-Agent", "x"}}, got); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if ua, ok := headerOf(nil)["User-Agent"]; !ok || ua != nil {
		t.Errorf("User-Agent %q, %v, want one that is nil", ua, ok)
	}
}

func BenchmarkStream(b *testing.B) {
	w := serve(b, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	var p Pool
	defer p.Close()
	take(b, &p, w).Return()
	b.ReportAllocs()
	for b.Loop() {
		s := take(b, &p, w).Start(get())
		if h, err := s.Head(); err != nil || h.Status != 204 {
			b.Fatal(h, err)
		}
		s.Close()
	}
}
