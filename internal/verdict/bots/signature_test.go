package bots

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// The key of RFC 9421, B.1.4, and its thumbprint, as the drafts of Web Bot Auth have it.
const (
	rfcKey        = "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"
	rfcPrivate    = "n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU"
	rfcThumbprint = "poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U"
	directory     = `{"keys": [{"kty": "RSA", "n": "x"}, {"kty": "OKP", "crv": "Ed25519", "kid": "test-key-ed25519", "x": "` + rfcKey + `"}]}`
)

// TestRFC9421 verifies the signature of B.2.6.
func TestRFC9421(t *testing.T) {
	q := &flow.Request{Method: "POST", Target: "/foo?param=Value&Pet=dog", Authority: "example.com", Scheme: "https", Fields: []flow.Field{
		{Name: "Host", Value: "example.com"}, {Name: "Date", Value: "Tue, 20 Apr 2021 02:07:55 GMT"},
		{Name: "Content-Type", Value: "application/json"}, {Name: "Content-Length", Value: "18"},
	}}
	const input = `sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"`
	const value = `sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:`
	tagged := input + `;tag="web-bot-auth"` // which it has not, so that its base is another
	s, ok := parseSignature(tagged, value)
	if !ok {
		t.Fatal("got no signature")
	}
	s.params = strings.TrimSuffix(s.params, `;tag="web-bot-auth"`)
	base, ok := s.base(q)
	keys, err := (&spec.Crawler{Keys: directory}).PublicKeys("file")
	if err != nil || !ok {
		t.Fatalf("got keys %v, %v, base %q", keys, err, base)
	}
	if !ed25519.Verify(keys[rfcThumbprint], []byte(base), s.signature) {
		t.Errorf("not verified by %x:\n%s", keys[rfcThumbprint], base)
	}
	if _, ok := parseSignature(input, value); ok {
		t.Error("got a signature without the tag, want none")
	}
}

// TestSigned: only a signature that is whole, current, covers the authority and is of a known key says who it is.
func TestSigned(t *testing.T) {
	seed, err := base64.RawURLEncoding.DecodeString(rfcPrivate)
	if err != nil {
		t.Fatal(err)
	}
	private := ed25519.NewKeyFromSeed(seed)
	now := time.Unix(1_800_000_000, 0)
	params := func(covered string, created, expires int, keyID, rest string) string {
		return fmt.Sprintf(`(%s);created=%d;expires=%d;keyid="%s";alg="ed25519";nonce="bm9uY2U=";tag="web-bot-auth"%s`,
			covered, now.Unix()+int64(created), now.Unix()+int64(expires), keyID, rest)
	}
	const usual = `"@authority" "signature-agent"`
	const base = "\"@authority\": example.com\n\"signature-agent\": \"https://bot.example\"\n"
	tests := []struct {
		name, params, base string
		change             func(q *flow.Request)
		want               bool
	}{
		{"good", params(usual, -5, 60, rfcThumbprint, ""), base, nil, true},
		{"clock a little ahead", params(usual, 30, 60, rfcThumbprint, ""), base, nil, true},
		{"from the future", params(usual, 90, 160, rfcThumbprint, ""), base, nil, false},
		{"expired", params(usual, -60, 0, rfcThumbprint, ""), base, nil, false},
		{"good for too long", params(usual, 0, 25*3600, rfcThumbprint, ""), base, nil, false},
		{"unknown key", params(usual, 0, 60, "test-key-ed25519", ""), base, nil, false},
		{"without authority", params(`"signature-agent"`, 0, 60, rfcThumbprint, ""), "\"signature-agent\": \"https://bot.example\"\n", nil, false},
		{"twice", params(`"@authority" "@authority"`, 0, 60, rfcThumbprint, ""), "\"@authority\": example.com\n\"@authority\": example.com\n", nil, false},
		{"with parameters", params(`"@authority" "signature-agent";sf`, 0, 60, rfcThumbprint, ""), base, nil, false},
		{"unknown component", params(`"@authority" "@status"`, 0, 60, rfcThumbprint, ""), base, nil, false},
		{"missing field", params(`"@authority" "accept"`, 0, 60, rfcThumbprint, ""), base, nil, false},
		{"another host", params(usual, 0, 60, rfcThumbprint, ""), base, func(q *flow.Request) { q.Authority = "other.example" }, false},
		{"another field", params(usual, 0, 60, rfcThumbprint, ""), base, func(q *flow.Request) { q.Fields[0].Value = "x" }, false},
		{"no signature", params(usual, 0, 60, rfcThumbprint, ""), base, func(q *flow.Request) { q.Fields = q.Fields[:2] }, false},
		{"too long", params(usual, 0, 60, rfcThumbprint, `;x="`+strings.Repeat("x", maxSignature)+`"`), base, nil, false},
		{"not structured", "(", base, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := configured(t, &spec.Crawlers{Known: []spec.Crawler{{Name: "Signer", Agent: "SignerBot", Category: "ai", Keys: directory}}}, nil)
			signed := ed25519.Sign(private, []byte(tt.base+`"@signature-params": `+tt.params))
			f := &flow.Flow{Request: flow.Request{Method: "GET", Target: "/", Authority: "Example.com", Scheme: "https", Received: now}}
			f.Request.Client = netip.MustParseAddr("192.0.2.1")
			f.Request.Fields = []flow.Field{
				{Name: "Signature-Agent", Value: `"https://bot.example"`}, {Name: "Signature-Input", Value: "sig1=" + tt.params},
				{Name: "Signature", Value: "sig1=:" + base64.StdEncoding.EncodeToString(signed) + ":"},
			}
			if tt.change != nil {
				tt.change(&f.Request)
			}
			r.Judge(f)
			if got := f.Verdict.VerifiedBot && f.Verdict.BotName == "Signer" && f.Verdict.BotCategory == "ai"; got != tt.want {
				t.Errorf("got %+v, want verified %v", f.Verdict, tt.want)
			}
		})
	}
}

// TestSignatureBudget: no more signatures are verified than the loop has time for.
func TestSignatureBudget(t *testing.T) {
	var b budget
	now := time.Unix(1_800_000_000, 0)
	n := 0
	for range 10 * verifyBurst {
		if b.take(now) {
			n++
		}
	}
	if n != verifyBurst || b.take(now.Add(verifyEvery/2)) || !b.take(now.Add(verifyEvery)) {
		t.Errorf("got %d at once, want %d, and one more each %v", n, verifyBurst, verifyEvery)
	}
}

// FuzzSignature: what is accepted is what Marshal writes, and nothing panics.
func FuzzSignature(f *testing.F) {
	f.Add(`sig1=("@authority");created=1;expires=2;keyid="k";tag="web-bot-auth"`, "sig1=:AAAA:", "/a?b")
	f.Fuzz(func(t *testing.T, input, value, target string) {
		s, ok := parseSignature(input, value)
		if !ok {
			return
		}
		if len(s.covered) == 0 || len(s.covered) > maxCovered || s.params == "" {
			t.Errorf("got %+v", s)
		}
		s.base(&flow.Request{Method: "GET", Target: target, Authority: "example.com"})
	})
}
