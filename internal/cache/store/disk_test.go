package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// object is an Item whose meta and body follow from its key and version, so that every byte can be checked.
type object struct {
	key     Key
	version uint64
	size    int
}

func (o object) AppendMeta(dst []byte) []byte { return renewed{o, o.version}.AppendMeta(dst) }

func (o object) Content() []byte {
	body := make([]byte, o.size)
	seed := [32]byte{}
	binary.LittleEndian.PutUint64(seed[:], uint64(o.key))
	binary.LittleEndian.PutUint64(seed[8:], o.version)
	_, _ = rand.NewChaCha8(seed).Read(body)
	return body
}

// renewed is a later version of an object, with the same body.
type renewed struct {
	object
	version uint64
}

const metaLength = 32

func (r renewed) AppendMeta(dst []byte) []byte {
	for _, n := range [...]uint64{uint64(r.key), r.version, uint64(r.size), r.object.version} {
		dst = binary.LittleEndian.AppendUint64(dst, n)
	}
	return dst
}

// parseObject checks what was read under a key, and tells which version it is.
func parseObject(k Key, meta, body []byte) (version uint64, err error) {
	if len(meta) != metaLength || Key(binary.LittleEndian.Uint64(meta)) != k {
		return 0, fmt.Errorf("meta %x is not that of key %x", meta, k)
	}
	o := object{k, binary.LittleEndian.Uint64(meta[24:]), int(binary.LittleEndian.Uint64(meta[16:]))}
	if !bytes.Equal(body, o.Content()) {
		return 0, fmt.Errorf("body of %d bytes is not that of version %d", len(body), o.version)
	}
	return binary.LittleEndian.Uint64(meta[8:]), nil
}

func testOptions(folder string) Options {
	return Options{Folder: folder, Size: 8 << 20, Objects: 1 << 20, Queue: 4 << 20, Log: slog.New(slog.DiscardHandler)}
}

// openTest opens a disk, and waits until it has found what is there.
func openTest(t testing.TB, o Options) *Disk {
	t.Helper()
	d, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// lookup reads a key's object; version 0 is none.
func lookup(t testing.TB, d *Disk, k Key) (version uint64) {
	t.Helper()
	f, ok := d.Find(k)
	if !ok {
		return 0
	}
	defer f.Release()
	meta, body, err := f.Read()
	switch {
	case err == errGivenUp: // just now
		return 0
	case err != nil:
		t.Fatalf("key %x: %v", k, err)
	}
	version, err = parseObject(k, meta, body)
	if err != nil {
		t.Fatalf("key %x: %v", k, err)
	}
	return version
}

// renew puts a later version of an object.
func renew(d *Disk, o object, version uint64) {
	d.Renew(o.key, renewed{o, version}, int64(o.size), d.Delete(o.key))
}

func replace(d *Disk, o object) {
	if d.Has(o.key) {
		d.Delete(o.key)
	}
	d.Put(o.key, o, int64(o.size))
}

func TestDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := filepath.Join(t.TempDir(), "cache")
		d := openTest(t, testOptions(folder))
		const k = Key(1) << 60
		if lookup(t, d, k) != 0 {
			t.Error("empty: got an object")
		}
		replace(d, object{k, 1, 200_000})
		replace(d, object{k + 1, 2, 0})
		synctest.Wait()
		if got := lookup(t, d, k); got != 1 {
			t.Errorf("written: got version %d, want 1", got)
		}
		if got := lookup(t, d, k+1); got != 2 {
			t.Errorf("without a body: got version %d, want 2", got)
		}
		replace(d, object{k, 3, 100})
		synctest.Wait()
		if got := lookup(t, d, k); got != 3 {
			t.Errorf("replaced: got version %d, want 3", got)
		}
		d.Delete(k + 1)
		d.Close()
		if got := d.State(); got != Closed {
			t.Errorf("state: got %v, want closed", got)
		}

		d = openTest(t, testOptions(folder))
		synctest.Wait()
		if got := lookup(t, d, k); got != 3 {
			t.Errorf("opened again: got version %d, want 3", got)
		}
		if got := lookup(t, d, k+1); got != 0 {
			t.Errorf("deleted and opened again: got version %d, want none", got)
		}
		d.Clear()
		if got := lookup(t, d, k); got != 0 {
			t.Errorf("cleared: got version %d, want none", got)
		}
		synctest.Wait()
		if s := d.Stats(); s.Objects != 0 || s.Bytes > 1000 {
			t.Errorf("cleared: got %d objects of %d bytes, want none", s.Objects, s.Bytes)
		}
		replace(d, object{k, 4, 100})
		d.Close()
		d = openTest(t, testOptions(folder))
		synctest.Wait()
		if got := lookup(t, d, k); got != 4 {
			t.Errorf("put after clear, and opened again: got version %d, want 4", got)
		}
		d.Close()
	})
}

