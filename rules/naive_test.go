package rules_test

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pgregory.net/rapid"
)

// The expressions of this file are made at random, each with a plain function beside its text that says what it should be.

// A visitor is a random request. What is nil or absent is missing.
type visitor struct {
	texts   map[string]string
	numbers map[string]int64
	ip      netip.Addr
	truths  map[string]bool
	headers [][2]string
	ids     []int64
}

// sample is a word of few, so that random texts often match.
func sample(t *rapid.T) string {
	words := []string{"", "a", "A", "ab", "ba", "b.a", "/a", "/a/b", "/ab", "%41", "%2541+", "a*b", "aab", "é"}
	return rapid.SampledFrom(words).Draw(t, "word")
}

func sampleIP(t *rapid.T) string {
	return rapid.SampledFrom([]string{"10.0.0.1", "10.0.0.200", "10.0.1.1", "192.0.2.7", "2001:db8::1", "2001:db8:0:1::2", "fe80::9"}).Draw(t, "ip")
}

func sampleInt(t *rapid.T) int64 {
	return rapid.SampledFrom([]int64{-5, -1, 0, 1, 2, 3, 4, 7, 64500, 1 << 40}).Draw(t, "int")
}

func sampleVisitor(t *rapid.T) *visitor {
	v := &visitor{texts: map[string]string{}, numbers: map[string]int64{}, truths: map[string]bool{}}
	for _, name := range []string{"http.host", "http.request.uri.path", "http.user_agent"} {
		if rapid.IntRange(0, 9).Draw(t, "there") > 0 {
			v.texts[name] = sample(t) + sample(t)
		}
	}
	for _, name := range []string{"ip.src.asnum", "now"} {
		if rapid.IntRange(0, 9).Draw(t, "there") > 0 {
			v.numbers[name] = sampleInt(t)
		}
	}
	if rapid.IntRange(0, 9).Draw(t, "there") > 0 {
		v.ip = netip.MustParseAddr(sampleIP(t))
	}
	if rapid.Bool().Draw(t, "there") {
		v.truths["ssl"] = rapid.Bool().Draw(t, "ssl")
	}
	for range rapid.IntRange(0, 4).Draw(t, "headers") {
		v.headers = append(v.headers, [2]string{rapid.SampledFrom([]string{"x", "y"}).Draw(t, "name"), sample(t)})
	}
	for range rapid.IntRange(0, 3).Draw(t, "ids") {
		v.ids = append(v.ids, sampleInt(t))
	}
	return v
}

// request is the visitor as a Source.
func (v *visitor) request() request {
	r := request{}
	for name, s := range v.texts {
		r[name] = rulesBytes(s)
	}
	for name, n := range v.numbers {
		r[name] = rulesInt(n)
	}
	for name, b := range v.truths {
		r[name] = rulesBool(b)
	}
	r["ip.src"] = rulesIP(v.ip)
	var flat []string
	var names []string
	for _, h := range v.headers {
		flat, names = append(flat, h[0], h[1]), append(names, h[0])
	}
	r["http.request.headers"], r["http.request.headers.names"] = multimap(flat...), texts(names...)
	r["ids"] = numbers(v.ids...)
	return r
}

// under returns a header's values.
func (v *visitor) under(key string) (values []string) {
	for _, h := range v.headers {
		if h[0] == key {
			values = append(values, h[1])
		}
	}
	return values
}

type (
	textExp struct {
		text string
		of   func(v *visitor) (string, bool)
	}
	intExp struct {
		text string
		of   func(v *visitor) (int64, bool)
	}
	boolExp struct {
		text string
		of   func(v *visitor) bool
	}
)

