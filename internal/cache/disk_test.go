package cache

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/cache/store"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// newDiskPolicy makes a room with a folder on the disk, which may have been another room's. It is closed at the end.
func newDiskPolicy(t testing.TB, folder string) *Policy {
	t.Helper()
	return newDiskPolicyOf(t, spec.Memory{
		Size: testSize, Object: testObject, Disk: spec.Disk{Path: folder, Size: 64 << 20, Object: testObject, Objects: 10_000},
	})
}

func newDiskPolicyOf(t testing.TB, m spec.Memory) *Policy {
	t.Helper()
	room, err := New(&spec.Node{Cache: m})
	if err != nil {
		t.Fatal(err)
	}
	if err := room.OpenDisk(slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(room.CloseDisk)
	return compile(t, room, "zone", 1000)
}

// withDisk runs a test in a bubble, where waiting for the disk's writer takes no time.
func withDisk(t *testing.T, test func(t *testing.T, folder string)) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "cache")
	synctest.Test(t, func(t *testing.T) { test(t, folder) })
}

// restart closes a policy's folder and has another room open it.
func restart(t *testing.T, p *Policy, folder string) *Policy {
	t.Helper()
	p.room.CloseDisk()
	next := newDiskPolicy(t, folder)
	synctest.Wait()
	return next
}

// mustServeDisk checks that a flow is answered without a fetch.
func mustServeDisk(t *testing.T, p *Policy, f *flow.Flow, want string) {
	t.Helper()
	if got := run(p, f, func(*flow.Flow) (*flow.Message, *flow.Refusal) {
		t.Errorf("%s: fetched, want it served", f.Request.Path)
		return response(200, "fetched", "Cache-Control: no-store"), nil
	}); got != Served {
		t.Fatalf("%s: got %v, %v (%s), want served", f.Request.Path, got, f.Cache.Status, f.Cache.Reason)
	}
	body, err := read(f)
	if err != nil || body != want {
		t.Fatalf("%s: got %d bytes, %v, want %d", f.Request.Path, len(body), err, len(want))
	}
}

// mustFetch checks that a flow is left to the origin.
func mustFetch(t *testing.T, p *Policy, f *flow.Flow) {
	t.Helper()
	fetched := false
	run(p, f, func(*flow.Flow) (*flow.Message, *flow.Refusal) {
		fetched = true
		return response(200, "fetched", "Cache-Control: no-store"), nil
	})
	if !fetched {
		t.Fatalf("%s: got %v (%s), want it fetched", f.Request.Path, f.Cache.Status, f.Cache.Reason)
	}
}

func TestDiskOutlivesRestart(t *testing.T) {
	sizes := map[string]int{"/empty": 0, "/small": 1000, "/prompt": promptRead, "/middle": promptRead + 1, "/large": streamFrom + 1, "/largest": testObject}
	withDisk(t, func(t *testing.T, folder string) {
		p := newDiskPolicy(t, folder)
		synctest.Wait()
		for path, n := range sizes {
			fetch(t, p, get(path), response(200, strings.Repeat("x", n), cacheable, "X-Of: "+path))
		}
		synctest.Wait()
		p = restart(t, p, folder)
		for path, n := range sizes {
			f := get(path)
			mustServeDisk(t, p, f, strings.Repeat("x", n))
			if m := f.Message(); m.Status != 200 || flow.Get(m.Fields, "x-of") != path || m.Length != int64(n) || f.Cache.Status != flow.Hit {
				t.Errorf("%s: got status %d, length %d, %v, %v", path, m.Status, m.Length, m.Fields, f.Cache.Status)
			}
			if m := f.Message(); (m.Stream != nil) != (n > streamFrom) {
				t.Errorf("%s: in memory: %v, of %d bytes", path, m.Stream == nil, n)
			}
			if n <= streamFrom {
				mustHit(t, p, get(path), strings.Repeat("x", n))
			}
		}
		if got := p.room.Stats(); got.Filling != 0 {
			t.Errorf("filling: got %d, want 0", got.Filling)
		}
		mustFetch(t, p, get("/other"))
	})
}

// The time that an object lay on the disk counts for its age.
func TestDiskAge(t *testing.T) {
	withDisk(t, func(t *testing.T, folder string) {
		p := newDiskPolicy(t, folder)
		fetch(t, p, get("/"), response(200, "x", "Cache-Control: max-age=60", `ETag: "1"`))
		synctest.Wait()
		time.Sleep(40 * time.Second)
		p = restart(t, p, folder)
		f := get("/")
		mustServeDisk(t, p, f, "x")
		if f.Cache.Age != 40*time.Second || f.Cache.TTL != 20*time.Second {
			t.Errorf("got age %v and TTL %v, want 40s and 20s", f.Cache.Age, f.Cache.TTL)
		}
	})
}

