package hfp

import (
	"fmt"
	"strings"
	"testing"

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

// TestText pins texts, which operators keep in their lists.
func TestText(t *testing.T) {
	tests := []struct {
		name string
		f    Fingerprint
		want string
	}{
		{"no request", Fingerprint{}, ""},
		{"curl", Of(HTTP11, named("Host", "User-Agent", "Accept")), "h11n03_3ba1245c4ccd"},
		{"no names", Of(HTTP10, nil), "h10n00_ef46db3751d8"},
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
	b := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(10, func() { b = Of(HTTP11, many).Append(b[:0]); b = Of(HTTP11, long).Append(b[:0]) }); n > 0 {
		t.Errorf("got %v allocations, want none", n)
	}
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
