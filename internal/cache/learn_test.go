package cache

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// alphabet is the content of which these tests ask for parts.
const alphabet = "abcdefghijklmnopqrstuvwxyz"

// pass sends a flow to an origin without the cache, and reads the response.
func pass(t *testing.T, p *Policy, f *flow.Flow, m *flow.Message) string {
	t.Helper()
	if got := run(p, f, func(*flow.Flow) (*flow.Message, *flow.Refusal) { return m, nil }); got != Pass {
		t.Fatalf("%s %s: got %v, want pass", f.Request.Method, f.Request.Path, got)
	}
	p.Invalidate(f)
	p.Learn(f)
	body, err := read(f)
	if err != nil {
		t.Fatalf("reading the response: %v", err)
	}
	return body
}

// part is an origin's 206 with bytes from first to last of the alphabet.
func part(first, last int, fields ...string) *flow.Message {
	return response(206, alphabet[first:last+1], append(fields, fmt.Sprintf("Content-Range: bytes %d-%d/26", first, last))...)
}

func ranged(ranges string, fields ...string) *flow.Flow {
	return get("/a", append(fields, "Range: bytes="+ranges)...)
}

// mustServe checks that a range is served from memory.
func mustServe(t *testing.T, p *Policy, f *flow.Flow, want, contentRange string) {
	t.Helper()
	mustHit(t, p, f, want)
	m := f.Cache.Message
	if got := flow.Get(m.Fields, "content-range"); m.Status != 206 || got != contentRange || m.Length != int64(len(want)) {
		t.Fatalf("got %d with %q of %d bytes, want 206 with %q", m.Status, got, m.Length, contentRange)
	}
}

const (
	strong = `ETag: "v1"`
	weak   = `ETag: W/"v1"`
)

// RFC 9111 §3.3, §3.4: an incomplete response answers requests for what it holds, and no others.
func TestPartIsServed(t *testing.T) {
	p := newPolicy(t)
	if got := pass(t, p, ranged("4-9"), part(4, 9, cacheable)); got != alphabet[4:10] {
		t.Fatalf("got %q", got)
	}
	mustServe(t, p, ranged("4-9"), "efghij", "bytes 4-9/26")
	mustServe(t, p, ranged("6-8"), "ghi", "bytes 6-8/26")
	for _, f := range []*flow.Flow{
		get("/a"), ranged("4-10"), ranged("3-5"), ranged("4-"), ranged("-3"), ranged("30-"), get("/b", "Range: bytes=4-9"),
		ranged("4-9", `If-None-Match: "x"`), ranged("4-9", `If-Range: "v1"`), ranged("4-5,7-8"),
	} {
		mustMiss(t, p, f)
	}
	head := ranged("4-9")
	head.Request.Method = "HEAD"
	mustMiss(t, p, head)
}

// RFC 9111 §3.4: parts are joined only if they share a strong validator. Whole, they are an object like others, with the latest fields.
func TestPartsAreJoined(t *testing.T) {
	tests := []struct {
		name          string
		first, second string
		joined        bool
	}{
		{"the same strong validator", strong, strong, true},
		{"a weak one", weak, weak, false},
		{"another version", strong, `ETag: "v2"`, false},
		{"none", "X: 1", "X: 1", false},
		{"one of the two", strong, "X: 1", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPolicy(t)
			pass(t, p, ranged("0-9"), part(0, 9, cacheable, tt.first, "A: 1", "B: 1"))
			pass(t, p, ranged("10-25"), part(10, 25, cacheable, tt.second, "A: 2"))
			if !tt.joined {
				mustMiss(t, p, get("/a"))
				mustMiss(t, p, ranged("0-9"))
				mustServe(t, p, ranged("10-25"), alphabet[10:], "bytes 10-25/26")
				return
			}
			f := get("/a")
			mustHit(t, p, f, alphabet)
			fs := f.Cache.Message.Fields
			if f.Cache.Message.Status != 200 || flow.Get(fs, "content-range") != "" || flow.Get(fs, "a") != "2" || flow.Get(fs, "b") != "1" {
				t.Errorf("got %d with %v", f.Cache.Message.Status, fs)
			}
		})
	}
}

// A part of what is stored whole but stale renews it (RFC 9111 §3.4).
func TestPartRenewsTheWhole(t *testing.T) {
	p := newPolicy(t)
	fetch(t, p, get("/a"), response(200, alphabet, "Cache-Control: max-age=0", strong, "B: 1"))
	pass(t, p, ranged("4-9"), part(4, 9, cacheable, strong))
	f := get("/a")
	mustHit(t, p, f, alphabet)
	if got := flow.Get(f.Cache.Message.Fields, "b"); got != "1" {
		t.Errorf("B: got %q, want 1", got)
	}
}