// A 304 has but the news written. The next process finds them, with the body from before.
func TestDiskConfirmed(t *testing.T) {
	withDisk(t, func(t *testing.T, folder string) {
		p, body := newDiskPolicy(t, folder), strings.Repeat("x", promptRead)
		fetch(t, p, get("/"), response(200, body, "Cache-Control: max-age=60", `ETag: "1"`))
		synctest.Wait()
		for i := range 3 {
			time.Sleep(2 * time.Minute)
			before := p.room.Stats().Disk.Bytes
			f := get("/")
			run(p, f, func(*flow.Flow) (*flow.Message, *flow.Refusal) {
				return response(304, "", "Cache-Control: max-age=60", `ETag: "1"`, "X-Turn: "+string(rune('a'+i))), nil
			})
			if got, err := read(f); err != nil || got != body || f.Cache.Status != flow.Revalidated {
				t.Fatalf("got %d bytes, %v, %v, want it revalidated", len(got), err, f.Cache.Status)
			}
			synctest.Wait()
			if wrote := p.room.Stats().Disk.Bytes - before; wrote == 0 || wrote > 2000 {
				t.Errorf("the 304 had %d bytes written, want no more than what is new", wrote)
			}
		}
		time.Sleep(30 * time.Second)
		p = restart(t, p, folder)
		f := get("/")
		mustServeDisk(t, p, f, body)
		if got := flow.Get(f.Message().Fields, "x-turn"); got != "c" || f.Cache.Age != 30*time.Second {
			t.Errorf("got turn %q and age %v, want c and 30s", got, f.Cache.Age)
		}
	})
}

// RFC 9111 §4.3.5: what a HEAD tells of the stored response holds on the disk, too.
func TestDiskHead(t *testing.T) {
	body := strings.Repeat("x", 100_000)
	for _, tt := range []struct {
		name   string
		fields []string
		turn   string // of what the next process has, "" for nothing
	}{
		{"confirmed", []string{`ETag: "1"`, cacheable, "X-Turn: b"}, "b"},
		{"another", []string{`ETag: "2"`, cacheable}, ""},
		{"no longer to be stored", []string{`ETag: "1"`, "Cache-Control: no-store"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			withDisk(t, func(t *testing.T, folder string) {
				p := newDiskPolicy(t, folder)
				p.http.RequestDirectives = true
				fetch(t, p, get("/"), response(200, body, cacheable, `ETag: "1"`, "X-Turn: a"))
				synctest.Wait()
				before := p.room.Stats().Disk.Bytes
				head := get("/", "Cache-Control: no-cache")
				head.Request.Method = "HEAD"
				run(p, head, func(*flow.Flow) (*flow.Message, *flow.Refusal) {
					return &flow.Message{Status: 200, Fields: lines(tt.fields...)}, nil
				})
				p.Learn(head)
				synctest.Wait()
				if wrote := p.room.Stats().Disk.Bytes - before; wrote > 2000 {
					t.Errorf("%d bytes were written, want no body", wrote)
				}
				if tt.turn == "" {
					mustFetch(t, p, get("/"))
				}
				p = restart(t, p, folder)
				f := get("/")
				if tt.turn == "" {
					mustFetch(t, p, f)
					return
				}
				mustServeDisk(t, p, f, body)
				if got := flow.Get(f.Message().Fields, "x-turn"); got != tt.turn {
					t.Errorf("got turn %q, want %q", got, tt.turn)
				}
			})
		})
	}
}

