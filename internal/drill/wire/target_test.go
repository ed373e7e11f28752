package wire

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestResolveRefusesAllButLoopback(t *testing.T) {
	tests := []struct{ in, want, err string }{
		{"http://127.0.0.1:8080", "127.0.0.1:8080", ""},
		{"http://127.9.8.7", "127.9.8.7:80", ""},
		{"http://localhost:81/x", "127.0.0.1:81", ""},
		{"http://[::ffff:127.0.0.1]:82", "127.0.0.1:82", ""},
		{"http://192.0.2.1:80", "", "192.0.2.1 is not a loopback address"},
		{"http://10.0.0.1", "", "not a loopback address"},
		{"http://0.0.0.0:80", "", "not a loopback address"},
		{"http://[::ffff:192.0.2.1]", "", "not a loopback address"},
		{"http://[2001:db8::1]:80", "", "not a loopback address"},
		{"http://[::1]:80", "", "no address in 127.0.0.0/8"},
		{"https://127.0.0.1", "127.0.0.1:443", ""},
		{"https://192.0.2.1", "", "not a loopback address"},
		{"ftp://127.0.0.1", "", "want http://HOST:PORT"},
		{"http://:80", "", "want http://HOST:PORT"},
		{"127.0.0.1:80", "", "target"},
		{"http://127.0.0.1:0", "", "port"},
		{"http://127.0.0.1:70000", "", "port"},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := Resolve(t.Context(), tt.in, "")
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || got.Addr.String() != tt.want {
				t.Errorf("got %v, %v, want %s", got.Addr, err, tt.want)
			}
		})
	}
}

func TestResolveHost(t *testing.T) {
	tests := []struct {
		url, host string
		want      Target
	}{
		{"http://127.0.0.1:8080", "", Target{netip.MustParseAddrPort("127.0.0.1:8080"), "127.0.0.1:8080", false}},
		{"http://127.0.0.1:8080", "harbour.test", Target{netip.MustParseAddrPort("127.0.0.1:8080"), "harbour.test", false}},
		{"https://127.0.0.1:8443", "harbour.test", Target{netip.MustParseAddrPort("127.0.0.1:8443"), "harbour.test", true}},
	}
	for _, tt := range tests {
		if got, err := Resolve(t.Context(), tt.url, tt.host); err != nil || got != tt.want {
			t.Errorf("%s for %q: got %v, %v, want %v", tt.url, tt.host, got, err, tt.want)
		}
	}
}

// A Target need not come from Resolve.
func TestDialRefusesBeforeItSends(t *testing.T) {
	d := Dialer{Target: Target{Addr: netip.MustParseAddrPort("192.0.2.1:80"), Host: "harbour.test"}}
	if _, err := d.Dial(t.Context(), netip.MustParseAddr("127.0.0.1"), golang(nil)); !errors.Is(err, ErrNotLoopback) {
		t.Errorf("error %v, want %v", err, ErrNotLoopback)
	}
}
