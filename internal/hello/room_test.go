package hello

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/hello/localca"
	"github.com/seawall/seawall/internal/spec"
)

// newRoom makes a room whose local authority is in folder.
func newRoom(t testing.TB, folder string, certificates ...spec.Certificate) *Room {
	t.Helper()
	return newRoomWith(t, folder, Options{}, certificates...)
}

func newRoomWith(t testing.TB, folder string, o Options, certificates ...spec.Certificate) *Room {
	t.Helper()
	r, problems := New(&spec.Node{Data: folder, Certificates: certificates}, o, time.Now())
	if err := errors.Join(problems...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// issuer is an authority that configured certificates come from.
type issuer struct {
	folder string
	ca     *localca.CA
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	folder := t.TempDir()
	ca, err := localca.Open(folder, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{folder, ca}
}

// mint makes a certificate for names at a time, by which it is in force.
func (i *issuer) mint(t testing.TB, at time.Time, names ...string) *tls.Certificate {
	t.Helper()
	c, err := i.ca.Mint(at, names...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// text is a certificate for names as an operator configures it.
func (i *issuer) text(t testing.TB, names ...string) spec.Certificate {
	t.Helper()
	return text(t, i.mint(t, time.Now(), names...))
}

func text(t testing.TB, c *tls.Certificate) spec.Certificate {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte) spec.PEM {
		return spec.PEM(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return spec.Certificate{Chain: encode("CERTIFICATE", c.Certificate[0]), Key: encode("PRIVATE KEY", key)}
}

// roots are the authorities of folders.
func roots(t testing.TB, folders ...string) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	for _, folder := range folders {
		text, err := os.ReadFile(localca.Path(folder))
		if err != nil || !pool.AppendCertsFromPEM(text) {
			t.Fatalf("reading %s: %v", localca.Path(folder), err)
		}
	}
	return pool
}

// shake shakes hands with a room over loopback, and sends a byte each way. It returns what each side knows.
func shake(t testing.TB, r *Room, config *tls.Config) (client tls.ConnectionState, server *flow.TLS, err error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	info, served := &flow.Conn{}, make(chan error, 1)
	go func() { served <- serve(l, r, info) }()
	raw, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(10 * time.Second))
	c := tls.Client(raw, config)
	if err = c.Handshake(); err == nil {
		_, err = c.Write([]byte("x"))
	}
	if err == nil {
		_, err = io.ReadFull(c, make([]byte, 1)) // session tickets come before it
	}
	state := c.ConnectionState()
	raw.Close()
	if serverErr := <-served; serverErr != nil && err == nil {
		err = fmt.Errorf("the server: %w", serverErr)
	}
	return state, info.TLS, err
}

// serve echoes one byte.
func serve(l net.Listener, r *Room, info *flow.Conn) error {
	raw, err := l.Accept()
	if err != nil {
		return err
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(10 * time.Second))
	c, err := r.Handshake(raw, info)
	if err != nil {
		return err
	}
	_, err = io.CopyN(c, c, 1)
	return err
}

func TestHandshake(t *testing.T) {
	folder := t.TempDir()
	r := newRoom(t, folder)
	trusted := roots(t, folder)
	tests := []struct {
		name     string
		min, max uint16
		protos   []string
		fails    string
	}{
		{"TLS 1.3", tls.VersionTLS13, tls.VersionTLS13, []string{"h2", "http/1.1"}, ""},
		{"TLS 1.2", tls.VersionTLS12, tls.VersionTLS12, []string{"http/1.1"}, ""},
		{"no ALPN", tls.VersionTLS12, tls.VersionTLS13, nil, ""},
		{"TLS 1.1", tls.VersionTLS10, tls.VersionTLS11, nil, "protocol version"},
		{"a protocol that is not spoken", tls.VersionTLS12, tls.VersionTLS13, []string{"h2"}, "no application protocol"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client, server, err := shake(t, r, &tls.Config{RootCAs: trusted, ServerName: "WWW.example.org", MinVersion: tt.min, MaxVersion: tt.max, NextProtos: tt.protos})
			if tt.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) || server != nil {
					t.Errorf("got error %v and %+v, want %q", err, server, tt.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := &flow.TLS{
				Version: tt.max, Cipher: client.CipherSuite, ServerName: "www.example.org", Protocol: client.NegotiatedProtocol,
				JA4: server.JA4, HelloLength: server.HelloLength, // which are a test of their own
			}
			if server.HelloLength < 100 || server.HelloLength > 4096 {
				t.Errorf("got a ClientHello of %d bytes", server.HelloLength)
			}
			if diff := cmp.Diff(want, server); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got := client.NegotiatedProtocol; (got == "http/1.1") != (tt.protos != nil) {
				t.Errorf("got protocol %q", got)
			}
		})
	}
}

func TestResumption(t *testing.T) {
	folder := t.TempDir()
	r := newRoom(t, folder)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			config := &tls.Config{RootCAs: roots(t, folder), ServerName: "example.org", MinVersion: version, MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
			for _, want := range []bool{false, true} {
				_, server, err := shake(t, r, config)
				if err != nil {
					t.Fatal(err)
				}
				if server.Resumed != want {
					t.Errorf("resumed: got %v, want %v", server.Resumed, want)
				}
			}
		})
	}
}

func TestCertificateByName(t *testing.T) {
	issuer, folder := newIssuer(t), t.TempDir()
	configured := []spec.Certificate{
		issuer.text(t, "default.example"),
		issuer.text(t, "example.org", "www.example.org"),
		issuer.text(t, "*.example.org"),
		issuer.text(t, "Upper.Example"),
	}
	with, without := newRoom(t, folder, configured...), newRoom(t, folder)
	onlyServed := newRoomWith(t, folder, Options{Serves: func(host string) bool { return host == "served.example" }}, configured...)
	withoutCA, problems := New(&spec.Node{Data: notAFolder(t), Certificates: configured}, Options{}, time.Now())
	if len(problems) != 1 {
		t.Fatalf("got problems %v, want that of the local authority", problems)
	}
	trusted := roots(t, issuer.folder, folder)
	tests := []struct {
		name, asked string
		room        *Room
		want        string // the first name in the certificate
	}{
		{"exact", "www.example.org", with, "example.org"},
		{"any case", "WWW.Example.ORG", with, "example.org"},
		{"a certificate in upper case", "upper.example", with, "Upper.Example"},
		{"exact before wildcard", "example.org", with, "example.org"},
		{"wildcard", "a.example.org", with, "*.example.org"},
		{"a wildcard is for one label", "a.b.example.org", with, "a.b.example.org"},
		{"unknown: minted", "other.example", with, "other.example"},
		{"unknown, but served: minted", "Served.example", onlyServed, "served.example"},
		{"not served", "other.example", onlyServed, "default.example"},
		{"not served, but configured", "example.org", onlyServed, "example.org"},
		{"no name", "", with, "default.example"},
		{"no name, none configured", "", without, "localhost"},
		{"an address", "127.0.0.1", with, "default.example"},
		{"an address, none configured", "127.0.0.1", without, "localhost"},
		{"no name that could be minted", "a..b", with, "default.example"},
		{"unknown, no authority", "other.example", withoutCA, "default.example"},
		{"exact, no authority", "www.example.org", withoutCA, "example.org"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := &tls.Config{RootCAs: trusted, ServerName: tt.asked}
			if tt.asked == "" || tt.room == withoutCA || strings.Contains(tt.asked, "..") || tt.want == "default.example" {
				config.InsecureSkipVerify = true // only which certificate it is
			}
			client, _, err := shake(t, tt.room, config)
			if err != nil {
				t.Fatal(err)
			}
			if got := client.PeerCertificates[0].DNSNames[0]; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestOrder: a valid certificate comes before one whose time is over, a configured one before an issued one, both before a minted one.
func TestOrder(t *testing.T) {
	authority := newIssuer(t)
	now := time.Now()
	long := now.Add(-10 * 365 * 24 * time.Hour)
	exact, exactOver := authority.mint(t, now, "a.example.org"), authority.mint(t, long, "a.example.org")
	wild, wildOver := authority.mint(t, now, "*.example.org"), authority.mint(t, long, "*.example.org")
	issued, issuedOver := authority.mint(t, now, "a.example.org"), authority.mint(t, long, "a.example.org")
	rsa := &tls.Certificate{Certificate: issued.Certificate, Leaf: issued.Leaf, PrivateKey: unusable{}}
	tests := []struct {
		name       string
		configured []*tls.Certificate
		issued     *tls.Certificate
		want       *tls.Certificate // nil: minted
	}{
		{"configured", []*tls.Certificate{exact}, issued, exact},
		{"configured, the newer", []*tls.Certificate{exactOver, exact}, issued, exact},
		{"configured, a wildcard", []*tls.Certificate{wild}, issued, wild},
		{"configured, a wildcard that is valid", []*tls.Certificate{exactOver, wild}, issued, wild},
		{"issued", nil, issued, issued},
		{"issued, as the time of the others is over", []*tls.Certificate{exactOver, wildOver}, issued, issued},
		{"the time of all is over", []*tls.Certificate{wildOver, exactOver}, issuedOver, exactOver},
		{"the time of a wildcard is over", []*tls.Certificate{wildOver}, nil, wildOver},
		{"the time of the issued one is over", nil, issuedOver, nil},
		{"issued, for other clients", nil, rsa, nil},
		{"none", nil, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var texts []spec.Certificate
			for _, c := range tt.configured {
				texts = append(texts, text(t, c))
			}
			r := newRoomWith(t, t.TempDir(), Options{Issued: func(hello *tls.ClientHelloInfo) *tls.Certificate { return tt.issued }}, texts...)
			got, err := r.choose(ask("a.example.org"))
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case tt.want == nil && !strings.HasPrefix(got.Leaf.Issuer.CommonName, "Seawall local authority"):
				t.Errorf("got one of %v, want a minted one", got.Leaf.Issuer)
			case tt.want == nil && got.Leaf.Equal(issuedOver.Leaf):
				t.Error("got the issued one, whose time is over")
			case tt.want != nil && !got.Leaf.Equal(tt.want.Leaf):
				t.Errorf("got %v, valid to %v, want %v, valid to %v", got.Leaf.DNSNames, got.Leaf.NotAfter, tt.want.Leaf.DNSNames, tt.want.Leaf.NotAfter)
			}
		})
	}
}

// unusable is a private key that no client can verify.
type unusable struct{ crypto.Signer }

func (unusable) Public() crypto.PublicKey { return nil }

// TestUse: a new set takes the old one's place whole, while hands are shaken; and sessions outlive it.
func TestUse(t *testing.T) {
	issuer := newIssuer(t)
	sets := [][]spec.Certificate{
		{issuer.text(t, "first.example", "a.example"), issuer.text(t, "b.example")},
		{issuer.text(t, "second.example", "a.example")},
	}
	r := newRoom(t, t.TempDir(), sets[0]...)
	name := func(asked string) string {
		c, err := r.choose(ask(asked))
		if err != nil {
			t.Error(err)
			return ""
		}
		return c.Leaf.DNSNames[0]
	}
	config := &tls.Config{RootCAs: roots(t, issuer.folder), ServerName: "a.example", ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	if _, _, err := shake(t, r, config); err != nil {
		t.Fatal(err)
	}
	var handshakes sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		handshakes.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if got := name("a.example"); got != "first.example" && got != "second.example" {
					t.Errorf("a.example: got %s", got)
				}
			}
		})
	}
	for i := range 101 {
		if problems := r.Use(sets[i%2]); problems != nil {
			t.Error(problems)
		}
		if problems := r.Use(sets[(i+1)%2]); problems != nil {
			t.Error(problems)
		}
	}
	close(done)
	handshakes.Wait()
	for asked, want := range map[string]string{"": "second.example", "second.example": "second.example", "first.example": "first.example", "b.example": "b.example"} {
		if got := name(asked); got != want {
			t.Errorf("%q: got %s, want %s", asked, got, want)
		}
	}
	if c, _ := r.choose(ask("b.example")); !strings.HasPrefix(c.Leaf.Issuer.CommonName, "Seawall local authority") || len(r.configured.Load().all) != 1 {
		t.Error("b.example is still configured")
	}
	if _, server, err := shake(t, r, config); err != nil || !server.Resumed {
		t.Errorf("resumed: got %+v, error %v", server, err)
	}
}

