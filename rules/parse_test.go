package rules

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// same compares trees without the places where they stand.
var same = cmp.Options{
	cmp.AllowUnexported(fieldNode{}, indexNode{}, callNode{}, compareNode{}, logicalNode{}, notNode{}, literal{}, listName{}),
	cmpopts.IgnoreTypes(span{}),
	cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}),
}

func TestFormat(t *testing.T) {
	tests := []struct{ text, want string }{
		{`a==1&&b!=2||!c`, `a eq 1 and b ne 2 or not c`},
		{`a eq 1 and (b eq 2 or c)`, `a eq 1 and (b eq 2 or c)`},
		{`(a and b) and c`, `(a and b) and c`},
		{`not (a or b)`, `not (a or b)`},
		{`not(a)`, `not a`},
		{`a xor (b and c)`, `a xor b and c`},
		{`a in { 1 2..3 }`, `a in {1 2..3}`},
		{`a in {10.0.0.0/8 1.2.3.4..1.2.3.5 ::FFFF:1.2.3.4 dead:beef::/32 ::1}`, `a in {10.0.0.0/8 1.2.3.4..1.2.3.5 1.2.3.4 dead:beef::/32 ::1}`},
		{`f( a [ * ] , "x\x41\101\"" ) contains r##"a"#b"##`, `f(a[*], "xAA\"") contains r##"a"#b"##`},
		{`a~"\d\"" and b strict   wildcard "*"`, `a matches "\d\"" and b strict wildcard "*"`},
		{`a["k"][0] in $list_1`, `a["k"][0] in $list_1`},
		{`a&4`, `a bitwise_and 4`},
		{"a eq \"\xff\u00e4\"", `a eq "\xff\xc3\xa4"`},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			n, err := parse(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if got := format(n); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// Whatever is parsed can be written, and is then parsed as the same tree.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`http.host eq "a" and not (ssl or ip.src in {10.0.0.0/8 ::1..::2 1.2.3.4})`, `any(lower(a[*])[*] contains r#"x"y"#)`,
		`a["k"][0] ~ "\"\\" xor b wildcard "*\\*" || c in $list`, `n in {-5 1..3} and n & 7`, `true`, `((`, `"`, `r###"`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := parse(text)
		if err != nil {
			if e, ok := err.(*Error); !ok || e.Line < 1 || e.Column < 1 {
				t.Fatalf("got error %#v, want one with line and column", err)
			}
			return
		}
		written := format(n)
		again, err := parse(written)
		if err != nil && len(written) > MaxLength {
			return // with words for symbols it has become too long
		}
		if err != nil {
			t.Fatalf("%q was written as %q: %v", text, written, err)
		}
		if diff := cmp.Diff(n, again, same); diff != "" {
			t.Fatalf("%q was written as %q: %s", text, written, diff)
		}
	})
}

func TestDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "ab", 1}, {"abc", "xabc", 1}, {"lwoer", "lower", 2}, {"abc", "xyz", 3},
		{"a", "abcdefgh", 5},
	}
	for _, tt := range tests {
		if got := distance(tt.a, tt.b, 5); got != tt.want {
			t.Errorf("distance of %q and %q: got %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

// What a range of addresses takes in is not changed by IPv4 lying among IPv6.
func TestApart(t *testing.T) {
	tests := []struct{ prefix, want string }{
		{"10.0.0.0/8", "10.0.0.0-10.255.255.255"},
		{"0.0.0.0/0", "0.0.0.0-255.255.255.255"},
		{"2001:db8::/32", "2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"::/0", "::-::fffe:ffff:ffff ::1:0:0:0-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"::fffe:0:0/95", "::fffe:0:0-::fffe:ffff:ffff"},
		{"::/96", "::-::ffff:ffff"},
	}
	for _, tt := range tests {
		n, err := parse("a in {" + tt.prefix + "}")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range n.(*compareNode).right[0].ranges() {
			got = append(got, r.from.addr().String()+"-"+r.to.addr().String())
		}
		if joined := strings.Join(got, " "); joined != tt.want {
			t.Errorf("%s: got %s, want %s", tt.prefix, joined, tt.want)
		}
	}
}
