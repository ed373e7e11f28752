package rules

import (
	"crypto/tls"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/rules"
)

// request makes a flow of a target and fields as "Name: value".
func request(target string, fields ...string) *flow.Flow {
	f := &flow.Flow{Conn: &flow.Conn{Remote: netip.MustParseAddrPort("203.0.113.7:50123"), Local: netip.MustParseAddrPort("192.0.2.1:443"), TLS: &flow.TLS{
		Version: tls.VersionTLS13, Cipher: tls.TLS_AES_128_GCM_SHA256, ServerName: "www.example.org", HelloLength: 508,
	}}}
	q := &f.Request
	q.Received = time.Unix(1_700_000_000, 123_000_000)
	q.Client = netip.MustParseAddr("203.0.113.7")
	q.Proto, q.Scheme, q.Method, q.Host, q.Authority, q.Target = "HTTP/2.0", "https", "GET", "www.example.org", "www.example.org", target
	path, query, has := strings.Cut(target, "?")
	q.Path, _ = flow.NormalPath(path)
	q.Query, q.HasQuery = query, has
	for _, line := range fields {
		name, value, _ := strings.Cut(line, ": ")
		q.Fields = append(q.Fields, flow.Field{Name: name, Value: value})
	}
	return f
}

// located answers where every client is.
type located flow.Location

func (l located) Locate(netip.Addr) flow.Location { return flow.Location(l) }

// compile compiles rules of a zone of its own.
func compile(t testing.TB, s *spec.Rules) *Ruleset {
	t.Helper()
	set, err := New().Compile("test", s, nil)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// listed is a list of texts.
type listed map[string]bool

func (l listed) ContainsIP(a netip.Addr) bool                { return l[a.String()] }
func (listed) ContainsInt(int64) bool                        { return false }
func (l listed) ContainsBytes(b []byte) bool                 { return l[string(b)] }
func (l listed) List(string, rules.Type) (rules.List, error) { return l, nil }

// dryRun is grace for everybody, or for nobody.
type dryRun bool

func (d dryRun) Spares(f *flow.Flow, rule string) bool {
	if d {
		f.Verdict.Dry = append(f.Verdict.Dry, rule)
	}
	return bool(d)
}
