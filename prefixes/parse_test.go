package prefixes

import (
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	const notOne = " is not an address or prefix, such as 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32"
	tests := []struct {
		in      string
		want    string
		wantErr string
	}{
		{in: "192.0.2.1", want: "192.0.2.1/32"},
		{in: "192.0.2.0/24", want: "192.0.2.0/24"},
		{in: "0.0.0.0/0", want: "0.0.0.0/0"},
		{in: "2001:DB8::/32", want: "2001:db8::/32"},
		{in: "::1", want: "::1/128"},
		{in: "::/0", want: "::/0"},
		{in: "::ffff:192.0.2.1", want: "192.0.2.1/32"},
		{in: "::ffff:192.0.2.0/120", want: "192.0.2.0/24"},
		{in: "::ffff:0.0.0.0/96", want: "0.0.0.0/0"},
		{in: "10.1.2.3/8", wantErr: `"10.1.2.3/8" has host bits set: did you mean 10.0.0.0/8, or 10.1.2.3 alone?`},
		{in: "2001:db8::1/32", wantErr: `"2001:db8::1/32" has host bits set: did you mean 2001:db8::/32, or 2001:db8::1 alone?`},
		{in: "::ffff:10.1.2.3/104", wantErr: `"::ffff:10.1.2.3/104" has host bits set: did you mean 10.0.0.0/8, or 10.1.2.3 alone?`},
		{in: "::ffff:10.0.0.0/8",
			wantErr: `"::ffff:10.0.0.0/8" has an IPv4-mapped address but is shorter than /96: did you mean 10.0.0.0/8?`},
		{in: "fe80::1%eth0", wantErr: `"fe80::1%eth0" has a zone: leave out "%eth0"`},
		{in: "fe80::%eth0/64", wantErr: `"fe80::%eth0/64" has a zone: leave out "%eth0"`},
		{in: "192.0.2.1:80", wantErr: `"192.0.2.1:80" has a port: did you mean 192.0.2.1?`},
		{in: "[2001:db8::1]:80", wantErr: `"[2001:db8::1]:80" has a port: did you mean 2001:db8::1?`},
		{in: "[2001:db8::1]", wantErr: `"[2001:db8::1]" has brackets: did you mean 2001:db8::1?`},
		{in: "10.1.0.0/255.255.0.0", wantErr: `"10.1.0.0/255.255.0.0" has a netmask: did you mean 10.1.0.0/16?`},
		{in: "10.1.2.3/0.0.0.0", wantErr: `"10.1.2.3/0.0.0.0" has a netmask: did you mean 0.0.0.0/0?`},
		{in: "10.1.0.0/255.0.255.0", wantErr: `"10.1.0.0/255.0.255.0" has no prefix length from 0 to 32 after the slash`},
		{in: "10.0.0.0/33", wantErr: `"10.0.0.0/33" has a prefix length above 32`},
		{in: "::/129", wantErr: `"::/129" has a prefix length above 128`},
		{in: "10.0.0.0/", wantErr: `"10.0.0.0/" has no prefix length from 0 to 32 after the slash`},
		{in: "10.0.0.0/08", wantErr: `"10.0.0.0/08" has no prefix length from 0 to 32 after the slash`},
		{in: "::/-1", wantErr: `"::/-1" has no prefix length from 0 to 128 after the slash`},
		{in: "", wantErr: `""` + notOne},
		{in: "10.0.0.0-10.0.0.9", wantErr: `"10.0.0.0-10.0.0.9"` + notOne},
		{in: "010.0.0.1", wantErr: `"010.0.0.1"` + notOne},
		{in: "example.com", wantErr: `"example.com"` + notOne},
		{in: "x\n", wantErr: `"x\n"` + notOne},
		{in: strings.Repeat("x", 1000), wantErr: `"` + strings.Repeat("x", maxQuote) + `"…` + notOne},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			p, err := Parse(tt.in)
			if tt.wantErr != "" {
				if err == nil || err.Error() != tt.wantErr {
					t.Fatalf("got %v, error %v, want error %s", p, err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, want := p.String(), tt.want; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestParseList(t *testing.T) {
	mistakes := "x\n" + strings.Repeat("y\n", 20)
	tests := []struct {
		name    string
		in      string
		most    int
		want    []string
		wantErr []string // each within the error
		not     string   // not within it
	}{
		{name: "empty", in: "", most: 0},
		{name: "comments", in: "# deny\n\n  192.0.2.1\t# one\r\n10.0.0.0/8 ; two\n;\n2001:db8::/32", most: 3,
			want: []string{"192.0.2.1/32", "10.0.0.0/8", "2001:db8::/32"}},
		{name: "too many", in: "192.0.2.1\n192.0.2.2\n192.0.2.3", most: 2,
			wantErr: []string{"deny.txt:3: more than 2 prefixes"}},
		{name: "every mistake", in: "\n10.0.0.1/8\n192.0.2.1\nfoo # bar\n", most: 9,
			wantErr: []string{`deny.txt:2: "10.0.0.1/8" has host bits set`, `deny.txt:4: "foo" is not`}},
		{name: "many mistakes", in: mistakes, most: 9,
			wantErr: []string{`deny.txt:1: "x"`, `deny.txt:10: "y"`, "deny.txt: stopped after 10 mistakes"}, not: "deny.txt:11"},
		{name: "long line", in: "192.0.2.1\n# " + strings.Repeat("x", maxLine), most: 9,
			wantErr: []string{"deny.txt:2: line of more than 4095 bytes"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list, err := ParseList("deny.txt", strings.NewReader(tt.in), tt.most)
			if (err != nil) != (tt.wantErr != nil) {
				t.Fatalf("got error %v, want %q", err, tt.wantErr)
			}
			for _, want := range tt.wantErr {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got error %v, want one with %q", err, want)
				}
			}
			if tt.not != "" && strings.Contains(err.Error(), tt.not) {
				t.Errorf("got error %v, want one without %q", err, tt.not)
			}
			var got []string
			for _, p := range list {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestParseListReadError(t *testing.T) {
	broken := errors.New("broken")
	_, err := ParseList("deny.txt", io.MultiReader(strings.NewReader("192.0.2.1\n"), iotest.ErrReader(broken)), 9)
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

// BenchmarkParseList reads a list of a million lines.
func BenchmarkParseList(b *testing.B) {
	list, _, _ := million("mixed")
	var text strings.Builder
	for _, p := range list {
		text.WriteString(p.String() + "\n")
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseList("list", strings.NewReader(text.String()), len(list)); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzParseList: what parses is canonical, in the set, and parses again to the same.
func FuzzParseList(f *testing.F) {
	for _, s := range []string{"192.0.2.1", "10.0.0.0/8 # x\n::/0", "::ffff:10.0.0.0/104", "fe80::1%a/64", "[::1]:80",
		"1.2.3.4/255.0.0.0", "10.1.2.3/8\n;", "::ffff:10.0.0.0/8"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		const most = 100
		list, err := ParseList("list", strings.NewReader(text), most)
		if err != nil {
			if list != nil || !strings.HasPrefix(err.Error(), "list:") {
				t.Fatalf("got %v with error %v", list, err)
			}
			if len(err.Error()) > 12*(4*maxQuote+200) {
				t.Fatalf("got an error of %d bytes", len(err.Error()))
			}
			return
		}
		if len(list) > most {
			t.Fatalf("got %d prefixes, want at most %d", len(list), most)
		}
		set := Compile(list)
		var lines strings.Builder
		for _, p := range list {
			if p != p.Masked() || p.Addr().Is4In6() && p.Bits() >= mappedBits || !set.Contains(p.Addr()) {
				t.Fatalf("got %v, not canonical or not contained", p)
			}
			lines.WriteString(p.String() + "\n")
		}
		again, err := ParseList("again", strings.NewReader(lines.String()), most)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(list, again, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
			t.Fatalf("-first +again:\n%s", diff)
		}
	})
}
