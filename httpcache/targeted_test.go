package httpcache

import (
	"strings"
	"testing"
	"time"
)

func TestTargeted(t *testing.T) {
	const long = "Cache-Control: max-age=100"
	tests := []struct {
		name     string
		response []Field
		want     Refusal
		lifetime time.Duration
		stale    time.Duration // stale-while-revalidate
	}{
		{name: "9213 §2.2 own before CDN before all", response: fields(long, "CDN-Cache-Control: max-age=20", "Seawall-Cache-Control: max-age=10"), lifetime: 10 * time.Second},
		{name: "9213 §3.1 CDN before all", response: fields(long, "CDN-Cache-Control: max-age=20"), lifetime: 20 * time.Second},
		{name: "9213 §2.2 Cache-Control is ignored, all of it", response: fields("Cache-Control: private, no-store, max-age=1, x=\"", "CDN-Cache-Control: max-age=20"), lifetime: 20 * time.Second},
		{name: "9213 §2.2 Expires is ignored", response: fields("Expires: "+at(time.Hour), "CDN-Cache-Control: public", "Last-Modified: "+at(-100*time.Second)), lifetime: 10 * time.Second},
		{name: "9213 §2.2 Expires says nothing of other statuses", response: fields("Expires: "+at(time.Hour), "CDN-Cache-Control: x"), want: NothingToReuse},
		{name: "9213 §2.1 no-store for CDNs only", response: fields(long, "CDN-Cache-Control: no-store"), want: NoStore},
		{name: "9213 §2.1 private for CDNs only", response: fields(long, "CDN-Cache-Control: max-age=20, private"), want: Private},
		{name: "9213 §2.1 empty is not there", response: fields(long, "CDN-Cache-Control: "), lifetime: 100 * time.Second},
		{name: "9213 §2.1 a parsing error: not there", response: fields(long, "CDN-Cache-Control: max-age=20, @"), lifetime: 100 * time.Second},
		{name: "9213 §2.1 upper case is no key: not there", response: fields(long, "CDN-Cache-Control: Max-Age=20"), lifetime: 100 * time.Second},
		{name: "9213 §2.1 the own one is broken: CDN's", response: fields(long, "Seawall-Cache-Control: max-age==1", "CDN-Cache-Control: max-age=20"), lifetime: 20 * time.Second},
		{name: "9213 §2.1 lines are one Dictionary", response: fields(long, "CDN-Cache-Control: max-age=20", "CDN-Cache-Control: stale-while-revalidate=5"), lifetime: 20 * time.Second, stale: 5 * time.Second},
		{name: "9213 §2.1 a broken line breaks all", response: fields(long, "CDN-Cache-Control: max-age=20", "CDN-Cache-Control: ="), lifetime: 100 * time.Second},
		{name: "9213 §2.1 unknown directives are ignored", response: fields(long, "CDN-Cache-Control: max-age=20, x=(a b), y=?1, z=:YQ==:"), lifetime: 20 * time.Second},
		{name: "9213 §2.1 parameters are ignored", response: fields(long, "CDN-Cache-Control: max-age=20;no-store, stale-while-revalidate=5;x=1"), lifetime: 20 * time.Second, stale: 5 * time.Second},
		{name: "9651 §3.2 of a repeated key the last", response: fields("CDN-Cache-Control: max-age=20, max-age=30"), lifetime: 30 * time.Second},
		{name: "9213 §2.1 a String is no number: 0", response: fields(`CDN-Cache-Control: max-age="20", stale-while-revalidate=5`), stale: 5 * time.Second},
		{name: "9213 §2.1 a negative number: 0", response: fields(`CDN-Cache-Control: max-age=-20, stale-while-revalidate=5`), stale: 5 * time.Second},
		{name: "9213 §2.1 a Decimal: 0", response: fields(`CDN-Cache-Control: max-age=20.5, stale-while-revalidate=5`), stale: 5 * time.Second},
		{name: "9651 §3.3.6 false is not there", response: fields("CDN-Cache-Control: max-age=20, no-store=?0"), lifetime: 20 * time.Second},
		{name: "9213 §2.1 private with an Inner List counts as unqualified", response: fields("CDN-Cache-Control: max-age=20, private=(a b)"), want: Private},
		{name: "9213 §2.1 private with names", response: fields(`CDN-Cache-Control: max-age=20, private="set-cookie"`, "Set-Cookie: a=b"), lifetime: 20 * time.Second},

		{name: "Surrogate-Control before Cache-Control", response: fields("Cache-Control: no-store", "Surrogate-Control: max-age=20"), lifetime: 20 * time.Second},
		{name: "Surrogate-Control after CDN-Cache-Control", response: fields("CDN-Cache-Control: max-age=30", "Surrogate-Control: max-age=20"), lifetime: 30 * time.Second},
		{name: "Surrogate-Control's extension", response: fields("Surrogate-Control: max-age=20+5"), lifetime: 20 * time.Second, stale: 5 * time.Second},
		{name: "Surrogate-Control for others", response: fields(long, "Surrogate-Control: max-age=20;akamai"), lifetime: 100 * time.Second},
		{name: "Surrogate-Control for us among others", response: fields(long, "Surrogate-Control: max-age=5;akamai, max-age=20;x; Seawall"), lifetime: 20 * time.Second},
		{name: "Surrogate-Control about content alone", response: fields(long, `Surrogate-Control: content="ESI/1.0"`), lifetime: 100 * time.Second},
		{name: "Surrogate-Control no-store", response: fields(long, `Surrogate-Control: no-store, content="ESI/1.0"`), want: NoStore},
		{name: "Surrogate-Control no-store-remote", response: fields(long, `Surrogate-Control: no-store-remote`), want: NoStore},
		{name: "Surrogate-Control, broken", response: fields(long, `Surrogate-Control: max-age="20`), want: BrokenDirectives},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, refusal := Store(&Request{Method: "GET"}, &Response{Status: 200, Fields: tt.response}, t0, t0, Policy{})
			if refusal != tt.want || m.Lifetime != tt.lifetime || m.StaleWhileRevalidate != tt.stale {
				t.Errorf("got %q, lifetime %v, stale for %v; want %q, %v, %v",
					refusal, m.Lifetime, m.StaleWhileRevalidate, tt.want, tt.lifetime, tt.stale)
			}
		})
	}
}

// FuzzTargeted: whatever a targeted field holds, Cache-Control's no-store holds unless the field has a directive that outranks it.
func FuzzTargeted(f *testing.F) {
	for _, s := range []string{"max-age=20", "max-age=20;a=1, no-store", "", "a=(1 2), b=?0, c=:YQ==:, d=@1", `max-age="`, "max-age=1+5;seawall"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		response := []Field{{"Cache-Control", "no-store"}, {"CDN-Cache-Control", value}}
		_, refusal := Store(&Request{Method: "GET"}, &Response{Status: 200, Fields: response}, t0, t0, Policy{})
		if lower := strings.ToLower(value); refusal == Storable && !strings.Contains(lower, "age") && !strings.Contains(lower, "stale-") {
			t.Errorf("%q: stored", value)
		}
		response[1].Name = "Surrogate-Control"
		if _, refusal := Store(&Request{Method: "GET"}, &Response{Status: 200, Fields: response}, t0, t0, Policy{}); refusal == Storable &&
			!strings.Contains(strings.ToLower(value), "max-age") && !strings.Contains(strings.ToLower(value), "stale-") {
			t.Errorf("%q: stored", value)
		}
	})
}
