package hello

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/ja4"
)

// clientAuthority issues certificates of clients.
type clientAuthority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newClientAuthority(t testing.TB, name string) *clientAuthority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	c := issue(t, template, &clientAuthority{certificate: template})
	return &clientAuthority{c.Leaf, c.PrivateKey.(*ecdsa.PrivateKey)}
}

// issue signs a template, by itself if the authority has no key.
func issue(t testing.TB, template *x509.Certificate, by *clientAuthority) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer := by.key
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.certificate, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (a *clientAuthority) client(t testing.TB, name string, life time.Duration) *tls.Certificate {
	t.Helper()
	return issue(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name, Organization: []string{"Visitors"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(life), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, a)
}

func (a *clientAuthority) zone(required bool) spec.HTTPS {
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
	return spec.HTTPS{ClientCertificates: spec.ClientCertificates{CA: spec.PEM(ca), Required: required}}
}

// TestClientCertificates: a zone's visitors show what it wants, on a first handshake and when they resume.
func TestClientCertificates(t *testing.T) {
	first, second := newClientAuthority(t, "First"), newClientAuthority(t, "Second")
	policies := map[string]*Policy{
		"first.example":  compile(t, first.zone(true)),
		"again.example":  compile(t, first.zone(true)),
		"maybe.example":  compile(t, first.zone(false)),
		"second.example": compile(t, second.zone(true)),
		"open.example":   nil,
	}
	r := newRoomWith(t, t.TempDir(), Options{Policy: func(host string) *Policy { return policies[host] }})
	mine, theirs := first.client(t, "mine", 100*time.Hour), second.client(t, "theirs", 100*time.Hour)
	const subject = "CN=mine,O=Visitors"
	type visit struct {
		host    string
		shows   *tls.Certificate
		refused bool
		resumed bool
		subject string
	}
	tests := []struct {
		name   string
		visits []visit // with the same session cache
	}{
		{"required", []visit{{"first.example", mine, false, false, subject}, {"first.example", mine, false, true, subject}}},
		{"required, and not shown", []visit{{"first.example", nil, true, false, ""}}},
		{"another authority's", []visit{{"first.example", theirs, true, false, ""}}},
		{"optional", []visit{{"maybe.example", mine, false, false, subject}, {"maybe.example", mine, false, true, subject}}},
		{"optional, and not shown", []visit{{"maybe.example", nil, false, false, ""}, {"maybe.example", nil, false, true, ""}}},
		{"optional, but another authority's", []visit{{"maybe.example", theirs, true, false, ""}}},
		{"not asked for", []visit{{"open.example", mine, false, false, ""}, {"open.example", mine, false, true, ""}}},
		{"resumed in a zone of the same policy", []visit{{"first.example", mine, false, false, subject}, {"again.example", mine, false, true, subject}}},
		{"not in one of another authority", []visit{{"first.example", mine, false, false, subject}, {"second.example", theirs, false, false, "CN=theirs,O=Visitors"}}},
		{"nor without its certificate", []visit{{"first.example", mine, false, false, subject}, {"second.example", mine, true, false, ""}}},
		{"not from one that asks for none", []visit{{"open.example", mine, false, false, ""}, {"first.example", nil, true, false, ""}}},
		{"nor from one that wants none", []visit{{"maybe.example", nil, false, false, ""}, {"first.example", mine, false, false, subject}}},
		{"not where it could be shown", []visit{{"open.example", mine, false, false, ""}, {"maybe.example", mine, false, false, subject}}},
		{"nor where none is asked for", []visit{{"first.example", mine, false, false, subject}, {"open.example", nil, false, false, ""}}},
	}
	for _, tt := range tests {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(tt.name+" "+tls.VersionName(version), func(t *testing.T) {
				sessions := &oneSession{tls.NewLRUClientSessionCache(1)}
				for i, v := range tt.visits {
					config := &tls.Config{ServerName: v.host, InsecureSkipVerify: true, MaxVersion: version, ClientSessionCache: sessions}
					config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
						if v.shows == nil {
							return &tls.Certificate{}, nil
						}
						return v.shows, nil
					}
					info := from(1)
					_, err := talk(r, config, info, 4096)
					if (err != nil) != v.refused || (info.TLS == nil) != v.refused {
						t.Fatalf("%d, %s: got error %v and %+v, want refused %v", i, v.host, err, info.TLS, v.refused)
					}
					if v.refused {
						continue
					}
					got := info.TLS
					if got.Resumed != v.resumed || got.ClientSubject() != v.subject {
						t.Errorf("%d, %s: got resumed %v and subject %q, want %v and %q", i, v.host, got.Resumed, got.ClientSubject(), v.resumed, v.subject)
					}
					if v.subject != "" && (len(got.Client.Chain) != 2 || got.Client.Chain[0].Subject.String() != v.subject) {
						t.Errorf("%d, %s: got a chain of %d", i, v.host, len(got.Client.Chain))
					}
					if p, _ := got.Policy.(*Policy); p != policies[v.host] {
						t.Errorf("%d, %s: got another policy", i, v.host)
					}
				}
			})
		}
	}
}

