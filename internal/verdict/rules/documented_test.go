package rules

import (
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/rules"
)

// visit is a request of the tables of this file: a GET of https://www.example.org/ by 203.0.113.7, unless it says otherwise.
type visit struct {
	method, url, client string
	header              []string // as "Name: value"
	body                string
	location            located
	crawler             bool // a verified one
	port                uint16
	second              int64
	status              int // of the response, whose header is
	response            []flow.Field
}

func (v visit) flow() *flow.Flow {
	scheme, rest, _ := strings.Cut(or(v.url, "https://www.example.org/"), "://")
	host, _, _ := strings.Cut(rest, "/")
	f := request(strings.TrimPrefix(rest, host), v.header...)
	q := &f.Request
	q.Scheme, q.Host, q.Authority, q.Method = scheme, host, host, or(v.method, "GET")
	q.Client = netip.MustParseAddr(or(v.client, "203.0.113.7"))
	q.Locator, q.Length = v.location, int64(len(v.body))
	if v.second != 0 {
		q.Received = time.Unix(v.second, 0)
	}
	if v.port != 0 {
		f.Conn.Local = netip.AddrPortFrom(f.Conn.Local.Addr(), v.port)
	}
	f.Verdict.VerifiedBot = v.crawler
	f.Origin.Message = &flow.Message{Status: or(v.status, 200), Fields: v.response}
	return f
}

// or is a value, or what stands for one that is zero.
func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

// An example is an expression with a request for which it holds, and one for which it does not.
type example struct {
	expression string
	holds, not visit
}

func at(url string) visit                  { return visit{url: url} }
func with(header ...string) visit          { return visit{header: header} }
func by(client string) visit               { return visit{client: client} }
func sending(body string) visit            { return visit{method: "POST", body: body} }
func in(country string) visit              { return visit{location: located{Country: country}} }
func path(p string) visit                  { return at("https://www.example.org" + p) }
func asking(method, p string) visit        { v := path(p); v.method = method; return v }
func (v visit) and(header ...string) visit { v.header = header; return v }

