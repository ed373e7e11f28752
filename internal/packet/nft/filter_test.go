package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/seawall/seawall/internal/packet"
	"github.com/seawall/seawall/test/flood"
	"github.com/seawall/seawall/test/flood/lab"
)

const (
	served = 8080
	other  = 8081 // served, but not in the policy

	tableOfTest = "seawall_test"
)

// large is a body that no window has room for at once.
const large = 4 << 20

// A site is a server with its filter.
type site struct {
	*lab.Lab
	t *testing.T
	*Filter
}

// open makes a lab whose server has a site at two ports, and a filter that begins to judge one of them.
func open(t *testing.T, p packet.Policy) *site {
	t.Helper()
	s := &site{Lab: lab.For(t), t: t}
	for _, port := range []int{served, other} {
		l, err := s.Server.Listen(t.Context(), "tcp", fmt.Sprintf(":%d", port))
		if err != nil {
			t.Fatal(err)
		}
		server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/large" {
				io.CopyN(w, zeros{}, large)
			}
			io.WriteString(w, "hello")
		})}
		go server.Serve(l)
		t.Cleanup(func() { server.Close() })
	}
	s.filter(p)
	return s
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// filter opens the filter and sets a policy.
func (s *site) filter(p packet.Policy) {
	s.t.Helper()
	s.inside(func() (err error) {
		s.Filter, err = Open(Options{Table: tableOfTest, Interfaces: []string{s.Server.Interface}})
		return err
	})
	s.t.Cleanup(func() { s.Filter.Close() })
	if !s.ChecksState() {
		s.t.Skip("this kernel has no SYN proxy")
	}
	s.inside(func() error { return s.SetPolicy(p) })
}

// inside does something in the server's namespace.
func (s *site) inside(do func() error) {
	s.t.Helper()
	if err := s.Server.Do(do); err != nil {
		s.t.Fatal(err)
	}
}

// counted are the counters that are not zero.
func (s *site) counted() map[packet.Reason]uint64 {
	s.t.Helper()
	counted := make(map[packet.Reason]uint64)
	s.inside(func() error {
		counters, err := s.Counters()
		for _, c := range counters {
			if c.Packets > 0 {
				counted[c.Reason] = c.Packets
			}
		}
		return err
	})
	return counted
}

// attack has packets from some sources arrive, and returns what was counted of them.
func (s *site) attack(kind string, port uint16, sources ...string) map[packet.Reason]uint64 {
	s.t.Helper()
	before := s.counted()
	s.attackOnly(kind, port, sources...)
	after := s.counted()
	for reason, packets := range before {
		after[reason] -= packets
	}
	maps.DeleteFunc(after, func(_ packet.Reason, packets uint64) bool { return packets == 0 })
	return after
}

// attackOnly returns when all of 200 packets have arrived.
func (s *site) attackOnly(kind string, port uint16, sources ...string) {
	s.t.Helper()
	plan := flood.Plan{Kind: kind, Target: netip.AddrPortFrom(s.Server.IPv4[0], port), Packets: 200, Rate: 50_000}
	for _, source := range sources {
		plan.Sources = append(plan.Sources, netip.MustParsePrefix(source))
		if plan.Sources[0].Addr().Is6() {
			plan.Target = netip.AddrPortFrom(s.Server.IPv6[0], port)
		}
	}
	arrived := s.arrived()
	if _, err := s.Flood(s.t.Context(), plan); err != nil {
		s.t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); s.arrived() < arrived+plan.Packets; {
		if time.Now().After(end) {
			s.t.Fatalf("%d packets arrived of %d", s.arrived()-arrived, plan.Packets)
		}
	}
}

func (s *site) arrived() int {
	s.t.Helper()
	r, err := s.Receiver()
	if err != nil {
		s.t.Fatal(err)
	}
	now, err := r.Read()
	if err != nil {
		s.t.Fatal(err)
	}
	return now.Packets
}

