package conn

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/seawall/seawall/prefixes"
)

const unlimited = 1 << 30

// TestSourcesAgreeWithModel holds every answer against two plain maps.
func TestSourcesAgreeWithModel(t *testing.T) {
	addresses := []string{
		"192.0.2.1", "192.0.2.2", "::ffff:192.0.2.2", "192.0.3.1", "0.0.0.0",
		"2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "2001:db8:0:2::1%eth0", "2001:db8:1::1", "fe80::1%eth0", "::1",
	}
	rapid.Check(t, func(t *rapid.T) {
		perSource := rapid.IntRange(0, 4).Draw(t, "perSource")
		perNetwork := rapid.IntRange(0, 8).Draw(t, "perNetwork")
		s, bySource, byNetwork := newSources(), map[netip.Prefix]int{}, map[netip.Prefix]int{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			addr := netip.MustParseAddr(rapid.SampledFrom(addresses).Draw(t, "address"))
			source, network := prefixes.Source(addr), prefixes.Network(addr)
			if rapid.IntRange(0, 2).Draw(t, "leave") == 0 {
				if s.leave(addr); bySource[source] > 0 {
					bySource[source]--
					byNetwork[network]--
				}
			} else {
				sourceFull, networkFull := s.enter(addr, perSource, perNetwork)
				wantSource := bySource[source] >= perSource
				wantNetwork := !wantSource && byNetwork[network] >= perNetwork
				if sourceFull != wantSource || networkFull != wantNetwork {
					t.Fatalf("%v: got full source %v, network %v, want %v, %v", addr, sourceFull, networkFull, wantSource, wantNetwork)
				}
				if !wantSource && !wantNetwork {
					bySource[source]++
					byNetwork[network]++
				}
			}
			if got, want := s.open(addr), bySource[source]; got != want {
				t.Fatalf("%v: got %d open of the source, want %d", addr, got, want)
			}
			if got, want := s.openNetwork(addr), byNetwork[network]; got != want {
				t.Fatalf("%v: got %d open of the network, want %d", addr, got, want)
			}
		}
	})
}

// TestTallyAgreesWithModel lets keys collide on purpose: few hashes, in a table that grows and shrinks.
func TestTallyAgreesWithModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var got tally
		want := map[uint64]int{}
		spread := rapid.Uint64Range(1, 16).Draw(t, "hashes")
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			key := rapid.Uint64Range(0, 63).Draw(t, "key")
			s := tallySlot{key: key, hash: uint32(key%spread) - 8} // some wrap round the end
			if rapid.IntRange(0, 2).Draw(t, "remove") == 0 {
				if got.remove(s); want[key] > 1 {
					want[key]--
				} else {
					delete(want, key)
				}
			} else {
				got.add(got.find(s), s)
				want[key]++
			}
			for key, n := range want {
				if got := got.at(got.find(tallySlot{key: key, hash: uint32(key%spread) - 8})); got != n {
					t.Fatalf("key %d: got %d, want %d", key, got, n)
				}
			}
			if got.keys != len(want) {
				t.Fatalf("got %d keys, want %d", got.keys, len(want))
			}
		}
	})
}

// diverse are n sources, each of a network of its own: half IPv4, half IPv6.
func diverse(n int) []netip.Addr {
	rng := rand.New(rand.NewPCG(1, 2))
	addrs := make([]netip.Addr, n)
	for i := range addrs {
		var b [16]byte
		if i%2 == 0 {
			binary.BigEndian.PutUint64(b[:], uint64(0x2000+i)<<48|rng.Uint64()>>16)
			addrs[i] = netip.AddrFrom16(b)
			continue
		}
		binary.BigEndian.PutUint32(b[:4], uint32(i)<<9|rng.Uint32()>>24)
		addrs[i] = netip.AddrFrom4([4]byte(b[:4]))
	}
	return addrs
}

// slots is how many there are of all tallies, and how many there may be for the keys that they hold.
func (s *sources) slots() (got, most, keys int) {
	for i := range s.shards {
		s.shards[i].mu.Lock()
		for _, t := range []*tally{&s.shards[i].sources, &s.shards[i].networks} {
			got += len(t.slots)
			most += max(8*t.keys, leastSlots)
			keys += t.keys
		}
		s.shards[i].mu.Unlock()
	}
	return got, most, keys
}

