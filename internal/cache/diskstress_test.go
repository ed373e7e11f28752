package cache

import (
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// smallDiskPolicy has so little memory, and so little room on the disk, that both evict all the time.
func smallDiskPolicy(t *testing.T, folder string) *Policy {
	t.Helper()
	p := newDiskPolicyOf(t, spec.Memory{
		Size: 2 << 20, Object: 256 << 10, Disk: spec.Disk{Path: folder, Size: 6 << 20, Object: 256 << 10, Objects: 1000},
	})
	p.waiters = 4
	return p
}

// TestStressDisk is TestStress with a disk, through some restarts.
func TestStressDisk(t *testing.T) {
	withDisk(t, func(t *testing.T, folder string) {
		for run := range uint64(3) {
			p := smallDiskPolicy(t, folder)
			var wg sync.WaitGroup
			for worker := range uint64(8) {
				wg.Go(func() {
					rnd := rand.New(rand.NewPCG(worker, run))
					for range 60 {
						stress(t, p, rnd)
					}
				})
			}
			wg.Wait()
			time.Sleep(time.Second)
			synctest.Wait()
			if !idle(p.room) {
				t.Error("fetches are left behind")
			}
			p.room.CloseDisk()
		}
	})
}

// What was invalidated is not served to anybody who asks afterwards, wherever it was: in memory, on the disk, or on the way between them.
func TestStressDiskInvalidation(t *testing.T) {
	const paths = 40
	withDisk(t, func(t *testing.T, folder string) {
		p := smallDiskPolicy(t, folder)
		var current, least [paths]atomic.Uint64
		var hits atomic.Uint64
		var wg sync.WaitGroup
		visit := func(rnd *rand.Rand) {
			n := rnd.IntN(paths)
			f := get("/" + itoa(n))
			if rnd.IntN(8) == 0 {
				version := current[n].Add(1)
				f.Request.Method, f.Origin.Message = "POST", &flow.Message{Status: 200}
				p.Invalidate(f)
				for old := least[n].Load(); old < version && !least[n].CompareAndSwap(old, version); old = least[n].Load() {
				}
				return
			}
			if rnd.IntN(2) == 0 {
				f.Exchange = sender{}
			}
			want := least[n].Load()
			outcome := run(p, f, func(*flow.Flow) (*flow.Message, *flow.Refusal) {
				body := strconv.FormatUint(current[n].Load(), 10) + strings.Repeat(" ", n*5000)
				return &flow.Message{Status: 200, Fields: lines(cacheable), Length: int64(len(body)), Stream: pieces(io.EOF, body)}, nil
			})
			body, err := read(f)
			got, perr := strconv.ParseUint(strings.TrimRight(body, " "), 10, 64)
			if err != nil || perr != nil || got < want {
				t.Errorf("/%d: got version %d, %v, %v, want at least %d", n, got, err, perr, want)
			}
			if outcome == Served {
				hits.Add(1)
			}
		}
		for worker := range uint64(6) {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(worker, 3))
				for range 250 {
					visit(rnd)
				}
			})
		}
		wg.Wait()
		if s := p.room.Stats(); s.Disk.Hits == 0 || hits.Load() < 300 {
			t.Errorf("got %d hits, %d of them from the disk, want more", hits.Load(), s.Disk.Hits)
		}
	})
}