// visit has visitors come, and returns how they fared.
func (s *site) visit(url string) lab.Visited {
	s.t.Helper()
	v, err := s.Visit(s.t.Context(), lab.Visits{URL: url, Workers: 4, Rate: 100, Lasting: 300 * time.Millisecond, Timeout: 5 * time.Second})
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// everything is a policy that judges all that it can.
func everything() packet.Policy {
	return packet.Policy{
		Listeners: []packet.Listener{
			{Port: served, CheckState: true, SYNs: 20},
			{Port: served, UDP: true, Reflected: 10, Initials: 10},
		},
		Addresses: packet.AddressLimits{Pieces: 10, ICMP: 10},
	}
}

// TestLists: who is denied or banned is dropped, unless allowed; at other ports nobody is.
func TestLists(t *testing.T) {
	s := open(t, packet.Policy{Listeners: []packet.Listener{{Port: served}, {Port: served, UDP: true}}})
	hour := time.Now().Add(time.Hour)
	steps := []struct {
		name    string
		change  func() error
		port    uint16
		source  string
		dropped packet.Reason // Passed: none
	}{
		{"nothing yet", func() error { return nil }, served, "203.0.113.0/24", packet.Passed},
		{"denied", func() error {
			return s.Replace(prefixes("192.0.2.0/25", "203.0.113.0/25", "203.0.113.128/25", "2400:1::/32"))
		}, served, "203.0.113.0/24", packet.Denied},
		{"denied IPv6", func() error { return nil }, served, "2400:1:2::/48", packet.Denied},
		{"beside it", func() error { return nil }, served, "203.0.114.0/24", packet.Passed},
		{"another port", func() error { return nil }, other, "203.0.113.0/24", packet.Passed},
		{"allowed", func() error { return s.SetAllow(prefixes("203.0.113.0/24", "2400:1:2::/48")) }, served, "203.0.113.0/24", packet.Passed},
		{"allowed IPv6", func() error { return nil }, served, "2400:1:2::/48", packet.Passed},
		{"allowed no more", func() error { return s.SetAllow(nil) }, served, "203.0.113.0/24", packet.Denied},
		{"denied no more", func() error { return s.Replace(prefixes("192.0.2.0/25")) }, served, "203.0.113.0/24", packet.Passed},
		{"banned host", func() error { return s.Ban(netip.MustParsePrefix("203.0.113.7/32"), hour) }, served, "203.0.113.7/32", packet.Banned},
		{"beside the host", func() error { return nil }, served, "203.0.113.8/32", packet.Passed},
		{"banned network", func() error { return s.Ban(netip.MustParsePrefix("203.0.112.0/23"), hour) }, served, "203.0.113.0/24", packet.Banned},
		{"banned IPv6", func() error { return s.Ban(netip.MustParsePrefix("2400:1:2:3::/64"), hour) }, served, "2400:1:2:3::/64", packet.Banned},
		{"banned wider", func() error { return s.Ban(netip.MustParsePrefix("2400:1:2::/47"), hour) }, served, "2400:1:3::/48", packet.Banned},
		{"freed", func() error { return s.Unban(netip.MustParsePrefix("203.0.113.0/24")) }, served, "203.0.113.0/24", packet.Passed},
		{"still banned", func() error { return nil }, served, "203.0.112.0/24", packet.Banned},
	}
	for _, step := range steps {
		s.inside(step.change)
		want := map[packet.Reason]uint64{}
		if step.dropped != packet.Passed {
			want[step.dropped] = 200
		}
		for _, kind := range []string{"syn", "ack", "quic"} {
			if got := s.attack(kind, step.port, step.source); !maps.Equal(got, want) {
				t.Errorf("%s: of %s got %v, want %v", step.name, kind, got, want)
			}
		}
	}
}

// TestFind says of addresses what their packets would meet.
func TestFind(t *testing.T) {
	s := open(t, packet.Policy{Listeners: []packet.Listener{{Port: served}}})
	s.inside(func() error { return s.SetAllow(prefixes("192.0.2.7/32", "2001:db8:5::/48")) })
	s.inside(func() error {
		return s.Replace(prefixes("192.0.2.0/24", "203.0.113.0/25", "255.0.0.0/8", "2001:db8::/32", "ffff::/16"))
	})
	until := time.Now().Add(time.Hour)
	for _, ban := range prefixes("203.0.113.0/24", "203.0.113.9/32", "2001:db8:7::/48") {
		s.inside(func() error { return s.Ban(ban, until) })
	}
	tests := []struct {
		address         string
		allowed, denied bool
		banned          string
	}{
		{"192.0.2.7", true, true, ""},
		{"192.0.2.8", false, true, ""},
		{"192.0.1.255", false, false, ""},
		{"192.0.3.0", false, false, ""},
		{"203.0.113.1", false, true, "203.0.113.0/24"},
		{"203.0.113.9", false, true, "203.0.113.9/32"},
		{"203.0.113.128", false, false, "203.0.113.0/24"},
		{"::ffff:203.0.113.9", false, true, "203.0.113.9/32"},
		{"255.255.255.255", false, true, ""},
		{"2001:db8:5::1", true, true, ""},
		{"2001:db8:7::1", false, true, "2001:db8:7::/48"},
		{"2001:db9::", false, false, ""},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false, true, ""},
	}
	for _, tt := range tests {
		s.inside(func() error {
			got, err := s.Find(netip.MustParseAddr(tt.address))
			want := packet.Finding{Allowed: tt.allowed, Denied: tt.denied}
			if tt.banned != "" {
				want.Banned, want.Until = netip.MustParsePrefix(tt.banned), until
				if late := got.Until.Sub(until).Abs(); late < 5*time.Second {
					got.Until = until
				}
			}
			if got != want {
				t.Errorf("%s: got %+v, want %+v", tt.address, got, want)
			}
			return err
		})
	}
}

