package main

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	"github.com/seawall/seawall/test/server"
)

const statusPage = "Active connections: 65 \nserver accepts handled requests\n 71 71 8192 \nReading: 0 Writing: 64 Waiting: 1 \n"

func TestParseStatus(t *testing.T) {
	tests := []struct {
		name, page string
		want       int
		ok         bool
	}{
		{"nginx", statusPage, 8192, true},
		{"empty", "", 0, false},
		{"another page", "<html>1 2 3</html>", 0, false},
		{"two counts", "server accepts handled requests\n 71 71 \n", 0, false},
		{"too large", "\n 1 1 99999999999999999999 \n", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseStatus(tt.page)
			if ok := err == nil; ok != tt.ok {
				t.Fatalf("got error %v, want one: %t", err, !tt.ok)
			}
			if tt.ok && got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func FuzzParseStatus(f *testing.F) {
	f.Add(statusPage)
	f.Fuzz(func(t *testing.T, page string) {
		if n, err := parseStatus(page); err == nil && (n < 0 || !strings.ContainsAny(page, "0123456789")) {
			t.Errorf("%q gave %d", page, n)
		}
	})
}

// A server that takes the offer of HTTP/2 for HTTP/1.1 is found out.
func TestVerifyProtocol(t *testing.T) {
	secured := &tls.ConnectionState{CipherSuite: tls.TLS_AES_128_GCM_SHA256, CurveID: tls.X25519}
	for _, tt := range []struct {
		name  string
		http2 bool
		proto int
		ok    bool
	}{
		{"HTTP/2", true, 2, true},
		{"HTTP/1.1 where HTTP/2 is wanted", true, 1, false},
		{"HTTP/1.1", false, 1, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := site{scenario: scenario{tls: true, http2: tt.http2}}
			err := s.verify(answer{status: 200, proto: tt.proto, tls: secured})
			if ok := err == nil; ok != tt.ok || errors.Is(err, errNoHTTP2) == tt.ok {
				t.Errorf("got error %v, want one: %t", err, !tt.ok)
			}
		})
	}
}

// The origin is what the configuration says: the right file, and a count of who asked.
func TestSite(t *testing.T) {
	if _, err := server.Find(origin.program); err != nil {
		t.Skip("no nginx here")
	}
	for _, s := range []scenario{{name: "hit", size: 1 << 10, cacheable: true}, {name: "pass", size: 1 << 10}} {
		t.Run(s.name, func(t *testing.T) {
			site, err := openSite(t.Context(), t.TempDir(), s)
			if err != nil {
				t.Fatal(err)
			}
			defer site.close()
			// The origin itself as a server behind which it stands: it answers every request, so passes are right and hits are not.
			err = site.check(t.Context(), kind{}, site.url(site.address))
			if ok := err == nil; ok == s.cacheable {
				t.Errorf("got error %v, want one: %t", err, s.cacheable)
			}
			if len(site.body) != s.size {
				t.Errorf("got a body of %d bytes, want %d", len(site.body), s.size)
			}
		})
	}
}
