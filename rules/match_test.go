package rules_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/seawall/seawall/rules"
	"pgregory.net/rapid"
)

// Matching allocates nothing once the arena has grown, whatever is asked.
func TestMatchAllocatesNothing(t *testing.T) {
	texts := []string{
		`http.host eq "a" or http.host in {"a" "b" "c"} or http.host contains "zz" or http.host lt "A"`,
		`http.host matches "xyzzy$"`, // told by its hint: package regexp has a sync.Pool, which leaks at random under the race detector
		`lower(http.host) in {"a" "b"} or upper(http.host) eq "x" or url_decode(http.request.uri.path, "ru") contains "<"`,
		`http.host wildcard "*.a.*" or http.request.uri.path in $office or http.host strict wildcard "*b" or http.host in $office or upper(http.host) in $office`,
		`ip.src in {10.0.0.0/8} or ip.src eq 1.2.3.4 or ip.src.asnum in {1..5} or cidr(ip.src, 24, 64) eq 1.2.3.0`,
		`any(lower(http.request.headers.names[*])[*] eq "x") or any(http.request.headers["accept"][*] contains "zz")`,
		`any(http.request.headers[*][*] eq "zz") or any(parts[*][*] eq "zz") or has_value(ids, 77) or has_key(http.request.headers, "zz")`,
		`any(split(lower(http.request.uri.path), "/")[*] eq "zz") or join(http.request.headers.names, ",") eq "x" or len(concat(http.host, 5)) eq 3`,
		`lookup_json_string(http.request.body.raw, "product", "tags", 1) eq "x" or lookup_json_integer(http.request.body.raw, "product", "id") eq 5`,
		`encode_base64(sha256(http.host), "p") eq "x" or decode_base64(http.host) eq "x" or substring(http.host, -3) eq "x" or to_string(ip.src) eq "x"`,
		`is_timed_hmac_valid_v0("key", concat(http.request.uri.path, "1484063787-IaLGSmELTvlhfd0ItdN6PhhHTFhzx73EX8uy%2FcSDiIU%3D"), 100000, now)`,
		`remove_query_args(http.request.uri.query, "order") eq "x" or remove_bytes(http.host, ".") eq "x" or starts_with(http.host, http.user_agent)`,
		`lower(http.request.uri.path) in {"a literal of more than thirty-two bytes" "b"} or lower(http.request.uri.path) contains "a literal of more than thirty-two bytes"`,
		`starts_with(lower(http.request.uri.path), "/blog/first%20post.html is more than thirty-two bytes")`,
		`ends_with(concat("a literal of more than thirty-two bytes", http.host), "another literal of more than thirty-two bytes") or lower(http.host) gt "zz"`,
		`split(concat("a literal of more than thirty-two bytes", http.host), "literal of more than thirty-two bytes")[0] eq "b"`,
		`lookup_json_string(concat(http.request.body.raw, ""), "a name of more than thirty-two bytes, to be sure", "\"") eq "x"`,
		`uuidv4(http.request.uri.path) eq "x" or coalesce(http.user_agent, http.host) eq "x" or lower(http.request.headers.names[*])[1] eq "x"`,
	}
	m := rules.NewMachine(scheme(t))
	source := rules.Source(visit())
	var filters []*rules.Filter
	for _, text := range texts {
		f := compile(t, text)
		filters = append(filters, f)
		got := testing.AllocsPerRun(100, func() {
			m.Reset(source)
			if f.Match(m) {
				t.Fatalf("%s holds: it would not be evaluated whole", text)
			}
		})
		if got != 0 {
			t.Errorf("%s: got %v allocations, want 0", text, got)
		}
	}
	s := rules.NewSet(filters)
	got := testing.AllocsPerRun(100, func() {
		m.Reset(source)
		s.Next(m, 0)
	})
	if got != 0 {
		t.Errorf("a set of all: got %v allocations, want 0", got)
	}
}

