package replay

import (
	"net/http"
	"time"
)

// Line is what a log has of one request.
type Line struct {
	Time    time.Time
	Client  string // an address, a network or a name
	Visitor string // tells the clients of one network apart
	Zone    string // "" if the log does not say it

	Scheme, Host          string // "" if the log does not say it
	Method, Target, Proto string
	Referer, Agent        string

	Status int
	Bytes  int64
	Origin origin
}

// origin is whether a request reached the origin.
type origin uint8

const (
	unknown origin = iota
	reached
	spared
)

// requestLine takes "GET /path HTTP/1.1" apart.
func (l *Line) requestLine(text string) error {
	var ok bool
	if l.Method, l.Target, l.Proto, ok = threeParts(text); !ok {
		return mistake("the request %.64q is no HTTP", text)
	}
	return nil
}

// check tells whether a line has what every request has.
func (l *Line) check() error {
	switch {
	case l.Time.IsZero():
		return mistake("it has no time")
	case l.Client == "":
		return mistake("it has no client")
	case l.Method == "" || l.Target == "":
		return mistake("it has no request")
	case l.Method == http.MethodConnect:
		return mistake("CONNECT is for proxies: no zone serves it")
	}
	return nil
}
