package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	parrot "github.com/refraction-networking/utls"
)

// site answers what the tests below ask.
func site(t testing.TB, secure bool) *Dialer {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil {
			w.Header().Set("X-Resumed", fmt.Sprint(r.TLS.DidResume))
		}
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		fmt.Fprint(w, r.Proto, " ", r.Host, " ", host)
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) {
		for range 3 << 10 {
			w.Write(bytes.Repeat([]byte("x"), 1<<10))
		}
	})
	mux.HandleFunc("/trailer", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "Sum")
		fmt.Fprint(w, "hello")
		w.Header().Set("Sum", "5")
	})
	mux.HandleFunc("/early", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	})
	mux.HandleFunc("/hints", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	mux.HandleFunc("/never", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/gone", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	server := httptest.NewUnstartedServer(mux)
	server.EnableHTTP2 = true
	start := server.Start
	if secure {
		start = server.StartTLS
	}
	start()
	t.Cleanup(server.Close)
	return dialerTo(t, server.URL)
}

func dial(t testing.TB, d *Dialer, s *Software) *Conn {
	t.Helper()
	c, err := d.Dial(t.Context(), client1, s)
	if err != nil {
		t.Fatal(s.Name, err)
	}
	t.Cleanup(c.Close)
	return c
}

// everyone is all software there is, and some that is drawn.
func everyone(t testing.TB) []*Software {
	var all []*Software
	for _, name := range Names() {
		for seed := range uint64(2) {
			s, err := Named(name, newRand(seed))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, s)
		}
	}
	for n := range 30 {
		all = append(all, Tool(n, newRand(1)))
	}
	return all
}

// net/http understands everyone, who is connected from where it says, and comes back as browsers do.
func TestEveryoneIsServed(t *testing.T) {
	for _, secure := range []bool{false, true} {
		d := site(t, secure)
		for _, s := range everyone(t) {
			want := "HTTP/1.1 harbour.test 127.16.0.1"
			if secure && s.HTTP2 != nil {
				want = "HTTP/2.0 harbour.test 127.16.0.1"
			}
			for visit := range 2 {
				c := dial(t, d, s)
				var r Response
				for range 2 {
					var body bytes.Buffer
					if err := c.Do(t.Context(), &Request{Path: "/"}, &r, &body); err != nil || body.String() != want {
						t.Errorf("%s: got %d %q, %v, want %q", s.Name, r.Status, body.String(), err, want)
					}
					if !c.Reusable() {
						break // it has asked for that
					}
				}
				kind := s.Hello.kind
				comesBack := secure && visit == 1 && kind != nativeHello && sketches[kind].tickets
				if resumed := r.Field("X-Resumed") == "true"; resumed != comesBack {
					t.Errorf("%s: visit %d resumed %v, want %v", s.Name, visit, resumed, comesBack)
				}
				c.Close()
			}
		}
	}
}

// protocols plays a test over HTTP/1.1, HTTP/1.1 over TLS and HTTP/2.
func protocols(t *testing.T, play func(t *testing.T, d *Dialer, s *Software)) {
	browser := Browser(newRand(1))
	for _, tt := range []struct {
		name   string
		secure bool
		s      *Software
	}{{"plain", false, browser}, {"tls", true, browser.WithoutHTTP2()}, {"h2", true, browser}} {
		t.Run(tt.name, func(t *testing.T) { play(t, site(t, tt.secure), tt.s) })
	}
}

