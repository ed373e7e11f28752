package cache

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// survivorsOn makes a policy that keeps survival copies in a folder on the disk. It is closed at the end.
func survivorsOn(t testing.TB, folder string, size spec.Size) *Policy {
	t.Helper()
	room, err := New(&spec.Node{Cache: spec.Memory{
		Size: testSize, Object: testObject, Disk: spec.Disk{Path: folder, Size: size, Object: testObject, Objects: 10_000},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := room.OpenDisk(slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(room.CloseDisk)
	z := spec.DefaultZone()
	z.Name = "zone"
	z.Cache.Survive = 24 * time.Hour
	p, err := room.Compile(&z)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return p
}

// restartSurvivors closes a policy's folder and has another room open it.
func restartSurvivors(t testing.TB, p *Policy, folder string, size spec.Size) *Policy {
	t.Helper()
	synctest.Wait()
	p.room.CloseDisk()
	return survivorsOn(t, folder, size)
}

// survives checks whether there is a copy of a page for when the origin is down.
func survives(t *testing.T, p *Policy, what, target string, want bool) {
	t.Helper()
	f := get(target)
	run(p, f, down)
	if got := f.Message() != nil; got != want {
		t.Errorf("%s: got a copy of %s: %t (%s), want %t", what, target, got, f.Cache.Reason, want)
	}
}

// TestCopiesOutliveRestart: with their ages, of what passes and of what is stored, too.
func TestCopiesOutliveRestart(t *testing.T) {
	pages := map[string][]string{"/silent": nil, "/cookie": {"Set-Cookie: a=b"}, "/checked": {"Cache-Control: no-cache", `ETag: "1"`}, "/large": nil}
	body := func(target string) string {
		if target == "/large" {
			return strings.Repeat("x", streamFrom+1)
		}
		return "page " + target
	}
	withDisk(t, func(t *testing.T, folder string) {
		p := survivorsOn(t, folder, 64<<20)
		for target, fields := range pages {
			fetch(t, p, get(target), response(200, body(target), fields...))
		}
		fetch(t, p, get("/secret"), response(200, "secret", "Cache-Control: no-store"))
		fetch(t, p, get("/mine", "Cookie: a=b"), response(200, "mine"))
		time.Sleep(time.Hour)
		p = restartSurvivors(t, p, folder, 64<<20)
		for target := range pages {
			f := get(target, "Cookie: a=b")
			run(p, f, down)
			if m := f.Message(); m == nil || string(m.Body) != body(target) || f.Cache.Status != flow.Stale || f.Cache.Age < time.Hour {
				t.Errorf("%s: got %v, %v old (%s), want the copy", target, f.Cache.Status, f.Cache.Age, f.Cache.Reason)
			} else if flow.Get(m.Fields, "set-cookie") != "" {
				t.Errorf("%s: got a cookie, want none", target)
			}
		}
		survives(t, p, "no-store", "/secret", false)
		survives(t, p, "asked for with a cookie", "/mine", false)
		if got := p.room.Stats(); got.Copies.Objects != len(pages) || got.Copies.Hits != uint64(len(pages)) || got.Filling != 0 {
			t.Errorf("got %+v, filling %d, want %d copies, each read once", got.Copies, got.Filling, len(pages))
		}
		time.Sleep(24 * time.Hour)
		survives(t, restartSurvivors(t, p, folder, 64<<20), "too old", "/silent", false)
	})
}

// TestCopiesDropped: what is purged, in whatever way, or invalidated has no copy on the disk either, be that before a restart or after it.
func TestCopiesDropped(t *testing.T) {
	drops := map[string]func(p *Policy){
		"all":    func(p *Policy) { p.Purge(Purge{Scope: PurgeAll}) },
		"host":   func(p *Policy) { p.Purge(Purge{Scope: PurgeHost, Host: "example.org"}) },
		"prefix": func(p *Policy) { p.Purge(Purge{Scope: PurgePrefix, Host: "example.org", Path: "/a"}) },
		"url":    func(p *Policy) { p.Purge(Purge{Scope: PurgeURL, Host: "example.org", Path: "/a"}) },
		"tag":    func(p *Policy) { p.Purge(Purge{Scope: PurgeTag, Tag: "t1"}) },
		"invalidation": func(p *Policy) {
			post := get("/a")
			post.Request.Method, post.Origin.Message = "POST", response(204, "")
			p.Invalidate(post)
		},
		"nothing": func(*Policy) {},
	}
	for name, drop := range drops {
		t.Run(name, func(t *testing.T) {
			withDisk(t, func(t *testing.T, folder string) {
				p := survivorsOn(t, folder, 64<<20)
				for _, when := range []string{"before the restart", "after it"} {
					fetch(t, p, get("/a"), response(200, "page", "Cache-Tag: t1, t2"))
					fetch(t, p, get("/other"), response(200, "page"))
					if when == "after it" {
						p = restartSurvivors(t, p, folder, 64<<20)
					}
					time.Sleep(time.Second)
					drop(p)
					survives(t, p, when, "/a", name == "nothing")
					p = restartSurvivors(t, p, folder, 64<<20)
					survives(t, p, when, "/a", name == "nothing")
					survives(t, p, when, "/other", name != "all" && name != "host")
				}
			})
		})
	}
}

// TestCopiesShare: copies have a part of the disk, and stay within it. A flood of pages that are asked for once pushes out neither those that
// are asked for often nor what caches may use.
func TestCopiesShare(t *testing.T) {
	const size = 32 << 20
	withDisk(t, func(t *testing.T, folder string) {
		p := survivorsOn(t, folder, size)
		fetch(t, p, get("/stored"), response(200, "stored", cacheable))
		body := strings.Repeat("x", 64<<10)
		for i := range 400 { // 25 MiB
			fetch(t, p, get(fmt.Sprintf("/?%d", i)), response(200, body))
			for range 3 {
				fetch(t, p, get("/popular"), response(200, "popular"))
			}
			synctest.Wait()
		}
		if got := p.room.Stats().Copies.Bytes; got > size/copiesShare {
			t.Errorf("got %d bytes of copies, want at most a quarter of %d", got, size)
		}
		p = restartSurvivors(t, p, folder, size)
		survives(t, p, "asked for often", "/popular", true)
		survives(t, p, "asked for last", "/?399", true)
		survives(t, p, "asked for once, long ago", "/?0", false)
		mustServeDisk(t, p, get("/stored"), "stored")
	})
}

// TestCopiesWithoutRoom: a disk that is too small for two parts has no copies; they are in memory.
func TestCopiesWithoutRoom(t *testing.T) {
	withDisk(t, func(t *testing.T, folder string) {
		p := survivorsOn(t, folder, 7<<20)
		fetch(t, p, get("/a"), response(200, "page"))
		survives(t, p, "in memory", "/a", true)
		if got := p.room.Stats().Copies; got != nil {
			t.Errorf("got %+v, want no part of the disk for copies", got)
		}
		survives(t, restartSurvivors(t, p, folder, 7<<20), "on the disk", "/a", false)
	})
}
