package replay

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/record"
)

// places are where JSON logs have what a line needs, the first that is there counts; a dot leads into an object. They are those of nginx's
// usual log_format, Caddy, Traefik, Apache and Cloudflare's Logpush.
func places() map[string][]string {
	return map[string][]string{
		"time": {"time", "ts", "timestamp", "@timestamp", "time_iso8601", "time_local", "msec", "StartUTC", "EdgeStartTimestamp"},
		"client": {"client", "client_ip", "remote_addr", "remote_ip", "clientip", "request.client_ip", "request.remote_ip", "ClientHost",
			"ClientIP", "ip", "remote"},
		"request":  {"request", "request_line"},
		"method":   {"method", "request_method", "request.method", "RequestMethod", "ClientRequestMethod"},
		"target":   {"target", "request_uri", "uri", "request.uri", "RequestPath", "ClientRequestURI", "url", "path"},
		"protocol": {"protocol", "proto", "server_protocol", "request.proto", "RequestProtocol", "ClientRequestProtocol"},
		"scheme":   {"scheme", "RequestScheme", "ClientRequestScheme"},
		"host":     {"host", "http_host", "request.host", "RequestHost", "ClientRequestHost", "server_name", "vhost"},
		"status":   {"status", "status_code", "DownstreamStatus", "EdgeResponseStatus", "response"},
		"bytes":    {"bytes", "body_bytes_sent", "bytes_sent", "size", "DownstreamContentSize", "EdgeResponseBytes"},
		"referer":  {"referer", "http_referer", "referrer", "request.headers.Referer", "request_Referer", "ClientRequestReferer"},
		"agent": {"agent", "http_user_agent", "user_agent", "userAgent", "request.headers.User-Agent", "request_User-Agent",
			"ClientRequestUserAgent"},
	}
}

// jsonParser reads lines that are objects.
type jsonParser struct {
	places map[string][]string
}

// newJSONParser takes places of the caller's before the usual ones.
func newJSONParser(fields map[string]string) (*jsonParser, error) {
	p := &jsonParser{places: places()}
	for name, place := range fields {
		if p.places[name] == nil {
			return nil, mistake("there is no %s to map: want time, client, request, method, target, protocol, scheme, host, status, bytes, referer or agent", name)
		}
		p.places[name] = append([]string{place}, p.places[name]...)
	}
	return p, nil
}

func (p *jsonParser) parse(text string, l *Line) error {
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		return mistake("it is no JSON object: %w", err)
	}
	get := func(name string) string {
		for _, place := range p.places[name] {
			if s, ok := find(object, place); ok {
				return s
			}
		}
		return ""
	}
	var err error
	if l.Time, err = anyTime(get("time")); err != nil {
		return err
	}
	if request := get("request"); request != "" {
		if err := l.requestLine(request); err != nil {
			return err
		}
	} else {
		l.Method, l.Target, l.Proto = get("method"), get("target"), get("protocol")
	}
	l.Client, l.Scheme, l.Host = get("client"), get("scheme"), get("host")
	l.Referer, l.Agent = present(get("referer")), present(get("agent"))
	l.Status, _ = strconv.Atoi(get("status"))
	l.Bytes, _ = strconv.ParseInt(get("bytes"), 10, 64)
	return nil
}

// find is the text of what stands in a place; of a list, that of its first element.
func find(object map[string]any, place string) (string, bool) {
	v, ok := object[place]
	if !ok {
		first, rest, nested := strings.Cut(place, ".")
		inner, isObject := object[first].(map[string]any)
		if !nested || !isObject {
			return "", false
		}
		return find(inner, rest)
	}
	if list, isList := v.([]any); isList && len(list) > 0 {
		v = list[0]
	}
	switch v := v.(type) {
	case string:
		return v, true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}

// anyTime reads a time as logs write it: RFC 3339, that of Apache, or seconds, milliseconds, microseconds or nanoseconds since 1970.
func anyTime(text string) (time.Time, error) {
	for _, layout := range [...]string{time.RFC3339Nano, timeLayout, "2006-01-02T15:04:05.999Z0700", "2006-01-02 15:04:05.999Z07:00"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || n < 0 || n > 4e18 {
		return time.Time{}, mistake("%.40q is no time", text)
	}
	for n >= 1e11 { // in the year 5138, if it were seconds
		n /= 1000
	}
	seconds, part := math.Modf(n)
	return time.Unix(int64(seconds), int64(part*1e9)).UTC(), nil
}

// parseOurs reads a line of our own access log.
func parseOurs(text string, l *Line) error {
	e, err := record.Parse([]byte(text))
	if err != nil {
		return err
	}
	*l = Line{
		Time: e.Time, Client: e.Client, Visitor: e.Visitor, Zone: e.Zone, Host: e.Host, Method: e.Method, Target: e.Target, Proto: e.Proto,
		Referer: e.Referer, Agent: e.Agent, Status: e.Status, Bytes: e.Bytes, Scheme: "http",
	}
	if e.TLS != "" {
		l.Scheme = "https"
	}
	switch {
	case e.OriginAttempts > 0:
		l.Origin = reached
	case e.Refusal == "":
		l.Origin = spared
	}
	return nil
}
