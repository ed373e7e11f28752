package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// write puts files into a new folder and returns it.
func write(tb testing.TB, files map[string]string) string {
	tb.Helper()
	dir := tb.TempDir()
	for name, text := range files {
		put(tb, filepath.Join(dir, name), text)
	}
	return dir
}

func put(tb testing.TB, path, text string) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// mustLoad loads a file in which nothing is wrong.
func mustLoad(tb testing.TB, l *Loader, path string) *Config {
	tb.Helper()
	c, err := l.Load(path)
	if err != nil {
		tb.Fatal(err)
	}
	if c.NodeProblem != nil {
		tb.Fatal(c.NodeProblem)
	}
	for _, r := range c.Refused {
		tb.Fatalf("zone %s refused: %v", r.Zone, r.Problem)
	}
	return c
}

// pair makes a certificate and its key.
func pair(tb testing.TB) (chain, key string) {
	tb.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "shop.example"}, DNSNames: []string{"shop.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		tb.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		tb.Fatal(err)
	}
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", keyDER)
}

// plainZone is a zone of 18 lines.
func plainZone(i int) string {
	return fmt.Sprintf(`name: zone-%d
hosts: [www%d.example.org, "*.z%d.example.org"]
origin:
  servers:
    - url: http://10.0.%d.%d:3000
      weight: 2
    - {url: "http://10.1.0.1:3000", backup: true}
  balance: least_requests
  response_timeout: 30s
limits:
  requests: 100/s burst 400
  origin_requests: 20/s
lists:
  deny: [192.0.2.0/24, 198.51.100.7]
budget: {concurrent: 100, queue: 1000}
https: {redirect: true, hsts: {max_age: 365d}}
cache:
  enabled: true
`, i, i, i, i/250, i%250)
}
