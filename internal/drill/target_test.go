package drill

import (
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
		{"https://127.0.0.1", "", "want http://HOST:PORT"},
		{"127.0.0.1:80", "", "target"},
		{"http://127.0.0.1:0", "", "port"},
		{"http://127.0.0.1:70000", "", "port"},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := resolve(t.Context(), tt.in)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || got.addr.String() != tt.want {
				t.Errorf("got %v, %v, want %s", got.addr, err, tt.want)
			}
		})
	}
}

func TestRunRefusesBeforeItSends(t *testing.T) {
	site, err := StartSite(small().Site)
	if err != nil {
		t.Fatal(err)
	}
	defer site.Close()
	_, err = Run(t.Context(), small(), "http://192.0.2.1", site, nil)
	if err == nil || !strings.Contains(err.Error(), "floods nothing but this machine") {
		t.Errorf("error %v, want a refusal", err)
	}
}