// A result for which the arena has no room is missing, and the machine says so until it is reset.
func TestArenaIsBounded(t *testing.T) {
	r := request{"http.host": rules.BytesValue(strings.Repeat("x", rules.MaxArena/2+1))}
	m := machine(t, r)
	f := compile(t, `concat(lower(http.host), "y") ne "" or http.host contains "zz"`)
	if f.Match(m) || !m.Exceeded() {
		t.Errorf("got match %v and exceeded %v, want false and true", f.Match(m), m.Exceeded())
	}
	m.Reset(r)
	if f := compile(t, `lower(http.host) ne ""`); !f.Match(m) || m.Exceeded() {
		t.Errorf("got match %v and exceeded %v, want true and false", f.Match(m), m.Exceeded())
	}
}

// What is made for one comparison, or one element, is given back before the next.
func TestArenaIsGivenBack(t *testing.T) {
	large := strings.Repeat("x", rules.MaxArena/5)
	var headers []string
	for range 10 {
		headers = append(headers, "h", large)
	}
	m := rules.NewMachine(scheme(t))
	for _, text := range []string{
		`any(lower(http.request.headers["h"][*])[*] eq "a")`,
		`any(starts_with(lower(http.request.headers["h"][*])[*], http.host))`,
		`has_value(lower(http.request.headers["h"][*]), "a")`,
		`any(` + strings.Repeat(`lower(http.request.headers["h"][*])[*] eq "a" or `, 10) + `lower(http.request.headers["h"][*])[*] eq "b")`,
		strings.Repeat(`lower(http.request.headers["h"][0]) eq "a" or `, 10) + `has_value(ids, 5)`,
		strings.Repeat(`has_value(split(lower(http.request.headers["h"][0]), "."), "a") or `, 10) + `has_value(ids, 5)`,
	} {
		m.Reset(request{"http.request.headers": multimap(headers...), "http.host": rules.BytesValue("a")})
		if compile(t, text).Match(m) || m.Exceeded() {
			t.Errorf("%s: the arena had no room", text)
		}
		if set(t, text).Next(m, 0) >= 0 || m.Exceeded() {
			t.Errorf("%s in a set: the arena had no room", text)
		}
	}
}

// A value of another type than its field's is missing, as is what a host's Items have wrong.
func TestWrongTypes(t *testing.T) {
	m := machine(t, request{
		"http.host": rules.IntValue(5),
		"ids":       rules.ItemsValue(rules.ArrayOf(rules.Int), pairs{{"", rules.BytesValue("x")}, {"", rules.IntValue(1)}}),
	})
	tests := []struct {
		text string
		want bool
	}{
		{`http.host ne "x"`, false},
		{`ids[0] ne 1`, false},
		{`ids[1] eq 1`, true},
		{`any(ids[*] ne 1)`, false},
		{`has_value(ids, 1)`, true},
	}
	for _, tt := range tests {
		if got := compile(t, tt.text).Match(m); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.text, got, tt.want)
		}
	}
}

func TestConstantsAreFolded(t *testing.T) {
	tests := []struct {
		text string
		want bool
	}{
		{`lower("ABC") eq "abc"`, true},
		{`lower("ABC") eq "ABC" and ssl`, false},
		{`len(concat("a", 1)) eq 2 or ssl`, true},
		{`not false`, true},
		{`true xor true`, false},
	}
	for _, tt := range tests {
		f := compile(t, tt.text)
		if got := f.Match(rules.NewMachine(scheme(t))); got != tt.want || f.Cost() != 0 {
			t.Errorf("%s: got %v at a cost of %d, want %v at none", tt.text, got, f.Cost(), tt.want)
		}
	}
}