// Random operations, against a model: what is found is what was put last. Whatever is written stays within its bounds.
func TestDiskModel(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { checkModel(t, seed) })
		})
	}
}

func checkModel(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	o := testOptions(t.TempDir())
	o.Size, o.Objects = MinSize+int64(r.IntN(8<<20)), 50+r.IntN(500)
	o.Wanted = func(meta []byte) bool { return meta[0]%3 == 0 }
	model := make(map[Key]uint64)
	bodies := make(map[Key]object)
	key := func() Key { return keyOf(r.IntN(400)) + Key(r.IntN(2)) } // some collide in their places
	d := openTest(t, o)
	for version := uint64(1); version < 2000; version++ {
		k := key()
		switch op := r.IntN(100); {
		case op < 44:
			size := r.IntN(3000)
			if op < 10 {
				size = r.IntN(300_000)
			}
			bodies[k] = object{k, version, size}
			replace(d, bodies[k])
			model[k] = version
		case op < 56 && model[k] != 0:
			renew(d, bodies[k], version)
			model[k] = version
		case op < 62:
			d.Delete(k)
			delete(model, k)
		case op < 97:
			if got := lookup(t, d, k); got != 0 && got != model[k] {
				t.Fatalf("key %x: got version %d, want %d", k, got, model[k])
			}
		case op < 99:
			synctest.Wait()
			checkBounds(t, d, &o)
		case r.IntN(8) == 0:
			d.Clear()
			clear(model)
		default:
			d.Close()
			d = openTest(t, o)
			if r.IntN(2) == 0 {
				synctest.Wait()
			}
		}
	}
	synctest.Wait()
	found := 0
	for k, want := range model {
		switch got := lookup(t, d, k); got {
		case want:
			found++
		case 0:
		default:
			t.Errorf("key %x: got version %d, want %d", k, got, want)
		}
	}
	if found < min(20, len(model)) {
		t.Errorf("%d of %d objects are there, want more", found, len(model))
	}
	d.Close()
	checkFiles(t, o.Folder, o.Size)
}

// spread is the first of keys that lie far from one another.
const spread = 0x9e3779b97f4a7c15

func keyOf(i int) Key { return Key(i) * spread }

func checkBounds(t *testing.T, d *Disk, o *Options) {
	t.Helper()
	s := d.Stats()
	if s.State != Serving || s.Bytes > o.Size || s.Objects > o.Objects {
		t.Fatalf("got %v (%s), %d objects of %d bytes, want at most %d of %d", s.State, s.Problem, s.Objects, s.Bytes, o.Objects, o.Size)
	}
	if got := checkFiles(t, o.Folder, o.Size); got != s.Bytes {
		t.Fatalf("bytes: got %d, want %d as the files have", s.Bytes, got)
	}
}

func checkFiles(t *testing.T, folder string, most int64) (bytes int64) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(e.Name(), segmentEnding) || strings.HasSuffix(e.Name(), journalEnding) {
			bytes += info.Size()
		}
		if perm := info.Mode().Perm(); perm != 0o600 {
			t.Errorf("%s: got mode %v, want 0600", e.Name(), perm)
		}
	}
	if bytes > most {
		t.Errorf("files have %d bytes, want at most %d", bytes, most)
	}
	return bytes
}

