package cache

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/cache/coding"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/workers"
)

// page is text that gets smaller, of this many bytes; each n makes another.
func page(n, size int) string {
	random := rand.New(rand.NewPCG(uint64(n), 2))
	var b strings.Builder
	for b.Len() < size {
		fmt.Fprintf(&b, "<li class=entry><a href=/articles/%d>%x</a></li>\n", random.IntN(3000), random.IntN(1<<30))
	}
	return b.String()[:size]
}

const (
	html    = "Content-Type: text/html; charset=utf-8"
	fresh   = "Cache-Control: max-age=3600"
	accepts = "Accept-Encoding: gzip, deflate, br, zstd"
)

// encoded is what a form of a body has to be.
func encoded(c httpcache.Coding, l coding.Level, body string) []byte {
	var e coding.Encoders
	j := e.Begin(c, l, []byte(body))
	for !j.Step() {
	}
	return j.Form()
}

// inBubble runs a test with a policy that compresses, in a bubble: synctest.Wait waits until all forms are made.
func inBubble(t *testing.T, change func(*spec.Zone), test func(t *testing.T, p *Policy)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		pool := workers.New(workers.Options{Threads: 1, Queue: 16})
		defer pool.Close()
		test(t, compressing(t, pool, testSize, change))
	})
}

func compressing(t testing.TB, pool *workers.Pool, size spec.Size, change func(*spec.Zone)) *Policy {
	t.Helper()
	room, err := New(&spec.Node{Cache: spec.Memory{Size: size, Object: size / 8}})
	if err != nil {
		t.Fatal(err)
	}
	room.UseWorkers(pool)
	z := spec.DefaultZone()
	z.Name = "zone"
	if change != nil {
		change(&z)
	}
	p, err := room.Compile(&z)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// hit is what a request is answered with at once.
func hit(t *testing.T, p *Policy, fields ...string) *flow.Flow {
	t.Helper()
	f := get("/a", fields...)
	if p.Lookup(f); f.Cache.Message == nil {
		t.Fatalf("got %v (%s), want a hit", f.Cache.Status, f.Cache.Reason)
	}
	return f
}

// ask has forms made for the codings of these requests, one after another.
func ask(t *testing.T, p *Policy, values ...string) {
	t.Helper()
	for _, value := range values {
		hit(t, p, "Accept-Encoding: "+value)
		synctest.Wait()
	}
}

// wantForm checks that a flow is answered in a coding, with all that belongs to it.
func wantForm(t *testing.T, f *flow.Flow, c httpcache.Coding, l coding.Level, body string) {
	t.Helper()
	m := f.Cache.Message
	if f.Cache.Coding != c || flow.Get(m.Fields, "content-encoding") != strings.TrimPrefix(c.String(), "identity") {
		t.Fatalf("got %v, Content-Encoding %q, want %v", f.Cache.Coding, flow.Get(m.Fields, "content-encoding"), c)
	}
	tag, want := `W/"v1"`, encoded(c, l, body)
	if c == httpcache.Identity {
		tag, want = `"v1"`, []byte(body)
	}
	if got := flow.Get(m.Fields, "etag"); got != tag || f.Cache.Meta.ETag != tag {
		t.Errorf("%v: got ETag %s, and %s for conditions, want %s", c, got, f.Cache.Meta.ETag, tag)
	}
	if got := flow.Get(m.Fields, "vary"); got != "Accept-Encoding" {
		t.Errorf("%v: got Vary %q", c, got)
	}
	if !bytes.Equal(m.Body, want) || m.Length != int64(len(want)) {
		t.Errorf("%v: got a body of %d bytes, Length %d, want %d", c, len(m.Body), m.Length, len(want))
	}
	if flow.Get(m.Fields, "content-type") != "text/html; charset=utf-8" {
		t.Errorf("%v: got %v", c, m.Fields)
	}
}

func TestForms(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, p *Policy) {
		body := page(1, 200_000)
		first := get("/a", accepts)
		if got := fetch(t, p, first, response(200, body, html, fresh, strong)); got != body {
			t.Error("who fetched got something else")
		}
		if got := flow.Get(first.Cache.Message.Fields, "vary"); got != "Accept-Encoding" {
			t.Errorf("who fetched got Vary %q", got)
		}
		wantForm(t, hit(t, p, accepts), httpcache.Identity, 0, body) // at once
		synctest.Wait()
		f := hit(t, p, accepts)
		wantForm(t, f, httpcache.Brotli, coding.Fast, body)
		if f.Cache.Uncoded != int64(len(body)) {
			t.Errorf("got %d bytes uncoded, want %d", f.Cache.Uncoded, len(body))
		}
		ask(t, p, "gzip", "zstd")
		for _, tt := range []struct {
			fields []string
			want   httpcache.Coding
		}{
			{nil, httpcache.Identity},
			{[]string{"Accept-Encoding: identity"}, httpcache.Identity},
			{[]string{"Accept-Encoding: deflate"}, httpcache.Identity},
			{[]string{"Accept-Encoding: gzip"}, httpcache.Gzip},
			{[]string{"Accept-Encoding: zstd, gzip"}, httpcache.Zstd},
			{[]string{"Accept-Encoding: br;q=0.5, gzip"}, httpcache.Gzip},
			{[]string{accepts, `If-None-Match: "v1"`}, httpcache.Brotli},
			{[]string{accepts, "Range: bytes=0-9"}, httpcache.Identity},
			{[]string{accepts, "Range: bytes=0-9", `If-Range: "v1"`}, httpcache.Identity},
			{[]string{"Accept-Encoding: gzip, identity;q=0", "Range: bytes=0-9"}, httpcache.Gzip},
			{[]string{accepts, "Cache-Control: no-transform"}, httpcache.Identity},
			{[]string{accepts, "Cache-Control: no-cache"}, httpcache.Brotli},
		} {
			wantForm(t, hit(t, p, tt.fields...), tt.want, coding.Fast, body)
		}
		head := get("/a", accepts)
		head.Request.Method = "HEAD"
		p.Lookup(head)
		wantForm(t, head, httpcache.Brotli, coding.Fast, body)

		unpacked, err := gzip.NewReader(bytes.NewReader(hit(t, p, "Accept-Encoding: gzip").Cache.Message.Body))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(unpacked); err != nil || string(got) != body {
			t.Errorf("gzip: got %d bytes, %v", len(got), err)
		}
	})
}