func TestCostAndPhase(t *testing.T) {
	tests := []struct {
		text  string
		phase rules.Phase
		least int
		most  int
	}{
		{`ssl`, rules.Head, 1, 5},
		{`ip.src.asnum eq 5`, rules.Head, 100, 110},
		{`http.host eq "a" and http.request.body.raw contains "x"`, rules.Body, 1000, 1100},
		{`http.response.code eq 200 or http.request.body.raw contains "x"`, rules.Response, 1000, 1100},
		{`http.host matches "x"`, rules.Head, 1000, 10000},
	}
	for _, tt := range tests {
		f := compile(t, tt.text)
		if f.Phase() != tt.phase || f.Cost() < tt.least || f.Cost() > tt.most {
			t.Errorf("%s: got phase %v and cost %d, want %v and %d to %d", tt.text, f.Phase(), f.Cost(), tt.phase, tt.least, tt.most)
		}
	}
}

// The cheap operand goes first, wherever it stands.
func TestCheapFirst(t *testing.T) {
	source := &counter{request: request{"ssl": rules.BoolValue(false), "http.request.body.raw": rules.BytesValue("x")}}
	compile(t, `http.request.body.raw contains "x" and ssl`).Match(machine(t, source))
	if got := source.asked["http.request.body.raw"]; got != 0 {
		t.Errorf("the body was asked for %d times, want 0", got)
	}
}