// Nothing that is not surely a part is kept.
func TestPartsThatAreNotKept(t *testing.T) {
	private := "Cache-Control: private, max-age=60"
	other := "Content-Range: bytes 4-9/26"
	tests := []struct {
		name string
		m    *flow.Message
	}{
		{"private", part(4, 9, private)},
		{"with a cookie", part(4, 9, cacheable, "Set-Cookie: a=b")},
		{"varies by anything", part(4, 9, cacheable, "Vary: *")},
		{"two ranges", part(4, 9, cacheable, other)},
		{"several parts", response(206, "x", cacheable, "Content-Type: multipart/byteranges; boundary=x")},
		{"fewer bytes than it says", response(206, "efg", cacheable, other)},
		{"more bytes than it says", response(206, "efghijklm", cacheable, other)},
		{"of too much", response(206, "efghij", cacheable, "Content-Range: bytes 4-9/"+itoa(testObject+1))},
		{"of what nobody knows the length of", response(206, "efghij", cacheable, "Content-Range: bytes 4-9/*")},
		{"other units", response(206, "efghij", cacheable, "Content-Range: letters 4-9/26")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPolicy(t)
			pass(t, p, ranged("4-9"), tt.m)
			mustMiss(t, p, ranged("4-9"))
			if used := p.room.filling.used.Load(); used != 0 {
				t.Errorf("%d bytes are still reserved", used)
			}
		})
	}
}

// A part that breaks off is not kept, and nothing stays behind.
func TestPartBreaksOff(t *testing.T) {
	p := newPolicy(t)
	m := part(4, 9, cacheable)
	m.Stream = pieces(io.ErrUnexpectedEOF, "efg", "h")
	f := ranged("4-9")
	run(p, f, func(*flow.Flow) (*flow.Message, *flow.Refusal) { return m, nil })
	p.Learn(f)
	if _, err := read(f); err != io.ErrUnexpectedEOF {
		t.Fatalf("got %v, want it to break off", err)
	}
	mustMiss(t, p, ranged("4-9"))
	pass(t, p, ranged("4-9"), part(4, 9, cacheable))
	mustServe(t, p, ranged("4-9"), "efghij", "bytes 4-9/26")
	if used := p.room.filling.used.Load(); used != 0 {
		t.Errorf("%d bytes are still reserved", used)
	}
}

// An unsafe request forgets parts, and keeps away what was asked for before it.
func TestPartsAreInvalidated(t *testing.T) {
	p := newPolicy(t)
	post := func() {
		f := get("/a")
		f.Request.Method = "POST"
		f.Origin.Message = &flow.Message{Status: 200}
		p.Invalidate(f)
	}
	pass(t, p, ranged("4-9"), part(4, 9, cacheable))
	post()
	mustMiss(t, p, ranged("4-9"))

	f := ranged("4-9")
	run(p, f, func(*flow.Flow) (*flow.Message, *flow.Refusal) { return part(4, 9, cacheable), nil })
	p.Learn(f)
	post()
	if _, err := read(f); err != nil {
		t.Fatal(err)
	}
	mustMiss(t, p, ranged("4-9"))
}

// RFC 9111 §4.1: a part is for requests that match its Vary.
func TestPartsVary(t *testing.T) {
	p := newPolicy(t)
	pass(t, p, ranged("4-9", "Accept: x"), part(4, 9, cacheable, strong, "Vary: Accept"))
	mustServe(t, p, ranged("5-5", "Accept: x"), "f", "bytes 5-5/26")
	mustMiss(t, p, ranged("5-5", "Accept: y"))
	pass(t, p, ranged("10-25", "Accept: y"), part(10, 25, cacheable, strong, "Vary: Accept"))
	mustMiss(t, p, ranged("5-5", "Accept: y"))
	mustMiss(t, p, ranged("5-5", "Accept: x"))
}

