package bots

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// server is a DNS server on loopback that knows some names, and counts what it is asked.
type server struct {
	pointers  map[string]string // by reverse name
	addresses map[string]string // by name
	mu        sync.Mutex
	asked     int
}

// start serves until the test ends, and returns where.
func (s *server) start(tb testing.TB) string {
	tb.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(buffer)
			if err != nil {
				return
			}
			if answer := s.answer(buffer[:n]); answer != nil {
				_, _ = c.WriteTo(answer, from)
			}
		}
	}()
	tb.Cleanup(func() {
		_ = c.Close()
		<-done
	})
	return c.LocalAddr().String()
}

func (s *server) answer(query []byte) []byte {
	var p dnsmessage.Parser
	header, err := p.Start(query)
	if err != nil {
		return nil
	}
	q, err := p.Question()
	if err != nil {
		return nil
	}
	s.mu.Lock()
	s.asked++
	s.mu.Unlock()
	header.Response, header.RecursionAvailable = true, true
	m := dnsmessage.Message{Header: header, Questions: []dnsmessage.Question{q}}
	head := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 60}
	name := strings.ToLower(q.Name.String())
	pointer, known := s.pointers[name]
	address := s.addresses[name]
	switch {
	case pointer == "broken":
		m.RCode = dnsmessage.RCodeServerFailure
	case q.Type == dnsmessage.TypePTR && known:
		m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName(pointer)}}}
	case q.Type == dnsmessage.TypeA && address != "":
		m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AResource{A: netip.MustParseAddr(address).As4()}}}
	case address == "":
		m.RCode = dnsmessage.RCodeNameError
	}
	out, err := m.Pack()
	if err != nil {
		return nil
	}
	return out
}

// resolve is as the node does it.
func resolve(server string) Names {
	return &net.Resolver{PreferGo: true, StrictErrors: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server)
	}}
}

func configured(tb testing.TB, s *spec.Crawlers, resolve func(string) Names) *Room {
	tb.Helper()
	r := New()
	r.Resolve = resolve
	if problems := r.Configure(s); problems != nil {
		tb.Fatal(problems)
	}
	return r
}

const googlebot = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"

func visit(r *Room, addr, agent string, at time.Time) flow.Verdict {
	var f flow.Flow
	f.Request.Client, f.Request.Received = netip.MustParseAddr(addr), at
	f.Request.Fields = []flow.Field{{Name: "User-Agent", Value: agent}}
	r.Judge(&f)
	return f.Verdict
}

// TestNames asks a real server over UDP: the first request is not verified, the next are as the DNS says.
func TestNames(t *testing.T) {
	dns := &server{
		pointers: map[string]string{
			"1.2.0.192.in-addr.arpa.": "crawl-192-0-2-1.googlebot.com.",
			"2.2.0.192.in-addr.arpa.": "googlebot.com.evil.example.",
			"3.2.0.192.in-addr.arpa.": "crawl-192-0-2-1.googlebot.com.", // which leads to another address
			"4.2.0.192.in-addr.arpa.": "fakegooglebot.com.",
			"5.2.0.192.in-addr.arpa.": "broken",
		},
		addresses: map[string]string{"crawl-192-0-2-1.googlebot.com.": "192.0.2.1", "fakegooglebot.com.": "192.0.2.4"},
	}
	r := configured(t, &spec.Crawlers{Resolver: dns.start(t)}, resolve)
	tests := []struct {
		name, addr string
		want       bool
	}{
		{"confirmed", "192.0.2.1", true},
		{"mapped", "::ffff:192.0.2.1", true},
		{"domain within another", "192.0.2.2", false},
		{"not confirmed", "192.0.2.3", false},
		{"end of a label", "192.0.2.4", false},
		{"failure", "192.0.2.5", false},
		{"no name", "192.0.2.6", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now := time.Now()
			first := visit(r, tt.addr, googlebot, now)
			if first.BotName != "Googlebot" || first.BotCategory != search || first.VerifiedBot && tt.name != "mapped" {
				t.Errorf("first: got %+v, want Googlebot, not verified", first)
			}
			r.lookup.work.Wait()
			dns.mu.Lock()
			asked := dns.asked
			dns.mu.Unlock()
			if got := visit(r, tt.addr, googlebot, now).VerifiedBot; got != tt.want {
				t.Errorf("then: got verified %v, want %v", got, tt.want)
			}
			r.lookup.work.Wait()
			dns.mu.Lock()
			defer dns.mu.Unlock()
			if dns.asked != asked {
				t.Errorf("got %d further questions, want none", dns.asked-asked)
			}
		})
	}
}

