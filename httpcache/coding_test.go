package httpcache

import (
	"strings"
	"testing"
)

func TestAcceptEncoding(t *testing.T) {
	all := CodingSet(0).With(Gzip).With(Brotli).With(Zstd)
	order := []Coding{Brotli, Zstd, Gzip}
	tests := []struct {
		name   string
		fields []Field
		among  CodingSet
		want   Coding
		normal string
	}{
		{"9110 §12.5.3 no field", nil, all, Identity, "identity"},
		{"9110 §12.5.3 empty", fields("Accept-Encoding: "), all, Identity, "identity"},
		{"one", fields("Accept-Encoding: gzip"), all, Gzip, "gzip"},
		{"a browser's", fields("Accept-Encoding: gzip, deflate, br, zstd"), all, Brotli, "gzip, br, zstd"},
		{"what is not there is not chosen", fields("Accept-Encoding: gzip, deflate, br, zstd"), CodingSet(0).With(Gzip), Gzip, "gzip, br, zstd"},
		{"nothing is there", fields("Accept-Encoding: gzip"), 0, Identity, "gzip"},
		{"9110 §8.4.1.3 x-gzip", fields("accept-encoding: X-GZIP"), all, Gzip, "gzip"},
		{"9110 §8.4.1 letter case", fields("Accept-Encoding: BR"), all, Brotli, "br"},
		{"lines are one list", fields("Accept-Encoding: gzip", "Accept-Encoding: zstd"), all, Zstd, "gzip, zstd"},
		{"9110 §12.4.2 the client's weights come first", fields("Accept-Encoding: br;q=0.5, gzip"), all, Gzip, "gzip, br"},
		{"thousandths", fields("Accept-Encoding: br;q=0.998, zstd;q=0.999"), all, Zstd, "br, zstd"},
		{"of equals the server's first", fields("Accept-Encoding: gzip;q=0.5, zstd;q=0.5"), all, Zstd, "gzip, zstd"},
		{"9110 §12.4.2 q=0 is not acceptable", fields("Accept-Encoding: br;q=0, gzip;q=0.000"), all, Identity, "identity"},
		{"9110 §12.5.3 any", fields("Accept-Encoding: *"), all, Brotli, "gzip, br, zstd"},
		{"9110 §12.5.3 any but one", fields("Accept-Encoding: *, br;q=0"), all, Zstd, "gzip, zstd"},
		{"9110 §12.5.3 any is of no account for what is listed", fields("Accept-Encoding: *;q=0, gzip;q=0.1"), all, Gzip, "gzip, identity;q=0"},
		{"9110 §12.5.3 none but identity", fields("Accept-Encoding: identity, *;q=0"), all, Identity, "identity"},
		{"9110 §12.5.3 a media element's", fields("Accept-Encoding: identity;q=1, *;q=0"), all, Identity, "identity"},
		{"identity is wanted more", fields("Accept-Encoding: gzip;q=0.5, identity"), all, Identity, "gzip"},
		{"identity is wanted as much", fields("Accept-Encoding: gzip, identity"), all, Gzip, "gzip"},
		{"the least is more than nothing said of identity", fields("Accept-Encoding: gzip;q=0.001"), all, Gzip, "gzip"},
		{"9110 §12.5.3 identity refused", fields("Accept-Encoding: gzip;q=0.001, identity;q=0"), all, Gzip, "gzip, identity;q=0"},
		{"9110 §12.4.1 all refused", fields("Accept-Encoding: *;q=0"), all, Identity, "identity;q=0"},
		{"unknown ones are passed over", fields("Accept-Encoding: deflate, compress, dcb, gzip"), all, Gzip, "gzip"},
		{"listed twice: the lowest", fields("Accept-Encoding: gzip, gzip;q=0"), all, Identity, "identity"},
		{"listed by both names: the lowest", fields("Accept-Encoding: x-gzip;q=0, gzip"), all, Identity, "identity"},
		{"whitespace", fields("Accept-Encoding:  br ; q=0.1 ,\tgzip\t;\tq=1.0"), all, Gzip, "gzip, br"},
		{"broken: too many digits", fields("Accept-Encoding: br;q=0.1234, gzip"), all, Gzip, "gzip"},
		{"broken: above 1", fields("Accept-Encoding: br;q=1.1, gzip"), all, Gzip, "gzip"},
		{"broken: no number", fields("Accept-Encoding: br;q=, gzip;q=x, zstd;q"), all, Identity, "identity"},
		{"broken: another parameter", fields("Accept-Encoding: br;level=11, gzip"), all, Gzip, "gzip"},
		{"broken: a second parameter", fields("Accept-Encoding: br;q=1;q=1, gzip"), all, Gzip, "gzip"},
		{"broken: space before =", fields("Accept-Encoding: br;q =1, gzip"), all, Gzip, "gzip"},
		{"broken: identity's weight does not forbid it", fields("Accept-Encoding: identity;q=none"), all, Identity, "identity"},
		{"broken: any's weight neither", fields("Accept-Encoding: *;q=none"), all, Identity, "identity"},
		{"broken: quoted", fields(`Accept-Encoding: "gzip", "br, zstd`), all, Identity, "identity"},
		{"empty members", fields("Accept-Encoding: ,,gzip,"), all, Gzip, "gzip"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := ParseAcceptEncoding(tt.fields)
			if got := a.Prefer(order, tt.among); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if got := a.Normal(); got != tt.normal {
				t.Errorf("normal form: got %q, want %q", got, tt.normal)
			}
		})
	}
}

