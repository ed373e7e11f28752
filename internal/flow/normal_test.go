package flow

import (
	"net/url"
	"strings"
	"testing"
)

func TestNormalHost(t *testing.T) {
	tests := []struct{ authority, want string }{
		{"", ""},
		{"example.org", "example.org"},
		{"EXAMPLE.org:8080", "example.org"},
		{"example.org.", "example.org"},
		{"Example.Org.:443", "example.org"},
		{"192.0.2.1:80", "192.0.2.1"},
		{"[2001:DB8::1]", "[2001:db8::1]"},
		{"[2001:db8::1]:443", "[2001:db8::1]"},
	}
	for _, tt := range tests {
		t.Run(tt.authority, func(t *testing.T) {
			if got := NormalHost(tt.authority); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNormalPath(t *testing.T) {
	tests := []struct {
		path, want string
		bad        bool
	}{
		{path: "", want: "/"},
		{path: "/", want: "/"},
		{path: "/a/b", want: "/a/b"},
		{path: "/%7euser/%41%2Dz", want: "/~user/A-z"},
		{path: "/a%2fb%3a", want: "/a%2Fb%3A"},
		{path: "/%252e%252e/", want: "/%252e%252e/"},
		{path: "/a/./b/../c", want: "/a/c"},
		{path: "/a/%2e%2E/c", want: "/c"},
		{path: "/a/.%2e", want: "/"},
		{path: "/a/.", want: "/a/"},
		{path: "/..", want: "/"},
		{path: "/../../../etc/passwd", want: "/etc/passwd"},
		{path: "/a/b/../../../..", want: "/"},
		{path: "//..", want: "/"},
		{path: "/a//../b", want: "/a/b"},
		{path: "//a///b/", want: "//a///b/"},
		{path: "/.hidden/...", want: "/.hidden/..."},
		{path: "/a/..b/b..", want: "/a/..b/b.."},
		{path: "/a\\..\\b", want: "/a\\..\\b"},
		{path: "/%", bad: true},
		{path: "/%4", bad: true},
		{path: "/%zz", bad: true},
		{path: "/%4g", bad: true},
		{path: "/%u0041", bad: true},
		{path: "/a%00b", bad: true},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			got, ok := NormalPath(tt.path)
			if got != tt.want || ok == tt.bad {
				t.Errorf("got %q, %t, want %q, %t", got, ok, tt.want, !tt.bad)
			}
		})
	}
}

func FuzzNormalPath(f *testing.F) {
	for _, s := range []string{"/", "/a/../b", "/%2e%2e/%2f", "/%41%zz", "//..//.", "/a/b/c/../../..", "/%25%32%65"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if path = "/" + path; strings.Contains(path, "?") {
			return
		}
		got, ok := NormalPath(path)
		want, err := url.PathUnescape(path)
		if ok != (err == nil && !strings.Contains(path, "%00")) {
			t.Fatalf("%q: got %t, want %t", path, ok, !ok)
		}
		if !ok {
			return
		}
		if got == "" || got[0] != '/' {
			t.Errorf("%q: got %q, want a path", path, got)
		}
		for segment := range strings.SplitSeq(got, "/") {
			if segment == "." || segment == ".." {
				t.Errorf("%q: got %q, want no dot segments", path, got)
			}
		}
		if again, ok := NormalPath(got); again != got || !ok {
			t.Errorf("%q: got %q, and from that %q, %t", path, got, again, ok)
		}
		plain, err := url.PathUnescape(got)
		if err != nil {
			t.Errorf("%q: got %q: %v", path, got, err)
		}
		// Without dot segments only the escaping may have changed.
		if !strings.Contains(want, "/.") && plain != want {
			t.Errorf("%q: got %q, which means %q, want %q", path, got, plain, want)
		}
	})
}

func BenchmarkNormalPath(b *testing.B) {
	paths := map[string]string{
		"plain":   "/assets/css/site.css",
		"escaped": "/caf%C3%A9/%7euser",
		"hostile": "/" + strings.Repeat("a", 4000) + strings.Repeat("/x/..", 800),
	}
	for name, path := range paths {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				NormalPath(path)
			}
		})
	}
}
