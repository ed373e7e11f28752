package xdp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/packet"
	"github.com/seawall/seawall/prefixes"
)

// inMemory reads a table that was only built.
func inMemory(table []byte) cells {
	return func(index uint32) (uint64, uint64, error) {
		at := int(index) * cellBytes
		if at+cellBytes > len(table) {
			return 0, 0, fmt.Errorf("cell %d is outside", index)
		}
		return binary.LittleEndian.Uint64(table[at:]), binary.LittleEndian.Uint64(table[at+8:]), nil
	}
}

func TestTablesAgreeWithPrefixes(t *testing.T) {
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 1))
		set := randomPrefixes(random, 1+random.IntN(3000))
		reference := prefixes.Compile(set)
		s := salt{random.Uint64(), random.Uint64()}
		flat, err4 := flatten(unmapped(set, true, false))
		six, err6 := hashed(unmapped(set, false, true), s)
		both, err := hashed(set, s)
		if err := errors.Join(err4, err6, err); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for range 3000 {
			a := near(random, set)
			got, err := inHashed(inMemory(both), a, s)
			if want := reference.Contains(a); got != want || err != nil {
				t.Fatalf("seed %d: %v in the hashed table of both: %v, %v; want %v", seed, a, got, err, want)
			}
			if a.Is4() && flat != nil {
				got, err = inFlat(inMemory(flat), a)
			} else if a.Is6() && six != nil {
				got, err = inHashed(inMemory(six), a, s)
			}
			if want := reference.Contains(a); got != want || err != nil {
				t.Fatalf("seed %d: %v: %v, %v; want %v", seed, a, got, err, want)
			}
		}
	}
}

// randomPrefixes have all lengths, and often lie in each other.
func randomPrefixes(random *rand.Rand, n int) []netip.Prefix {
	out := make([]netip.Prefix, 0, n)
	for len(out) < n {
		a := halves(address4(random.Uint32() & 0x0fffffff))
		bits := 96 + 8 + random.IntN(25)
		if random.IntN(2) == 0 {
			a, bits = address{0x2001<<48 | random.Uint64()>>20, random.Uint64()}, 20+random.IntN(109)
		}
		if len(out) > 0 && random.IntN(3) == 0 {
			p := out[random.IntN(len(out))]
			a, bits = halves(p.Addr()), min(bits128(p)+random.IntN(9), 128)
		}
		out = append(out, prefix128{a.cut(bits), bits}.prefix())
	}
	return out
}

// near is an address in or beside one of the prefixes.
func near(random *rand.Rand, set []netip.Prefix) netip.Addr {
	p := set[random.IntN(len(set))]
	a, bits := halves(p.Addr()), bits128(p)
	for i := bits; i < 128; i++ {
		if random.IntN(2) == 0 {
			a = a.flip(i)
		}
	}
	if random.IntN(2) == 0 {
		a = a.flip(max(bits-1-random.IntN(4), 100*int(min(a.hi, 1)^1)))
	}
	if v4 := p.Addr().Is4(); v4 != a.addr().Is4() {
		return p.Addr()
	}
	return a.addr()
}

func (a address) flip(bit int) address {
	if bit < 64 {
		return address{a.hi ^ 1<<(63-bit), a.lo}
	}
	return address{a.hi, a.lo ^ 1<<(127-bit)}
}

func TestTableBounds(t *testing.T) {
	tests := []struct {
		name string
		set  []netip.Prefix
		ok   bool
	}{
		{"nothing", nil, true},
		{"everybody of IPv4", parsePrefixes("0.0.0.0/0"), true},
		{"everybody of IPv6", parsePrefixes("::/0"), false},
		{"half of IPv6", parsePrefixes("8000::/1"), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err4 := flatten(unmapped(tt.set, true, false))
			_, err6 := hashed(unmapped(tt.set, false, true), salt{1, 2})
			if got := errors.Join(err4, err6) == nil; got != tt.ok {
				t.Errorf("errors %v, %v; want success %v", err4, err6, tt.ok)
			}
		})
	}
}