// RFC 9111 §4.3.5: a 200 to HEAD updates the stored response that it tells of; another counts as stale.
func TestHeadUpdates(t *testing.T) {
	const stale = "Cache-Control: max-age=0"
	tests := []struct {
		name   string
		stored string
		fields []string
		want   flow.CacheStatus // of the next GET
	}{
		{"the same validator", stale, []string{strong, cacheable, "A: 2", "Content-Length: 26", "Content-Type: text/x"}, flow.Hit},
		{"another length", stale, []string{strong, cacheable, "Content-Length: 27"}, flow.Stale},
		{"another validator", stale, []string{`ETag: "v2"`, cacheable}, flow.Stale},
		{"no validator", stale, []string{cacheable}, flow.Stale},
		{"another validator than that of a fresh one", cacheable, []string{`ETag: "v2"`, cacheable}, flow.Miss},
		{"no longer to be stored", stale, []string{strong, "Cache-Control: no-store"}, flow.Miss},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := newPolicy(t).room.Compile(&spec.Zone{Name: "z", Cache: spec.Cache{Enabled: true, RequestDirectives: spec.ObeyingHonor}})
			if err != nil {
				t.Fatal(err)
			}
			fetch(t, p, get("/a"), response(200, alphabet, tt.stored, strong, "A: 1", "B: 1"))
			head := get("/a", "Cache-Control: no-cache")
			head.Request.Method = "HEAD"
			pass(t, p, head, &flow.Message{Status: 200, Fields: lines(tt.fields...)})
			f := get("/a")
			p.Lookup(f)
			if f.Cache.Status != tt.want {
				t.Fatalf("got %v, want %v", f.Cache.Status, tt.want)
			}
			if tt.want != flow.Hit {
				return
			}
			m := f.Cache.Message
			if flow.Get(m.Fields, "a") != "2" || flow.Get(m.Fields, "b") != "1" || m.Status != 200 || string(m.Body) != alphabet {
				t.Errorf("got %d with %v and %q", m.Status, m.Fields, m.Body)
			}
		})
	}
	p := newPolicy(t)
	head := get("/a")
	head.Request.Method = "HEAD"
	pass(t, p, head, &flow.Message{Status: 200, Fields: lines(strong, cacheable)})
	mustMiss(t, p, get("/a"))
}

// RFC 9110 §9.3.3: the response to a POST answers later GETs, where the owner wants that.
func TestPostIsStored(t *testing.T) {
	for _, storing := range []spec.Storing{spec.StoringRefuse, spec.StoringStore} {
		for _, location := range []string{"/a?x", "/a", "https://example.com/a?x"} {
			room := newPolicy(t).room
			p, err := room.Compile(&spec.Zone{Name: "z", Cache: spec.Cache{Enabled: true, Post: storing}})
			if err != nil {
				t.Fatal(err)
			}
			f := get("/a?x")
			f.Request.Method, f.Request.Length = "POST", 5
			pass(t, p, f, response(200, "made", cacheable, "Content-Location: "+location))
			if storing == spec.StoringStore && location == "/a?x" {
				mustHit(t, p, get("/a?x"), "made")
			} else {
				mustMiss(t, p, get("/a?x"))
			}
		}
	}
}

// RFC 9111 §3.1, §5.2.2.4, §5.2.2.7: only the client that caused a response gets the fields that are private.
func TestWithheldFields(t *testing.T) {
	p := newPolicy(t)
	private := `Cache-Control: max-age=60, private="Set-Cookie"`
	has := func(f *flow.Flow) bool { return flow.Get(f.Cache.Message.Fields, "set-cookie") != "" }
	first := get("/a")
	fetch(t, p, first, response(200, "page", private, "Set-Cookie: mine=1"))
	if !has(first) || !first.Cache.Stored {
		t.Errorf("who caused it: got %v, stored %v; want the cookie, and it stored", first.Cache.Message.Fields, first.Cache.Stored)
	}
	second := get("/a")
	mustHit(t, p, second, "page")
	if has(second) {
		t.Error("the next one got the cookie")
	}

	// The same with a body that comes piece by piece, and with a 304.
	slow := get("/b")
	m := response(200, "", "Cache-Control: max-age=0, private=\"Set-Cookie\"", strong, "Set-Cookie: mine=1")
	m.Length, m.Stream = -1, pieces(io.EOF, "pa", "ge")
	fetch(t, p, slow, m)
	if !has(slow) {
		t.Error("a body in pieces: who caused it got no cookie")
	}
	confirmed := get("/b")
	fetch(t, p, confirmed, &flow.Message{Status: 304, Fields: lines(strong, private, "Set-Cookie: mine=2")})
	if !has(confirmed) {
		t.Error("304: who caused it got no cookie")
	}
	last := get("/b")
	mustHit(t, p, last, "page")
	if has(last) {
		t.Error("after the 304: the next one got the cookie")
	}
}

