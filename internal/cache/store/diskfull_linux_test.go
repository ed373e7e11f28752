package store

import (
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// On a file system that is full, the tier gives its room back; and when there is room again, it serves.
func TestDiskFull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting a small file system takes root")
	}
	folder := t.TempDir()
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, "size=3m"); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	defer func() {
		if err := unix.Unmount(folder, 0); err != nil {
			t.Error(err)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		o := testOptions(folder)
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		d := openTest(t, o)
		write := func(n int) {
			for i := range n {
				replace(d, object{keyOf(i + 1), 1, 50_000})
				synctest.Wait()
			}
		}
		write(40)
		if s := d.Stats(); s.State != Serving || s.Objects != 40 {
			t.Fatalf("got %v (%s) with %d objects, want 40", s.State, s.Problem, s.Objects)
		}
		write(100)
		if s := d.Stats(); s.State != Off || !strings.Contains(s.Problem, "no space left") || s.Failures != 1 {
			t.Errorf("full: got %v (%s), failed %d times", s.State, s.Problem, s.Failures)
		}
		var fs unix.Statfs_t
		if err := unix.Statfs(folder, &fs); err != nil || fs.Blocks-fs.Bfree > 8 {
			t.Errorf("full: %d blocks are in use still, %v", fs.Blocks-fs.Bfree, err)
		}
		time.Sleep(retryAfter)
		synctest.Wait()
		write(40)
		if s := d.Stats(); s.State != Serving || s.Objects != 40 {
			t.Errorf("room again: got %v (%s) with %d objects, want 40", s.State, s.Problem, s.Objects)
		}
		d.Close()
		if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
			t.Errorf("got %d errors in the log, want 1:\n%s", n, log.String())
		}
	})
}