// TestFloodOfSourcesLeavesNoMemory: memory follows the connections that are open, whoever has been here.
func TestFloodOfSourcesLeavesNoMemory(t *testing.T) {
	s, addrs := newSources(), diverse(100_000)
	check := func(when string, want int) {
		t.Helper()
		if got, most, keys := s.slots(); got > most || keys != want {
			t.Errorf("%s: got %d slots for %d keys, want at most %d for %d", when, got, keys, most, want)
		}
	}
	for i, addr := range addrs { // 1000 at a time
		s.enter(addr, 1, 1)
		if i >= 1000 {
			s.leave(addrs[i-1000])
		}
		if i%1000 == 999 {
			check("passing", 2000)
		}
	}
	for _, addr := range addrs[:len(addrs)-1000] { // all at once
		s.enter(addr, 1, 1)
	}
	check("at the height", 2*len(addrs))
	for _, addr := range addrs[1:] {
		s.leave(addr)
	}
	check("after it", 2)
}

// TestRefusalCountsNothing: a full network refuses a source without counting it, so its neighbours' leaving is enough to let it in.
func TestRefusalCountsNothing(t *testing.T) {
	s := newSources()
	inside, outside := netip.MustParseAddr("2001:db8:0:1::1"), netip.MustParseAddr("2001:db8:0:2::1")
	s.enter(inside, 2, 2)
	s.enter(inside, 2, 2)
	for range 3 {
		if sourceFull, networkFull := s.enter(outside, 2, 2); sourceFull || !networkFull {
			t.Fatalf("got full source %v, network %v, want the network alone", sourceFull, networkFull)
		}
	}
	if got := s.open(outside); got != 0 {
		t.Errorf("got %d open of the refused source, want 0", got)
	}
	s.leave(inside)
	if sourceFull, networkFull := s.enter(outside, 2, 2); sourceFull || networkFull {
		t.Errorf("got full source %v, network %v after one left, want room", sourceFull, networkFull)
	}
}

// TestSourcesTogether: however many come and go at once, no more than the caps are in, and nothing is left in the end.
func TestSourcesTogether(t *testing.T) {
	const perSource, perNetwork = 3, 8
	s := newSources()
	var group sync.WaitGroup
	for seed := range 8 {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(seed), 1))
			for range 2000 {
				addr := netip.AddrFrom4([4]byte{192, 0, byte(rng.IntN(2)), byte(rng.IntN(4))})
				if sourceFull, networkFull := s.enter(addr, perSource, perNetwork); sourceFull || networkFull {
					continue
				}
				if n, m := s.open(addr), s.openNetwork(addr); n < 1 || n > perSource || m < 1 || m > perNetwork {
					t.Errorf("got %d of the source and %d of the network, want at most %d and %d", n, m, perSource, perNetwork)
				}
				s.leave(addr)
			}
		})
	}
	group.Wait()
	if _, _, keys := s.slots(); keys != 0 {
		t.Errorf("got %d keys left, want 0", keys)
	}
}

func TestSourcesDoNotAllocate(t *testing.T) {
	s, addrs := newSources(), diverse(1000)
	for _, addr := range addrs {
		s.enter(addr, unlimited, unlimited)
	}
	i := 0
	got := testing.AllocsPerRun(10_000, func() {
		i++
		addr := addrs[i%len(addrs)]
		s.leave(addr)
		s.enter(addr, unlimited, unlimited)
		s.enter(addr, 1, unlimited)
		s.open(addr)
	})
	if got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

// BenchmarkSources is one connection that comes and goes, beside as many as its case says.
func BenchmarkSources(b *testing.B) {
	tests := []struct {
		name string
		open int
	}{
		{"alone", 1},
		{"beside 1000", 1000},
		{"beside 100000", 100_000},
	}
	for _, tt := range tests {
		addrs := diverse(tt.open)
		s := newSources()
		for _, addr := range addrs {
			s.enter(addr, unlimited, unlimited)
		}
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				addr := addrs[i%len(addrs)]
				s.leave(addr)
				s.enter(addr, unlimited, unlimited)
			}
		})
		b.Run(tt.name+" parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := rand.IntN(len(addrs)); pb.Next(); i++ {
					addr := addrs[i%len(addrs)]
					s.leave(addr)
					s.enter(addr, unlimited, unlimited)
				}
			})
		})
	}
	b.Run("refused", func(b *testing.B) {
		s, addr := newSources(), netip.MustParseAddr("2001:db8::1")
		b.ReportAllocs()
		for b.Loop() {
			s.enter(addr, 1, 0)
		}
	})
}
