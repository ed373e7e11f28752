package cache

import (
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/flow"
)

// What is set aside grows with what is used, and is lent again once less was used for a while: not at once, and not for a little.
func TestBudgetLends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var aside []int64
		var b budget
		b.init(1600, func(n int64) { aside = append(aside, n) })
		for _, tt := range []struct {
			do    string
			add   int64
			sleep time.Duration
			want  []int64 // all resizes by then
		}{
			{do: "little", add: 10, want: []int64{100}},
			{do: "a little more", add: 80, want: []int64{100}},
			{do: "much", add: 500, want: []int64{100, 600}},
			{do: "less", add: -580, want: []int64{100, 600}},
			{do: "after a look that saw much", sleep: lendAfter, want: []int64{100, 600}},
			{do: "too early", sleep: lendAfter - 1, want: []int64{100, 600}},
			{do: "after a while", sleep: 1, want: []int64{100, 600, 100}},
			{do: "a step less", add: -10, sleep: 2 * lendAfter, want: []int64{100, 600, 100}},
			{do: "all, and more", add: 2000, want: []int64{100, 600, 100, 1600}},
			{do: "none", add: -2000, sleep: 2 * lendAfter, want: []int64{100, 600, 100, 1600}},
			{do: "none for a while", sleep: lendAfter, want: []int64{100, 600, 100, 1600, 0}},
		} {
			b.add(tt.add)
			time.Sleep(tt.sleep)
			if b.lend(time.Now()); !slices.Equal(aside, tt.want) {
				t.Fatalf("%s: got %v, want %v", tt.do, aside, tt.want)
			}
		}
	})
}

// Stored objects never have what is used, whoever takes and lends at the same time.
func TestBudgetCovers(t *testing.T) {
	var b budget
	var store atomic.Int64
	b.init(1600, store.Store)
	var all sync.WaitGroup
	for seed := range uint64(4) {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, 1))
			now := time.Unix(0, 0)
			for range 20_000 {
				n := random.Int64N(1000)
				if b.take(n) {
					if got := store.Load(); got < n {
						t.Errorf("got %d set aside, want the %d that are taken", got, n)
					}
					b.add(-n)
				}
				now = now.Add(lendAfter)
				b.lend(now)
			}
		})
	}
	all.Wait()
	if got := b.used.Load(); got != 0 {
		t.Errorf("got %d used at the end, want 0", got)
	}
}

// Objects have all the memory while nothing is fetched, and make room for what is.
func TestMemoryIsLent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t)
		for i := range 400 {
			fetch(t, p, get("/"+itoa(i)), response(200, strings.Repeat("x", 50_000), cacheable))
		}
		synctest.Wait()
		if got := p.room.Stats(); got.Bytes < testSize/16*15 || got.Bytes > testSize {
			t.Errorf("idle: got %d bytes, want most of %d", got.Bytes, testSize)
		}
		body := newScripted(&flow.Abort{})
		body.steps <- step{data: strings.Repeat("x", testObject-1)}
		f := startFill(p, body, testObject)
		next(t, f, strings.Repeat("x", pieceSize), nil)
		if got := p.room.Stats(); got.Filling < testObject-1 || got.Bytes+got.Filling > testSize {
			t.Errorf("fetching: got %d bytes stored and %d fetched, want no more than %d", got.Bytes, got.Filling, testSize)
		}
		body.steps <- step{"x", io.EOF}
		if _, err := read(f); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if got := p.room.Stats(); got.Filling != 0 || got.Bytes > testSize {
			t.Errorf("at the end: got %d bytes stored and %d fetched", got.Bytes, got.Filling)
		}
	})
}
