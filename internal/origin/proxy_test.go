package origin

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pires/go-proxyproto"

	"github.com/seawall/seawall/internal/flow"
)

func TestProxyHeader(t *testing.T) {
	tests := []struct {
		name                  string
		client, remote, local string
		want                  string // as version 1 has it
	}{
		{"IPv4", "198.51.100.7", "198.51.100.7:4242", "192.0.2.9:443", "PROXY TCP4 198.51.100.7 192.0.2.9 4242 443\r\n"},
		{"IPv6", "2001:db8::7", "[2001:db8::7]:4242", "[2001:db8::9]:443", "PROXY TCP6 2001:db8::7 2001:db8::9 4242 443\r\n"},
		{"IPv4 on a socket of both", "198.51.100.7", "[::ffff:198.51.100.7]:4242", "[::ffff:192.0.2.9]:443",
			"PROXY TCP4 198.51.100.7 192.0.2.9 4242 443\r\n"},
		{"longest", "2001:db8:1111:2222:3333:4444:5555:6666", "[2001:db8:1111:2222:3333:4444:5555:6666]:65535",
			"[2001:db8:1111:2222:3333:4444:5555:7777]:65535",
			"PROXY TCP6 2001:db8:1111:2222:3333:4444:5555:6666 2001:db8:1111:2222:3333:4444:5555:7777 65535 65535\r\n"},
		{"with a zone", "fe80::7%eth0", "[fe80::7%eth0]:4242", "[fe80::9%eth0]:443", "PROXY TCP6 fe80::7 fe80::9 4242 443\r\n"},
		{"behind a trusted proxy", "198.51.100.7", "10.0.0.2:4242", "192.0.2.9:443", "PROXY TCP4 198.51.100.7 192.0.2.9 0 443\r\n"},
		{"of another family", "2001:db8::7", "10.0.0.2:4242", "192.0.2.9:443", "PROXY TCP6 2001:db8::7 ::ffff:192.0.2.9 0 443\r\n"},
		{"no local address", "198.51.100.7", "198.51.100.7:4242", "", "PROXY UNKNOWN\r\n"},
	}
	for _, tt := range tests {
		for _, version := range []string{"v1", "v2"} {
			t.Run(tt.name+"/"+version, func(t *testing.T) {
				f := &flow.Flow{Conn: &flow.Conn{Remote: netip.MustParseAddrPort(tt.remote)}}
				f.Request.Client = netip.MustParseAddr(tt.client)
				if tt.local != "" {
					f.Conn.Local = netip.MustParseAddrPort(tt.local)
				}
				b := appendProxy(nil, version, f)
				if version == "v1" {
					if diff := cmp.Diff(tt.want, string(b)); diff != "" {
						t.Errorf("header (-want +got):\n%s", diff)
					}
				}
				r := bufio.NewReader(bytes.NewReader(b))
				h, err := proxyproto.Read(r)
				if err != nil {
					t.Fatalf("%q: %v", b, err)
				}
				if r.Buffered() > 0 {
					t.Errorf("%d bytes behind the header", r.Buffered())
				}
				if h.Version != version[1]-'0' {
					t.Errorf("version %d, want %s", h.Version, version)
				}
				if tt.local == "" {
					if h.TransportProtocol != proxyproto.UNSPEC {
						t.Errorf("header %+v, want one without addresses", h)
					}
					return
				}
				want, err := proxyproto.Read(bufio.NewReader(strings.NewReader(tt.want)))
				if err != nil {
					t.Fatal(err)
				}
				if h.SourceAddr.String() != want.SourceAddr.String() || h.DestinationAddr.String() != want.DestinationAddr.String() ||
					h.TransportProtocol != want.TransportProtocol || h.Command != proxyproto.PROXY {
					t.Errorf("header %+v, want %+v", h, want)
				}
			})
		}
	}
}

// TestProxyProtocol has servers that insist on the header: it comes before everything else, TLS too, once a connection, and each
// connection carries one request.
func TestProxyProtocol(t *testing.T) {
	const local = "192.0.2.9:443"
	insist := func(l net.Listener) *proxyproto.Listener {
		return &proxyproto.Listener{Listener: l, ConnPolicy: func(proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) { return proxyproto.REQUIRE, nil }}
	}
	certificate, key := identity(t)
	pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	listeners := []struct {
		name, scheme string
		listen       func() net.Listener
	}{
		{"http", "http", func() net.Listener { return insist(loopback(t)) }},
		{"unix", "unix", func() net.Listener { return insist(socket(t)) }},
		{"https", "https", func() net.Listener {
			return tls.NewListener(insist(loopback(t)), &tls.Config{Certificates: []tls.Certificate{pair}})
		}},
	}
	for _, way := range listeners {
		for _, version := range []string{"v1", "v2"} {
			t.Run(way.name+"/"+version, func(t *testing.T) {
				heard := make(chan []string, 1)
				s := serve(t, way.listen(), way.scheme, func(c net.Conn, r *bufio.Reader) {
					q, _, isRequest := ask(r)
					if !isRequest {
						return
					}
					heard <- []string{c.RemoteAddr().String(), q.Header.Get("Connection"), q.UserAgent()}
					if q.Header.Get("Upgrade") != "" {
						io.WriteString(c, switching)
						io.Copy(c, r)
						return
					}
					io.WriteString(c, ok)
					if _, err := r.ReadByte(); err == nil {
						t.Error("a second request came on the connection")
					}
				})
				z := zoneOf(s.url)
				z.Origin.ProxyProtocol, z.Origin.TLS.CA, z.Origin.Health.Path = version, certificate, "/"
				p := compile(t, newRoom(t), z)
				for _, port := range []string{"1001", "1002"} {
					f := ordinary()
					f.Conn.Remote, f.Conn.Local = netip.MustParseAddrPort("198.51.100.7:"+port), netip.MustParseAddrPort(local)
					p.Fetch(f)
					if body, err := drain(f); body != "ok" || err != nil {
						t.Fatalf("body %q, %v, refusal %+v, want ok", body, err, f.Origin.Refusal)
					}
					if diff := cmp.Diff([]string{"198.51.100.7:" + port, "close", ""}, <-heard); diff != "" {
						t.Errorf("client, Connection and User-Agent (-want +got):\n%s", diff)
					}
				}
				if n := p.servers[0].idleCount(); n != 0 {
					t.Errorf("%d idle connections, want none", n)
				}

				f := ordinary()
				f.Conn.Local = netip.MustParseAddrPort(local)
				user, _ := upgrading(t, f)
				p.Fetch(f)
				if diff := cmp.Diff([]string{visitor.String(), "Upgrade", ""}, <-heard); diff != "" {
					t.Errorf("tunnel's client, Connection and User-Agent (-want +got):\n%s", diff)
				}
				go func() {
					io.WriteString(user, "hello")
					user.CloseWrite()
				}()
				p.Tunnel(f)
				if got, _ := io.ReadAll(user); string(got) != "hello" {
					t.Errorf("tunnel: got %q, %+v, want hello", got, f.Origin.Tunnel)
				}

				(&checker{check: p.check, endpoint: p.servers[0].endpoint, take: unbounded}).once(t.Context())
				got := <-heard
				if status := p.Servers()[0]; !status.Checked.OK || got[2] != "seawall-health" || strings.HasPrefix(got[0], "198.51.100.7") {
					t.Errorf("check %+v, heard %v, want success in nobody's name", status, got)
				}
			})
		}
	}
}