const published = `{"creationTime": "2026-01-01T00:00:00", "prefixes": [{"ipv6Prefix": "2001:db8::/64"}, {"ipv4Prefix": "192.0.2.0/27"}]}`

// TestRanges: published ranges verify at once, and nothing else does.
func TestRanges(t *testing.T) {
	r := configured(t, &spec.Crawlers{Known: []spec.Crawler{
		{Name: "Googlebot", Agent: "Googlebot", Category: "search", Ranges: published},
		{Name: "Ours", Agent: "OurBot/", Category: "monitoring", Ranges: "198.51.100.7 # the probe\n"},
	}}, nil)
	tests := []struct {
		name, addr, agent string
		bot               string
		verified          bool
	}{
		{"JSON, IPv4", "192.0.2.31", googlebot, "Googlebot", true},
		{"JSON, IPv6", "2001:db8::1", googlebot, "Googlebot", true},
		{"outside", "192.0.2.32", googlebot, "Googlebot", false},
		{"list", "198.51.100.7", "OurBot/1.0", "Ours", true},
		{"another's range", "192.0.2.31", "OurBot/1.0", "Ours", false},
		{"nothing to verify by", "192.0.2.31", "Mozilla/5.0 (compatible; bingbot/2.0)", "bingbot", false},
		{"browser", "192.0.2.31", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "", false},
		{"far behind", "192.0.2.31", strings.Repeat("x", maxAgent) + googlebot, "", false},
		{"none", "192.0.2.31", "", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := visit(r, tt.addr, tt.agent, time.Now())
			if got.BotName != tt.bot || got.VerifiedBot != tt.verified {
				t.Errorf("got %q, verified %v, want %q, %v", got.BotName, got.VerifiedBot, tt.bot, tt.verified)
			}
		})
	}
	if got := visit(New(), "192.0.2.31", googlebot, time.Now()); got.BotName != "" {
		t.Errorf("nothing configured: got %q, want nothing", got.BotName)
	}
}

// blocked are names that are not found before a channel is closed.
type blocked struct {
	until chan struct{}
	mu    sync.Mutex
	asked int
	busy  int
	peak  int
}

func (b *blocked) LookupAddr(context.Context, string) ([]string, error) {
	b.mu.Lock()
	b.asked++
	b.busy++
	b.peak = max(b.peak, b.busy)
	b.mu.Unlock()
	<-b.until
	b.mu.Lock()
	b.busy--
	b.mu.Unlock()
	return nil, &net.DNSError{IsNotFound: true}
}

func (b *blocked) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) { return nil, nil }

// TestFlood: of a flood that claims to be a crawler, from as many addresses as it likes, few are looked up, and few remembered.
func TestFlood(t *testing.T) {
	names := &blocked{until: make(chan struct{})}
	r := configured(t, &spec.Crawlers{Resolver: "192.0.2.53"}, func(server string) Names {
		if server != "192.0.2.53:53" {
			t.Errorf("got server %s, want one with the usual port", server)
		}
		return names
	})
	now := time.Now()
	for i := range 100_000 {
		addr := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if visit(r, addr.String(), googlebot, now).VerifiedBot {
			t.Fatal("got verified")
		}
	}
	close(names.until)
	r.lookup.work.Wait()
	if names.asked > waiting+most || names.asked < waiting || names.peak > most {
		t.Errorf("got %d lookups, %d at one time, want about %d, %d at most", names.asked, names.peak, waiting, most)
	}
	s := &r.lookup.shards[0]
	for i := range 2 * perShard {
		s.note(claim{netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), "x"}, finding{})
	}
	if got := len(s.found); got != perShard {
		t.Errorf("got %d remembered, want %d", got, perShard)
	}
}

