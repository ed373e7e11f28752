package httpcache

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStoredFields(t *testing.T) {
	tests := []struct {
		name     string
		response []Field
		want     []Field
	}{
		{"9111 §3.1 order and case are kept", fields("B: 1", "a: 2", "Date: "+at(0), "B: 3"), fields("B: 1", "a: 2", "Date: "+at(0), "B: 3")},
		{"9110 §7.6.1 fields of one connection", fields("Date: "+at(0), "Connection: close, X-Hop", "Keep-Alive: 5", "x-hop: 1", "Transfer-Encoding: chunked", "Upgrade: h2c", "TE: trailers", "Proxy-Connection: close"), fields("Date: " + at(0))},
		{"9111 §3.1 fields of one proxy", fields("Date: "+at(0), "Proxy-Authenticate: Basic", "Proxy-Authentication-Info: x", "Proxy-Authorization: x"), fields("Date: " + at(0))},
		{"9111 §5.1 Age is computed anew", fields("Date: "+at(0), "Age: 9"), fields("Date: " + at(0))},
		{"9110 §6.6.1 a missing Date is set", fields("A: 1"), fields("A: 1", "Date: "+at(0))},
		{"9110 §6.6.1 a broken Date is replaced", fields("Date: today", "A: 1"), fields("A: 1", "Date: "+at(0))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := describe(&Response{Status: 200, Fields: tt.response}, &responseDirectives{}, t0, t0)
			if diff := cmp.Diff(tt.want, m.StoredFields(nil, tt.response)); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMerge(t *testing.T) {
	tests := []struct {
		name        string
		stored      []Field
		notModified []Field
		policy      Policy
		want        []Field
	}{
		{name: "9111 §3.2 replace and add", stored: fields("A: 1", "B: 1", "B: 2"), notModified: fields("b: 3", "C: 4"), want: fields("A: 1", "b: 3", "C: 4")},
		{name: "9111 §3.2 the content's own fields stay", stored: fields("Content-Length: 5", "Content-Encoding: gzip", "Content-Type: text/plain"), notModified: fields("Content-Length: 0", "Content-Encoding: br", "Content-Range: bytes 0-1/2", "Content-Type: text/html"), want: fields("Content-Length: 5", "Content-Encoding: gzip", "Content-Type: text/html")},
		{name: "9111 §3.2 not what is never stored", stored: fields("A: 1", "Hop: 1"), notModified: fields("Connection: hop", "Hop: 2", "Keep-Alive: 5"), want: fields("A: 1", "Hop: 1")},
		{name: "9111 §4.2.3 Age and Date of the old message go", stored: fields("Age: 100", "Date: "+at(-time.Hour), "A: 1"), notModified: fields("B: 1"), want: fields("A: 1", "B: 1")},
		{name: "9111 §7.3 Set-Cookie is for one client", stored: fields("A: 1"), notModified: fields("Set-Cookie: id=1"), want: fields("A: 1")},
		{name: "9111 §7.3 Set-Cookie by policy", stored: fields("Set-Cookie: id=0"), notModified: fields("Set-Cookie: id=1"), policy: Policy{StoreSetCookie: true}, want: fields("Set-Cookie: id=1")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Merge(tt.stored, tt.notModified, tt.policy)); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFreshen walks a response through expiry, a 304 and a second life, as a cache would.
func TestFreshen(t *testing.T) {
	get := &Request{Method: "GET"}
	first := fields("Date: "+at(0), "Age: 10", "Cache-Control: max-age=60", `ETag: "a"`, "X: old", "Content-Length: 5")
	m, refusal := Store(get, &Response{Status: 200, Fields: first}, t0, t0, Policy{})
	if refusal != Storable {
		t.Fatalf("got %q, want %q", refusal, Storable)
	}
	kept := m.StoredFields(nil, first)

	later := t0.Add(2 * time.Minute)
	if got := m.Decide(get, later, Policy{}).Outcome; got != Revalidate {
		t.Fatalf("got %v, want %v", got, Revalidate)
	}
	answer := &Response{Status: 304, Fields: fields("Date: "+formatDate(later), `ETag: "a"`, "X: new")}
	if !m.Freshens(answer) {
		t.Fatal("got false, want the 304 to freshen the response")
	}
	merged := Merge(kept, answer.Fields, Policy{})
	m, refusal = Store(get, &Response{Status: m.Status, Fields: merged}, later, later, Policy{})
	if refusal != Storable {
		t.Fatalf("got %q, want %q", refusal, Storable)
	}
	want := Decision{Outcome: Fresh, Reason: StillFresh, Age: 0, TTL: time.Minute, StaleIfError: time.Minute, MayBeStale: true}
	if diff := cmp.Diff(want, m.Decide(get, later, Policy{})); diff != "" {
		t.Errorf("decision (-want +got):\n%s", diff)
	}
	wantFields := fields("Cache-Control: max-age=60", "Content-Length: 5", "Date: "+formatDate(later), `ETag: "a"`, "X: new")
	if diff := cmp.Diff(wantFields, m.StoredFields(nil, merged)); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}
