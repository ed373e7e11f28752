package origin

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seawall/seawall/internal/spec"
)

// identity is a certificate and its key.
func identity(t testing.TB) (certificate, key spec.PEM) {
	t.Helper()
	h := httptest.NewTLSServer(nil)
	h.Close()
	c := h.TLS.Certificates[0]
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return spec.PEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})),
		spec.PEM(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func TestCompileErrors(t *testing.T) {
	certificate, key := identity(t)
	url := func(text string) func(*spec.Origin) {
		return func(o *spec.Origin) { o.Servers[1].URL = text }
	}
	tests := []struct {
		name   string
		change func(o *spec.Origin)
		want   string
	}{
		{"no servers", func(o *spec.Origin) { o.Servers = nil }, "origin.servers: want at least one"},
		{"too many", func(o *spec.Origin) { o.Servers = make([]spec.Server, 257) }, "origin.servers: 257 are too many: want 256 at most"},
		{"no work", func(o *spec.Origin) { o.Servers[0].Weight, o.Servers[1].Weight = 0, 0 },
			"origin.servers: all have weight 0, which is no work: want at least one with a weight from 1 to 256"},
		{"negative weight", func(o *spec.Origin) { o.Servers[1].Weight = -1 },
			"origin.servers[1].weight: -1 is out of bounds: want 1 to 256, or 0 for no work"},
		{"high weight", func(o *spec.Origin) { o.Servers[1].Weight = 257 },
			"origin.servers[1].weight: 257 is out of bounds: want 1 to 256, or 0 for no work"},
		{"no scheme", url("example.org"),
			`origin.servers[1].url: "example.org" has no scheme that is spoken here: want http://host, https://host or unix:/path`},
		{"other scheme", url("ftp://example.org"),
			`origin.servers[1].url: "ftp://example.org" has no scheme that is spoken here: want http://host, https://host or unix:/path`},
		{"no host", url("http://:80"), `origin.servers[1].url: "http://:80" has no host`},
		{"path", url("http://example.org/x"), `origin.servers[1].url: "http://example.org/x" may have nothing behind the host and port`},
		{"user", url("http://a:b@example.org"), "origin.servers[1].url: a user or password has no place here"},
		{"relative socket", url("unix:app.sock"),
			`origin.servers[1].url: "unix:app.sock" does not name a socket: want an absolute path of at most 107 bytes, such as unix:/run/app.sock`},
		{"no socket", url("unix:"), `origin.servers[1].url: "unix:" does not name a socket: want an absolute path of at most 107 bytes, such as unix:/run/app.sock`},
		{"twice", url("http://192.0.2.1:80"), `origin.servers[1].url: "http://192.0.2.1:80" is servers[0] already: give that a higher weight`},
		{"twice a socket", func(o *spec.Origin) { o.Servers[0].URL, o.Servers[1].URL = "unix:/a/b", "unix:/a//b" },
			`origin.servers[1].url: "unix:/a//b" is servers[0] already: give that a higher weight`},
		{"tls without https", func(o *spec.Origin) { o.Servers[0].TLS = &spec.TLS{Insecure: true} },
			`origin.servers[0].tls: "http://192.0.2.1" is not asked over TLS: want an https URL, or no tls here`},
		{"no authority", func(o *spec.Origin) { o.TLS.CA = "x" }, "origin.tls.ca: holds no certificate in PEM form"},
		{"a server's no authority", func(o *spec.Origin) { o.Servers[1].TLS = &spec.TLS{CA: "x"} },
			"origin.servers[1].tls.ca: holds no certificate in PEM form"},
		{"no key", func(o *spec.Origin) { o.TLS.Certificate = certificate },
			"origin.tls.key: missing: want the private key of origin.tls.certificate, in PEM form"},
		{"no certificate", func(o *spec.Origin) { o.TLS.Key = key },
			"origin.tls.certificate: missing: want the certificate of origin.tls.key, in PEM form"},
		{"swapped", func(o *spec.Origin) { o.TLS.Certificate, o.TLS.Key = key, certificate },
			"origin.tls.certificate: want a certificate and its private key, in PEM form: "},
		{"balance", func(o *spec.Origin) { o.Balance = "random" },
			`origin.balance: "random" is no way to choose a server: want round_robin, least_requests or source`},
		{"all down", func(o *spec.Origin) { o.AllDown = "" }, `origin.all_down: "" is unknown: want refuse or try`},
		{"protocol", func(o *spec.Origin) { o.Protocol = "h3" }, `origin.protocol: "h3" is not spoken: want http/1.1 or h2`},
		{"protocol for one client", func(o *spec.Origin) { o.Protocol, o.ProxyProtocol = "h2", "v2" },
			`origin.protocol: h2 cannot be had with proxy_protocol, which names one client for a whole connection, while one of HTTP/2 carries many clients' requests: want one of them`},
		{"proxy protocol", func(o *spec.Origin) { o.ProxyProtocol = "2" },
			`origin.proxy_protocol: "2" is no version: want v1 or v2, or nothing for no PROXY protocol`},
		{"no name", func(o *spec.Origin) { o.ClientHeader = "a b" },
			`origin.client_header: "a b" cannot carry an address; use a field of its own, such as X-Real-IP`},
		{"taken name", func(o *spec.Origin) { o.ClientHeader = "Host" },
			`origin.client_header: "Host" cannot carry an address; use a field of its own, such as X-Real-IP`},
		{"retries", func(o *spec.Origin) { o.Retries = -1 }, "origin.retries: -1 is negative: want 0 or more"},
		{"timeout", func(o *spec.Origin) { o.StallTimeout = 0 }, "origin.stall_timeout: 0s is not a positive duration"},
		{"max fails", func(o *spec.Origin) { o.Health.MaxFails = -1 },
			"origin.health.max_fails: -1 is negative: want 1 or more, or 0 for no such rule"},
		{"fail timeout", func(o *spec.Origin) { o.Health.FailTimeout = 0 },
			"origin.health.fail_timeout: 0s is not a positive duration, such as 10s"},
		{"slow start", func(o *spec.Origin) { o.Health.SlowStart = -1 },
			"origin.health.slow_start: -1ns is negative: want a duration such as 30s, or 0s for none"},
		{"interval", func(o *spec.Origin) { o.Health.Interval = 1 }, "origin.health.interval: 1ns is too short: want 100ms or longer"},
		{"check's timeout", func(o *spec.Origin) { o.Health.Timeout = 0 }, "origin.health.timeout: 0s is not a positive duration, such as 2s"},
		{"rise", func(o *spec.Origin) { o.Health.Rise = 0 }, "origin.health.rise: 0 is too few: want 1 or more"},
		{"fall", func(o *spec.Origin) { o.Health.Fall = 0 }, "origin.health.fall: 0 is too few: want 1 or more"},
		{"check's path", func(o *spec.Origin) { o.Health.Path = "healthz" },
			`origin.health.path: "healthz" cannot be asked for: want a path, percent-encoded where needed, such as /healthz`},
		{"check's path in two lines", func(o *spec.Origin) { o.Health.Path = "/\r\nX: y" },
			`origin.health.path: "/\r\nX: y" cannot be asked for: want a path, percent-encoded where needed, such as /healthz`},
		{"check's host", func(o *spec.Origin) { o.Health.Host = "http://a" },
			`origin.health.host: "http://a" is no host: want a name, with a port if need be, such as www.example.org`},
		{"check's status", func(o *spec.Origin) { o.Health.Status = "2xx" },
			`origin.health.status: "2xx" is no list of statuses: want numbers from 100 to 599 and ranges of them, such as 200-399,404`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			z := zoneOf("http://192.0.2.1")
			z.Origin.Servers = append(z.Origin.Servers, spec.Server{URL: "https://192.0.2.2", Weight: 1})
			z.Origin.Health.Path = "/healthz"
			tt.change(&z.Origin)
			_, err := newRoom(t).Compile(z)
			if err == nil || err.Error() != tt.want && (!strings.HasSuffix(tt.want, ": ") || !strings.HasPrefix(err.Error(), tt.want)) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

// TestClientCertificate shows a server who is asking; a server's own TLS takes the place of the origin's.
func TestClientCertificate(t *testing.T) {
	certificate, key := identity(t)
	block, _ := pem.Decode([]byte(certificate))
	config := &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	config.Certificates = []tls.Certificate{pair}
	tests := []struct {
		name string
		set  func(o *spec.Origin)
		want bool
	}{
		{"none", func(o *spec.Origin) { o.TLS.CA = certificate }, false},
		{"the origin's", func(o *spec.Origin) { o.TLS = spec.TLS{CA: certificate, Certificate: certificate, Key: key} }, true},
		{"the server's", func(o *spec.Origin) {
			o.Servers[0].TLS = &spec.TLS{CA: certificate, Certificate: certificate, Key: key}
		}, true},
		{"not the server's", func(o *spec.Origin) {
			o.TLS = spec.TLS{CA: certificate, Certificate: certificate, Key: key}
			o.Servers[0].TLS = &spec.TLS{CA: certificate}
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := config.Clone()
			config.VerifyPeerCertificate = func(shown [][]byte, _ [][]*x509.Certificate) error {
				if string(shown[0]) != string(block.Bytes) {
					t.Error("another certificate was shown")
				}
				return nil
			}
			z := zoneOf(serve(t, tls.NewListener(loopback(t), config), "https", always(ok)).url)
			tt.set(&z.Origin)
			f := ordinary()
			compile(t, newRoom(t), z).Fetch(f)
			if drain(f); (f.Origin.Status == 200) != tt.want {
				t.Errorf("status %d, refusal %+v, want success %v", f.Origin.Status, f.Origin.Refusal, tt.want)
			}
		})
	}
}