// operatorExamples are those of Cloudflare's pages about operators and values, and a few for what stands there in words alone.
func operatorExamples() []example {
	return []example{
		{`http.request.uri.path eq "/articles/2008/"`, path("/articles/2008/"), path("/articles/2009/")},
		{`http.request.uri.path == "/articles/2008/"`, path("/articles/2008/"), path("/Articles/2008/")},
		{`ip.src ne 203.0.113.0`, by("203.0.113.1"), by("203.0.113.0")},
		{`ip.src != 203.0.113.0`, by("2001:db8::1"), by("203.0.113.0")},
		{`cf.edge.server_port lt 1024`, visit{port: 443}, visit{port: 1024}},
		{`cf.edge.server_port < 1024`, visit{port: 1023}, visit{port: 8443}},
		{`cf.edge.server_port le 1024`, visit{port: 1024}, visit{port: 1025}},
		{`cf.edge.server_port <= 1024`, visit{port: 1}, visit{port: 1025}},
		{`cf.edge.server_port gt 1024`, visit{port: 1025}, visit{port: 1024}},
		{`cf.edge.server_port > 1024`, visit{port: 8443}, visit{port: 443}},
		{`cf.edge.server_port ge 1024`, visit{port: 1024}, visit{port: 1023}},
		{`cf.edge.server_port >= 1024`, visit{port: 1025}, visit{port: 1023}},
		{`http.request.method lt "P"`, asking("GET", "/"), asking("PUT", "/")},
		{`http.request.uri.path contains "/articles/"`, path("/en/articles/1"), path("/en/Articles/1")},
		{`lower(http.request.uri.path) contains "/wp-login.php"`, path("/x/WP-Login.php"), path("/wp-login")},
		{`http.request.uri.path matches "^/articles/200[7-8]/$"`, path("/articles/2007/"), path("/articles/2009/")},
		{`http.request.uri.path ~ "^/articles/200[7-8]/$"`, path("/articles/2008/"), path("/articles/2008/x")},
		{`http.request.uri.query matches "a\"b"`, path(`/?a"b`), path("/?ab")},
		{`http.request.uri.query matches "a\"#b"`, path(`/?a"#b`), path(`/?a"b`)},
		{`http.request.uri.query matches r#"a"b"#`, path(`/?a"b`), path("/?ab")},
		{`http.request.uri.query matches r##"a"#b"##`, path(`/?a"#b`), path(`/?a"b`)},
		{`http.request.uri.path matches r"/api/login\.aspx$"`, path("/v1/api/login.aspx"), path("/api/loginxaspx")},
		{`url_decode(http.request.uri.path) matches "(?u)\p{Hangul}+"`, path("/%ed%95%9c"), path("/han")},
		{`ip.src in { 203.0.113.0 203.0.113.1 }`, by("203.0.113.1"), by("203.0.113.2")},
		{`http.host in {"example.com" "example.net"}`, at("https://example.net/"), at("https://www.example.net/")},
		{`ip.src in {198.51.100.1 198.51.100.3..198.51.100.7 192.0.2.0/24 2001:0db8::/32}`, by("198.51.100.5"), by("198.51.100.2")},
		{`cf.edge.server_port in {8000..8009 8080..8089}`, visit{port: 8085}, visit{port: 8010}},
		{`(ip.src in $office_network)`, visit{}, by("203.0.113.8")},
		{`http.request.full_uri wildcard "https://example.com/a/*"`, at("https://example.com/a/"), at("https://example.com/ab/")},
		{`http.request.full_uri wildcard "https://example.com/a/*"`, at("https://example.com/a/sub/folder/?name=value"), at("https://sub.example.com/a/")},
		{`http.request.full_uri wildcard "*.example.com/*/page.html"`, at("https://admin.example.com/team/subteam/page.html"), at("https://example.com/ab/page.html")},
		{`http.request.full_uri wildcard "*.example.com/*/page.html"`, at("http://sub.example.com/folder/page.html"), at("https://sub.example.com/folder2/page.html?s=value")},
		{`http.request.full_uri wildcard "*.example.com/*" or http.request.full_uri wildcard "http*://example.com/*"`,
			at("https://example.com/folder/list.htm"), at("https://example.org/folder/list.htm")},
		{`http.request.uri.path strict wildcard "/Apps/*"`, path("/Apps/x"), path("/apps/x")},
		{`http.request.uri.path wildcard r"/a\*b*"`, path("/a*b/x"), path("/axb/x")},
		{`not ( http.host eq "www.example.com" and ip.src in {203.0.113.0/24} )`, visit{}, at("https://www.example.com/")},
		{`! ssl`, at("http://www.example.org/"), visit{}},
		{`http.host eq "www.example.com" and ip.src in {203.0.113.0/24}`, at("https://www.example.com/"), visit{}},
		{`http.host eq "www.example.com" && ip.src in {198.51.100.0/24}`, visit{url: "https://www.example.com/", client: "198.51.100.1"}, at("https://www.example.com/")},
		{`http.host eq "www.example.com" xor ip.src in {203.0.113.0/24}`, visit{}, at("https://www.example.com/")},
		{`http.host eq "www.example.com" ^^ ip.src in {203.0.113.0/24}`, visit{url: "https://www.example.com/", client: "198.51.100.1"}, by("198.51.100.1")},
		{`http.host eq "www.example.com" or ip.src in {203.0.113.0/24}`, visit{}, by("198.51.100.1")},
		{`http.host eq "www.example.com" || ip.src in {203.0.113.0/24}`, at("https://www.example.com/"), by("198.51.100.1")},
		{`ssl and http.host eq "a.test" or http.host eq "b.test"`, at("http://b.test/"), at("http://a.test/")}, // and before or
		{`ssl and (http.host eq "a.test" or http.host eq "b.test")`, at("https://b.test/"), at("http://b.test/")},
		{`ip.src.asnum bitwise_and 4`, visit{location: located{ASN: 6}}, visit{location: located{ASN: 3}}},
		{`ip.src.asnum & 4`, visit{location: located{ASN: 4}}, visit{location: located{ASN: 8}}},
		{`ssl`, visit{}, at("http://www.example.org/")},
		{`not ssl`, at("http://www.example.org/"), visit{}},
		{`(
			(http.host eq "api.example.com" and http.request.uri.path eq "/api/v2/auth") or
			(http.host matches "^(www|store|blog)\.example\.com" and http.request.uri.path contains "wp-login.php") or
			ip.geoip.country in {"CN" "TH" "US" "ID" "KR" "MY" "IT" "SG" "GB"} or ip.geoip.asnum in {12345 54321 11111}
		) and not ip.src in {11.22.33.0/24}`, at("https://store.example.com/wp-login.php"), visit{client: "11.22.33.4", location: located{ASN: 12345}}},
		{`http.request.headers.names[0] == "Content-Type"`, with("Content-Type: a/b"), with("Accept: */*", "Content-Type: a/b")},
		{`any(http.request.headers.names[*] == "Content-Type")`, with("Accept: */*", "Content-Type: a/b"), with("content-type: a/b")},
		{`any(lower(http.request.headers.names[*])[*] == "content-type")`, with("Content-type: a/b"), with("Accept: content-type")},
		{`http.request.headers["accept"][0] == "application/json"`, with("Accept: application/json"), visit{}},
		{`any(http.request.headers["accept"][*] == "application/json")`, with("Accept: text/plain", "Accept: application/json"), with("Accept: text/plain")},
		{`len(http.request.uri.args["filter"][1]) eq 4`, path("/?filter=waf&filter=botm&filter=cdn"), path("/?filter=botm")},
		{`all(len(http.request.uri.args["filter"][*])[*] in {3 4})`, path("/?filter=waf&filter=botm&filter=cdn"), path("/?filter=waf&filter=cache")},
		{`all(not len(http.request.uri.args["filter"][*])[*] in {3 4})`, path("/?filter=cache"), path("/?filter=waf&filter=botm&filter=cdn")},
		{`len(http.request.uri.args["filter"]) >= 0`, path("/?filter=waf"), path("/?order=waf")},
		{`not len(http.request.uri.args["order"]) >= 0`, path("/?filter=waf"), path("/?order=")},
	}
}