// What a client would like best is not there yet: it gets what is.
func TestNextBestForm(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, p *Policy) {
		body := page(1, 5000)
		fetch(t, p, get("/a"), response(200, body, html, fresh, strong))
		ask(t, p, "gzip")
		wantForm(t, hit(t, p, accepts), httpcache.Gzip, coding.Fast, body)
		synctest.Wait()
		wantForm(t, hit(t, p, accepts), httpcache.Brotli, coding.Fast, body)
	})
}

func TestNoForms(t *testing.T) {
	big := page(1, 5000)
	type change = func(*spec.Zone)
	tests := []struct {
		name   string
		zone   change
		answer *flow.Message
		accept string
		vary   string
	}{
		{"off", func(z *spec.Zone) { z.Compression.Enabled = false }, response(200, big, html, fresh), accepts, ""},
		{"no codings", func(z *spec.Zone) { z.Compression.Codings = nil }, response(200, big, html, fresh), accepts, ""},
		{"too short", nil, response(200, big[:1023], html, fresh), accepts, ""},
		{"too short, as it turns out", nil, &flow.Message{Status: 200, Fields: lines(html, fresh), Length: -1, Stream: pieces(io.EOF, "short")}, accepts, "Accept-Encoding"},
		{"an image", nil, response(200, big, "Content-Type: image/png", fresh), accepts, ""},
		{"no type", nil, response(200, big, fresh), accepts, ""},
		{"two types", nil, response(200, big, html, "Content-Type: image/png", fresh), accepts, ""},
		{"coded by the origin", nil, response(200, big, html, fresh, "Content-Encoding: gzip"), accepts, ""},
		{"9111 §5.2.2.6", nil, response(200, big, html, "Cache-Control: max-age=3600, no-transform"), accepts, ""},
		{"a coding that the zone does not have", func(z *spec.Zone) { z.Compression.Codings = []string{"gzip"} }, response(200, big, html, fresh), "Accept-Encoding: br", "Accept-Encoding"},
		{"what does not get smaller", nil, response(200, string(noise(5000)), html, fresh), accepts, "Accept-Encoding"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, tt.zone, func(t *testing.T, p *Policy) {
				fetch(t, p, get("/a"), tt.answer)
				for range 4 { // a first coding, and the next ones where that is of no use
					hit(t, p, tt.accept)
					synctest.Wait()
				}
				f := hit(t, p, tt.accept)
				if f.Cache.Coding != httpcache.Identity {
					t.Errorf("got %v", f.Cache.Coding)
				}
				if got := flow.Get(f.Cache.Message.Fields, "vary"); got != tt.vary {
					t.Errorf("got Vary %q, want %q", got, tt.vary)
				}
				if n := len(p.room.encoding.wishes) + int(p.room.encoding.runners.Load()); n != 0 {
					t.Errorf("forms are still tried")
				}
			})
		})
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}

