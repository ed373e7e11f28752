package rules

import (
	"crypto/sha1" //nolint:gosec // a fingerprint that Cloudflare's rules name, and no protection
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"strings"
	"time"

	"github.com/seawall/seawall/rules"
)

// maxClientCert is how long a Client-Cert may get: Cloudflare's bound.
const maxClientCert = 10 << 10

// certificateFields are the client's certificate, of which all are empty without one. One that does not verify ends the handshake, so that
// what was shown was verified, too.
func certificateFields() []field {
	verified := func(s *source) rules.Value { return rules.BoolValue(certificate(s, 0) != nil) }
	return []field{
		head("cf.tls_client_auth.cert_verified", rules.Bool, 1, verified, "cf.tls_client_auth.cert_presented", "tls.client_verified"),
		head("cf.tls_client_auth.cert_subject_dn", rules.Bytes, 1, clientSubject, "cf.tls_client_auth.cert_subject_dn_rfc2253", "tls.client_subject"),
		ofCertificate("subject_dn_legacy", 0, func(c *x509.Certificate) string { return legacyName(c.RawSubject) }),
		ofCertificate("issuer_dn", 0, func(c *x509.Certificate) string { return c.Issuer.String() },
			"cf.tls_client_auth.cert_issuer_dn_rfc2253", "tls.client_issuer"),
		ofCertificate("issuer_dn_legacy", 0, func(c *x509.Certificate) string { return legacyName(c.RawIssuer) }),
		ofCertificate("serial", 0, func(c *x509.Certificate) string { return serial(c.SerialNumber) }, "tls.client_serial"),
		ofCertificate("issuer_serial", 1, func(c *x509.Certificate) string { return serial(c.SerialNumber) }),
		ofCertificate("fingerprint_sha256", 0, func(c *x509.Certificate) string {
			sum := sha256.Sum256(c.Raw)
			return hex.EncodeToString(sum[:])
		}, "tls.client_fingerprint"),
		ofCertificate("fingerprint_sha1", 0, func(c *x509.Certificate) string {
			sum := sha1.Sum(c.Raw) //nolint:gosec // as above
			return hex.EncodeToString(sum[:])
		}),
		ofCertificate("not_before", 0, func(c *x509.Certificate) string { return validity(c.NotBefore) }),
		ofCertificate("not_after", 0, func(c *x509.Certificate) string { return validity(c.NotAfter) }),
		ofCertificate("ski", 0, func(c *x509.Certificate) string { return upperHex(c.SubjectKeyId) }),
		ofCertificate("issuer_ski", 1, func(c *x509.Certificate) string { return upperHex(c.SubjectKeyId) }),
		ofCertificate("rfc9440", 0, clientCert),
		head("cf.tls_client_auth.cert_rfc9440_too_large", rules.Bool, 2*madeCost, func(s *source) rules.Value {
			c := certificate(s, 0)
			return rules.BoolValue(c != nil && clientCert(c) == "")
		}),
	}
}

// ofCertificate is a field of the certificate at a place of the chain, the client's at 0.
func ofCertificate(name string, place int, text func(*x509.Certificate) string, aliases ...string) field {
	return head("cf.tls_client_auth.cert_"+name, rules.Bytes, 10*madeCost, func(s *source) rules.Value {
		c := certificate(s, place)
		if c == nil {
			return rules.BytesValue("")
		}
		return rules.BytesValue(text(c))
	}, aliases...)
}

// certificate is the one at a place of the client's chain, nil if there is none.
func certificate(s *source, place int) *x509.Certificate {
	if t := s.flow.Conn.TLS; t != nil && t.Client != nil && place < len(t.Client.Chain) {
		return t.Client.Chain[place]
	}
	return nil
}

func clientSubject(s *source) rules.Value {
	if t := s.flow.Conn.TLS; t != nil {
		return rules.BytesValue(t.ClientSubject())
	}
	return rules.BytesValue("")
}

// serial is a serial number as OpenSSL writes it: whole bytes.
func serial(n *big.Int) string {
	if n == nil || n.Sign() == 0 {
		return "00"
	}
	return upperHex(n.Bytes())
}

func upperHex(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

// validity is a time as OpenSSL writes it.
func validity(t time.Time) string { return t.UTC().Format("Jan _2 15:04:05 2006 GMT") }

// clientCert is a certificate as the field Client-Cert has it (RFC 9440 §2.1), empty if that would be too long.
func clientCert(c *x509.Certificate) string {
	if base64.StdEncoding.EncodedLen(len(c.Raw))+len("::") > maxClientCert {
		return ""
	}
	return ":" + base64.StdEncoding.EncodeToString(c.Raw) + ":"
}

// legacyName is a distinguished name as OpenSSL used to write it: in the order of the certificate, a slash before each part.
func legacyName(der []byte) string {
	var name pkix.RDNSequence
	if rest, err := asn1.Unmarshal(der, &name); err != nil || len(rest) > 0 {
		return ""
	}
	var b strings.Builder
	for _, part := range name {
		b.WriteString("/" + pkix.RDNSequence{part}.String())
	}
	return b.String()
}