// TestBans: bans end by themselves, and a new one for the same prefix counts.
func TestBans(t *testing.T) {
	s := open(t, packet.Policy{Listeners: []packet.Listener{{Port: served}}})
	host := netip.MustParsePrefix("203.0.113.7/32")
	now := time.Now()
	for _, b := range []struct {
		prefix string
		until  time.Duration
	}{{"203.0.113.7/32", time.Hour}, {"203.0.113.7/32", 2 * time.Hour}, {"2001:db8:9::/64", time.Minute}, {"192.0.2.1/32", -time.Second}} {
		s.inside(func() error { return s.Ban(netip.MustParsePrefix(b.prefix), now.Add(b.until)) })
	}
	want := map[netip.Prefix]time.Duration{host: 2 * time.Hour, netip.MustParsePrefix("2001:db8:9::/64"): time.Minute}
	got := make(map[netip.Prefix]time.Duration)
	s.inside(func() error {
		for prefix, until := range s.Bans() {
			got[prefix] = until.Sub(now).Round(time.Minute)
		}
		return nil
	})
	if !maps.Equal(got, want) {
		t.Errorf("got bans %v, want %v", got, want)
	}
	s.inside(func() error { return s.Ban(host, time.Now().Add(50*time.Millisecond)) })
	for end := time.Now().Add(10 * time.Second); s.attack("syn", served, host.String())[packet.Banned] > 0; {
		if time.Now().After(end) {
			t.Fatal("a ban of 50 ms goes on")
		}
	}
}

// TestBanAll: many bans are one change. A later one of a prefix counts, one that can't be is told, and an unban ends what was banned.
func TestBanAll(t *testing.T) {
	s := open(t, packet.Policy{Listeners: []packet.Listener{{Port: served}}})
	now := time.Now()
	var bans []packet.Ban
	want := make(map[netip.Prefix]time.Duration)
	for i := range 3000 {
		prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)}), 32)
		bans = append(bans, packet.Ban{Source: prefix, Until: now.Add(time.Hour)})
		want[prefix] = time.Hour
	}
	for _, again := range prefixes("203.0.0.7/32", "203.0.0.7/32", "2001:db8:9::/64", "::ffff:203.0.0.9/128") {
		bans = append(bans, packet.Ban{Source: again, Until: now.Add(2 * time.Hour)})
		want[unmapped(again)] = 2 * time.Hour
	}
	bans = append(bans, packet.Ban{Source: netip.MustParsePrefix("2001:db8::/33"), Until: now.Add(time.Hour)}, packet.Ban{Source: netip.MustParsePrefix("192.0.2.1/32"), Until: now})
	s.inside(func() error {
		err := s.BanAll(bans)
		if err == nil || !strings.Contains(err.Error(), "2001:db8::/33") || strings.Contains(err.Error(), "203.") {
			t.Errorf("got %v, want an error about 2001:db8::/33 alone", err)
		}
		return nil
	})
	got := func() map[netip.Prefix]time.Duration {
		all := make(map[netip.Prefix]time.Duration)
		s.inside(func() error {
			for prefix, until := range s.Bans() {
				all[prefix] = until.Sub(now).Round(time.Minute)
			}
			return nil
		})
		return all
	}
	if all := got(); !maps.Equal(all, want) {
		t.Errorf("got %d bans, of 203.0.0.7 for %v; want %d, for 2h", len(all), all[netip.MustParsePrefix("203.0.0.7/32")], len(want))
	}
	for range 2 { // the second time, nothing is there
		for _, prefix := range prefixes("203.0.0.0/26", "::ffff:203.0.0.64/128") {
			s.inside(func() error { return s.Unban(prefix) })
		}
	}
	maps.DeleteFunc(want, func(p netip.Prefix, _ time.Duration) bool {
		return slices.ContainsFunc(prefixes("203.0.0.0/26", "203.0.0.64/32"), func(out netip.Prefix) bool { return out.Contains(p.Addr()) })
	})
	if all := got(); !maps.Equal(all, want) {
		t.Errorf("after unbans: got %d bans, want %d", len(all), len(want))
	}
}