// functionExamples are those of the page about functions.
func functionExamples() []example {
	token := at("https://www.example.org/download/cat.jpg?verify=1484063787-JcOQEFurDwNF66OcDJLopQxjsg3cB1KVO5%2BBFS9zZZ0%3D")
	token.second = 1484063787 + 99999
	late := token
	late.second++
	return []example{
		{`lower(http.host) == "www.example.com"`, at("https://WWW.Example.com/"), visit{}},
		{`upper(http.request.method) eq "GET"`, asking("get", "/"), asking("post", "/")},
		{`any(url_decode(http.request.body.form.values[*])[*] contains "an xss attack")`, sending("x=1&y=an+xss%20attack").and("Content-Type: " + urlencoded),
			sending("x=an+xss-attack").and("Content-Type: " + urlencoded)},
		{`url_decode(http.request.uri.query) eq "John Doe"`, path("/?John%20Doe"), path("/?John%2520Doe")},
		{`url_decode(http.request.uri.query) eq "John Doe"`, path("/?John+Doe"), path("/?JohnDoe")},
		{`url_decode(http.request.uri.query) eq "%20"`, path("/?%2520"), path("/?%20")},
		{`url_decode(http.request.uri.query, "r") eq " "`, path("/?%252520"), path("/?%2525")},
		{`url_decode(http.request.uri.query, "u") eq "\xe2\x98\x81"`, path("/?%u2601"), path("/?%2601")},
		{`url_decode(http.request.uri.query, "ur") eq "\xe2\x98\x81"`, path("/?%25u2601"), path("/?%25u260")},
		{`all(http.request.headers["content-type"][*] == "application/json")`, with("Content-Type: application/json"), with("Content-Type: application/json", "Content-Type: a/b")},
		{`cidr(ip.src, 24, 24) eq 113.10.0.0`, by("113.10.0.2"), by("113.10.1.2")},
		{`cidr(ip.src, 24, 24) eq 2001::`, by("2001:0000:130F:0000:0000:09C0:876A:130B"), by("2001:0100:130F::")},
		{`cidr6(ip.src, 24) eq 2001::`, by("2001:0000:130F:0000:0000:09C0:876A:130B"), by("2002::")},
		{`cidr6(ip.src, 24) eq 113.10.0.2`, by("113.10.0.2"), by("113.10.0.3")},
		{`concat("String1", " ", http.request.method, 2) eq "String1 GET2"`, visit{}, asking("PUT", "/")},
		{`concat("/", http.request.accepted_languages[0], http.request.uri.path) eq "//my-path"`, path("/my-path"), path("/my-path").and("Accept-Language: fr")},
		{`concat("/", http.request.accepted_languages[0], http.request.accepted_languages[1]) eq "/fr-CHen"`,
			with("Accept-Language: fr-CH, fr;q=0.8, en;q=0.9, de;q=0.7, *;q=0.5"), with("Accept-Language: fr-CH, fr;q=0.8")},
		{`len(concat(http.request.headers["a"], http.request.headers["b"])) eq 3`, with("a: 1", "b: 2", "A: 3"), with("a: 1", "c: 2", "b: 3")},
		{`(any(decode_base64(http.request.headers["client_id"][*])[*] eq "123abc"))`, with("client_id: MTIzYWJj"), with("client_id: 123abc")},
		{`encode_base64(http.request.uri.query) eq "aGVsbG8gd29ybGQ"`, path("/?hello world"), path("/?hello")},
		{`encode_base64(http.request.uri.query, "p") eq "aGVsbG8gd29ybGQ="`, path("/?hello world"), path("/?hello worlds")},
		{`encode_base64(http.request.uri.query, "u") eq "Pz8-"`, path("/???>"), path("/???")},
		{`encode_base64(sha256(concat(to_string(ip.src), to_string(http.request.timestamp.sec), "key"))) eq "X2YPwKEEfqv8D935LsajDVf2RWMED5H6g0Iu5nRd3Ow"`, visit{}, by("203.0.113.8")},
		{`ends_with(http.request.uri.path, ".html")`, path("/welcome.html"), path("/welcome.html.gz")},
		{`starts_with(http.request.uri.path, "/blog")`, path("/blog/first-post"), path("/a/blog")},
		{`has_key(http.request.headers, "x-my-header")`, with("X-My-Header: "), with("X-My: x-my-header")},
		{`has_key(http.request.headers, lower(http.request.uri.args.names[0]))`, path("/?X-Mine=1").and("x-mine: 2"), path("/?y=1&x-mine=1").and("x-mine: 2")},
		{`has_value(http.request.headers.names, "X-My-Header")`, with("X-My-Header: 1"), with("x-my-header: 1")},
		{`has_value(http.request.headers.names, http.request.uri.args.names[0])`, path("/?X-Mine=1").and("X-Mine: 2"), path("/").and("X-Mine: 2")},
		{`join(http.request.headers.names, ",") eq "A,B"`, with("A: 1", "B: 2"), with("B: 2", "A: 1")},
		{`join(http.request.headers.names, ",") eq ""`, visit{}, with("A: 1")},
		{`join(http.request.headers["x"], ",") eq "1"`, with("X: 1"), with("X: 1", "x: 2")},
		{`len(http.host) eq 11`, at("https://example.com/"), visit{}},
		{`lookup_json_integer(http.request.body.raw, "version") eq 2`, sending(`{ "record_id": "aed53a", "version": 2 }`), sending(`{ "version": 2.0 }`)},
		{`lookup_json_integer(http.request.body.raw, "product", "id") eq 356`, sending(`{ "product": { "id": 356 } }`), sending(`{ "product": 356 }`)},
		{`lookup_json_integer(http.request.body.raw, 1) eq -234`, sending(`["first_item", -234]`), sending(`["first_item", "-234"]`)},
		{`lookup_json_integer(http.request.body.raw, "network_ids", 0) eq 123`, sending(`{ "network_ids": [123, 456] }`), sending(`{ "network_ids": [456, 123] }`)},
		{`lookup_json_integer(http.request.body.raw, 1, "product_id") eq 456`, sending(`[{ "product_id": 123 }, { "product_id": 456 }]`), sending(`[{ "product_id": 456 }]`)},
		{`lookup_json_string(http.request.body.raw, "company") == "cloudflare"`, sending(`{ "company": "cloudflare", "product": "rulesets" }`), sending(`{ "company": "cloudflare"`)},
		{`lookup_json_string(http.request.body.raw, "network", "name") == "cloudflare"`, sending(`{ "network": { "name": "cloudflare" } }`), sending(`{ "name": "cloudflare" }`)},
		{`lookup_json_string(http.request.body.raw, 1) == "cloudflare"`, sending(`["other_company", "cloudflare"]`), sending(`["cloudflare"]`)},
		{`lookup_json_string(http.request.body.raw, "networks", 1) == "cloudflare"`, sending(`{ "networks": ["other", "cloudflare"] }`), sending(`{ "networks": { "1": "cloudflare" } }`)},
		{`lookup_json_string(http.request.body.raw, 1, "network") == "cloudflare"`, sending(`[{ "network": "other" }, { "network": "cloudflare" }]`), sending(`[1, { "network": ["cloudflare"] }]`)},
		{`remove_bytes(http.host, "\x2e\x77") eq "cloudflarecom"`, at("https://www.cloudflare.com/"), at("https://cloudflare.net/")},
		{`remove_query_args(http.request.uri.query, "country") eq "order=asc"`, path("/?order=asc&country=GB"), path("/?order=asc&Country=GB")},
		{`remove_query_args(http.request.uri.query, "search") eq "order=asc&country=GB"`, path("/?order=asc&country=GB"), path("/?country=GB&order=asc")},
		{`remove_query_args(http.request.uri.query, "order") eq "category=Foo&category=Bar"`, path("/?category=Foo&order=desc&category=Bar"), path("/?category=Foo&orders=1&category=Bar")},
		{`remove_query_args(raw.http.request.uri.query, "category") eq "order=desc"`, path("/?category=Foo&order=desc&category=Bar"), path("/?category&order=desc&x")},
		{`any(split(http.request.headers["x-categories"][0], ",", 64)[*] eq "diy")`, with("x-categories: groceries,electronics,diy,auto"), with("x-categories: groceries,diy auto")},
		{`split(http.request.headers["x-categories"][0], ",", 3)[2] eq "diy,auto"`, with("x-categories: groceries,electronics,diy,auto"), with("x-categories: groceries,electronics,diy")},
		{`split(http.request.headers["x-categories"][0], ",", 64)[1] eq ""`, with("x-categories: groceries,,electronics"), with("x-categories: groceries")},
		{`substring(http.request.body.raw, 2, 5) eq "dfg"`, sending("asdfghjk"), sending("dfg")},
		{`substring(http.request.body.raw, 2) eq "dfghjk"`, sending("asdfghjk"), sending("a")},
		{`substring(http.request.body.raw, -2) eq "jk"`, sending("asdfghjk"), sending("k")},
		{`substring(http.request.body.raw, 0, -2) eq "asdfgh"`, sending("asdfghjk"), sending("asdfgh")},
		{`to_string(cf.edge.server_port) eq "443"`, visit{}, visit{port: 80}},
		{`to_string(ssl) eq "true"`, visit{}, at("http://www.example.org/")},
		{`coalesce(http.request.headers["x"][0], "none") eq "none"`, visit{}, with("X: some")},
		{`len(uuidv4(cf.random_seed)) eq 36 and ssl`, visit{}, at("http://www.example.org/")},
		{`is_timed_hmac_valid_v0("mysecretkey", http.request.uri, 100000, http.request.timestamp.sec, 8)`, token, late},
	}
}