// changing are names whose answer changes.
type changing struct{ name string }

func (c *changing) LookupAddr(context.Context, string) ([]string, error) {
	return []string{c.name}, nil
}

func (c *changing) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
}

// TestExpiry: what was found is looked up anew when it is old, and holds until that is answered.
func TestExpiry(t *testing.T) {
	names := &changing{"a.googlebot.com."}
	r := configured(t, &spec.Crawlers{Resolver: "127.0.0.1"}, func(string) Names { return names })
	want := func(what string, at time.Time, verified bool) {
		t.Helper()
		if got := visit(r, "192.0.2.1", googlebot, at).VerifiedBot; got != verified {
			t.Errorf("%s: got verified %v, want %v", what, got, verified)
		}
		r.lookup.work.Wait()
	}
	now := time.Now()
	want("at first", now, false)
	want("found", now, true)
	names.name = "a.example."
	want("within the hour", now.Add(verifiedFor-time.Minute), true)
	want("an hour later", now.Add(verifiedFor+time.Minute), true)
	want("found anew", now, false)
}

func TestConfigureRefuses(t *testing.T) {
	tests := []struct {
		name     string
		crawlers spec.Crawlers
		want     string
	}{
		{"no server", spec.Crawlers{Resolver: "dns.example"}, `crawlers.resolver: "dns.example" is no DNS server`},
		{"short agent", spec.Crawlers{Known: []spec.Crawler{{Name: "a", Agent: "A", Ranges: published}}}, `crawlers: a has the agent "A"`},
		{"no ranges", spec.Crawlers{Known: []spec.Crawler{{Name: "a", Agent: "Abc", Ranges: "x"}}}, `crawlers.known[0].ranges: file:1: "x" is not an address`},
		{"no JSON", spec.Crawlers{Known: []spec.Crawler{{Name: "a", Agent: "Abc", Ranges: "{"}}}, "crawlers.known[0].ranges: file: unexpected end of JSON input"},
		{"no prefixes", spec.Crawlers{Known: []spec.Crawler{{Name: "a", Agent: "Abc", Ranges: "{}"}}}, "crawlers.known[0].ranges: file: has 0 prefixes"},
		{"no prefix", spec.Crawlers{Known: []spec.Crawler{{Name: "a", Agent: "Abc", Ranges: `{"prefixes":[{"ipv4Prefix":"x"}]}`}}}, `crawlers.known[0].ranges: file: prefixes[0]: "x" is not an address`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := configured(t, &spec.Crawlers{Known: []spec.Crawler{{Name: "Googlebot", Agent: "Googlebot", Ranges: published}}}, resolve)
			problems := r.Configure(&tt.crawlers)
			if len(problems) != 1 || !strings.HasPrefix(problems[0].Error(), tt.want) {
				t.Errorf("got problems %v, want %s", problems, tt.want)
			}
			if !visit(r, "192.0.2.1", googlebot, time.Now()).VerifiedBot {
				t.Error("got not verified, want all as it was")
			}
		})
	}
}

func BenchmarkJudge(b *testing.B) {
	r := configured(b, &spec.Crawlers{Known: []spec.Crawler{{Name: "Googlebot", Agent: "Googlebot", Ranges: published}}}, nil)
	named := configured(b, &spec.Crawlers{Resolver: "127.0.0.1"}, func(string) Names { return &changing{"a.googlebot.com."} })
	visit(named, "192.0.2.1", googlebot, time.Now())
	named.lookup.work.Wait()
	for _, tt := range []struct {
		name  string
		room  *Room
		agent string
	}{
		{"browser", r, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"},
		{"by ranges", r, googlebot},
		{"by name", named, googlebot},
		{"off", New(), googlebot},
	} {
		b.Run(tt.name, func(b *testing.B) {
			var f flow.Flow
			f.Request.Client, f.Request.Received = netip.MustParseAddr("192.0.2.1"), time.Now()
			f.Request.Fields = []flow.Field{{Name: "User-Agent", Value: tt.agent}}
			b.ReportAllocs()
			for b.Loop() {
				tt.room.Judge(&f)
			}
		})
	}
}
