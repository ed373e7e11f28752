package httpcache

import (
	"net/url"
	"slices"
	"strings"
)

// Invalidates reports whether what is stored under a request's target URI is no longer to be trusted after a response
// with this status (RFC 9111 §4.4): the method is not known to be safe and the status is no error. Anybody who can send
// such a request can empty that part of the cache, so a caller bounds how often it obeys.
func Invalidates(method string, status int) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE":
		return false
	}
	return status >= 200 && status <= 399
}

// Invalidated appends the URIs whose stored responses an exchange has made invalid (RFC 9111 §4.4): the target, an
// absolute URI, and those in Location and Content-Location that have the target's origin. The latter are normalised:
// scheme and host in lower case, without default port and fragment.
func Invalidated(dst []string, method, target string, resp *Response) []string {
	if !Invalidates(method, resp.Status) {
		return dst
	}
	dst = append(dst, target)
	base, err := url.Parse(target)
	if err != nil || !base.IsAbs() {
		return dst
	}
	for _, name := range []string{"Location", "Content-Location"} {
		value, n := singleton(resp.Fields, name)
		if n != 1 {
			continue
		}
		ref, err := base.Parse(value)
		if err != nil || origin(ref) != origin(base) {
			continue
		}
		ref.Host, ref.User, ref.Fragment, ref.RawFragment = origin(ref).host, nil, "", ""
		if uri := ref.String(); !slices.Contains(dst, uri) {
			dst = append(dst, uri)
		}
	}
	return dst
}

// webOrigin is scheme, host and port, default ports left out.
type webOrigin struct{ scheme, host string }

func origin(u *url.URL) webOrigin {
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch {
	case scheme == "http":
		host = strings.TrimSuffix(host, ":80")
	case scheme == "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return webOrigin{scheme, host}
}
