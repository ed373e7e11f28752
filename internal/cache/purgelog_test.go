package cache

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// TestDiskPurges: what was purged before a restart does not come back with it, what was fetched since then stays, and a line that a crash
// has cut off is no obstacle.
func TestDiskPurges(t *testing.T) {
	withDisk(t, func(t *testing.T, folder string) {
		p := newDiskPolicy(t, folder)
		synctest.Wait()
		for _, path := range []string{"/tagged", "/soft", "/other"} {
			tag := map[string]string{"/tagged": "Cache-Tag: news", "/soft": "Cache-Tag: shop"}[path]
			fetch(t, p, get(path), response(200, path, cacheable, `ETag: "1"`, tag))
		}
		synctest.Wait()
		p.Purge(Purge{Scope: PurgeTag, Tag: "news"})
		p.Purge(Purge{Scope: PurgeTag, Tag: "shop", Soft: true})
		f, err := os.OpenFile(filepath.Join(folder, purgeFile), os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(`{"zone":"zone","Sc`); err != nil {
			t.Fatal(err)
		}
		f.Close()
		time.Sleep(time.Second)
		for range 2 {
			p = restart(t, p, folder)
			mustServeDisk(t, p, get("/other"), "/other")
			mustFetch(t, p, get("/tagged"))
			soft := get("/soft")
			if p.Lookup(soft); soft.Cache.Message != nil || soft.Cache.TTL > 0 {
				t.Errorf("softly purged: got %v, fresh for %v", soft.Cache.Status, soft.Cache.TTL)
			}
		}
		time.Sleep(unshareableFor)
		fetch(t, p, get("/tagged"), response(200, "new", cacheable, "Cache-Tag: news"))
		synctest.Wait()
		p = restart(t, p, folder)
		mustServeDisk(t, p, get("/tagged"), "new")
	})
}

// TestDiskPurgesUnreadable: if it can't be known what was purged, nothing of before is used.
func TestDiskPurgesUnreadable(t *testing.T) {
	withDisk(t, func(t *testing.T, folder string) {
		p := newDiskPolicy(t, folder)
		synctest.Wait()
		fetch(t, p, get("/"), response(200, "x", cacheable))
		synctest.Wait()
		if err := os.WriteFile(filepath.Join(folder, purgeFile), []byte("nonsense\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		p = restart(t, p, folder)
		mustFetch(t, p, get("/"))
	})
}

// TestDiskPurgesBounded: however many purges there are, the file holds no more than count, and those that were noted since.
func TestDiskPurgesBounded(t *testing.T) {
	withDisk(t, func(t *testing.T, folder string) {
		p := newDiskPolicy(t, folder)
		synctest.Wait()
		p.room.tier.noted = mostPurges - 1
		for range 3 {
			p.Purge(Purge{Scope: PurgeTag, Tag: "x"})
		}
		text, err := os.ReadFile(filepath.Join(folder, purgeFile))
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Count(text, []byte("\n")); got != 2 { // the one that counts, and the one after it was written anew
			t.Errorf("got %d lines, want 2", got)
		}
	})
}