// A response that is asked for again and again gets better forms. Bytes are counted by what is there.
func TestHot(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, p *Policy) {
		body := page(1, 70_000)
		fetch(t, p, get("/a"), response(200, body, html, fresh, strong))
		synctest.Wait()
		plain := p.room.Stats().Bytes
		ask(t, p, "gzip")
		fast := p.room.Stats().Bytes
		if got, want := fast-plain, int64(len(encoded(httpcache.Gzip, coding.Fast, body))); got < want || got > want*9/8+2000 {
			t.Errorf("a form of %d bytes counts as %d", want, got)
		}
		for range hotHits {
			if f := hit(t, p, "Accept-Encoding: gzip"); len(f.Cache.Message.Body) > int(fast-plain) {
				t.Fatalf("got a body of %d bytes", len(f.Cache.Message.Body))
			}
		}
		synctest.Wait()
		wantForm(t, hit(t, p, "Accept-Encoding: gzip"), httpcache.Gzip, coding.Hot, body)
		if hot := p.room.Stats().Bytes; hot >= fast {
			t.Errorf("%d bytes with a better form, %d before", hot, fast)
		}
		for range 2 * hotHits {
			hit(t, p, "Accept-Encoding: gzip")
		}
		if len(p.room.encoding.wishes) > 0 {
			t.Error("what is hot is made once more")
		}
	})
}

// More care that makes a form no smaller is not taken again.
func TestHotInVain(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, p *Policy) {
		fetch(t, p, get("/a"), response(200, page(1, 5000), html, fresh, strong))
		ask(t, p, "br")
		var s spot
		p.locate(&get("/a").Request, &s)
		form := s.entry.forms.list[httpcache.Brotli].message.Body
		p.room.encoding.keep(&wish{s.key, s.entry.forms.shared, httpcache.Brotli, coding.Hot}, append(slices.Clone(form), 0))
		p.locate(&get("/a").Request, &s)
		f := s.entry.forms.list[httpcache.Brotli]
		if f.level != coding.Hot || !bytes.Equal(f.message.Body, form) || s.entry.wants(&wish{shared: s.entry.forms.shared, coding: httpcache.Brotli, level: coding.Hot}) {
			t.Errorf("got level %d, a body of %d bytes, want that of %d", f.level, len(f.message.Body), len(form))
		}
	})
}

func TestFormsStayWithinBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := workers.New(workers.Options{Threads: 1})
		defer pool.Close()
		const size = 2 << 20
		p := compressing(t, pool, size, nil)
		for n := range 50 {
			f := get("/"+itoa(n), accepts)
			fetch(t, p, f, response(200, page(n, 40_000), html, fresh))
			for _, value := range []string{"zstd", "gzip"} {
				p.Lookup(get("/"+itoa(n), "Accept-Encoding: "+value))
				synctest.Wait()
			}
		}
		s := p.room.Stats()
		if s.Evictions == 0 || s.Bytes > size {
			t.Errorf("got %d evictions, %d bytes of %d", s.Evictions, s.Bytes, size)
		}
	})
}

// hold keeps the pool's only thread busy until it is released.
func hold(pool *workers.Pool) (release func()) {
	c := make(chan struct{})
	pool.Submit(netip.MustParsePrefix("192.0.2.1/32"), job(func() { <-c }))
	synctest.Wait()
	return func() { close(c); synctest.Wait() }
}

type job func()

func (j job) Run(*workers.Thread) { j() }
func (j job) Shed()               {}

// A form that is made of a body that is gone, or has another in its place, is not kept.
func TestFormOfWhatIsGone(t *testing.T) {
	for _, again := range []bool{false, true} {
		inBubble(t, nil, func(t *testing.T, p *Policy) {
			fetch(t, p, get("/a"), response(200, page(1, 5000), html, fresh, strong))
			release := hold(p.room.encoding.workers)
			hit(t, p, accepts)
			p.drop(p.target(&get("/a").Request))
			if again {
				fetch(t, p, get("/a"), response(200, page(2, 5000), html, fresh, strong))
			}
			release()
			f := get("/a", accepts)
			p.Lookup(f)
			if f.Cache.Coding != httpcache.Identity || (f.Cache.Message != nil) != again {
				t.Fatalf("got %v, %v", f.Cache.Coding, f.Cache.Status)
			}
			if again {
				synctest.Wait()
				wantForm(t, hit(t, p, accepts), httpcache.Brotli, coding.Fast, page(2, 5000))
			}
		})
	}
}

// Forms that nobody has the time to make are made later.
func TestShedForms(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, p *Policy) {
		fetch(t, p, get("/a"), response(200, page(1, 5000), html, fresh, strong))
		release := hold(p.room.encoding.workers)
		hit(t, p, accepts)
		time.Sleep(time.Minute) // past which a job is late
		release()
		if got := p.room.encoding.runners.Load(); got != 0 {
			t.Fatalf("%d runners", got)
		}
		ask(t, p, "zstd") // begins a runner, which finds the earlier wish, too
		wantForm(t, hit(t, p, accepts), httpcache.Brotli, coding.Fast, page(1, 5000))
		wantForm(t, hit(t, p, "Accept-Encoding: zstd"), httpcache.Zstd, coding.Fast, page(1, 5000))
	})
}

// A job that is shed between two steps leaves nothing behind.
func TestShedBetweenSteps(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, p *Policy) {
		body := page(1, 3*coding.StepSize)
		fetch(t, p, get("/a"), response(200, body, html, fresh, strong))
		release := hold(p.room.encoding.workers)
		hit(t, p, accepts)
		e := &p.room.encoding
		r := &runner{encoding: e}
		e.runners.Add(1)
		if !r.next() || r.job.Step() {
			t.Fatal("there is no step more")
		}
		r.Shed()
		release()
		wantForm(t, hit(t, p, accepts), httpcache.Identity, 0, body)
		synctest.Wait()
		wantForm(t, hit(t, p, accepts), httpcache.Brotli, coding.Fast, body)
		if got := e.runners.Load(); got != 0 {
			t.Errorf("%d runners", got)
		}
	})
}

