package drill

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seawall/seawall/internal/drill/site"
	"github.com/seawall/seawall/internal/drill/wire"
)

const (
	maxTurns  = 8               // requests for one thing: redirects followed and challenges solved
	maxSolved = 2               // challenges of these
	maxDelay  = 5 * time.Second // that a challenge is waited for
	atOnce    = 16              // requests for the files of a page
)

// userAgent is somebody's software at work: connections, cookies, what it has kept.
type userAgent struct {
	target   wire.Target
	truth    presence
	source   netip.Addr
	software *wire.Software
	conns    *conns
	cookies  bool // keeps cookies
	caches   bool // keeps validators and, with a window, what is fresh
	window   bool // shows pages in one: comes again where a page says so
	pace     int  // bytes a second that it reads; 0: as they come

	challenged atomic.Bool // has met one since this was last reset

	mu   sync.Mutex
	jar  []wire.Field       // cookies
	kept map[string]keeping // by path; bounded by the site's resources
}

func newUserAgent(target wire.Target, truth presence, source netip.Addr, software *wire.Software, c *conns) *userAgent {
	return &userAgent{target: target, truth: truth, source: source, software: software, conns: c, kept: map[string]keeping{}}
}

// keeping is what is known of a file that was fetched before.
type keeping struct {
	etag  string
	until time.Time // fresh that long
}

// errBrokeOff is a client that has read enough.
var errBrokeOff = errors.New("broke off")

// fetch gets what q is for, through redirects and challenges. Errors are *rebuff and *severed.
func (a *userAgent) fetch(ctx context.Context, q ask) error {
	if a.fresh(&q) {
		return nil
	}
	var last *rebuff
	for turn, solved := 0, 0; turn < maxTurns; turn++ {
		r, body, err := a.exchange(ctx, &q)
		if err != nil {
			return err
		}
		content, err := wire.Decode(r, body)
		if last = a.check(&q, r, content, err); last == nil {
			return nil
		}
		again, delay := a.goOn(&q, r, content, last)
		if last.challenge {
			solved++
		}
		if !again || solved > maxSolved || !pause(ctx, delay) {
			return last
		}
	}
	return last
}

// load opens a page at an address, and then gets the files that it consists of.
func (a *userAgent) load(ctx context.Context, page ask, files []*site.Resource, at string) error {
	page.page = true
	if err := a.fetch(ctx, page); err != nil {
		return err
	}
	return a.show(ctx, files, at)
}

// show gets the files of a page that is there. All are tried: a browser does not stop at the first that fails.
func (a *userAgent) show(ctx context.Context, files []*site.Resource, at string) error {
	var g errgroup.Group
	g.SetLimit(atOnce)
	for _, file := range files {
		q := ask{method: http.MethodGet, path: file.Path, want: file.Body, dest: destOf(file.Path)}
		q.fields = []wire.Field{{Name: "Referer", Value: at}}
		g.Go(func() error { return a.fetch(ctx, q) })
	}
	return g.Wait()
}

// destOf is what a page needs a file for (Fetch §2.2.5).
func destOf(path string) string {
	switch {
	case strings.HasSuffix(path, ".css"):
		return "style"
	case strings.HasSuffix(path, ".js"):
		return "script"
	}
	return "image"
}

// exchange sends q and reads the answer, the body as it was sent. A connection that turns out to have been closed since it
// was used last is replaced, as user agents do (RFC 9112 §9.3.1).
func (a *userAgent) exchange(ctx context.Context, q *ask) (*wire.Response, []byte, error) {
	request := a.request(q)
	leave := a.truth.enter(a.source, q.method, q.path, site.Visitor)
	defer leave()
	for tries := 0; ; tries++ {
		t, used, err := a.conns.take(ctx)
		if err != nil {
			return nil, nil, &severed{before: true, err: err}
		}
		body := new(bytes.Buffer)
		var to io.Writer = body
		if q.upTo > 0 {
			to = &breaker{to: body, left: q.upTo}
		}
		r := new(wire.Response)
		err = t.Do(ctx, request, r, to)
		broke := errors.Is(err, errBrokeOff)
		if broke {
			t.Abandon() // else what is on its way over HTTP/2 would hold up what is asked for next
		}
		a.conns.give(t, err != nil)
		if err == nil || broke {
			return r, body.Bytes(), nil
		}
		stale := used && r.Status == 0 && wire.Why(err) == "closed" && ctx.Err() == nil
		if !stale || tries == maxTurns {
			return nil, nil, &severed{before: r.Status == 0, err: err}
		}
	}
}

