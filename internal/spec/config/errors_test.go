package config

import (
	"errors"
	"strings"
	"testing"
)

// good is a file in which node, defaults and two zones are as they should be.
const good = `node:
  name: edge-1
defaults:
  limits: {requests: 100/s burst 400}
zones:
  - name: shop
    hosts: [shop.example]
    origin: {url: http://10.0.0.5:3000}
  - name: blog
    hosts: [blog.example]
    origin: {url: http://10.0.0.6:3000}
`

// shop is good with further lines in the zone shop; the first has number 9.
func shop(lines string) string {
	return strings.Replace(good, "  - name: blog", "    "+strings.ReplaceAll(lines, "\n", "\n    ")+"\n  - name: blog", 1)
}

func TestRefusedZone(t *testing.T) {
	tests := []struct {
		name, main string
		want       string // behind the folder
	}{
		{"unknown key", shop("limit: {}"), `main.yaml:9: limit: is no key here: did you mean limits?`},
		{"swapped letters", shop("acition: log"), `main.yaml:9: acition: is no key here: did you mean action?`},
		{"in another section", shop("response_timeout: 5s"), `main.yaml:9: response_timeout: is no key here: did you mean origin.response_timeout?`},
		{"in a section", shop("budget: {concurent: 5}"), `main.yaml:9: budget.concurent: is no key here: did you mean concurrent?`},
		{"like nothing", shop("cache: {blabla: 5}"), `main.yaml:9: cache.blabla: is no key here: want one of enabled, waiters, key, static, rules, survive, prefetch, purge_from, set_cookie, request_directives, broken_age, post, languages`},
		{"odd key", shop(`"a b.c": 1`), `main.yaml:9: "a b.c": is no key here: want one of name, hosts, origin, pools, https, lists, limits, action, budget, cache, compression, profiles, rules`},
		{"twice", shop("action: log\naction: block"), `main.yaml:10: action: stands in line 9 already`},
		{"text for a section", shop("cache: off"), `main.yaml:9: cache: is text: want keys with values: enabled, waiters, key, static, rules, survive, prefetch, purge_from, set_cookie, request_directives, broken_age, post, languages`},
		{"list for a section", shop("cache: [1]"), `main.yaml:9: cache: is a list: want keys with values: enabled, waiters, key, static, rules, survive, prefetch, purge_from, set_cookie, request_directives, broken_age, post, languages`},
		{"no value", shop("action:"), `main.yaml:9: action: has no value: want block, log`},
		{"null in a list", shop("lists: {deny: [~]}"), `main.yaml:9: lists.deny[0]: is nothing: want an address, a prefix, or @ and a file of them`},
		{"text for a list", shop("lists: {deny: 192.0.2.1}"), `main.yaml:9: lists.deny: is text: want a list, such as ["192.0.2.1"]`},
		{"list for text", shop("action: [log]"), `main.yaml:9: action: is a list: want block, log; a text with brackets, braces or a colon needs quotes`},
		{"no such value", shop("action: deny"), `main.yaml:9: action: "deny" is unknown: want block, log`},
		{"number for truth", shop("cache:\n  enabled: 1"), `main.yaml:10: cache.enabled: "1" is a number: want true or false`},
		{"text for truth", shop("cache:\n  enabled: yes"), `main.yaml:10: cache.enabled: "yes" is text: want true or false`},
		{"text for a number", shop("cache: {waiters: many}"), `main.yaml:9: cache.waiters: "many" is no whole number`},
		{"fraction", shop("cache: {waiters: 1.5}"), `main.yaml:9: cache.waiters: "1.5" is no whole number`},
		{"octal", shop("cache: {waiters: 010}"), `main.yaml:9: cache.waiters: "010" is no whole number`},
		{"no coding", shop("compression: {codings: [br, deflate]}"), `main.yaml:9: compression.codings[1]: "deflate" is unknown: want br, zstd, gzip`},
		{"no media type", shop("compression: {types: [text/html, html]}"), `main.yaml:9: compression.types[1]: "html" does not fit: want a media type in lower case, such as text/html, or text/* for all of a kind`},
		{"no size", shop("compression: {min_length: small}"), `main.yaml:9: compression.min_length: "small" is no size: want bytes, or a number with KiB, MiB or GiB, such as 256MiB`},
		{"too low", shop("cache: {waiters: -1}"), `main.yaml:9: cache.waiters: "-1" is out of bounds: want a number of at least 0`},
		{"no time", shop("budget: {queue_timeout: 10}"), `main.yaml:9: budget.queue_timeout: "10" is no time: want a number with ms, s, m, h or d, such as 10s`},
		{"time below zero", shop("budget: {queue_timeout: -1s}"), `main.yaml:9: budget.queue_timeout: "-1s" is out of bounds: want a time of at least 0, such as 10s`},
		{"too many days", shop("https: {hsts: {max_age: 999999d}}"), `main.yaml:9: https.hsts.max_age: "999999d" is no time: want a number with ms, s, m, h or d, such as 10s`},
		{"rate", shop("limits: {requests: 50}"), `main.yaml:9: limits.requests: "50" is no rate: want requests per time, such as 50/s, 600/m or 100/10s, or off`},
		{"prefix", shop("lists: {deny: [192.0.2.1/24]}"), `main.yaml:9: lists.deny[0]: "192.0.2.1/24" has host bits set: did you mean 192.0.2.0/24, or 192.0.2.1 alone?`},
		{"no list file", shop(`lists: {deny: ["@none.txt"]}`), `main.yaml:9: lists.deny[0]: DIR/none.txt cannot be read: no such file or directory`},
		{"bad list file", shop(`lists: {deny: ["@bad.txt"]}`), `main.yaml:9: lists.deny[0]: DIR/bad.txt:2: "x" is not an address or prefix, such as 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32`},
		{"list value", shop("lists:\n  named:\n    - {name: a, kind: asn, values: [1, x]}"), `main.yaml:11: lists.named[0].values: "x" is not the number of an autonomous system, such as 64496 or AS64496`},
		{"list kind", shop("lists: {named: [{name: a, kind: ips}]}"), `main.yaml:9: lists.named[0].kind: "ips" is unknown: want ip, asn, host, country, fingerprint`},
		{"list without a kind", shop("lists: {named: [{name: a}]}"), `main.yaml:9: lists.named[0].kind: is missing: want ip, asn, host, country, fingerprint`},
		{"list name", shop("lists: {named: [{name: A, kind: ip}]}"), `main.yaml:9: lists.named[0].name: "A" does not fit: want at most 50 letters in lower case, digits and _, a letter first`},
		{"no PEM file", shop("https: {certificates: [{chain: none.pem, key: key.pem}]}"), `main.yaml:9: https.certificates[0].chain: DIR/none.pem cannot be read: no such file or directory`},
		{"no PEM in file", shop("https: {certificates: [{chain: bad.txt, key: key.pem}]}"), `main.yaml:9: https.certificates[0].chain: DIR/bad.txt holds no certificate in PEM form`},
		{"folder for PEM", shop("https: {certificates: [{chain: ., key: key.pem}]}"), `main.yaml:9: https.certificates[0].chain: DIR cannot be read: it is no regular file`},
		{"key for chain", shop("https: {certificates: [{chain: key.pem, key: key.pem}]}"), `main.yaml:9: https.certificates[0].chain: DIR/key.pem holds no certificate in PEM form`},
		{"chain for key", shop("https: {certificates: [{chain: chain.pem, key: chain.pem}]}"), `main.yaml:9: https.certificates[0].key: DIR/chain.pem holds no private key in PEM form`},
		{"chain without key", shop("https:\n  certificates:\n    - chain: chain.pem"), `main.yaml:11: https.certificates[0].key: is missing: want a file in PEM form, or its text`},
		{
			"key of another", shop("https:\n  certificates:\n    - chain: chain.pem\n      key: other.pem"),
			`main.yaml:12: https.certificates[0].key: the certificate and the key make no pair: private key does not match public key`,
		},
		{"TLS version", shop("https: {min_version: 1.1}"), `main.yaml:9: https.min_version: "1.1" is unknown: want 1.2, 1.3`},
		{"no authority of clients", shop("https: {client_certificates: {ca: key.pem}}"), `main.yaml:9: https.client_certificates.ca: DIR/key.pem holds no certificate in PEM form`},
		{"host with scheme", strings.Replace(good, "[shop.example]", `[a.example, "https://shop.example"]`, 1), `main.yaml:7: hosts[1]: "https://shop.example" does not fit: want a name without scheme and port, such as www.example.org, "*.example.org" for all below it, or "*" for all`},
		{"host with a star", strings.Replace(good, "[shop.example]", `[*.shop.example]`, 1), `main.yaml:7: hosts[0]: "*.shop.example" is an alias without an anchor: if it is meant as it stands, put it in quotes`},
		{"no host", strings.Replace(good, "[shop.example]", `[]`, 1), `main.yaml:7: hosts: has none: want at least one, such as [www.example.org], or ["*"] for all`},
		{"no origin", strings.Replace(good, "origin: {url: http://10.0.0.5:3000}", "action: log", 1), `main.yaml:6: origin.url: is missing: want the server to protect, such as http://10.0.0.5:3000`},
		{"no servers", strings.Replace(good, "{url: http://10.0.0.5:3000}", "{servers: []}", 1), `main.yaml:8: origin.url: is missing: want the server to protect, such as http://10.0.0.5:3000`},
		{"url and servers", strings.Replace(good, "{url: http://10.0.0.5:3000}", "{url: http://a, servers: [{url: http://b}]}", 1), `main.yaml:8: origin.url: stands beside servers: want one of them`},
		{"server without url", strings.Replace(good, "{url: http://10.0.0.5:3000}", "{servers: [{weight: 1}]}", 1), `main.yaml:8: origin.servers[0].url: is missing: want a server's address, such as http://10.0.0.5:3000, https://app.internal or unix:/run/app.sock`},
		{"weight", strings.Replace(good, "{url: http://10.0.0.5:3000}", "{servers: [{url: http://a, weight: 257}]}", 1), `main.yaml:8: origin.servers[0].weight: "257" is out of bounds: want a number from 0 to 256`},
		{"url", strings.Replace(good, "http://10.0.0.5:3000", "10.0.0.5:3000", 1), `main.yaml:8: origin.url: "10.0.0.5:3000" does not fit: want a server's address, such as http://10.0.0.5:3000, https://app.internal or unix:/run/app.sock`},
		{"url with a password", strings.Replace(good, "http://10.0.0.5:3000", "http://me:secret@a", 1), `main.yaml:8: origin.url: this does not fit: want a server's address, such as http://10.0.0.5:3000, https://app.internal or unix:/run/app.sock`},
		{"pool without a server", shop("pools: [{name: api}]"), `main.yaml:9: pools[0].origin.url: is missing: want the pool's server, such as http://10.0.0.7:3000`},
		{"pool without a name", shop("pools: [{origin: {url: http://a}}]"), `main.yaml:9: pools[0].name: is missing: want at most 64 letters, digits, dots, - and _`},
		{"pool's url", shop("pools: [{name: api, origin: {url: a}}]"), `main.yaml:9: pools[0].origin.url: "a" does not fit: want a server's address, such as http://10.0.0.5:3000, https://app.internal or unix:/run/app.sock`},
		{"pool of a rule", shop("rules: {http_request_origin: [{name: a, expression: ssl, action: route, route: {pool: a/b}}]}"), `main.yaml:9: rules.http_request_origin[0].route.pool: "a/b" does not fit: want at most 64 letters, digits, dots, - and _`},
		{"balance", strings.Replace(good, "{url: http://10.0.0.5:3000}", "{url: http://a, balance: random}", 1), `main.yaml:8: origin.balance: "random" is unknown: want round_robin, least_requests, source`},
		{"protocol", strings.Replace(good, "{url: http://10.0.0.5:3000}", "{url: http://a, protocol: http2}", 1), `main.yaml:8: origin.protocol: "http2" is unknown: want http/1.1, h2`},
		{"PROXY protocol", strings.Replace(good, "{url: http://10.0.0.5:3000}", "{url: http://a, proxy_protocol: v3}", 1), `main.yaml:8: origin.proxy_protocol: "v3" is unknown: want v1, v2`},
		{"statuses", strings.Replace(good, "{url: http://10.0.0.5:3000}", "{url: http://a, health: {status: 2xx}}", 1), `main.yaml:8: origin.health.status: "2xx" does not fit: want statuses, such as 200-399 or 200,204`},
		{"tag", shop("action: !!str log"), `main.yaml:9: action: tag "!!str" has no meaning here: leave it out`},
		{"alias", shop("action: *action"), `main.yaml:9: action: "*action" is an alias without an anchor: if it is meant as it stands, put it in quotes`},
		{"merge of nothing", shop("<<: 5"), `main.yaml:9: <<: merges a number: want an alias of keys with values, at most 2000000 of them in all`},
		{"two of one name", strings.Replace(good, "name: blog", "name: shop", 1), `main.yaml:9: name: DIR/main.yaml:6: has a zone "shop" already`},
		{"name", strings.Replace(good, "name: shop", "name: my shop", 1), `main.yaml:6: name: "my shop" does not fit: want at most 128 letters, digits, dots, - and _, and no dot first`},
	}
	chain, key := pair(t)
	_, other := pair(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := write(t, map[string]string{
				"main.yaml": tt.main, "bad.txt": "192.0.2.1\nx\n", "chain.pem": chain, "key.pem": key, "other.pem": other,
			})
			c, err := Load(dir + "/main.yaml")
			if err != nil {
				t.Fatal(err)
			}
			if c.NodeProblem != nil {
				t.Errorf("got problem of the node %v", c.NodeProblem)
			}
			if len(c.Refused) != 1 || len(c.Zones) != 1 {
				t.Fatalf("got %d zones, and refused %v, want one each", len(c.Zones), c.Refused)
			}
			got := strings.ReplaceAll(strings.TrimPrefix(c.Refused[0].Problem.Error(), dir+"/"), dir, "DIR")
			if got != tt.want {
				t.Errorf("\ngot  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestBadNode(t *testing.T) {
	tests := []struct{ name, node, want string }{
		{"unknown key", "conections: {}", `main.yaml:2: node.conections: is no key here: did you mean connections?`},
		{"in another section", "sample: 5", `main.yaml:2: node.sample: is no key here: did you mean log.sample?`},
		{"no section", "5", `main.yaml:2: node: is a number: want keys with values: name, http,`},
		{"no name", `name: ""`, `main.yaml:1: node.name: is missing: want a text`},
		{"admin", "admin: localhost", `main.yaml:2: node.admin: "localhost" does not fit: want an address and a port, such as 127.0.0.1:9901, or off`},
		{"listener", "http: [http]", `main.yaml:2: node.http[0]: "http" is no address to listen on: want a port, or an address and a port, such as 443, 192.0.2.1:443 or [2001:db8::1]:443`},
		{"sample", "log:\n  sample: 0", `main.yaml:3: node.log.sample: "0" is out of bounds: want a number of at least 1`},
		{"log field", "log: {fields: [time, user]}", `main.yaml:2: node.log.fields[1]: "user" is unknown: want time, id, zone,`},
		{"size", "cache: {size: 256MB}", `main.yaml:2: node.cache.size: "256MB" is no size: want bytes, or a number with KiB, MiB or GiB, such as 256MiB`},
		{"no size", "cache: {object: 0}", `main.yaml:2: node.cache.object: "0" is out of bounds: want a size of at least 1, such as 256MiB`},
		{"timeout", "connections: {head_timeout: 0s}", `main.yaml:2: node.connections.head_timeout: "0s" is out of bounds: want a time of more than 0, such as 10s`},
		{"email", "acme: {email: me}", `main.yaml:2: node.acme.email: "me" does not fit: want an address, such as ops@example.org`},
		{"secret", "acme: {authorities: [{directory: https://ca.example/dir, hmac: 'a b'}]}", `main.yaml:2: node.acme.authorities[0].hmac: this does not fit: want a key in base64url`},
		{"fingerprint", "tls: {deny_fingerprints: [t13d1516h2]}", `main.yaml:2: node.tls.deny_fingerprints[0]: "t13d1516h2" is not a JA4 fingerprint such as t13d1516h2_8daaf6152771_e5627efa2ab1: want 36 characters, have 10`},
		{"handshakes", "tls: {handshakes: {open: 0}}", `main.yaml:2: node.tls.handshakes.open: "0" is out of bounds: want a number of at least 1`},
		{"ECH", "tls:\n  ech:\n    - config: AEX+DQ==\n      key: AAAA", `main.yaml:4: node.tls.ech[0].config: is no ECHConfig of version 0xfe0d`},
		{"ECH without a key", "tls:\n  ech:\n    - config: AEX+DQ==", `main.yaml:4: node.tls.ech[0].key: is missing: want a text`},
		{"DNS server", "crawlers: {resolver: dns.example}", `main.yaml:2: node.crawlers.resolver: "dns.example" does not fit: want a DNS server's address, such as 127.0.0.1 or [2001:db8::53]:53`},
		{"crawler's directory", "crawlers: {known: [{name: a, agent: abc, directory: 'https://a/b'}]}", `main.yaml:2: node.crawlers.known[0].directory: "https://a/b" does not fit: want a host, such as bot.example.org`},
		{"node's rule without a name", "rules: {http_ratelimit: [{action: block, expression: ssl}]}", `main.yaml:2: node.rules.http_ratelimit[0].name: is missing: want at most 64 letters, digits, dots, - and _`},
		{"rule of a zone's phase", "rules: {http_request_origin: []}", `main.yaml:2: node.rules.http_request_origin: is no key here: want one of http_request_firewall_custom, http_ratelimit`},
		{"crawler without agent", "crawlers: {known: [{name: a}]}", `main.yaml:2: node.crawlers.known[0].agent: is missing: want 3 to 64 letters, digits and signs`},
		{"directory", "acme: {authorities: [{key_id: x}]}", `main.yaml:2: node.acme.authorities[0].directory: is missing: want the https URL of a directory, such as https://acme`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			main := strings.Replace(good, "  name: edge-1", "  "+strings.ReplaceAll(tt.node, "\n", "\n  "), 1)
			dir := write(t, map[string]string{"main.yaml": main})
			c, err := Load(dir + "/main.yaml")
			if err != nil {
				t.Fatal(err)
			}
			if c.NodeProblem == nil || len(c.Zones) != 2 {
				t.Fatalf("got %d zones and problem of the node %v, want 2 zones and a problem", len(c.Zones), c.NodeProblem)
			}
			if got := strings.TrimPrefix(c.NodeProblem.Error(), dir+"/"); !strings.HasPrefix(got, tt.want) {
				t.Errorf("\ngot  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestLoadFails(t *testing.T) {
	tests := []struct{ name, main, want string }{
		{"empty", "", `main.yaml: is empty`},
		{"comments only", "# nothing\n", `main.yaml: is empty`},
		{"text", "hello", `main.yaml:1: is text: want the keys node, defaults, zones_folder, zones`},
		{"syntax", good + "  - {name: x\n", `main.yaml:12:`},
		{"two documents", good + "---\nzones: []\n", `main.yaml:13: has a second document: want one, without ---`},
		{"not UTF-8", "node: {name: \xff}", `main.yaml: is no YAML: it is not in UTF-8`},
		{"unknown key", good + "zone: []\n", `main.yaml:12: zone: is no key here: want one of node, defaults, zones_folder, zones`},
		{"key twice", good + "node: {}\n", `main.yaml:12: node: stands in line 1 already`},
		{"bad defaults", strings.Replace(good, "limits", "limit", 1), `main.yaml:4: defaults.limit: is no key here: did you mean limits?`},
		{"defaults with hosts", strings.Replace(good, "limits: {requests: 100/s burst 400}", "hosts: [a.example]", 1), `main.yaml:4: defaults.hosts: is no key here`},
		{"zones are no list", "zones: {a: b}", `main.yaml:1: zones: is keys with values: want a list of zones, each beginning with - name:`},
		{"zone without name", strings.Replace(good, "- name: blog\n    ", "- ", 1), `main.yaml:9: zones: has a zone without a name: want name and hosts of each`},
		{"zone with empty name", strings.Replace(good, "blog\n", "\"\"\n", 1), `main.yaml:9: zones: has a zone without a name: want name and hosts of each`},
		{"zone is text", "zones:\n  - shop\n", `main.yaml:2: zones: has a zone without a name: want name and hosts of each`},
		{"no folder", good + "zones_folder: none\n", `main.yaml:12: zones_folder: DIR/none cannot be read: no such file or directory`},
		{"folder is a list", good + "zones_folder: [a]\n", `main.yaml:12: zones_folder: is a list: want a folder's path`},
		{"too deep in brackets", "zones: " + strings.Repeat("[", 100_000), `main.yaml:1: is nested more than 64 deep`},
		{"too deep in dashes", "zones:\n" + strings.Repeat("- ", 100_000), `main.yaml:2: is nested more than 64 deep`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := write(t, map[string]string{"main.yaml": tt.main})
			_, err := Load(dir + "/main.yaml")
			if _, ok := errors.AsType[*Problem](err); !ok {
				t.Fatalf("got error %v, want a Problem", err)
			}
			if got := strings.ReplaceAll(strings.TrimPrefix(err.Error(), dir+"/"), dir, "DIR"); !strings.HasPrefix(got, tt.want) {
				t.Errorf("\ngot  %s\nwant %s", got, tt.want)
			}
		})
	}
	if _, err := Load(t.TempDir() + "/none.yaml"); err == nil || !strings.HasSuffix(err.Error(), "/none.yaml: cannot be read: no such file or directory") {
		t.Errorf("got error %v of a missing file", err)
	}
}
