package record

import (
	"net/netip"
	"testing"
	"time"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/ja4"
)

// browserFields are what a browser sends with a request for a page.
func browserFields() []flow.Field {
	return []flow.Field{
		{Name: "Host", Value: "www.example.org"},
		{Name: "Connection", Value: "keep-alive"},
		{Name: "sec-ch-ua", Value: `"Chromium";v="130", "Google Chrome";v="130", "Not?A_Brand";v="99"`},
		{Name: "sec-ch-ua-mobile", Value: "?0"},
		{Name: "sec-ch-ua-platform", Value: `"Linux"`},
		{Name: "Upgrade-Insecure-Requests", Value: "1"},
		{Name: "User-Agent", Value: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"},
		{Name: "Accept", Value: "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"},
		{Name: "Sec-Fetch-Site", Value: "same-origin"},
		{Name: "Sec-Fetch-Mode", Value: "navigate"},
		{Name: "Referer", Value: "https://www.example.org/news/2026/11/"},
		{Name: "Accept-Encoding", Value: "gzip, deflate, br, zstd"},
		{Name: "Accept-Language", Value: "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7"},
		{Name: "Cookie", Value: "consent=yes; session=0123456789abcdef"},
	}
}

// hit is the flow of a page that the cache had.
func hit() *flow.Flow {
	return &flow.Flow{
		Conn: &flow.Conn{TLS: &flow.TLS{Version: 0x0304, JA4: ja4.Fingerprint([]byte(fingerprint))}},
		Zone: zone("example"),
		Request: flow.Request{
			ID:       idOf(1),
			Received: t0,
			Client:   netip.MustParseAddr("198.51.100.7"),
			Proto:    "HTTP/1.1",
			Scheme:   "https",
			Method:   "GET",
			Host:     "www.example.org",
			Target:   "/news/2026/11/22/harbour-wall-holds",
			Fields:   browserFields(),
		},
		Cache: flow.Cache{
			Status: flow.Hit, Reason: "still fresh", Age: 12 * time.Second, TTL: 48 * time.Second,
			Message: &flow.Message{Status: 200}, Meta: &httpcache.Metadata{},
		},
		Response: flow.Response{Status: 200, Bytes: 1024, Done: t0.Add(310 * time.Microsecond)},
	}
}

func BenchmarkAdd(b *testing.B) {
	for _, bb := range []struct {
		name string
		flow *flow.Flow
	}{{"hit", hit()}, {"refused", refused(&flow.Refusal{
		Reason: flow.RequestLimit, Status: 429, Rule: "limits.requests", Detail: "198.51.100.7/32 asked more than 50 times a second", RetryAfter: 300 * time.Millisecond,
	})}} {
		b.Run(bb.name, func(b *testing.B) {
			p := policy(b, newRoom(b, nil), "example")
			b.ReportAllocs()
			for b.Loop() {
				p.Add(bb.flow)
			}
		})
	}
}