// TestFull: who comes when there is no room is told so, and what is there can be renewed and ended.
func TestFull(t *testing.T) {
	s := open(t, packet.Policy{})
	bans := make([]packet.Ban, maxBans)
	for i := range bans {
		bans[i] = packet.Ban{Source: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32), Until: time.Now().Add(time.Hour)}
	}
	s.inside(func() error { return s.BanAll(bans) })
	one := netip.MustParsePrefix("192.0.2.7/32")
	hour := time.Now().Add(time.Hour)
	for _, step := range []struct {
		name string
		do   func() error
		want error
	}{
		{"one more", func() error { return s.Ban(one, hour) }, packet.ErrFull},
		{"of another length", func() error { return s.Ban(netip.MustParsePrefix("192.0.2.0/24"), hour) }, nil},
		{"renewed", func() error { return s.Ban(bans[7].Source, hour.Add(time.Hour)) }, nil},
		{"ended", func() error { return s.Unban(bans[7].Source) }, nil},
		{"in its place", func() error { return s.Ban(one, hour) }, nil},
	} {
		s.inside(func() error {
			if err := step.do(); !errors.Is(err, step.want) {
				t.Errorf("%s: got %v, want %v", step.name, err, step.want)
			}
			return nil
		})
	}
}

// TestFloods plays every flood to a filter that judges all, while visitors come, none of them fails, and packets are dropped for the
// right reason.
func TestFloods(t *testing.T) {
	s := open(t, everything())
	reasons := map[string]packet.Reason{
		"syn": packet.Cookie, "syn-varied": packet.Cookie, "ack": packet.NoState, "rst": packet.NoState, "fin": packet.NoState, "syn-ack": packet.Malformed,
		"dns": packet.OverReflects, "ntp": packet.OverReflects, "ssdp": packet.OverReflects, "cldap": packet.OverReflects, "memcached": packet.OverReflects,
		"isakmp": packet.OverReflects, "first-fragments": packet.OverReflects, "later-fragments": packet.OverPieces, "quic": packet.OverInitials, "icmp": packet.OverICMP,
	}
	const rate = 10_000
	for _, kind := range flood.Kinds() {
		for _, address := range []netip.Addr{s.Server.IPv4[0], s.Server.IPv6[0]} {
			t.Run(fmt.Sprint(kind.Name, " to ", address), func(t *testing.T) {
				target := netip.AddrPortFrom(address, served)
				before := s.counted()
				ended := make(chan error)
				go func() {
					_, err := s.Flood(t.Context(), flood.Plan{Kind: kind.Name, Target: target, Rate: rate, Lasting: 400 * time.Millisecond})
					ended <- err
				}()
				visited := s.visit("http://" + target.String() + "/")
				if err := <-ended; err != nil {
					t.Fatal(err)
				}
				if visited.Failed > 0 || visited.Kept < 30 {
					t.Errorf("%v: %v; want 30 kept, and 0 failed", visited, visited.Failure)
				}
				after := s.counted()
				if reason := reasons[kind.Name]; kind.Name != flood.Mixed && after[reason]-before[reason] < rate/10 {
					t.Errorf("counted %v, before %v; want %d more or so of %q", after, before, rate*4/10, reason)
				}
			})
		}
	}
}

