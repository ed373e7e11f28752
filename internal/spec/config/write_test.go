package config

import (
	"bytes"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seawall/seawall/internal/spec"
)

// drawn draws what a file can say.
type drawn struct {
	*rapid.T
	chain, key spec.PEM
}

func pick[V any](d drawn, label string, of ...V) V { return rapid.SampledFrom(of).Draw(d.T, label) }

func (d drawn) number(label string, least, most int) int {
	return rapid.IntRange(least, most).Draw(d.T, label)
}

func (d drawn) time(label string) time.Duration {
	return time.Duration(rapid.Int64Range(1, int64(100*365*day)).Draw(d.T, label)).Truncate(pick(d, label+" unit", 1, time.Second, time.Minute, day)) + time.Second
}

// text is any that is no trap for the form of its key.
func (d drawn) text(label string) string {
	return rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"", "true", "null", "~", "1", "1.5", "0x1f", "- a", "a: b", "# c", "a #b", "*x", "&x", "!x", "{a", "[b]", "'", `"`, "`", "@x", "%x",
		" a ", "a\nb\n", "\ta", "---", "...", "é", "\u2028", "\x00", "off", "a\\b", "<<", "?", "|", ">",
	})).Draw(d.T, label)
}

func (d drawn) prefixes(label string) []netip.Prefix {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) netip.Prefix {
		if rapid.Bool().Draw(t, "IPv6") {
			var b [16]byte
			copy(b[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "address"))
			b[0] = 0x20
			return netip.PrefixFrom(netip.AddrFrom16(b), rapid.IntRange(0, 128).Draw(t, "bits")).Masked()
		}
		b := rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "address")
		return netip.PrefixFrom(netip.AddrFrom4([4]byte(b)), rapid.IntRange(0, 32).Draw(t, "bits")).Masked()
	}), 0, 30).Draw(d.T, label)
}

func (d drawn) tls(label string) spec.TLS {
	t := spec.TLS{ServerName: d.text(label), Insecure: rapid.Bool().Draw(d.T, label), CA: pick(d, label, "", d.chain)}
	if rapid.Bool().Draw(d.T, label) {
		t.Certificate, t.Key = d.chain, d.key
	}
	return t
}

func (d drawn) node() spec.Node {
	n := defaultNode()
	n.Name = d.text("name") + "x"
	n.HTTP = pick(d, "http", nil, n.HTTP, []spec.Listener{{Address: "[::1]:8080"}, {Address: ":81"}})
	n.HTTPS = pick(d, "https", nil, n.HTTPS)
	n.Admin = pick(d, "admin", "", "127.0.0.1:1", n.Admin)
	n.Data = pick(d, "data", n.Data, "/srv/my data")
	n.Log.Path = pick(d, "log", "", "-", "/var/log/x.log", defaultLog(&n))
	n.Log.Fields = pick(d, "fields", nil, []string{"time", "id"})
	n.Log.Sample = d.number("sample", 1, 1000)
	n.Cache.Size = spec.Size(rapid.Int64Range(0, 1<<40).Draw(d.T, "size"))
	n.Connections.HeadTimeout = d.time("head timeout")
	n.TrustedProxies, n.ProxyProtocol = d.prefixes("trusted"), d.prefixes("proxy protocol")
	if rapid.Bool().Draw(d.T, "certificate") {
		n.Certificates = []spec.Certificate{{Chain: d.chain, Key: d.key}, {Chain: d.chain + "\n \n", Key: d.key + "  "}}
	}
	n.ACME.Authorities = pick(d, "authorities", nil, n.ACME.Authorities, []spec.Authority{
		{Directory: "https://ca.example/dir", CA: d.chain, KeyID: d.text("key id"), HMAC: "c2VjcmV0"},
	})
	return n
}

