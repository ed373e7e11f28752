package cert

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/control/cert/pebble"
	"github.com/seawall/seawall/internal/spec"
)

func TestIssue(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		noHTTP, noTLS bool
	}{
		{"either way", false, false},
		{"over HTTP alone", false, true},
		{"over TLS alone", true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.noHTTP, s.noTLS = tt.noHTTP, tt.noTLS
			p := s.authority(pebble.Options{})
			s.manage(account(p), "A.example.test")
			s.wait(issued, "a.example.test")
			got := s.visit("a.example.test", p.Roots())
			if key, ok := got.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
				t.Errorf("got a %T, want ECDSA with P-256", got.PublicKey)
			}
			status := s.status("a.example.test")
			if !status.NotAfter.Equal(got.NotAfter) || !strings.HasPrefix(status.Issuer, "Pebble") || status.Err != nil || !status.Next.After(time.Now()) {
				t.Errorf("got status %+v", status)
			}
			if pending := len(*s.manager.Load().challenges.byHost.Load()); pending != 0 {
				t.Errorf("%d challenges are still answered", pending)
			}
			private(t, s.folder)
		})
	}
}

// private makes sure that others can read nothing.
func private(t *testing.T, folder string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if !d.IsDir() {
			files++
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: got mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil || files < 4 { // the account's key, a certificate, its key and what is known of it
		t.Errorf("got %d files, error %v", files, err)
	}
}

// TestOnlyWanted: no visitor, by whatever name, has a certificate issued, and who is no longer managed loses the one that was.
func TestOnlyWanted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.authority(pebble.Options{})
	s.manage(account(p), "a.test", "b.test")
	s.wait(issued, "a.test", "b.test")
	orders := p.Orders()
	m := s.manager.Load()
	ask := func(host string, protocols ...string) *tls.Certificate {
		return m.Certificate(&tls.ClientHelloInfo{ServerName: host, SupportedProtos: protocols})
	}
	for _, host := range []string{"c.test", "", "test", "x.a.test"} {
		if ask(host) != nil {
			t.Errorf("%q: got a certificate", host)
		}
	}
	if ask("A.test") == nil {
		t.Error("A.test: got no certificate")
	}
	if ask("a.test", alpnProtocol) != nil {
		t.Error("a challenge without one pending was answered")
	}
	for _, path := range []string{"", "/", "/.well-known/acme-challenge/", "/.well-known/acme-challenge/token"} {
		if answer, ok := m.Challenge("a.test", path); ok {
			t.Errorf("%s: got %q", path, answer)
		}
	}
	s.manage(account(p), "b.test")
	if ask("a.test") != nil || ask("b.test") == nil || len(m.Status()) != 1 {
		t.Errorf("got %v for a.test, %v for b.test, status %v", ask("a.test"), ask("b.test"), m.Status())
	}
	noMail := account(p)
	noMail.Email = ""
	s.manage(noMail, "b.test")
	if len(m.Status()) != 0 {
		t.Error("managed without an account")
	}
	s.manage(account(p), "a.test", "b.test")
	if ask("a.test") == nil || ask("b.test") == nil {
		t.Error("certificates on disk are not ready at once")
	}
	if got := p.Orders(); got != orders {
		t.Errorf("got %d orders after all, want the first %d", got, orders)
	}
}

// TestRestart: the next start needs no authority.
func TestRestart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.authority(pebble.Options{})
	s.manage(account(p), "a.test")
	s.wait(issued, "a.test")
	before, requests := s.visit("a.test", p.Roots()), p.Requests()
	s.start()
	s.manage(account(p), "a.test")
	if got := s.visit("a.test", p.Roots()); !got.Equal(before) {
		t.Error("got another certificate")
	}
	if err := s.again("a.test"); err != nil {
		t.Error(err)
	}
	if got := p.Requests(); got != requests {
		t.Errorf("the authority was asked %d times", got-requests)
	}
}

// TestFallback: while the first authority is down the next one issues, and is not waited for twice.
func TestFallback(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.authority(pebble.Options{})
	a := account(p)
	a.Authorities = append([]spec.Authority{down(t)}, a.Authorities...)
	s.manage(a, "a.test", "b.test")
	s.wait(issued, "a.test", "b.test")
	s.visit("a.test", p.Roots())
	m := s.manager.Load()
	if err := m.authorities[0].resting(); err == nil {
		t.Error("the authority that is down would be asked again at once")
	}
	if err := m.authorities[1].resting(); err != nil {
		t.Error(err)
	}
}