// TestCookies: a connection that the SYN proxy let in is as good as any other.
func TestCookies(t *testing.T) {
	s := open(t, packet.Policy{Listeners: []packet.Listener{{Port: served, CheckState: true, SYNs: 1}}})
	for _, address := range []netip.Addr{s.Server.IPv4[0], s.Server.IPv6[0]} {
		url := "http://" + netip.AddrPortFrom(address, served).String()
		before := s.counted()[packet.Cookie]
		if visited := s.visit(url + "/large"); visited.Failed > 0 || visited.Kept < 30 {
			t.Errorf("%s: %v: %v; want 30 kept, and 0 failed", url, visited, visited.Failure)
		}
		if got := s.counted()[packet.Cookie] - before; got < 25 {
			t.Errorf("%s: %d of 30 SYNs were answered with cookies, want all but one or two", url, got)
		}
	}
}

// TestPorts: a client that comes from the same port again, when the server has closed the connection before, meets what is left of that. The
// SYN proxy must not stand between.
func TestPorts(t *testing.T) {
	s := open(t, packet.Policy{Listeners: []packet.Listener{{Port: served, CheckState: true, SYNs: 1}}})
	for _, ends := range [][2]netip.Addr{{s.Visitors.IPv4[0], s.Server.IPv4[0]}, {s.Visitors.IPv6[0], s.Server.IPv6[0]}} {
		dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(ends[0], 40_000)), Timeout: 10 * time.Second}
		for n := range 5 {
			var c net.Conn
			for end := time.Now().Add(10 * time.Second); c == nil; { // the last one's ACK may be on its way
				err := s.Visitors.Do(func() (err error) {
					c, err = dialer.DialContext(t.Context(), "tcp", netip.AddrPortFrom(ends[1], served).String())
					return err
				})
				if err != nil && (!errors.Is(err, unix.EADDRINUSE) || time.Now().After(end)) {
					t.Fatalf("connection %d: %v", n, err)
				}
			}
			c.SetDeadline(time.Now().Add(10 * time.Second))
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			if got, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(got), "hello") {
				t.Errorf("connection %d from %s: got %q, %v; want an answer", n, ends[0], got, err)
			}
			c.Close()
		}
	}
}

