package httpcache

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDecide(t *testing.T) {
	reload := Policy{RequestDirectives: true}
	tests := []struct {
		name    string
		stored  string // Cache-Control of the stored response; empty if nothing is stored
		age     int    // seconds
		method  string
		request string // Cache-Control of the request
		policy  Policy
		want    Outcome
		reason  Reason
	}{
		{name: "9111 §4 nothing stored", want: Miss, reason: NotStored},
		{name: "9111 §4.2 fresh", stored: "max-age=60", age: 59, want: Fresh, reason: StillFresh},
		{name: "9111 §4.2 fresh only while the lifetime exceeds the age", stored: "max-age=60", age: 60, want: Revalidate, reason: Expired},
		{name: "9111 §4 HEAD from a stored GET", stored: "max-age=60", method: "HEAD", want: Fresh, reason: StillFresh},
		{name: "9111 §4 POST is written through", stored: "max-age=60", method: "POST", want: Miss, reason: NotGetOrHead},
		{name: "9111 §5.2.2.4 no-cache", stored: "max-age=60, no-cache", want: Revalidate, reason: StoredNoCache},
		{name: "9111 §5.2.2.4 qualified no-cache lets the rest be reused", stored: `max-age=60, no-cache="Foo"`, want: Fresh, reason: StillFresh},
		{name: "9111 §5.2.2.4 no-cache with a field the rest needs", stored: `max-age=60, no-cache="Content-Type"`, want: Revalidate, reason: StoredNoCache},
		{name: "9111 §5.2.2.4 no-cache with nothing named", stored: `max-age=60, no-cache=""`, want: Revalidate, reason: StoredNoCache},
		{name: "9111 §5.2.2.4 qualified and unqualified no-cache", stored: `no-cache="Foo", max-age=60, no-cache`, want: Revalidate, reason: StoredNoCache},
		{name: "9111 §5.2.2.4 no-cache outranks stale-while-revalidate", stored: "max-age=60, no-cache, stale-while-revalidate=60", age: 70, want: Revalidate, reason: StoredNoCache},
		{name: "9111 §5.2.2.2 must-revalidate while fresh", stored: "max-age=60, must-revalidate", want: Fresh, reason: StillFresh},
		{name: "9111 §5.2.2.2 must-revalidate when stale", stored: "max-age=60, must-revalidate", age: 70, want: Revalidate, reason: MustNotBeStale},
		{name: "9111 §5.2.2.8 proxy-revalidate when stale", stored: "max-age=60, proxy-revalidate, stale-while-revalidate=60", age: 70, want: Revalidate, reason: MustNotBeStale},
		{name: "9111 §5.2.2.10 s-maxage implies proxy-revalidate", stored: "s-maxage=60, stale-while-revalidate=60", age: 70, want: Revalidate, reason: MustNotBeStale},

		{name: "5861 §3 within stale-while-revalidate", stored: "max-age=60, stale-while-revalidate=30", age: 89, want: Stale, reason: WhileRevalidate},
		{name: "5861 §3 after stale-while-revalidate", stored: "max-age=60, stale-while-revalidate=30", age: 90, want: Revalidate, reason: Expired},
		{name: "5861 §3 broken stale-while-revalidate", stored: "max-age=60, stale-while-revalidate=x", age: 61, want: Revalidate, reason: Expired},

		{name: "9111 §5.2.1 request no-cache is ignored by default", stored: "max-age=60", request: "no-cache", want: Fresh, reason: StillFresh},
		{name: "9111 §5.2.1 request max-age is ignored by default", stored: "max-age=60", age: 9, request: "max-age=0", want: Fresh, reason: StillFresh},
		{name: "9111 §5.2.1 request min-fresh is ignored by default", stored: "max-age=60", request: "min-fresh=99", want: Fresh, reason: StillFresh},
		{name: "9111 §5.2.1 request no-cache is ignored when served stale", stored: "max-age=60, stale-while-revalidate=30", age: 70, request: "no-cache, max-age=0, min-fresh=9", want: Stale, reason: WhileRevalidate},
		{name: "9111 §5.2.1.4 request no-cache by policy", stored: "max-age=60", request: "no-cache", policy: reload, want: Revalidate, reason: RequestNoCache},
		{name: "9111 §5.2.1.1 request max-age by policy", stored: "max-age=60", age: 31, request: "max-age=30", policy: reload, want: Revalidate, reason: OlderThanMaxAge},
		{name: "9111 §5.2.1.1 request max-age that is met", stored: "max-age=60", age: 30, request: "max-age=30", policy: reload, want: Fresh, reason: StillFresh},
		{name: "9111 §5.2.1.1 request max-age within stale-while-revalidate", stored: "max-age=60, stale-while-revalidate=30", age: 70, request: "max-age=30", policy: reload, want: Revalidate, reason: OlderThanMaxAge},
		{name: "9111 §5.2.1.3 request min-fresh by policy", stored: "max-age=60", age: 31, request: "min-fresh=30", policy: reload, want: Revalidate, reason: ShorterThanMinFresh},
		{name: "9111 §5.2.1.3 request min-fresh that is met", stored: "max-age=60", age: 30, request: "min-fresh=30", policy: reload, want: Fresh, reason: StillFresh},
		{name: "9111 §5.2.1.3 the highest min-fresh counts", stored: "max-age=60", age: 31, request: "min-fresh=30, min-fresh=1, min-fresh=x", policy: reload, want: Revalidate, reason: ShorterThanMinFresh},
		{name: "9111 §5.2.1.5 request no-store does not concern what is stored", stored: "max-age=60", request: "no-store", policy: reload, want: Fresh, reason: StillFresh},
		{name: "8246 §2 immutable outlasts a reload", stored: "max-age=60, immutable", age: 9, request: "max-age=0", policy: reload, want: Fresh, reason: StillFresh},
		{name: "8246 §2 but not no-cache", stored: "max-age=60, immutable", request: "no-cache", policy: reload, want: Revalidate, reason: RequestNoCache},
		{name: "8246 §2 nor its lifetime", stored: "max-age=60, immutable", age: 70, want: Revalidate, reason: Expired},

		{name: "9111 §5.2.1.2 max-stale", stored: "max-age=60", age: 70, request: "max-stale=10", want: Stale, reason: AllowedByMaxStale},
		{name: "9111 §5.2.1.2 max-stale exceeded", stored: "max-age=60", age: 71, request: "max-stale=10", want: Revalidate, reason: Expired},
		{name: "9111 §5.2.1.2 max-stale without argument", stored: "max-age=60", age: 99999, request: "max-stale", want: Stale, reason: AllowedByMaxStale},
		{name: "9111 §5.2.1.2 broken max-stale", stored: "max-age=60", age: 61, request: "max-stale=x", want: Revalidate, reason: Expired},
		{name: "9111 §4.2.4 max-stale does not outrank must-revalidate", stored: "max-age=60, must-revalidate", age: 61, request: "max-stale", want: Revalidate, reason: MustNotBeStale},

		{name: "9111 §5.2.1.7 only-if-cached with nothing stored", request: "only-if-cached", want: Forbid, reason: RequestOnlyIfCached},
		{name: "9111 §5.2.1.7 only-if-cached when fresh", stored: "max-age=60", request: "only-if-cached", want: Fresh, reason: StillFresh},
		{name: "9111 §5.2.1.7 only-if-cached when stale", stored: "max-age=60", age: 70, request: "only-if-cached", want: Forbid, reason: RequestOnlyIfCached},
		{name: "9111 §5.2.1.7 only-if-cached with max-stale", stored: "max-age=60", age: 70, request: "only-if-cached, max-stale", want: Stale, reason: AllowedByMaxStale},
		{name: "9111 §5.2.1.7 only-if-cached with no-cache by policy", stored: "max-age=60", request: "only-if-cached, no-cache", policy: reload, want: Forbid, reason: RequestOnlyIfCached},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var m *Metadata
			if tt.stored != "" {
				m = mustStore(t, "Cache-Control: "+tt.stored, `ETag: "a"`)
			}
			req := &Request{Method: orGet(tt.method)}
			if tt.request != "" {
				req.Fields = fields("Cache-Control: " + tt.request)
			}
			got := m.Decide(req, t0.Add(time.Duration(tt.age)*time.Second), tt.policy)
			if got.Outcome != tt.want || got.Reason != tt.reason {
				t.Errorf("got %v (%v), want %v (%v)", got.Outcome, got.Reason, tt.want, tt.reason)
			}
		})
	}
}