// TestFailure: the reasons of all authorities are told, and the visitor gets a minted certificate meanwhile.
func TestFailure(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.noHTTP, s.noTLS = true, true
	p := s.authority(pebble.Options{})
	a := account(p)
	a.Authorities = append([]spec.Authority{down(t)}, a.Authorities...)
	s.manage(a, "a.test")
	s.wait(notObtained, "a.test")
	status := s.status("a.test")
	for _, want := range []string{a.Authorities[0].Directory, p.Directory, "a.test", "unauthorized"} {
		if status.Err == nil || !strings.Contains(status.Err.Error(), want) {
			t.Errorf("got %v, want %q in it", status.Err, want)
		}
	}
	if wait := time.Until(status.Next); wait < retryFirst/2 || wait > 2*retryFirst || !status.NotAfter.IsZero() || status.Issuer != "" {
		t.Errorf("got %+v", status)
	}
}

// TestRenewal: a certificate near its end is renewed, by an order that says what it replaces, and visitors get the new one.
func TestRenewal(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.authority(pebble.Options{Lifetime: 2 * checkInterval})
	s.manage(account(p), "a.test")
	s.wait(issued, "a.test")
	first := s.visit("a.test", p.Roots())
	s.start()
	s.manage(account(p), "a.test")
	s.wait(issued, "a.test")
	if second := s.visit("a.test", p.Roots()); second.Equal(first) {
		t.Error("got the same certificate")
	}
	if !p.Replaced(first.SerialNumber) {
		t.Error("the order did not say what it replaces")
	}
}

// TestSuggested: a certificate with a long life before it is renewed when the authority suggests it (ARI).
func TestSuggested(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.authority(pebble.Options{})
	s.manage(account(p), "a.test")
	s.wait(issued, "a.test")
	first := s.visit("a.test", p.Roots())
	if err := p.Suggest(first.SerialNumber, time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := s.again("a.test"); err != nil || !s.visit("a.test", p.Roots()).Equal(first) {
		t.Errorf("renewed before the authority had to be asked, error %v", err)
	}
	edit(t, s.folder, "a.test.json", func(text []byte) []byte { // it is time to ask
		return regexp.MustCompile(`"_retryAfter": "[^"]*"`).ReplaceAll(text, []byte(`"_retryAfter": "2020-02-02T02:02:02Z"`))
	})
	if err := s.again("a.test"); err != nil || s.visit("a.test", p.Roots()).Equal(first) {
		t.Errorf("not renewed, error %v", err)
	}
}

// edit changes the file of a name below a folder.
func edit(t *testing.T, folder, name string, how func([]byte) []byte) {
	t.Helper()
	edited := false
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != name {
			return err
		}
		before, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		after := how(before)
		edited = !bytes.Equal(before, after)
		return os.WriteFile(path, after, 0o600)
	})
	if err != nil || !edited {
		t.Fatalf("editing %s: changed %v, error %v", name, edited, err)
	}
}

// TestDamaged: what is broken on disk is obtained anew.
func TestDamaged(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.authority(pebble.Options{})
	hosts := []string{"a.test", "b.test", "c.test", "whole.test"}
	s.manage(account(p), hosts...)
	s.wait(issued, hosts...)
	first := make(map[string]*x509.Certificate)
	for _, h := range hosts {
		first[h] = s.visit(h, p.Roots())
	}
	for _, file := range []string{"a.test.crt", "b.test.key", "c.test.json"} {
		edit(t, s.folder, file, func(text []byte) []byte { return text[:len(text)/10] })
	}
	s.start()
	s.manage(account(p), hosts...)
	s.wait(issued, hosts[:3]...)
	for _, h := range hosts {
		if got := s.visit(h, p.Roots()).Equal(first[h]); got != (h == "whole.test") {
			t.Errorf("%s: the same certificate: %v", h, got)
		}
	}
}

// TestNoDisk: where nothing can be kept, nothing is asked for.
func TestNoDisk(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.folder = filepath.Join(s.folder, "file", "acme")
	if err := os.WriteFile(filepath.Dir(s.folder), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	p := s.authority(pebble.Options{})
	s.manage(account(p), "a.test")
	s.wait(notObtained, "a.test")
	if err := s.status("a.test").Err; err == nil || !strings.Contains(err.Error(), filepath.Dir(s.folder)) {
		t.Errorf("got %v, want an error that names the folder", err)
	}
	if got := p.Orders(); got != 0 {
		t.Errorf("got %d orders", got)
	}
}

func TestExternalAccount(t *testing.T) {
	t.Parallel()
	key := base64.RawURLEncoding.EncodeToString([]byte("a key that the authority gave us"))
	other := base64.RawURLEncoding.EncodeToString([]byte("a key that the authority doesn't"))
	tests := []struct {
		name, id, hmac string
		err            string
	}{
		{"right", "kid-1", key, ""},
		{"right, with padding", "kid-1", key + "=", ""},
		{"wrong key", "kid-1", other, "binding"},
		{"unknown id", "kid-2", key, "not known"},
		{"not base64url", "kid-1", "!", "binding the account to kid-1"},
		{"none", "", "", "externalAccountRequired"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			a := account(s.authority(pebble.Options{Accounts: map[string]string{"kid-1": key}}))
			a.Authorities[0].KeyID, a.Authorities[0].HMAC = tt.id, tt.hmac
			s.manage(a, "a.test")
			if tt.err == "" {
				s.wait(issued, "a.test")
				return
			}
			s.wait(notObtained, "a.test")
			if err := s.status("a.test").Err; err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %v, want %q", err, tt.err)
			}
		})
	}
}

