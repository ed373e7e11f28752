package limit

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"
)

// exact is the naive meter that Table is held against: a token bucket for each key, in whole nanoseconds of the sustained
// rate, kept for ever.
type exact map[Key]*struct {
	saved time.Duration // tokens × interval
	at    time.Time
}

func (e exact) saved(key Key, r Rate, now time.Time) *time.Duration {
	full := time.Duration(r.burst) * r.interval
	b := e[key]
	if b == nil {
		b = &struct {
			saved time.Duration
			at    time.Time
		}{full, now}
		e[key] = b
	}
	b.saved, b.at = min(full, b.saved+now.Sub(b.at)), now
	return &b.saved
}

func (e exact) take(key Key, r Rate, cost int, now time.Time) (bool, time.Duration) {
	saved, want := e.saved(key, r, now), time.Duration(cost)*r.interval
	if cost > r.burst {
		return false, Never
	}
	if want > *saved {
		return false, want - *saved
	}
	*saved -= want
	return true, 0
}

func (e exact) refund(key Key, r Rate, cost int, now time.Time) {
	saved := e.saved(key, r, now)
	*saved = min(time.Duration(r.burst)*r.interval, *saved+time.Duration(cost)*r.interval)
}

func (e exact) charge(key Key, r Rate, cost int, now time.Time) {
	saved := e.saved(key, r, now)
	*saved = max(0, *saved-time.Duration(cost)*r.interval)
}

func (e exact) live(r Rate, now time.Time) (n int) {
	for key := range e {
		if *e.saved(key, r, now) < time.Duration(r.burst)*r.interval {
			n++
		}
	}
	return n
}

// TestAgreesWithExact has few keys for the room there is, so that every one fits, and every answer must be exact.
func TestAgreesWithExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, err := NewRate(rapid.IntRange(1, 1000).Draw(t, "count"),
			time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(time.Hour)).Draw(t, "per")),
			rapid.IntRange(1, 20).Draw(t, "burst"))
		if err != nil {
			t.Fatal(err)
		}
		table, model := New(ways), exact{}
		now := table.epoch
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, 3*int64(r.interval)).Draw(t, "pause")))
			key := Key(rapid.Uint64Range(0, ways-1).Draw(t, "key"))
			cost := rapid.IntRange(1, r.burst+1).Draw(t, "cost")
			if rapid.IntRange(0, 4).Draw(t, "refund") == 0 {
				table.Refund(key, r, cost, now)
				model.refund(key, r, cost, now)
				continue
			}
			if rapid.IntRange(0, 4).Draw(t, "charge") == 0 {
				table.Charge(key, r, cost, now)
				model.charge(key, r, cost, now)
				continue
			}
			peekOK, peekWait := table.Peek(key, r, cost, now)
			gotOK, gotWait := table.Take(key, r, cost, now)
			wantOK, wantWait := model.take(key, r, cost, now)
			if peekOK != gotOK || peekWait != gotWait {
				t.Fatalf("key %d, cost %d: peeked %v, %v, then got %v, %v", key, cost, peekOK, peekWait, gotOK, gotWait)
			}
			if gotOK != wantOK || gotWait != wantWait {
				t.Fatalf("key %d, cost %d: got %v, %v, want %v, %v", key, cost, gotOK, gotWait, wantOK, wantWait)
			}
		}
		if got, want := table.Stats(now), (Stats{Capacity: ways, Live: model.live(r, now)}); got != want {
			t.Fatalf("got stats %+v, want %+v", got, want)
		}
	})
}