func (d drawn) zone(i int) spec.Zone {
	z := spec.DefaultZone()
	z.Name = fmt.Sprintf("%s%d", pick(d, "name", "shop", "0", "-", "true", "1.5e"), i)
	z.Hosts = pick(d, "hosts", []string{"*"}, []string{"a.example", "*.a.example", "[::1]"}, strings.Fields(strings.Repeat("a.example ", 25)))
	z.Action = pick(d, "action", spec.ActionBlock, spec.ActionLog)
	z.Lists = spec.Lists{Allow: d.prefixes("allow"), Deny: d.prefixes("deny"), DenyNamed: pick(d, "names", nil, []string{"bad", "own"})}
	z.Lists.Named = pick(d, "lists", nil, []spec.List{{Name: "own", Kind: spec.ListIP, Values: []string{"10.0.0.0/8"}, File: "192.0.2.1\n# two\n192.0.2.2\n"}})
	z.Limits.Requests = pick(d, "limit", spec.Rate{}, spec.Rate{Requests: 7, Per: 90 * time.Second}, z.Limits.Requests)
	z.Budget.QueueTimeout = d.time("queue")
	z.Cache.Enabled = rapid.Bool().Draw(d.T, "cache")
	z.Compression.Codings = pick(d, "codings", z.Compression.Codings, []string{"gzip"}, nil)
	z.Compression.Types = pick(d, "types", z.Compression.Types, []string{"text/*", "image/svg+xml"})
	z.HTTPS.HSTS = spec.HSTS{MaxAge: d.time("HSTS"), Preload: rapid.Bool().Draw(d.T, "preload")}
	z.HTTPS.ACME = rapid.Bool().Draw(d.T, "ACME")
	z.Origin.TLS = d.tls("origin's TLS")
	z.Origin.ClientHeader = d.text("client header")
	z.Origin.ProxyProtocol = pick(d, "PROXY protocol", "", "v2")
	for range d.number("servers", 1, 3) {
		s := spec.Server{URL: pick(d, "url", "http://a:1", "https://[::1]", "unix:/run/x.sock"), Weight: d.number("weight", 0, 256)}
		if rapid.Bool().Draw(d.T, "with TLS") {
			tls := d.tls("server's TLS")
			s.TLS = &tls
		}
		z.Origin.Servers = append(z.Origin.Servers, s)
	}
	for i := range d.number("pools", 0, 2) {
		p := newItem(poolType).Interface().(spec.Pool)
		p.Name, p.Origin.Servers, p.Budget.Concurrent = fmt.Sprint("pool", i), spec.OneServer("http://a:1"), d.number("pool's budget", 0, 100)
		p.Origin.TLS = d.tls("pool's TLS")
		z.Pools = append(z.Pools, p)
	}
	return z
}

// TestWriteLoad: what is written reads back as it was.
func TestWriteLoad(t *testing.T) {
	chain, key := pair(t)
	path := filepath.Join(t.TempDir(), "main.yaml")
	rapid.Check(t, func(rt *rapid.T) {
		d := drawn{rt, spec.PEM(chain), spec.PEM(key)}
		node := d.node()
		zones := make([]spec.Zone, d.number("zones", 0, 3))
		for i := range zones {
			zones[i] = d.zone(i)
		}
		var out bytes.Buffer
		if err := Write(&out, &node, zones); err != nil {
			rt.Fatal(err)
		}
		put(t, path, out.String())
		c, err := Load(path)
		if err != nil {
			rt.Fatalf("%v\n%s", err, out.String())
		}
		if c.NodeProblem != nil || len(c.Refused) > 0 {
			rt.Fatalf("problem of the node: %v; refused: %v\n%s", c.NodeProblem, c.Refused, out.String())
		}
		if d := diff(node, c.Node) + diff(zones, c.Zones); d != "" {
			rt.Fatalf("(-written +read):\n%s\n%s", d, out.String())
		}
	})
}

func TestWrite(t *testing.T) {
	dir := write(t, map[string]string{"main.yaml": twoZones, "bad.txt": "198.51.100.0/24\n"})
	c := mustLoad(t, new(Loader), dir+"/main.yaml")
	c.Node.Admin = ""
	var out bytes.Buffer
	if err := Write(&out, &c.Node, c.Zones[:2]); err != nil {
		t.Fatal(err)
	}
	want := `# What is not here has its default.
node:
  admin: off
zones:
  - name: shop
    hosts: [shop.example]
    origin:
      servers:
        - url: unix:/run/app.sock
      balance: source
      tls:
        server_name: app.internal
    lists:
      allow: [192.0.2.1/32]
      deny: [198.51.100.0/24, 203.0.113.0/24]
    limits:
      requests: 7/s burst 400
    action: log
  - name: blog
    hosts: [blog.example]
    origin:
      servers:
        - url: https://a.internal
          weight: 0
          backup: true
          tls:
            insecure: true
        - url: http://b:81/
      balance: source
    lists:
      allow: [192.0.2.1/32]
      deny: [198.51.100.0/24]
    limits:
      requests: 100/s burst 400
    action: log
`
	if d := diff(want, out.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
