package store

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
)

// spool writes an object by way of a spool, in pieces that end where no block does.
func spool(t *testing.T, d *Disk, o object) (s *Spool) {
	t.Helper()
	s = d.Spool(int64(o.size))
	if s == nil {
		t.Fatal("no room for a spool")
	}
	for body := o.Content(); len(body) > 0; {
		n := min(len(body), 50_001)
		if err := s.Write(body[:n]); err != nil {
			t.Fatal(err)
		}
		body = body[n:]
	}
	return s
}

// A large object is read while it comes in, and found by this process and the next when it is whole.
func TestSpool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(t.TempDir())
		d := openTest(t, o)
		synctest.Wait()
		replace(d, object{keyOf(2), 1, 1000})
		large := object{spread, 1, 1_200_000}
		s := spool(t, d, large)
		p := make([]byte, 1000)
		if err := s.ReadAt(p, 100_000); err != nil || !bytes.Equal(p, large.Content()[100_000:101_000]) {
			t.Errorf("read while it comes in: %v, or other bytes", err)
		}
		done := false
		d.PutSpool(large.key, large, s, func() { done = true })
		s.Close()
		synctest.Wait()
		if !done {
			t.Error("done was not called")
		}
		checkReads(t, d, 1)
		renew(d, large, 2)
		replace(d, object{keyOf(3), 1, 1000})
		synctest.Wait()
		checkReads(t, d, 2)
		checkBounds(t, d, &o)
		copied := o
		copied.Folder = copyFolder(t, o.Folder)
		d.Close()
		for _, o := range []Options{o, copied} {
			d := openTest(t, o)
			synctest.Wait()
			checkReads(t, d, 2)
			if lookup(t, d, keyOf(2)) != 1 || lookup(t, d, keyOf(3)) != 1 {
				t.Error("what was written before and after it is gone")
			}
			d.Close()
		}
	})
}

// What is not whole, deleted, or replaced meanwhile leaves nothing behind, and gives its place back.
func TestSpoolDropped(t *testing.T) {
	large := object{spread, 1, 900_000}
	for _, tt := range []struct {
		name string
		do   func(d *Disk, s *Spool)
		want uint64 // version of what is there then
	}{
		{"not put", func(*Disk, *Spool) {}, 0},
		{"deleted", func(d *Disk, s *Spool) { d.PutSpool(spread, large, s, func() {}); d.Delete(spread) }, 0},
		{"replaced", func(d *Disk, s *Spool) { d.PutSpool(spread, large, s, func() {}); replace(d, object{spread, 2, 10}) }, 2},
		{"cleared", func(d *Disk, s *Spool) { d.PutSpool(spread, large, s, func() {}); d.Clear() }, 0},
		{"closed", func(d *Disk, s *Spool) { d.Close(); d.PutSpool(spread, large, s, func() {}) }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := testOptions(t.TempDir())
				d := openTest(t, o)
				synctest.Wait()
				s := spool(t, d, large)
				tt.do(d, s)
				s.Close()
				synctest.Wait()
				if n, bytes := d.spools.Load(), d.spooling.Load(); n != 0 || bytes != 0 {
					t.Errorf("%d spools of %d bytes are left, want none", n, bytes)
				}
				d.Close()
				if left, _ := filepath.Glob(filepath.Join(o.Folder, "*"+spoolEnding)); len(left) > 0 {
					t.Errorf("left: %v", left)
				}
				d = openTest(t, o)
				synctest.Wait()
				if got := lookup(t, d, spread); got != tt.want {
					t.Errorf("got version %d, want %d", got, tt.want)
				}
				d.Close()
			})
		})
	}
}

// What a kill leaves of a spool is removed by the next process.
func TestSpoolKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(t.TempDir())
		d := openTest(t, o)
		synctest.Wait()
		s := spool(t, d, object{spread, 1, 900_000})
		copied := o
		copied.Folder = copyFolder(t, o.Folder)
		s.Close()
		d.Close()
		d = openTest(t, copied)
		synctest.Wait()
		if left, _ := filepath.Glob(filepath.Join(copied.Folder, "*"+spoolEnding)); len(left) > 0 || d.State() != Serving {
			t.Errorf("left %v, state %v, want nothing, and serving", left, d.State())
		}
		d.Close()
	})
}

// Spools are bounded, and have others make room.
func TestSpoolBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(t.TempDir())
		d := openTest(t, o)
		defer d.Close()
		synctest.Wait()
		if s := d.Spool(o.Size); s != nil {
			t.Error("one of the whole tier's size was taken")
		}
		for i := range 700 {
			replace(d, object{keyOf(i + 1), 1, 10_000})
			synctest.Wait()
		}
		first := d.Spool(1_000_000)
		if first == nil || d.Spool(1_000_000) != nil {
			t.Error("want one of a megabyte taken, and a second refused")
		}
		synctest.Wait()
		if bytes := d.Stats().Bytes + d.spooling.Load(); bytes > o.Size {
			t.Errorf("with what comes in there are %d bytes, want at most %d", bytes, o.Size)
		}
		if err := first.Write(make([]byte, 1_000_001)); err == nil {
			t.Error("more than was announced was taken")
		}
		first.Close()
		for i := range 3 * mostSegments {
			o := object{keyOf(1000 + i), 1, 1000}
			s := spool(t, d, o)
			d.PutSpool(o.key, o, s, func() {})
			s.Close()
			synctest.Wait()
		}
		if n := len(*d.segments.Load()); n > mostSegments+int(o.Size/d.segment)+1 {
			t.Errorf("%d segments are open, want at most about %d", n, mostSegments)
		}
		if lookup(t, d, keyOf(1000+3*mostSegments-1)) != 1 {
			t.Error("the last is not there")
		}
		checkBounds(t, d, &o)
	})
}

// A disk that fails under a spool switches the tier off; what was written before can still be read.
func TestSpoolFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(t.TempDir())
		f := &faults{osFolder: osFolder(o.Folder)}
		d, err := open(o, f, "boot")
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		synctest.Wait()
		s := d.Spool(1_000_000)
		_ = s.Write(make([]byte, 100_000))
		f.write = os.ErrDeadlineExceeded
		if err := s.Write(make([]byte, 100_000)); err == nil {
			t.Error("got no error")
		}
		synctest.Wait()
		if err := s.ReadAt(make([]byte, 100_000), 0); err != nil || d.State() != Off {
			t.Errorf("got %v, state %v, want it read, and the tier off", err, d.State())
		}
		s.Close()
	})
}