// TestReplacingExpiredLosesNothing lets many more keys than there is room for come by, but never more than fit live at one
// time. As long as none is counted forgotten, every answer must be exact.
func TestReplacingExpiredLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, err := NewRate(1, time.Second, rapid.IntRange(1, 5).Draw(t, "burst"))
		if err != nil {
			t.Fatal(err)
		}
		table, model := New(ways), exact{}
		now := table.epoch
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			if model.live(r, now) >= ways {
				now = now.Add(r.interval)
				continue
			}
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(r.interval)).Draw(t, "pause")))
			key := Key(rapid.Uint64Range(0, 10*ways).Draw(t, "key"))
			got, _ := table.Take(key, r, 1, now)
			want, _ := model.take(key, r, 1, now)
			if got != want {
				t.Fatalf("key %d: got %v, want %v", key, got, want)
			}
		}
		if got := table.Stats(now).Forgotten; got != 0 {
			t.Fatalf("got %d forgotten, want 0", got)
		}
	})
}

// TestForgetsEarliest: with every way live, the key nearest to its whole burst goes, and it is counted.
func TestForgetsEarliest(t *testing.T) {
	table, r := New(ways), rate(t, 1, time.Second, ways+1)
	now := table.epoch
	for key := range Key(ways) {
		table.Take(key, r, ways+1-int(key), now) // key 6 takes least
	}
	if ok, wait := table.Take(ways, r, 1, now); !ok || wait != 0 {
		t.Fatalf("new key in a full set: got %v, %v, want it admitted", ok, wait)
	}
	if got, want := table.Stats(now), (Stats{Capacity: ways, Live: ways, Forgotten: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for key := range Key(ways - 1) {
		if ok, _ := table.Take(key, r, int(key)+1, now); ok {
			t.Errorf("key %d: admitted beyond its burst, want it remembered", key)
		}
	}
	if ok, _ := table.Take(ways-1, r, ways+1, now); !ok {
		t.Errorf("key %d: refused, want it forgotten", ways-1)
	}
}

// flood sends 10 × capacity invented keys past hot keys that ask at ten times their rate, all within one second, and
// returns the share of what the hot keys asked that was admitted beyond what the exact meter admits.
func flood(t *testing.T, hotRate, inventedRate Rate, inventedCost int) float64 {
	const capacity, hot, asks = ways * 1024, 64, 1000
	rng := rand.New(rand.NewPCG(1, 2))
	table, model := New(capacity), exact{}
	now := table.epoch
	var keys [hot]Key
	for i := range keys {
		keys[i] = Key(rng.Uint64())
	}
	memory := len(table.sets)
	var got, want int
	for range asks {
		for range 10 * capacity / asks {
			if ok, _ := table.Take(Key(rng.Uint64()), inventedRate, inventedCost, now); !ok {
				t.Fatal("a new key was refused")
			}
		}
		for _, key := range keys {
			if ok, _ := table.Take(key, hotRate, 1, now); ok {
				got++
			}
			if ok, _ := model.take(key, hotRate, 1, now); ok {
				want++
			}
		}
		now = now.Add(time.Millisecond)
	}
	if len(table.sets) != memory {
		t.Fatalf("grew from %d to %d sets", memory, len(table.sets))
	}
	st := table.Stats(now)
	t.Logf("hot keys: %d of %d admitted, %d by the exact meter; %+v", got, asks*hot, want, st)
	if st.Forgotten == 0 {
		t.Fatal("nothing was forgotten: the flood did not fill the table")
	}
	return float64(got-want) / float64(asks*hot)
}

func TestHotKeySurvivesFlood(t *testing.T) {
	hot := rate(t, 100, time.Second, 50) // the hot keys ask for 1000 a second
	tests := []struct {
		name     string
		invented Rate
		cost     int
		most     float64 // share of the hot keys' requests wrongly admitted
	}{
		{"one request a key", hot, 1, 0},
		{"half a burst a key", hot, 25, 0.001},
		{"one request of a slow limit", rate(t, 1, time.Minute, 2), 1, 0.001},
		{"a whole burst a key", hot, 50, 0.03},
		{"a whole burst of a slow limit", rate(t, 1, time.Minute, 5), 5, 0.85},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := flood(t, hot, tt.invented, tt.cost)
			t.Logf("%.4f wrongly admitted", got)
			if got > tt.most {
				t.Errorf("got %.4f of the hot keys' requests wrongly admitted, want at most %.4f", got, tt.most)
			}
		})
	}
}