// A body is verified before it is sent from where it is, once; who waits for one verifies it each time.
func TestDiskPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(t.TempDir())
		d := openTest(t, o)
		defer d.Close()
		replace(d, object{spread, 1, 70_000})
		synctest.Wait()
		find := func() Found {
			f, ok := d.Find(spread)
			if !ok {
				t.Fatal("not found")
			}
			return f
		}
		f := find()
		defer f.Release()
		if _, ok := f.Part(); ok {
			t.Error("before it was read: got a part")
		}
		_, want, err := f.Try(make([]byte, f.Length()))
		if err != nil || !f.Cached(0, 1) {
			t.Skip("this system does not tell what is in the page cache")
		}
		again := find()
		defer again.Release()
		at, ok := again.Part()
		got := make([]byte, again.Size())
		if _, err := again.segment.file.ReadAt(got, at); err != nil || !ok || !bytes.Equal(got, want) {
			t.Fatalf("got a part at %d: %t, %v, want the body", at, ok, err)
		}
		if meta, err := again.TryHead(make([]byte, again.HeadLength())); err != nil || len(meta) == 0 {
			t.Errorf("its head: got %d bytes, %v", len(meta), err)
		}
		if _, err := again.segment.file.WriteAt([]byte("damage"), at+1000); err != nil {
			t.Fatal(err)
		}
		if _, _, err := again.Read(); err != ErrCorrupt {
			t.Errorf("read with damage: got %v, want %v", err, ErrCorrupt)
		}
		if _, ok := d.Find(spread); ok {
			t.Error("what is damaged is still found")
		}
	})
}

// What is asked for, or wanted by the cache, outlives what is not.
func TestDiskKeepsWhatIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(t.TempDir())
		o.Size = 16 << 20
		wanted := keyOf(1000)
		o.Wanted = func(meta []byte) bool { return Key(binary.LittleEndian.Uint64(meta)) == wanted }
		d := openTest(t, o)
		defer d.Close()
		popular := func(i int) Key { return keyOf(2000 + i) }
		replace(d, object{wanted, 1, 10_000})
		for i := range 20 {
			replace(d, object{popular(i), 1, 10_000})
		}
		synctest.Wait()
		for i := range 2500 {
			replace(d, object{keyOf(10_000 + i), 1, 10_000})
			synctest.Wait()
			if lookup(t, d, popular(i%20)) != 1 {
				t.Fatalf("after %d others: popular object %d is gone", i, i%20)
			}
		}
		if lookup(t, d, wanted) != 1 {
			t.Error("what the cache wanted is gone")
		}
		if lookup(t, d, keyOf(10_000)) != 0 {
			t.Error("the first of the others is still there")
		}
	})
}

// Even if all objects are asked for, segments are given up.
func TestDiskRewritesBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(t.TempDir())
		o.Wanted = func([]byte) bool { return true }
		d := openTest(t, o)
		defer d.Close()
		for i := range 1500 {
			replace(d, object{keyOf(i), 1, 10_000})
			synctest.Wait()
			if got := lookup(t, d, keyOf(i)); got != 1 {
				t.Fatalf("object %d was not written", i)
			}
		}
		checkBounds(t, d, &o)
	})
}

func TestDiskQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(t.TempDir())
		o.Queue = 100_000
		d := openTest(t, o)
		defer d.Close()
		synctest.Wait()
		replace(d, object{keyOf(7), 1, 1000})
		synctest.Wait()
		d.Put(keyOf(7), object{keyOf(7), 2, 200_000}, 200_000)
		synctest.Wait()
		if got := lookup(t, d, keyOf(7)); got != 0 {
			t.Errorf("replaced by what has no room in the queue: got version %d, want none", got)
		}
		if got := d.Stats().Dropped; got != 1 {
			t.Errorf("dropped: got %d, want 1", got)
		}
	})
}