func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func genText(t *rapid.T, depth int) textExp {
	kinds := 3
	if depth > 0 {
		kinds = 12
	}
	switch rapid.IntRange(0, kinds).Draw(t, "text") {
	case 0, 1, 2:
		name := rapid.SampledFrom([]string{"http.host", "http.request.uri.path", "http.user_agent"}).Draw(t, "field")
		return textExp{name, func(v *visitor) (string, bool) { s, ok := v.texts[name]; return s, ok }}
	case 3:
		key, n := rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "key"), rapid.IntRange(0, 2).Draw(t, "n")
		return textExp{fmt.Sprintf("http.request.headers[%q][%d]", key, n), func(v *visitor) (string, bool) {
			if values := v.under(key); n < len(values) {
				return values[n], true
			}
			return "", false
		}}
	case 4:
		return mapped(t, depth, "lower(%s)", asciiLower)
	case 5:
		return mapped(t, depth, "upper(%s)", asciiUpper)
	case 6:
		return mapped(t, depth, `url_decode(%s)`, decodeOnce)
	case 7:
		return mapped(t, depth, `url_decode(%s, "r")`, func(s string) string {
			for decodeOnce(s) != s {
				s = decodeOnce(s)
			}
			return s
		})
	case 8:
		from, to := rapid.IntRange(-3, 3).Draw(t, "from"), rapid.IntRange(-3, 3).Draw(t, "to")
		return mapped(t, depth, fmt.Sprintf("substring(%%s, %d, %d)", from, to), func(s string) string { return naiveSubstring(s, from, to) })
	case 9:
		a, b := genText(t, depth-1), genText(t, depth-1)
		return textExp{"concat(" + a.text + ", " + b.text + `, "a")`, func(v *visitor) (string, bool) {
			x, _ := a.of(v)
			y, _ := b.of(v)
			return x + y + "a", true
		}}
	case 10:
		a, b := genText(t, depth-1), genText(t, depth-1)
		return textExp{"coalesce(" + a.text + ", " + b.text + ")", func(v *visitor) (string, bool) {
			if s, ok := a.of(v); ok {
				return s, true
			}
			return b.of(v)
		}}
	case 11:
		separator := rapid.SampledFrom([]string{"a", "/", "."}).Draw(t, "separator")
		return mapped(t, depth, "join(split(%s, "+quoted(separator)+`), "-")`, func(s string) string { return strings.ReplaceAll(s, separator, "-") })
	default:
		return mapped(t, depth, `remove_bytes(%s, "ab")`, func(s string) string { return strings.NewReplacer("a", "", "b", "").Replace(s) })
	}
}

// mapped is a function of one text.
func mapped(t *rapid.T, depth int, format string, f func(string) string) textExp {
	of := genText(t, depth-1)
	return textExp{fmt.Sprintf(strings.ReplaceAll(format, "%%", "%"), of.text), func(v *visitor) (string, bool) {
		s, ok := of.of(v)
		if !ok {
			return "", false
		}
		return f(s), true
	}}
}

func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 32
		}
		return r
	}, s)
}

func asciiUpper(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r - 32
		}
		return r
	}, s)
}

func decodeOnce(s string) string {
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+3 <= len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				out = append(out, byte(n))
				i += 2
				continue
			}
		}
		if s[i] == '+' {
			out = append(out, ' ')
		} else {
			out = append(out, s[i])
		}
	}
	return string(out)
}

func naiveSubstring(s string, from, to int) string {
	place := func(i int) int {
		if i < 0 {
			i += len(s)
		}
		return min(max(i, 0), len(s))
	}
	if place(from) >= place(to) {
		return ""
	}
	return s[place(from):place(to)]
}

func genInt(t *rapid.T, depth int) intExp {
	switch rapid.IntRange(0, 3).Draw(t, "int") {
	case 0, 1:
		name := rapid.SampledFrom([]string{"ip.src.asnum", "now"}).Draw(t, "field")
		return intExp{name, func(v *visitor) (int64, bool) { n, ok := v.numbers[name]; return n, ok }}
	case 2:
		n := rapid.IntRange(0, 3).Draw(t, "n")
		return intExp{fmt.Sprintf("ids[%d]", n), func(v *visitor) (int64, bool) {
			if n < len(v.ids) {
				return v.ids[n], true
			}
			return 0, false
		}}
	default:
		of := genText(t, depth-1)
		return intExp{"len(" + of.text + ")", func(v *visitor) (int64, bool) { s, ok := of.of(v); return int64(len(s)), ok }}
	}
}