// TestForgottenByLoad measures the share of keys forgotten when a share of the capacity is live at once.
func TestForgottenByLoad(t *testing.T) {
	const capacity = ways * 2048
	tests := []struct {
		name string
		load float64
		most float64
	}{
		{"quarter full", 0.25, 0.001},
		{"half full", 0.5, 0.02},
		{"three quarters full", 0.75, 0.07},
		{"full", 1, 0.16},
	}
	r := rate(t, 1, time.Minute, 5)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table, rng := New(capacity), rand.New(rand.NewPCG(3, 4))
			n := int(tt.load * capacity)
			for range n {
				table.Take(Key(rng.Uint64()), r, 1, table.epoch)
			}
			got := float64(table.Stats(table.epoch).Forgotten) / float64(n)
			t.Logf("%.5f forgotten", got)
			if got > tt.most {
				t.Errorf("got %.5f of the keys forgotten, want at most %.5f", got, tt.most)
			}
		})
	}
}

func TestKey(t *testing.T) {
	table, v4 := New(1), netip.MustParseAddr("192.0.2.1")
	key := table.Key(1, 2, v4)
	tests := []struct {
		name string
		got  Key
		same bool
	}{
		{"again", table.Key(1, 2, v4), true},
		{"mapped", table.Key(1, 2, netip.MustParseAddr("::ffff:192.0.2.1")), true},
		{"other zone", table.Key(2, 2, v4), false},
		{"other kind", table.Key(1, 3, v4), false},
		{"other address", table.Key(1, 2, v4.Next()), false},
		{"other table", New(1).Key(1, 2, v4), false},
		{"string", table.KeyString(1, 2, v4.String()), false},
		{"bytes", table.KeyBytes(v4.AsSlice()), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, want := tt.got == key, tt.same; got != want {
				t.Errorf("got same key %v, want %v", got, want)
			}
		})
	}
	if table.KeyString(1, 2, "a") != table.KeyString(1, 2, "a") || table.KeyString(1, 2, "a") == table.KeyString(1, 2, "b") {
		t.Error("KeyString: equal strings must have equal keys, others not")
	}
	if table.KeyBytes([]byte("a")) != table.KeyBytes([]byte("a")) || table.KeyBytes([]byte("a")) == table.KeyBytes([]byte("b")) {
		t.Error("KeyBytes: equal bytes must have equal keys, others not")
	}
	if got, want := table.Key(1, 2, netip.MustParseAddr("fe80::1%eth0")), table.Key(1, 2, netip.MustParseAddr("fe80::1")); got != want {
		t.Errorf("scope zone: got %x, want %x", got, want)
	}
}

func TestEdges(t *testing.T) {
	r := rate(t, 1, time.Second, 2)
	table := New(1)
	tests := []struct {
		name     string
		take     func() (bool, time.Duration)
		want     bool
		wantWait time.Duration
	}{
		{"zero rate", func() (bool, time.Duration) { return table.Take(1, Rate{}, 1e9, table.epoch) }, true, 0},
		{"no cost", func() (bool, time.Duration) { return table.Take(1, r, 0, table.epoch) }, true, 0},
		{"negative cost", func() (bool, time.Duration) { return table.Take(1, r, -5, table.epoch) }, true, 0},
		{"above burst", func() (bool, time.Duration) { return table.Take(1, r, 3, table.epoch) }, false, Never},
		{"a peek takes nothing", func() (bool, time.Duration) { return table.Peek(1, r, 2, table.epoch) }, true, 0},
		{"a peek above burst", func() (bool, time.Duration) { return table.Peek(1, r, 3, table.epoch) }, false, Never},
		{"before New", func() (bool, time.Duration) { return table.Take(1, r, 2, time.Time{}) }, true, 0},
		{"after that", func() (bool, time.Duration) { return table.Take(1, r, 1, table.epoch) }, false, time.Second},
		{"at the wait", func() (bool, time.Duration) { return table.Take(1, r, 1, table.epoch.Add(time.Second)) }, true, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, wait := tt.take()
			if got != tt.want || wait != tt.wantWait {
				t.Errorf("got %v, %v, want %v, %v", got, wait, tt.want, tt.wantWait)
			}
		})
	}
}

