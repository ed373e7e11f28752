package cache

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/flow"
)

// upgrade is a cache that sends to another, which is ready when the objects have come.
type upgrade struct {
	from, to *Policy
	got      int
	end      func() // of the stream; waits for both sides
}

func upgradeTo(t *testing.T, from, to *Policy) *upgrade {
	t.Helper()
	a, b := net.Pipe()
	sent, received, whole := make(chan error, 1), make(chan error, 1), make(chan int, 1)
	go func() { sent <- from.room.Send(a, time.Minute) }()
	go func() { received <- to.room.Receive(b, []string{"zone"}, func(n int) { whole <- n }) }()
	u := &upgrade{from: from, to: to, got: <-whole}
	ended := false
	u.end = func() {
		if ended {
			return
		}
		ended = true
		a.Close()
		b.Close()
		if err := <-sent; err != nil {
			t.Errorf("sending: got %v", err)
		}
		<-received
	}
	t.Cleanup(u.end)
	return u
}

// stored is all that of a response decides what visitors get.
func stored(t *testing.T, p *Policy, f *flow.Flow) *entry {
	t.Helper()
	var s spot
	p.locate(&f.Request, &s)
	if s.entry == nil {
		t.Fatalf("%s is not stored", f.Request.Path)
	}
	return s.entry
}

func TestUpgradeKeepsObjects(t *testing.T) {
	from, to := newPolicy(t), newPolicy(t)
	fetch(t, from, get("/a"), response(200, "a\xff", cacheable, `ETag: "x"`, "Last-Modified: Sun, 22 Nov 2026 10:00:00 GMT", "X-Latin: caf\xe9"))
	fetch(t, from, get("/a?q=1"), response(404, "query", cacheable, "Age: 7"))
	for _, language := range []string{"de", "fr"} {
		fetch(t, from, get("/vary", "Accept-Language: "+language), response(200, language, cacheable, "Vary: Accept-Language"))
	}
	u := upgradeTo(t, from, to)
	if u.got != 4 {
		t.Errorf("got %d objects, want 4", u.got)
	}
	for _, f := range []func() *flow.Flow{
		func() *flow.Flow { return get("/a") },
		func() *flow.Flow { return get("/a?q=1") },
		func() *flow.Flow { return get("/vary", "Accept-Language: de") },
		func() *flow.Flow { return get("/vary", "Accept-Language: fr") },
	} {
		want, got := stored(t, from, f()), stored(t, to, f())
		meta := want.meta
		meta.ResponseTime = meta.ResponseTime.Round(0) // another process has another monotonic clock
		if diff := cmp.Diff(want.message, got.message); diff != "" {
			t.Errorf("message: -want +got:\n%s", diff)
		}
		if diff := cmp.Diff(meta, got.meta); diff != "" {
			t.Errorf("metadata: -want +got:\n%s", diff)
		}
		mustHit(t, to, f(), string(want.message.Body))
	}
	mustMiss(t, to, get("/vary", "Accept-Language: en"))
	if got, want := to.room.Stats().Bytes, from.room.Stats().Bytes; got > want {
		t.Errorf("got %d bytes, want at most the %d of before", got, want)
	}
}

// TestUpgradeLeavesParts: what ranges have brought stays behind. Nobody takes it for the whole: ranges are asked for, and gathered, anew.
func TestUpgradeLeavesParts(t *testing.T) {
	for _, vary := range []string{"", "Vary: Accept"} {
		from, to := newPolicy(t), newPolicy(t)
		pass(t, from, ranged("0-9"), part(0, 9, cacheable, strong, vary))
		mustServe(t, from, ranged("2-5"), alphabet[2:6], "bytes 2-5/26")
		if u := upgradeTo(t, from, to); u.got != 0 {
			t.Errorf("%q: got %d objects, want none", vary, u.got)
		}
		mustMiss(t, to, get("/a"))
		if got := pass(t, to, ranged("2-5"), part(2, 5, cacheable, strong, vary)); got != alphabet[2:6] {
			t.Errorf("%q: a range came as %q", vary, got)
		}
		mustServe(t, to, ranged("3-4"), alphabet[3:5], "bytes 3-4/26")
		mustServe(t, from, ranged("2-5"), alphabet[2:6], "bytes 2-5/26") // to who is still there
	}
}

