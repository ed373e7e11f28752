package verdict

import (
	"strings"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

func TestRedirect(t *testing.T) {
	q := func(scheme, host, path, query string) flow.Request {
		return flow.Request{Scheme: scheme, Host: host, Path: path, Query: strings.TrimPrefix(query, "?"), HasQuery: query != ""}
	}
	tests := []struct {
		name    string
		port    int
		request flow.Request
		want    string // Location, "" for no redirect
	}{
		{"usual port", 443, q("http", "a.test", "/x", ""), "https://a.test/x"},
		{"other port", 8443, q("http", "a.test", "/x", "?y=%20z"), "https://a.test:8443/x?y=%20z"},
		{"empty query", 443, q("http", "a.test", "/", "?"), "https://a.test/?"},
		{"IPv6", 8443, q("http", "[2001:db8::1]", "/", ""), "https://[2001:db8::1]:8443/"},
		{"options of the server", 443, q("http", "a.test", "*", ""), "https://a.test/"},
		{"in private already", 443, q("https", "a.test", "/x", ""), ""},
		{"no host", 443, q("http", "", "/x", ""), ""},
		{"ACME challenge", 443, q("http", "a.test", "/.well-known/acme-challenge/token", ""), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := New(nil)
			r.HTTPSPort = tt.port
			p := compile(t, r, func(z *spec.Zone) { z.HTTPS.Redirect = true })
			f := newFlow("203.0.113.1")
			tt.request.Client, tt.request.Source, tt.request.Received = f.Request.Client, f.Request.Source, f.Request.Received
			f.Request = tt.request
			p.Judge(f)
			got, rule := "", ""
			if m := f.Verdict.Answer; m != nil {
				got = m.Fields[0].Value
				rule = "https.redirect"
				if m.Status != 308 || m.Fields[0].Name != "Location" || m.Length != 0 {
					t.Errorf("got %+v, want 308 with a Location and no body", m)
				}
			}
			if got != tt.want || f.Verdict.Rule != rule || f.Verdict.Refusal != nil {
				t.Errorf("got %q by rule %q, want %q", got, f.Verdict.Rule, tt.want)
			}
		})
	}
}

// TestRedirectLast wants refusals to come before a redirect, and allowed clients to be redirected, too.
func TestRedirectLast(t *testing.T) {
	r := New(nil)
	r.HTTPSPort = 443
	p := compile(t, r, func(z *spec.Zone) {
		few(z)
		z.HTTPS.Redirect = true
	})
	judge := func(addr string) *flow.Verdict {
		f := newFlow(addr)
		f.Request.Scheme, f.Request.Host, f.Request.Path = "http", "a.test", "/"
		p.Judge(f)
		return &f.Verdict
	}
	if v := judge("192.0.2.2"); v.Answer != nil || v.Refusal == nil {
		t.Errorf("denied: got %+v, want a refusal alone", v)
	}
	if v := judge("192.0.2.1"); v.Answer == nil || v.Action != flow.Allow {
		t.Errorf("allowed: got %+v, want a redirect", v)
	}
	for range 2 {
		judge("203.0.113.1")
	}
	if v := judge("203.0.113.1"); v.Answer != nil || v.Refusal == nil {
		t.Errorf("over the limit: got %+v, want a refusal alone", v)
	}
}

func TestRedirectNowhere(t *testing.T) {
	z := spec.DefaultZone()
	z.HTTPS.Redirect = true
	z.HTTPS.HSTS.MaxAge = time.Hour
	if _, err := New(nil).Compile(&z); err == nil || !strings.Contains(err.Error(), "https.redirect: this node does not listen for HTTPS") {
		t.Errorf("got %v, want an error that names the key", err)
	}
}
