package replay

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/seawall/seawall/h1"
	"github.com/seawall/seawall/hfp"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/prefixes"
	"github.com/seawall/seawall/rules"
)

// Trial is one request that an expression is tried on.
type Trial struct {
	Request string // its head as text, or a line of our access log
	Asked   Asked
	Client  netip.Addr // unless zero, who asks
}

// Try explains an expression, which may name the lists of a zone, for a request. It fails with a [*rules.Error] if the expression is wrong.
func Try(r *Rules, expression string, t *Trial) (*rules.Explanation, error) {
	trial, err := r.room.Try(expression, &r.zone)
	if err != nil {
		return nil, err
	}
	f, err := t.flow(r)
	if err != nil {
		return nil, fmt.Errorf("the request: %w", err)
	}
	e := trial.Explain(f)
	return &e, nil
}

// flow makes a flow of the text.
func (t *Trial) flow(r *Rules) (*flow.Flow, error) {
	f := &flow.Flow{Conn: new(flow.Conn)}
	asked := t.Asked
	if asked.Scheme == "" {
		asked.Scheme = "https"
	}
	if asked.Host == "" {
		asked.Host = r.host()
	}
	var err error
	if strings.HasPrefix(strings.TrimSpace(t.Request), "{") {
		err = logged(f, strings.TrimSpace(t.Request), &asked)
	} else {
		err = read(f, t.Request, &asked)
	}
	if err != nil {
		return nil, err
	}
	q := &f.Request
	if t.Client.IsValid() {
		q.Client = t.Client.Unmap()
		q.Source = prefixes.Source(q.Client)
	}
	if t.Asked.Scheme != "" {
		q.Scheme = t.Asked.Scheme
	}
	q.Locator = r.room
	return f, nil
}

// logged makes a flow of a log's line, with its response.
func logged(f *flow.Flow, text string, asked *Asked) error {
	l, err := Parse(text)
	if err != nil {
		return err
	}
	if err := asked.fill(&f.Request, &l); err != nil {
		return err
	}
	f.Origin.Message = l.respond()
	return nil
}

// read makes a flow of a request's head as it goes over HTTP/1.1, whose lines may end as those of texts do, and whose last need not be empty.
func read(f *flow.Flow, text string, asked *Asked) error {
	head, _, _ := strings.Cut(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n")
	head = strings.Trim(head, "\n")
	if !strings.Contains(strings.ToLower(head), "\nhost:") {
		line, fields, _ := strings.Cut(head, "\n")
		head = strings.TrimRight(line+"\nHost: "+asked.Host+"\n"+fields, "\n")
	}
	var parsed h1.Request
	if err := parsed.Parse(strings.ReplaceAll(head, "\n", "\r\n")+"\r\n\r\n", h1.Limits{}); err != nil {
		return err
	}
	l := Line{Time: time.Now(), Client: "127.0.0.1", Method: parsed.Method, Target: parsed.Target, Proto: "HTTP/1.1", Host: parsed.Host}
	protocol := hfp.HTTP11
	if parsed.Minor == 0 {
		l.Proto, protocol = "HTTP/1.0", hfp.HTTP10
	}
	if err := asked.fill(&f.Request, &l); err != nil {
		return err
	}
	f.Request.Fields = parsed.Fields
	f.Request.Fingerprint = hfp.Of(protocol, parsed.Fields)
	return nil
}
