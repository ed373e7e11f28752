package edge

import (
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/seawall/seawall/internal/spec"
)

// TestChallenge: an authority gets its answer whatever the zone's lists, limits and redirects say, and what this node does not know is
// the origin's business.
func TestChallenge(t *testing.T) {
	tests := []struct {
		name, host, target string
		status             int
		body               string
	}{
		{"answered", "a.test", "/.well-known/acme-challenge/token", 200, "token.thumbprint"},
		{"of another host", "b.test", "/.well-known/acme-challenge/token", 403, ""},
		{"of the origin's own", "open.test", "/.well-known/acme-challenge/other", 200, "origin"},
		{"of a host that nobody serves", "c.test", "/.well-known/acme-challenge/token", 421, ""},
		{"another path", "a.test", "/page", 403, ""},
	}
	synctest.Test(t, func(t *testing.T) {
		closed := func(z *spec.Zone) {
			z.Lists.Deny = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
			z.Limits.Requests = spec.Rate{Requests: 1, Per: 1 << 40}
		}
		a, b, open := site("a", "a.test"), site("b", "b.test"), site("open", "open.test")
		closed(&a)
		closed(&b)
		h := build(t, testNode(), a, b, open)
		h.path.Challenge = func(host, path string) (string, bool) {
			return "token.thumbprint", host == "a.test" && path == "/.well-known/acme-challenge/token"
		}
		h.serve(firstOrigin, func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("origin")) })
		for _, tt := range tests {
			got := h.dial("203.0.113.1").ask("GET", tt.host, tt.target)
			if got.status != tt.status || tt.body != "" && got.body != tt.body {
				t.Errorf("%s: got %d %q, want %d %q", tt.name, got.status, got.body, tt.status, tt.body)
			}
		}
	})
}
