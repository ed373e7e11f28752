package config

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/spec"
)

func TestFlatten(t *testing.T) {
	z := spec.DefaultZone()
	z.Name, z.Hosts = "shop", []string{"shop.example", "www.shop.example"}
	z.Origin.Servers = []spec.Server{{URL: "http://a", Weight: 1}, {URL: "https://b", Weight: 2, TLS: &spec.TLS{Key: "secret key"}}}
	for i := range 300 {
		z.Lists.Deny = append(z.Lists.Deny, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32))
	}
	got := make(map[string]string)
	for _, s := range Flatten(&z) {
		if _, ok := got[s.Key]; ok {
			t.Errorf("%s is there twice", s.Key)
		}
		got[s.Key] = s.Value
	}
	for key, want := range map[string]string{
		"name": "shop", "hosts": "[shop.example, www.shop.example]", "action": "block", "lists.allow": "[]",
		"origin.servers[0].url": "http://a", "origin.servers[1].weight": "2", "origin.servers[0].backup": "false",
		"origin.servers[1].tls.key": "SHA-256 66859b7ade4e", "origin.servers[1].tls.ca": "", "origin.tls.key": "",
		"limits.requests": "200/s burst 2000", "budget.rate": "off", "origin.health.status": "200-399", "https.hsts.max_age": "0s",
		"origin.response_timeout": "1m",
	} {
		if value, ok := got[key]; value != want || !ok {
			t.Errorf("%s is %q, want %q", key, value, want)
		}
	}
	if deny := got["lists.deny"]; !strings.HasPrefix(deny, "[10.0.0.0/32, ") || !strings.Contains(deny, ", … 300 in all, SHA-256 ") {
		t.Errorf("lists.deny is %s, want its beginning, number and hash", deny)
	}
	if _, ok := got["origin.url"]; ok {
		t.Error("origin.url is a setting of its own")
	}
}

// TestNoSecrets: neither settings, nor changes, nor problems show a private key.
func TestNoSecrets(t *testing.T) {
	chain, key := pair(t)
	_, other := pair(t)
	node := func(key string) *Config {
		return &Config{Node: spec.Node{
			Certificates: []spec.Certificate{{Chain: spec.PEM(chain), Key: spec.PEM(key)}},
			ACME:         spec.ACME{Authorities: []spec.Authority{{HMAC: "c2VjcmV0" + key[100:110]}}},
		}}
	}
	all := Diff(node(key), node(other))
	if len(all) != 2 {
		t.Errorf("got changes %v, want those of key and HMAC", all)
	}
	var text strings.Builder
	for _, c := range all {
		text.WriteString(c.String())
	}
	for _, s := range Flatten(node(key).Node) {
		text.WriteString(s.Value)
	}
	dir := write(t, map[string]string{"main.yaml": shop("https:\n  certificates:\n    - chain: chain.pem\n      key: |\n        " +
		strings.ReplaceAll(strings.TrimSpace(other), "\n", "\n        ")), "chain.pem": chain})
	c, err := Load(dir + "/main.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Refused) != 1 {
		t.Fatalf("refused %v, want one", c.Refused)
	}
	text.WriteString(c.Refused[0].Problem.Error())
	for _, secret := range []string{"c2VjcmV0", "PRIVATE", key[90:110], other[90:110]} {
		if strings.Contains(text.String(), secret) {
			t.Errorf("%s is shown in %s", secret, text.String())
		}
	}
}

func TestDiff(t *testing.T) {
	const before = `
node: {name: a, acme: {email: a@example.org}}
zones:
  - {name: shop, hosts: [shop.example], origin: {url: http://a}}
  - {name: same, hosts: [same.example], origin: {url: http://a}}
  - {name: gone, hosts: [gone.example], origin: {url: http://a}}
  - {name: bad, hosts: [bad.example], origin: {url: http://a}}
`
	const after = `
node: {name: b, acme: {email: b@example.org}, http: [81], tls: {strict_names: true, handshakes: {open: 9, queue: 9}}}
zones:
  - {name: same, hosts: [same.example], origin: {url: http://a}}
  - {name: bad, host: [bad.example], origin: {url: http://a}}
  - name: shop
    hosts: [shop.example, www.shop.example]
    origin: {servers: [{url: http://b}, {url: http://a}]}
    limits: {requests: off}
  - {name: new, hosts: [new.example], origin: {url: http://a}}
`
	want := []string{
		"node: name: a → b (at a restart)",
		"node: http: [:80] → [:81] (at a restart)",
		"node: acme.email: a@example.org → b@example.org",
		"node: tls.strict_names: false → true",
		"node: tls.handshakes.open: 4096 → 9",
		"node: tls.handshakes.queue: 1024 → 9 (at a restart)",
		"zone shop: hosts: [shop.example] → [shop.example, www.shop.example]",
		"zone shop: origin.servers[0].url: http://a → http://b",
		"zone shop: origin.servers[1].url: added http://a",
		"zone shop: origin.servers[1].weight: added 1",
		"zone shop: origin.servers[1].backup: added false",
		"zone shop: limits.requests: 200/s burst 2000 → off",
		"zone new: added",
		"zone gone: removed",
	}
	dir := write(t, map[string]string{"before.yaml": before, "after.yaml": after})
	a, err := Load(dir + "/before.yaml")
	if err != nil {
		t.Fatal(err)
	}
	b, err := Load(dir + "/after.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range Diff(a, b) {
		got = append(got, c.String())
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if same := Diff(a, a); len(same) != 0 {
		t.Errorf("of the same: %v", same)
	}
	var back []string
	for _, c := range Diff(b, a) {
		if c.Op == Removed || c.Op == Added && c.Key == "" {
			back = append(back, c.String())
		}
	}
	want = []string{
		"zone shop: origin.servers[1].url: removed http://a", "zone shop: origin.servers[1].weight: removed 1",
		"zone shop: origin.servers[1].backup: removed false", "zone gone: added", "zone bad: added", "zone new: removed",
	}
	if d := cmp.Diff(want, back); d != "" {
		t.Errorf("back (-want +got):\n%s", d)
	}
}