func TestSchemeRefuses(t *testing.T) {
	tests := []struct {
		name   string
		fields []rules.Field
		want   string
	}{
		{"no type", []rules.Field{{Name: "a"}}, `field "a" has no type`},
		{"array of nothing", []rules.Field{{Name: "a", Type: rules.ArrayOf(0)}}, `field "a" has no type`},
		{"twice", []rules.Field{{Name: "a", Type: rules.Int}, {Name: "b", Aliases: []string{"a"}, Type: rules.Int}}, `field "a" is declared twice`},
		{"operator", []rules.Field{{Name: "in", Type: rules.Int}}, `"in" is no name of a field: want letters, digits, _ and . with a letter first`},
		{"space", []rules.Field{{Name: "a b", Type: rules.Int}}, `"a b" is no name of a field: want letters, digits, _ and . with a letter first`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := rules.NewScheme(tt.fields, nil); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// Tokens as Cloudflare documents how to make them.
func TestTimedHMAC(t *testing.T) {
	for _, key := range []string{"mysecretkey", strings.Repeat("key", 30)} {
		testTimedHMAC(t, key)
	}
}

func testTimedHMAC(t *testing.T, key string) {
	const now = 1484063800
	token := func(message, separator string, at int, urlSafe bool) string {
		mac := hmac.New(sha256.New, []byte(key))
		fmt.Fprintf(mac, "%s%d", message, at)
		sum := mac.Sum(nil)
		if urlSafe {
			return fmt.Sprintf("%s%s%d-%s", message, separator, at, base64.RawURLEncoding.EncodeToString(sum))
		}
		return fmt.Sprintf("%s%s%d-%s", message, separator, at, url.QueryEscape(base64.StdEncoding.EncodeToString(sum)))
	}
	good := token("/cat.jpg", "?verify=", 1484063787, false)
	tests := []struct {
		name, token, args string
		want              bool
	}{
		{"good", good, "100, now, 8", true},
		{"last second", good, "14, now, 8", true},
		{"expired", good, "13, now, 8", false},
		{"another message", strings.Replace(good, "cat", "dog", 1), "100, now, 8", false},
		{"another separator length", good, "100, now, 7", false},
		{"later", strings.Replace(good, "1484063787", "1484063788", 1), "100, now, 8", false},
		{"no separator", token("/cat.jpg", "", 1484063787, false), "100, now", true},
		{"URL-safe", token("/a-b", "", 1484063787, true), `100, now, 0, "s"`, true},
		{"URL-safe, but not said so", token("/a-b", "", 1484063787, true), `100, now`, false},
		{"said so, but not URL-safe", good, `100, now, 8, "s"`, false},
		{"no message", token("", "", 1484063787, false), "100, now", false},
		{"no MAC", "/cat.jpg1484063787-", "100, now", false},
		{"nothing", "", "100, now", false},
	}
	for i := range 20 { // so that + and / of base64 and - of base64url are met
		message := fmt.Sprintf("/%d", i)
		tests = append(tests, struct {
			name, token, args string
			want              bool
		}{message, token(message, "", now, i%2 == 0), map[bool]string{true: `1, now, 0, "s"`, false: `1, now`}[i%2 == 0], true})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := machine(t, request{"http.request.uri.path": rules.BytesValue(tt.token), "now": rules.IntValue(now)})
			f := compile(t, fmt.Sprintf(`is_timed_hmac_valid_v0(%q, http.request.uri.path, %s)`, key, tt.args))
			if got := f.Match(m); got != tt.want {
				t.Errorf("%s: got %v, want %v", tt.token, got, tt.want)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	tests := []struct{ doc, path, want string }{
		{`{"a":"x"}`, `"a"`, "x"},
		{` [ "x" , "y" ] `, `1`, "y"},
		{`{"a":{"b":["x",{"c":"y"}]}}`, `"a", "b", 1, "c"`, "y"},
		{`{"a":"x","a":"y"}`, `"a"`, "y"}, // the last of a name counts
		{`{"a":{"b":"x"},"a":{}}`, `"a", "b"`, "-"},
		{`{"\u0061":"x"}`, `"a"`, "x"},
		{`{"a":"\u00e4\n\"\\\/\ud83d\ude00\ud83d"}`, `"a"`, "ä\n\"\\/😀\ufffd"},
		{`{"a":1}`, `"a"`, "-"},
		{"{\"a\":\"x\", \"b\":\"\x1f\"}", `"a"`, "-"},
		{`{"a":"x"} x`, `"a"`, "-"},
		{`{"a":"x",}`, `"a"`, "-"},
		{`{"a":"x"`, `"a"`, "-"},
		{`{"a":"x\q"}`, `"a"`, "-"},
		{`{"a":"x","b":01}`, `"a"`, "-"},
		{`{"a":"x","b":[1.5e-7,true,null,false,-0]}`, `"a"`, "x"},
		{`{"a":"x"}`, `0`, "-"},
		{`["x"]`, `"0"`, "-"},
		{``, `"a"`, "-"},
		{strings.Repeat("[", 63) + `"x"` + strings.Repeat("]", 63), strings.Repeat("0, ", 62) + "0", "x"},
		{strings.Repeat("[", 64) + `"x"` + strings.Repeat("]", 64), strings.Repeat("0, ", 63) + "0", "-"},
	}
	for _, tt := range tests {
		for _, source := range []string{"http.request.body.raw", `concat(http.request.body.raw, "")`} {
			r, err := rules.CompileValue(scheme(t), "lookup_json_string("+source+", "+tt.path+")")
			if err != nil {
				t.Fatal(err)
			}
			b, ok := r.Append(nil, machine(t, request{"http.request.body.raw": rules.BytesValue(tt.doc)}))
			if got := map[bool]string{true: string(b), false: "-"}[ok]; got != tt.want {
				t.Errorf("%s of %s: got %q, want %q", tt.path, tt.doc, got, tt.want)
			}
		}
	}
}

// What encoding/json finds in a valid document is found; what it takes for no document is none.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{`{"a":{"b":"x"}}`, `{"a":1,"a":{"b":"\u00e4\ud800"}}`, `{"a":{"b":"`, `[1,2]`, `{"a":{"b":"x"}}]`} {
		f.Add(seed)
	}
	m := rules.NewMachine(scheme(f))
	text, err := rules.CompileValue(scheme(f), `lookup_json_string(http.request.body.raw, "a", "b")`)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		m.Reset(request{"http.request.body.raw": rules.BytesValue(doc)})
		got, ok := text.Append(nil, m)
		if ok && !json.Valid([]byte(doc)) {
			t.Fatalf("%q is no JSON, and %q was found in it", doc, got)
		}
		var decoded map[string]any
		if json.Unmarshal([]byte(doc), &decoded) != nil || strings.ToValidUTF8(doc, "") != doc {
			return
		}
		a, _ := decoded["a"].(map[string]any)
		want, found := a["b"].(string)
		if ok != found && strings.Count(doc, `"`) < 100 && strings.Count(doc, "[")+strings.Count(doc, "{") < 50 {
			t.Fatalf("%q: got %q, %v, want %q, %v", doc, got, ok, want, found)
		}
		if ok && string(got) != want {
			t.Fatalf("%q: got %q, want %q", doc, got, want)
		}
	})
}

// url_decode is what decoding again and again comes to.
func TestRecursiveDecoding(t *testing.T) {
	s := scheme(t)
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"%", "2", "5", "4", "1", "+", "b", "%25", "x"}), 0, 20).Draw(t, "text"), "")
		want := text
		for decodeOnce(want) != want {
			want = decodeOnce(want)
		}
		r, err := rules.CompileValue(s, `url_decode(http.host, "r")`)
		if err != nil {
			t.Fatal(err)
		}
		m := rules.NewMachine(s)
		m.Reset(request{"http.host": rules.BytesValue(text)})
		if got, _ := r.Append(nil, m); string(got) != want {
			t.Fatalf("%q: got %q, want %q", text, got, want)
		}
	})
}

