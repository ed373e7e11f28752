package httpcache

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWithheld: RFC 9111 §3.1, §5.2.2.4, §5.2.2.7: the fields that a qualified no-cache or private names are not stored, and so never sent to
// another client; the one who caused the response gets them.
func TestWithheld(t *testing.T) {
	resp := &Response{Status: 200, Fields: fields(
		`Cache-Control: max-age=60, private="Set-Cookie, x-user", no-cache=X-Trace`, "Date: "+at(0),
		"SET-COOKIE: a=b", "X-User: me", "X-Trace: 1", "X-Other: 2", "Set-Cookie: c=d",
	)}
	m, refusal := Store(&Request{Method: "GET"}, resp, t0, t0, Policy{})
	if refusal != Storable {
		t.Fatalf("got %q, want %q", refusal, Storable)
	}
	want := slices.Concat(resp.Fields[:2], fields("X-Other: 2"))
	if d := cmp.Diff(want, m.StoredFields(nil, resp.Fields)); d != "" {
		t.Errorf("stored (-want +got):\n%s", d)
	}
	own := fields("SET-COOKIE: a=b", "X-User: me", "X-Trace: 1", "Set-Cookie: c=d")
	if d := cmp.Diff(own, m.WithheldFields(nil, resp.Fields)); d != "" {
		t.Errorf("withheld (-want +got):\n%s", d)
	}
}

func TestWithheldIsBounded(t *testing.T) {
	many := `Cache-Control: max-age=60, private="a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p`
	for last, want := range map[string]Refusal{`"`: Storable, `,q"`: Private} {
		_, refusal := Store(&Request{Method: "GET"}, &Response{Status: 200, Fields: fields(many + last)}, t0, t0, Policy{})
		if refusal != want {
			t.Errorf("%s: got %q, want %q", last, refusal, want)
		}
	}
}
