package cache

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/cache/store"
	"github.com/seawall/seawall/internal/flow"
)

// withMuchOnDisk runs a test with 300 objects of 100,000 bytes on the disk, a third more than memory has room for.
func withMuchOnDisk(t *testing.T, test func(p *Policy)) {
	t.Helper()
	withDisk(t, func(t *testing.T, folder string) {
		p := newDiskPolicy(t, folder)
		for i := range 300 {
			fetch(t, p, get("/"+itoa(i)), response(200, muchOf(i), "Cache-Control: max-age=600", `ETag: "1"`, "Content-Type: text/html"))
			synctest.Wait()
		}
		f := get("/0")
		if p.Lookup(f); f.Message() == nil {
			t.Skip("this file system has no reads that do not wait")
		}
		f.Message().Repay()
		test(p)
		if got := p.room.Stats().Filling; got != 0 {
			t.Errorf("filling: got %d, want 0", got)
		}
	})
}

func muchOf(i int) string { return strings.Repeat(itoa(i%10), 100_000) }

// lentOne is an object's path that is answered out of what is lent, and the flow.
func lentOne(t *testing.T, p *Policy, fields ...string) (path string, f *flow.Flow, want string) {
	t.Helper()
	for i := 1; i < 300; i++ {
		f := get("/"+itoa(i), fields...)
		p.Lookup(f)
		m := f.Message()
		if m == nil {
			t.Fatalf("object %d: got %v (%s), want a hit", i, f.Cache.Status, f.Cache.Reason)
		}
		if m.Loan != nil {
			return "/" + itoa(i), f, muchOf(i)
		}
	}
	t.Fatal("nothing is lent")
	return "", nil, ""
}

// Where memory is full, what is asked for on the disk has its place there from the second time on.
func TestLendOnce(t *testing.T) {
	withMuchOnDisk(t, func(p *Policy) {
		path, f, want := lentOne(t, p, "Accept-Encoding: gzip")
		if got, _ := read(f); got != want || f.Cache.Status != flow.Hit || f.Cache.Coding != 0 || f.Cache.TTL != 600*time.Second {
			t.Errorf("first: got %d bytes, %v in %v, want all as it is stored", len(got), f.Cache.Status, f.Cache.Coding)
		}
		for range 2 {
			f = get(path)
			p.Lookup(f)
			if m := f.Message(); m == nil || m.Loan != nil || string(m.Body) != want {
				t.Errorf("again: got %+v, want it in memory", m)
			}
		}
	})
}

// What is lent is bounded: beyond that, and for what has to be validated, memory is used as it was before.
func TestLendBounds(t *testing.T) {
	withMuchOnDisk(t, func(p *Policy) {
		most := int(p.room.filling.limit / lentShare / lentLarge)
		var held []*flow.Flow
		for i := 1; i < 300; i++ {
			f := get("/" + itoa(i))
			if p.Lookup(f); f.Message() == nil {
				mustServeDisk(t, p, f, muchOf(i))
			} else if f.Message().Loan != nil {
				held = append(held, f)
			}
		}
		if len(held) != most {
			t.Errorf("got %d lent, want %d", len(held), most)
		}
		for _, f := range held {
			if got, _ := read(f); got != muchOf(int(got[0]-'0')) {
				t.Errorf("%s: what was lent has changed", f.Request.Path)
			}
		}
		time.Sleep(time.Hour)
		for i := 1; i < 300; i++ {
			f := get("/" + itoa(i))
			if p.Lookup(f); f.Message() != nil {
				t.Fatalf("object %d, stale: got %v, want it left to Join", i, f.Cache.Status)
			}
		}
	})
}

func TestRecalls(t *testing.T) {
	const memory, size = 1 << 20, 1 << 10
	key := func(i int) store.Key { return store.Key(i) << 32 * 0x9e3779b9 }
	for _, tt := range []struct {
		name    string
		between int64 // bytes of others
		want    bool
	}{
		{"at once", 0, true},
		{"within as much as memory holds", memory - size, true},
		{"after more than twice as much", 2*memory + size, false},
		{"after very much", memory << (turnBits - 1), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRecalls(memory)
			if r.again(key(1), size) {
				t.Error("got again at the first time")
			}
			r.read.Add(tt.between)
			if got := r.again(key(1), size); got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
			if r.again(key(2), size) {
				t.Error("another key: got again at the first time")
			}
		})
	}
}

// sender is an exchange that has the kernel send files.
type sender struct{ flow.FileWriter }

func (sender) SendsFiles() bool { return true }

// What has been verified is sent from where it is, by exchanges that can, and only as a whole.
func TestLendFile(t *testing.T) {
	withMuchOnDisk(t, func(p *Policy) {
		path, f, want := lentOne(t, p)
		if _, err := read(f); err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			name     string
			exchange flow.Exchange
			fields   []string
			sent     bool
		}{
			{"whole", sender{}, nil, true},
			{"of another exchange", nil, nil, false},
			{"a range", sender{}, []string{"Range: bytes=1-2"}, false},
		} {
			p.room.tier.recalls.read.Add(testSize * 3) // so that it was long ago
			f := get(path, tt.fields...)
			f.Exchange = tt.exchange
			p.Lookup(f)
			m := f.Message()
			if m == nil || m.Loan == nil || m.Length != int64(len(want)) || f.Cache.Status != flow.Hit {
				t.Fatalf("%s: got %+v, want it lent", tt.name, m)
			}
			if part := m.File; part.Length == 0 {
				if tt.sent {
					t.Skip("this system does not tell what is in the page cache")
				}
			} else if !tt.sent {
				t.Errorf("%s: got a file", tt.name)
			}
			if got, err := read(f); got != want || err != nil {
				t.Errorf("%s: got %d bytes, %v, want the body", tt.name, len(got), err)
			}
		}
	})
}