// Who prefers the same of the site's languages shares a response, and the origin is asked for that language.
func TestLanguages(t *testing.T) {
	p, err := newPolicy(t).room.Compile(&spec.Zone{Name: "z", Cache: spec.Cache{Enabled: true, Languages: []string{"en", "de"}}})
	if err != nil {
		t.Fatal(err)
	}
	f := get("/a", "Accept-Language: de-CH, fr")
	fetch(t, p, f, response(200, "deutsch", cacheable, "Vary: Accept-Language"))
	if f.Cache.Asked.Language != "de" {
		t.Errorf("got %q asked for, want de", f.Cache.Asked.Language)
	}
	mustHit(t, p, get("/a", "Accept-Language: en;q=0.1, de"), "deutsch")
	mustMiss(t, p, get("/a", "Accept-Language: fr"))

	// What an origin says in a language that a client has chosen itself is not learned from.
	pass(t, p, ranged("4-9", "Accept-Language: fr"), part(4, 9, cacheable, strong, "Vary: Accept-Language"))
	mustMiss(t, p, ranged("4-9", "Accept-Language: fr"))
}

// A zone without a cache learns nothing.
func TestLearnsNothingWithoutACache(t *testing.T) {
	p, err := newPolicy(t).room.Compile(&spec.Zone{Name: "z"})
	if err != nil {
		t.Fatal(err)
	}
	f := ranged("4-9")
	f.Request.Received = time.Now()
	pass(t, p, f, part(4, 9, cacheable))
	if n := p.room.Stats().Objects; n != 0 {
		t.Errorf("got %d objects, want none", n)
	}
}

// Parts in any order are what the whole has at these places, never more than may be, and never whole before they are.
func TestPartsProperty(t *testing.T) {
	content := []byte(strings.Repeat(alphabet, 4))
	random := uint32(1)
	next := func(n int) int {
		random = random*1664525 + 1013904223
		return int(random>>8) % n
	}
	for range 2000 {
		p := &parts{total: int64(len(content))}
		have := make([]bool, len(content))
		forgot := false
		for range 1 + next(30) {
			first := next(len(content))
			length := 1 + next(min(len(content)-first, 1+next(40)))
			before := len(p.spans)
			p = p.with(span{int64(first), content[first : first+length]})
			forgot = forgot || before == maxSpans && len(p.spans) == maxSpans
			for i := range length {
				have[first+i] = true
			}
			checkParts(t, p, content, have)
		}
		if all := !slices.Contains(have, false); !forgot && all != (p.whole() != nil) {
			t.Fatalf("whole is %v, want %v", p.whole() != nil, all)
		}
	}
}

func checkParts(t *testing.T, p *parts, content []byte, have []bool) {
	t.Helper()
	if len(p.spans) > maxSpans {
		t.Fatalf("got %d spans, want at most %d", len(p.spans), maxSpans)
	}
	end := int64(-1)
	for _, s := range p.spans {
		if s.start <= end || s.end() > p.total {
			t.Fatalf("spans touch or are too long: %v", p.spans)
		}
		end = s.end()
		if string(s.data) != string(content[s.start:s.end()]) {
			t.Fatalf("got %q at %d", s.data, s.start)
		}
		for i := s.start; i < s.end(); i++ {
			if !have[i] {
				t.Fatalf("byte %d never came", i)
			}
		}
		if got := p.slice(s.start, int64(len(s.data))); string(got) != string(s.data) || p.slice(s.start, int64(len(s.data))+1) != nil {
			t.Fatalf("slice at %d: got %q", s.start, got)
		}
	}
}

func BenchmarkPartHit(b *testing.B) {
	p := newPolicy(b)
	e := newEntry(target{zone: "zone", scheme: "https", host: "example.org", path: "/a"}, &httpcache.Metadata{
		Status: 200, ResponseTime: time.Now(), Date: time.Now(), Lifetime: time.Hour,
	}, 200, nil, 1)
	e.parts = &parts{total: 26, spans: []span{{4, []byte(alphabet[4:10])}}}
	p.room.objects.Set(partsKey(p.room.key(p.basis, &e.target)), e)
	f := ranged("4-9")
	b.ReportAllocs()
	for b.Loop() {
		f.Cache = flow.Cache{}
		p.Lookup(f)
	}
	if f.Cache.Status != flow.Hit {
		b.Fatalf("got %v (%s), want hit", f.Cache.Status, f.Cache.Reason)
	}
}