// Wishes are bounded, and those that found no place can be had later.
func TestTooManyWishes(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, p *Policy) {
		const n = maxWishes + 20
		for i := range n {
			fetch(t, p, get("/"+itoa(i)), response(200, page(i, 2000), html, fresh))
		}
		release := hold(p.room.encoding.workers)
		for i := range n {
			p.Lookup(get("/"+itoa(i), accepts))
		}
		if got := len(p.room.encoding.wishes); got != maxWishes {
			t.Errorf("got %d wishes, want %d", got, maxWishes)
		}
		release()
		coded := func() (count int) {
			for i := range n {
				f := get("/"+itoa(i), accepts)
				if p.Lookup(f); f.Cache.Coding == httpcache.Brotli {
					count++
				}
			}
			return count
		}
		if got := coded(); got != maxWishes {
			t.Errorf("got %d forms, want %d", got, maxWishes)
		}
		synctest.Wait()
		if got := coded(); got != n {
			t.Errorf("got %d forms, want %d", got, n)
		}
	})
}

// After a 304 the forms are still there, with the fields that it brought.
func TestFormsAfterRevalidation(t *testing.T) {
	for _, tt := range []struct {
		name    string
		control string
		want    httpcache.Coding
	}{
		{"confirmed", "Cache-Control: max-age=60", httpcache.Brotli},
		{"9111 §5.2.2.6 no-transform from now on", "Cache-Control: max-age=60, no-transform", httpcache.Identity},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, p *Policy) {
				body := page(1, 5000)
				fetch(t, p, get("/a"), response(200, body, html, "Cache-Control: max-age=1", strong, "Vary: Accept"))
				ask(t, p, "br")
				time.Sleep(2 * time.Second)
				f := get("/a", accepts)
				p.Lookup(f)
				if p.Join(f) != Lead || len(f.Cache.Validators) != 1 || f.Cache.Validators[0].Value != `"v1"` {
					t.Fatalf("got %v with %v, want to ask for the origin's own tag", f.Cache.Status, f.Cache.Validators)
				}
				f.Origin.Message = response(304, "", strong, tt.control, "X-New: 1")
				p.Keep(f)
				for _, f := range []*flow.Flow{f, hit(t, p, accepts)} {
					m := f.Cache.Message
					if f.Cache.Coding != tt.want || flow.Get(m.Fields, "x-new") != "1" {
						t.Errorf("%v: got %v with %v, want %v", f.Cache.Status, f.Cache.Coding, m.Fields, tt.want)
					}
					var vary []string
					for _, field := range m.Fields {
						if field.Name == "Vary" {
							vary = append(vary, field.Value)
						}
					}
					want := []string{"Accept", "Accept-Encoding"}
					if tt.want == httpcache.Identity {
						want = want[:1]
					}
					if !slices.Equal(vary, want) {
						t.Errorf("%v: got Vary %v, want %v", f.Cache.Status, vary, want)
					}
				}
				// What the cache added varies nothing in the store.
				mustHit(t, p, get("/a"), body)
			})
		})
	}
}