// useExamples are those of the pages about custom rules, rate limits, redirects, cache, origin and compression rules.
func useExamples() []example {
	login := asking("POST", "/login")
	login.status = 401
	protected := `(http.host eq "downloads.example.com" and not is_timed_hmac_valid_v0("mysecrettoken", http.request.uri, 10800, http.request.timestamp.sec, 8))`
	signed := visit{url: "https://downloads.example.com/images/cat.jpg?verify=1484063787-XsZ5NmtNBxOd4f4fBOtqVmpWRnDRNkHKVZieqDPKu3U%3D", second: 1484071925}
	expired := signed
	expired.second = 1484063787 + 10800
	return []example{
		{`(not ip.geoip.country in {"US" "MX"})`, in("DE"), in("MX")},
		{`(ip.src.continent eq "T1")`, visit{location: located{Continent: "T1"}}, in("US")},
		{`(ip.geoip.country in {"US" "MX"} and not cf.client.bot)`, in("US"), visit{location: located{Country: "US"}, crawler: true}},
		{`(cf.bot_management.verified_bot)`, visit{crawler: true}, visit{}},
		{`(ends_with(http.request.uri.path, "/autodiscover.xml") or ends_with(http.request.uri.path, "/autodiscover.src"))`, path("/x/autodiscover.src"), path("/autodiscover.xml/")},
		{`(http.request.uri.path matches "/autodiscover.(xml|src)$")`, path("/autodiscover.xml"), path("/autodiscover.html")},
		{protected, expired, signed},
		{`(http.host eq "downloads.example.com" and not is_timed_hmac_valid_v0("mysecrettoken", concat(substring(http.request.uri.path, 0, 15), "?", http.request.uri.query), 10800, http.request.timestamp.sec, 8))`,
			expired, signed},
		{`not (http.referer contains "example.com" or http.referer eq "www.example.net")`, visit{}, with("Referer: https://www.example.com/")},
		{`(http.cookie contains "devaccess=james" or http.cookie contains "devaccess=matt") and http.host eq "dev.www.example.com"`,
			at("https://dev.www.example.com/").and("Cookie: a=b; devaccess=matt"), at("https://dev.www.example.com/").and("Cookie: devaccess=eve")},
		{`not any(lower(http.request.headers.names[*])[*] eq "x-csrf-token") and (http.request.full_uri eq "https://www.example.com/somepath")`,
			at("https://www.example.com/somepath"), at("https://www.example.com/somepath").and("X-CSRF-Token: 1")},
		{`(http.host eq "www.example.org" and not cf.edge.server_port in {80 443})`, visit{port: 8080}, visit{port: 80}},
		{`(not ip.src in {10.20.30.40 192.168.1.0/24} and http.request.uri.path wildcard "/wp-admin/*")`, path("/WP-admin/x.php"), visit{url: "https://www.example.org/wp-admin/", client: "192.168.1.9"}},
		{`(http.request.method eq "POST" and http.request.uri.path matches "(comment|conversation|event|poll)/create" and not http.cookie matches "auth_session=[0-9a-zA-Z]{32}-[0-9]{10}-[0-9a-z]{6}")`,
			asking("POST", "/poll/create"), asking("POST", "/poll/create").and("Cookie: auth_session=0123456789abcdefABCDEF0123456789-1234567890-abc123")},
		{`(ip.geoip.asnum eq 64496 and cf.threat_score lt 14)`, visit{location: located{ASN: 64496}}, visit{location: located{ASN: 64497}}},
		{`(ip.src eq 203.0.113.1 and http.host eq "www.example.org")`, by("203.0.113.1"), visit{}},
		{`(http.request.uri.path eq "/login" and ip.src.country eq "US" and ip.src ne 192.0.0.1)`, visit{url: "https://www.example.org/login", location: located{Country: "US"}},
			visit{url: "https://www.example.org/login", location: located{Country: "US"}, client: "192.0.0.1"}},
		{`(http.request.uri.path contains "/product" and http.request.method eq "POST")`, asking("POST", "/en/product/1"), path("/product")},
		{`(http.request.uri.path eq "/store" or http.request.uri.path eq "/prices") and (http.host eq "mystore1.com" or http.host eq "mystore2.com") and not cf.client.bot`,
			at("https://mystore2.com/prices"), visit{url: "https://mystore2.com/prices", crawler: true}},
		{`(http.request.uri.path wildcard "/graphql/*")`, path("/GraphQL/x"), path("/graphql")},
		{`http.request.uri.path eq "/login" and http.request.method eq "POST" and http.response.code in {401 403}`, login, asking("POST", "/login")},
		{`http.response.code eq 403 and starts_with(http.request.uri.path, "/api/")`, visit{url: "https://www.example.org/api/1", status: 403}, visit{status: 403}},
		{`http.request.uri.path eq "/status" and http.request.method eq "GET" and not ip.src in $partner_ips`, visit{url: "https://www.example.org/status", client: "203.0.113.9"}, path("/status")},
		{`http.request.uri.path eq "/merchant" and http.request.uri.query contains "action=lookup_price"`, path("/merchant?action=lookup_price&product_id=215"), path("/merchant?action=buy")},
		{`http.request.uri.path eq "/merchant" and lookup_json_string(http.request.body.raw, "action") eq "lookup_price"`,
			visit{method: "POST", url: "https://api.store.com/merchant", body: `{ "action": "lookup_price", "product_id": 215 }`}, visit{method: "POST", url: "https://api.store.com/merchant", body: `{ "action": 1 }`}},
		{`http.request.uri.path eq "/graphql" and http.request.body.raw contains "createReview"`, visit{url: "https://www.example.org/graphql", body: `{"data":{"createReview":{}}}`}, path("/graphql")},
		{`not http.host in {"m.example.com"} and (http.user_agent contains "mobi" or http.user_agent contains "Mobi")`, with("User-Agent: Mobile"), at("https://m.example.com/").and("User-Agent: Mobile")},
		{`http.request.uri.path matches "^/[A-Za-z]{2}-[A-Za-z]{2}/"`, path("/pt-BR/meet-our-team"), path("/robots.txt")},
		{`(ip.src.country eq "GB" or ip.src.country eq "FR") and http.request.uri.path eq "/"`, in("FR"), in("US")},
		{`(lower(raw.http.request.full_uri) wildcard "*%2f*")`, path("/a%2Fb"), path("/a/b")},
		{`http.request.uri.path ~ "^/posts/[0-9]+-[0-9]+-[0-9]+-.*"`, path("/posts/2020-01-02-title"), path("/posts/title")},
		{`http.request.uri.path ~ "^/images/[^/]+/[^/]+/[^/]+$"`, path("/images/nature/animals/tiger.png"), path("/images/tiger.png")},
		{`raw.http.request.uri.path matches "^/uploads/.*"`, path("/uploads/example.jpg"), path("/x/uploads/")},
		{`(http.host contains "example.org" and http.cookie contains "test-cookie")`, with("Cookie: test-cookie=1"), with("Cookie: cookie=1")},
		{`http.request.uri.path.extension eq "csv"`, path("/data.CSV"), path("/csv")},
		{`http.response.content_type.media_type eq "image/avif"`, visit{response: []flow.Field{{Name: "Content-Type", Value: "image/AVIF; q=1"}}}, visit{}},
		{`http.request.version in {"HTTP/1.0" "HTTP/1.1"} or http.request.version eq "HTTP/2" and ssl`, visit{}, at("http://www.example.org/")},
		{`cf.tls_version ne "TLSv1.3" and ssl or cf.tls_client_hello_length lt 100 or not ssl`, at("http://www.example.org/"), visit{}},
	}
}

