package cache

import (
	"iter"
	"strings"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// dimensions are what the owner adds to the key. Their values become one text, in which each has its length before it.
type dimensions struct {
	headers, cookies []string
	device, country  bool
}

func compileDimensions(k *spec.CacheKey) dimensions {
	d := dimensions{cookies: k.Cookies, device: k.Device, country: k.Country}
	for _, h := range k.Headers {
		d.headers = append(d.headers, strings.ToLower(h))
	}
	return d
}

// text is a request's values, "" if the key has no dimensions.
func (d *dimensions) text(q *flow.Request) string {
	if d.headers == nil && d.cookies == nil && !d.device && !d.country && q.HostHeader == "" && q.Pool == "" {
		return ""
	}
	var buffer [256]byte
	b := buffer[:0]
	for _, h := range d.headers {
		for i := range q.Fields {
			if flow.Named(q.Fields[i].Name, h) {
				b = appendText(append(b, 1), q.Fields[i].Value)
			}
		}
		b = append(b, 0)
	}
	for _, name := range d.cookies {
		for n, value := range cookies(q.Fields) {
			if n == name {
				b = appendText(append(b, 1), value)
			}
		}
		b = append(b, 0)
	}
	if d.device {
		b = append(b, deviceOf(q.Get("user-agent"))...)
	}
	if d.country {
		b = append(b, countryOf(q)...)
	}
	if q.HostHeader != "" { // another site may be behind it
		b = append(append(b, 2), q.HostHeader...)
	}
	if q.Pool != "" { // as every pool is
		b = append(append(b, 3), q.Pool...)
	}
	return string(b)
}

// cookie is a Cookie with those that are in the key, "" if a request has none of them.
func (d *dimensions) cookie(q *flow.Request) string {
	var b strings.Builder
	for _, name := range d.cookies {
		for n, value := range cookies(q.Fields) {
			if n != name {
				continue
			}
			if b.Len() > 0 {
				b.WriteString("; ")
			}
			b.WriteString(n + "=" + value)
		}
	}
	return b.String()
}

// countryOf is the client's country, "XX" where the node knows of none.
func countryOf(q *flow.Request) string {
	if c := q.Location().Country; c != "" {
		return c
	}
	return "XX"
}

// cookies yields the names and values of a request's cookies, as they are written.
func cookies(fields []flow.Field) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for i := range fields {
			if !flow.Named(fields[i].Name, "cookie") {
				continue
			}
			for rest := fields[i].Value; rest != ""; {
				var pair string
				pair, rest, _ = strings.Cut(rest, ";")
				name, value, _ := strings.Cut(pair, "=")
				if name = strings.TrimSpace(name); name != "" && !yield(name, strings.TrimSpace(value)) {
					return
				}
			}
		}
	}
}

// The kinds of devices.
const (
	mobile  = "mobile"
	tablet  = "tablet"
	desktop = "desktop"
)

// deviceOf tells the kind of device by User-Agent, as browsers name it: what says neither is a desktop.
func deviceOf(agent string) string {
	switch {
	case strings.Contains(agent, "iPad"), strings.Contains(agent, "Tablet"), strings.Contains(agent, "Kindle"), strings.Contains(agent, "Silk/"),
		strings.Contains(agent, "Android") && !strings.Contains(agent, "Mobile"):
		return tablet
	case strings.Contains(agent, "Mobi"), strings.Contains(agent, "iPhone"), strings.Contains(agent, "Opera Mini"):
		return mobile
	}
	return desktop
}