// oneSession is a client's cache that offers the same session to all hosts, as a hostile one may.
type oneSession struct{ tls.ClientSessionCache }

func (o *oneSession) Get(string) (*tls.ClientSessionState, bool) { return o.ClientSessionCache.Get("") }
func (o *oneSession) Put(_ string, s *tls.ClientSessionState)    { o.ClientSessionCache.Put("", s) }

// TestExpiredClient: a session does not outlive the certificate that it was begun with.
func TestExpiredClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		authority := newClientAuthority(t, "First")
		p := compile(t, authority.zone(true))
		r := newRoomWith(t, t.TempDir(), Options{Policy: func(string) *Policy { return p }})
		config := &tls.Config{
			ServerName: "a.example", InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(1),
			Certificates: []tls.Certificate{*authority.client(t, "mine", 2*time.Hour)},
		}
		for _, refused := range []bool{false, false, true} {
			if _, err := talk(r, config, from(1), 4096); (err != nil) != refused {
				t.Errorf("got error %v, want refused %v", err, refused)
			}
			time.Sleep(70 * time.Minute)
		}
		state := tls.ConnectionState{DidResume: true, PeerCertificates: []*x509.Certificate{config.Certificates[0].Leaf}}
		verify := p.config(r, r.settings.Load().config, false).VerifyConnection // which crypto/tls asks when all that it looks at is well
		if err := verify(state); err == nil || !strings.Contains(err.Error(), "expired") {
			t.Errorf("got error %v, want that its time is over", err)
		}
	})
}

func TestMinVersion(t *testing.T) {
	p := compile(t, spec.HTTPS{MinVersion: "1.3"})
	r := newRoomWith(t, t.TempDir(), Options{Policy: func(host string) *Policy {
		if host == "new.example" {
			return p
		}
		return nil
	}})
	for _, tt := range []struct {
		host    string
		version uint16
		refused bool
	}{
		{"new.example", tls.VersionTLS12, true}, {"new.example", tls.VersionTLS13, false},
		{"old.example", tls.VersionTLS12, false}, {"old.example", tls.VersionTLS13, false},
	} {
		_, err := talk(r, &tls.Config{ServerName: tt.host, MaxVersion: tt.version, InsecureSkipVerify: true}, from(1), 4096)
		if (err != nil) != tt.refused {
			t.Errorf("%s with %s: got error %v, want refused %v", tt.host, tls.VersionName(tt.version), err, tt.refused)
		}
	}
}