// TestDocumented has every example expression of Cloudflare's documentation that means something here hold, and not hold, as is documented there.
func TestDocumented(t *testing.T) {
	room := New()
	for kind, examples := range map[string][]example{"operators": operatorExamples(), "functions": functionExamples(), "uses": useExamples()} {
		for _, tt := range examples {
			t.Run(kind+"/"+tt.expression, func(t *testing.T) {
				if !matches(t, room, tt.expression, tt.holds.flow(), tt.holds.body) {
					t.Errorf("does not hold for %+v", tt.holds)
				}
				if matches(t, room, tt.expression, tt.not.flow(), tt.not.body) {
					t.Errorf("holds for %+v", tt.not)
				}
			})
		}
	}
}

// valueExamples are value expressions, with what they make of a request, and of another that they leave as it is or treat otherwise.
func valueExamples() []valueExample {
	const posts, locale = `"^/posts/([0-9]+)-([0-9]+)-([0-9]+)-(.*)$", "/posts/${1}/${2}/${3}/${4}"`, `"^/[A-Za-z]{2}-[A-Za-z]{2}/(.*)", "/${1}"`
	return []valueExample{
		{`regex_replace(http.request.uri.path, "/bar$", "/baz")`, path("/foo/bar"), "/foo/baz", path("/foo/bar/"), "/foo/bar/"},
		{`regex_replace(http.request.uri.path, "^/y$", "/mumble")`, path("/y"), "/mumble", path("/x"), "/x"},
		{`regex_replace(http.request.uri.path, "^/FOO$", "/x")`, path("/FOO"), "/x", path("/foo"), "/foo"},
		{`regex_replace(http.request.uri.path, "/a", "/b")`, path("/a/a"), "/b/a", path("/c"), "/c"},
		{`regex_replace(http.request.uri.path, "^/b$", "/b$$")`, path("/b"), "/b$", path("/bb"), "/bb"},
		{`regex_replace(http.request.uri.path, "^/foo/([^/]*)/(.*)$", "/bar/${2}/${1}")`, path("/foo/a/path"), "/bar/path/a", path("/foo/a"), "/foo/a"},
		{`regex_replace(http.host, "a", "\\")`, at("https://ba.test/"), `b\.test`, at("https://b.test/"), "b.test"},
		{`regex_replace(http.request.uri.query, "\\\\", "a")`, path(`/?x\y`), "xay", path("/?xy"), "xy"},
		{`regex_replace(http.request.uri.query, r"\\", "a")`, path(`/?x\y`), "xay", path("/?xy"), "xy"},
		{`regex_replace(http.request.uri.path, ` + posts + `)`, path("/posts/2020-01-02-title"), "/posts/2020/01/02/title", path("/posts/title"), "/posts/title"},
		{`regex_replace(http.request.uri.path, ` + locale + `)`, path("/en-us/calendar"), "/calendar", path("/robots.txt"), "/robots.txt"},
		{`regex_replace(http.request.uri.path, "^/images/[^/]+/[^/]+/(.+)$", "/img/${1}")`, path("/images/nature/animals/tiger.png"), "/img/tiger.png", path("/images/x"), "/images/x"},
		{`regex_replace(raw.http.request.uri.path, "^/uploads/", "/")`, path("/uploads/example.jpg"), "/example.jpg", path("/x/uploads/"), "/x/uploads/"},
		{`wildcard_replace(http.request.full_uri, "https://*.example.com/*/*", "https://example.com/${1}/${2}/${3}")`, at("https://apps.example.com/calendar/admin?expand=true"),
			"https://example.com/apps/calendar/admin?expand=true", at("https://example.com/x/y"), "https://example.com/x/y"},
		{`wildcard_replace(http.request.full_uri, "/applications/*", "/apps/${1}")`, at("https://example.com/applications/app1"), "https://example.com/applications/app1",
			at("https://example.com/"), "https://example.com/"},
		{`wildcard_replace(http.request.uri.path, "/*", "/apps/${1}")`, path("/calendar"), "/apps/calendar", path("/"), "/apps/"},
		{`wildcard_replace(http.request.uri.path, "/apps/*", "/${1}")`, path("/Apps/calendar"), "/calendar", path("/app/calendar"), "/app/calendar"},
		{`wildcard_replace(http.request.uri.path, "/apps/*", "/${1}", "s")`, path("/apps/calendar"), "/calendar", path("/Apps/calendar"), "/Apps/calendar"},
		{`wildcard_replace(http.request.uri.path, "/apps/*/login", "/${1}/login")`, path("/apps/calendar/login"), "/calendar/login", path("/apps/login"), "/apps/login"},
		{`wildcard_replace(http.request.full_uri, r"http*://smallshop.example.com/*", r"https://globalstore.example.net/${2}")`, at("http://smallshop.example.com/admin/?a=1"),
			"https://globalstore.example.net/admin/?a=1", at("http://example.com/about/"), "http://example.com/about/"},
		{`wildcard_replace(http.request.uri.path, "/news/2012/*", "/archive/news/2012/${1}")`, path("/news/2012/a"), "/archive/news/2012/a", path("/news/2013/a"), "/news/2013/a"},
		{`url_decode(http.request.uri.path)`, path("/a%2Fb"), "/a/b", path("/ab"), "/ab"},
		{`lower(concat("https://", ip.src.country, ".example.com"))`, in("GB"), "https://gb.example.com", in("FR"), "https://fr.example.com"},
		{`concat("https://m.example.com", http.request.uri.path)`, path("/a?b"), "https://m.example.com/a", visit{}, "https://m.example.com/"},
		{`encode_base64("hello world", "p")`, visit{}, "aGVsbG8gd29ybGQ=", path("/x"), "aGVsbG8gd29ybGQ="},
		{`to_string(cf.threat_score)`, visit{}, "0", path("/x"), "0"},
	}
}