// TestChallenge: an authority gets the certificate that it asks for, over the protocol of its own, and a connection that ends there
// (RFC 8737 §3). Nobody else is offered that protocol.
func TestChallenge(t *testing.T) {
	issuer, folder := newIssuer(t), t.TempDir()
	answer := issuer.mint(t, time.Now(), "challenge.example")
	r := newRoomWith(t, folder, Options{Issued: func(hello *tls.ClientHelloInfo) *tls.Certificate {
		if len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == ALPNChallenge && hello.ServerName == "challenge.example" {
			return answer
		}
		return nil
	}})
	tests := []struct {
		name, asked string
		protos      []string
		want        string // the protocol, or what the error says
		answered    bool
	}{
		{"challenge", "challenge.example", []string{ALPNChallenge}, ALPNChallenge, true},
		{"no such challenge", "other.example", []string{ALPNChallenge}, "no application protocol", false},
		{"a visitor", "challenge.example", []string{"http/1.1"}, "http/1.1", false},
		{"among others", "challenge.example", []string{ALPNChallenge, "http/1.1"}, "http/1.1", false},
		{"no protocol", "challenge.example", nil, "", false},
	}
	for _, tt := range tests {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(tt.name+" "+tls.VersionName(version), func(t *testing.T) {
				config := &tls.Config{RootCAs: roots(t, issuer.folder, folder), ServerName: tt.asked, NextProtos: tt.protos, MaxVersion: version}
				client, server, err := shake(t, r, config)
				if tt.answered {
					if err == nil || server != nil {
						t.Errorf("got error %v and %+v, want the connection's end", err, server)
					}
				} else if err != nil {
					if !strings.Contains(err.Error(), tt.want) {
						t.Errorf("got error %v, want %q", err, tt.want)
					}
					return
				}
				if got := client.NegotiatedProtocol; got != tt.want {
					t.Errorf("got protocol %q, want %q", got, tt.want)
				}
				if got := client.PeerCertificates[0].Equal(answer.Leaf); got != tt.answered {
					t.Errorf("the challenge's certificate: got %v, want %v", got, tt.answered)
				}
			})
		}
	}
	t.Run("without authorities", func(t *testing.T) {
		_, _, err := shake(t, newRoom(t, folder), &tls.Config{ServerName: "challenge.example", NextProtos: []string{ALPNChallenge}})
		if err == nil || !strings.Contains(err.Error(), "no application protocol") {
			t.Errorf("got error %v", err)
		}
	})
}