func TestCompile(t *testing.T) {
	authority := newClientAuthority(t, "First")
	optional, required := authority.zone(false), authority.zone(true)
	other := newClientAuthority(t, "Second").zone(true)
	one, two := ja4.Fingerprint{1}, ja4.Fingerprint{2}
	noCA := spec.HTTPS{ClientCertificates: spec.ClientCertificates{Required: true}}
	kinds := [][]spec.HTTPS{ // those of one kind are the same
		{{}, {MinVersion: "1.2"}, noCA, spec.DefaultZone().HTTPS},
		{{MinVersion: "1.3"}, {MinVersion: "1.3", Redirect: true}},
		{{DenyFingerprints: []ja4.Fingerprint{one, two}}, {DenyFingerprints: []ja4.Fingerprint{two, one, two}}},
		{{DenyFingerprints: []ja4.Fingerprint{one}}},
		{optional, optional}, {required, required}, {other},
	}
	for i, kind := range kinds {
		for j, others := range kinds {
			for _, a := range kind {
				for _, b := range others {
					if p, q := compile(t, a), compile(t, b); p.Same(q) != (i == j) {
						t.Errorf("a policy of kind %d and one of %d: same is %v", i, j, p.Same(q))
					}
				}
			}
		}
		p := compile(t, kind[0])
		if none := (*Policy)(nil); none.Same(p) != (i == 0) || p.Same(nil) != (i == 0) {
			t.Errorf("kind %d and none: same is %v", i, none.Same(p))
		}
	}
	for _, tt := range []struct {
		h    spec.HTTPS
		want string
	}{
		{spec.HTTPS{MinVersion: "1.1"}, `https.min_version: "1.1" is unknown`},
		{spec.HTTPS{ClientCertificates: spec.ClientCertificates{CA: "junk"}}, "https.client_certificates.ca: holds no certificate"},
	} {
		if _, err := Compile(&spec.Zone{HTTPS: tt.h}); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("got error %v, want %q", err, tt.want)
		}
	}
}

// TestTwoKeys: of a certificate for ECDSA and one for RSA, each client gets the one that costs least of those that it can verify.
func TestTwoKeys(t *testing.T) {
	issuer := newIssuer(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(3), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"a.example"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	withRSA := text(t, &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})
	withECDSA := issuer.text(t, "a.example")
	expired := text(t, issuer.mint(t, time.Now().Add(-10*365*24*time.Hour), "a.example"))
	tests := []struct {
		name, asked string
		configured  []spec.Certificate
		rsaOnly     bool
		want        x509.PublicKeyAlgorithm
	}{
		{"RSA is first", "a.example", []spec.Certificate{withRSA, withECDSA}, false, x509.ECDSA},
		{"ECDSA is first", "a.example", []spec.Certificate{withECDSA, withRSA}, false, x509.ECDSA},
		{"a client for RSA", "a.example", []spec.Certificate{withECDSA, withRSA}, true, x509.RSA},
		{"no name", "", []spec.Certificate{withRSA, withECDSA}, false, x509.ECDSA},
		{"no name, a client for RSA", "", []spec.Certificate{withECDSA, withRSA}, true, x509.RSA},
		{"the time of ECDSA's is over", "a.example", []spec.Certificate{expired, withRSA}, false, x509.RSA},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRoom(t, t.TempDir(), tt.configured...)
			config := &tls.Config{ServerName: tt.asked, InsecureSkipVerify: true}
			if tt.rsaOnly {
				config.MaxVersion, config.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
			}
			state, err := talk(r, config, from(1), 4096)
			if err != nil {
				t.Fatal(err)
			}
			if got := state.PeerCertificates[0].PublicKeyAlgorithm; got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestCipherSuites: what is not secret in the future, or not authenticated, is not spoken.
func TestCipherSuites(t *testing.T) {
	r := newRoom(t, t.TempDir())
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if len(suite.SupportedVersions) == 1 && suite.SupportedVersions[0] == tls.VersionTLS13 {
			continue
		}
		config := &tls.Config{ServerName: "a.example", InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}}
		_, err := talk(r, config, from(1), 4096)
		good := strings.HasPrefix(suite.Name, "TLS_ECDHE_ECDSA_") && !strings.Contains(suite.Name, "_CBC_") && !strings.Contains(suite.Name, "_RC4_")
		if (err == nil) != good {
			t.Errorf("%s: got error %v, want it spoken: %v", suite.Name, err, good)
		}
	}
}