type valueExample struct {
	expression string
	visit      visit
	want       string
	other      visit
	wantOther  string
}

func TestDocumentedValues(t *testing.T) {
	room := New()
	scheme, err := room.scheme(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range valueExamples() {
		t.Run(tt.expression, func(t *testing.T) {
			value, err := rules.CompileValue(scheme, tt.expression)
			if err != nil {
				t.Fatal(err)
			}
			for _, of := range []struct {
				visit
				want string
			}{{tt.visit, tt.want}, {tt.other, tt.wantOther}} {
				j := room.judge(scheme)
				j.begin(of.flow())
				if got, ok := value.Append(nil, j.machine); !ok || string(got) != of.want {
					t.Errorf("%s: got %q, %v, want %q", of.url, got, ok, of.want)
				}
			}
		})
	}
}

// TestDocumentedAll: docs/rules.md has every operator and every function, as package rules sees to, and these tables have what that has.
func TestDocumentedAll(t *testing.T) {
	page, err := os.ReadFile("../../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	var operators, functions strings.Builder
	for _, e := range operatorExamples() {
		operators.WriteString(e.expression + "\n")
	}
	for _, e := range functionExamples() {
		functions.WriteString(e.expression + "\n")
	}
	for _, e := range valueExamples() {
		functions.WriteString(e.expression + "\n")
	}
	plain := strings.NewReplacer("&#124;", "|", "<code>", "`", "</code>", "`")
	section := func(title string) string {
		_, after, _ := strings.Cut(string(page), "\n## "+title+"\n")
		text, _, _ := strings.Cut(after, "\n## ")
		return plain.Replace(text)
	}
	words := 0
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?) \\| (.*?) \\|").FindAllStringSubmatch(section("Operators"), -1) {
		for _, word := range regexp.MustCompile("`([a-z_ ]+|[^a-z `]+)`?").FindAllStringSubmatch(strings.ReplaceAll(row[1]+" "+row[2], "…}", ""), -1) {
			words++
			if name := strings.Trim(word[1], " {$"); !strings.Contains(operators.String(), name+" ") {
				t.Errorf("operator %s is in no example", name)
			}
		}
	}
	for _, name := range regexp.MustCompile("`([a-z_0-9]+)\\(").FindAllStringSubmatch(section("Functions"), -1) {
		words++
		if !strings.Contains(functions.String(), name[1]+"(") {
			t.Errorf("function %s is in no example", name[1])
		}
	}
	if words < 50 {
		t.Errorf("found only %d operators and functions in docs/rules.md", words)
	}
}