// A page-cache hit is read without waiting, where the system can tell.
func TestDiskTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := openTest(t, testOptions(t.TempDir()))
		defer d.Close()
		replace(d, object{spread, 1, 70_000})
		synctest.Wait()
		f, ok := d.Find(spread)
		if !ok {
			t.Fatal("not found")
		}
		defer f.Release()
		meta, body, err := f.Try(make([]byte, f.Length()))
		if err == ErrWouldWait {
			t.Skip("this file system has no reads that do not wait")
		}
		if version, perr := parseObject(spread, meta, body); err != nil || perr != nil || version != 1 {
			t.Errorf("got version %d, %v, %v, want 1", version, err, perr)
		}
	})
}

func TestDiskBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := openTest(t, testOptions(t.TempDir()))
		defer d.Close()
		o := object{spread, 1, 3*BlockSize + 17}
		replace(d, o)
		synctest.Wait()
		f, _ := d.Find(spread)
		meta, b, err := f.ReadMeta()
		if err != nil {
			t.Fatal(err)
		}
		d.Delete(spread) // who reads goes on
		var body []byte
		for i := range 4 {
			p, err := b.Read(make([]byte, BlockSize), i)
			if err != nil {
				t.Fatal(err)
			}
			body = append(body, p...)
		}
		if _, err := parseObject(spread, meta, body); err != nil {
			t.Error(err)
		}
		b.Close()
	})
}

// A changed byte is never served, and what it was in is not found again.
func TestDiskCorrupt(t *testing.T) {
	const size = 100_000
	for _, at := range []int64{0, 5, headSize + 1, headSize + 4*2 + 3, headSize + 4*2 + metaLength + 1, headSize + 4*2 + metaLength + size - 1} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := testOptions(t.TempDir())
				d := openTest(t, o)
				replace(d, object{spread, 1, size})
				synctest.Wait()
				flip(t, filepath.Join(o.Folder, segmentName(1)), at)
				f, _ := d.Find(spread)
				if _, _, err := f.Read(); err != ErrCorrupt {
					t.Errorf("got %v, want ErrCorrupt", err)
				}
				f.Release()
				if lookup(t, d, spread) != 0 {
					t.Error("it is found once more")
				}
				d.Close()
				d = openTest(t, o)
				synctest.Wait()
				if _, ok := d.Find(spread); ok {
					t.Error("it is found by the next process")
				}
				d.Close()
			})
		})
	}
}

func flip(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}

// A folder has one owner. Who has waited for it begins anew: what is in it may be out of date.
func TestDiskLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(t.TempDir())
		first := openTest(t, o)
		replace(first, object{spread, 1, 10})
		synctest.Wait()
		second := openTest(t, o)
		if s := second.Stats(); s.State != Off || !strings.Contains(s.Problem, "another process") {
			t.Errorf("second: got %v (%s), want off", s.State, s.Problem)
		}
		replace(second, object{spread, 2, 10})
		first.Close()
		time.Sleep(retryAfter)
		synctest.Wait()
		if s := second.Stats(); s.State != Serving || s.Objects != 0 {
			t.Errorf("second, after the first: got %v with %d objects, want serving without any", s.State, s.Objects)
		}
		second.Close()
	})
}

// At an upgrade, one process closes the folder and the next opens it. What the first deletes from then on the second, or one after it,
// does not find.
func TestDiskHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(t.TempDir())
		first := openTest(t, o)
		replace(first, object{spread, 1, 10})
		replace(first, object{keyOf(2), 1, 10})
		first.Close()
		if !first.Has(spread) {
			t.Error("what the next process may have does not count as there")
		}
		first.Delete(spread)
		second := openTest(t, o)
		synctest.Wait()
		if a, b := lookup(t, second, spread), lookup(t, second, keyOf(2)); a != 0 || b != 1 {
			t.Errorf("got versions %d and %d, want 0 and 1", a, b)
		}
		replace(second, object{spread, 2, 10})
		first.Delete(keyOf(2))
		second.Delete(keyOf(2)) // as it is told
		synctest.Wait()
		second.Close()
		third := openTest(t, o)
		synctest.Wait()
		if a, b := lookup(t, third, spread), lookup(t, third, keyOf(2)); a != 2 || b != 0 {
			t.Errorf("third: got versions %d and %d, want 2 and 0", a, b)
		}
		third.Close()
	})
}