// TestRelaxedRate: who used up a slow rate isn't held to it once the rate is relaxed.
func TestRelaxedRate(t *testing.T) {
	table := New(1)
	now := table.epoch
	table.Take(1, rate(t, 1, 24*time.Hour, 3), 3, now)
	relaxed := rate(t, 10, time.Second, 5)
	ok, wait := table.Take(1, relaxed, 1, now)
	if ok || wait != 100*time.Millisecond {
		t.Fatalf("got %v, %v, want refused for 100ms", ok, wait)
	}
	if ok, _ := table.Take(1, relaxed, 1, now.Add(wait)); !ok {
		t.Error("refused after the wait")
	}
}

func TestSetIsTwoCacheLines(t *testing.T) {
	if got, want := unsafe.Sizeof(set{}), uintptr(128); got != want {
		t.Errorf("got a set of %d bytes, want %d", got, want)
	}
}

// TestParallelTake: however many take one key at once, burst + rate × time is admitted and no more, while others churn.
func TestParallelTake(t *testing.T) {
	const takers, asks = 8, 2000
	r := rate(t, 1000, time.Second, 100)
	table := New(ways)
	hot := Key(1 << 40)
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for n := range takers {
		wg.Go(func() {
			for i := range asks {
				now := table.epoch.Add(time.Duration(i) * 100 * time.Microsecond)
				if ok, _ := table.Take(hot, r, 1, now); ok {
					admitted.Add(1)
				}
				if n < ways-1 { // each its own key: the set never overflows
					table.Take(Key(n), r, 1, now)
				}
			}
		})
	}
	wg.Wait()
	last := (asks - 1) * 100 * time.Microsecond
	if got, want := admitted.Load(), int64(100+last/time.Millisecond); got > want || got < 100 {
		t.Errorf("got %d admitted, want 100 to %d", got, want)
	}
}

func BenchmarkTake(b *testing.B) {
	r := rate(b, 100, time.Second, 50)
	addrs := make([]netip.Addr, 1<<16)
	for i := range addrs {
		addrs[i] = netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1})
	}
	now := time.Now()
	b.Run("hot", func(b *testing.B) {
		table := New(1 << 20)
		b.ReportAllocs()
		for b.Loop() {
			table.Take(1<<40, r, 1, now)
		}
	})
	b.Run("addresses", func(b *testing.B) { // with the hash
		table, i := New(1<<20), 0
		b.ReportAllocs()
		for b.Loop() {
			i++
			table.Take(table.Key(1, 1, addrs[i&(1<<16-1)]), r, 1, now)
		}
	})
	b.Run("random", func(b *testing.B) { // in a table of 18 MiB, most of them new
		table, rng := New(1<<20), rand.New(rand.NewPCG(1, 2))
		b.ReportAllocs()
		for b.Loop() {
			table.Take(Key(rng.Uint64()), r, 1, now)
		}
	})
	b.Run("random in cache", func(b *testing.B) {
		table, rng := New(1<<13), rand.New(rand.NewPCG(1, 2))
		b.ReportAllocs()
		for b.Loop() {
			table.Take(Key(rng.Uint64()), r, 1, now)
		}
	})
	b.Run("parallel random", func(b *testing.B) {
		table := New(1 << 20)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			rng := rand.New(rand.NewPCG(rand.Uint64(), 2))
			for pb.Next() {
				table.Take(Key(rng.Uint64()), r, 1, now)
			}
		})
	})
	b.Run("parallel hot", func(b *testing.B) {
		table := New(1 << 20)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				table.Take(1<<40, r, 1, now)
			}
		})
	})
}

func BenchmarkKey(b *testing.B) {
	table, addr := New(1), netip.MustParseAddr("2001:db8::1")
	b.ReportAllocs()
	for b.Loop() {
		table.Key(1, 2, addr)
	}
}
