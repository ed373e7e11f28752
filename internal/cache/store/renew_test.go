package store

import (
	"encoding/binary"
	"path/filepath"
	"testing"
	"testing/synctest"
)

// The news of an object are written without its body, which is found in each way of reading, by the next process, too.
func TestDiskRenew(t *testing.T) {
	for _, tt := range []struct {
		name string
		size int
		most int64 // bytes that a renewal may write
	}{
		{"long", 300_000, 1000},
		{"short", leastApart - 1, 2 * leastApart},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := testOptions(t.TempDir())
				d := openTest(t, o)
				body := object{spread, 1, tt.size}
				replace(d, body)
				synctest.Wait()
				for version := uint64(2); version < 5; version++ {
					before := d.Stats().Bytes
					renew(d, body, version)
					synctest.Wait()
					if wrote := d.Stats().Bytes - before; wrote > tt.most {
						t.Errorf("version %d: wrote %d bytes, want at most %d", version, wrote, tt.most)
					}
					checkReads(t, d, version)
				}
				copied := o
				copied.Folder = copyFolder(t, o.Folder) // what a kill leaves
				d.Close()
				for _, o := range []Options{o, copied} {
					d := openTest(t, o)
					synctest.Wait()
					checkReads(t, d, 4)
					d.Close()
				}
			})
		})
	}
}

// checkReads wants a version in each way in which an object can be read.
func checkReads(t *testing.T, d *Disk, want uint64) {
	t.Helper()
	if got := lookup(t, d, spread); got != want {
		t.Errorf("read: got version %d, want %d", got, want)
	}
	f, ok := d.Find(spread)
	if !ok {
		t.Fatal("not found")
	}
	defer f.Release()
	if meta, body, err := f.Try(make([]byte, f.Length())); err != ErrWouldWait {
		if got, perr := parseObject(spread, meta, body); got != want || err != nil || perr != nil {
			t.Errorf("tried: got version %d, %v, %v, want %d", got, err, perr, want)
		}
	}
	again, _ := d.Find(spread)
	meta, b, err := again.ReadMeta()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var body []byte
	for i := range blocks(uint32(b.Size())) {
		p, err := b.Read(make([]byte, BlockSize), i)
		if err != nil {
			t.Fatal(err)
		}
		body = append(body, p...)
	}
	if got, err := parseObject(spread, meta, body); got != want || err != nil {
		t.Errorf("read in blocks: got version %d, %v, want %d", got, err, want)
	}
	checkPart(t, d, want, body)
}

// checkPart wants the body in the file that the kernel would send.
func checkPart(t *testing.T, d *Disk, version uint64, body []byte) {
	t.Helper()
	f, _ := d.Find(spread)
	defer f.Release()
	meta, err := f.TryHead(make([]byte, f.HeadLength()))
	if err != nil {
		return // this system can't tell what is in the page cache
	}
	if got := binary.LittleEndian.Uint64(meta[8:]); got != version {
		t.Errorf("its head: got version %d, want %d", got, version)
	}
	at, ok := f.Part()
	if !ok {
		t.Fatal("a body that has been read is not sound, or not cached")
	}
	p := make([]byte, f.Size())
	in, _ := f.body()
	if _, err := in.ReadAt(p, at); err != nil || string(p) != string(body) || in.descriptor() != f.FD() {
		t.Errorf("its part at %d: got %d bytes, %v, want the body", at, len(p), err)
	}
}

// An object is written as a whole if its body is not what was there, or was never written.
func TestDiskRenewOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := openTest(t, testOptions(t.TempDir()))
		defer d.Close()
		replace(d, object{spread, 1, 100_000})
		synctest.Wait()
		renew(d, object{spread, 2, 100_000}, 3)
		synctest.Wait()
		if got := lookup(t, d, spread); got != 3 {
			t.Errorf("another body: got version %d, want 3", got)
		}
		replace(d, object{spread, 4, 100_000})
		renew(d, object{spread, 4, 100_000}, 5) // before it is written
		synctest.Wait()
		if got := lookup(t, d, spread); got != 5 {
			t.Errorf("a body that was still queued: got version %d, want 5", got)
		}
	})
}

// When the segment of a body goes, who is asked for comes together with it again, and the others are gone. The head may be numbers of segments away that
// look alike in the index.
func TestDiskRenewOutlivesItsBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(t.TempDir())
		d := openTest(t, o)
		bodies := func(i int) object { return object{keyOf(100 + i), 1, 20_000} }
		for i := range 20 {
			replace(d, bodies(i))
		}
		other := 0
		fill := func(n int) {
			for range n {
				other++
				replace(d, object{keyOf(1000 + other), 1, 20_000})
				synctest.Wait()
			}
		}
		fill(100)
		for i := range 20 {
			renew(d, bodies(i), 2)
		}
		synctest.Wait()
		first := d.oldest().number
		for i := range 5 {
			lookup(t, d, bodies(i).key)
		}
		fill(300)
		if d.oldest().number == first {
			t.Fatal("the bodies' segment is still there")
		}
		there := func(d *Disk) (n int) {
			for i := range 20 {
				switch got := lookup(t, d, bodies(i).key); {
				case got == 2:
					n++
				case got != 0 || i < 5:
					t.Errorf("object %d: got version %d, want 2", i, got)
				}
			}
			return n
		}
		if n := there(d); n != 5 {
			t.Errorf("%d objects are there, want the 5 that were asked for", n)
		}
		checkBounds(t, d, &o)
		objects := d.Stats().Objects
		d.Close()
		d = openTest(t, o)
		synctest.Wait()
		if n := there(d); n != 5 || d.Stats().Objects != objects {
			t.Errorf("opened again: %d objects are there, and %d in all, want 5 and %d", n, d.Stats().Objects, objects)
		}
		d.Close()
	})
}

// A body that is damaged is never served, however new the head is.
func TestDiskRenewCorrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(t.TempDir())
		d := openTest(t, o)
		defer d.Close()
		body := object{spread, 1, 100_000}
		replace(d, body)
		synctest.Wait()
		renew(d, body, 2)
		synctest.Wait()
		flip(t, filepath.Join(o.Folder, segmentName(1)), headSize+4*2+metaLength+50_000)
		f, _ := d.Find(spread)
		if _, _, err := f.Read(); err != ErrCorrupt {
			t.Errorf("got %v, want ErrCorrupt", err)
		}
		f.Release()
		if _, ok := d.Find(spread); ok {
			t.Error("it is found once more")
		}
	})
}

// Who has found an object whose body's segment goes then finds nothing, and that is no fault of the disk's.
func TestDiskRenewGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(t.TempDir())
		d := openTest(t, o)
		body := object{spread, 1, 100_000}
		replace(d, body)
		d.Close()
		d = openTest(t, o) // with another segment
		defer d.Close()
		synctest.Wait()
		renew(d, body, 2)
		synctest.Wait()
		f, ok := d.Find(spread)
		if !ok {
			t.Fatal("not found")
		}
		defer f.Release()
		d.setSegment(1, nil)
		if _, _, err := f.Read(); err != errGivenUp {
			t.Errorf("got %v, want %v", err, errGivenUp)
		}
		if d.Has(spread) || d.strikes != 0 {
			t.Errorf("there is %t, with %d strikes, want neither", d.Has(spread), d.strikes)
		}
	})
}
