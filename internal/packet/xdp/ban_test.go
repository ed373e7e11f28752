package xdp

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/packet"
)

func TestBans(t *testing.T) {
	l := newLab(t)
	b := newBench(t, l)
	defer l.enter()()
	if err := b.SetPolicy(packet.Policy{Listeners: []packet.Listener{{Port: 9, UDP: true}}}); err != nil {
		t.Fatal(err)
	}
	judge := func(src string) packet.Reason {
		t.Helper()
		c := craft{src: netip.MustParseAddr(src), dst: netip.MustParseAddr(server6), protocol: protocolUDP, sport: 1000, dport: 9}
		if c.src.Is4() {
			c.dst = netip.MustParseAddr(server4)
		}
		_, _, reason, _ := b.run(c.frame())
		return packet.Reason(reason)
	}
	tests := []struct{ prefix, inside, outside string }{
		{"192.0.2.1/32", "192.0.2.1", "192.0.2.2"},
		{"198.51.100.0/24", "198.51.100.200", "198.51.101.200"},
		{"::ffff:203.0.113.5/128", "203.0.113.5", "203.0.113.4"},
		{"2001:db8::7/128", "2001:db8::7", "2001:db8::8"},
		{"2001:db8:0:1::/64", "2001:db8:0:1:ffff::1", "2001:db8:0:2::1"},
		{"2001:db8:2::/48", "2001:db8:2:ffff::1", "2001:db8:3::1"},
	}
	for _, tt := range tests {
		p := netip.MustParsePrefix(tt.prefix)
		if err := b.Ban(p, time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		b.stopAt(now())
		if in, out := judge(tt.inside), judge(tt.outside); in != packet.Banned || out != packet.Passed {
			t.Errorf("ban of %s: %s %v, %s %v", tt.prefix, tt.inside, in, tt.outside, out)
		}
		if f, err := b.Find(netip.MustParseAddr(tt.inside)); !f.Banned.IsValid() || time.Until(f.Until) < 50*time.Second || err != nil {
			t.Errorf("ban of %s: Find says %+v, %v", tt.prefix, f, err)
		}
		b.stopAt(now() + uint64(2*time.Minute))
		if got := judge(tt.inside); got != packet.Passed {
			t.Errorf("ban of %s: %v when it is over", tt.prefix, got)
		}
		b.stopAt(now())
		if err := b.Unban(p); err != nil {
			t.Fatal(err)
		}
		if got := judge(tt.inside); got != packet.Passed {
			t.Errorf("ban of %s: %v when it has been ended", tt.prefix, got)
		}
	}
}

func TestBanRefuses(t *testing.T) {
	l := newLab(t)
	b := newBench(t, l)
	for _, s := range []string{"192.0.2.0/25", "192.0.0.0/16", "2001:db8::/56", "::/0"} {
		if err := b.Ban(netip.MustParsePrefix(s), time.Now().Add(time.Hour)); err == nil {
			t.Errorf("%s can be banned", s)
		}
	}
}

// TestManyBans enters as many as are promised, and finds them again; those that are over give their room and marks back.
func TestManyBans(t *testing.T) {
	l := newLab(t)
	b := newBench(t, l)
	random := rand.New(rand.NewPCG(5, 6))
	n := 150000
	if testing.Short() {
		n = 20000
	}
	want := make(map[netip.Prefix]bool)
	var slowest, total time.Duration
	for len(want) < n {
		p := netip.PrefixFrom(address4(random.Uint32()), 32)
		began := time.Now()
		if err := b.Ban(p, time.Now().Add(time.Hour)); err != nil {
			t.Fatalf("ban %d: %v", len(want), err)
		}
		took := time.Since(began)
		slowest, total = max(slowest, took), total+took
		want[p] = true
	}
	t.Logf("a ban takes %v, the slowest %v", total/time.Duration(n), slowest)
	for p, until := range b.Bans() {
		if left := time.Until(until); !want[p] || left < 50*time.Minute || left > time.Hour+time.Minute {
			t.Fatalf("%v until %v", p, until)
		}
		delete(want, p)
	}
	if len(want) > 0 {
		t.Fatalf("%d bans are lost", len(want))
	}
	for p := range b.Bans() {
		if err := b.Unban(p); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 * banBuckets / sweepBuckets { // the first time round they were still in force
		if err := b.sweep(); err != nil {
			t.Fatal(err)
		}
	}
	for i, w := range marks(t, b.Filter) {
		if w != 0 {
			t.Fatalf("word %d of the marks is %#x without a ban", i, w)
		}
	}
}

// marks are the words of the marks.
func marks(t *testing.T, f *Filter) []uint64 {
	t.Helper()
	b := make([]byte, markWords*wordBytes)
	if _, err := f.bans.marks.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	words := make([]uint64, markWords)
	for i := range words {
		words[i] = binary.LittleEndian.Uint64(b[i*wordBytes:])
	}
	return words
}

// TestTwoProcessesBan: while an upgrade lasts, neither takes back what the other has entered.
func TestTwoProcessesBan(t *testing.T) {
	l := newLab(t)
	options := Options{Pins: pins(t)}
	open := func() *Filter {
		f, err := Open(options)
		if err == nil {
			err = f.SetPolicy(packet.Policy{}) // which has the salt of both
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { defer l.enter()(); f.Close() })
		return f
	}
	leave := l.enter()
	all := []*Filter{open(), open()}
	leave()
	random := rand.New(rand.NewPCG(9, 10))
	var entered []netip.Prefix
	for i := range 20000 { // some ten to a word
		p := netip.PrefixFrom(address4(random.Uint32()), 32)
		if err := all[i%2].Ban(p, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		entered = append(entered, p)
	}
	check := func(when string) {
		t.Helper()
		words := marks(t, all[0])
		for _, p := range entered {
			ban, err := all[0].banOf(p)
			if word, bit := ban.mark(); err != nil || words[word]&bit == 0 {
				t.Fatalf("%s: %v has no mark, %v", when, p, err)
			}
			if found, err := all[1].Find(p.Addr()); found.Banned != p || err != nil {
				t.Fatalf("%s: %v is not banned: %+v, %v", when, p, found, err)
			}
		}
	}
	check("entered")
	for range 2 * banBuckets / sweepBuckets {
		if err := errors.Join(all[0].sweep(), all[1].sweep()); err != nil {
			t.Fatal(err)
		}
	}
	check("swept")
}

// TestBansAreKeptWhileSwept: marks of bans that come and go during a sweep.
func TestBansAreKeptWhileSwept(t *testing.T) {
	l := newLab(t)
	b := newBench(t, l)
	random := rand.New(rand.NewPCG(11, 12))
	for range 4 * banBuckets / sweepBuckets {
		p := netip.PrefixFrom(address4(random.Uint32()), 32)
		if err := errors.Join(b.Ban(p, time.Now().Add(time.Hour)), b.sweep()); err != nil {
			t.Fatal(err)
		}
	}
	words := marks(t, b.Filter)
	n := 0
	for p := range b.Bans() {
		ban, err := b.banOf(p)
		if word, bit := ban.mark(); err != nil || words[word]&bit == 0 {
			t.Errorf("%v has no mark, %v", p, err)
		}
		n++
	}
	if n != 4*banBuckets/sweepBuckets {
		t.Errorf("%d bans, want %d", n, 4*banBuckets/sweepBuckets)
	}
}

func TestBanAfterClose(t *testing.T) {
	l := newLab(t)
	defer l.enter()()
	f, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := netip.MustParsePrefix("192.0.2.1/32")
	if err := errors.Join(f.Ban(p, time.Now().Add(time.Hour)), f.Close()); err != nil {
		t.Fatal(err)
	}
	if err := f.Ban(p, time.Now().Add(time.Hour)); err == nil {
		t.Error("a closed filter bans")
	}
	if err := f.Unban(p); err == nil {
		t.Error("a closed filter ends bans")
	}
	for p := range f.Bans() {
		t.Errorf("a closed filter has a ban of %v", p)
	}
}

func TestBansFillUp(t *testing.T) {
	l := newLab(t)
	b := newBench(t, l)
	random := rand.New(rand.NewPCG(7, 8))
	var err error
	entered := 0
	for ; err == nil && entered < 400000; entered++ {
		err = b.Ban(netip.PrefixFrom(address4(random.Uint32()), 32), time.Now().Add(time.Hour))
	}
	if !errors.Is(err, packet.ErrFull) {
		t.Errorf("after %d bans: %v, want ErrFull", entered, err)
	}
	t.Logf("full after %d", entered)
}