// After a crash of the system, notes may be missing, so nothing is used; after a clean end, or a crash of the process alone, all is.
func TestDiskSystemCrash(t *testing.T) {
	for _, tt := range []struct {
		name, boot string
		clean      bool
		want       uint64
	}{
		{"process", "one", false, 1},
		{"system", "two", false, 0},
		{"reboot", "two", true, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := testOptions(t.TempDir())
				d, err := open(o, osFolder(o.Folder), "one")
				if err != nil {
					t.Fatal(err)
				}
				replace(d, object{spread, 1, 10})
				synctest.Wait()
				if !tt.clean { // what a crash would leave
					o.Folder = copyFolder(t, o.Folder)
				}
				d.Close()
				if d, err = open(o, osFolder(o.Folder), tt.boot); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if got := lookup(t, d, spread); got != tt.want {
					t.Errorf("got version %d, want %d", got, tt.want)
				}
				d.Close()
			})
		})
	}
}

func copyFolder(t *testing.T, from string) (to string) {
	t.Helper()
	to = t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// faults is a folder whose files fail as told.
type faults struct {
	osFolder
	write, read error
}

type faultyFile struct {
	file
	of *faults
}

func (f *faults) open(name string, create bool) (file, error) {
	o, err := f.osFolder.open(name, create)
	return faultyFile{o, f}, err
}

func (f faultyFile) WriteAt(p []byte, off int64) (int, error) {
	if f.of.write != nil {
		n, _ := f.file.WriteAt(p[:len(p)/2], off)
		return n, f.of.write
	}
	return f.file.WriteAt(p, off)
}

func (f faultyFile) ReadAt(p []byte, off int64) (int, error) {
	if f.of.read != nil {
		return 0, f.of.read
	}
	return f.file.ReadAt(p, off)
}

// A disk that is full, or fails, switches the tier off, and is tried again.
func TestDiskFails(t *testing.T) {
	var errFull, errBroken = errors.New("no space left on device"), errors.New("input/output error")
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, d *Disk, f *faults)
	}{
		{"writing", func(_ *testing.T, d *Disk, f *faults) {
			f.write = errFull
			replace(d, object{keyOf(2), 1, 1000})
		}},
		{"noting", func(_ *testing.T, d *Disk, f *faults) {
			f.write = errFull
			d.Delete(spread)
		}},
		{"reading", func(t *testing.T, d *Disk, f *faults) {
			f.read = errBroken
			for i := range tolerated + 1 {
				if s := d.State(); s != Serving {
					t.Fatalf("off after %d errors", i)
				}
				if found, ok := d.Find(keyOf(i + 1)); ok {
					if _, _, err := found.Read(); err != errBroken {
						t.Errorf("got %v, want %v", err, errBroken)
					}
					found.Release()
				}
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				o := testOptions(t.TempDir())
				o.Log = slog.New(slog.NewTextHandler(&log, nil))
				f := &faults{osFolder: osFolder(o.Folder)}
				d, err := open(o, f, "boot")
				if err != nil {
					t.Fatal(err)
				}
				for i := range tolerated + 1 {
					replace(d, object{keyOf(i + 1), 1, 1000})
				}
				synctest.Wait()
				tt.do(t, d, f)
				synctest.Wait()
				if s := d.Stats(); s.State != Off || s.Objects != 0 || s.Problem == "" {
					t.Errorf("got %v with %d objects (%s), want off", s.State, s.Objects, s.Problem)
				}
				if got := checkFiles(t, o.Folder, 0); got != 0 {
					t.Errorf("%d bytes are left", got)
				}
				replace(d, object{keyOf(3), 2, 1000})
				if _, ok := d.Find(keyOf(3)); ok {
					t.Error("found something while off")
				}
				f.write, f.read = nil, nil
				time.Sleep(retryAfter)
				synctest.Wait()
				if got := d.State(); got != Serving {
					t.Errorf("after a while: got %v, want serving", got)
				}
				replace(d, object{keyOf(3), 3, 1000})
				synctest.Wait()
				if got := lookup(t, d, keyOf(3)); got != 3 {
					t.Errorf("after a while: got version %d, want 3", got)
				}
				d.Close()
				if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
					t.Errorf("got %d errors in the log, want 1:\n%s", n, log.String())
				}
			})
		})
	}
}

