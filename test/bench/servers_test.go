package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/test/server"
)

// testSetting completes a setting to one that a server's own check of its configuration accepts.
func testSetting(t *testing.T, s setting) setting {
	t.Helper()
	s.Dir, s.Root = t.TempDir(), os.Geteuid() == 0
	s.Files, s.Store = s.Dir, s.Dir
	s.Address, s.Admin, s.Origin, s.Sink = "127.0.0.1:18081", "127.0.0.1:18082", "127.0.0.1:18083", "127.0.0.1:18084"
	s.Log, s.Cache = filepath.Join(s.Dir, "access.log"), 64
	if err := os.MkdirAll(filepath.Join(s.Dir, "temp"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := server.WriteCertificate(s.Dir, "localhost"); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConfigure(t *testing.T) {
	nginx, haproxy, varnish, caddy := kinds[1], kinds[2], kinds[3], kinds[4]
	hit := setting{Size: 1 << 10, Cacheable: true}
	pass := setting{Size: 1 << 10}
	large := setting{Size: 64 << 10, Cacheable: true}
	secure := setting{Size: 1 << 10, Cacheable: true, TLS: true}
	resumed := setting{Size: 1 << 10, Cacheable: true, TLS: true, Resume: true}
	multiplexed := setting{Size: 1 << 10, Cacheable: true, TLS: true, HTTP2: true}
	attacked := setting{Size: 1 << 10, Cacheable: true, TLS: true, HTTP2: true, Stall: 2 * time.Second}
	disk := setting{Size: 64 << 10, Cacheable: true, Disk: 1024}
	crowded := setting{Size: 1 << 10, Cacheable: true, HTTP2: true, Waits: true}
	tagged := setting{Size: 128, Cacheable: true, Tags: purgeTagList()}
	denied := setting{Size: 1 << 10, Cacheable: true, Refuse: refuseRequests}
	excess := setting{Size: 1 << 10, Cacheable: true, Refuse: refuseExcess}
	reset := setting{Size: 1 << 10, Cacheable: true, Refuse: refuseConnections}
	tests := []struct {
		name          string
		kind          kind
		setting       setting
		with, without []string
	}{
		{
			"nginx hit", nginx, hit,
			[]string{"listen 127.0.0.1:18081 reuseport", "proxy_cache cache;", "max_size=64m", "open_file_cache", "access.log json buffer=64k flush=1s;", "worker_processes 1;", "sendfile off;"},
			[]string{"ssl", "$denied"},
		},
		{"nginx hit, large", nginx, large, []string{"sendfile on;", "tcp_nopush off;", "proxy_cache cache;"}, nil},
		{"nginx hit, on disk", nginx, disk, []string{"max_size=1024m"}, []string{"max_size=64m", "proxy_cache_lock"}},
		{
			"nginx collapses", nginx, crowded,
			[]string{"listen 127.0.0.1:18081 http2 reuseport", "proxy_cache_lock on;", "proxy_cache_lock_timeout 30s;", "proxy_cache_lock_age 30s;"},
			[]string{"ssl"},
		},
		{
			"nginx pass", nginx, pass,
			[]string{"server 127.0.0.1:18083;", "keepalive 128;", `proxy_set_header Connection "";`, "access.log json"},
			[]string{"proxy_cache", "ssl"},
		},
		{
			"nginx over TLS", nginx, secure,
			[]string{"listen 127.0.0.1:18081 ssl reuseport", "TLS_AES_128_GCM_SHA256;", "ssl_ecdh_curve X25519;", "NumTickets 1;", "/chain.pem;"},
			[]string{"http2"},
		},
		{
			"nginx over HTTP/2", nginx, multiplexed,
			[]string{"listen 127.0.0.1:18081 ssl http2 reuseport", "keepalive_requests 1000000000;", "access.log json"},
			nil,
		},
		{
			"nginx attacked", nginx, attacked,
			[]string{"client_header_timeout 2s;", "client_body_timeout 2s;", "send_timeout 2s;", "keepalive_timeout 1h;"}, nil,
		},
		{"nginx refuses requests", nginx, denied, []string{"127.0.0.1 1;", "if ($denied) { return 403; }", "access.log json"}, []string{"return 444", "reset_timedout_connection on"}},
		{
			"nginx refuses connections", nginx, reset,
			[]string{"127.0.0.1 1;", "if ($denied) { return 444; }", "reset_timedout_connection on;", "access_log off;"},
			[]string{"return 403"},
		},
		{
			"haproxy hit", haproxy, hit,
			[]string{"nbthread 1", "bind 127.0.0.1:18081\n", "cache-use cache", "cache-store cache", "total-max-size 64\n", "server sink 127.0.0.1:18084", "log ring@log"},
			[]string{"ssl", "reject", "deny"},
		},
		{
			"haproxy pass", haproxy, pass,
			[]string{"http-reuse always", "server origin 127.0.0.1:18083", "log ring@log"},
			[]string{"cache-use", "ssl"},
		},
		{
			"haproxy over TLS", haproxy, secure,
			[]string{"bind 127.0.0.1:18081 ssl crt ", "/both.pem", "TLS_AES_128_GCM_SHA256", "curves X25519", "no-tls-tickets"},
			[]string{"alpn"},
		},
		{"haproxy over HTTP/2", haproxy, multiplexed, []string{" no-tls-tickets alpn h2\n", "log ring@log"}, nil},
		{"haproxy attacked", haproxy, attacked, []string{"timeout client 2s\n", "timeout http-request 2s\n"}, nil},
		{"haproxy over TLS, resuming", haproxy, resumed, []string{" curves X25519\n"}, []string{"X25519 no-tls-tickets"}},
		{"nginx limits requests", nginx, excess, []string{"limit_req_zone $binary_remote_addr zone=excess:10m rate=1r/m;", "limit_req zone=excess;", "access.log json"}, []string{"$denied"}},
		{"haproxy limits requests", haproxy, excess, []string{"http-request deny deny_status 429 if { sc_http_req_rate(0) gt 1 }"}, []string{"403"}},
		{"haproxy refuses requests", haproxy, denied, []string{"http-request deny deny_status 403 if { src 127.0.0.1 }"}, []string{"reject"}},
		{"haproxy refuses connections", haproxy, reset, []string{"tcp-request connection reject if { src 127.0.0.1 }"}, []string{"deny"}},
		{"varnish hit", varnish, hit, []string{`.host = "127.0.0.1";`, `.port = "18083";`}, []string{"(pass)", "acl"}},
		{"varnish pass", varnish, pass, []string{"return (pass);"}, []string{"acl"}},
		{"varnish refuses requests", varnish, denied, []string{"client.ip ~ denied", "return (synth(403));"}, nil},
		{"caddy hit", caddy, hit, []string{"http://127.0.0.1:18081 {", "file_server", "access.log {", "format json"}, []string{"reverse_proxy", "tls ", "@denied"}},
		{"caddy pass", caddy, pass, []string{"reverse_proxy 127.0.0.1:18083", "keepalive_idle_conns_per_host 128"}, []string{"file_server"}},
		{"caddy over TLS", caddy, secure, []string{"https://127.0.0.1:18081 {", "protocols tls1.3", "curves x25519", "/chain.pem ", "protocols h1\n"}, nil},
		{"caddy over HTTP/2", caddy, multiplexed, []string{"protocols h1 h2\n", "access.log {"}, nil},
		{
			"caddy attacked", caddy, attacked,
			[]string{"read_header 2s\n", "read_body 2s\n", "file_server", "reverse_proxy @passed 127.0.0.1:18083"}, nil,
		},
		{"caddy refuses requests", caddy, denied, []string{"@denied remote_ip 127.0.0.1", "403", "access.log {"}, []string{"abort"}},
		{"caddy refuses connections", caddy, reset, []string{"abort @denied"}, []string{"403", "access.log"}},
		{
			"seawall attacked", kinds[0], attacked,
			[]string{`https: ["127.0.0.1:18081"]`, "{head_timeout: 2s, stall_timeout: 2s}", `{url: "http://127.0.0.1:18083"}`, "/access.log"}, nil,
		},
		{
			"origin", origin, pass,
			[]string{"listen 127.0.0.1:18083;", "access_log off;", "stub_status;", "add_header Cache-Control no-store;"},
			nil,
		},
		{"origin with tags", origin, tagged, []string{`add_header Cache-Tag "tag-0, tag-1, `, `, tag-19";`}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := testSetting(t, tt.setting)
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
	program, err := server.Find(k.program)
	if err != nil {
		t.Logf("%s is not installed: its configuration was only read", k.program)
		return
	}
	command := k.command(program, path, s)
	switch k.program {
	case "nginx":
		command = append(command, "-t")
	case "haproxy":
		command = append(command, "-c")
	case "varnishd":
		command = []string{program, "-C", "-j", "none", "-n", s.Dir, "-f", path}
	case "caddy":
		command = []string{program, "validate", "--adapter", "caddyfile", "--config", path}
	}
	out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
	said := strings.ToLower(string(out))
	// Caddy warns of the style of its file, and that there is no redirection to HTTPS.
	if err != nil || k.program != "caddy" && strings.Contains(said, "warn") {
		t.Errorf("%v: %v: %s", command, err, out)
	}
}

func TestSeawallCommand(t *testing.T) {
	tests := []struct {
		name          string
		setting       setting
		with, without string // runs of arguments
	}{
		{"plain", setting{}, "--http 127.0.0.1:18081 --https off", "--certificate"},
		{"over TLS", setting{TLS: true}, "--http off --https 127.0.0.1:18081 --certificate ", "--https off"},
		{"stores so much", setting{}, "--cache-size 64", "--cache-disk"},
		{"stores on disk, too", setting{Disk: 1024}, "--https off --cache-disk 1024MiB", "--deny"},
		{"serves everybody", setting{}, "--limit 1000000/s", "--deny"},
		{"refuses requests", setting{Refuse: refuseRequests}, "--deny 127.0.0.1", "--dry-run"},
		{"refuses connections by the cap that is always there", setting{Refuse: refuseConnections}, "--limit 1000000/s", "--deny"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := kinds[0].command("/bin/seawall", "", testSetting(t, tt.setting))
			got := strings.Join(args, " ")
			if !strings.Contains(got, tt.with) || strings.Contains(got, tt.without) {
				t.Errorf("got %q, want %q in it, and no %q", got, tt.with, tt.without)
			}
			for _, flag := range []string{"--limit", "--busy-limit", "--admin", "--log"} { // what must be on
				if i := slices.Index(args, flag); i < 0 || args[i+1] == "off" {
					t.Errorf("%s is missing or off in %q", flag, got)
				}
			}
		})
	}
}

// Where clients may not stand still, Seawall has a file.
func TestSeawallCommandWithFile(t *testing.T) {
	args := kinds[0].command("/bin/seawall", "/etc/seawall.yaml", testSetting(t, setting{TLS: true, Stall: time.Second}))
	if got, want := strings.Join(args[:4], " "), "/bin/seawall run --config /etc/seawall.yaml"; got != want {
		t.Errorf("command: got %q, want %q", got, want)
	}
}

// Who can't have a part in a scenario says why, and everybody has one in most.
func TestCannot(t *testing.T) {
	out := map[string][]string{}
	for _, k := range kinds {
		for _, s := range scenarios {
			if k.cannot != nil && k.cannot(s) != "" {
				out[k.name] = append(out[k.name], s.name)
			}
		}
	}
	want := map[string][]string{
		"nginx":   {"memory", "hit-ratio", "purge-tag"},
		"haproxy": {"disk-64k", "hit-ratio", "purge-tag", "collapse"},
		"varnish": {
			"tls-hit-1k", "tls-hit-64k", "handshake", "refuse-ratelimit", "refuse-new", "idle-tls",
			"handshake-resumed", "latency-tls-hit-1k", "hit-under-handshakes",
			"h2-16x8", "h2-64x1", "h2-pass", "idle-h2", "idle-h2-stream", "h2-attacks", "disk-64k", "purge-tag",
		},
		"caddy": {"refuse-ratelimit", "memory", "disk-64k", "hit-ratio", "purge-tag", "collapse"},
	}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
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
		{"varnish hit", "X-Varnish", "32770 3", kinds[3], true},
		{"varnish miss", "X-Varnish", "2", kinds[3], false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.kind.hit(http.Header{tt.header: {tt.value}}); got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
		})
	}
}