// TestUnusableKey: a certificate whose key the client can't verify is not chosen.
func TestUnusableKey(t *testing.T) {
	issuer := newIssuer(t)
	r := newRoom(t, t.TempDir(), issuer.text(t, "example.org"))
	hello := ask("example.org")
	if got := r.configured.Load().choose("example.org", hello, time.Now()); got == nil {
		t.Error("ECDSA with P-256: got none")
	}
	hello.SignatureSchemes = []tls.SignatureScheme{tls.PSSWithSHA256}
	if got := r.configured.Load().choose("example.org", hello, time.Now()); got != nil {
		t.Error("RSA only: got a certificate for ECDSA")
	}
}

// notAFolder is a path at which no folder can be made.
func notAFolder(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(file, "data")
}

func TestProblems(t *testing.T) {
	issuer := newIssuer(t)
	good := issuer.text(t, "example.org")
	broken := spec.Certificate{Chain: good.Chain, Key: "junk"}
	stray := spec.Certificate{Chain: good.Chain, Key: newIssuer(t).text(t, "example.org").Key}
	brokenCA := t.TempDir()
	if err := os.WriteFile(localca.Path(brokenCA), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name     string
		node     spec.Node
		problems []string // what each names
		fails    bool     // there is nothing to shake hands with
	}{
		{"some certificates", spec.Node{Data: t.TempDir(), Certificates: []spec.Certificate{broken, good, stray}}, []string{"certificate 1 of 3", "certificate 3 of 3"}, false},
		{"the authority, but there is a certificate", spec.Node{Data: brokenCA, Certificates: []spec.Certificate{good}}, []string{brokenCA}, false},
		{"everything", spec.Node{Data: brokenCA, Certificates: []spec.Certificate{broken}}, []string{"certificate 1 of 1", brokenCA}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, problems := New(&tt.node, Options{}, time.Now())
			if len(problems) != len(tt.problems) {
				t.Fatalf("got %v, want %d problems", problems, len(tt.problems))
			}
			for i, want := range tt.problems {
				if got := problems[i].Error(); !strings.Contains(got, want) {
					t.Errorf("got %q, want %s in it", got, want)
				}
			}
			config := &tls.Config{RootCAs: roots(t, issuer.folder), ServerName: "example.org"}
			if tt.fails {
				if _, _, err := shake(t, r, config); err == nil {
					t.Error("no certificate: got no error")
				}
				r.Use([]spec.Certificate{good})
			}
			client, _, err := shake(t, r, config)
			if err != nil || client.PeerCertificates[0].DNSNames[0] != "example.org" {
				t.Errorf("the good certificate does not serve: %v", err)
			}
		})
	}
}

