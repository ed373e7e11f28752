package response

import (
	"strings"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

func TestHSTS(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct {
		name string
		hsts spec.HSTS
		want string
		err  string
	}{
		{"none", spec.HSTS{IncludeSubdomains: true}, "", ""},
		{"a day", spec.HSTS{MaxAge: day}, "max-age=86400", ""},
		{"subdomains", spec.HSTS{MaxAge: day, IncludeSubdomains: true}, "max-age=86400; includeSubDomains", ""},
		{"preload", spec.HSTS{MaxAge: 365 * day, IncludeSubdomains: true, Preload: true}, "max-age=31536000; includeSubDomains; preload", ""},
		{"negative", spec.HSTS{MaxAge: -1}, "", "https.hsts.max_age"},
		{"preload too soon", spec.HSTS{MaxAge: day, IncludeSubdomains: true, Preload: true}, "", "https.hsts.preload"},
		{"preload of one name", spec.HSTS{MaxAge: 365 * day, Preload: true}, "", "https.hsts.preload"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := hsts(&tt.hsts)
			if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %q, %v, want %q and an error with %q", got, err, tt.want, tt.err)
			}
		})
	}
}

// TestHSTSSent wants the zone's own value, once, on every answer in private and on no other.
func TestHSTSSent(t *testing.T) {
	answered := func(f *flow.Flow) { fromOrigin(f, 200, "ok", fields("Strict-Transport-Security", "theirs")...) }
	refused := func(f *flow.Flow) { f.Verdict.Refusal = &flow.Refusal{Reason: flow.Denied, Status: 403} }
	tests := []struct {
		name, own, scheme string
		outcome           func(*flow.Flow)
		want              string
	}{
		{"answer", "max-age=60", "https", answered, "max-age=60"},
		{"refusal", "max-age=60", "https", refused, "max-age=60"},
		{"answer in the clear", "max-age=60", "http", answered, ""},
		{"refusal in the clear", "max-age=60", "http", refused, ""},
		{"the origin's", "", "https", answered, "theirs"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := policy(t)
			p.hsts = tt.own
			f := request("GET")
			f.Request.Scheme = tt.scheme
			tt.outcome(f)
			p.Write(f)
			var got []string
			for _, field := range f.Response.Fields {
				if flow.Named(field.Name, "strict-transport-security") {
					got = append(got, field.Value)
				}
			}
			if strings.Join(got, "|") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
