package httpcache

import (
	"testing"
	"time"
)

// browser is what a browser sends along.
func browser(extra ...string) *Request {
	return &Request{Method: "GET", Fields: append(fields(
		"Host: www.example.org",
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
		"Accept-Language: en-US,en;q=0.5",
		"Accept-Encoding: gzip, deflate, br, zstd",
		"Connection: keep-alive",
		"Sec-Fetch-Dest: document",
		"Sec-Fetch-Mode: navigate",
	), fields(extra...)...)}
}

func BenchmarkDecide(b *testing.B) {
	m := mustStore(b, "Cache-Control: public, max-age=60, stale-while-revalidate=30", `ETag: "a"`)
	benchmarks := []struct {
		name   string
		req    *Request
		age    time.Duration
		policy Policy
	}{
		{"fresh", browser(), time.Second, Policy{}},
		{"stale", browser("Cache-Control: max-age=0"), 70 * time.Second, Policy{}},
		{"reload", browser("Cache-Control: no-cache"), time.Second, Policy{RequestDirectives: true}},
	}
	for _, bb := range benchmarks {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			now := t0.Add(bb.age)
			for b.Loop() {
				m.Decide(bb.req, now, bb.policy)
			}
		})
	}
}

func BenchmarkStore(b *testing.B) {
	req := browser()
	resp := &Response{Status: 200, Fields: fields(
		"Date: "+at(0), "Server: nginx", "Content-Type: text/html; charset=utf-8", "Content-Length: 1024",
		"Cache-Control: public, max-age=60, stale-while-revalidate=30", `ETag: "abcdef"`, "Last-Modified: "+at(-time.Hour),
		"Vary: Accept-Encoding",
	)}
	b.ReportAllocs()
	for b.Loop() {
		Store(req, resp, t0, t0, Policy{})
	}
}

func BenchmarkNotModified(b *testing.B) {
	m := mustStore(b, "Cache-Control: max-age=60", `ETag: "a"`)
	req := browser(`If-None-Match: "x", W/"y", "a"`)
	b.ReportAllocs()
	for b.Loop() {
		m.NotModified(req)
	}
}

func BenchmarkVaryKey(b *testing.B) {
	req, vary := browser(), []string{"accept-encoding"}
	key := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		key = new(Policy).AppendVaryKey(key[:0], vary, req.Fields)
	}
}

func BenchmarkCacheStatus(b *testing.B) {
	m := mustStore(b, "Cache-Control: max-age=60")
	d := m.Decide(browser(), t0, Policy{})
	dst := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		dst = d.CacheStatus("seawall").Append(dst[:0])
	}
}

// TestHotPathDoesNotAllocate keeps what runs for every request free of garbage that a flood would multiply.
func TestHotPathDoesNotAllocate(t *testing.T) {
	m := mustStore(t, "Cache-Control: max-age=60, stale-while-revalidate=30", `ETag: "a"`)
	req := browser("Cache-Control: max-age=0, ext=\"a, b\", max-stale=5", `If-None-Match: "x", "a"`, "Range: bytes=0-5", `If-Range: "a"`)
	dst := make([]byte, 0, 1024)
	got := testing.AllocsPerRun(100, func() {
		d := m.Decide(req, t0.Add(95*time.Second), Policy{RequestDirectives: true})
		m.NotModified(req)
		m.Range(req, 100)
		dst = new(Policy).AppendVaryKey(dst[:0], []string{"accept-encoding"}, req.Fields)
		dst = d.CacheStatus("seawall").Append(dst)
	})
	if got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}