// FuzzTables: whatever the set, both forms say what the garden's says.
func FuzzTables(f *testing.F) {
	f.Add([]byte{10, 1, 2, 3, 16, 10, 1, 2, 3, 32}, uint32(0x0a010203))
	f.Fuzz(func(t *testing.T, data []byte, ip uint32) {
		var set []netip.Prefix
		for ; len(data) >= 5; data = data[5:] {
			set = append(set, netip.PrefixFrom(netip.AddrFrom4([4]byte(data)), int(data[4])%33).Masked())
		}
		if len(set) == 0 {
			return
		}
		want := prefixes.Compile(set).Contains(address4(ip))
		flat, err := flatten(set)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := inFlat(inMemory(flat), address4(ip)); got != want || err != nil {
			t.Errorf("%v in the flat table of %v: %v, %v; want %v", address4(ip), set, got, err, want)
		}
		s := salt{uint64(ip), 7}
		table, err := hashed(set, s)
		if err != nil {
			return // too many lengths
		}
		if got, err := inHashed(inMemory(table), address4(ip), s); got != want || err != nil {
			t.Errorf("%v in the hashed table of %v: %v, %v; want %v", address4(ip), set, got, err, want)
		}
	})
}

// TestKernelReadsTables has the program look up a set of all lengths.
func TestKernelReadsTables(t *testing.T) {
	l := newLab(t)
	b := newBench(t, l)
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	set := randomPrefixes(random, 2000)
	allowed := randomPrefixes(random, 20)
	reference, except := prefixes.Compile(set), prefixes.Compile(allowed)
	defer l.enter()()
	policy := packet.Policy{Listeners: []packet.Listener{{Port: 9, UDP: true}}}
	if err := errors.Join(b.SetPolicy(policy), b.Replace(set), b.SetAllow(allowed)); err != nil {
		t.Fatal(err)
	}
	for range 20000 {
		src := near(random, set)
		if random.IntN(4) == 0 {
			src = near(random, allowed)
		}
		c := craft{src: src, dst: netip.MustParseAddr(server6), protocol: protocolUDP, sport: 1000, dport: 9}
		if src.Is4() {
			c.dst = netip.MustParseAddr(server4)
		}
		want := packet.Passed
		switch {
		case except.Contains(src):
			want = packet.Allowed
		case reference.Contains(src):
			want = packet.Denied
		}
		if _, _, got, _ := b.run(c.frame()); packet.Reason(got) != want {
			t.Fatalf("%v: %v, want %v", src, packet.Reason(got), want)
		}
		finding, err := b.Find(src)
		if finding.Allowed != except.Contains(src) || finding.Denied != reference.Contains(src) || err != nil {
			t.Fatalf("Find(%v): %+v, %v", src, finding, err)
		}
	}
}

func TestReplaceMillion(t *testing.T) {
	if testing.Short() {
		t.Skip("builds sets of a million prefixes")
	}
	l := newLab(t)
	b := newBench(t, l)
	million := manyPrefixes(1e6)
	defer l.enter()()
	for _, v := range []struct {
		name string
		set  []netip.Prefix
	}{{"IPv4", million[:1e6]}, {"IPv6", million[1e6:]}} {
		began := time.Now()
		done := make(chan error)
		go func() { done <- b.Replace(v.set) }()
		bans, slowest, err := banUntil(b.Filter, done)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("a million prefixes of %s took %v; the slowest of %d bans meanwhile %v", v.name, time.Since(began).Round(time.Millisecond), bans, slowest)
		if bans < 100 {
			t.Errorf("%d bans were entered while a set of %s was replaced, want 100: they wait for it", bans, v.name)
		}
		for i := 0; i < len(v.set); i += 1009 {
			if finding, err := b.Find(v.set[i].Addr()); !finding.Denied || err != nil {
				t.Fatalf("%v is not denied: %v", v.set[i], err)
			}
		}
	}
}

// banUntil enters one ban after another, until something else is done.
func banUntil(f *Filter, done <-chan error) (entered int, slowest time.Duration, err error) {
	for ; ; entered++ {
		select {
		case err := <-done:
			return entered, slowest, err
		default:
		}
		began := time.Now()
		if err := f.Ban(netip.PrefixFrom(address4(uint32(entered%10000)), 32), began.Add(time.Hour)); err != nil {
			return entered, slowest, err
		}
		slowest = max(slowest, time.Since(began))
	}
}
