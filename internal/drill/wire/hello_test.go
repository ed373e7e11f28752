package wire

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/seawall/seawall/ja4"
)

// client1 is somebody.
var client1 = netip.MustParseAddr("127.16.0.1")

func dialerTo(t testing.TB, url string) *Dialer {
	t.Helper()
	target, err := Resolve(t.Context(), url, "harbour.test")
	if err != nil {
		t.Fatal(err)
	}
	return &Dialer{Target: target}
}

var there = Target{Addr: netip.MustParseAddrPort("127.0.0.1:443"), Host: "harbour.test", TLS: true}

// fingerprint returns the JA4 of a hello that s sends.
func fingerprint(t *testing.T, d *Dialer, s *Software) string {
	t.Helper()
	record, err := d.Hello(s)
	if err != nil {
		t.Fatal(err)
	}
	var h ja4.Hello
	if n, err := h.Parse(record); err != nil || n != len(record) {
		t.Fatalf("%s: hello of %d bytes parses to %d, %v", s.Name, len(record), n, err)
	}
	if h.ServerName != "harbour.test" {
		t.Errorf("%s: server name %q, want harbour.test", s.Name, h.ServerName)
	}
	return h.Fingerprint(ja4.TCP).String()
}

// Different software has different fingerprints; the same has the same, though Chrome's hellos differ.
func TestHellos(t *testing.T) {
	d := &Dialer{Target: there}
	by := map[string]hello{}
	for kind := range hellos {
		s := &Software{Name: "any", Hello: Hello{kind: kind}, HTTP2: chromiumHTTP2}
		first := fingerprint(t, d, s)
		for range 3 {
			if again := fingerprint(t, d, s); again != first {
				t.Errorf("hello %d: JA4 %s, then %s", kind, first, again)
			}
		}
		if other, ok := by[first]; ok {
			t.Errorf("hellos %d and %d: both have JA4 %s", kind, other, first)
		}
		by[first] = kind
	}
}

// Fingerprints of browsers as they were captured in 2026: of Chromium 152 and Edge 153 in September, Firefox 156 in September, Safari
// 26.5.2 in July, and those of Chromium and Firefox when they come back.
func TestCapturedFingerprints(t *testing.T) {
	chromium := []string{"t13d1516h2_8daaf6152771_806a8c22fdea", "t13d1517h2_8daaf6152771_a87ad97598a9"}
	safari := []string{"t13d2013h2_a09f3c656075_7f0f34a4126d", "t13d2013h2_a09f3c656075_7f0f34a4126d"}
	tests := []struct {
		name string
		want []string
	}{
		{"chrome", chromium}, {"edge", chromium}, {"android", chromium}, {"ios", safari}, {"safari", safari},
		{"firefox", []string{"t13d1517h2_8daaf6152771_3cbfd9057e0d", "t13d1517h2_8daaf6152771_e6dcd7ae0a9e"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			heard := make(chan string, len(tt.want))
			server := httptest.NewUnstartedServer(http.NotFoundHandler())
			server.EnableHTTP2 = true
			server.TLS = &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
				heard <- ja4.Of(hello, ja4.TCP).String()
				return nil, nil
			}}
			server.StartTLS()
			defer server.Close()
			s, err := Named(tt.name, newRand(1))
			if err != nil {
				t.Fatal(err)
			}
			d := dialerTo(t, server.URL)
			for i, want := range tt.want {
				c, err := d.Dial(t.Context(), client1, s)
				if err != nil {
					t.Fatal(err)
				}
				if err := c.Do(t.Context(), &Request{Path: "/"}, &Response{}, nil); err != nil { // the ticket comes before the answer
					t.Error(err)
				}
				c.Close()
				if got := <-heard; got != want {
					t.Errorf("connection %d: JA4 %s, want %s", i, got, want)
				}
			}
		})
	}
}

func TestToolsDiffer(t *testing.T) {
	d := &Dialer{Target: there}
	by := map[string]int{}
	for n := range 300 {
		got := fingerprint(t, d, Tool(n, newRand(1)))
		if again := fingerprint(t, d, Tool(n, newRand(2))); n >= 7 && again != got {
			t.Errorf("tool %d: JA4 %s, then %s", n, got, again)
		}
		if other, ok := by[got]; ok {
			t.Errorf("tools %d and %d: both have JA4 %s", other, n, got)
		}
		by[got] = n
	}
}
