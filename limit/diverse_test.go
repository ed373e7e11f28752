package limit

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"time"
)

// million is how many strangers pass, each of them once, within two seconds.
const million = 1_000_000

// stranger is the address of one of 4 × 2³⁰ sources: in turn of all IPv4, of one IPv4 network, of all IPv6, and a /64 of one IPv6 network.
func stranger(i uint64) netip.Addr {
	var b [16]byte
	switch n := i / 4; i % 4 {
	case 0:
		binary.BigEndian.PutUint32(b[:], bits.Reverse32(uint32(n)))
		return netip.AddrFrom4([4]byte(b[:4]))
	case 1:
		return netip.AddrFrom4([4]byte{96 + byte(n>>24), byte(n >> 16), byte(n >> 8), byte(n)})
	case 2:
		binary.BigEndian.PutUint64(b[:], 0x2000<<48|bits.Reverse64(n)>>3)
	default:
		binary.BigEndian.PutUint64(b[:], 0x2001_0db8<<32|n)
	}
	return netip.AddrFrom16(b)
}

// TestMillionSources lets a million sources pass through a table of the size that a node has: memory stays at its bound, who is limited
// stays limited, and who keeps to the limit is never refused.
func TestMillionSources(t *testing.T) {
	const asks, heavies, visitors = 1000, 16, 100
	r := rate(t, 50, time.Second, 201)
	table, model := New(1<<20), exact{}
	rng, now := rand.New(rand.NewPCG(1, 2)), table.epoch
	keys := make([]Key, heavies+visitors)
	for i := range keys {
		keys[i] = table.Key(1, 1, stranger(million+uint64(i)))
		model.saved(keys[i], r, now)
	}
	take := func(key Key) (ok bool) {
		ok, _ = table.Take(key, r, 1, now)
		if want, _ := model.take(key, r, 1, now); ok != want {
			t.Fatalf("got %v, the exact meter %v", ok, want)
		}
		return ok
	}
	var refused int
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for ask := range uint64(asks) { // each of 2 ms
		for i := range uint64(million / asks) {
			if ok, _ := table.Take(table.Key(1, 1, stranger(ask*million/asks+i)), r, 1, now); !ok {
				t.Fatal("a stranger was refused")
			}
		}
		for _, heavy := range keys[:heavies] { // ten times their rate
			if !take(heavy) {
				refused++
			}
		}
		if !take(keys[heavies+rng.IntN(visitors)]) { // 5 a second each
			t.Fatal("a visitor was refused who keeps to the limit")
		}
		now = now.Add(2 * time.Millisecond)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 64<<10 {
		t.Errorf("allocated %d bytes, want nothing to speak of", got)
	}
	if got, want := refused, heavies*(asks-201-100); got < want {
		t.Errorf("got heavy sources refused %d times, want at least %d", got, want)
	}
	if got := table.Stats(now).Forgotten; got > 0 {
		t.Errorf("got %d sources forgotten before their time, want none", got)
	}
}

// BenchmarkMillionSources is one decision in a million-source flood, with the hash; by how full of debts the table is.
func BenchmarkMillionSources(b *testing.B) {
	tests := []struct {
		name string
		rate Rate
	}{
		{"hardly in debt", rate(b, 1_000_000, time.Second, 1)},
		{"all in debt", rate(b, 1, time.Hour, 5)},
	}
	for _, tt := range tests {
		b.Run(tt.name, func(b *testing.B) {
			table, now := New(1<<20), time.Now()
			take := func(i uint64) { table.Take(table.Key(1, 1, stranger(i%million)), tt.rate, 1, now) }
			for i := range uint64(million) {
				take(i)
			}
			b.ReportAllocs()
			for i := uint64(0); b.Loop(); i++ {
				take(i * 2_654_435_761)
				now = now.Add(time.Microsecond)
			}
		})
	}
}