func TestDo(t *testing.T) {
	form := bytes.Repeat([]byte("a=b&"), 50<<10)
	tests := []struct {
		q      Request
		status int
		body   string
	}{
		{Request{Path: "/large"}, 200, strings.Repeat("x", 3<<20)},
		{Request{Method: "HEAD", Path: "/large"}, 200, ""},
		{Request{Method: "POST", Path: "/echo", Body: form}, 200, string(form)},
		{Request{Method: "POST", Path: "/echo"}, 200, ""},
		{Request{Path: "/trailer"}, 200, "hello"},
		{Request{Path: "/hints"}, 429, ""},
	}
	protocols(t, func(t *testing.T, d *Dialer, s *Software) {
		c := dial(t, d, s)
		for _, tt := range tests {
			var r Response
			var body bytes.Buffer
			err := c.Do(t.Context(), &tt.q, &r, &body)
			if err != nil || r.Status != tt.status || body.String() != tt.body || r.Bytes != int64(len(tt.body)) || !c.Reusable() {
				t.Errorf("%s %s: got %d with %d bytes, %v, reusable %v, want %d with %d",
					tt.q.Method, tt.q.Path, r.Status, body.Len(), err, c.Reusable(), tt.status, len(tt.body))
			}
			if wait := map[int]time.Duration{429: 3 * time.Second}[tt.status]; r.RetryAfter != wait {
				t.Errorf("%s: retry after %v, want %v", tt.q.Path, r.RetryAfter, wait)
			}
		}
	})
}

func TestDoFails(t *testing.T) {
	protocols(t, func(t *testing.T, d *Dialer, s *Software) {
		for path, want := range map[string]string{"/never": "timeout", "/gone": "closed"} {
			c := dial(t, d, s)
			patience := 200 * time.Millisecond
			if want != "timeout" {
				patience = time.Minute
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			var r Response
			if err := c.Do(ctx, &Request{Path: path}, &r, nil); err == nil || Why(err) != want || r.Status != 0 {
				t.Errorf("%s: got %d, %v, want %s", path, r.Status, err, want)
			}
			cancel()
			c.Abandon()
		}
	})
}

// An answer counts though the request could not be sent to its end.
func TestRefusedUpload(t *testing.T) {
	protocols(t, func(t *testing.T, d *Dialer, s *Software) {
		c := dial(t, d, s)
		var r Response
		if err := c.Do(t.Context(), &Request{Method: "POST", Path: "/early", Body: make([]byte, 200<<10)}, &r, nil); err != nil || r.Status != 413 {
			t.Errorf("got %d, %v, want 413", r.Status, err)
		}
	})
}

func TestTogether(t *testing.T) {
	d := site(t, true)
	c := dial(t, d, Browser(newRand(1)))
	if !c.HTTP2() {
		t.Fatal("no HTTP/2")
	}
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			want := strings.Repeat(fmt.Sprint(i, " "), 1+i*20)
			var r Response
			var body bytes.Buffer
			if err := c.Do(t.Context(), &Request{Method: "POST", Path: "/echo", Body: []byte(want)}, &r, &body); err != nil || body.String() != want {
				t.Errorf("request %d: got %d, %d bytes, %v", i, r.Status, body.Len(), err)
			}
		})
	}
	wg.Wait()
}

func TestShoot(t *testing.T) {
	d := site(t, false)
	c := dial(t, d, Tool(1, newRand(1)))
	for _, tt := range []struct {
		q      Request
		status int
		bytes  int64
	}{{Request{Path: "/large"}, 200, 3 << 20}, {Request{Method: "HEAD", Path: "/"}, 200, 0}, {Request{Path: "/hints"}, 429, 0}} {
		var r Response
		err := c.Shoot(time.Now().Add(10*time.Second), c.Render(&tt.q), &r)
		if err != nil || r.Status != tt.status || r.Bytes != tt.bytes || !c.Reusable() {
			t.Errorf("%s %s: got %d, %d bytes, %v, want %d, %d", tt.q.Method, tt.q.Path, r.Status, r.Bytes, err, tt.status, tt.bytes)
		}
	}
	if got, want := c.software.Render(d.Target, &Request{Path: "/a"}), c.Render(&Request{Path: "/a"}); !bytes.Equal(got, want) {
		t.Errorf("rendered without a connection: %q, want %q", got, want)
	}
	if c.Raw() != c.stream {
		t.Error("raw is something else")
	}
	h2 := dial(t, site(t, true), Browser(newRand(1)))
	if err := h2.Shoot(time.Now(), nil, &Response{}); !errors.Is(err, errNotHTTP1) {
		t.Errorf("over HTTP/2: %v, want %v", err, errNotHTTP1)
	}
	if err := c.Reset(&Request{Path: "/"}); !errors.Is(err, errNotHTTP2) {
		t.Errorf("reset over HTTP/1.1: %v, want %v", err, errNotHTTP2)
	}
}