// A stale object serves validation, and stands in for an origin that is gone, as one in memory.
func TestDiskStale(t *testing.T) {
	for _, size := range []int{10, promptRead + 1, streamFrom + 1} {
		body := strings.Repeat("x", size)
		withDisk(t, func(t *testing.T, folder string) {
			p := newDiskPolicy(t, folder)
			fetch(t, p, get("/"), response(200, body, "Cache-Control: max-age=60", `ETag: "1"`))
			synctest.Wait()
			time.Sleep(time.Hour)
			p = restart(t, p, folder)
			f := get("/")
			run(p, f, func(f *flow.Flow) (*flow.Message, *flow.Refusal) {
				return nil, &flow.Refusal{Reason: flow.OriginUnreachable, Status: 502}
			})
			if got, err := read(f); got != body || err != nil || f.Cache.Status != flow.Stale {
				t.Errorf("%d bytes, origin gone: got %d bytes, %v, %v, want stale", size, len(got), err, f.Cache.Status)
			}
			f = get("/")
			run(p, f, func(f *flow.Flow) (*flow.Message, *flow.Refusal) {
				if flow.Get(f.Cache.Validators, "if-none-match") != `"1"` {
					t.Errorf("validators: got %v", f.Cache.Validators)
				}
				return response(304, "", "Cache-Control: max-age=60", `ETag: "1"`), nil
			})
			if got, err := read(f); got != body || err != nil || f.Cache.Status != flow.Revalidated {
				t.Errorf("%d bytes, 304: got %d bytes, %v, %v, want revalidated", size, len(got), err, f.Cache.Status)
			}
			synctest.Wait()
			p = restart(t, p, folder)
			mustServeDisk(t, p, get("/"), body)
		})
	}
}

func TestDiskVary(t *testing.T) {
	withDisk(t, func(t *testing.T, folder string) {
		p := newDiskPolicy(t, folder)
		languages := []string{"de", "en", "fr"}
		for _, l := range languages {
			fetch(t, p, get("/", "Accept-Language: "+l), response(200, "in "+l, cacheable, "Vary: Accept-Language"))
		}
		synctest.Wait()
		for range 2 {
			p = restart(t, p, folder)
			for _, l := range languages {
				mustServeDisk(t, p, get("/", "Accept-Language: "+l), "in "+l)
			}
			mustMiss(t, p, get("/", "Accept-Language: other"))
			another := "x-" + itoa(len(languages))
			fetch(t, p, get("/", "Accept-Language: "+another), response(200, "in "+another, cacheable, "Vary: Accept-Language"))
			languages = append(languages, another)
			synctest.Wait()
		}

		// With the target, all variants are dropped, those too that memory has not seen.
		p = restart(t, p, folder)
		invalidate(p, "/")
		for _, l := range languages {
			mustFetch(t, p, get("/", "Accept-Language: "+l))
		}
		p = restart(t, p, folder)
		for _, l := range languages {
			mustFetch(t, p, get("/", "Accept-Language: "+l))
		}
	})
}

// A marker that the disk has lost, for want of room, is written again with the next variant: those that memory has are found by way of it.
func TestDiskMarkerLost(t *testing.T) {
	withDisk(t, func(t *testing.T, folder string) {
		p := newDiskPolicy(t, folder)
		fetch(t, p, get("/", "Accept: a"), response(200, "a", cacheable, "Vary: Accept"))
		synctest.Wait()
		d, tg := p.room.disk.Load(), p.target(&get("/").Request)
		d.Delete(diskKey(d, &tg, 0, ""))
		fetch(t, p, get("/", "Accept: b"), response(200, "b", cacheable, "Vary: Accept"))
		synctest.Wait()
		p = restart(t, p, folder)
		mustServeDisk(t, p, get("/", "Accept: a"), "a")
		mustServeDisk(t, p, get("/", "Accept: b"), "b")
	})
}

// invalidate sends a POST that the origin has answered.
func invalidate(p *Policy, path string) {
	f := get(path)
	f.Request.Method = "POST"
	f.Origin.Message = response(200, "")
	p.Invalidate(f)
}

// What was dropped, superseded or refreshed does not come back, whenever the process is killed: what a folder has at that moment is what the
// next process finds.
func TestDiskForgets(t *testing.T) {
	const old = "old"
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, p *Policy)
		want string // "" if it is to be fetched
	}{
		{"nothing", func(*testing.T, *Policy) {}, old},
		{"POST", func(_ *testing.T, p *Policy) { invalidate(p, "/") }, ""},
		{"POST, out of memory", func(_ *testing.T, p *Policy) { p.room.objects.Clear(); invalidate(p, "/") }, ""},
		{"no-store", func(t *testing.T, p *Policy) {
			time.Sleep(time.Hour)
			fetch(t, p, get("/"), response(200, "private", "Cache-Control: no-store"))
		}, ""},
		{"new, not yet written", func(t *testing.T, p *Policy) {
			time.Sleep(time.Hour)
			p.room.disk.Load().Close() // so that nothing is written
			fetch(t, p, get("/"), response(200, "new", cacheable))
		}, ""},
		{"new", func(t *testing.T, p *Policy) {
			time.Sleep(time.Hour)
			fetch(t, p, get("/"), response(200, "new", cacheable))
		}, "new"},
		{"new with Vary", func(t *testing.T, p *Policy) {
			time.Sleep(time.Hour)
			fetch(t, p, get("/"), response(200, "new", cacheable, "Vary: Accept"))
		}, "new"},
		{"304 with other validators", func(t *testing.T, p *Policy) {
			time.Sleep(time.Hour)
			fetch(t, p, get("/"), response(304, "", `ETag: "2"`))
		}, ""},
		{"everything", func(_ *testing.T, p *Policy) { p.room.clearDisk() }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			withDisk(t, func(t *testing.T, folder string) {
				p := newDiskPolicy(t, folder)
				fetch(t, p, get("/"), response(200, old, "Cache-Control: max-age=600", `ETag: "1"`))
				synctest.Wait()
				tt.do(t, p)
				synctest.Wait()
				next := newDiskPolicy(t, killed(t, folder))
				synctest.Wait()
				if tt.want == "" {
					mustFetch(t, next, get("/"))
				} else {
					mustServeDisk(t, next, get("/"), tt.want)
				}
			})
		})
	}
}