// No text makes anything panic, and Match, a set and Explain agree about whatever compiles.
func FuzzMatch(f *testing.F) {
	for _, seed := range []string{
		`http.host eq "a"`, `any(lower(http.request.headers.names[*])[*] contains "x") xor ssl`, `url_decode(http.request.uri.path, "ru") ~ "a+"`,
		`split(http.host, ".", 3)[1] in {"a" "b"}`, `lookup_json_integer(http.request.body.raw, "a", 0) & 5`, `substring(http.host, -2, 5) wildcard "*a*"`,
		`is_timed_hmac_valid_v0("k", http.host, 5, now)`, `has_value(split(http.host, ","), http.request.uri.path)`,
	} {
		f.Add(seed, "a.b", "/%41/x?y", `{"a":[5]}`)
	}
	s := scheme(f)
	m := rules.NewMachine(s)
	f.Fuzz(func(t *testing.T, text, host, path, body string) {
		r := visit()
		r["http.host"], r["http.request.uri.path"], r["http.request.body.raw"] = rules.BytesValue(host), rules.BytesValue(path), rules.BytesValue(body)
		m.Reset(r)
		if value, err := rules.CompileValue(s, text); err == nil {
			value.Append(nil, m)
		}
		filter, err := rules.Compile(s, text)
		if err != nil {
			return
		}
		got := filter.Match(m)
		if e := filter.Explain(m); e.Holds != got {
			t.Fatalf("got %v, and explained\n%s", got, e)
		}
		if next := rules.NewSet([]*rules.Filter{filter}).Next(m, 0); (next == 0) != got {
			t.Fatalf("got %v alone, and %d in a set", got, next)
		}
	})
}

// TestUnknown: an expression about something of which nothing is known says so where it is written, and not by matching everybody.
func TestUnknown(t *testing.T) {
	s, err := rules.NewScheme([]rules.Field{
		{Name: "ssl", Type: rules.Bool},
		{Name: "ip.src.country", Aliases: []string{"ip.geoip.country"}, Type: rules.Bytes, Unknown: "want a file"},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rules.Compile(s, "ssl"); err != nil {
		t.Error(err)
	}
	for text, want := range map[string]string{
		`not ip.src.country in {"DE"}`:     "column 5: nothing is known of ip.src.country: want a file",
		`ssl and ip.geoip.country eq "DE"`: "column 9: nothing is known of ip.geoip.country: want a file",
	} {
		if _, err := rules.Compile(s, text); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}
