package store

import (
	"fmt"
	"testing"
	"testing/synctest"
)

// fill writes so many small objects as other processes would have left them: sealed segments, but for the last, and notes of deletes.
func fill(t testing.TB, folder osFolder, objects, segments, notes int) {
	t.Helper()
	each := (objects + segments - 1) / segments
	j := &journal{folder: folder}
	var s *segment
	var buffer []byte
	flush := func() {
		if _, err := s.file.WriteAt(buffer, s.size-int64(len(buffer))); err != nil {
			t.Fatal(err)
		}
		buffer = buffer[:0]
	}
	for i := range objects {
		if i%each == 0 {
			if s != nil {
				flush()
				if err := s.seal(); err != nil {
					t.Fatal(err)
				}
				s.release()
			}
			number := uint32(i/each + 1)
			f, err := folder.open(segmentName(number), true)
			if err != nil {
				t.Fatal(err)
			}
			s = newSegment(number, f)
			if err := j.turn(number); err != nil {
				t.Fatal(err)
			}
		}
		o, at, seq := object{keyOf(i + 1), 1, 200}, len(buffer), uint64(1<<epochBits+i)
		meta, body := o.AppendMeta(nil), o.Content()
		buffer = append(appendPrefix(buffer, o.key, seq, meta, appendSums(nil, body), uint32(len(body))), body...)
		s.written = append(s.written, entry{o.key, seq, uint32(s.size), uint32(len(meta)), uint32(len(body))})
		if s.size += int64(len(buffer) - at); len(buffer) > 1<<20 {
			flush()
		}
		if i < notes {
			if err := j.write(noteKey, o.key, seq); err != nil {
				t.Fatal(err)
			}
		}
	}
	flush()
	s.release()
	if err := j.turn(1); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		secretFile: "the secret of a folder for tests", openedFile: `{"format":1,"epoch":1,"boot":"one","clean":false}`,
	} {
		if err := folder.save(name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
}

// gated is a folder in which a file can't be opened until that is allowed.
type gated struct {
	osFolder
	name string
	gate chan struct{}
}

func (g *gated) open(name string, create bool) (file, error) {
	if name == g.name {
		<-g.gate
	}
	return g.osFolder.open(name, create)
}

// A tier serves what it has found already, the newest first, while it looks for the rest; and what is put and deleted meanwhile counts.
func TestDiskServesWhileLoading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(t.TempDir())
		o.Size = 64 << 20
		fill(t, osFolder(o.Folder), 3000, 3, 100)
		g := &gated{osFolder(o.Folder), segmentName(1), make(chan struct{})}
		d, err := open(o, g, "one")
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := d.State(); got != Loading {
			t.Fatalf("got %v, want loading", got)
		}
		if a, b := lookup(t, d, keyOf(3000)), lookup(t, d, keyOf(1000)); a != 1 || b != 0 {
			t.Errorf("while loading: got versions %d and %d, want 1 and 0", a, b)
		}
		d.Delete(keyOf(1000))
		replace(d, object{keyOf(999), 2, 10})
		close(g.gate)
		synctest.Wait()
		for k, want := range map[int]uint64{1: 0, 100: 0, 101: 1, 999: 2, 1000: 0, 1001: 1, 3000: 1} {
			if got := lookup(t, d, keyOf(k)); got != want {
				t.Errorf("object %d: got version %d, want %d", k, got, want)
			}
		}
		if s := d.Stats(); s.Objects != 2899 || s.State != Serving {
			t.Errorf("got %d objects, %v, want 2899", s.Objects, s.State)
		}
		d.Close()
	})
}

// With a smaller bound, the newest stay, and what has no room does not come back with a larger one.
func TestDiskFewerObjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(t.TempDir())
		o.Size = 64 << 20
		fill(t, osFolder(o.Folder), 3000, 3, 0)
		for _, objects := range []int{1500, 1 << 20} {
			o.Objects = objects
			d, err := open(o, osFolder(o.Folder), "one")
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if s := d.Stats(); s.State != Serving || s.Objects > 1500 || s.Objects < 500 {
				t.Errorf("got %v (%s) with %d objects", s.State, s.Problem, s.Objects)
			}
			if a, b := lookup(t, d, keyOf(3000)), lookup(t, d, keyOf(1)); a != 1 || b != 0 {
				t.Errorf("got versions %d and %d, want 1 and 0", a, b)
			}
			d.Close()
		}
	})
}

// BenchmarkDiskLoad is the time until all of a million objects are found, with 100,000 deletes among them.
func BenchmarkDiskLoad(b *testing.B) {
	o := testOptions(b.TempDir())
	o.Size, o.Objects = 2<<30, 2_000_000
	fill(b, osFolder(o.Folder), 1_000_000, segmentParts, 100_000)
	for b.Loop() {
		d, err := open(o, osFolder(o.Folder), "one")
		if err != nil {
			b.Fatal(err)
		}
		d.Close() // waits until all is found
		if d.journal.bytes.Load() == 0 {
			b.Fatal("nothing was found")
		}
	}
}

func BenchmarkDiskRead(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10, 256 << 10} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			o := testOptions(b.TempDir())
			o.Size = 64 << 20
			d := openTest(b, o)
			defer d.Close()
			d.Put(spread, object{spread, 1, size}, int64(size))
			for d.Stats().Written == 0 {
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			var p []byte
			for b.Loop() {
				f, ok := d.Find(spread)
				if !ok {
					b.Fatal("not found")
				}
				p = grown(p, f.Length())
				if _, _, err := f.Try(p); err != nil {
					b.Fatal(err)
				}
				f.Release()
			}
		})
	}
}

// BenchmarkDiskMiss is what a miss in memory costs more if there is a disk.
func BenchmarkDiskMiss(b *testing.B) {
	d := openTest(b, testOptions(b.TempDir()))
	defer d.Close()
	text := []byte("zone\x05https\x0bexample.org\x10/articles/2026/x")
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := d.Find(d.Key(text)); ok {
			b.Fatal("found")
		}
	}
}