// breaker passes a number of bytes on, and then breaks off.
type breaker struct {
	to   io.Writer
	left int
}

func (b *breaker) Write(p []byte) (int, error) {
	if len(p) < b.left {
		b.left -= len(p)
		return b.to.Write(p)
	}
	n, _ := b.to.Write(p[:b.left]) // into memory: never fails
	b.left = 0
	return n, errBrokeOff
}

// request writes q down, with cookies and validators.
func (a *userAgent) request(q *ask) *wire.Request {
	out := &wire.Request{
		Method: q.method, Path: q.path, Dest: q.dest, Body: q.body, Pace: a.pace, Fields: slices.Clip(q.fields),
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.jar) > 0 {
		var b strings.Builder
		for i, c := range a.jar {
			if i > 0 {
				b.WriteString("; ")
			}
			b.WriteString(c.Name + "=" + c.Value)
		}
		out.Fields = append(out.Fields, wire.Field{Name: "Cookie", Value: b.String()})
	}
	if k := a.kept[q.path]; k.etag != "" && q.method == "GET" && q.from == 0 && q.upTo == 0 {
		out.Fields = append(out.Fields, wire.Field{Name: "If-None-Match", Value: k.etag})
	}
	return out
}

// check judges an answer, and remembers its cookies and validator. It returns nil if the answer is right. undecoded is why the
// body could not be decoded.
func (a *userAgent) check(q *ask, r *wire.Response, body []byte, undecoded error) *rebuff {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keepCookies(r)
	if r.Status == 304 && a.kept[q.path].etag != "" {
		a.keep(q, r)
		return nil
	}
	if q.upTo > 0 && r.Status == 200 && bytes.HasPrefix(q.want, body) {
		return nil // as far as it can be seen, which is not at all of half a file in a coding
	}
	err := undecoded
	if err == nil {
		err = q.right(r, body)
	}
	if err == nil {
		a.keep(q, r)
		return nil
	}
	return &rebuff{
		status: r.Status, own: r.Status >= 400 && bytes.Contains(body, []byte(site.Title)),
		retryAfter: r.RetryAfter, what: q.method + " " + q.path + ": " + err.Error(),
	}
}

// goOn says whether the client asks again after an answer that was not the right one, for what, and after which delay.
func (a *userAgent) goOn(q *ask, r *wire.Response, body []byte, b *rebuff) (again bool, delay time.Duration) {
	if r.Status >= 301 && r.Status <= 308 && r.Status != 304 {
		return a.redirect(q, r, b), 0
	}
	ch, ok := readChallenge(r, body)
	if !ok {
		return false, 0
	}
	b.challenge = true
	a.challenged.Store(true)
	if !q.page || !a.cookies || !a.window || ch.computed || (ch.scripted && !a.software.Scripts) {
		return false, 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range ch.cookies {
		a.setCookie(c.Name, c.Value)
	}
	return true, min(ch.delay, maxDelay)
}

// redirect makes q what a redirect asks for (RFC 9110 §15.4). One that sets a cookie and leads back to itself is a
// challenge to those who keep cookies.
func (a *userAgent) redirect(q *ask, r *wire.Response, b *rebuff) bool {
	from, err := url.Parse(a.target.Origin() + q.path)
	if err != nil {
		return false
	}
	to, err := from.Parse(r.Field("Location"))
	if err != nil || to.Scheme != from.Scheme || !strings.EqualFold(to.Host, from.Host) {
		return false // elsewhere, where the drill does not go
	}
	if to.RequestURI() == q.path && q.method == "GET" {
		if r.Field("Set-Cookie") == "" {
			return false
		}
		b.challenge = true
		a.challenged.Store(true)
		if !a.cookies {
			return false
		}
	}
	q.path = to.RequestURI()
	if r.Status == 303 || (r.Status < 303 && q.method == "POST") {
		q.method, q.body = "GET", nil
		q.fields = slices.DeleteFunc(slices.Clone(q.fields), func(f wire.Field) bool { return f.Name == "Content-Type" })
	}
	return true
}