// TestOtherAccount: who changes the account by a reload is served by the old certificates until the new authority has issued, and what
// failed before is tried at once.
func TestOtherAccount(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.manage(spec.ACME{Email: "operator@example.test", Authorities: []spec.Authority{down(t)}}, "a.test")
	s.wait(notObtained, "a.test")
	first, second := s.authority(pebble.Options{}), s.authority(pebble.Options{})
	s.manage(account(first), "a.test")
	s.wait(issued, "a.test")
	s.visit("a.test", first.Roots())
	s.manage(account(second), "a.test")
	s.visit("a.test", first.Roots()+second.Roots())
	s.wait(issued, "a.test")
	s.visit("a.test", second.Roots())
	problems := s.manager.Load().Manage(spec.ACME{Email: "operator@example.test", Authorities: []spec.Authority{
		{Directory: "http://ca.test/dir"}, {Directory: second.Directory, CA: "junk"}, {Directory: second.Directory, CA: spec.PEM(second.CA)},
	}}, []string{"a.test"})
	if len(problems) != 2 || !strings.Contains(problems[0].Error(), "http://ca.test/dir") || !strings.Contains(problems[1].Error(), "ca has no certificate") {
		t.Errorf("got problems %v", problems)
	}
	if err := s.again("a.test"); err != nil {
		t.Error(err)
	}
}

// TestForgottenAccount: an authority that knows the account no more is asked for another.
func TestForgottenAccount(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.authority(pebble.Options{})
	s.manage(account(p), "a.test")
	s.wait(issued, "a.test")
	if err := p.Forget(); err != nil {
		t.Fatal(err)
	}
	s.manage(account(p), "a.test", "b.test")
	s.wait(issued, "b.test")
	s.visit("b.test", p.Roots())
}

// TestClose: nothing is left behind, be it in the middle of an attempt. (It runs beside no other test.)
func TestClose(t *testing.T) {
	for _, after := range []string{"at once", "in the middle", "when issued"} {
		t.Run(after, func(t *testing.T) {
			s := newSite(t)
			p := s.authority(pebble.Options{})
			m := s.manager.Load()
			s.manage(account(p), "a.test", "b.test")
			switch after {
			case "in the middle":
				for p.Orders() == 0 {
					runtime.Gosched()
				}
			case "when issued":
				s.wait(issued, "a.test", "b.test")
			}
			m.Close()
			m.Close()
			s.manage(account(p), "a.test", "c.test")
			var left string
			for range 100_000 { // certmagic's last goroutine says that it ends just before it does
				if left = working(); left == "" {
					return
				}
				runtime.Gosched()
			}
			t.Errorf("left behind:\n%s", left)
		})
	}
}

// working is a goroutine of a manager, if there is one.
func working() string {
	stacks := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		for _, its := range []string{"cert.(*Manager)", "caddyserver/certmagic", "mholt/acmez"} {
			if strings.Contains(stack, its) && !strings.Contains(stack, "testing.tRunner") {
				return stack
			}
		}
	}
	return ""
}

func TestEligible(t *testing.T) {
	for _, tt := range []struct {
		host string
		want bool
	}{
		{"example.org", true}, {"www.Example.ORG", true}, {"a.test", true}, {"xn--bcher-kva.example", true}, {"intra.corp.internal", true},
		{"", false}, {"*", false}, {"*.example.org", false}, {"localhost", false}, {"a.localhost", false}, {"printer.local", false}, {"intranet", false},
		{"192.0.2.1", false}, {"2001:db8::1", false}, {"[::1]", false}, {"example.org:443", false}, {"a..b", false}, {".a.b", false}, {"a.b.", false},
		{"bücher.example", false}, {"a_b.example", false}, {"-a.example", false}, {"a-.example", false}, {strings.Repeat("a", 64) + ".example", false},
		{strings.Repeat("a.", 126) + "a", true}, {strings.Repeat("a.", 127) + "a", false},
	} {
		if got := Eligible(tt.host); got != tt.want {
			t.Errorf("%q: got %v, want %v", tt.host, got, tt.want)
		}
	}
}
