package response

import (
	"strings"
	"testing"

	"github.com/seawall/seawall/internal/flow"
)

// discard is an exchange that takes everything.
type discard struct{ flow.Exchange }

func (discard) WriteHead(int, []flow.Field, int64) error { return nil }
func (discard) WriteBody([]byte, bool) error             { return nil }
func (discard) Finish([]flow.Field) error                { return nil }

func BenchmarkWrite(b *testing.B) {
	hit := request("GET", fields("Host", "example.org", "User-Agent", "Mozilla/5.0", "Accept", "text/html", "Accept-Encoding", "gzip",
		"Accept-Language", "de", "Referer", "https://example.org/", "Cookie", "a=b", "Sec-Fetch-Mode", "navigate")...)
	fromCache(b, hit, 200, strings.Repeat("x", 1024), fields("Date", t0Date, "Server", "nginx", "Content-Type", "text/html; charset=utf-8",
		"Last-Modified", "Sun, 22 Nov 2026 20:00:00 GMT", "ETag", `"6740e0d4-400"`, "Cache-Control", "max-age=60", "Vary", "Accept-Encoding",
		"X-Frame-Options", "DENY")...)
	for _, bb := range []struct {
		name string
		flow *flow.Flow
	}{{"hit", hit}, {"refused", refused("GET", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")}} {
		b.Run(bb.name, func(b *testing.B) {
			p := policy(b)
			bb.flow.Exchange = discard{}
			b.ReportAllocs()
			for b.Loop() {
				p.Write(bb.flow)
			}
		})
	}
}

func TestWriteAllocatesOnce(t *testing.T) {
	hit := request("GET")
	fromCache(t, hit, 200, "ok", stored()...)
	tests := []struct {
		name string
		flow *flow.Flow
	}{{"a hit's new values", hit}, {"a refusal's id", refused("GET", "text/html")}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := policy(t)
			tt.flow.Exchange = discard{}
			p.Write(tt.flow) // makes room for the fields
			if got := testing.AllocsPerRun(100, func() { p.Write(tt.flow) }); got > 1 {
				t.Errorf("got %v allocations, want 1", got)
			}
		})
	}
}
