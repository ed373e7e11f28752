package localca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var t0 = time.Date(2026, 11, 22, 21, 22, 28, 0, time.UTC)

func open(t *testing.T, folder string, now time.Time) *CA {
	t.Helper()
	ca, err := Open(folder, now)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func TestMadeOnceAndReadAgain(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data", "seawall")
	first := open(t, folder, t0)
	for path, want := range map[string]fs.FileMode{folder: 0o700, keyPath(folder): 0o600, Path(folder): 0o644} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s: got mode %v, want %v", path, got, want)
		}
	}
	again := open(t, folder, t0.Add(9*365*24*time.Hour))
	if !again.certificate.Equal(first.certificate) || !again.key.Equal(first.key) {
		t.Error("got another authority")
	}
	if again.leaf.Equal(first.leaf) {
		t.Error("the key of the minted certificates was kept")
	}
}

func TestRenewedBeforeItsEnd(t *testing.T) {
	folder := t.TempDir()
	first := open(t, folder, t0)
	end := first.certificate.NotAfter
	if again := open(t, folder, end.Add(-renewBefore)); !again.certificate.Equal(first.certificate) {
		t.Error("renewed too early")
	}
	renewed := open(t, folder, end.Add(1-renewBefore))
	if renewed.certificate.Equal(first.certificate) || !renewed.certificate.NotAfter.After(end) {
		t.Error("not renewed")
	}
	if again := open(t, folder, end); !again.certificate.Equal(renewed.certificate) || !again.key.Equal(renewed.key) {
		t.Error("the new one was not kept")
	}
}

func TestMint(t *testing.T) {
	ca := open(t, t.TempDir(), t0)
	roots := x509.NewCertPool()
	roots.AddCert(ca.certificate)
	long := strings.Repeat("a.", 100) + "example.org"
	serials := make(map[string]bool)
	for _, names := range [][]string{{"example.org"}, {"localhost", "127.0.0.1", "::1"}, {long}, {"192.0.2.1"}} {
		c, err := ca.Mint(t0, names...)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			for _, at := range []time.Time{t0.Add(-time.Hour), t0.Add(leafLife - time.Second)} {
				if _, err := c.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: at}); err != nil {
					t.Errorf("%s at %v: %v", name, at, err)
				}
			}
		}
		if err := c.Leaf.VerifyHostname("other.example"); err == nil {
			t.Errorf("%v: good for another name, too", names)
		}
		if got := c.Leaf.Subject.CommonName; len(got) > 64 || !strings.HasPrefix(names[0], got) {
			t.Errorf("%v: got common name %q", names, got)
		}
		if len(c.Certificate) != 2 || c.Leaf.IsCA {
			t.Errorf("%v: got a chain of %d, authority %v", names, len(c.Certificate), c.Leaf.IsCA)
		}
		serials[c.Leaf.SerialNumber.String()] = true
	}
	if len(serials) != 4 {
		t.Errorf("got %d serial numbers for 4 certificates", len(serials))
	}
}

// TestErrorsNameTheFile: and an authority that can't be read is never replaced.
func TestErrorsNameTheFile(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaChain, rsaSecret := foreign(t, rsaKey)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecChain, ecSecret := foreign(t, ecKey)
	tests := []struct {
		name       string
		chain, key []byte // what to put in place of the file, nil to keep it
		want       []string
	}{
		{"broken certificate", []byte("junk"), nil, []string{"ca.pem", "remove both"}},
		{"broken key", nil, []byte("junk"), []string{"ca-key.pem", "remove both"}},
		{"another's key", nil, ecSecret, []string{"ca.pem", "ca-key.pem", "does not match"}},
		{"not ECDSA", rsaChain, rsaSecret, []string{"ca.pem", "ECDSA"}},
		{"not an authority", ecChain, ecSecret, []string{"ca.pem", "not an authority"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			folder := t.TempDir()
			open(t, folder, t0)
			for path, text := range map[string][]byte{Path(folder): tt.chain, keyPath(folder): tt.key} {
				if text == nil {
					continue
				}
				if err := os.WriteFile(path, text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			before, _ := os.ReadFile(Path(folder))
			_, err := Open(folder, t0)
			if err == nil {
				t.Fatal("got no error")
			}
			for _, want := range append(tt.want, folder) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %q in it", err, want)
				}
			}
			if after, _ := os.ReadFile(Path(folder)); string(after) != string(before) {
				t.Error("the authority was replaced")
			}
		})
	}
	t.Run("lost key", func(t *testing.T) {
		folder := t.TempDir()
		open(t, folder, t0)
		if err := os.Remove(keyPath(folder)); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(folder, t0); err == nil || !strings.Contains(err.Error(), "ca-key.pem") {
			t.Errorf("got error %v", err)
		}
	})
	t.Run("lost certificate", func(t *testing.T) {
		folder := t.TempDir()
		first := open(t, folder, t0)
		if err := os.Remove(Path(folder)); err != nil {
			t.Fatal(err)
		}
		if again := open(t, folder, t0); again.key.Equal(first.key) {
			t.Error("got the old key with a new certificate")
		}
	})
	t.Run("a folder that can't be made", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(filepath.Join(file, "data"), t0); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("got error %v, want one that names %s", err, file)
		}
	})
}

// foreign is a certificate and a key that can't be an authority's.
func foreign(t *testing.T, key crypto.Signer) (chain, secret []byte) {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: t0, NotAfter: t0.Add(caLife)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}
