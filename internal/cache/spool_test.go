package cache

import (
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// large is a body that memory does not take, of which no two blocks are alike.
func large(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteString(time.Duration(i).String())
	}
	return b.String()[:n]
}

// newLargePolicy has a disk that takes more than memory.
func newLargePolicy(t testing.TB, folder string) *Policy {
	t.Helper()
	p := newDiskPolicyOf(t, spec.Memory{
		Size: testSize, Object: testObject, Disk: spec.Disk{Path: folder, Size: 128 << 20, Object: 4 * testObject, Objects: 10_000},
	})
	synctest.Wait()
	return p
}

// A response too large for memory is served from the disk: whole, in ranges, and by the next process. Memory has none of it.
func TestSpool(t *testing.T) {
	withDisk(t, func(t *testing.T, folder string) {
		p, body := newLargePolicy(t, folder), large(3*testObject)
		f := get("/")
		if got := fetch(t, p, f, response(200, body, cacheable, "X-Of: disk")); got != body || !f.Cache.Stored {
			t.Fatalf("got %d bytes, stored %v (%s), want %d stored", len(got), f.Cache.Stored, f.Cache.Reason, len(body))
		}
		synctest.Wait()
		for range 2 {
			f := get("/")
			mustServeDisk(t, p, f, body)
			if m := f.Message(); m.Length != int64(len(body)) || flow.Get(m.Fields, "x-of") != "disk" || f.Cache.Status != flow.Hit {
				t.Errorf("got length %d, %v, %v, want a hit", m.Length, m.Fields, f.Cache.Status)
			}
			f = get("/", "Range: bytes=100000-299999")
			run(p, f, nil)
			f.Message().Stream.(flow.Parted).Part(100_000, 200_000)
			if got, err := read(f); err != nil || got != body[100_000:300_000] {
				t.Errorf("a part: got %d bytes, %v, want 200000", len(got), err)
			}
			if s := p.room.Stats(); s.Filling != 0 || s.Bytes > 100_000 {
				t.Errorf("memory: got %d bytes for fetches and %d for objects, want none of the body", s.Filling, s.Bytes)
			}
			p.room.CloseDisk()
			p = newLargePolicy(t, folder)
		}
	})
}

// Who comes while it comes in reads along, at his own speed; there is one fetch, and memory for one block each.
func TestSpoolShared(t *testing.T) {
	withDisk(t, func(t *testing.T, folder string) {
		p, body := newLargePolicy(t, folder), large(2*testObject)
		origin := newScripted(nil)
		first := get("/")
		run(p, first, func(f *flow.Flow) (*flow.Message, *flow.Refusal) {
			origin.abort = f.Abort
			origin.steps <- step{data: body[:1000]}
			return &flow.Message{Status: 200, Fields: lines(cacheable), Length: int64(len(body)), Stream: origin}, nil
		})
		if piece, err := first.Message().Stream.Next(); err != nil || string(piece) != body[:1000] {
			t.Fatalf("the first piece: got %d bytes, %v, while the rest is still to come", len(piece), err)
		}
		second := get("/")
		if got := run(p, second, nil); got != Served || !second.Cache.Collapsed {
			t.Fatalf("the second: got %v (%s), want it collapsed", got, second.Cache.Reason)
		}
		for at := 1000; at < len(body); at += 100_000 {
			origin.steps <- step{data: body[at:min(at+100_000, len(body))]}
		}
		origin.steps <- step{err: io.EOF}
		synctest.Wait()
		if s := p.room.Stats(); s.Filling > 2*64<<10 {
			t.Errorf("two who have not read it yet hold %d bytes, want a block each", s.Filling)
		}
		if got, err := read(second); err != nil || got != body {
			t.Errorf("the second: got %d bytes, %v, want %d", len(got), err, len(body))
		}
		if got, err := read(first); err != nil || got != body[1000:] {
			t.Errorf("the first: got %d bytes more, %v, want %d", len(got), err, len(body)-1000)
		}
		mustServeDisk(t, p, get("/"), body)
		if s := p.room.Stats(); s.Filling != 0 {
			t.Errorf("filling: got %d, want 0", s.Filling)
		}
	})
}