// Whatever coding the origin chooses of those that it is asked for, each client gets one that it accepts, and spellings make no variants.
func TestOriginsOwnCodings(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, p *Policy) {
		random := rand.New(rand.NewPCG(3, 4))
		members := []string{"gzip", "br", "zstd", "deflate", "identity", "*", "x-gzip", "compress"}
		weights := []string{"", "", ";q=0", ";q=0.5", ";q=1.000", ";q=2"}
		fetches := 0
		for range 1000 {
			var list []string
			for range random.IntN(6) {
				list = append(list, members[random.IntN(len(members))]+weights[random.IntN(len(weights))])
			}
			value := strings.Join(list, ", ")
			f := get("/a", "Accept-Encoding: "+value)
			run(p, f, func(f *flow.Flow) (*flow.Message, *flow.Refusal) {
				fetches++
				asked := httpcache.ParseAcceptEncoding(lines("Accept-Encoding: " + f.Cache.Asked.AcceptEncoding))
				var able []httpcache.Coding
				for c, weight := range asked {
					if weight > 0 {
						able = append(able, httpcache.Coding(c))
					}
				}
				fields := []string{html, fresh, "Vary: Accept-Encoding"}
				if len(able) > 0 {
					if c := able[random.IntN(len(able))]; c != httpcache.Identity {
						fields = append(fields, "Content-Encoding: "+c.String())
					}
				}
				return response(200, page(1, 2000), fields...), nil
			})
			accept := httpcache.ParseAcceptEncoding(f.Request.Fields)
			c := httpcache.Identity
			if name := flow.Get(f.Message().Fields, "content-encoding"); name != "" {
				c, _ = httpcache.ParseCoding(name)
			}
			if c != httpcache.Identity && accept[c] == 0 {
				t.Fatalf("%q is answered with %v", value, c)
			}
			read(f)
			synctest.Wait()
		}
		if fetches > 16 {
			t.Errorf("got %d fetches for all spellings, want 16 at most", fetches)
		}
	})
}

func TestFormsAreHandedOver(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, p *Policy) {
		body := page(1, 5000)
		fetch(t, p, get("/a"), response(200, body, html, fresh, strong))
		ask(t, p, "br", "gzip")
		q := compressing(t, p.room.encoding.workers, testSize, nil)
		upgradeTo(t, p, q).end()
		wantForm(t, hit(t, q, accepts), httpcache.Brotli, coding.Fast, body)
		wantForm(t, hit(t, q, "Accept-Encoding: gzip"), httpcache.Gzip, coding.Fast, body)
		wantForm(t, hit(t, q), httpcache.Identity, 0, body)
		synctest.Wait()
		if got, want := q.room.Stats().Bytes, p.room.Stats().Bytes; got != want {
			t.Errorf("got %d bytes, want %d", got, want)
		}
	})
}

// TestFormsTogether has forms made, dropped, fetched anew and served at one time, for the race detector. Nobody ever gets a body that is
// not the one of its tag.
func TestFormsTogether(t *testing.T) {
	pool := workers.New(workers.Options{Threads: 2})
	defer pool.Close()
	p := compressing(t, pool, testSize, nil)
	var want sync.Map // from body to its forms' page
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(g), 9))
			for i := range 60 {
				path := "/" + itoa(random.IntN(3))
				f := get(path, accepts)
				n := g*1000 + i
				run(p, f, func(*flow.Flow) (*flow.Message, *flow.Refusal) {
					body := page(n, 2000)
					want.Store(fmt.Sprintf(`"%d"`, n), body)
					return response(200, body, html, fresh, fmt.Sprintf(`ETag: "%d"`, n)), nil
				})
				if i%50 == 0 {
					p.drop(p.target(&f.Request))
				}
				m := f.Message()
				if m == nil || m.Stream != nil {
					read(f)
					continue
				}
				body, _ := want.Load(strings.TrimPrefix(flow.Get(m.Fields, "etag"), "W/"))
				expected := []byte(body.(string))
				if f.Cache.Coding != httpcache.Identity {
					expected = encoded(f.Cache.Coding, coding.Fast, body.(string))
					if bytes.Equal(m.Body, encoded(f.Cache.Coding, coding.Hot, body.(string))) {
						continue
					}
				}
				if !bytes.Equal(m.Body, expected) {
					t.Errorf("%v: the body is another's", f.Cache.Coding)
				}
			}
		})
	}
	all.Wait()
}