// killed is a folder as a process leaves it that is killed now.
func killed(t *testing.T, folder string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	return to
}

// What memory has let go is read from the disk, within the same process.
func TestDiskBelowMemory(t *testing.T) {
	withDisk(t, func(t *testing.T, folder string) {
		p := newDiskPolicy(t, folder)
		for i := range 300 {
			fetch(t, p, get("/"+itoa(i)), response(200, strings.Repeat(itoa(i%10), 100_000), cacheable))
			synctest.Wait()
		}
		if got := p.room.Stats(); got.Objects > 200 || got.Disk.Objects != 300 {
			t.Fatalf("got %d objects in memory and %d on the disk, want fewer than 200 and all 300", got.Objects, got.Disk.Objects)
		}
		for i := range 300 {
			mustServeDisk(t, p, get("/"+itoa(i)), strings.Repeat(itoa(i%10), 100_000))
		}
		if got := p.room.Stats().Disk.Hits; got == 0 {
			t.Error("nothing was read from the disk")
		}
	})
}

// HEAD, Range and only-if-cached are answered from the disk where memory would have.
func TestDiskOtherRequests(t *testing.T) {
	for _, size := range []int{1000, promptRead + 1, streamFrom + 1} {
		body := strings.Repeat("x", size)
		for _, tt := range []struct {
			name   string
			change func(f *flow.Flow)
		}{
			{"HEAD", func(f *flow.Flow) { f.Request.Method = "HEAD" }},
			{"Range", func(f *flow.Flow) { f.Request.Fields = lines("Range: bytes=1-2") }},
			{"only-if-cached", func(f *flow.Flow) { f.Request.Fields = lines("Cache-Control: only-if-cached") }},
		} {
			t.Run(tt.name+" "+itoa(size), func(t *testing.T) {
				withDisk(t, func(t *testing.T, folder string) {
					p := newDiskPolicy(t, folder)
					fetch(t, p, get("/"), response(200, body, "Cache-Control: max-age=60"))
					synctest.Wait()
					p = restart(t, p, folder)
					f := get("/")
					tt.change(f)
					mustServeDisk(t, p, f, body)
					time.Sleep(time.Hour)
					f = get("/")
					tt.change(f)
					if p = restart(t, p, folder); tt.name == "only-if-cached" {
						if run(p, f, nil) != Served || f.Cache.Refusal == nil || f.Cache.Refusal.Reason != flow.OnlyIfCached {
							t.Errorf("stale: got %v, %v", f.Cache.Status, f.Cache.Refusal)
						}
					} else {
						mustFetch(t, p, f)
					}
				})
			})
		}
	}
}

// Many who ask for one object that has to be read cause one read.
func TestDiskReadsOnce(t *testing.T) {
	withDisk(t, func(t *testing.T, folder string) {
		body := strings.Repeat("x", promptRead+1)
		p := newDiskPolicy(t, folder)
		fetch(t, p, get("/"), response(200, body, cacheable))
		synctest.Wait()
		p = restart(t, p, folder)
		for range cap(p.room.tier.slots) {
			p.room.tier.slots <- struct{}{} // the disk is busy
		}
		served := make(chan string, 100)
		for range 100 {
			go func() {
				f := get("/")
				p.Lookup(f)
				if f.Cache.Message == nil && p.Join(f) != Served {
					served <- "not served"
					return
				}
				got, _ := read(f)
				served <- got
			}()
		}
		synctest.Wait()
		for range cap(p.room.tier.slots) {
			<-p.room.tier.slots
		}
		for range 100 {
			if got := <-served; got != body {
				t.Errorf("got %d bytes, want %d", len(got), len(body))
			}
		}
		if got := p.room.Stats().Disk.Hits; got != 1 {
			t.Errorf("got %d reads, want 1", got)
		}
	})
}