// What breaks off, is purged, or loses its only client is not kept, and leaves no file.
func TestSpoolDropped(t *testing.T) {
	body := large(2 * testObject)
	tests := map[string]func(p *Policy, f *flow.Flow, origin *scripted){
		"broken off": func(_ *Policy, _ *flow.Flow, origin *scripted) { origin.steps <- step{err: io.ErrUnexpectedEOF} },
		"client gone": func(_ *Policy, f *flow.Flow, origin *scripted) {
			f.Message().Stream.Close()
			origin.steps <- step{err: io.ErrUnexpectedEOF}
		},
		"invalidated": func(p *Policy, _ *flow.Flow, origin *scripted) {
			g := get("/")
			g.Request.Method = "POST"
			g.Origin.Message = response(200, "")
			p.Invalidate(g)
			origin.steps <- step{data: body[1000:]}
			origin.steps <- step{err: io.EOF}
		},
	}
	for name, do := range tests {
		t.Run(name, func(t *testing.T) {
			withDisk(t, func(t *testing.T, folder string) {
				p, origin, f := newLargePolicy(t, folder), newScripted(nil), get("/")
				run(p, f, func(f *flow.Flow) (*flow.Message, *flow.Refusal) {
					origin.abort = f.Abort
					origin.steps <- step{data: body[:1000]}
					return &flow.Message{Status: 200, Fields: lines(cacheable), Length: int64(len(body)), Stream: origin}, nil
				})
				do(p, f, origin)
				synctest.Wait()
				f.Message().Stream.Close()
				mustFetch(t, p, get("/"))
				if left, _ := filepath.Glob(filepath.Join(folder, "*.part")); len(left) > 0 || p.room.Stats().Filling != 0 {
					t.Errorf("left %v, and %d bytes in memory, want nothing", left, p.room.Stats().Filling)
				}
			})
		})
	}
}

// What is too large for the disk, or does not say how long it is, passes.
func TestSpoolRefused(t *testing.T) {
	withDisk(t, func(t *testing.T, folder string) {
		p := newLargePolicy(t, folder)
		f := get("/")
		if got := fetch(t, p, f, response(200, large(4*testObject+1), cacheable)); len(got) != 4*testObject+1 || f.Cache.Stored || f.Cache.Reason != tooLarge {
			t.Errorf("got %d bytes, stored %v, %q, want it passed as too large", len(got), f.Cache.Stored, f.Cache.Reason)
		}
	})
}

// If the disk fails under a fetch, nobody who reads it notices: the rest comes by way of memory, bounded.
func TestSpoolFails(t *testing.T) {
	withDisk(t, func(t *testing.T, folder string) {
		p, body := newLargePolicy(t, folder), large(3*windowSize)
		fl := p.room.newFill(1)
		fl.body.spool = p.room.disk.Load().Spool(100_000) // and not a byte more
		e := entryOf(target{}, &httpcache.Metadata{Status: 200}, 200, nil, 0)
		rd := fl.begin(answer{entry: e}, 1, int64(len(body)), &flow.Abort{}, nil)
		go func() {
			for rest := body; rest != ""; {
				n := min(len(rest), 60_000)
				if !fl.add([]byte(rest[:n]), n == len(rest)) {
					t.Error("the fetch was given up")
				}
				rest = rest[n:]
			}
			fl.finish(io.EOF)
		}()
		synctest.Wait()
		if have := fl.body.have(); have > 2*windowSize {
			t.Errorf("the fetch is %d bytes ahead of its reader, want about %d", have, windowSize)
		}
		f := get("/")
		f.Cache.Message = fl.message(rd)
		if got, err := read(f); err != nil || got != body {
			t.Errorf("got %d bytes, %v, want all %d", len(got), err, len(body))
		}
		synctest.Wait()
		if left, _ := filepath.Glob(filepath.Join(folder, "*.part")); len(left) > 0 || p.room.Stats().Filling != 0 {
			t.Errorf("left %v, and %d bytes in memory, want nothing", left, p.room.Stats().Filling)
		}
	})
}

// A fetch that goes to the disk when the folder changes hands goes on for those who read it, and is not kept.
func TestSpoolUpgrade(t *testing.T) {
	withDisk(t, func(t *testing.T, folder string) {
		p, body := newLargePolicy(t, folder), large(2*testObject)
		origin, f := newScripted(nil), get("/")
		run(p, f, func(f *flow.Flow) (*flow.Message, *flow.Refusal) {
			origin.abort = f.Abort
			origin.steps <- step{data: body[:100_000]}
			return &flow.Message{Status: 200, Fields: lines(cacheable), Length: int64(len(body)), Stream: origin}, nil
		})
		p.room.CloseDisk()
		next := newLargePolicy(t, folder)
		origin.steps <- step{data: body[100_000:]}
		origin.steps <- step{err: io.EOF}
		synctest.Wait()
		if got, err := read(f); err != nil || got != body {
			t.Errorf("got %d bytes, %v, want all %d", len(got), err, len(body))
		}
		mustFetch(t, next, get("/"))
		if left, _ := filepath.Glob(filepath.Join(folder, "*.part")); len(left) > 0 || p.room.Stats().Filling != 0 {
			t.Errorf("left %v, and %d bytes in memory, want nothing", left, p.room.Stats().Filling)
		}
	})
}
