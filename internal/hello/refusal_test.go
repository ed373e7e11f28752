package hello

import (
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/ja4"
)

// fingerprint is the one that a client has.
func fingerprint(t testing.TB, config *tls.Config) ja4.Fingerprint {
	t.Helper()
	var h ja4.Hello
	if _, err := h.Parse(opening(t, config)); err != nil {
		t.Fatal(err)
	}
	return h.Fingerprint(ja4.TCP)
}

// compile makes the policy of a zone with these keys.
func compile(t testing.TB, h spec.HTTPS) *Policy {
	t.Helper()
	p, err := Compile(&spec.Zone{HTTPS: h})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestRefusals: who is refused by name or fingerprint, or does not speak TLS, costs no worker anything, and is told if it can be.
func TestRefusals(t *testing.T) {
	old := &tls.Config{ServerName: "served.example", MaxVersion: tls.VersionTLS12, InsecureSkipVerify: true}
	denied := []ja4.Fingerprint{fingerprint(t, old)}
	picky := compile(t, spec.HTTPS{DenyFingerprints: denied})
	o := Options{
		Serves: func(host string) bool { return strings.HasSuffix(host, "served.example") || host == "picky.example" },
		Policy: func(host string) *Policy {
			if host == "picky.example" {
				return picky
			}
			return nil
		},
	}
	open := func(*spec.Node) {}
	strict := func(n *spec.Node) { n.TLS.StrictNames = true }
	denies := func(n *spec.Node) { n.TLS.DenyFingerprints = denied }
	for _, tt := range []struct {
		name, asked string
		version     uint16
		node        func(*spec.Node)
		cause       Cause // causes: none
		alert       string
	}{
		{"nothing is refused", "other.example", tls.VersionTLS12, open, causes, ""},
		{"a name that is served", "served.example", tls.VersionTLS13, strict, causes, ""},
		{"such a name in capitals", "WWW.Served.Example", tls.VersionTLS13, strict, causes, ""},
		{"a name that is not", "other.example", tls.VersionTLS13, strict, UnknownName, "unrecognized name"},
		{"no name", "", tls.VersionTLS13, strict, UnknownName, "unrecognized name"},
		{"a fingerprint", "served.example", tls.VersionTLS12, denies, DeniedFingerprint, "handshake failure"},
		{"another fingerprint", "served.example", tls.VersionTLS13, denies, causes, ""},
		{"a zone's fingerprint", "picky.example", tls.VersionTLS12, open, DeniedFingerprint, "handshake failure"},
		{"another fingerprint than the zone's", "picky.example", tls.VersionTLS13, open, causes, ""},
		{"another zone than the fingerprint's", "served.example", tls.VersionTLS12, open, causes, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := small(t, o, 4, 4, 4, tt.node)
			config := &tls.Config{ServerName: tt.asked, MaxVersion: tt.version, InsecureSkipVerify: true}
			_, err := talk(r, config, from(1), 4096)
			if tt.cause == causes {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !refusedBy(err, tt.cause) || !strings.Contains(err.Error(), tt.alert) {
				t.Errorf("got error %v, want %v and for the client %q", err, tt.cause, tt.alert)
			}
			if _, server, err := shake(t, r, config); err == nil || !strings.Contains(err.Error(), tt.alert) || server != nil {
				t.Errorf("on a goroutine: got error %v, want %q", err, tt.alert)
			}
			if s := r.Stats(); s.Refused[tt.cause] != 2 || s.Sources != 0 || r.Workers.Stats().Run != 0 {
				t.Errorf("got %+v, and %d handshakes that were worked on", s, r.Workers.Stats().Run)
			}
		})
	}
}

func TestNotTLS(t *testing.T) {
	r := small(t, Options{}, 4, 4, 4)
	for _, said := range []string{
		"GET / HTTP/1.1\r\n\r\n", "SSH-2.0-x\r\n", "\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00", "\x16\x03\x01\x00\x00", "\x15\x03\x01\x00\x02\x01\x00",
		"\x16\x03\x01\x00\x04\x01\xff\xff\xff", "\x80\x2e\x01\x03\x01",
	} {
		near, far := newEnds()
		_, _ = near.Write([]byte(said))
		if _, err := loop(r, far, from(1), 4096); !refusedBy(err, NotTLS) {
			t.Errorf("%q: got error %v, want %v", said, err, NotTLS)
		}
		if len(far.out.bytes) > 0 {
			t.Errorf("%q is answered with %q", said, far.out.bytes)
		}
	}
	for i := range opening(t, &tls.Config{ServerName: "a.example"}) {
		near, far := newEnds()
		_, _ = near.Write(opening(t, &tls.Config{ServerName: "a.example"})[:i])
		near.Close()
		if _, err := r.Handshake(far, from(1)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes of a hello: got error %v", i, err)
		}
		if i > 20 {
			break
		}
	}
	idle(t, r)
}

// TestSourceFull: a source has no more handshakes under way than it may, and others are not concerned.
func TestSourceFull(t *testing.T) {
	r := small(t, Options{}, 100, 3, 100)
	hello := opening(t, &tls.Config{ServerName: "a.example"})
	_, far := newEnds()
	var all []*Shake
	for i, tt := range []struct {
		source int
		full   bool
	}{{1, false}, {1, false}, {2, false}, {1, false}, {1, true}, {2, false}, {1, true}, {2, false}, {2, true}} {
		s := r.Begin(far, from(tt.source))
		ready, err := s.Feed(hello)
		if refusedBy(err, SourceFull) != tt.full || ready == tt.full {
			t.Errorf("%d: ready %v, error %v, want full %v", i, ready, err, tt.full)
		}
		if ready && i%2 == 0 {
			step(s)
		}
		all = append(all, s)
	}
	for range 10 { // those of no known address are not of one source
		if ready, err := r.Begin(far, &flow.Conn{}).Feed(hello); !ready || err != nil {
			t.Errorf("without an address: ready %v, error %v", ready, err)
		}
	}
	for _, s := range all {
		s.Close()
	}
	if _, err := talk(r, &tls.Config{InsecureSkipVerify: true}, from(1), 4096); err != nil {
		t.Error(err)
	}
	idle(t, r)
}

// hiding is a pair with which clients can hide the names that they ask for.
func hiding(t testing.TB, name string) (pair spec.ECH, list []byte) {
	t.Helper()
	kem := hpke.DHKEM(ecdh.X25519())
	private, err := kem.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	secret, err := private.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	contents := append([]byte{1, 0, byte(kem.ID()), 0, 32}, private.PublicKey().Bytes()...)
	contents = append(contents, 0, 4, 0, 1, 0, 1, 0, byte(len(name)))
	contents = append(append(contents, name...), 0, 0)
	config := append([]byte{0xfe, 0x0d, 0, byte(len(contents))}, contents...)
	list = append(binary.BigEndian.AppendUint16(nil, uint16(len(config))), config...)
	return spec.ECH{Config: base64.StdEncoding.EncodeToString(list), Key: base64.StdEncoding.EncodeToString(secret)}, list
}

// TestECH: who hides the name that it asks for is judged by that name, and by the hello that says it.
func TestECH(t *testing.T) {
	pair, list := hiding(t, "public.example")
	stale, staleList := hiding(t, "public.example")
	_, foreign := hiding(t, "elsewhere.example")
	issuer := newIssuer(t)
	config := func(name string, list []byte) *tls.Config {
		return &tls.Config{ServerName: name, EncryptedClientHelloConfigList: list, RootCAs: roots(t, issuer.folder), MinVersion: tls.VersionTLS13}
	}
	var seen ja4.Fingerprint
	picky := compile(t, spec.HTTPS{})
	o := Options{
		Serves: func(host string) bool { return host == "hidden.example" || host == "picky.example" },
		Policy: func(host string) *Policy {
			if host == "picky.example" {
				return picky
			}
			return nil
		},
	}
	r := small(t, o, 4, 4, 4, func(n *spec.Node) {
		n.TLS.StrictNames, n.TLS.ECH = true, []spec.ECH{pair, stale}
		n.Certificates = []spec.Certificate{issuer.text(t, "public.example", "hidden.example", "picky.example")}
	})
	ask := func(config *tls.Config) (*flow.TLS, tls.ConnectionState, error) {
		info := from(1)
		state, err := talk(r, config, info, 4096)
		return info.TLS, state, err
	}
	for _, list := range [][]byte{list, staleList} {
		got, state, err := ask(config("hidden.example", list))
		if err != nil {
			t.Fatal(err)
		}
		if !state.ECHAccepted || got.ServerName != "hidden.example" {
			t.Errorf("got %+v, accepted %v, want the hidden name", got, state.ECHAccepted)
		}
		seen = got.JA4
	}
	if _, _, err := ask(config("other.example", list)); !refusedBy(err, UnknownName) {
		t.Errorf("a hidden name that is not served: got error %v", err)
	}
	if _, _, err := ask(config("hidden.example", foreign)); !refusedBy(err, UnknownName) {
		t.Errorf("a public name that is not ours: got error %v", err)
	}
	if _, _, err := ask(config("picky.example", list)); err != nil {
		t.Errorf("a client that is not denied: got error %v", err)
	}
	picky.denied = newFingerprints([]ja4.Fingerprint{seen})
	if _, _, err := ask(config("picky.example", list)); !refusedBy(err, DeniedFingerprint) {
		t.Errorf("a client that the hidden zone denies: got error %v", err)
	}
	if _, _, err := ask(config("hidden.example", list)); err != nil {
		t.Errorf("and another zone does not: got error %v", err)
	}
	// A node that has other keys by now tells the client of them.
	fresh, freshList := hiding(t, "public.example")
	if problems := r.Configure(&spec.ServerTLS{StrictNames: true, ECH: []spec.ECH{fresh}}); problems != nil {
		t.Fatal(problems)
	}
	_, _, err := ask(config("hidden.example", list))
	rejection, ok := errors.AsType[*tls.ECHRejectionError](err)
	if !ok || string(rejection.RetryConfigList) != string(freshList) {
		t.Errorf("a stale key: got error %v, want the fresh one", err)
	}
	idle(t, r)
}

// TestConfigure: what the node's section says can be replaced, and what can't be read is left out.
func TestConfigure(t *testing.T) {
	client := &tls.Config{ServerName: "a.example", InsecureSkipVerify: true}
	r := small(t, Options{Serves: func(string) bool { return false }}, 4, 4, 4)
	pair, _ := hiding(t, "public.example")
	bad := spec.ECH{Config: pair.Config, Key: "AAAA"}
	for _, tt := range []struct {
		name     string
		node     spec.ServerTLS
		refused  bool
		problems int
	}{
		{"nothing", spec.ServerTLS{}, false, 0},
		{"denied", spec.ServerTLS{DenyFingerprints: []ja4.Fingerprint{fingerprint(t, client)}}, true, 0},
		{"not denied any more", spec.ServerTLS{}, false, 0},
		{"strict", spec.ServerTLS{StrictNames: true}, true, 0},
		{"with a bad key", spec.ServerTLS{ECH: []spec.ECH{bad, pair}}, false, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if problems := r.Configure(&tt.node); len(problems) != tt.problems {
				t.Errorf("got problems %v, want %d", problems, tt.problems)
			}
			if _, err := talk(r, client, from(1), 4096); (err != nil) != tt.refused {
				t.Errorf("got error %v, want refused %v", err, tt.refused)
			}
			if keys := r.settings.Load().config.EncryptedClientHelloKeys; len(keys) > 0 && (len(keys) != 1 || !keys[0].SendAsRetry) {
				t.Errorf("got %d keys for ECH", len(keys))
			}
		})
	}
}

func TestCauses(t *testing.T) {
	seen := make(map[string]bool)
	for c := range causes {
		if name := c.String(); name == "" || seen[name] || !strings.Contains((&Refusal{c, "x"}).Error(), name+": x") {
			t.Errorf("cause %d is called %q", c, name)
		} else {
			seen[name] = true
		}
	}
}