// testText is a comparison of a text: its text behind the value, and what it should be.
func testText(t *rapid.T) (string, func(string) bool) {
	w := sample(t)
	switch rapid.IntRange(0, 9).Draw(t, "op") {
	case 0:
		return " eq " + quoted(w), func(s string) bool { return s == w }
	case 1:
		return " != " + quoted(w), func(s string) bool { return s != w }
	case 2:
		return " < " + quoted(w), func(s string) bool { return s < w }
	case 3:
		return " ge " + quoted(w), func(s string) bool { return s >= w }
	case 4, 5:
		return " contains " + quoted(w), func(s string) bool { return strings.Contains(s, w) }
	case 6:
		more := sample(t)
		return " in {" + quoted(w) + " " + quoted(more) + "}", func(s string) bool { return s == w || s == more }
	case 7:
		pattern := rapid.SampledFrom([]string{"a*b", "*a", "a*", "*a*b*", "/*/*", "*", "A", `a\*b`, ""}).Draw(t, "pattern")
		return " wildcard " + quoted(pattern), func(s string) bool { return naiveWildcard(asciiLower(pattern), asciiLower(s)) }
	case 8:
		pattern := rapid.SampledFrom([]string{"a*b", "*A", "A*", "*a*b*", "*a*aab"}).Draw(t, "pattern")
		return " strict wildcard " + quoted(pattern), func(s string) bool { return naiveWildcard(pattern, s) }
	default:
		pattern := rapid.SampledFrom([]string{"^a+b?$", "(?i)A", `\.`, "b.a|/", "aab", "(?i)AAB|b.a/", "aab?"}).Draw(t, "pattern")
		return ` matches r"` + pattern + `"`, regexp.MustCompile(pattern).MatchString
	}
}

// naiveWildcard tries all that a * may stand for.
func naiveWildcard(pattern, s string) bool {
	switch {
	case pattern == "":
		return s == ""
	case pattern[0] == '*':
		return naiveWildcard(pattern[1:], s) || s != "" && naiveWildcard(pattern, s[1:])
	case pattern[0] == '\\':
		pattern = pattern[1:]
	}
	return s != "" && s[0] == pattern[0] && naiveWildcard(pattern[1:], s[1:])
}

func testInt(t *rapid.T) (string, func(int64) bool) {
	w := sampleInt(t)
	switch rapid.IntRange(0, 7).Draw(t, "op") {
	case 0:
		return fmt.Sprintf(" eq %d", w), func(n int64) bool { return n == w }
	case 1:
		return fmt.Sprintf(" ne %d", w), func(n int64) bool { return n != w }
	case 2:
		return fmt.Sprintf(" lt %d", w), func(n int64) bool { return n < w }
	case 3:
		return fmt.Sprintf(" <= %d", w), func(n int64) bool { return n <= w }
	case 4:
		return fmt.Sprintf(" > %d", w), func(n int64) bool { return n > w }
	case 5:
		return fmt.Sprintf(" ge %d", w), func(n int64) bool { return n >= w }
	case 6:
		return fmt.Sprintf(" & %d", w), func(n int64) bool { return n&w != 0 }
	default:
		more := sampleInt(t)
		low, high := min(w, more), max(w, more)
		return fmt.Sprintf(" in {%d..%d 3 -1..0}", low, high), func(n int64) bool {
			return low <= n && n <= high || n == 3 || n == -1 || n == 0
		}
	}
}

func testIP(t *rapid.T) (string, func(netip.Addr) bool) {
	a := netip.MustParseAddr(sampleIP(t))
	switch rapid.IntRange(0, 2).Draw(t, "op") {
	case 0:
		return " eq " + a.String(), func(b netip.Addr) bool { return a == b }
	case 1:
		return " ne " + a.String(), func(b netip.Addr) bool { return a != b }
	default:
		p, err := a.Prefix(rapid.SampledFrom([]int{0, 1, 8, 24, 32}).Draw(t, "bits"))
		if err != nil {
			t.Fatal(err)
		}
		b := netip.MustParseAddr(sampleIP(t))
		return " in {" + p.String() + " " + b.String() + "}", func(c netip.Addr) bool { return p.Contains(c) || c == b }
	}
}

