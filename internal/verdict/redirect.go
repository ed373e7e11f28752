package verdict

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// redirect sends visitors from HTTP to HTTPS; nil for a zone that doesn't.
type redirect struct {
	port string // ":8443", or nothing for the usual one
}

// newRedirect checks that there is something to redirect to.
func (r *Room) newRedirect(s *spec.HTTPS) (*redirect, error) {
	switch {
	case !s.Redirect:
		return nil, nil
	case r.HTTPSPort == 0:
		return nil, fmt.Errorf("https.redirect: this node does not listen for HTTPS; give it an address in node.https")
	case r.HTTPSPort == 443:
		return &redirect{}, nil
	}
	return &redirect{port: ":" + strconv.Itoa(r.HTTPSPort)}, nil
}

// needed tells whether a request is to come again over HTTPS. An ACME authority's is not: it may be about the origin's own certificates.
func (r *redirect) needed(q *flow.Request) bool {
	return r != nil && q.Scheme == "http" && q.Host != "" && !strings.HasPrefix(q.Path, flow.ChallengePath)
}

// message keeps the method and the body (308, RFC 9110 §15.4.9).
func (r *redirect) message(q *flow.Request) *flow.Message {
	path := q.Path
	if path == "*" {
		path = "/"
	}
	location := "https://" + q.Host + r.port + path
	if q.HasQuery {
		location += "?" + q.Query
	}
	return &flow.Message{
		Status: http.StatusPermanentRedirect,
		Fields: []flow.Field{{Name: "Location", Value: location}},
	}
}