// TestThere: a connection that was there before its state is checked goes on.
func TestThere(t *testing.T) {
	s := open(t, packet.Policy{})
	c, err := s.Visitors.Dial(t.Context(), s.Visitors.IPv4[0], "tcp", netip.AddrPortFrom(s.Server.IPv4[0], served).String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s.inside(func() error { return s.SetPolicy(everything()) })
	for range 3 {
		answer(t, c)
	}
}

// answer asks over a connection that is there, and reads the answer.
func answer(t *testing.T, c net.Conn) {
	t.Helper()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	b := make([]byte, 4096)
	n, err := c.Read(b)
	if err != nil || !strings.HasSuffix(string(b[:n]), "hello") {
		t.Fatalf("got %q, %v; want an answer", b[:n], err)
	}
}

// TestMeters: who exceeds a ceiling is dropped beyond it, and others are not.
func TestMeters(t *testing.T) {
	tests := []struct {
		name     string
		listener packet.Listener
		sources  []string
		kind     string
		want     packet.Reason // Passed: none
	}{
		{"host", packet.Listener{Host: packet.Ceilings{Packets: 50}}, []string{"203.0.113.7/32"}, "ack", packet.OverHost},
		{"many hosts", packet.Listener{Host: packet.Ceilings{Packets: 50}}, []string{"203.0.0.0/16"}, "ack", packet.Passed},
		{"group", packet.Listener{Group: packet.Ceilings{Packets: 50}}, []string{"203.0.113.0/24"}, "ack", packet.OverGroup},
		{"openings", packet.Listener{Host: packet.Ceilings{Openings: 50}}, []string{"203.0.113.7/32"}, "syn", packet.OverHost},
		{"no openings", packet.Listener{Host: packet.Ceilings{Openings: 50}}, []string{"203.0.113.7/32"}, "ack", packet.Passed},
		{"bytes", packet.Listener{Host: packet.Ceilings{Bytes: 1000}}, []string{"203.0.113.7/32"}, "ack", packet.OverHost},
		{"group IPv6", packet.Listener{Group: packet.Ceilings{Openings: 50}}, []string{"2400:1:2::/48"}, "syn", packet.OverGroup},
		{"QUIC", packet.Listener{UDP: true, Host: packet.Ceilings{Openings: 50}}, []string{"203.0.113.7/32"}, "quic", packet.OverHost},
	}
	s := open(t, packet.Policy{})
	for _, tt := range tests {
		tt.listener.Port = served
		s.inside(func() error { return s.SetPolicy(packet.Policy{Listeners: []packet.Listener{tt.listener}}) })
		got := s.attack(tt.kind, served, tt.sources...)
		if tt.want == packet.Passed && len(got) > 0 || tt.want != packet.Passed && (got[tt.want] < 100 || got[tt.want] > 199) {
			t.Errorf("%s: got %v, want 100 to 199 of %q", tt.name, got, tt.want)
		}
	}
}

// TestAddresses: a listener with an address is judged at that address alone.
func TestAddresses(t *testing.T) {
	s := open(t, packet.Policy{})
	deny := prefixes("203.0.113.0/24", "2400:1::/32")
	s.inside(func() error { return s.Replace(deny) })
	tests := []struct {
		address string
		want    map[string]uint64 // by source
	}{
		{"198.18.0.1", map[string]uint64{"203.0.113.0/24": 200, "2400:1::/32": 0}},
		{"198.18.0.9", map[string]uint64{"203.0.113.0/24": 0, "2400:1::/32": 0}},
		{"2001:db8::1", map[string]uint64{"203.0.113.0/24": 0, "2400:1::/32": 200}},
		{"0.0.0.0", map[string]uint64{"203.0.113.0/24": 200, "2400:1::/32": 0}},
		{"::", map[string]uint64{"203.0.113.0/24": 0, "2400:1::/32": 200}},
	}
	for _, tt := range tests {
		s.inside(func() error {
			return s.SetPolicy(packet.Policy{Listeners: []packet.Listener{{Address: netip.MustParseAddr(tt.address), Port: served}}})
		})
		for source, want := range tt.want {
			for _, kind := range []string{"syn", "later-fragments", "icmp"} {
				if got := s.attack(kind, served, source)[packet.Denied]; got != want {
					t.Errorf("listener at %s: %d of %s from %s were dropped, want %d", tt.address, got, kind, source, want)
				}
			}
		}
	}
}

// TestTakeOver: the next process finds lists, bans and counters; a table of another layout is replaced.
func TestTakeOver(t *testing.T) {
	p := packet.Policy{Listeners: []packet.Listener{{Port: served}}}
	s := open(t, p)
	s.inside(func() error { return s.Replace(prefixes("203.0.113.0/24")) })
	s.inside(func() error { return s.Ban(netip.MustParsePrefix("192.0.2.7/32"), time.Now().Add(time.Hour)) })
	s.attack("syn", served, "203.0.113.0/24")
	if err := s.Filter.Close(); err != nil {
		t.Fatal(err)
	}
	if got := s.attack("syn", served, "203.0.113.0/24"); got[packet.Denied] != 200 {
		t.Errorf("after the process: got %v, want 200 denied", got)
	}
	s.filter(p)
	if got := s.counted()[packet.Denied]; got != 400 {
		t.Errorf("taken over: got %d denied, want 400", got)
	}
	for source, reason := range map[string]packet.Reason{"203.0.113.0/24": packet.Denied, "192.0.2.7/32": packet.Banned} {
		if got := s.attack("syn", served, source); got[reason] != 200 {
			t.Errorf("taken over: from %s got %v, want 200 %s", source, got, reason)
		}
	}
	if _, err := s.Server.Run(t.Context(), "", "nft", "delete", "chain", "inet", tableOfTest, layout); err != nil {
		t.Fatal(err)
	}
	s.filter(p)
	if got := s.counted(); len(got) > 0 {
		t.Errorf("of another layout: got %v, want no counts", got)
	}
}

// state is what others find in the server's namespace: its rules and the sysctl.
func (s *site) state() (rules, loose string) {
	s.t.Helper()
	rules, err := s.Server.Run(s.t.Context(), "", "nft", "list", "ruleset")
	if err != nil {
		s.t.Fatal(err)
	}
	value, err := s.Server.Get("sys/net/netfilter/nf_conntrack_tcp_loose")
	if err != nil {
		s.t.Fatal(err)
	}
	return rules, strings.TrimSpace(value)
}

// TestDetach: nothing is left, not of others' tables either, and not if the table was made by a version with another layout.
func TestDetach(t *testing.T) {
	s := open(t, packet.Policy{})
	s.inside(func() error { return Detach(tableOfTest) })
	if _, err := s.Server.Run(t.Context(), "", "nft", "add table inet somebody"); err != nil {
		t.Fatal(err)
	}
	rules, loose := s.state()
	s.filter(everything())
	if _, got := s.state(); got != "0" {
		t.Errorf("in force: nf_conntrack_tcp_loose is %s, want 0", got)
	}
	if _, err := s.Server.Run(t.Context(), "", "nft", "delete", "chain", "inet", tableOfTest, layout); err != nil {
		t.Fatal(err)
	}
	s.filter(everything())
	for range 2 {
		s.inside(func() error { return Detach(tableOfTest) })
		if gotRules, gotLoose := s.state(); gotRules != rules || gotLoose != loose {
			t.Errorf("detached: got %s\nloose %s; want %s\nloose %s", gotRules, gotLoose, rules, loose)
		}
	}
}

// TestTwoNodes: each node of a machine has its own table. What one detaches, and in which order, is no matter to the other.
func TestTwoNodes(t *testing.T) {
	s := open(t, packet.Policy{})
	s.inside(func() error { return Detach(tableOfTest) })
	rules, loose := s.state()
	s.filter(everything())
	second := everything()
	second.Listeners = []packet.Listener{{Port: other, CheckState: true, SYNs: 20}}
	var node *Filter
	s.inside(func() (err error) {
		if node, err = Open(Options{Table: "seawall_second", Interfaces: []string{s.Server.Interface}}); err == nil {
			err = errors.Join(node.SetPolicy(second), node.Ban(netip.MustParsePrefix("203.0.113.7/32"), time.Now().Add(time.Hour)))
		}
		return err
	})
	t.Cleanup(func() { node.Close() })
	dropped := func() (n uint64) {
		s.inside(func() error {
			counters, err := node.Counters()
			for _, c := range counters {
				if c.Reason == packet.Banned {
					n = c.Packets
				}
			}
			return err
		})
		return n
	}
	if got := s.attack("syn", other, "203.0.113.7/32"); len(got) > 0 || dropped() != 200 {
		t.Errorf("the first counts %v and the second %d, want the second to drop 200", got, dropped())
	}
	s.inside(func() error { return Detach(tableOfTest) })
	s.attackOnly("syn", other, "203.0.113.7/32")
	if _, got := s.state(); dropped() != 400 || got != "0" {
		t.Errorf("without the first, the second has dropped %d and nf_conntrack_tcp_loose is %s, want 400 and 0", dropped(), got)
	}
	for _, address := range []netip.Addr{s.Server.IPv4[0], s.Server.IPv6[0]} {
		for _, port := range []uint16{served, other} {
			url := "http://" + netip.AddrPortFrom(address, port).String() + "/"
			if visited := s.visit(url); visited.Failed > 0 || visited.Kept < 30 {
				t.Errorf("%s: %v: %v; want 30 kept, and 0 failed", url, visited, visited.Failure)
			}
		}
	}
	s.inside(func() error { return Detach("seawall_second") })
	if gotRules, gotLoose := s.state(); gotRules != rules || gotLoose != loose {
		t.Errorf("detached: got %s\nloose %s; want %s\nloose %s", gotRules, gotLoose, rules, loose)
	}
}

// TestNoNFTables: a kernel that has no nftables has nothing to detach; one that forbids to ask may have.
func TestNoNFTables(t *testing.T) {
	tests := []struct {
		answer unix.Errno
		want   error
	}{{unix.EINVAL, nil}, {unix.EPROTONOSUPPORT, nil}, {unix.EPERM, unix.EPERM}}
	for _, tt := range tests {
		conn, err := nftables.New(nftables.WithTestDial(func(asked []netlink.Message) ([]netlink.Message, error) {
			answer := netlink.Message{Header: asked[0].Header, Data: binary.NativeEndian.AppendUint32(nil, uint32(-int32(tt.answer)))}
			answer.Header.Type, answer.Header.Flags, answer.Data = netlink.Error, 0, append(answer.Data, make([]byte, 16)...)
			return []netlink.Message{answer}, nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		f := Filter{conn: conn, table: &nftables.Table{Name: tableOfTest, Family: nftables.TableFamilyINet}}
		if got := f.detach(); !errors.Is(got, tt.want) {
			t.Errorf("asked for chains, the kernel says %v: got %v, want %v", tt.answer, got, tt.want)
		}
	}
}

// TestPrerouting: without interfaces, packets are judged all the same; what the host says to itself is not.
func TestPrerouting(t *testing.T) {
	s := open(t, packet.Policy{})
	s.inside(func() (err error) {
		s.Filter, err = Open(Options{Table: tableOfTest})
		return err
	})
	if got, want := s.Attached(), []packet.Attachment{{Interface: "all", Mode: "nftables, prerouting"}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	s.inside(func() error { return s.SetPolicy(everything()) })
	s.inside(func() error { return s.Replace(prefixes("203.0.113.0/24", "127.0.0.0/8")) })
	if got := s.attack("syn", served, "203.0.113.0/24"); got[packet.Denied] != 200 {
		t.Errorf("got %v, want 200 denied", got)
	}
	if got := s.attack("ack", served, "192.0.2.0/24"); got[packet.NoState] != 200 {
		t.Errorf("got %v, want 200 out of state", got)
	}
	if _, err := s.Server.Run(t.Context(), "", "curl", "--silent", "--max-time", "5", fmt.Sprintf("http://127.0.0.1:%d/", served)); err != nil {
		t.Errorf("the host does not reach itself: %v", err)
	}
}

// BenchmarkReplace swaps sets of random addresses; it takes a lab, as nothing else may be without a filter meanwhile.
func BenchmarkReplace(b *testing.B) {
	for _, n := range []int{1000, 10_000, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			random := rand.New(rand.NewPCG(1, 2))
			var deny []netip.Prefix
			for range n {
				a := binary.BigEndian.AppendUint32(nil, 16<<24+random.Uint32N(200<<24))
				deny = append(deny, netip.PrefixFrom(netip.AddrFrom4([4]byte(a)), 32))
			}
			benchmark(b, func(f *Filter) error { return f.Replace(deny) })
		})
	}
}

// BenchmarkBan bans a host anew.
func BenchmarkBan(b *testing.B) {
	benchmark(b, func(f *Filter) error { return f.Ban(netip.MustParsePrefix("192.0.2.7/32"), time.Now().Add(time.Hour)) })
}

// BenchmarkBanAll bans 500 hosts anew, which is one change.
func BenchmarkBanAll(b *testing.B) {
	var bans []packet.Ban
	for i := range 500 {
		bans = append(bans, packet.Ban{Source: netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)}), 32), Until: time.Now().Add(time.Hour)})
	}
	benchmark(b, func(f *Filter) error { return f.BanAll(bans) })
}

// BenchmarkFind looks for a host among 100,000 prefixes and 60,000 bans.
func BenchmarkFind(b *testing.B) {
	var deny []netip.Prefix
	var bans []packet.Ban
	for i := range 100_000 {
		deny = append(deny, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32))
	}
	for i := range 60_000 {
		bans = append(bans, packet.Ban{Source: netip.PrefixFrom(netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)}), 32), Until: time.Now().Add(time.Hour)})
	}
	filled := false
	benchmark(b, func(f *Filter) error {
		if !filled {
			filled = true
			if err := errors.Join(f.Replace(deny), f.BanAll(bans)); err != nil {
				return err
			}
			b.ResetTimer()
		}
		_, err := f.Find(netip.MustParseAddr("11.0.1.2"))
		return err
	})
}

// benchmark does something again and again in a lab.
func benchmark(b *testing.B, do func(*Filter) error) {
	b.Helper()
	l := lab.For(b)
	err := l.Server.Do(func() error {
		f, err := Open(Options{Table: tableOfTest, Interfaces: []string{l.Server.Interface}})
		if err != nil {
			return err
		}
		defer f.Close()
		b.ReportAllocs()
		for b.Loop() {
			if err := do(f); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