// A record that is cut off at any byte, as a crash leaves it, is not found; all before it are.
func TestDiskTorn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(t.TempDir())
		d := openTest(t, o)
		replace(d, object{spread, 1, 10})
		synctest.Wait()
		first := d.bytes.Load()
		replace(d, object{keyOf(2), 1, 100})
		synctest.Wait()
		whole := copyFolder(t, o.Folder)
		size := d.bytes.Load()
		d.Close()
		for cut := first; cut <= size; cut++ {
			o.Folder = copyFolder(t, whole)
			if err := os.Truncate(filepath.Join(o.Folder, segmentName(1)), cut); err != nil {
				t.Fatal(err)
			}
			d := openTest(t, o)
			synctest.Wait()
			var want uint64
			if cut == size {
				want = 1
			}
			if a, b := lookup(t, d, spread), lookup(t, d, keyOf(2)); a != 1 || b != want {
				t.Errorf("cut at %d of %d: got versions %d and %d, want 1 and %d", cut, size, a, b, want)
			}
			d.Close()
		}
	})
}

// The index takes at most 64 bytes an object, whatever their number.
func TestIndexSize(t *testing.T) {
	for _, n := range []int{100_000, 425_000, 1_000_000} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		x := &index{}
		x.forget()
		r := rand.New(rand.NewPCG(uint64(n), 2))
		for range n {
			k := Key(r.Uint64())
			x.put(x.shard(k), slot{key: k, segment: 1})
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		each := float64(after.HeapAlloc-before.HeapAlloc) / float64(n)
		t.Logf("%d objects: %.1f bytes each", n, each)
		if each > 64 {
			t.Errorf("%d objects: got %.1f bytes each, want at most 64", n, each)
		}
		if int(x.count.Load()) != n {
			t.Errorf("got %d objects, want %d", x.count.Load(), n)
		}
		runtime.KeepAlive(x)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(append(appendPrefix(nil, 1, 2, []byte("meta"), appendSums(nil, []byte("body")), 4), "body"...))
	f.Add(appendApart(nil, 1, 2, []byte("meta"), appendSums(nil, []byte("body")), 4, place{7, 8}))
	f.Add(make([]byte, noteSize))
	f.Fuzz(func(t *testing.T, p []byte) {
		if h, ok := parseHead(p); ok {
			b := make([]byte, headSize)
			if h.put(b); !h.void && !bytes.Equal(b, p[:headSize]) {
				t.Errorf("head %x was read as %x", p[:headSize], b)
			}
			v := slot{key: h.key, meta: h.meta, body: h.body}
			if h.apart {
				v.meta |= apart
			}
			_, _ = checkPrefix(p, &v)
		}
		_ = parseNotes(p, func(uint32, Key, uint64) {})
		m := memoryFile(p)
		readList(m, int64(len(p)))
		if list, end := scan(m, int64(len(p))); end > int64(len(p)) || len(list) > len(p)/headSize {
			t.Errorf("%d records end at %d of %d", len(list), end, len(p))
		}
	})
}

// memoryFile is a file's content.
type memoryFile []byte

func (m memoryFile) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(m).ReadAt(p, off)
}
func (m memoryFile) WriteAt(p []byte, off int64) (int, error) { return copy(m[off:], p), nil }
func (m memoryFile) tryReadAt(_ []byte, _ int64) error        { return io.ErrUnexpectedEOF }
func (m memoryFile) cached(_, _ int64) bool                   { return false }
func (m memoryFile) descriptor() int                          { return -1 }
func (m memoryFile) size() (int64, error)                     { return int64(len(m)), nil }
func (m memoryFile) Truncate(int64) error                     { return nil }
func (m memoryFile) Sync() error                              { return nil }
func (m memoryFile) Close() error                             { return nil }
