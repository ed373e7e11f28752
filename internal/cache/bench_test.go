package cache

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/workers"
)

// browser is what a browser sends with a request.
var browser = []string{
	"Host: example.org", "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "Accept-Language: en-US,en;q=0.5",
	"Accept-Encoding: gzip, deflate, br, zstd", "Connection: keep-alive", "Upgrade-Insecure-Requests: 1",
}

func benchmarkLookup(b *testing.B, answer *flow.Message, target string, want flow.CacheStatus) {
	p := newPolicyOf(b, 256<<20, 16<<20, 1000)
	f := get("/articles/2026/what-happened", browser...)
	run(p, f, func(*flow.Flow) (*flow.Message, *flow.Refusal) { return answer, nil })
	// Fill the store by half, so that the policy keeps its records.
	for i := range 2200 {
		g := get("/" + itoa(i))
		run(p, g, func(*flow.Flow) (*flow.Message, *flow.Refusal) {
			return &flow.Message{Status: 200, Fields: lines(cacheable), Length: 64 << 10, Body: make([]byte, 64<<10)}, nil
		})
	}
	request := get(target, browser...).Request
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		f := &flow.Flow{Request: request}
		for pb.Next() {
			f.Cache = flow.Cache{}
			if p.Lookup(f); f.Cache.Status != want {
				b.Fatalf("got %v, want %v", f.Cache.Status, want)
			}
		}
	})
}

func BenchmarkLookupHit(b *testing.B) {
	benchmarkLookup(b, response(200, strings.Repeat("x", 1024), "Cache-Control: max-age=3600"), "/articles/2026/what-happened", flow.Hit)
}

func BenchmarkLookupHitVary(b *testing.B) {
	benchmarkLookup(b, response(200, strings.Repeat("x", 1024), "Cache-Control: max-age=3600", "Vary: Accept-Encoding"),
		"/articles/2026/what-happened", flow.Hit)
}

// BenchmarkLookupHitCoded is a hit in br, BenchmarkLookupHitAsStored one of a response that has forms by a client that takes none.
func BenchmarkLookupHitCoded(b *testing.B) { benchmarkCoded(b, httpcache.Brotli, browser...) }

func BenchmarkLookupHitAsStored(b *testing.B) {
	benchmarkCoded(b, httpcache.Identity, slices.Concat(browser[:4], browser[5:])...)
}

func benchmarkCoded(b *testing.B, want httpcache.Coding, fields ...string) {
	pool := workers.New(workers.Options{Threads: 1})
	defer pool.Close()
	p := compressing(b, pool, testSize, nil)
	run(p, get("/a"), func(*flow.Flow) (*flow.Message, *flow.Refusal) {
		return response(200, page(1, 5000), html, fresh, strong), nil
	})
	for f := get("/a", browser...); f.Cache.Coding == httpcache.Identity; p.Lookup(f) {
		runtime.Gosched()
	}
	request := get("/a", fields...).Request
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		f := &flow.Flow{Request: request}
		for pb.Next() {
			f.Cache = flow.Cache{}
			if p.Lookup(f); f.Cache.Coding != want {
				b.Fatalf("got %v, want %v", f.Cache.Coding, want)
			}
		}
	})
}

func BenchmarkLookupMiss(b *testing.B) {
	benchmarkLookup(b, response(200, "x", "Cache-Control: max-age=3600"), "/articles/2026/nothing", flow.Miss)
}

// BenchmarkFetch is a miss that is stored: Lookup, Join and Keep of a body that comes whole with its head.
func BenchmarkFetch(b *testing.B) {
	p := newPolicy(b)
	f := get("/a", browser...)
	body := make([]byte, 1024)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		f.Cache, f.Request.Query, f.Request.HasQuery = flow.Cache{}, itoa(i), true
		p.Lookup(f)
		if p.Join(f) != Lead {
			b.Fatal("not a miss")
		}
		f.Origin.Message = &flow.Message{Status: 200, Fields: lines(cacheable), Length: 1024, Body: body}
		p.Keep(f)
	}
}

// BenchmarkLookupDisk is a hit that only the disk has: in memory that is lent, and in a file that the kernel sends.
func BenchmarkLookupDisk(b *testing.B) {
	for _, bb := range []struct {
		name     string
		exchange flow.Exchange
	}{{"lent", nil}, {"sent", sender{}}} {
		b.Run(bb.name, func(b *testing.B) {
			p := newDiskPolicy(b, b.TempDir())
			for i := range 400 { // of which memory has a half
				f := get("/"+itoa(i), browser...)
				run(p, f, func(*flow.Flow) (*flow.Message, *flow.Refusal) {
					return response(200, strings.Repeat("x", 64<<10), "Cache-Control: max-age=3600"), nil
				})
				for p.room.Stats().Disk.Written <= uint64(i) {
					runtime.Gosched()
				}
			}
			f := get("/0", browser...)
			f.Exchange = bb.exchange
			b.ReportAllocs()
			for b.Loop() {
				p.room.tier.recalls.read.Add(2 * testSize) // or it had a place in memory
				f.Cache = flow.Cache{}
				if p.Lookup(f); f.Cache.Message == nil {
					b.Fatalf("got %v (%s), want a hit", f.Cache.Status, f.Cache.Reason)
				}
				f.Cache.Message.Repay()
			}
		})
	}
}
