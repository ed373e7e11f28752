package config

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seawall/seawall/internal/spec"
)

var comparePrefixes = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

// diff compares values; an empty list is none.
func diff(want, got any) string { return cmp.Diff(want, got, cmpopts.EquateEmpty(), comparePrefixes) }

func TestLoadDefaults(t *testing.T) {
	dir := write(t, map[string]string{"main.yaml": "zones: [{name: shop, hosts: [shop.example], origin: {url: http://10.0.0.5}}]"})
	c := mustLoad(t, new(Loader), dir+"/main.yaml")
	node := defaultNode()
	node.Log.Path = "/var/lib/seawall/access.log"
	if d := diff(node, c.Node); d != "" {
		t.Errorf("node (-want +got):\n%s", d)
	}
	zone := spec.DefaultZone()
	zone.Name, zone.Hosts, zone.Origin.Servers = "shop", []string{"shop.example"}, spec.OneServer("http://10.0.0.5")
	if d := diff([]spec.Zone{zone}, c.Zones); d != "" {
		t.Errorf("zones (-want +got):\n%s", d)
	}
	if want := []string{dir + "/main.yaml"}; !slices.Equal(c.Files, want) {
		t.Errorf("got files %v, want %v", c.Files, want)
	}
}

func TestLoadNode(t *testing.T) {
	chain, key := pair(t)
	dir := write(t, map[string]string{
		"etc/main.yaml": `
node:
  name: edge-1
  http: [80, "192.0.2.1:8080"]
  https: []
  admin: off
  data: ../data
  certificates:
    - {chain: tls/chain.pem, key: tls/key.pem}
  trusted_proxies: [10.0.0.0/8, "@proxies.txt"]
  proxy_protocol: [192.0.2.7]
  acme:
    email: ops@example.org
    authorities:
      - {directory: "https://ca.example/dir", ca: tls/chain.pem, key_id: k, hmac: c2VjcmV0}
  connections: {max: 5_000, head_timeout: 5s, tunnel_timeout: 1d}
  heads: {line: 4096}
  cache: {size: 1GiB, object: 1048576}
  log: {path: "-", sample: 10, fields: [time, status], whole_addresses: true, ring: 0}
zones: []
`,
		"etc/tls/chain.pem": chain, "etc/tls/key.pem": key, "etc/proxies.txt": "# ours\n172.16.0.0/12\n",
	})
	c := mustLoad(t, new(Loader), dir+"/etc/main.yaml")
	want := defaultNode()
	want.Name, want.Admin, want.Data = "edge-1", "", dir+"/data"
	want.HTTP, want.HTTPS = []spec.Listener{{Address: ":80"}, {Address: "192.0.2.1:8080"}}, nil
	want.Certificates = []spec.Certificate{{Chain: spec.PEM(chain), Key: spec.PEM(key)}}
	want.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12")}
	want.ProxyProtocol = []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32")}
	want.ACME.Email = "ops@example.org"
	want.ACME.Authorities = []spec.Authority{{Directory: "https://ca.example/dir", CA: spec.PEM(chain), KeyID: "k", HMAC: "c2VjcmV0"}}
	want.Connections.Max, want.Connections.HeadTimeout, want.Connections.TunnelTimeout = 5000, 5*time.Second, 24*time.Hour
	want.Heads.Line = 4096
	want.Cache.Size, want.Cache.Object = 1<<30, 1<<20
	want.Log.Path, want.Log.Sample, want.Log.Fields = "-", 10, []string{"time", "status"}
	want.Log.WholeAddresses, want.Log.Ring = true, 0
	if d := diff(want, c.Node); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	files := []string{dir + "/etc/main.yaml", dir + "/etc/proxies.txt", dir + "/etc/tls/chain.pem", dir + "/etc/tls/key.pem"}
	if !slices.Equal(c.Files, files) {
		t.Errorf("got files %v, want %v", c.Files, files)
	}
}

