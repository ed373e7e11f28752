package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// testSetting is a setting that a server's own check of its configuration accepts.
func testSetting(t *testing.T, size int, cacheable, tls bool) setting {
	t.Helper()
	s := setting{
		Dir: t.TempDir(), Root: os.Geteuid() == 0, Address: "127.0.0.1:18081", Admin: "127.0.0.1:18082",
		Origin: "127.0.0.1:18083", Sink: "127.0.0.1:18084", Size: size, Cacheable: cacheable, TLS: tls,
	}
	s.Log = filepath.Join(s.Dir, "access.log")
	if err := os.MkdirAll(filepath.Join(s.Dir, "temp"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := writeCertificate(s.Dir); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConfigure(t *testing.T) {
	nginx, haproxy := kinds[1], kinds[2]
	tests := []struct {
		name           string
		kind           kind
		size           int
		cacheable, tls bool
		with, without  []string
	}{
		{
			"nginx hit", nginx, 1 << 10, true, false,
			[]string{"listen 127.0.0.1:18081 reuseport", "proxy_cache cache;", "open_file_cache", "access.log json buffer=64k flush=1s;", "worker_processes 1;", "sendfile off;"},
			[]string{"ssl"},
		},
		{
			"nginx hit, large", nginx, 64 << 10, true, false,
			[]string{"sendfile on;", "tcp_nopush off;", "proxy_cache cache;"},
			nil,
		},
		{
			"nginx pass", nginx, 1 << 10, false, false,
			[]string{"server 127.0.0.1:18083;", "keepalive 128;", `proxy_set_header Connection "";`, "access.log json"},
			[]string{"proxy_cache", "ssl"},
		},
		{
			"nginx over TLS", nginx, 1 << 10, true, true,
			[]string{"listen 127.0.0.1:18081 ssl reuseport", "TLS_AES_128_GCM_SHA256;", "ssl_ecdh_curve X25519;", "ssl_session_tickets off;", "/chain.pem;"},
			nil,
		},
		{
			"haproxy hit", haproxy, 1 << 10, true, false,
			[]string{"nbthread 1", "bind 127.0.0.1:18081\n", "cache-use cache", "cache-store cache", "server sink 127.0.0.1:18084", "log ring@log"},
			[]string{"ssl"},
		},
		{
			"haproxy pass", haproxy, 1 << 10, false, false,
			[]string{"http-reuse always", "server origin 127.0.0.1:18083", "log ring@log"},
			[]string{"cache-use", "ssl"},
		},
		{
			"haproxy over TLS", haproxy, 1 << 10, true, true,
			[]string{"bind 127.0.0.1:18081 ssl crt ", "/both.pem", "TLS_AES_128_GCM_SHA256", "curves X25519", "no-tls-tickets"},
			nil,
		},
		{
			"origin", origin, 1 << 10, false, false,
			[]string{"listen 127.0.0.1:18083;", "access_log off;", "stub_status;", "add_header Cache-Control no-store;"},
			nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := testSetting(t, tt.size, tt.cacheable, tt.tls)
			path, err := tt.kind.configure(s)
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range tt.with {
				if !strings.Contains(string(text), part) {
					t.Errorf("no %q in\n%s", part, text)
				}
			}
			for _, part := range tt.without {
				if strings.Contains(string(text), part) {
					t.Errorf("%q in\n%s", part, text)
				}
			}
			accepts(t, tt.kind, path, s)
		})
	}
}

// accepts asks the server itself whether the configuration is good.
func accepts(t *testing.T, k kind, path string, s setting) {
	t.Helper()
	program, err := find(k.program)
	if err != nil {
		t.Logf("%s is not installed: its configuration was only read", k.program)
		return
	}
	check := map[string]string{"nginx": "-t", "haproxy": "-c"}[k.program]
	command := append(k.command(program, path, s), check)
	out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
	if err != nil || strings.Contains(strings.ToLower(string(out)), "warn") {
		t.Errorf("%v: %v: %s", command, err, out)
	}
}

func TestSeawallCommand(t *testing.T) {
	tests := []struct {
		name          string
		tls           bool
		with, without string // runs of arguments
	}{
		{"plain", false, "--http 127.0.0.1:18081 --https off", "--certificate"},
		{"over TLS", true, "--http off --https 127.0.0.1:18081 --certificate ", "--https off"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := testSetting(t, 1<<10, true, tt.tls)
			args := kinds[0].command("/bin/seawall", "", s)
			got := strings.Join(args, " ")
			if !strings.Contains(got, tt.with) || strings.Contains(got, tt.without) {
				t.Errorf("got %q, want %q in it, and no %q", got, tt.with, tt.without)
			}
			for _, flag := range []string{"--limit", "--origin-limit", "--admin", "--log"} { // what must be on
				if i := slices.Index(args, flag); i < 0 || args[i+1] == "off" {
					t.Errorf("%s is missing or off in %q", flag, got)
				}
			}
		})
	}
}

func TestHit(t *testing.T) {
	tests := []struct {
		name, header, value string
		kind                kind
		want                bool
	}{
		{"seawall hit", "Cache-Status", "seawall; hit; ttl=3599", kinds[0], true},
		{"seawall miss", "Cache-Status", `seawall; fwd=miss; stored; detail="nothing stored"`, kinds[0], false},
		{"seawall says nothing", "Age", "1", kinds[0], false},
		{"nginx hit", "X-Cache-Status", "HIT", kinds[1], true},
		{"nginx miss", "X-Cache-Status", "MISS", kinds[1], false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.kind.hit(http.Header{tt.header: {tt.value}}); got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
		})
	}
}