// A coding that is chosen is acceptable, and the normal form accepts what the client accepts and is its own normal form.
func FuzzAcceptEncoding(f *testing.F) {
	for _, seed := range []string{"gzip, deflate, br, zstd", "*;q=0, x-gzip;q=0.5", "identity;q=0", `"br`, "br;q=1.000;x", "*;q=x, identity;q=0"} {
		f.Add(seed, "zstd;q=0.3")
	}
	order := []Coding{Zstd, Brotli, Gzip}
	f.Fuzz(func(t *testing.T, one, two string) {
		a := ParseAcceptEncoding([]Field{{"Accept-Encoding", one}, {"Other", "gzip"}, {"accept-encoding", two}})
		for c, weight := range a {
			if weight < 0 || weight > maxWeight {
				t.Fatalf("%v has weight %d", Coding(c), weight)
			}
		}
		for among := range CodingSet(1 << NumCodings) {
			c := a.Prefer(order, among)
			if c == Identity {
				continue
			}
			if !among.Has(c) || a[c] == 0 || a[c] < a[Identity] {
				t.Fatalf("chose %v of %b with weights %v", c, among, a)
			}
			for _, other := range order {
				if among.Has(other) && a[other] > a[c] {
					t.Fatalf("chose %v, although %v is wanted more: %v", c, other, a)
				}
			}
		}
		normal := ParseAcceptEncoding([]Field{{"Accept-Encoding", a.Normal()}})
		for c := range a {
			if (a[c] > 0) != (normal[c] > 0) {
				t.Fatalf("%v: %v is not what %q means: %v", Coding(c), a, a.Normal(), normal)
			}
		}
		if normal.Normal() != a.Normal() {
			t.Fatalf("normal form of %q is %q", a.Normal(), normal.Normal())
		}
	})
}

func TestVaryKeyOfAcceptEncoding(t *testing.T) {
	key := func(lines ...string) string {
		return string((&Policy{}).AppendVaryKey(nil, []string{acceptEncoding}, fields(lines...)))
	}
	same := []string{"gzip, br", "br,gzip", "BR, x-gzip;q=0.2, deflate", "gzip, br, made-up-17", "br;q=0.3,gzip, identity;q=0.5"}
	for _, value := range same {
		if got, want := key("Accept-Encoding: "+value), key("Accept-Encoding: "+same[0]); got != want {
			t.Errorf("%q: got another key than for %q: %q, %q", value, same[0], got, want)
		}
	}
	if key() != key("Accept-Encoding: identity") || key() != key("Accept-Encoding: deflate;q=1, gzip;q=0") {
		t.Error("who accepts nothing but identity has several keys")
	}
	others := []string{"gzip", "br", "gzip, br, zstd", "gzip, br, identity;q=0", "identity", "*;q=0", "gzip;q=0, br"}
	for _, value := range others {
		if key("Accept-Encoding: "+value) == key("Accept-Encoding: "+same[0]) {
			t.Errorf("%q has the key of %q, but accepts other codings", value, same[0])
		}
	}
	long := key("Accept-Encoding: " + strings.Repeat("x17, ", 1000) + "gzip")
	if long != key("Accept-Encoding: gzip") {
		t.Errorf("an invented list makes a key of its own: %q", long)
	}
}

func BenchmarkAcceptEncoding(b *testing.B) {
	request := fields("Host: example.org", "User-Agent: x", "Accept: text/html", "Accept-Language: en", "Accept-Encoding: gzip, deflate, br, zstd")
	order, all := []Coding{Brotli, Zstd, Gzip}, CodingSet(0).With(Gzip).With(Brotli).With(Zstd)
	b.ReportAllocs()
	for b.Loop() {
		a := ParseAcceptEncoding(request)
		if a.Prefer(order, all) != Brotli || a.Normal() == "" {
			b.Fatal("not br")
		}
	}
}
