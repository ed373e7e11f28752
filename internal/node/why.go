package node

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/cache"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/verdict/rules"
	"github.com/seawall/seawall/internal/zone"
)

// Why tells what a node's cache would do with a request, step by step.
type Why struct {
	Zone  string       `json:"zone"`
	Steps []cache.Step `json:"steps"`
}

// serveWhy tells it for a GET of the URL in the query, with the fields in it.
func (n *Node) serveWhy(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	u, err := parseURL(query.Get("url"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	host, path, ok := flow.NormalTarget(u.Host, u.EscapedPath())
	z := n.snapshot.Zones().Lookup(host)
	if !ok || z == nil {
		http.Error(w, noZoneFor(host, ""), http.StatusUnprocessableEntity)
		return
	}
	f := &flow.Flow{Conn: new(flow.Conn)}
	f.Request = flow.Request{
		Received: time.Now(), Proto: "HTTP/1.1", Scheme: u.Scheme, Method: http.MethodGet, Host: host, Authority: u.Host, Path: path, Target: u.RequestURI(),
		Query: u.RawQuery, HasQuery: u.RawQuery != "" || u.ForceQuery,
	}
	for _, line := range query["header"] {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			http.Error(w, fmt.Sprintf("header %q: want a name, a colon and a value", line), http.StatusUnprocessableEntity)
			return
		}
		f.Request.Fields = append(f.Request.Fields, flow.Field{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	answer(w, http.StatusOK, Why{z.Name(), append(explained(z, f), n.whyPrefetched(z.Name())...)})
}

// explained is what the zone makes of a request, from its rules to its cache.
func explained(z *zone.Zone, f *flow.Flow) (steps []cache.Step) {
	outcome, effects := z.Verdict.Preview(f)
	for _, e := range effects {
		steps = append(steps, cache.Step{Step: "rule", Says: e.Rules + ": " + e.Does})
	}
	switch outcome {
	case rules.Redirected:
		return append(steps, cache.Step{Step: "outcome", Says: "redirect: the cache is not asked"})
	case rules.Blocked:
		return append(steps, cache.Step{Step: "outcome", Says: "refused: the cache is not asked"})
	}
	return append(steps, z.Cache.Why(f)...)
}

// whyPrefetched tells how far a zone's prefetch is, if it has one.
func (n *Node) whyPrefetched(zone string) []cache.Step {
	p, ok := n.path.Prefetched(zone)
	if !ok {
		return nil
	}
	says := fmt.Sprintf("%d of %d pages of the site map looked at in this round; since the start %d fetched, %d were stored, %d left alone, %d failed",
		p.Looked, p.Listed, p.Fetched, p.Stored, p.Left, p.Failed)
	if p.Problem != "" {
		says += "; " + p.Problem
	}
	if wait := time.Until(p.Next); wait > 0 {
		says += fmt.Sprintf("; goes on in %v", wait.Round(time.Second))
	}
	return []cache.Step{{Step: "prefetch", Says: says}}
}

// WhyCached asks the node that runs on this machine about a GET of a URL with these field lines; for admin see [Explain].
func WhyCached(ctx context.Context, data, admin, target string, headers []string) (*Why, error) {
	query := url.Values{"url": {target}, "header": headers}
	return askFor[*Why](ctx, http.MethodGet, data, admin, "/api/cache/why?"+query.Encode(), nil)
}

// Write tells it to a person.
func (y *Why) Write(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "%-12s %s\n", "zone", y.Zone); err != nil {
		return err
	}
	for _, s := range y.Steps {
		if _, err := fmt.Fprintf(w, "%-12s %s\n", s.Step, s.Says); err != nil {
			return err
		}
	}
	return nil
}
