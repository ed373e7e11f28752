package httpcache

import "net/url"

// reusable reports whether a response to POST says that it may answer GETs, but for [SelfLocated] (RFC 9110 §9.3.3).
func (d *responseDirectives) reusable(resp *Response) bool {
	return resp.Status == 200 && d.timed(resp.Fields) && has(resp.Fields, "Content-Location")
}

// SelfLocated reports whether a response's one Content-Location is the target URI of its request, an absolute one: its content is then
// what a GET would have been answered with (RFC 9110 §8.7).
func SelfLocated(target string, fields []Field) bool {
	value, n := singleton(fields, "Content-Location")
	base, err := url.Parse(target)
	if n != 1 || err != nil || !base.IsAbs() {
		return false
	}
	ref, err := base.Parse(value)
	if err != nil || ref.Fragment != "" || ref.User != nil || origin(ref) != origin(base) {
		return false
	}
	return ref.EscapedPath() == base.EscapedPath() && ref.RawQuery == base.RawQuery && ref.ForceQuery == base.ForceQuery
}
