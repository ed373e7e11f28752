package cache

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// TestPurge: what each purge drops, of a few objects.
func TestPurge(t *testing.T) {
	const all = "/ /news/1 /news/2?x=1 /newsletter /vary other:/"
	tests := []struct {
		name  string
		purge Purge
		want  string // what is left
	}{
		{"all", Purge{Scope: PurgeAll}, ""},
		{"host", Purge{Scope: PurgeHost, Host: "example.org"}, "other:/"},
		{"prefix", Purge{Scope: PurgePrefix, Host: "example.org", Path: "/news/"}, "/ /newsletter /vary other:/"},
		{"shorter prefix", Purge{Scope: PurgePrefix, Host: "example.org", Path: "/news"}, "/ /vary other:/"},
		{"prefix of all", Purge{Scope: PurgePrefix, Host: "example.org", Path: "/"}, "other:/"},
		{"url", Purge{Scope: PurgeURL, Host: "example.org", Path: "/news/1"}, "/ /news/2?x=1 /newsletter /vary other:/"},
		{"url with query", Purge{Scope: PurgeURL, Host: "example.org", Path: "/news/2", Query: "x=1", HasQuery: true}, "/ /news/1 /newsletter /vary other:/"},
		{"url without its query", Purge{Scope: PurgeURL, Host: "example.org", Path: "/news/2"}, all},
		{"url with variants", Purge{Scope: PurgeURL, Host: "example.org", Path: "/vary"}, "/ /news/1 /news/2?x=1 /newsletter other:/"},
		{"tag", Purge{Scope: PurgeTag, Tag: "news"}, "/ /newsletter /vary other:/"},
		{"tag of one", Purge{Scope: PurgeTag, Tag: "item-2"}, "/ /news/1 /newsletter /vary other:/"},
		{"tag of none", Purge{Scope: PurgeTag, Tag: "new"}, all},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPolicy(t)
			ask := func(name string) *flow.Flow {
				if path, ok := strings.CutPrefix(name, "other:"); ok {
					f := get(path)
					f.Request.Host = "other.example.org"
					return f
				}
				return get(name, "Accept-Language: de")
			}
			for name := range strings.FieldsSeq(all) {
				tags := map[string]string{"/news/1": "Cache-Tag: news,item-1", "/news/2?x=1": "Surrogate-Key: item-2 news", "/vary": "Vary: Accept-Language"}[name]
				fetch(t, p, ask(name), response(200, name, cacheable, tags))
			}
			p.Purge(tt.purge)
			var left []string
			for name := range strings.FieldsSeq(all) {
				f := ask(name)
				if p.Lookup(f); f.Cache.Status == flow.Hit {
					left = append(left, name)
				}
			}
			if got := strings.Join(left, " "); got != tt.want {
				t.Errorf("got %q left, want %q", got, tt.want)
			}
			for name := range strings.FieldsSeq(all) { // what is fetched after a purge stays
				f := ask(name)
				if p.Lookup(f); f.Cache.Message == nil {
					fetch(t, p, ask(name), response(200, name, cacheable))
				}
				mustHit(t, p, ask(name), name)
			}
		})
	}
}

// TestSoftPurge: what was purged softly is stale from that moment, and no more than that.
func TestSoftPurge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t)
		const swr = "Cache-Control: max-age=3600, stale-while-revalidate=60"
		fetch(t, p, get("/a"), response(200, "old", swr, `ETag: "1"`, "Cache-Tag: x"))
		time.Sleep(time.Minute)
		p.Purge(Purge{Scope: PurgeTag, Tag: "x", Soft: true})
		time.Sleep(10 * time.Second)
		f := get("/a")
		if p.Lookup(f); f.Cache.Status != flow.Stale || f.Cache.TTL != -10*time.Second || !f.Cache.Refresh {
			t.Fatalf("got %v (%s), fresh for %v, want what is stale by 10s, and refreshed", f.Cache.Status, f.Cache.Reason, f.Cache.TTL)
		}
		f = f.Behind()
		if got := p.Join(f); got != Lead || len(f.Cache.Validators) == 0 {
			t.Fatalf("got %v with %v, want a lead that revalidates", got, f.Cache.Validators)
		}
		f.Origin.Message = response(304, "", swr, `ETag: "1"`)
		p.Keep(f)
		mustHit(t, p, get("/a"), "old")
	})
}

