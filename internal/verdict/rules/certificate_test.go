package rules

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// issue makes a client's certificate, with extra bytes in it, and that of its authority.
func issue(t *testing.T, extra int) []*x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	create := func(template, parent *x509.Certificate) *x509.Certificate {
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	authority := create(&x509.Certificate{
		SerialNumber: big.NewInt(0x2688), Subject: pkix.Name{Country: []string{"US"}, Organization: []string{"Access Testing"}, CommonName: "CA"},
		SubjectKeyId: []byte{0x82, 4}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}})
	client := create(&x509.Certificate{
		SerialNumber: big.NewInt(0x527e0f), Subject: pkix.Name{Country: []string{"US"}, Province: []string{"Texas"}, CommonName: "James"},
		NotBefore: time.Date(2027, 3, 2, 13, 35, 0, 0, time.UTC), NotAfter: time.Date(2028, 3, 21, 13, 35, 0, 0, time.UTC), SubjectKeyId: []byte{0x27, 0x84},
		ExtraExtensions: []pkix.Extension{{Id: []int{1, 2, 3}, Value: make([]byte, extra)}},
	}, authority)
	return []*x509.Certificate{client, authority}
}

// TestCertificateFields: each field has a value with a certificate, and another without, as Cloudflare documents them.
func TestCertificateFields(t *testing.T) {
	chain, large := issue(t, 10), issue(t, maxClientCert)
	sum1, sum256 := sha1.Sum(chain[0].Raw), sha256.Sum256(chain[0].Raw)
	tests := []struct {
		field, want string
	}{
		{"subject_dn", "CN=James,ST=Texas,C=US"},
		{"subject_dn_rfc2253", "CN=James,ST=Texas,C=US"},
		{"subject_dn_legacy", "/C=US/ST=Texas/CN=James"},
		{"issuer_dn", "CN=CA,O=Access Testing,C=US"},
		{"issuer_dn_rfc2253", "CN=CA,O=Access Testing,C=US"},
		{"issuer_dn_legacy", "/C=US/O=Access Testing/CN=CA"},
		{"serial", "527E0F"},
		{"issuer_serial", "2688"},
		{"fingerprint_sha1", hex.EncodeToString(sum1[:])},
		{"fingerprint_sha256", hex.EncodeToString(sum256[:])},
		{"not_before", "Mar  2 13:35:00 2027 GMT"},
		{"not_after", "Mar 21 13:35:00 2028 GMT"},
		{"ski", "2784"},
		{"issuer_ski", "8204"},
		{"rfc9440", ":" + base64.StdEncoding.EncodeToString(chain[0].Raw) + ":"},
	}
	shown := map[string]bool{"cert_verified": true, "cert_presented": true, "cert_rfc9440_too_large": true}
	for _, tt := range tests {
		name := "cf.tls_client_auth.cert_" + tt.field
		shown["cert_"+tt.field] = true
		t.Run(tt.field, func(t *testing.T) {
			if !holds(t, name+` eq "`+tt.want+`"`, chain) || holds(t, name+` eq ""`, chain) {
				t.Errorf("want %s with a certificate", tt.want)
			}
			if !holds(t, name+` eq ""`, nil) || holds(t, name+` eq "`+tt.want+`"`, nil) {
				t.Error("want nothing without a certificate")
			}
		})
	}
	flags := []struct {
		field            string
		none, one, large bool
	}{
		{"cert_verified", false, true, true},
		{"cert_presented", false, true, true},
		{"cert_rfc9440_too_large", false, false, true},
	}
	for _, tt := range flags {
		for i, want := range []bool{tt.none, tt.one, tt.large} {
			if got := holds(t, "cf.tls_client_auth."+tt.field, [][]*x509.Certificate{nil, chain, large}[i]); got != want {
				t.Errorf("%s, %d: got %v, want %v", tt.field, i, got, want)
			}
		}
	}
	if holds(t, `cf.tls_client_auth.cert_rfc9440 ne ""`, large) {
		t.Error("a certificate that is too large has a value")
	}
	for _, f := range certificateFields() {
		if name := f.Name[len("cf.tls_client_auth."):]; !shown[name] {
			t.Errorf("%s is not tested", name)
		}
	}
}

// holds tells whether an expression holds for a client with a certificate, or without.
func holds(t *testing.T, expression string, chain []*x509.Certificate) bool {
	t.Helper()
	f := request("/")
	if chain != nil {
		f.Conn.TLS.Client = &flow.ClientCertificate{Subject: chain[0].Subject.String(), Chain: chain}
	}
	outcome, _ := compile(t, &spec.Rules{Firewall: []spec.Rule{blocking("r", expression)}}).Judge(f, dryRun(false))
	return outcome == Blocked
}
