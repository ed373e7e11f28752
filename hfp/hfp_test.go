package hfp

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/cespare/xxhash/v2"
)

// named makes fields of names.
func named(names ...string) []Field {
	fields := make([]Field, len(names))
	for i, name := range names {
		fields[i] = Field{Name: name, Value: "v"}
	}
	return fields
}

func TestOf(t *testing.T) {
	curl := []string{"Host", "User-Agent", "Accept"}
	tests := []struct {
		name   string
		fields []string
		want   string // the names that are hashed
	}{
		{"curl", curl, "Host,User-Agent,Accept"},
		{"another order", []string{"Host", "Accept", "User-Agent"}, "Host,Accept,User-Agent"},
		{"another case", []string{"host", "User-Agent", "Accept"}, "host,User-Agent,Accept"},
		{"repeated", []string{"Host", "Accept", "Accept"}, "Host,Accept,Accept"},
		{"none", nil, ""},
		{"a form", append([]string{"Content-Type", "Content-Length", "Cookie", "ORIGIN", "referer", "If-None-Match"}, curl...), "Host,User-Agent,Accept"},
		{"behind a proxy", append(curl, "X-Forwarded-For", "via", "Forwarded", "CDN-Loop", "X-Real-IP"), "Host,User-Agent,Accept"},
		{"nearly left out", []string{"Content", "If", "Viaduct", "Cookie2", "X-Forwarded"}, "Content,If,Viaduct,Cookie2,X-Forwarded"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := 0
			if tt.want != "" {
				n = strings.Count(tt.want, ",") + 1
			}
			want := fmt.Sprintf("h11n%02d_%012x", n, xxhash.Sum64String(tt.want)>>16)
			if got := Of(HTTP11, named(tt.fields...)).String(); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// TestOfHTTP2 hashes names as in HTTP/1, and how the connection began beside them.
func TestOfHTTP2(t *testing.T) {
	settings := []Setting{{1, 65536}, {2, 0}, {4, 6291456}}
	tests := []struct {
		name     string
		settings []Setting
		window   uint32
		pseudo   string
		want     string // what is hashed of the connection
	}{
		{"a browser", settings, 15663105, "masp", "1:65536,2:0,4:6291456|15663105|masp"},
		{"another window", settings, 0, "masp", "1:65536,2:0,4:6291456|0|masp"},
		{"another order", []Setting{{4, 6291456}, {2, 0}, {1, 65536}}, 15663105, "mpsa", "4:6291456,2:0,1:65536|15663105|mpsa"},
		{"repeated", []Setting{{2, 0}, {2, 0}}, 0, "masp", "2:0,2:0|0|masp"},
		{"unknown on purpose", []Setting{{0x0a0a, 7}, {1, 65536}, {0x1a2a, 1 << 31}, {2, 0}, {4, 6291456}, {0xfafa, 0}}, 15663105, "masp",
			"1:65536,2:0,4:6291456|15663105|masp"},
		{"unknown", []Setting{{0xf000, 1<<32 - 1}, {0x0a0b, 1}}, 1<<31 - 1, "mscap", "61440:4294967295,2571:1|2147483647|mscap"},
		{"nothing", nil, 0, "", "|0|"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn := ConnOf(tt.settings, tt.window, tt.pseudo)
			want := fmt.Sprintf("h20n02_%012x_%012x", xxhash.Sum64String("user-agent,accept")>>16, xxhash.Sum64String(tt.want)>>16)
			if got := OfHTTP2(&conn, named("user-agent", "cookie", "accept")).String(); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// TestText pins texts, which operators keep in their lists.
func TestText(t *testing.T) {
	curl := ConnOf([]Setting{{3, 100}, {4, 33554432}, {2, 0}}, 33488897, "mpsa")
	h2load := ConnOf([]Setting{{2, 0}, {4, 1073741823}}, 1073676288, "psam")
	nethttp := ConnOf([]Setting{{2, 0}, {4, 4194304}, {5, 16384}, {6, 10485760}}, 1073741824, "amps")
	chromium := ConnOf([]Setting{{1, 65536}, {2, 0}, {4, 6291456}, {6, 262144}}, 15663105, "masp")
	page := named("sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform", "upgrade-insecure-requests", "user-agent", "accept", "sec-fetch-site",
		"sec-fetch-mode", "sec-fetch-user", "sec-fetch-dest", "accept-encoding", "accept-language", "priority")
	tests := []struct {
		name string
		f    Fingerprint
		want string
	}{
		{"no request", Fingerprint{}, ""},
		{"curl", Of(HTTP11, named("Host", "User-Agent", "Accept")), "h11n03_3ba1245c4ccd"},
		{"no names", Of(HTTP10, nil), "h10n00_ef46db3751d8"},
		{"curl, HTTP/2", OfHTTP2(&curl, named("user-agent", "accept")), "h20n02_c0deb5defb7b_9767bfa4293b"},
		{"h2load", OfHTTP2(&h2load, named("user-agent")), "h20n01_e6ba75ece51c_53feb4bbb0c5"},
		{"Go", OfHTTP2(&nethttp, named("accept-encoding", "user-agent")), "h20n02_c0a596018cb8_f9e8eefe17ac"},
		{"Chromium", OfHTTP2(&chromium, page), "h20n10_00d3859e2bb1_de84a1953b20"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.f.String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestBounds wants many names, and long ones, to cost no memory, and the number to show two digits.
func TestBounds(t *testing.T) {
	many := named(strings.Split(strings.Repeat("A-Name,", 5000), ",")...)
	long := named("Host", strings.Repeat("x", 1<<20), "Accept")
	if got, want := Of(HTTP11, many).String()[:7], "h11n99_"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := Of(HTTP11, long).hash, xxhash.Sum64String("Host,Accept")>>16; got != want {
		t.Errorf("long: got %x, want %x", got, want)
	}
	settings := make([]Setting, 1000)
	conn, want := ConnOf(settings, 7, "masp"), xxhash.Sum64String(strings.Repeat("0:0,", 124)+"0:0|7|masp")>>16
	if conn.hash != want {
		t.Errorf("many settings: got %x, want %x", conn.hash, want)
	}
	if got := OfHTTP2(&conn, many).String(); len(got) != len("h20n99_9c1185a5c5e9_52a1e0c9f3ab") || got[:7] != "h20n99_" {
		t.Errorf("got %s", got)
	}
	if got := unsafe.Sizeof(Fingerprint{}); got > 32 {
		t.Errorf("got a fingerprint of %d bytes, want 32 at most", got)
	}
	b := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(10, func() { b = Of(HTTP11, many).Append(b[:0]); b = OfHTTP2(&conn, long).Append(b[:0]) }); n > 0 {
		t.Errorf("got %v allocations, want none", n)
	}
}

// FuzzConnOf wants the text to have its shape, and settings that are unknown on purpose to make no difference.
func FuzzConnOf(f *testing.F) {
	f.Add([]byte("\x00\x01\x00\x01\x00\x00\x0a\x0a\x00\x00\x00\x01"), uint32(15663105), "masp")
	f.Fuzz(func(t *testing.T, b []byte, window uint32, pseudo string) {
		var all, counted []Setting
		for ; len(b) >= 6; b = b[6:] {
			s := Setting{binary.BigEndian.Uint16(b), binary.BigEndian.Uint32(b[2:])}
			if all = append(all, s); s.ID>>8&15 != 10 || s.ID&15 != 10 {
				counted = append(counted, s)
			}
		}
		got, want := ConnOf(all, window, pseudo), ConnOf(counted, window, pseudo)
		if got != want {
			t.Errorf("got %x, without what does not count %x", got.hash, want.hash)
		}
		text := OfHTTP2(&got, nil).String()
		if first, ok := strings.CutPrefix(text, "h20n00_ef46db3751d8_"); !ok || len(first) != 12 || strings.Trim(first, "0123456789abcdef") != "" {
			t.Errorf("got %q", text)
		}
	})
}

// FuzzOf wants the text to have its shape, and what is left out to make no difference.
func FuzzOf(f *testing.F) {
	f.Add("Host\nUser-Agent\nAccept")
	f.Add("host\nuser-agent\n\nx-forwarded-for")
	f.Fuzz(func(t *testing.T, names string) {
		all := named(strings.Split(names, "\n")...)
		var counted []Field
		for _, field := range all {
			if Counts(field.Name) {
				counted = append(counted, field)
			}
		}
		got, want := Of(HTTP11, all), Of(HTTP11, counted)
		if got != want {
			t.Errorf("got %s, without what does not count %s", got, want)
		}
		if text := got.String(); len(text) != len("h11n14_9c1185a5c5e9") || strings.Trim(text[7:], "0123456789abcdef") != "" {
			t.Errorf("got %q", text)
		}
	})
}

func BenchmarkOf(b *testing.B) {
	chrome := named("Host", "Connection", "sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform", "Upgrade-Insecure-Requests", "User-Agent", "Accept",
		"Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-User", "Sec-Fetch-Dest", "Accept-Encoding", "Accept-Language", "Cookie")
	text := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		text = Of(HTTP11, chrome).Append(text[:0])
	}
}

func BenchmarkOfHTTP2(b *testing.B) {
	chrome := named("sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform", "upgrade-insecure-requests", "user-agent", "accept",
		"sec-fetch-site", "sec-fetch-mode", "sec-fetch-user", "sec-fetch-dest", "accept-encoding", "accept-language", "cookie", "priority")
	conn := ConnOf([]Setting{{1, 65536}, {2, 0}, {4, 6291456}, {6, 262144}}, 15663105, "masp")
	text := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		text = OfHTTP2(&conn, chrome).Append(text[:0])
	}
}

func BenchmarkConnOf(b *testing.B) {
	settings := []Setting{{1, 65536}, {2, 0}, {4, 6291456}, {6, 262144}}
	b.ReportAllocs()
	for b.Loop() {
		if ConnOf(settings, 15663105, "masp") == (Conn{}) {
			b.Fatal("no hash")
		}
	}
}