// genEach is a condition on each header's name or value of a kind.
func genEach(t *rapid.T) (string, func(v *visitor) []bool) {
	key := rapid.SampledFrom([]string{"x", "z", "*"}).Draw(t, "key")
	list, values := fmt.Sprintf("http.request.headers[%q][*]", key), func(v *visitor) []string { return v.under(key) }
	if key == "*" {
		list, values = "http.request.headers[*][*]", func(v *visitor) []string { return append(v.under("x"), v.under("y")...) }
	}
	change := func(s string) string { return s }
	if rapid.Bool().Draw(t, "lower") {
		list, change = "lower("+list+")[*]", asciiLower
	}
	text, test := testText(t)
	other, second := testText(t)
	op := rapid.SampledFrom([]string{"", "", "", "and", "or", "xor"}).Draw(t, "join")
	text = list + text
	if op != "" {
		text += " " + op + " not " + list + other
	}
	return text, func(v *visitor) (truths []bool) {
		for _, s := range values(v) {
			s = change(s)
			a, b := test(s), !second(s)
			truths = append(truths, map[string]bool{"": a, "and": a && b, "or": a || b, "xor": a != b}[op])
		}
		return truths
	}
}

func genBool(t *rapid.T, depth int) boolExp {
	kinds := 6
	if depth > 0 {
		kinds = 11
	}
	switch rapid.IntRange(0, kinds).Draw(t, "bool") {
	case 0:
		return boolExp{"ssl", func(v *visitor) bool { return v.truths["ssl"] }}
	case 1, 2:
		of := genText(t, depth)
		text, test := testText(t)
		return boolExp{of.text + text, func(v *visitor) bool { s, ok := of.of(v); return ok && test(s) }}
	case 3:
		of := genInt(t, depth)
		text, test := testInt(t)
		return boolExp{of.text + text, func(v *visitor) bool { n, ok := of.of(v); return ok && test(n) }}
	case 4:
		text, test := testIP(t)
		return boolExp{"ip.src" + text, func(v *visitor) bool { return v.ip.IsValid() && test(v.ip) }}
	case 5:
		of, w := genText(t, depth), sample(t)
		if rapid.Bool().Draw(t, "start") {
			return boolExp{"starts_with(" + of.text + ", " + quoted(w) + ")", func(v *visitor) bool { s, ok := of.of(v); return ok && strings.HasPrefix(s, w) }}
		}
		return boolExp{"ends_with(" + of.text + ", " + quoted(w) + ")", func(v *visitor) bool { s, ok := of.of(v); return ok && strings.HasSuffix(s, w) }}
	case 6:
		text, of := genEach(t)
		if rapid.Bool().Draw(t, "any") {
			return boolExp{"any(" + text + ")", func(v *visitor) bool { return slices.Contains(of(v), true) }}
		}
		return boolExp{"all(" + text + ")", func(v *visitor) bool { return !slices.Contains(of(v), false) }}
	case 7:
		of := genBool(t, depth-1)
		return boolExp{"not (" + of.text + ")", func(v *visitor) bool { return !of.of(v) }}
	default:
		return genJoined(t, depth)
	}
}

// genJoined joins conditions by one operator.
func genJoined(t *rapid.T, depth int) boolExp {
	op := rapid.SampledFrom([]string{"and", "or", "xor"}).Draw(t, "op")
	var texts []string
	var args []boolExp
	for range rapid.IntRange(2, 3).Draw(t, "args") {
		arg := genBool(t, depth-1)
		args, texts = append(args, arg), append(texts, "("+arg.text+")")
	}
	return boolExp{strings.Join(texts, " "+op+" "), func(v *visitor) bool {
		count := 0
		for _, arg := range args {
			if arg.of(v) {
				count++
			}
		}
		return map[string]bool{"and": count == len(args), "or": count > 0, "xor": count%2 == 1}[op]
	}}
}
