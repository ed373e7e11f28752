package drill

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

const (
	agentConns = 4  // connections of one visitor
	maxCookies = 16 // that one visitor keeps
)

// query is one request of a visitor and what answer is right.
type query struct {
	method, path string
	fields       string // header lines of this request alone
	body         string // a form
	status       int    // that is right; 304 is, too, if the client sent a validator
	want         []byte // the whole body, or nil
	contains     string // part of the body
	pace         int    // bytes a second that the client reads; 0: as they come
}

// agent is one visitor's software: address, header lines, connections, cookies, validators.
type agent struct {
	dial    dialer
	source  netip.Addr
	host    string
	profile profile
	cookies bool // keeps cookies
	caches  bool // keeps validators, and files as long as they are fresh

	mu     sync.Mutex
	idle   []*conn
	jar    []struct{ Name, Value string }
	kept   map[string]string // ETag by path; bounded by the site's resources
	loaded map[string]bool   // files that need no request any more; bounded likewise
}

// fetch sends q and checks the answer; ctx bounds all of it. An idle connection that turns out to have been closed is
// replaced, as user agents do (RFC 9112 §9.3.1).
func (a *agent) fetch(ctx context.Context, q query) error {
	for {
		c, err := a.connect(ctx, q)
		if err != nil {
			return err
		}
		stale := c.used
		undo := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
		var body bytes.Buffer
		r := response{keep: true}
		reuse, err := c.exchange(a.render(q), &r, paced(&body, q.pace))
		reuse = undo() && reuse
		if err == nil {
			a.release(c, reuse)
			return a.check(q, &r, body.Bytes())
		}
		_ = c.Close()
		if !stale || r.status != 0 || why(err) != "closed" {
			return fmt.Errorf("%s %s: %w", q.method, q.path, err)
		}
	}
}

// connect takes an idle connection or dials one.
func (a *agent) connect(ctx context.Context, q query) (*conn, error) {
	a.mu.Lock()
	if n := len(a.idle); n > 0 && q.pace == 0 {
		c := a.idle[n-1]
		a.idle = a.idle[:n-1]
		a.mu.Unlock()
		return c, nil
	}
	a.mu.Unlock()
	nc, err := a.dial(ctx, a.source)
	if err != nil {
		return nil, err
	}
	if t, ok := nc.(*net.TCPConn); ok && q.pace > 0 {
		_ = t.SetReadBuffer(32 << 10) // so that the other end feels a slow reader
	}
	return &conn{Conn: nc, br: bufio.NewReaderSize(nc, 16<<10)}, nil
}

func (a *agent) release(c *conn, reuse bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !reuse || len(a.idle) >= agentConns {
		_ = c.Close()
		return
	}
	a.idle = append(a.idle, c)
}

// leave closes the agent's idle connections.
func (a *agent) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.idle {
		_ = c.Close()
	}
	a.idle = nil
}

// render builds the request (RFC 9112 §3).
func (a *agent) render(q query) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	b := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\n%s%s", q.method, q.path, a.host, a.profile, q.fields)
	if etag := a.kept[q.path]; etag != "" {
		b = fmt.Appendf(b, "If-None-Match: %s\r\n", etag)
	}
	for i, c := range a.jar {
		b = fmt.Appendf(b, "%s%s=%s", []string{"Cookie: ", "; "}[min(i, 1)], c.Name, c.Value)
	}
	if len(a.jar) > 0 {
		b = append(b, "\r\n"...)
	}
	if q.method == "POST" {
		b = appendForm(b, q.body)
		return b
	}
	return append(b, "\r\n"...)
}

// appendForm ends a head with what describes form, and adds form.
func appendForm(b []byte, form string) []byte {
	return fmt.Appendf(b, "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(form), form)
}

// check judges an answer, and remembers its cookies and validator.
func (a *agent) check(q query, r *response, body []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keepCookies(r)
	switch {
	case r.status == 304 && a.kept[q.path] != "":
		return nil
	case r.status != q.status:
		return wrong(q, r, fmt.Sprint(r.status), "status %d, want %d", r.status, q.status)
	}
	body, err := decode(r, body)
	switch {
	case err != nil:
		return wrong(q, r, "wrong", "%v", err)
	case q.want != nil && !bytes.Equal(body, q.want):
		return wrong(q, r, "wrong", "a body of %d bytes is not the right one of %d", len(body), len(q.want))
	case !bytes.Contains(body, []byte(q.contains)):
		return wrong(q, r, "wrong", "a body of %d bytes lacks %q", len(body), q.contains)
	}
	if a.caches && q.want != nil {
		a.kept[q.path] = r.field("ETag")
	}
	return nil
}

func wrong(q query, r *response, why, format string, args ...any) error {
	return &failure{why: why, retryAfter: r.retryAfter, what: q.method + " " + q.path + ": " + fmt.Sprintf(format, args...)}
}

// decode undoes a gzip content coding, which a proxy may add; other codings were not asked for.
func decode(r *response, body []byte) ([]byte, error) {
	switch coding := r.field("Content-Encoding"); coding {
	case "", "identity":
		return body, nil
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(io.LimitReader(z, maxBody))
	default:
		return nil, fmt.Errorf("content coding %q was not asked for", coding)
	}
}

func (a *agent) keepCookies(r *response) {
	if !a.cookies {
		return
	}
	for _, f := range r.fields {
		if strings.EqualFold(f.Name, "Set-Cookie") {
			pair, _, _ := strings.Cut(f.Value, ";")
			name, value, _ := strings.Cut(pair, "=")
			a.setCookie(name, value)
		}
	}
}

// setCookie replaces or adds a cookie; a full jar takes no more.
func (a *agent) setCookie(name, value string) {
	for i := range a.jar {
		if a.jar[i].Name == name {
			a.jar[i].Value = value
			return
		}
	}
	if len(a.jar) < maxCookies {
		a.jar = append(a.jar, struct{ Name, Value string }{name, value})
	}
}

// paced returns a writer to w that takes rate bytes a second, or w itself if rate is 0.
func paced(w io.Writer, rate int) io.Writer {
	if rate == 0 {
		return w
	}
	return &pacer{w: w, rate: rate, start: time.Now()}
}

type pacer struct {
	w     io.Writer
	rate  int
	taken int
	start time.Time
}

func (p *pacer) Write(b []byte) (int, error) {
	p.taken += len(b)
	due := p.start.Add(time.Duration(float64(p.taken) / float64(p.rate) * float64(time.Second)))
	time.Sleep(time.Until(due))
	return p.w.Write(b)
}
