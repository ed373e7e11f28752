package origin

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// fakeOrigin is one on loopback that does as it is told: the n-th connection is handled by the n-th script, later ones by
// the last.
type fakeOrigin struct {
	url      string
	listener net.Listener
	wait     sync.WaitGroup
}

type script func(c net.Conn, r *bufio.Reader)

func serve(t testing.TB, l net.Listener, scheme string, scripts ...script) *fakeOrigin {
	t.Helper()
	s := &fakeOrigin{url: scheme + "://" + l.Addr().String(), listener: l}
	if scheme == "unix" {
		s.url = "unix:" + l.Addr().String()
	}
	s.wait.Go(func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(t.Context(), func() { c.Close() }) // the room may keep it
			s.wait.Go(func() {
				defer stop()
				defer c.Close()
				scripts[min(n, len(scripts)-1)](c, bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.wait.Wait()
	})
	return s
}

func loopback(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// socket listens on a Unix socket.
func socket(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// ask reads one request with its content and fails the script, not the test, if the connection ends.
func ask(r *bufio.Reader) (*http.Request, []byte, bool) {
	q, err := http.ReadRequest(r)
	if err != nil {
		return nil, nil, false
	}
	body, err := io.ReadAll(q.Body)
	return q, body, err == nil
}

// answers answers each request with the next text, then closes.
func answers(texts ...string) script {
	return func(c net.Conn, r *bufio.Reader) {
		for _, text := range texts {
			if _, _, ok := ask(r); !ok {
				return
			}
			io.WriteString(c, text)
		}
	}
}

// always answers every request with text.
func always(text string) script {
	return func(c net.Conn, r *bufio.Reader) {
		for {
			if _, _, ok := ask(r); !ok {
				return
			}
			io.WriteString(c, text)
		}
	}
}

// reset closes c so that the peer gets a reset.
func reset(c net.Conn) {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn()
	}
	if t, ok := c.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	c.Close()
}

func zoneOf(url string) *spec.Zone {
	z := spec.DefaultZone()
	z.Name = "example"
	z.Origin.Servers = spec.OneServer(url)
	return &z
}

func compile(t testing.TB, r *Room, z *spec.Zone) *Policy {
	t.Helper()
	p, err := r.Compile(z)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newRoom(t testing.TB) *Room {
	t.Helper()
	n := spec.DefaultNode()
	n.Name = "edge 1"
	n.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	r := New(&n)
	t.Cleanup(r.Close)
	return r
}

// lease counts what happens to a share of the budget.
type lease struct {
	mu       sync.Mutex
	attempts int
	refuse   bool
	upgraded *lease
	released int
	waiting  chan struct{} // closed by Release, if somebody waits for it
}

func (l *lease) Attempt() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempts++
	return !l.refuse
}

func (l *lease) Upgraded() flow.Lease {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.upgraded == nil {
		return nil
	}
	l.released++
	return l.upgraded
}

func (l *lease) Release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.released++
	if l.waiting != nil {
		close(l.waiting)
		l.waiting = nil
	}
}

// wait returns once the lease has been released.
func (l *lease) wait() {
	l.mu.Lock()
	if l.released > 0 {
		l.mu.Unlock()
		return
	}
	l.waiting = make(chan struct{})
	released := l.waiting
	l.mu.Unlock()
	<-released
}

func (l *lease) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.released
}

// client is the flow's exchange: a body to read, and a record of what was written.
type client struct {
	body     io.Reader
	trailers []flow.Field
	asked    bool

	info   []int
	fields [][]flow.Field
	stream flow.Stream
}

func (c *client) ReadBody(p []byte) (int, error) {
	c.asked = true
	return c.body.Read(p)
}
func (c *client) Arrived() bool          { return false }
func (c *client) Trailers() []flow.Field { return c.trailers }
func (c *client) WriteInfo(status int, fields []flow.Field) error {
	c.info = append(c.info, status)
	c.fields = append(c.fields, append([]flow.Field(nil), fields...))
	return nil
}
func (c *client) WriteHead(int, []flow.Field, int64) error { return nil }
func (c *client) WriteBody([]byte, bool) error             { return nil }
func (c *client) WriteLent(_ []byte, loan flow.Loan) error { loan.Return(); return nil }
func (c *client) Finish([]flow.Field) error                { return nil }
func (c *client) Hijack() (flow.Stream, error) {
	if c.stream == nil {
		return nil, errors.New("no stream")
	}
	return c.stream, nil
}

var visitor = netip.MustParseAddrPort("198.51.100.7:4242")

// ordinary is a GET by an ordinary visitor.
func ordinary() *flow.Flow {
	f := &flow.Flow{
		Exchange: &client{body: strings.NewReader("")},
		Abort:    new(flow.Abort),
		Conn:     &flow.Conn{Remote: visitor},
	}
	f.Request = flow.Request{
		Client: visitor.Addr(), Proto: "HTTP/1.1", Scheme: "https", Method: "GET",
		Host: "www.example.org", Authority: "www.example.org", Path: "/",
	}
	f.Admission.Lease = new(lease)
	return f
}

// posting makes f a POST of body, whose length is known or not.
func posting(f *flow.Flow, body string, known bool) *flow.Flow {
	f.Request.Method = "POST"
	f.Request.Length = -1
	if known {
		f.Request.Length = int64(len(body))
	}
	f.Exchange.(*client).body = strings.NewReader(body)
	return f
}

// drain reads the flow's message to its end and closes it.
func drain(f *flow.Flow) (string, error) {
	m := f.Origin.Message
	if m == nil || m.Stream == nil {
		return "", nil
	}
	defer m.Stream.Close()
	var b bytes.Buffer
	for {
		p, err := m.Stream.Next()
		b.Write(p)
		if err == io.EOF {
			return b.String(), nil
		}
		if err != nil {
			return b.String(), err
		}
	}
}

// hidden keeps a connection's type, and so its socket, from the room.
type hidden struct{ net.Conn }

// ways are the kinds of connection that the room has code for.
var ways = []struct {
	name string
	open func(t *testing.T, scripts ...script) (*Room, *spec.Zone)
}{
	{"socket", func(t *testing.T, scripts ...script) (*Room, *spec.Zone) {
		return newRoom(t), zoneOf(serve(t, loopback(t), "http", scripts...).url)
	}},
	{"unix", func(t *testing.T, scripts ...script) (*Room, *spec.Zone) {
		return newRoom(t), zoneOf(serve(t, socket(t), "unix", scripts...).url)
	}},
	{"conn", func(t *testing.T, scripts ...script) (*Room, *spec.Zone) {
		r := newRoom(t)
		r.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, address)
			return hidden{c}, err
		}
		return r, zoneOf(serve(t, loopback(t), "http", scripts...).url)
	}},
	{"tls", func(t *testing.T, scripts ...script) (*Room, *spec.Zone) {
		s, ca := secure(t, scripts...)
		z := zoneOf(s.url)
		z.Origin.TLS.CA = ca
		return newRoom(t), z
	}},
}

// secure serves with TLS, by a certificate for 127.0.0.1 and example.com, which is its own authority.
func secure(t *testing.T, scripts ...script) (s *fakeOrigin, ca spec.PEM) {
	t.Helper()
	h := httptest.NewUnstartedServer(nil)
	h.Config.ErrorLog = nil
	h.StartTLS()
	t.Cleanup(h.Close)
	ca = spec.PEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw}))
	config := h.TLS.Clone()
	config.NextProtos = nil
	return serve(t, tls.NewListener(loopback(t), config), "https", scripts...), ca
}

// eventually waits for what another goroutine or the kernel is about to do.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
	}
}

func (e *endpoint) idleCount() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.idle)
}