// ask is a client's hello.
func ask(name string) *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{
		ServerName:        name,
		SupportedVersions: []uint16{tls.VersionTLS13},
		SignatureSchemes:  []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
	}
}

// TestFloodOfNames: random names make nothing grow, and get the default certificate when they come too fast.
func TestFloodOfNames(t *testing.T) {
	r := newRoom(t, t.TempDir())
	r.minted = newLRU(8)
	own, err := r.choose(ask(""))
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	defaults := 0
	const flood = 5 * mintBurst
	for i := range flood {
		name := fmt.Sprintf("%d.example", i)
		c, err := r.choose(ask(name))
		switch {
		case err != nil:
			t.Fatal(err)
		case c == own:
			defaults++
		case c.Leaf.DNSNames[0] != name:
			t.Fatalf("%s: got %v", name, c.Leaf.DNSNames)
		}
	}
	allowed := mintBurst + int(time.Since(begun).Seconds()*mintRate) + 2
	if minted := flood - defaults; minted < mintBurst || minted > allowed {
		t.Errorf("got %d certificates minted, want %d to %d", minted, mintBurst, allowed)
	}
	if got := r.minted.order.Len(); got != 8 || len(r.minted.byName) != 8 {
		t.Errorf("got %d and %d certificates kept, want 8", got, len(r.minted.byName))
	}
	if again, err := r.choose(ask("")); err != nil || again != own {
		t.Errorf("no name: got another certificate, error %v", err)
	}
}

