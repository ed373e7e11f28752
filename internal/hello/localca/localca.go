// Package localca is a certificate authority of one's own: for a site that has no certificate yet, and for tests. Its key lies in a
// folder that only its owner can read; who trusts its certificate can verify the ones it mints.
//
// It learns the names that a certificate is for, and writes two files, once: ca.pem and ca-key.pem. Minting is bounded by its callers.
// It fails with an error that names the file, and never replaces an authority that it can't read: somebody may trust it.
package localca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
)

const (
	caLife   = 10 * 365 * 24 * time.Hour
	leafLife = 90 * 24 * time.Hour
	// backdate allows for clients whose clocks are slow.
	backdate = 24 * time.Hour
	// renewBefore is how long before its end an authority is replaced.
	renewBefore = leafLife
)

// CA mints certificates.
type CA struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	// leaf is the one key of all minted certificates: making keys is dear, and all of them live in this process.
	leaf *ecdsa.PrivateKey
}

// Open reads the authority in folder (ca.pem and ca-key.pem), or makes one there if there is none or if it is about to end. The folder
// is made if need be.
func Open(folder string, now time.Time) (*CA, error) {
	ca, err := read(folder)
	if err == nil && (ca == nil || now.Add(renewBefore).After(ca.certificate.NotAfter)) {
		ca, err = create(folder, now)
	}
	if err != nil {
		return nil, err
	}
	if ca.leaf, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return ca, nil
}

// Path is the file of the authority's certificate, for those who want to trust it.
func Path(folder string) string { return filepath.Join(folder, "ca.pem") }

func keyPath(folder string) string { return filepath.Join(folder, "ca-key.pem") }

// read returns nil if there is no certificate, even if there is a key: nobody can trust that yet.
func read(folder string) (*CA, error) {
	chain, err := os.ReadFile(Path(folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the local authority: %w", err)
	}
	secret, err := os.ReadFile(keyPath(folder))
	if err != nil {
		return nil, fmt.Errorf("reading the local authority's key: %w; remove %s to have a new authority made", err, Path(folder))
	}
	pair, err := tls.X509KeyPair(chain, secret)
	if err != nil {
		return nil, broken(folder, err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, broken(folder, errors.New("the key is not for ECDSA"))
	}
	if !pair.Leaf.IsCA {
		return nil, broken(folder, errors.New("the certificate is not an authority's"))
	}
	return &CA{certificate: pair.Leaf, key: key}, nil
}

func broken(folder string, err error) error {
	return fmt.Errorf("reading the local authority: %s with %s: %w; remove both to have a new one made", Path(folder), keyPath(folder), err)
}

func create(folder string, now time.Time) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	host, _ := os.Hostname()
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "Seawall local authority of " + host},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(caLife),
		IsCA:                  true,
		MaxPathLenZero:        true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making the local authority: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("making the local authority: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("making the local authority: %w", err)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("making the local authority's folder: %w", err)
	}
	// The key goes first: a certificate without its key would look like an authority.
	if err := write(keyPath(folder), "PRIVATE KEY", keyDER, 0o600); err != nil {
		return nil, err
	}
	if err := write(Path(folder), "CERTIFICATE", der, 0o644); err != nil {
		return nil, err
	}
	return &CA{certificate: certificate, key: key}, nil
}

func write(path, kind string, der []byte, mode fs.FileMode) error {
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := renameio.WriteFile(path, text, mode); err != nil {
		return fmt.Errorf("writing the local authority: %w", err)
	}
	return nil
}

// newSerial is 127 random bits (RFC 5280 §4.1.2.2 wants a positive number of at most 20 bytes).
func newSerial() (*big.Int, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("making a serial number: %w", err)
	}
	return serial, nil
}

// commonName is for people who look at a certificate; what counts are the alternative names. RFC 5280 appendix A.1 allows 64 characters.
func commonName(name string) string { return name[:min(len(name), 64)] }

// Mint makes a certificate for names, each a host name or an address; there is at least one.
func (ca *CA) Mint(now time.Time, names ...string) (*tls.Certificate, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: commonName(names[0])},
		NotBefore:    now.Add(-backdate),
		NotAfter:     now.Add(leafLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.certificate, ca.leaf.Public(), ca.key)
	if err != nil {
		return nil, fmt.Errorf("minting a certificate for %s: %w", names[0], err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("minting a certificate for %s: %w", names[0], err)
	}
	return &tls.Certificate{Certificate: [][]byte{der, ca.certificate.Raw}, PrivateKey: ca.leaf, Leaf: leaf}, nil
}