// TestUpgradeDrops: what is invalidated in one process is gone in all, in either direction and over several.
func TestUpgradeDrops(t *testing.T) {
	first, second, third := newPolicy(t), newPolicy(t), newPolicy(t)
	for _, path := range []string{"/a", "/b", "/c"} {
		fetch(t, first, get(path), response(200, path, cacheable))
	}
	upgradeTo(t, first, second)
	upgradeTo(t, second, third)
	post := func(p *Policy, path string) {
		f := get(path)
		f.Request.Method = "POST"
		f.Origin.Message = &flow.Message{Status: 204}
		p.Invalidate(f)
	}
	gone := func(path string) {
		t.Helper()
		for i, p := range []*Policy{first, second, third} {
			for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
				var s spot
				f := get(path)
				if p.locate(&f.Request, &s); s.entry == nil {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("%s is still in process %d", path, i)
				}
			}
		}
	}
	post(first, "/a")
	gone("/a")
	post(third, "/b")
	gone("/b")
	mustHit(t, third, get("/c"), "/c")
	first.room.peers.tellAll(nil)
	second.room.objects.Delete(0)
	for end := time.Now().Add(10 * time.Second); third.room.Stats().Objects > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("objects are left after all were dropped")
		}
	}
}

// script writes what it is told to before each further object: it is the other side of a Send.
type script struct {
	bytes.Buffer
	writes int
	before func(write int)
}

func (s *script) Write(p []byte) (int, error) {
	s.writes++
	s.before(s.writes)
	return s.Buffer.Write(p)
}

func (s *script) Read([]byte) (int, error) { return 0, io.EOF }

// TestUpgradeWhileInvalidated: an object that is dropped while the others are sent does not come back, wherever the sending is.
func TestUpgradeWhileInvalidated(t *testing.T) {
	const objects = 20
	for drop := range 12 {
		from := newPolicy(t)
		for i := range objects {
			fetch(t, from, get(fmt.Sprintf("/%d", i)), response(200, strings.Repeat("x", 40<<10), cacheable))
		}
		s := &script{}
		s.before = func(write int) {
			if write == drop+1 {
				for i := range objects / 2 {
					from.drop(target{"zone", "https", "example.org", fmt.Sprintf("/%d", i), "", false, "", ""})
				}
			}
		}
		if err := from.room.Send(s, time.Minute); err != nil {
			t.Fatal(err)
		}
		if s.writes <= drop {
			t.Fatalf("got %d writes, want more than %d", s.writes, drop)
		}
		to, whole := newPolicy(t), 0
		if err := to.room.Receive(readOnly{&s.Buffer}, []string{"zone"}, func(n int) { whole = n }); err != nil {
			t.Fatal(err)
		}
		if whole < objects/2 {
			t.Errorf("got %d objects, want %d at least", whole, objects/2)
		}
		for i := range objects {
			if path := fmt.Sprintf("/%d", i); i < objects/2 {
				mustMiss(t, to, get(path))
			} else {
				mustHit(t, to, get(path), strings.Repeat("x", 40<<10))
			}
		}
	}
}

// readOnly is a stream whose other side does not listen.
type readOnly struct{ io.Reader }

func (readOnly) Write(p []byte) (int, error) { return len(p), nil }

func TestUpgradeForgetsAllItCannotTell(t *testing.T) {
	p := newPolicy(t)
	q := p.room.peers.add()
	for range mostUntold + 1 {
		p.drop(target{"zone", "https", "example.org", "/a", "", false, "", ""})
	}
	var sent bytes.Buffer
	w := newWriter(&sent, q)
	if err := w.drops(); err != nil {
		t.Fatal(err)
	}
	w.buffer.Flush()
	to := newPolicy(t)
	fetch(t, to, get("/b"), response(200, "b", cacheable))
	if err := to.room.Receive(readOnly{&sent}, nil, func(int) {}); err != nil {
		t.Fatal(err)
	}
	mustMiss(t, to, get("/b"))
}

func TestUpgradeBounds(t *testing.T) {
	from := newPolicy(t)
	for i := range 40 {
		fetch(t, from, get(fmt.Sprintf("/%d", i)), response(200, strings.Repeat("x", 100<<10), cacheable))
	}
	fetch(t, from, get("/large"), response(200, strings.Repeat("x", 1<<20), cacheable))
	for range 100 {
		mustHit(t, from, get("/7"), strings.Repeat("x", 100<<10))
	}
	t.Run("smaller", func(t *testing.T) {
		to := newPolicyOf(t, 2<<20, 128<<10, 10)
		u := upgradeTo(t, from, to)
		if n := to.room.Stats(); u.got < 10 || u.got > 15 || n.Bytes > to.room.size || n.Evictions > 0 {
			t.Errorf("got %d objects, %+v, want as many as fit", u.got, n)
		}
		mustMiss(t, to, get("/large"))
	})
	t.Run("another zone", func(t *testing.T) {
		to := newPolicy(t)
		var stream bytes.Buffer
		if err := from.room.Send(struct {
			io.Reader
			io.Writer
		}{strings.NewReader(""), &stream}, time.Minute); err != nil {
			t.Fatal(err)
		}
		got := -1
		if err := to.room.Receive(readOnly{&stream}, []string{"other"}, func(n int) { got = n }); err != nil || got != 0 {
			t.Errorf("got %d objects, %v, want none", got, err)
		}
	})
	t.Run("no time", func(t *testing.T) {
		a, b := net.Pipe()
		go func() {
			_ = from.room.Send(a, -time.Second)
		}()
		to, got := newPolicy(t), make(chan int, 1)
		go func() { _ = to.room.Receive(b, []string{"zone"}, func(n int) { got <- n }) }()
		if n := <-got; n != 0 {
			t.Errorf("got %d objects, want none", n)
		}
		a.Close()
	})
}