func TestMintedAreKeptAndRenewed(t *testing.T) {
	r := newRoom(t, t.TempDir())
	now := time.Now()
	mint := func(name string, at time.Time) *tls.Certificate {
		c, err := r.mint(name, at)
		if c == nil || err != nil {
			t.Fatalf("got %v, error %v", c, err)
		}
		return c
	}
	first := mint("example.org", now)
	if again := mint("example.org", now.Add(time.Hour)); again != first {
		t.Error("minted twice")
	}
	late := first.Leaf.NotAfter.Add(-renewBefore)
	if again := mint("example.org", late.Add(-time.Second)); again != first {
		t.Error("renewed too early")
	}
	if renewed := mint("example.org", late); renewed == first {
		t.Error("not renewed")
	}
}

func TestLRU(t *testing.T) {
	l := newLRU(2)
	a, b, c := &tls.Certificate{}, &tls.Certificate{}, &tls.Certificate{}
	l.put("a", a)
	l.put("b", b)
	if l.get("a") != a { // and so b is the oldest
		t.Error("a was lost")
	}
	l.put("c", c)
	if l.get("b") != nil {
		t.Error("b is still there")
	}
	l.put("a", b)
	if l.get("a") != b || l.get("c") != c {
		t.Error("a or c was lost")
	}
	if l.order.Len() != 2 || len(l.byName) != 2 {
		t.Errorf("got %d and %d, want 2", l.order.Len(), len(l.byName))
	}
}

func TestValidName(t *testing.T) {
	for _, tt := range []struct {
		name string
		want bool
	}{
		{"example.org", true}, {"localhost", true}, {"xn--bcher-kva.example", true}, {"_dmarc.example", true},
		{"", false}, {".", false}, {"a..b", false}, {"a.", false}, {".a", false}, {"Upper", false}, {"ü", false}, {"a b", false}, {"*.a", false}, {"a\x00", false},
		{strings.Repeat("a", 63), true}, {strings.Repeat("a", 64), false},
		{strings.Repeat("a.", 126) + "a", true}, {strings.Repeat("a.", 127) + "a", false},
	} {
		if got := validName(tt.name); got != tt.want {
			t.Errorf("%q: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

func BenchmarkChoose(b *testing.B) {
	issuer := newIssuer(b)
	configured := []spec.Certificate{issuer.text(b, "default.example"), issuer.text(b, "*.example.org"), issuer.text(b, "example.org")}
	issued := issuer.mint(b, time.Now(), "issued.example")
	o := Options{Issued: func(hello *tls.ClientHelloInfo) *tls.Certificate {
		if hello.ServerName == "issued.example" {
			return issued
		}
		return nil
	}}
	for _, bb := range []struct {
		name, asked string
		configured  []spec.Certificate
	}{{"minted", "www.example.org", nil}, {"no name", "", nil}, {"configured", "example.org", configured}, {"by a wildcard", "www.example.org", configured}, {"issued", "issued.example", configured}} {
		b.Run(bb.name, func(b *testing.B) {
			r, hello := newRoomWith(b, b.TempDir(), o, bb.configured...), ask(bb.asked)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.choose(hello); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