// Thousands of streams that are reset at once leave the connection in order, or the server ends it.
func TestResets(t *testing.T) {
	c := dial(t, site(t, true), Browser(newRand(1)))
	for range 2000 {
		if err := c.Reset(&Request{Path: "/never"}); err != nil {
			if c.Reusable() {
				t.Errorf("error %v, and reusable", err)
			}
			return
		}
	}
	if err := c.Do(t.Context(), &Request{Path: "/"}, &Response{}, nil); err != nil && c.Reusable() {
		t.Errorf("error %v, and reusable", err)
	}
}

func TestWhy(t *testing.T) {
	l := listen(t)
	free := l.Addr().String()
	plain := site(t, false)
	l.Close()
	refusing := Target{Addr: netip.MustParseAddrPort(free), Host: "harbour.test"}
	notTLS := plain.Target
	notTLS.TLS = true
	tests := []struct {
		name   string
		target Target
		want   string
	}{{"nobody listens", refusing, "refused"}, {"no TLS there", notTLS, "tls"}}
	for _, tt := range tests {
		d := Dialer{Target: tt.target, Fault: func(err error) { t.Errorf("%s: a fault: %v", tt.name, err) }}
		if _, err := d.Dial(t.Context(), client1, Browser(newRand(1))); err == nil || Why(err) != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&resetError{codeRefusedStream}, "refused"}, {&resetError{codeCalm}, "refused"}, {&resetError{codeProtocol}, "closed"},
		{fmt.Errorf("%w: %w", errTLS, syscall.ECONNRESET), "closed"}, {fmt.Errorf("%w: %w", errTLS, context.DeadlineExceeded), "timeout"},
		{fmt.Errorf("x: %w", ErrMalformed), "malformed"}, {io.ErrUnexpectedEOF, "closed"}, {errGoingAway, "closed"},
	} {
		if got := Why(tt.err); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.err, got, tt.want)
		}
	}
}

// Who lacks an address is no fault of the target.
func TestFault(t *testing.T) {
	var fault error
	d := site(t, false)
	d.Fault = func(err error) { fault = err }
	if _, err := d.DialTCP(t.Context(), netip.MustParseAddr("192.0.2.1")); err == nil || !errors.Is(fault, syscall.EADDRNOTAVAIL) {
		t.Errorf("fault %v of error %v, want %v", fault, err, syscall.EADDRNOTAVAIL)
	}
}

func TestTicketsAreBounded(t *testing.T) {
	var all tickets
	s := Browser(newRand(1))
	session := parrot.MakeClientSessionState(nil, parrot.VersionTLS13, 0, nil, nil, nil)
	for i := range maxTickets + 100 {
		all.of(netip.AddrFrom4([4]byte{127, 16, byte(i >> 8), byte(i)}), s).Put("", session)
	}
	if len(all.kept) != maxTickets {
		t.Errorf("%d tickets, want %d", len(all.kept), maxTickets)
	}
	last := all.of(netip.AddrFrom4([4]byte{127, 16, byte((maxTickets + 99) >> 8), byte((maxTickets + 99) & 255)}), s)
	if got, ok := last.Get(""); !ok || got != session {
		t.Error("the newest is not there")
	}
	if _, ok := last.Get(""); ok {
		t.Error("a session is there twice")
	}
}