// TestPurgeDuringFetch: what was asked of the origin before a purge is for those who asked before it, and for nobody else.
func TestPurgeDuringFetch(t *testing.T) {
	for _, growing := range []bool{false, true} {
		t.Run(fmt.Sprintf("growing %t", growing), func(t *testing.T) {
			p := newPolicy(t)
			first := get("/a")
			p.Lookup(first)
			if got := p.Join(first); got != Lead {
				t.Fatalf("got %v, want lead", got)
			}
			keep := func() {
				first.Origin.Message = response(200, "old", cacheable)
				p.Keep(first)
			}
			if growing {
				keep()
			}
			p.Purge(Purge{Scope: PurgeAll})
			if !growing {
				keep()
			}
			if body, err := read(first); body != "old" || err != nil {
				t.Errorf("who asked before: got %q, %v, want old", body, err)
			}
			mustMiss(t, p, get("/a"))
			if got := fetch(t, p, get("/a"), response(200, "new", cacheable)); got != "new" {
				t.Errorf("who asks after: got %q, want new", got)
			}
			mustHit(t, p, get("/a"), "new")
		})
	}
}

// TestPurgeBounded: purges beyond the bound drop what is older than half of them, and never too little.
func TestPurgeBounded(t *testing.T) {
	p := newPolicy(t)
	fetch(t, p, get("/old"), response(200, "old", cacheable))
	p.Purge(Purge{Scope: PurgeTag, Tag: "first"})
	for i := range mostPurges {
		if i == mostPurges-1 {
			fetch(t, p, get("/new"), response(200, "new", cacheable))
		}
		p.Purge(Purge{Scope: PurgePrefix, Host: "example.org", Path: fmt.Sprintf("/p%d", i)})
	}
	if got := len(p.purges.times); got > mostPurges {
		t.Errorf("got %d purges, want at most %d", got, mostPurges)
	}
	mustMiss(t, p, get("/old"))
	mustHit(t, p, get("/new"), "new")
	if got, want := len(p.purges.lengths), len("12345"); got > want {
		t.Errorf("got %d lengths of prefixes, want at most %d", got, want)
	}
}

// TestInvalidateAllDimensions: a POST drops a page for all cookies that are in its key.
func TestInvalidateAllDimensions(t *testing.T) {
	p := newPolicyFor(t, func(z *spec.Zone) { z.Cache.Key.Cookies = []string{"lang"} })
	fetch(t, p, get("/a", "Cookie: lang=de"), response(200, "de", cacheable))
	fetch(t, p, get("/a", "Cookie: lang=fr"), response(200, "fr", cacheable))
	post := get("/a", "Cookie: lang=de")
	post.Request.Method = "POST"
	post.Origin.Message = response(204, "")
	p.Invalidate(post)
	mustMiss(t, p, get("/a", "Cookie: lang=de"))
	mustMiss(t, p, get("/a", "Cookie: lang=fr"))
}

func TestTags(t *testing.T) {
	tags, ok := tagsOf(lines("Cache-Tag: a, b,,c", "xkey: d  e", "Surrogate-Key: a"))
	if got := strings.Join(tags, "|"); got != "a|b|c|d|e|a" || !ok {
		t.Errorf("got %s, %t", got, ok)
	}
	if _, ok := tagsOf(lines("Cache-Tag: " + strings.Repeat("x,", mostTags+1))); ok {
		t.Errorf("got ok for too many tags")
	}
}

// BenchmarkPurgeTag: a purge takes the same time whatever is stored.
func BenchmarkPurgeTag(b *testing.B) {
	for _, objects := range []int{1, 100_000} {
		b.Run(fmt.Sprint(objects), func(b *testing.B) {
			p := newPolicyOf(b, 256<<20, 1<<20, 10)
			for i := range objects {
				f := get(fmt.Sprintf("/%d", i))
				run(p, f, func(*flow.Flow) (*flow.Message, *flow.Refusal) {
					return &flow.Message{Status: 200, Fields: lines(cacheable, "Cache-Tag: x"), Length: 1, Stream: pieces(io.EOF, "x")}, nil
				})
				_, _ = read(f)
			}
			b.ReportAllocs()
			for b.Loop() {
				p.Purge(Purge{Scope: PurgeTag, Tag: "x"})
			}
		})
	}
}