func TestDecideWindows(t *testing.T) {
	tests := []struct {
		name   string
		stored string
		age    time.Duration
		policy Policy
		want   Decision
	}{
		{
			name: "9111 §4.2 fresh", stored: "max-age=60", age: 20 * time.Second,
			want: Decision{Outcome: Fresh, Reason: StillFresh, Age: 20 * time.Second, TTL: 40 * time.Second, StaleIfError: 40 * time.Second, MayBeStale: true},
		}, {
			name: "9111 §4.2 fresh, the longer way", stored: "max-age=60", age: 20 * time.Second, policy: Policy{RequestDirectives: true},
			want: Decision{Outcome: Fresh, Reason: StillFresh, Age: 20 * time.Second, TTL: 40 * time.Second, StaleIfError: 40 * time.Second, MayBeStale: true},
		}, {
			name: "5861 §4 within stale-if-error", stored: "max-age=60, stale-if-error=600", age: 100 * time.Second,
			want: Decision{Outcome: Revalidate, Reason: Expired, Age: 100 * time.Second, TTL: -40 * time.Second, StaleIfError: 560 * time.Second, MayBeStale: true},
		}, {
			name: "5861 §4 after stale-if-error", stored: "max-age=60, stale-if-error=30", age: 100 * time.Second,
			want: Decision{Outcome: Revalidate, Reason: Expired, Age: 100 * time.Second, TTL: -40 * time.Second, MayBeStale: true},
		}, {
			name: "9111 §4.2.4 disconnected with must-revalidate", stored: "max-age=60, stale-if-error=600, must-revalidate", age: 100 * time.Second,
			want: Decision{Outcome: Revalidate, Reason: MustNotBeStale, Age: 100 * time.Second, TTL: -40 * time.Second},
		}, {
			name: "9111 §4.2.4 disconnected with no-cache", stored: "max-age=60, stale-if-error=600, no-cache",
			want: Decision{Outcome: Revalidate, Reason: StoredNoCache, TTL: 60 * time.Second},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := mustStore(t, "Cache-Control: "+tt.stored, `ETag: "a"`)
			got := m.Decide(&Request{Method: "GET"}, t0.Add(tt.age), tt.policy)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
		})
	}
}

// mustStore stores a 200 with these fields at t0.
func mustStore(tb testing.TB, lines ...string) *Metadata {
	tb.Helper()
	m, refusal := Store(&Request{Method: "GET"}, &Response{Status: 200, Fields: fields(lines...)}, t0, t0, Policy{})
	if refusal != Storable {
		tb.Fatalf("got %q, want %q", refusal, Storable)
	}
	return &m
}
