package drill

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/drill/wire"
)

const (
	jarSize     = 16 // cookies that one visitor keeps
	maxFreshFor = 24 * time.Hour
)

// fresh reports whether the client has what q asks for and need not ask (RFC 9111 §4.2). Programs ask all the same, as those
// that poll do.
func (a *userAgent) fresh(q *ask) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.caches && a.window && q.want != nil && time.Now().Before(a.kept[q.path].until)
}

// keep remembers validator and freshness of a file. The caller holds the lock.
func (a *userAgent) keep(q *ask, r *wire.Response) {
	if !a.caches || q.want == nil || q.method != "GET" {
		return
	}
	k := a.kept[q.path]
	if tag := r.Field("ETag"); tag != "" {
		k.etag = tag
	}
	k.until = time.Now().Add(freshFor(r.Field("Cache-Control")))
	a.kept[q.path] = k
}

// freshFor is how long a browser may use a response without asking again (RFC 9111 §5.2.2), by max-age alone: the site
// sends nothing else.
func freshFor(cacheControl string) time.Duration {
	var d time.Duration
	for directive := range strings.SplitSeq(cacheControl, ",") {
		name, arg, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			n, err := strconv.ParseUint(strings.Trim(arg, `"`), 10, 31)
			if err != nil {
				return 0
			}
			d = min(time.Duration(n)*time.Second, maxFreshFor)
		}
	}
	return d
}

// keepCookies takes the cookies of a response (RFC 6265 §5.3), as far as they are for the whole site. The caller holds the lock.
func (a *userAgent) keepCookies(r *wire.Response) {
	if !a.cookies {
		return
	}
	for _, f := range r.Fields {
		if !strings.EqualFold(f.Name, "Set-Cookie") {
			continue
		}
		if c, err := http.ParseSetCookie(f.Value); err == nil {
			if c.MaxAge < 0 {
				c.Value = ""
			}
			a.setCookie(c.Name, c.Value)
		}
	}
}

// setCookie adds a cookie, replaces it, or removes it if its value is empty; a full jar takes no more.
func (a *userAgent) setCookie(name, value string) {
	for i := range a.jar {
		if a.jar[i].Name == name {
			a.jar[i].Value = value
			if value == "" {
				a.jar = append(a.jar[:i], a.jar[i+1:]...)
			}
			return
		}
	}
	if len(a.jar) < jarSize && value != "" {
		a.jar = append(a.jar, wire.Field{Name: name, Value: value})
	}
}

// hasCookie reports whether the jar has a cookie of that name.
func (a *userAgent) hasCookie(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.jar {
		if c.Name == name {
			return true
		}
	}
	return false
}

// consent sets the cookie that the script of the site's pages sets, where there is somebody who runs it.
func (a *userAgent) consent() {
	if a.window && a.software.Scripts {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.setCookie(consentName, consentValue)
	}
}