func TestCompileCompression(t *testing.T) {
	tests := []struct {
		change func(*spec.Compression)
		want   string
	}{
		{func(c *spec.Compression) { c.Codings = []string{"gzip", "deflate"} }, `compression.codings[1]: "deflate" is no coding: want some of br, zstd, gzip`},
		{func(c *spec.Compression) { c.Codings = []string{"identity"} }, `compression.codings[0]: "identity" is no coding: want some of br, zstd, gzip`},
		{func(c *spec.Compression) { c.Codings = []string{"br", "br"} }, `compression.codings[1]: "br" stands there twice`},
		{func(c *spec.Compression) { c.Types = []string{"html"} }, `compression.types[0]: "html" is no media type: want one such as text/html, or text/*`},
		{func(c *spec.Compression) { c.MinLength = -1 }, `compression.min_length: -1 is negative: want 0 or more`},
	}
	for _, tt := range tests {
		z := spec.DefaultZone()
		tt.change(&z.Compression)
		if _, err := newPolicy(t).room.Compile(&z); err == nil || err.Error() != tt.want {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}

func TestCompressibleTypes(t *testing.T) {
	s := spec.Compression{Enabled: true, Codings: spec.Codings(), Types: []string{"text/*", "Application/JSON"}}
	c, err := compileCompression(&s)
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]bool{
		"text/html": true, "TEXT/x-anything ; charset=x": true, "application/json": true, " application/json": true,
		"application/jsonp": false, "application/*": false, "text": false, "": false, "/": false, "image/png": false, "xtext/html": false,
	} {
		if got := c.compressible([]flow.Field{{Name: "content-type", Value: value}}); got != want {
			t.Errorf("%q: got %v, want %v", value, got, want)
		}
	}
}

func TestCodedHitDoesNotAllocate(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, p *Policy) {
		fetch(t, p, get("/a"), response(200, page(1, 5000), html, fresh, strong))
		ask(t, p, "br")
		f := hit(t, p, browser...)
		for range hotHits {
			hit(t, p, browser...)
		}
		synctest.Wait()
		if got := testing.AllocsPerRun(100, func() {
			f.Cache = flow.Cache{}
			if p.Lookup(f); f.Cache.Coding != httpcache.Brotli {
				t.Error("not br")
			}
		}); got != 0 {
			t.Errorf("got %v allocations", got)
		}
	})
}

// A client's own Accept-Encoding goes to the origin with ranges. What it accepts and others of its normal form don't is not kept.
func TestPartsInForeignCodings(t *testing.T) {
	tests := []struct {
		accept, coding string
		kept           bool
	}{
		{"gzip, deflate", "gzip", true},
		{"gzip, deflate", "", true},
		{"gzip, deflate", "deflate", false},
		{"gzip;q=2", "gzip", false}, // which the origin reads otherwise
		{"gzip, br", "gzip, br", false},
	}
	for _, tt := range tests {
		p := newPolicy(t)
		fields := []string{cacheable, strong, "Vary: Accept-Encoding"}
		if tt.coding != "" {
			fields = append(fields, "Content-Encoding: "+tt.coding)
		}
		accept := "Accept-Encoding: " + tt.accept
		pass(t, p, ranged("4-9", accept), part(4, 9, fields...))
		f := ranged("4-9", accept)
		if p.Lookup(f); (f.Cache.Message != nil) != tt.kept {
			t.Errorf("%s, answered with %q: got kept %v, want %v", tt.accept, tt.coding, !tt.kept, tt.kept)
		}
	}
}

// A HEAD that confirms an object leaves it its forms.
func TestFormsAfterHead(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, p *Policy) {
		body := page(1, 5000)
		fetch(t, p, get("/a"), response(200, body, html, "Cache-Control: max-age=1", strong))
		ask(t, p, "br")
		time.Sleep(2 * time.Second)
		head := get("/a")
		head.Request.Method = "HEAD"
		pass(t, p, head, &flow.Message{Status: 200, Fields: lines(html, fresh, strong, "Content-Length: 5000"), Length: 5000})
		wantForm(t, hit(t, p, accepts), httpcache.Brotli, coding.Fast, body)
		wantForm(t, hit(t, p), httpcache.Identity, 0, body)
	})
}
