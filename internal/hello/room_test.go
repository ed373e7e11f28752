package hello

import (
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
	r, problems, err := New(&spec.Node{Data: folder, Certificates: certificates}, time.Now())
	if err := errors.Join(append(problems, err)...); err != nil {
		t.Fatal(err)
	}
	return r
}

// issuer is an authority that certificates in files come from.
type issuer struct {
	folder string
	ca     *localca.CA
	n      int
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	folder := t.TempDir()
	ca, err := localca.Open(folder, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{folder: folder, ca: ca}
}

// file makes a certificate for names and puts it on disk.
func (i *issuer) file(t testing.TB, names ...string) spec.Certificate {
	t.Helper()
	c, err := i.ca.Mint(time.Now(), names...)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	i.n++
	s := spec.Certificate{Chain: filepath.Join(i.folder, fmt.Sprintf("%d.pem", i.n)), Key: filepath.Join(i.folder, fmt.Sprintf("%d-key.pem", i.n))}
	for path, block := range map[string]*pem.Block{s.Chain: {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, s.Key: {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
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
		t.Errorf("only the server failed: %v", serverErr)
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
			want := &flow.TLS{Version: tt.max, Cipher: client.CipherSuite, ServerName: "www.example.org", Protocol: client.NegotiatedProtocol}
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
	files := []spec.Certificate{
		issuer.file(t, "default.example"),
		issuer.file(t, "example.org", "www.example.org"),
		issuer.file(t, "*.example.org"),
		issuer.file(t, "Upper.Example"),
	}
	withFiles, withoutFiles := newRoom(t, folder, files...), newRoom(t, folder)
	withoutCA, _, err := New(&spec.Node{Data: filepath.Join(files[0].Key, "none"), Certificates: files}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	trusted := roots(t, issuer.folder, folder)
	tests := []struct {
		name, asked string
		room        *Room
		want        string // the first name in the certificate
	}{
		{"exact", "www.example.org", withFiles, "example.org"},
		{"any case", "WWW.Example.ORG", withFiles, "example.org"},
		{"a certificate in upper case", "upper.example", withFiles, "Upper.Example"},
		{"exact before wildcard", "example.org", withFiles, "example.org"},
		{"wildcard", "a.example.org", withFiles, "*.example.org"},
		{"a wildcard is for one label", "a.b.example.org", withFiles, "a.b.example.org"},
		{"unknown: minted", "other.example", withFiles, "other.example"},
		{"no name", "", withFiles, "default.example"},
		{"no name, no files", "", withoutFiles, "localhost"},
		{"an address", "127.0.0.1", withFiles, "default.example"},
		{"an address, no files", "127.0.0.1", withoutFiles, "localhost"},
		{"no name that could be minted", "a..b", withFiles, "default.example"},
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

// TestUnusableKey: a certificate whose key the client can't verify is not chosen.
func TestUnusableKey(t *testing.T) {
	issuer := newIssuer(t)
	r := newRoom(t, t.TempDir(), issuer.file(t, "example.org"))
	hello := ask("example.org")
	if got := r.files.choose("example.org", hello); got == nil {
		t.Error("ECDSA with P-256: got none")
	}
	hello.SignatureSchemes = []tls.SignatureScheme{tls.PSSWithSHA256}
	if got := r.files.choose("example.org", hello); got != nil {
		t.Error("RSA only: got a certificate for ECDSA")
	}
}

func TestProblems(t *testing.T) {
	issuer := newIssuer(t)
	good := issuer.file(t, "example.org")
	broken := issuer.file(t, "broken.example")
	if err := os.WriteFile(broken.Key, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	none := spec.Certificate{Chain: filepath.Join(issuer.folder, "none.pem"), Key: good.Key}
	brokenCA := t.TempDir()
	if err := os.WriteFile(localca.Path(brokenCA), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name     string
		node     spec.Node
		problems [][]string // what each names
		err      string
	}{
		{"some certificates", spec.Node{Data: t.TempDir(), Certificates: []spec.Certificate{broken, good, none}},
			[][]string{{broken.Chain, broken.Key}, {none.Chain}}, ""},
		{"the authority, but there is a certificate", spec.Node{Data: brokenCA, Certificates: []spec.Certificate{good}}, [][]string{{brokenCA}}, ""},
		{"everything", spec.Node{Data: brokenCA, Certificates: []spec.Certificate{broken}}, [][]string{{broken.Chain}}, brokenCA},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, problems, err := New(&tt.node, time.Now())
			if len(problems) != len(tt.problems) {
				t.Fatalf("got %v, want %d problems", problems, len(tt.problems))
			}
			for i, names := range tt.problems {
				for _, name := range names {
					if got := problems[i].Error(); !strings.Contains(got, name) {
						t.Errorf("got %q, want %s in it", got, name)
					}
				}
			}
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || r != nil {
					t.Errorf("got error %v, want one that names %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			client, _, err := shake(t, r, &tls.Config{RootCAs: roots(t, issuer.folder), ServerName: "example.org"})
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
	files := []spec.Certificate{issuer.file(b, "default.example"), issuer.file(b, "*.example.org"), issuer.file(b, "example.org")}
	for _, bb := range []struct {
		name, asked string
		files       []spec.Certificate
	}{{"minted", "www.example.org", nil}, {"no name", "", nil}, {"from a file", "example.org", files}, {"by a wildcard", "www.example.org", files}} {
		b.Run(bb.name, func(b *testing.B) {
			r, hello := newRoom(b, b.TempDir(), bb.files...), ask(bb.asked)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.choose(hello); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
