package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/cache"
	"github.com/seawall/seawall/internal/spec"
)

func TestOriginURL(t *testing.T) {
	tests := []struct{ text, want, err string }{
		{"http://127.0.0.1:3000", "http://127.0.0.1:3000", ""},
		{"http://127.0.0.1:3000/", "http://127.0.0.1:3000", ""},
		{"https://example.org", "https://example.org", ""},
		{"127.0.0.1:3000", "http://127.0.0.1:3000", ""},
		{"localhost:3000", "http://localhost:3000", ""},
		{"3000", "http://127.0.0.1:3000", ""},
		{"http://[::1]:3000", "http://[::1]:3000", ""},
		{"", "", "is no origin"},
		{"http://", "", "is no origin"},
		{"ftp://example.org", "", "want http or https"},
		{"http://example.org/app", "", "want only scheme, host and port"},
		{"http://example.org?x", "", "want only scheme, host and port"},
		{"http://me@example.org", "", "want only scheme, host and port"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, err := originURL(tt.text)
			if got != tt.want && tt.err == "" || tt.err == "" && err != nil {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
			if tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("got %q, %v, want an error with %q", got, err, tt.err)
			}
		})
	}
}

func TestListeners(t *testing.T) {
	tests := []struct {
		name  string
		given []string
		want  []spec.Listener
	}{
		{"none given", nil, []spec.Listener{{Address: ":80", Otherwise: ":8080"}}},
		{"off", []string{"off"}, nil},
		{"a port", []string{"8000"}, []spec.Listener{{Address: ":8000"}}},
		{"two", []string{"127.0.0.1:8000", "[::1]:8000"}, []spec.Listener{{Address: "127.0.0.1:8000"}, {Address: "[::1]:8000"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, listeners(tt.given, ":80", ":8080")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestUsage: a mistake on the command line is said in one line that names what would be right, and costs nothing.
func TestUsage(t *testing.T) {
	tests := []struct {
		args string
		code int
		say  string // on standard error, or on standard output where the code is 0
	}{
		{"", 0, "Seawall keeps websites up under attack."},
		{"--help", 0, "seawall protect http://127.0.0.1:3000"},
		{"protect --help", 0, "--origin-concurrency"},
		{"version", 0, "seawall development"},
		{"nonsense", exitUsage, "nonsense"},
		{"protect", exitUsage, "<url>"},
		{"protect 3000 --nonsense", exitUsage, "--nonsense"},
		{"protect ftp://x", exitUsage, "want http or https"},
		{"protect 3000 --limit 5", exitUsage, "--limit: \"5\" is no rate"},
		{"protect 3000 --origin-limit x/s", exitUsage, "--origin-limit: \"x/s\" is no rate"},
		{"protect 3000 --deny 10.0.0.1/8", exitUsage, "--deny: "},
		{"protect 3000 --deny @no/such/file", exitUsage, "--deny: open no/such/file"},
		{"protect 3000 --deny @testdata/prefixes.txt", exitUsage, "--deny: testdata/prefixes.txt:4: "},
		{"protect 3000 --certificate chain.pem", exitUsage, "--certificate: \"chain.pem\""},
		{"protect 3000 --origin-concurrency 0", exitUsage, "--origin-concurrency: 0 is too small"},
		{"protect 3000 --cache-size -1", exitUsage, "--cache-size"},
		{"protect 3000 --origin-protocol spdy", exitUsage, "--origin-protocol must be one of \"http/1.1\",\"h2\" but got \"spdy\""},
		{"protect 3000 --name=", exitUsage, "--name"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			var out, err bytes.Buffer
			code := run(strings.Fields(tt.args), &out, &err)
			said := err.String()
			if tt.code == 0 {
				said = out.String()
			}
			if code != tt.code || !strings.Contains(said, tt.say) {
				t.Errorf("code %d, said %q, want %d and %q", code, said, tt.code, tt.say)
			}
		})
	}
}

// TestProtectSpecs wants flags to become what a file would say.
func TestProtectSpecs(t *testing.T) {
	type said struct {
		Cache    spec.Memory
		Caches   bool
		Protocol spec.Protocol
	}
	usual := said{spec.DefaultNode().Cache, true, spec.ProtocolHTTP1}
	tests := []struct {
		args   string
		change func(*said)
	}{
		{"", func(*said) {}},
		{"--origin-protocol http/1.1", func(*said) {}},
		{"--origin-protocol h2", func(s *said) { s.Protocol = spec.ProtocolHTTP2 }},
		{"--cache-size 64", func(s *said) { s.Cache.Size = 64 << 20 }},
		{"--cache-size 1", func(s *said) { s.Cache.Size, s.Cache.Object = 1<<20, 256<<10 }},
		{"--cache-size 0", func(s *said) { s.Cache.Size, s.Cache.Object, s.Caches = 0, 1, false }},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			var c commands
			parser, err := kong.New(&c, kong.Vars{"data": t.TempDir(), "config": defaultConfig, "acme": spec.LetsEncrypt})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parser.Parse(append([]string{"protect", "3000"}, strings.Fields(tt.args)...)); err != nil {
				t.Fatal(err)
			}
			s, z, err := c.Protect.specs(slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			want := usual
			tt.change(&want)
			if diff := cmp.Diff(want, said{s.Cache, z.Cache.Enabled, z.Origin.Protocol}); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if _, err := cache.New(&s); err != nil {
				t.Errorf("got %v, want a cache that can be made", err)
			}
		})
	}
}
