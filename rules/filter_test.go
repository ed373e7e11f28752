package rules_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/seawall/seawall/rules"
)

// Every operator, type and rule of missing values, with what is and what is not.
func TestMatch(t *testing.T) {
	tests := []struct {
		text string
		want bool
	}{
		{`http.request.method eq "GET"`, true},
		{`http.request.method == "get"`, false},
		{`http.request.method ne "POST"`, true},
		{`http.request.method != "GET"`, false},
		{`http.request.method lt "H"`, true},
		{`http.request.method < "GET"`, false},
		{`http.request.method le "GET"`, true},
		{`http.request.method >= "GET"`, true},
		{`http.request.method gt "GET"`, false},
		{`http.request.method gt "G"`, true},
		{`lower(http.request.method) lt "h"`, true},
		{`ip.src.asnum eq 64500`, true},
		{`ip.src.asnum eq -64500`, false},
		{`ip.geoip.asnum == 64500`, true},
		{`ip.src.asnum ne 64500`, false},
		{`ip.src.asnum lt 64501`, true},
		{`ip.src.asnum lt 64500`, false},
		{`ip.src.asnum <= 64500`, true},
		{`ip.src.asnum > 64499`, true},
		{`ip.src.asnum gt 64500`, false},
		{`ip.src.asnum ge 64501`, false},
		{`ip.src.asnum lt -9223372036854775808`, false},
		{`ip.src.asnum gt 9223372036854775807`, false},
		{`ip.src.asnum ge -9223372036854775808`, true},
		{`ip.src.asnum bitwise_and 4`, true},
		{`ip.src.asnum & 3`, false},
		{`ip.src eq 203.0.113.7`, true},
		{`ip.src eq ::ffff:203.0.113.7`, true},
		{`ip.src ne 203.0.113.7`, false},
		{`ip.src ne 203.0.113.8`, true},
		{`ip.src in {203.0.113.0/24}`, true},
		{`ip.src in {198.51.100.1 203.0.113.3..203.0.113.6 2001:db8::/32}`, false},
		{`ip.src in {198.51.100.1 203.0.113.3..203.0.113.7}`, true},
		{`ip.src in {::/0}`, false},
		{`ip.src in {::ffff:203.0.0.0/104}`, true},
		{`ip.src in $office`, true},
		{`ip.src.asnum in $office`, true},
		{`http.request.method in $office`, true},
		{`http.host in $office`, false},
		{`lower(http.host) in $office`, true},
		{`ip.src.asnum in {1..64499 64501..70000}`, false},
		{`ip.src.asnum in {5 1..64500 64501..70000}`, true},
		{`http.request.method in {"POST" "GET" "GET"}`, true},
		{`http.request.method in {"POST" "get"}`, false},
		{`lower(http.request.method) in {"POST" "get"}`, true},
		{`http.request.uri.path contains "First"`, true},
		{`http.request.uri.path contains "first"`, false},
		{`lower(http.request.uri.path) contains "first"`, true},
		{`http.request.uri.path contains ""`, true},
		{`http.request.uri.path matches "^/blog/[A-Z]"`, true},
		{`http.request.uri.path ~ r"\.html$"`, true},
		{`http.request.uri.path matches "\.html$"`, true},
		{`http.request.uri.path matches "post\"|\.php$"`, false},
		{`http.request.uri.path matches "(?i)FIRST"`, true},
		{`lower(http.request.uri.path) matches "FIRST"`, false},
		{`http.host wildcard "www.example.*"`, true},
		{`http.host strict wildcard "www.example.*"`, false},
		{`http.host strict
		  wildcard "*Example*"`, true},
		{`http.host wildcard "*EXAMPLE"`, false},
		{`http.host wildcard "www.example.com"`, true},
		{`http.host wildcard "*.*.com"`, true},
		{`http.host wildcard "*.*.*.com"`, false},
		{`http.host wildcard "www.*www.example.com"`, false},
		{`http.host wildcard r"www\*"`, false},
		{`ssl`, true},
		{`not ssl`, false},
		{`!ssl`, false},
		{`not not ssl`, true},
		{`true`, true},
		{`false or not ssl`, false},
		{`ssl and http.request.method eq "GET"`, true},
		{`ssl && http.request.method eq "POST"`, false},
		{`not ssl || http.request.method eq "GET"`, true},
		{`ssl xor ssl`, false},
		{`ssl ^^ not ssl`, true},
		{`ssl xor ssl xor ssl`, true},
		{`not ssl and not ssl or ssl`, true},        // or binds loosest
		{`ssl or ssl and not ssl`, true},            //
		{`(ssl or ssl) and not ssl`, false},         //
		{`ssl xor ssl and not ssl`, true},           // and before xor
		{`ssl or ssl xor ssl`, true},                // xor before or
		{`not http.request.method eq "GET"`, false}, // not binds tightest, but looser than a comparison
		{`true xor ssl`, false},
		{`true xor ssl xor true`, true},
		{`ssl and true xor false`, true}, //
		{`http.request.headers["accept"][0] eq "text/html"`, true},
		{`http.request.headers["accept"][1] eq "image/webp"`, true},
		{`http.request.headers["Accept"][0] eq "text/html"`, false},
		{`any(http.request.headers["accept"][*] contains "webp")`, true},
		{`all(http.request.headers["accept"][*] contains "webp")`, false},
		{`all(http.request.headers["accept"][*] contains "e")`, true},
		{`any(http.request.headers[*][*] eq "a=1")`, true},
		{`any(http.request.headers[*][*] eq "a=2")`, false},
		{`any(http.request.headers.names[*] == "Cookie")`, true},
		{`any(lower(http.request.headers.names[*])[*] == "COOKIE")`, false},
		{`any(upper(http.request.headers.names[*])[*] == "COOKIE")`, true},
		{`any(not http.request.headers.names[*] == "Accept")`, true},
		{`all(http.request.headers.names[*] == "Accept" or http.request.headers.names[*] matches "^[a-zC]")`, true},
		{`any(http.request.headers.names[*] == "Accept" and http.request.headers.names[*] == "Cookie")`, false},
		{`lower(http.request.headers.names[*])[2] eq "accept"`, true},
		{`lower(http.request.headers.names[*])[4] eq "accept"`, false},
		{`any(ids[*] gt 14)`, true},
		{`any(ids[*] gt 15)`, false},
		{`all(ids[*] in {3 14..15})`, true},
		{`any(parts[*][0] eq "file")`, true},
		{`all(parts[*][0] ne "")`, false}, // the second has no first
		{`any(parts[*][*] eq "x")`, true},
		{`any(flags)`, true},
		{`all(flags)`, false},
		{`any(flags[*])`, true},
		{`flags[0]`, true},
		{`flags[1]`, false},
		{`scores["cats"] lt 30`, true},
		{`scores["dogs"] eq -5`, true},
		{`any(scores[*] lt 0)`, true},
		{`any(concat(http.request.headers.names[*], to_string(any(ids[*] eq 3)))[*] eq "Cookietrue"
		  and concat(http.request.headers.names[*], to_string(any(ids[*] eq 3)))[*] contains "Cookie")`, true},
		{`has_key(http.request.headers, "accept")`, true},
		{`has_key(http.request.headers, "Accept")`, false},
		{`has_key(http.request.headers, lower(http.request.headers.names[0]))`, true},
		{`has_key(http.request.headers, http.request.method)`, false},
		{`has_key(http.request.headers, http.user_agent)`, false},
		{`len(concat(http.request.headers["accept"], http.request.headers["x"], http.request.headers.names)) eq 6`, true},
		{`any(concat(http.request.headers["cookie"], http.request.headers["accept"])[*] eq "image/webp")`, true},
		{`any(concat(http.request.headers["cookie"], http.request.headers["accept"])[*] eq "Cookie")`, false},
		{`concat(split(http.host, ".", 2), http.request.headers.names)[1] eq "Example.com"`, true},
		{`http.request.uri.path matches "(?u)^/blog/\p{Lu}"`, true},
		{`http.request.uri.path matches "(?iu)^/BLOG/"`, true},
		{`http.request.uri.path matches "(?u)[(?u]$"`, false},
		{`has_key(scores, "cats")`, true},
		{`has_value(http.request.headers, "a=1")`, true},
		{`has_value(http.request.headers["accept"], "a=1")`, false},
		{`has_value(scores, -5)`, true},
		{`has_value(split(http.request.uri.query, "&"), "country=GB")`, true},
		{`has_value(lower(http.request.headers.names[*]), "cookie")`, true},
		{`has_value(http.request.headers["x"], "a=1")`, false},
		{`not has_value(http.request.headers["x"], "a=1")`, true},
		{`starts_with(http.request.uri.path, "/blog")`, true},
		{`starts_with(http.request.uri.path, "/Blog")`, false},
		{`ends_with(lower(http.request.uri.path), "post.html")`, true},
		{`ends_with(http.request.uri.path, substring(http.request.uri.path, -5))`, true},
		{`starts_with(http.request.uri.path, lower(http.request.uri.path))`, false},
		{`starts_with(http.request.method, http.request.uri.path)`, false},
		{`any(starts_with(http.request.headers.names[*], "Coo"))`, true},
		{`starts_with(http.host, decode_base64(concat("!")))`, false},
		{`lookup_json_integer(http.request.body.raw, "product", "id") in {1..400}`, true},
		{`len(http.request.headers["accept"]) >= 0`, true},
		{`not len(http.request.headers["order"]) >= 0`, true},
		{`all(len(http.request.headers.names[*])[*] in {5 6})`, true},
		// What is missing.
		{`http.user_agent eq ""`, false},
		{`http.user_agent ne "x"`, false},
		{`not http.user_agent eq ""`, true},
		{`http.user_agent in {""}`, false},
		{`http.request.headers["x"][0] ne "y"`, false},
		{`http.request.headers["accept"][2] ne "y"`, false},
		{`any(http.request.headers["x"][*] ne "y")`, false},
		{`all(http.request.headers["x"][*] eq "y")`, true}, // nothing is what it should not be
		{`scores["birds"] lt 1`, false},
		{`flags[2]`, false},
		{`not flags[2]`, true},
		{`lower(http.user_agent) ne "x"`, false},
		{`http.response.code lt 600`, false},
	}
	m := machine(t, visit())
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			f := compile(t, tt.text)
			if got := f.Match(m); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// Every function, at its limits.
func TestFunctions(t *testing.T) {
	tests := []struct {
		text, want string // want "-" is missing
	}{
		{`lower("ÄBC")`, "Äbc"},
		{`upper("äbc-1")`, "äBC-1"},
		{`concat("/x", http.request.uri.path)`, "/x/blog/First%20post.html"},
		{`concat("n", 5, -7)`, "n5-7"},
		{`concat("/", http.user_agent, "/")`, "//"},
		{`concat(lower(http.host), upper(http.host))`, "www.example.comWWW.EXAMPLE.COM"},
		{`to_string(ip.src.asnum)`, "64500"},
		{`to_string(ssl)`, "true"},
		{`to_string(ip.src)`, "203.0.113.7"},
		{`to_string(http.response.code)`, "-"},
		{`to_string(len("four"))`, "4"},
		{`to_string(len(http.request.headers["accept"]))`, "2"},
		{`to_string(len(http.request.headers["x"]))`, "-"},
		{`to_string(len(http.request.headers.names))`, "4"},
		{`to_string(len(lower(http.request.headers.names[*])))`, "4"},
		{`to_string(len(http.request.headers.names[*])[1])`, "6"},
		{`to_string(cidr(ip.src, 24, 64))`, "203.0.113.0"},
		{`to_string(cidr(ip.src, 1, 64))`, "128.0.0.0"},
		{`to_string(cidr6(ip.src, 24))`, "203.0.113.7"},
		{`substring("asdfghjk", 2, 5)`, "dfg"},
		{`substring("asdfghjk", 2)`, "dfghjk"},
		{`substring("asdfghjk", -2)`, "jk"},
		{`substring("asdfghjk", 0, -2)`, "asdfgh"},
		{`substring("asdf", 3, 1)`, ""},
		{`substring("asdf", -9, 9)`, "asdf"},
		{`decode_base64(concat("MTIzYWJj"))`, "123abc"},
		{`decode_base64(concat("MTIzYQ=="))`, "123a"},
		{`decode_base64(concat("MTIzYQ"))`, "123a"},
		{`decode_base64(http.host)`, "-"},
		{`encode_base64("hello world")`, "aGVsbG8gd29ybGQ"},
		{`encode_base64("hello world", "p")`, "aGVsbG8gd29ybGQ="},
		{`encode_base64("\xfb\xff", "u")`, "-_8"},
		{`encode_base64("\xfb\xff", "up")`, "-_8="},
		{`encode_base64("\xfb\xff")`, "+/8"},
		{`encode_base64(sha256("abc"))`, "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0"},
		{`remove_bytes("www.cloudflare.com", "\x2e\x77")`, "cloudflarecom"},
		{`remove_query_args(http.request.uri.query, "order")`, "country=GB"},
		{`remove_query_args(http.request.uri.query, "country")`, "order=asc&order=desc"},
		{`remove_query_args(http.request.uri.query, "country", "order")`, ""},
		{`remove_query_args(http.request.uri.query, "search")`, "order=asc&country=GB&order=desc"},
		{`url_decode(http.request.uri.path)`, "/blog/First post.html"},
		{`url_decode(concat("John%20Doe+"))`, "John Doe "},
		{`url_decode(concat("%2520%2"))`, "%20%2"},
		{`url_decode(concat("%2520%2%35"), "r")`, " %"},
		{`url_decode(concat("%2541%zz%"))`, "%41%zz%"},
		{`url_decode(concat("%E4%BD%a0"))`, "你"},
		{`url_decode(concat("%u2601"))`, "%u2601"},
		{`url_decode(concat("%u2601%U00e4%ud83d"), "u")`, "☁ä%ud83d"},
		{`url_decode(concat("%u002541"), "u")`, "%41"},
		{`url_decode(concat("%u002541"), "ur")`, "A"},
		{`join(http.request.headers.names, ", ")`, "Accept, Cookie, accept, empty"},
		{`join(http.request.headers["cookie"], ",")`, "a=1"},
		{`join(http.request.headers["x"], ",")`, "-"},
		{`join(upper(http.request.headers.names[*]), "+")`, "ACCEPT+COOKIE+ACCEPT+EMPTY"},
		{`split("a,,b", ",", 64)[2]`, "b"},
		{`split("a,,b", ",", 2)[1]`, ",b"},
		{`split("a,,b", ",")[1]`, ""},
		{`split("a,,b", ",", 1)[0]`, "a,,b"},
		{`split("a", ",", 4)[1]`, "-"},
		{`join(split(lower(http.host), "."), "/")`, "www/example/com"},
		{`lookup_json_string(http.request.body.raw, "company")`, "acme"},
		{`lookup_json_string(http.request.body.raw, "product", "tags", 1)`, "b"},
		{`lookup_json_string(http.request.body.raw, "product", "tags", 2)`, "-"},
		{`lookup_json_string(http.request.body.raw, "product", "id")`, "-"},
		{`to_string(lookup_json_integer(http.request.body.raw, "product", "id"))`, "356"},
		{`to_string(lookup_json_integer(http.request.body.raw, "price"))`, "-"},
		{`coalesce(http.user_agent, http.request.headers["x"][0], "none")`, "none"},
		{`coalesce(http.host, "none")`, "www.Example.com"},
		{`regex_replace("/foo/bar", "/bar$", "/baz")`, "/foo/baz"},
		{`regex_replace("/x", "^/y$", "/mumble")`, "/x"},
		{`regex_replace("/foo", "^/FOO$", "/x")`, "/foo"},
		{`regex_replace("/a/a", "/a", "/b")`, "/b/a"},
		{`regex_replace("/b", "^/b$", "/b$$")`, "/b$"},
		{`regex_replace("/foo/a/path", "^/foo/([^/]*)/(.*)$", "/bar/${2}/${1}")`, "/bar/path/a"},
		{`regex_replace("a", "(b)|a", "<${1}>")`, "<>"},
		{`regex_replace(lower(http.host), r"^www\.", "")`, "example.com"},
		{`wildcard_replace(http.host, "*.example.*", "${2}/${1}")`, "com/www"},
		{`wildcard_replace(http.host, "*.example.*", "${2}/${1}", "s")`, "www.Example.com"},
		{`wildcard_replace(http.host, "*.Example.*", "$$${0}", "s")`, "$www.Example.com"},
		{`wildcard_replace(http.request.uri.path, "/*", "/apps/${1}")`, "/apps/blog/First%20post.html"},
		{`uuidv4(lower(http.request.uri.path))`, "2f626c6f-672f-4669-b273-74253230706f"},
	}
	m := machine(t, visit())
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			r, err := rules.CompileValue(scheme(t), tt.text)
			if err != nil {
				t.Fatal(err)
			}
			b, ok := r.Append(nil, m)
			got := string(b)
			if !ok {
				got = "-"
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// What is wrong is said at the column where it is, with what would be right.
func TestErrors(t *testing.T) {
	tests := []struct {
		text, want string
	}{
		{``, `column 1: the expression is empty`},
		{`http.hots eq "x"`, `column 1: unknown field http.hots: did you mean http.host?`},
		{`ssl and lwoer(http.host) eq "x"`, `column 9: unknown function lwoer: did you mean lower?`},
		{`http.host eq`, `column 13: found the end: want a value`},
		{`http.host = "x"`, `column 11: found '=': did you mean ==?`},
		{`http.host eq 'x'`, `column 14: found '\'': strings stand in "`},
		{`http.host eq "x`, `column 14: the string has no end: want "`},
		{`http.host eq r#"x"`, `column 14: the string has no end: want "#`},
		{`http.host eq r` + strings.Repeat("#", 256) + `""`, `column 14: a raw string has at most 255 #`},
		{`http.host eq "a\n"`, `column 16: found an unknown escape: want \", \\, \xHH or \OOO, or a raw string r"…"`},
		{`http.host eq 5`, `column 14: found 5: want a string in "`},
		{`http.host eq http.referer`, `column 14: found http.referer: want a literal right of eq`},
		{`"x" eq "y"`, `column 1: a literal stands right of eq: want a field or a function left of it`},
		{`http.host`, `column 1: http.host has type String: want a Boolean: put an operator behind it, like eq`},
		{`ssl eq true`, `column 1: a Boolean is not compared: write ssl, or not ssl`},
		{`ip.src lt 1.2.3.4`, `column 1: lt does not work on a value of type IP address`},
		{`ip.src eq 1.2.3.0/24`, `column 11: found 1.2.3.0/24: want an IP address: prefixes stand right of in, between { and }`},
		{`ip.src in {1.2.3.4/24}`, `column 12: 1.2.3.4/24 has bits behind its length: want 1.2.3.0/24`},
		{`ip.src in {1.2.3.4, 1.2.3.5}`, `column 19: found a comma: want a space between elements`},
		{`ip.src in 1.2.3.4`, `column 11: found 1.2.3.4: want { or $ behind in`},
		{`ssl | ssl`, `column 5: found '|': did you mean ||?`},
		{`ssl ^ ssl`, `column 5: found '^': did you mean ^^?`},
		{`ssl in {"a"}`, `column 1: in does not work on a value of type Boolean`},
		{`ssl in $office`, `column 1: in does not work on a value of type Boolean`},
		{`ip.src in {"a"}`, `column 12: found "a": want an IP address`},
		{`http.host in {"a" 5}`, `column 19: found 5: want a string in "`},
		{`ip.src in {1.2.3.4/33}`, `column 12: 1.2.3.4/33 is no IP prefix`},
		{`ip.src in {fe80::1%eth0}`, `column 12: fe80::1%eth0 is no IP address`},
		{`http.host contains 5`, `column 20: found 5: want a string in "`},
		{`not http.host`, `column 5: http.host has type String: want a Boolean: put an operator behind it, like eq`},
		{`ids`, `column 1: ids has type Array<Integer>: want a Boolean`},
		{`http.request.headers[*]["x"] eq "x"`, `column 1: [*] of a map of arrays wants another [*] behind it`},
		{`any(concat(http.request.headers.names[*]`, `column 41: found the end: want ,`},
		{`ip.src in {}`, `column 12: want at least one literal between { and }`},
		{`ip.src in {1.2.3.4..::1}`, `column 21: want two integers, or two addresses of one family, about ..`},
		{`ip.src in $home`, `column 11: list $home: no such list`},
		{`ip.src in $`, `column 11: want a list's name behind $: lower-case letters, digits and _`},
		{`ip.src.asnum in {5..4}`, `column 21: the range ends before it begins`},
		{`ip.src.asnum eq 007`, `column 17: 007 has a leading zero: want 7`},
		{`ip.src.asnum eq 9223372036854775808`, `column 17: 9223372036854775808 is no integer of 64 bits`},
		{`ip.src.asnum contains "5"`, `column 1: contains does not work on a value of type Integer`},
		{`http.host & 5`, `column 1: bitwise_and does not work on a value of type String`},
		{`http.host matches "("`, "column 19: missing closing ): `(`"},
		{`http.host matches "(((a{100}){100}){100})"`, "column 19: invalid repeat count: `{100}`"},
		{`http.host matches "(a{90}){10}(b{90}){10}(c{90}){10}"`, `column 19: the regular expression is too large: fewer or shorter repetitions are wanted`},
		{`http.host wildcard "a**"`, `column 20: a wildcard has no ** in it`},
		{`http.host wildcard "a\\b"`, `column 20: want \* or \\ in a wildcard: a \ is written \\, best in a raw string`},
		{`http.host strict "a"`, `column 17: want wildcard behind strict`},
		{`ssl ssl`, `column 5: found ssl: want and, or, xor or the end`},
		{`(ssl`, `column 5: found the end: want )`},
		{`ssl # comment`, `column 5: found '#': there are no comments`},
		{"ssl and\n  http.hots eq \"x\"", `line 2, column 3: unknown field http.hots: did you mean http.host?`},
		{`http.host eq "äöü" and hots`, `column 24: unknown field hots`},
		{`http.request.headers.names[*] eq "x"`, `column 1: the expression is an array of Booleans: put any() or all() around it`},
		{`any(http.request.headers.names eq "x")`, `column 5: eq does not work on a value of type Array<String>`},
		{`any(lower(http.request.headers.names[*]) eq "x")`, `column 5: lower(http.request.headers.names[*]) has type Array<String>: want [*] behind it, to compare each element`},
		{`any(http.request.headers.names[*] eq "x" or ids[*] eq 1)`, `column 45: [*] goes through ids[*] here and through http.request.headers.names[*] before: want the same array`},
		{`any(http.request.headers.names[*] eq "x" or ssl)`, `column 45: or joins an array of Booleans with a Boolean: put any() or all() around the array`},
		{`any(ssl)`, `column 5: any wants an array of Booleans: ssl has type Boolean`},
		{`any(http.request.headers[*] eq "x")`, `column 5: [*] of a map of arrays wants another [*] behind it`},
		{`http.host[0] eq "x"`, `column 1: 0 does not index http.host, which has type String`},
		{`http.host[*] eq "x"`, `column 1: [*] wants an array: http.host has type String`},
		{`http.request.headers[0] eq "x"`, `column 1: 0 does not index http.request.headers, which has type Map<Array<String>>`},
		{`http.request.headers[-1] eq "x"`, `column 22: want [0], ["key"] or [*]`},
		{`lower(5) eq "x"`, `column 7: the value of lower has type Integer: want String`},
		{`lower() eq "x"`, `column 1: lower has 0 arguments: want 1`},
		{`concat() eq "x"`, `column 1: concat has 0 arguments: want 1 or more`},
		{`url_decode("a", "b", "c") eq "x"`, `column 1: url_decode has 3 arguments: want 1 to 2`},
		{`url_decode(http.host, "x") eq "x"`, `column 23: found "x": want letters of "ru"`},
		{`starts_with("x", http.host)`, `column 13: the source of starts_with has to be a field or a function, not a literal`},
		{`cidr(ip.src, 33, 5) eq 1.2.3.4`, `column 14: IPv4 bits have to be from 1 to 32`},
		{`cidr6(ip.src, 0) eq 1.2.3.4`, `column 15: IPv6 bits have to be from 1 to 128`},
		{`split(http.host, "", 5)[0] eq ""`, `column 18: the separator of split is empty`},
		{`split(http.host, ",", 129)[0] eq ""`, `column 23: the limit of split has to be from 1 to 128`},
		{`split(http.host, http.host, 5)[0] eq ""`, `column 18: the separator of split has to be a literal`},
		{`concat("x", http.request.headers.names[*])[0] eq ""`, `column 13: [*] may stand only in the first argument of concat`},
		{`concat("x", http.request.headers.names)[0] eq ""`, `column 13: http.request.headers.names has type Array<String>: concat takes arrays alone, and without [*]`},
		{`concat(parts[*], http.request.headers.names)[0][0] eq ""`, `column 8: parts[*] has type Array<String>: concat takes arrays alone, and without [*]`},
		{`http.host matches "(?-u)a"`, "column 19: invalid or unsupported Perl syntax: `(?-u`"},
		{`regex_replace(http.host, "a", "b") eq ""`, `column 1: regex_replace is only for value expressions, not for filters`},
		{`has_value(ids, "x")`, `column 16: "x" has type String, and the elements Integer`},
		{`has_key(ids, "x")`, `column 9: has_key wants a map: ids has type Array<Integer>`},
		{`coalesce(http.host, 5) eq "x"`, `column 21: 5 has type Integer, and the first argument String`},
		{strings.Repeat("(", 100), `column 65: more than 64 levels`},
		{strings.Repeat("not ", 100) + "ssl", `column 257: more than 64 levels`},
		{"ip.src.asnum in {" + strings.Repeat("1 ", 9000) + "}", `column 16402: more than 8192 literals: want a list with a name`},
		{`http.host eq "` + strings.Repeat("x", 70000) + `"`, `column 65537: the expression has 70015 bytes: 65536 are allowed`},
	}
	s := scheme(t)
	for _, tt := range tests {
		t.Run(tt.text[:min(60, len(tt.text))], func(t *testing.T) {
			if _, err := rules.Compile(s, tt.text); err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestValueErrors(t *testing.T) {
	tests := []struct {
		text, want string
	}{
		{`len(http.host)`, `column 1: the expression has type Integer: want String, as to_string() makes it`},
		{`http.request.headers["x"]`, `column 1: the expression has type Array<String>: want String`},
		{`lower(http.request.headers["x"][*])`, `column 1: the expression has type Array<String>: want String`},
		{`concat(1.2.3.4)`, `column 8: the value of concat has type IP address: want String or Integer or Array<String>`},
		{`concat(1.2.3.0/24)`, `column 8: 1.2.3.0/24 stands only between { and }`},
		{`concat(lower(http.request.headers["x"][*]))`, `column 8: the value of concat has type Array<String>: want [*] behind it`},
		{`coalesce(lower(http.request.headers["x"][*]), "a")`, `column 10: the value of coalesce has type Array<String>: want a value, or [*] behind it`},
		{`to_string(len(5))`, `column 15: len wants a String or an array: 5 has type Integer`},
		{`to_string(has_value(http.host, "a"))`, `column 21: has_value wants an array or a map: http.host has type String`},
		{`join(ids, ",")`, `column 6: join wants an array of Strings: ids has type Array<Integer>`},
		{`lookup_json_string(http.host, -1)`, `column 31: want a place from 0, or a name`},
		{`encode_base64(http.host, "x")`, `column 26: found "x": want letters of "up"`},
		{`regex_replace(http.host, "(", "")`, "column 26: missing closing ): `(`"},
		{`regex_replace(http.host, "a", "$1")`, "column 31: want $$, or a reference like ${1}, behind $ in the replacement"},
		{`regex_replace(http.host, "a", "${1}")`, "column 31: the replacement refers to ${1}, and there is no such group"},
		{`regex_replace(http.host, "a", "` + strings.Repeat("${0}", 9) + `")`, "column 31: the replacement has more than 8 references"},
		{`concat(regex_replace(http.host, "a", ""), regex_replace(http.host, "b", ""))`,
			`column 43: regex_replace or wildcard_replace may stand only once in an expression`},
		{`regex_replace(http.host, "` + strings.Repeat("a", rules.MaxRegexp+1) + `", "")`, `column 26: the regular expression has 4097 bytes: 4096 are allowed`},
		{`wildcard_replace(http.host, "**", "")`, "column 29: a wildcard has no ** in it"},
		{`wildcard_replace(http.host, "*", "${2}")`, "column 34: the replacement refers to ${2}, and there is no such group"},
		{`wildcard_replace("a", "*", "")`, "column 18: the source of wildcard_replace has to be a field or a function, not a literal"},
		{`to_string(is_timed_hmac_valid_v0("k", http.host, -5, now))`, "column 11: the time to live and the length of the separator must not be negative"},
	}
	s := scheme(t)
	for _, tt := range tests {
		t.Run(tt.text[:min(60, len(tt.text))], func(t *testing.T) {
			if _, err := rules.CompileValue(s, tt.text); err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestIPv6(t *testing.T) {
	tests := []struct {
		text string
		want bool
	}{
		{`ip.src eq 2001:db8::130f:1`, true},
		{`ip.src in {2001:db8::/32}`, true},
		{`ip.src in {::/0}`, true},
		{`ip.src in {0.0.0.0/0}`, false},
		{`ip.src in {fe80::1..fe80::9 2001:db8::..2001:db8::ffff:ffff}`, true},
		{`cidr(ip.src, 24, 24) eq 2001:d00::`, true},
		{`cidr6(ip.src, 112) eq 2001:db8::130f:0`, true},
		{`cidr6(ip.src, 128) in {2001:db8::130f:1}`, true},
	}
	m := machine(t, request{"ip.src": rules.IPValue(netip.MustParseAddr("2001:db8::130f:1"))})
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			if got := compile(t, tt.text).Match(m); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