// A disk that does not answer holds a request up for as long as a slow fetch would, and a client that leaves not at all.
func TestDiskHangs(t *testing.T) {
	for _, size := range []int{promptRead + 1, streamFrom + 1} {
		withDisk(t, func(t *testing.T, folder string) {
			p := newDiskPolicy(t, folder)
			fetch(t, p, get("/"), response(200, strings.Repeat("x", size), cacheable))
			synctest.Wait()
			p = restart(t, p, folder)
			for range cap(p.room.tier.slots) {
				p.room.tier.slots <- struct{}{}
			}
			start := time.Now()
			f := get("/")
			mustFetch(t, p, f)
			if took := time.Since(start); took < headWait || took > 2*headWait {
				t.Errorf("%d bytes: fetched after %v, want %v to twice that", size, took, headWait)
			}
			f = get("/")
			p.Lookup(f)
			left := make(chan Outcome)
			go func() { left <- p.Join(f) }()
			synctest.Wait()
			f.Abort.Fire()
			start = time.Now()
			if <-left; time.Since(start) > 0 {
				t.Errorf("%d bytes: a client that left waited for %v", size, time.Since(start))
			}
			p.Abandon(f)
			for range cap(p.room.tier.slots) {
				<-p.room.tier.slots
			}
			synctest.Wait()
			if got := p.room.Stats().Filling; got != 0 {
				t.Errorf("%d bytes: filling: got %d, want 0", size, got)
			}
		})
	}
}

// A damaged object is fetched anew; in the middle of a large one, the client is told that it has not got all.
func TestDiskDamaged(t *testing.T) {
	for _, size := range []int{1000, promptRead + 1, streamFrom + 1} {
		withDisk(t, func(t *testing.T, folder string) {
			p := newDiskPolicy(t, folder)
			fetch(t, p, get("/"), response(200, strings.Repeat("x", size), cacheable))
			synctest.Wait()
			p.room.CloseDisk()
			segments, _ := filepath.Glob(filepath.Join(folder, "*.segment"))
			text, err := os.ReadFile(segments[0])
			if err != nil {
				t.Fatal(err)
			}
			text[strings.LastIndex(string(text), "xxxxxxxx")]++
			if err := os.WriteFile(segments[0], text, 0o600); err != nil {
				t.Fatal(err)
			}
			p = newDiskPolicy(t, folder)
			synctest.Wait()
			f := get("/")
			if size > streamFrom {
				run(p, f, nil)
				if got, err := read(f); err == nil || len(got) >= size {
					t.Errorf("got %d bytes, %v, want an error before the end", len(got), err)
				}
			}
			mustFetch(t, p, get("/"))
		})
	}
}

// At an upgrade, what one process drops while the other opens the folder is not found by it.
func TestDiskUpgrade(t *testing.T) {
	withDisk(t, func(t *testing.T, folder string) {
		p := newDiskPolicy(t, folder)
		fetch(t, p, get("/a"), response(200, "a", cacheable))
		fetch(t, p, get("/b", "Accept: x"), response(200, "b", cacheable, "Vary: Accept"))
		synctest.Wait()
		p.room.CloseDisk()
		invalidate(p, "/a")
		next := newDiskPolicy(t, folder)
		synctest.Wait()
		mustFetch(t, next, get("/a"))
		mustServeDisk(t, next, get("/b", "Accept: x"), "b")
		fetch(t, p, get("/c"), response(200, "c", cacheable)) // in the old process, which serves its last requests from memory
		mustHit(t, p, get("/c"), "c")
	})
}

func TestNewRefusesDisk(t *testing.T) {
	for _, d := range []spec.Disk{
		{Path: "x", Size: store.MinSize - 1, Object: 1, Objects: 1},
		{Path: "x", Size: store.MinSize, Object: 0, Objects: 1},
		{Path: "x", Size: store.MinSize, Object: 1, Objects: 0},
	} {
		if _, err := New(&spec.Node{Cache: spec.Memory{Size: testSize, Object: testObject, Disk: d}}); err == nil || !strings.Contains(err.Error(), "cache.disk") {
			t.Errorf("%+v: got %v, want an error that names cache.disk", d, err)
		}
	}
}