// TestUpgradeOfAnotherVersion: what another version writes beside, or does not know, is no harm.
func TestUpgradeOfAnotherVersion(t *testing.T) {
	type newer struct {
		Kind   kind
		Target place
		Status int
		Fields []flow.Field
		Body   []byte
		Tags   []string
	}
	var stream bytes.Buffer
	e := gob.NewEncoder(&stream)
	for _, r := range []newer{
		{Kind: 200, Tags: []string{"x"}},
		{Kind: kindObject, Target: place{Zone: "zone", Scheme: "https", Host: "example.org", Path: "/a"}, Status: 200, Body: []byte("a"), Tags: []string{"x"}},
		{Kind: kindWhole},
	} {
		if err := e.Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	to, got := newPolicy(t), -1
	if err := to.room.Receive(readOnly{&stream}, []string{"zone"}, func(n int) { got = n }); err != nil || got != 1 {
		t.Errorf("got %d objects, %v, want 1", got, err)
	}
}

// TestUpgradeBreaks: of a stream that breaks, what came whole stays.
func TestUpgradeBreaks(t *testing.T) {
	from := newPolicy(t)
	for i := range 10 {
		fetch(t, from, get(fmt.Sprintf("/%d", i)), response(200, strings.Repeat("x", 1<<10), cacheable))
	}
	var stream bytes.Buffer
	if err := from.room.Send(struct {
		io.Reader
		io.Writer
	}{strings.NewReader(""), &stream}, time.Minute); err != nil {
		t.Fatal(err)
	}
	whole := stream.Bytes()
	before := 0
	for cut := 0; cut < len(whole); cut += 97 {
		to, got := newPolicy(t), -1
		err := to.room.Receive(readOnly{bytes.NewReader(whole[:cut])}, []string{"zone"}, func(n int) { got = n })
		if got < before || got != to.room.Stats().Objects || got > 10 {
			t.Errorf("cut at %d: got %d objects, %d stored, %v", cut, got, to.room.Stats().Objects, err)
		}
		before = got
	}
	if before < 9 {
		t.Errorf("got %d objects at the most, want nearly all", before)
	}
}

func FuzzReceive(f *testing.F) {
	from := newPolicyOf(f, 1<<20, 1<<18, 10)
	from.room.objects.Set(1, newEntry(target{zone: "zone", host: "example.org", path: "/a"}, &httpcache.Metadata{Status: 200}, 200, nil, 1))
	var stream bytes.Buffer
	if err := from.room.Send(struct {
		io.Reader
		io.Writer
	}{strings.NewReader(""), &stream}, time.Minute); err != nil {
		f.Fatal(err)
	}
	f.Add(stream.Bytes())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, stream []byte) {
		to := newPolicyOf(t, 1<<20, 1<<18, 10)
		called := 0
		_ = to.room.Receive(readOnly{bytes.NewReader(stream)}, []string{"zone"}, func(int) { called++ })
		if n := to.room.Stats(); called != 1 || n.Bytes > 1<<20 {
			t.Errorf("got whole called %d times, %+v", called, n)
		}
	})
}

func BenchmarkUpgrade(b *testing.B) {
	from := newPolicyOf(b, 256<<20, 1<<20, 10)
	for i := range 10_000 {
		t := target{zone: "zone", scheme: "https", host: "example.org", path: fmt.Sprintf("/%d", i)}
		e := newEntry(t, &httpcache.Metadata{Status: 200}, 200, lines("Content-Type: text/html", `ETag: "abc"`, cacheable), 1)
		e.complete(make([]byte, 8<<10))
		from.room.objects.Set(from.room.key(from.basis, &t), e)
	}
	b.ReportAllocs()
	b.SetBytes(10_000 * 8 << 10)
	for b.Loop() {
		u, v := net.Pipe()
		go func() { _ = from.room.Send(u, time.Minute) }()
		to := newPolicyOf(b, 256<<20, 1<<20, 10)
		_ = to.room.Receive(v, []string{"zone"}, func(int) { u.Close() })
	}
}