// TestLogPath: a log is kept in the data folder, unless the file says otherwise.
func TestLogPath(t *testing.T) {
	tests := []struct{ log, want string }{
		{"{}", "/srv/data/access.log"},
		{"{path: off}", ""},
		{`{path: ""}`, ""},
		{`{path: "-"}`, "-"},
		{"{path: /var/log/seawall.log}", "/var/log/seawall.log"},
		{"{path: seawall.log}", "DIR/seawall.log"},
	}
	for _, tt := range tests {
		t.Run(tt.log, func(t *testing.T) {
			dir := write(t, map[string]string{"main.yaml": "node: {data: /srv/data, log: " + tt.log + "}"})
			got := mustLoad(t, new(Loader), dir+"/main.yaml").Node.Log.Path
			if got = strings.ReplaceAll(got, dir, "DIR"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestBrokenLists: a list whose file can't be used is as it was, empty if nothing is known of that, and the rest is in force.
func TestBrokenLists(t *testing.T) {
	const main = `
node:
  name: edge-1
  lists:
    - {name: bad, kind: ip, file: bad.txt}
  crawlers: {known: [{name: Ours, agent: OurBot, ranges: ours.json, keys: keys.json}]}
zones:
  - name: shop
    hosts: [shop.example]
    origin: {url: "http://10.0.0.5"}
    lists:
      deny: [192.0.2.1, $bad, $near]
      named: [{name: near, kind: country, values: [de], file: near.txt}]
`
	const keys = `{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"}]}`
	dir := write(t, map[string]string{"main.yaml": main, "bad.txt": "x\n", "near.txt": "FR\n", "ours.json": "{", "keys.json": keys})
	l := new(Loader)
	texts := func(c *Config) [3]string {
		return [3]string{string(c.Node.Lists[0].File), string(c.Zones[0].Lists.Named[0].File), string(c.Node.Crawlers.Known[0].Ranges)}
	}
	steps := []struct {
		name   string
		files  map[string]string
		want   [3]string
		broken []string
	}{
		{"at first", nil, [3]string{"", "FR\n", ""}, []string{
			`main.yaml:6: node.crawlers.known[0].ranges: DIR/ours.json: unexpected end of JSON input: it is empty until that is mended`,
			`main.yaml:5: node.lists[0].file: DIR/bad.txt:1: "x" is not an address or prefix, such as 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32: it is empty until that is mended`,
		}},
		{"mended", map[string]string{"bad.txt": "192.0.2.0/24\n", "ours.json": "192.0.2.7"}, [3]string{"192.0.2.0/24\n", "FR\n", "192.0.2.7"}, nil},
		{"broken", map[string]string{"bad.txt": "192.0.2.0/33\n", "near.txt": "France\n", "ours.json": "x", "keys.json": "{}"}, [3]string{"192.0.2.0/24\n", "FR\n", "192.0.2.7"}, []string{
			`main.yaml:13: lists.named[0].file: DIR/near.txt:1: "FRANCE" is not a country's two letters (ISO 3166), such as DE: it stays as it was`,
			`main.yaml:5: node.lists[0].file: DIR/bad.txt:1: "192.0.2.0/33" has a prefix length above 32: it stays as it was`,
			`main.yaml:6: node.crawlers.known[0].ranges: DIR/ours.json:1: "x" is not an address or prefix, such as 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32: it stays as it was`,
			`main.yaml:6: node.crawlers.known[0].keys: DIR/keys.json: has no key of kty OKP and crv Ed25519: it stays as it was`,
		}},
	}
	for _, tt := range steps {
		for name, text := range tt.files {
			put(t, dir+"/"+name, text)
		}
		c := mustLoad(t, l, dir+"/main.yaml")
		if d := diff(tt.want, texts(c)); d != "" {
			t.Errorf("%s: (-want +got):\n%s", tt.name, d)
		}
		var broken []string
		for _, p := range c.Broken {
			broken = append(broken, strings.ReplaceAll(strings.TrimPrefix(p.Error(), dir+"/"), dir, "DIR"))
		}
		slices.Sort(broken)
		slices.Sort(tt.broken)
		if d := diff(tt.broken, broken); d != "" {
			t.Errorf("%s: (-want +got):\n%s", tt.name, d)
		}
		if got := string(c.Node.Crawlers.Known[0].Keys); got != keys {
			t.Errorf("%s: got keys %q, want them as they were", tt.name, got)
		}
		lists := c.Zones[0].Lists
		if len(lists.Deny) != 1 || !slices.Equal(lists.DenyNamed, []string{"bad", "near"}) {
			t.Errorf("%s: got %v and %v, want one prefix and two names", tt.name, lists.Deny, lists.DenyNamed)
		}
		for _, name := range []string{"bad.txt", "near.txt", "ours.json"} {
			if !slices.Contains(c.Files, dir+"/"+name) {
				t.Errorf("%s: %s is not followed", tt.name, name)
			}
		}
	}
	other := Loader{}
	c := mustLoad(t, l, dir+"/main.yaml")
	other.Remember(&c.Node, c.Zones)
	if d := diff([3]string{"192.0.2.0/24\n", "FR\n", "192.0.2.7"}, texts(mustLoad(t, &other, dir+"/main.yaml"))); d != "" {
		t.Errorf("remembered: (-want +got):\n%s", d)
	}
}

// TestBrokenListOfDefaults: as of any other.
func TestBrokenListOfDefaults(t *testing.T) {
	dir := write(t, map[string]string{
		"main.yaml": strings.Replace(good, "  limits:", "  lists: {named: [{name: near, kind: country, file: near.txt}]}\n  limits:", 1), "near.txt": "FR\n",
	})
	l := new(Loader)
	before := mustLoad(t, l, dir+"/main.yaml")
	put(t, dir+"/near.txt", "France\n")
	var other Loader
	other.Remember(&before.Node, before.Zones)
	for name, l := range map[string]*Loader{"reload": l, "restart": &other} {
		c := mustLoad(t, l, dir+"/main.yaml")
		if len(c.Broken) != 1 || c.Broken[0].Key != "defaults.lists.named[0].file" || !strings.HasSuffix(c.Broken[0].Text, "it stays as it was") {
			t.Errorf("%s: got %v, want one list that stays as it was", name, c.Broken)
		}
		for _, z := range c.Zones {
			if got := z.Lists.Named[0].File; got != "FR\n" {
				t.Errorf("%s: zone %s: got %q, want the list as it was", name, z.Name, got)
			}
		}
	}
}

const twoZones = `
defaults:
  action: log
  lists: {allow: [192.0.2.1], deny: ["@bad.txt"]}
  limits: {requests: 100/s burst 400}
  origin: {balance: source, servers: [{url: http://10.0.0.9}]}
zones:
  - name: shop
    hosts: [shop.example]
    lists: {deny: [203.0.113.0/24]}
    limits: {requests: 7/s}
    origin:
      url: unix:/run/app.sock
      tls: {server_name: app.internal}
  - name: blog
    hosts: [blog.example]
    origin: {servers: [{url: https://a.internal, weight: 0, backup: true, tls: {insecure: true}}, {url: http://b:81/}]}
  - name: plain
    hosts: ["*"]
`

func TestLoadZones(t *testing.T) {
	dir := write(t, map[string]string{"main.yaml": twoZones, "bad.txt": "198.51.100.0/24\n"})
	c := mustLoad(t, new(Loader), dir+"/main.yaml")
	base := spec.DefaultZone()
	base.Action = spec.ActionLog
	base.Lists.Allow = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}
	base.Lists.Deny = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	base.Limits.Requests = spec.Rate{Requests: 100, Per: time.Second, Burst: 400}
	base.Origin.Balance = spec.BalanceSource
	shop, blog, plain := base, base, base
	shop.Name, shop.Hosts = "shop", []string{"shop.example"}
	shop.Lists.Deny = append(slices.Clip(base.Lists.Deny), netip.MustParsePrefix("203.0.113.0/24"))
	shop.Limits.Requests.Requests = 7
	shop.Origin.Servers = spec.OneServer("unix:/run/app.sock")
	shop.Origin.TLS.ServerName = "app.internal"
	blog.Name, blog.Hosts = "blog", []string{"blog.example"}
	blog.Origin.Servers = []spec.Server{
		{URL: "https://a.internal", Backup: true, TLS: &spec.TLS{Insecure: true}}, {URL: "http://b:81/", Weight: 1},
	}
	plain.Name, plain.Hosts, plain.Origin.Servers = "plain", []string{"*"}, spec.OneServer("http://10.0.0.9")
	if d := diff([]spec.Zone{shop, blog, plain}, c.Zones); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestSharedList: zones that name one file share its prefixes, and add to their own copies.
func TestSharedList(t *testing.T) {
	zone := "  - {name: %[1]s, hosts: [%[1]s], origin: {url: http://a}, lists: {deny: [%[2]s]}}\n"
	main := "defaults: {lists: {allow: ['@list.txt']}}\nzones:\n" + fmt.Sprintf(zone, "a", "'@list.txt', 192.0.2.1") +
		fmt.Sprintf(zone, "b", "'@list.txt', 192.0.2.2") + fmt.Sprintf(zone, "c", "'@list.txt'")
	dir := write(t, map[string]string{"main.yaml": main, "list.txt": numbered("10.0.0.%d\n", 5)})
	c := mustLoad(t, new(Loader), dir+"/main.yaml")
	for i, want := range []string{"192.0.2.1/32", "192.0.2.2/32", "10.0.0.4/32"} {
		deny := c.Zones[i].Lists.Deny
		if got := deny[len(deny)-1].String(); got != want {
			t.Errorf("zone %s: last of %v is %s, want %s", c.Zones[i].Name, deny, got, want)
		}
	}
	if &c.Zones[2].Lists.Deny[0] != &c.Zones[0].Lists.Allow[0] {
		t.Error("the file's prefixes are not shared")
	}
}

func TestAnchors(t *testing.T) {
	dir := write(t, map[string]string{"main.yaml": `
zones:
  - &shop
    name: shop
    hosts: [shop.example]
    origin: {url: &url http://10.0.0.5}
    budget: &budget {concurrent: 5, queue: 6}
  - <<: *shop
    name: blog
    hosts: [blog.example]
    budget: {<<: *budget, queue: 7}
  - name: wiki
    hosts: [wiki.example]
    origin: {url: *url}
`})
	c := mustLoad(t, new(Loader), dir+"/main.yaml")
	if len(c.Zones) != 3 {
		t.Fatalf("got %d zones, want 3", len(c.Zones))
	}
	blog, wiki := c.Zones[1], c.Zones[2]
	if blog.Name != "blog" || blog.Hosts[0] != "blog.example" || blog.Origin.Servers[0].URL != "http://10.0.0.5" ||
		blog.Budget.Concurrent != 5 || blog.Budget.Queue != 7 {
		t.Errorf("got %+v, want a shop with other hosts and queue", blog)
	}
	if wiki.Origin.Servers[0].URL != "http://10.0.0.5" {
		t.Errorf("got %+v, want the shop's origin", wiki)
	}
}

func numbered(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// TestLaughs: what aliases stand for is not multiplied without bound.
func TestLaughs(t *testing.T) {
	tests := []struct{ name, main string }{
		{"lists of lists", "defaults: {lists: {allow: [&a [x, x], &b [*a, *a], &c [*b, *b], &d [*c, *c]]}}\nzones: []"},
		{"servers of one", "zones:\n  - name: a\n    hosts: [a]\n    origin:\n      servers:\n        - &s {url: http://a, tls: &t {insecure: true}}\n" +
			strings.Repeat("        - *s\n", 20_000)},
		{"merges", "defaults: &d {" + strings.Repeat("a: 1, ", 5_000) + "b: 1}\nzones:\n" + strings.Repeat("  - {<<: [*d, *d], name: a}\n", 1_000)},
		{"itself", "zones: &z [*z]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Now()
			c, err := Load(write(t, map[string]string{"main.yaml": tt.main}) + "/main.yaml")
			if err == nil && len(c.Refused) == 0 {
				t.Errorf("got %d zones and no problem", len(c.Zones))
			}
			if took := time.Since(start); took > time.Minute {
				t.Errorf("took %v", took) // a bound for race detector and busy machines
			}
		})
	}
}

// TestMaxValues: what aliases stand for counts each time.
func TestMaxValues(t *testing.T) {
	root, p := parse("main.yaml", "a: &h [a.example, b.example, c.example]\nb: {hosts: *h, origin: {url: http://a}}\nc: {hosts: *h, origin: {url: http://a}}")
	if p != nil {
		t.Fatal(p)
	}
	d := newDecoder(newReader(), "main.yaml")
	d.left = 15
	if z := d.zone(root.entries[1].value, "b", spec.DefaultZone()); z.problem != nil {
		t.Errorf("got %v, want none of the first", z.problem)
	}
	const want = "main.yaml:1: hosts[2]: is one of more than 2000000 values of this file, aliases counted each time"
	if z := d.zone(root.entries[2].value, "c", spec.DefaultZone()); z.problem == nil || z.problem.Error() != want {
		t.Errorf("got %v, want %s", z.problem, want)
	}
}

func TestFolder(t *testing.T) {
	dir := write(t, map[string]string{
		"main.yaml": "zones_folder: zones.d\ndefaults: {origin: {url: http://10.0.0.1}}\nzones: [{name: shop, hosts: [shop.example]}]\n",

		"zones.d/blog.yaml":   "hosts: [blog.example]\n",
		"zones.d/wiki.yaml":   "name: wiki\nhosts: [wiki.example]\nlists: {deny: ['@../deny.txt']}\n",
		"zones.d/other.yaml":  "hosts: [other.example]\nname: another\n",
		"zones.d/broken.yaml": "hosts: [a\n",
		"zones.d/empty.yaml":  "",
		"zones.d/shop.yaml":   "hosts: [shop2.example]\n",
		"zones.d/old.yml":     "hosts: [old.example]\n",
		"zones.d/a b.yaml":    "hosts: [a.example]\n",
		"zones.d/list.yaml":   "- hosts: [a.example]\n",

		"zones.d/.hidden.yaml":    "x",
		"zones.d/README":          "x",
		"zones.d/sub.yaml/x.yaml": "x",
		"deny.txt":                "192.0.2.1",
	})
	c, err := Load(dir + "/main.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, z := range c.Zones {
		names = append(names, z.Name)
	}
	if d := cmp.Diff([]string{"shop", "blog", "wiki"}, names); d != "" {
		t.Errorf("zones (-want +got):\n%s", d)
	}
	refused := make(map[string]string)
	for _, r := range c.Refused {
		refused[r.Zone], _, _ = strings.Cut(strings.ReplaceAll(r.Problem.Error(), dir+"/zones.d/", ""), ": want")
	}
	want := map[string]string{
		"other":  `other.yaml:2: name: "another" is not the file's name`,
		"broken": `broken.yaml:1:8: is no YAML: sequence end token ']' not found`,
		"empty":  "empty.yaml: is empty",
		"shop":   "shop.yaml:1: name: " + dir + `/main.yaml:3: has a zone "shop" already`,
		"old":    "old.yml: does not end in .yaml: rename it to old.yaml",
		"a b":    `a b.yaml:1: name: "a b" does not fit`,
		"list":   "list.yaml:1: is a list",
	}
	if d := cmp.Diff(want, refused); d != "" {
		t.Errorf("refused (-want +got):\n%s", d)
	}
	for _, name := range []string{"main.yaml", "zones.d", "zones.d/broken.yaml", "zones.d/blog.yaml", "deny.txt"} {
		if !slices.Contains(c.Files, filepath.Join(dir, name)) {
			t.Errorf("%s is not among the files to watch", name)
		}
	}
}

// TestReload: what has not changed is not decoded again, and what has is.
func TestReload(t *testing.T) {
	files := map[string]string{
		"main.yaml":      "node: {name: a}\nzones_folder: zones.d\ndefaults: {origin: {url: http://10.0.0.1}}\n",
		"zones.d/a.yaml": "hosts: [a.example]\n", "zones.d/b.yaml": "hosts: [b.example]\nlists: {deny: ['@deny.txt']}\n",
		"zones.d/c.yaml": "hosts: [c.example]\nlists: {deny: ['@none.txt']}\n",
	}
	tests := []struct {
		name, file, text string
		again            string // zones that are decoded again
		refused          int
	}{
		{"nothing", "main.yaml", files["main.yaml"], "", 1},
		{"node", "main.yaml", strings.Replace(files["main.yaml"], "name: a", "name: b", 1), "", 1},
		{"comment", "main.yaml", files["main.yaml"] + "# nothing\n", "", 1},
		{"defaults", "main.yaml", files["main.yaml"] + "  # \n" + "zones: []\n", "", 1},
		{"changed defaults", "main.yaml", strings.Replace(files["main.yaml"], "10.0.0.1", "10.0.0.2", 1), "ab", 1},
		{"zone", "zones.d/a.yaml", "hosts: [a.example, aa.example]\n", "a", 1},
		{"list", "zones.d/deny.txt", "192.0.2.1", "b", 1},
		{"missing list", "zones.d/none.txt", "192.0.2.1", "c", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := write(t, files)
			put(t, dir+"/zones.d/deny.txt", "198.51.100.0/24")
			l := new(Loader)
			before, err := l.Load(dir + "/main.yaml")
			if err != nil {
				t.Fatal(err)
			}
			hosts := make(map[*string]bool)
			for _, z := range before.Zones {
				hosts[&z.Hosts[0]] = true
			}
			put(t, filepath.Join(dir, tt.file), tt.text)
			after, err := l.Load(dir + "/main.yaml")
			if err != nil {
				t.Fatal(err)
			}
			again := ""
			for _, z := range after.Zones {
				if !hosts[&z.Hosts[0]] {
					again += z.Name
				}
			}
			if again != tt.again || len(after.Refused) != tt.refused {
				t.Errorf("decoded %q again, refused %v, want %q and %d refused", again, after.Refused, tt.again, tt.refused)
			}
			fresh, err := Load(dir + "/main.yaml")
			if err != nil {
				t.Fatal(err)
			}
			if d := diff(fresh.Zones, after.Zones); d != "" {
				t.Errorf("unlike a fresh reading (-fresh +again):\n%s", d)
			}
		})
	}
}

func TestWhere(t *testing.T) {
	dir := write(t, map[string]string{
		"main.yaml": strings.TrimPrefix(twoZones, "\n") + "zones_folder: zones.d\n", "bad.txt": "",
		"zones.d/wiki.yaml": "hosts: [wiki.example]\n\norigin:\n  url: http://10.0.0.1\n",
	})
	c := mustLoad(t, new(Loader), dir+"/main.yaml")
	tests := []struct{ zone, err, want string }{
		{"shop", `origin.tls.server_name: no`, "main.yaml:13: origin.tls.server_name: no"},
		{"shop", `zone "shop": limits.requests: no`, "main.yaml:10: limits.requests: no"},
		{"shop", `zone shop: zone "shop": origin.url: no`, "main.yaml:12: origin.url: no"},
		{"shop", `origin.servers[0].url: no`, "main.yaml:12: origin.servers[0].url: no"},
		{"shop", `origin.health.path: no`, "main.yaml:11: origin.health.path: no"},
		{"shop", `action is "x": no`, `main.yaml:2: action: is "x": no`},
		{"shop", `budget.queue is -1: no`, "main.yaml:7: budget.queue: is -1: no"},
		{"shop", `host "x" belongs to another`, `main.yaml:7: host "x" belongs to another`},
		{"blog", `origin.servers[1].url: no`, "main.yaml:16: origin.servers[1].url: no"},
		{"blog", `origin.balance: no`, "main.yaml:5: origin.balance: no"},
		{"plain", `origin.servers[0].url: no`, "main.yaml:5: origin.servers[0].url: no"},
		{"wiki", `origin.url: no`, "zones.d/wiki.yaml:4: origin.url: no"},
		{"wiki", `cache: waiters is 1`, "zones.d/wiki.yaml:1: cache: waiters is 1"},
		{"", `cache: size is 0`, "main.yaml: node.cache: size is 0"},
	}
	for _, tt := range tests {
		t.Run(tt.zone+" "+tt.err, func(t *testing.T) {
			got := c.Explain(tt.zone, errors.New(tt.err)).Error()
			if got = strings.ReplaceAll(got, dir+"/", ""); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestFolderAgreesWithFile: it makes no difference where zones stand. The benchmarks have a thousand.
func TestFolderAgreesWithFile(t *testing.T) {
	const n = 150
	dir := many(t, n)
	whole := mustLoad(t, new(Loader), dir+"/main.yaml")
	folder := mustLoad(t, new(Loader), dir+"/folder.yaml")
	byName := func(a, b spec.Zone) int { return strings.Compare(a.Name, b.Name) }
	slices.SortFunc(whole.Zones, byName)
	slices.SortFunc(folder.Zones, byName)
	if d := diff(whole.Zones, folder.Zones); d != "" || len(whole.Zones) != n {
		t.Errorf("%d zones; (-main +folder):\n%.2000s", len(whole.Zones), d)
	}
	if _, line := whole.Where("zone-149", ""); line != 2+149*18 {
		t.Errorf("zone-149 in line %d, want %d", line, 2+149*18)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(good)
	f.Add(twoZones)
	f.Add("node: {http: [80], log: {path: off}, cache: {size: 1GiB}}\nzones: []\n")
	f.Add("zones:\n  - " + strings.ReplaceAll(plainZone(1), "\n", "\n    "))
	f.Add("a: &a [1]\nb: {<<: *a, ? x : y}\n")
	f.Add("x: |\n  text\n y: \"\\x41\\u0041\"\n--- !!str\n")
	dir := write(f, map[string]string{"bad.txt": "192.0.2.1\n"})
	f.Fuzz(func(t *testing.T, main string) {
		if len(main) > 64<<10 {
			return
		}
		path := filepath.Join(dir, fmt.Sprintf("%p.yaml", t))
		put(t, path, main)
		start := time.Now()
		c, err := Load(path)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%d bytes took %v", len(main), took)
		}
		if err != nil || c.NodeProblem != nil {
			return
		}
		var again strings.Builder
		if err := Write(&again, &c.Node, c.Zones); err != nil {
			t.Fatal(err)
		}
		put(t, path, again.String())
		d := mustLoad(t, new(Loader), path)
		if d := diff(c.Node, d.Node) + diff(c.Zones, d.Zones); d != "" {
			t.Errorf("written and read again (-before +after):\n%s", d)
		}
	})
}

// TestPoolDefaults: a pool starts from the defaults, not from its zone's origin, and its servers are its own.
func TestPoolDefaults(t *testing.T) {
	dir := write(t, map[string]string{"main.yaml": `
defaults:
  origin: {url: http://10.0.0.1, retries: 3}
  budget: {concurrent: 7}
zones:
  - name: shop
    hosts: [shop.example]
    origin: {url: http://10.0.0.5, retries: 0, stall_timeout: 5s}
    pools: [{name: api, origin: {url: http://10.0.0.7}}]
`})
	got := mustLoad(t, new(Loader), dir+"/main.yaml").Zones[0].Pools
	want := spec.Pool{Name: "api", Origin: spec.DefaultZone().Origin, Budget: spec.DefaultZone().Budget}
	want.Origin.Servers, want.Origin.Retries, want.Budget.Concurrent = spec.OneServer("http://10.0.0.7"), 3, 7
	if d := diff([]spec.Pool{want}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
