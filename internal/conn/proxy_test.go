package conn

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/seawall/seawall/internal/spec"
)

// Everybody is a proxy of its IP version.
const (
	everyIP4 = "0.0.0.0/0"
	everyIP6 = "::/0"
)

// block is a version 2 header whose length is right.
func block(command, family byte, rest string) string {
	b := append([]byte(v2Start), command, family)
	return string(binary.BigEndian.AppendUint16(b, uint16(len(rest)))) + rest
}

// ip4 and ip6 are version 2's addresses, from port 4660 to port 443.
var (
	ip4 = "\xc0\x00\x02\x09\xc6\x33\x64\x01\x12\x34\x01\xbb"
	ip6 = string(addr16("2001:db8::9")) + string(addr16("2001:db8::1")) + "\x12\x34\x01\xbb"
)

func addr16(s string) []byte {
	a := netip.MustParseAddr(s).As16()
	return a[:]
}

// headers are legal, with the addresses that they give to a connection, or "" if they leave it its own.
var headers = []struct{ name, header, want string }{
	{"v1 tcp4", "PROXY TCP4 192.0.2.9 198.51.100.1 4660 443\r\n", "192.0.2.9:4660 to 198.51.100.1:443"},
	{"v1 tcp4 shortest", "PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n", "1.1.1.1:1 to 1.1.1.1:1"},
	{"v1 tcp6", "PROXY TCP6 2001:db8::9 2001:db8::1 4660 443\r\n", "[2001:db8::9]:4660 to [2001:db8::1]:443"},
	{"v1 tcp6 shortest", "PROXY TCP6 :: :: 0 0\r\n", "[::]:0 to [::]:0"},
	{"v1 ipv4 in tcp6", "PROXY TCP6 ::ffff:192.0.2.9 ::ffff:c633:6401 4660 443\r\n", "192.0.2.9:4660 to 198.51.100.1:443"},
	{"v1 tcp6 longest", "PROXY TCP6 " + strings.Repeat("ffff:", 7) + "ffff " + strings.Repeat("ffff:", 7) + "fffe 65535 65535\r\n",
		"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535 to [ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:65535"},
	{"v1 unknown", "PROXY UNKNOWN\r\n", ""},
	{"v1 unknown with addresses", "PROXY UNKNOWN 2001:db8::9 2001:db8::1 4660 443\r\n", ""},
	{"v1 longest", "PROXY UNKNOWN " + strings.Repeat("x", v1Most-len("PROXY UNKNOWN \r\n")) + "\r\n", ""},
	{"v2 ipv4", block(v2Proxy, 0x11, ip4), "192.0.2.9:4660 to 198.51.100.1:443"},
	{"v2 ipv4 datagrams", block(v2Proxy, 0x12, ip4), "192.0.2.9:4660 to 198.51.100.1:443"},
	{"v2 ipv6", block(v2Proxy, 0x21, ip6), "[2001:db8::9]:4660 to [2001:db8::1]:443"},
	{"v2 ipv4 in ipv6", block(v2Proxy, 0x21, string(addr16("::ffff:192.0.2.9"))+string(addr16("::ffff:198.51.100.1"))+ip4[8:]),
		"192.0.2.9:4660 to 198.51.100.1:443"},
	{"v2 tlv", block(v2Proxy, 0x11, ip4+"\x01\x00\x02h2"), "192.0.2.9:4660 to 198.51.100.1:443"},
	{"v2 longest", block(v2Proxy, 0x21, ip6+strings.Repeat("\xee\x00\x01x", (v2Most-v2IP6)/4)), "[2001:db8::9]:4660 to [2001:db8::1]:443"},
	{"v2 unix", block(v2Proxy, 0x31, strings.Repeat("/\x00", v2Unix/2)), ""},
	{"v2 unspecified", block(v2Proxy, 0x00, ""), ""},
	{"v2 local", block(v2Local, 0x00, ""), ""},
	{"v2 local with addresses", block(v2Local, 0x11, ip4), ""},
	{"v2 local with half of its addresses", block(v2Local, 0x21, ip4), ""},
}

// TestProxyHeader wants a header to give the connection its addresses, however it arrives, and what follows it to be whole.
func TestProxyHeader(t *testing.T) {
	for _, tt := range headers {
		t.Run(tt.name, func(t *testing.T) {
			everyWay(t, options{proxy: everyIP4}, func(w *world) {
				for _, piece := range []int{0, 1, 14} {
					c := w.behind(tt.header, piece)
					w.send(c, "who\nget 3\n")
					want := tt.want
					if want == "" {
						want = fmt.Sprintf("%v to %v", c.LocalAddr(), c.RemoteAddr())
					}
					w.wantText(c, want+".3:012")
					c.Close()
				}
				w.wantRefused(ProxyHeader, 0)
			})
		})
	}
}

// behind connects as a proxy does: the header goes before everything else, in pieces, or with the first bytes after it if piece is 0.
func (w *world) behind(header string, piece int) net.Conn {
	w.Helper()
	c := w.connect()
	secured, secure := c.(*tls.Conn)
	if secure {
		c = secured.NetConn()
	}
	for ; piece > 0 && header != ""; header = header[min(piece, len(header)):] {
		w.send(c, header[:min(piece, len(header))])
	}
	c = &headed{Conn: c, header: header}
	if secure {
		return tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	}
	return c
}

// headed sends a header with the first bytes that are written.
type headed struct {
	net.Conn
	header string
}

func (c *headed) Write(p []byte) (int, error) {
	n := len(c.header)
	sent, err := c.Conn.Write(append([]byte(c.header), p...))
	c.header = ""
	return max(sent-n, 0), err
}

// notHeaders break the protocol's rules, or this room's bounds.
var notHeaders = []struct{ name, text string }{
	{"a request", "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"},
	{"a hello", "\x16\x03\x01\x02\x00\x01"},
	{"almost v1", "PROXI"},
	{"lower case", "proxy TCP4 192.0.2.9 198.51.100.1 4660 443\r\n"},
	{"almost v2", "\r\n\r\n\r"},
	{"v1 with nothing", "PROXY \r\n"},
	{"v1 too short", "PROXY TCP4\r\nHost: example.org\r\n"},
	{"v1 line feed alone", "PROXY TCP4 192.0.2.9 198.51.100.1 4660 443\n"},
	{"v1 other protocol", "PROXY UDP4 192.0.2.9 198.51.100.1 4660 443\r\n"},
	{"v1 almost unknown", "PROXY UNKNOWNS 192.0.2.9\r\n"},
	{"v1 two spaces", "PROXY  TCP4 192.0.2.9 198.51.100.1 4660 443\r\n"},
	{"v1 no port", "PROXY TCP4 192.0.2.9 198.51.100.1 4660\r\n"},
	{"v1 one word more", "PROXY TCP4 192.0.2.9 198.51.100.1 4660 443 1\r\n"},
	{"v1 ipv6 in tcp4", "PROXY TCP4 2001:db8::9 2001:db8::1 4660 443\r\n"},
	{"v1 ipv4 in tcp6", "PROXY TCP6 192.0.2.9 198.51.100.1 4660 443\r\n"},
	{"v1 zone", "PROXY TCP6 fe80::9%eth0 fe80::1 4660 443\r\n"},
	{"v1 name", "PROXY TCP4 www.example.org 198.51.100.1 4660 443\r\n"},
	{"v1 port with a zero", "PROXY TCP4 192.0.2.9 198.51.100.1 04660 443\r\n"},
	{"v1 port too large", "PROXY TCP4 192.0.2.9 198.51.100.1 65536 443\r\n"},
	{"v1 port with a sign", "PROXY TCP4 192.0.2.9 198.51.100.1 +466 443\r\n"},
	{"v1 one byte too long", "PROXY UNKNOWN " + strings.Repeat("x", v1Most+1-len("PROXY UNKNOWN \r\n")) + "\r\n"},
	{"v1 without an end", "PROXY TCP4 " + strings.Repeat("1", 200)},
	{"v2 version 1", block(0x11, 0x11, ip4)},
	{"v2 other command", block(0x22, 0x11, ip4)},
	{"v2 other protocol", block(v2Proxy, 0x13, ip4)},
	{"v2 other family", block(v2Proxy, 0x41, ip4)},
	{"v2 ipv4 too short", block(v2Proxy, 0x11, ip4[1:])},
	{"v2 ipv6 too short", block(v2Proxy, 0x21, ip6[1:])},
	{"v2 unix too short", block(v2Proxy, 0x31, ip6)},
	{"v2 one byte too long", block(v2Proxy, 0x11, ip4+strings.Repeat("x", v2Most+1-v2IP4))},
	{"v2 local too long", block(v2Local, 0x00, strings.Repeat("x", v2Most+1))},
}

func TestProxyHeaderRefused(t *testing.T) {
	for _, tt := range notHeaders {
		t.Run(tt.name, func(t *testing.T) {
			everyWay(t, options{proxy: everyIP4}, func(w *world) {
				c := w.connect()
				if s, ok := c.(*tls.Conn); ok {
					c = s.NetConn()
				}
				w.send(c, tt.text)
				w.wantTurnedAway(c, nil)
				w.settle(func() bool { return w.room.Stats().Open == 0 })
				w.wantRefused(ProxyHeader, 1)
				w.wantRefused(HandshakeFailed, 0)
				if got := w.log.String(); !strings.Contains(got, "PROXY protocol header") || !strings.Contains(got, "proxy=") {
					w.Errorf("log: got %q, want what was wrong, and whose it was", got)
				}
			})
		})
	}
}

// TestProxyRefusedByReset wants a refusal to cost us no closing handshake, though all that was sent has been read.
func TestProxyRefusedByReset(t *testing.T) {
	tests := []struct{ name, header string }{
		{"malformed", "PROXY TCP4 192.0.2.9 198.51.100.1 4660 65536\r\n"},
		{"source full", headers[0].header},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := options{proxy: everyIP4, limits: func(c *spec.Connections) { c.PerSource = 0 }}
			loopback(t, o, false, func(w *world) {
				c := w.connect()
				w.send(c, tt.header)
				if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("read: got %v, want %v", err, syscall.ECONNRESET)
				}
			})
		})
	}
}

// TestProxyLeaves wants half a header to be refused, and a look at whether somebody listens, as load balancers have it, not to be.
func TestProxyLeaves(t *testing.T) {
	tests := []struct {
		name, text string
		want       int64
	}{
		{"without a word", "", 0},
		{"in the middle of v1", "PROXY TCP4 192.0.2.9", 1},
		{"in the middle of v2", block(v2Proxy, 0x21, ip6)[:40], 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			simulated(t, options{proxy: everyIP4}, func(w *world) {
				c := w.connect()
				w.send(c, tt.text)
				c.Close()
				synctest.Wait()
				if open := w.room.Stats().Open; open != 0 {
					t.Errorf("open: got %d, want 0", open)
				}
				w.wantRefused(ProxyHeader, tt.want)
			})
		})
	}
}

// TestProxyComplaints wants a proxy that is set up wrongly to be told of, and not each of its connections.
func TestProxyComplaints(t *testing.T) {
	simulated(t, options{proxy: everyIP4}, func(w *world) {
		for range 100 {
			c := w.connect()
			w.send(c, "get 1\n")
			w.wantTurnedAway(c, nil)
		}
		synctest.Wait()
		w.wantRefused(ProxyHeader, 100)
		if got, want := strings.Count(w.log.String(), "refused a connection"), 7; got != want {
			t.Errorf("complaints: got %d, want %d", got, want)
		}
	})
}

// TestProxyNotListed wants nobody else's header to be read.
func TestProxyNotListed(t *testing.T) {
	for _, proxy := range []string{"", everyIP6} {
		t.Run("of "+proxy, func(t *testing.T) {
			everyWay(t, options{proxy: proxy}, func(w *world) {
				c := w.connect()
				w.send(c, headers[0].header+"who\n")
				w.wantText(c, fmt.Sprintf("said.%v to %v.", c.LocalAddr(), c.RemoteAddr()))
			})
		})
	}
}

// TestProxySilent wants a header to get no more time than a head.
func TestProxySilent(t *testing.T) {
	tests := []struct{ name, text, more string }{
		{"none", "", ""},
		{"v1 in a trickle", "PROXY UNKNOWN ", "x"},
		{"v2 in a trickle", block(v2Proxy, 0x21, ip6+strings.Repeat("x", v2Most-v2IP6))[:100], "x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			everyWay(t, options{proxy: everyIP4, limits: brisk}, func(w *world) {
				c := w.connect()
				if s, ok := c.(*tls.Conn); ok {
					c = s.NetConn()
				}
				w.send(c, tt.text)
				if tt.more != "" {
					w.trickle(c, tt.more, brief)
				}
				w.wantGone(c)
				w.wantRefused(HeadSlow, 1)
				w.wantRefused(ProxyHeader, 0)
			})
		})
	}
}

// TestProxyNodeCap wants connections that have not said whose they are to count towards the node's cap, for a head's time.
func TestProxyNodeCap(t *testing.T) {
	limits := func(c *spec.Connections) { c.Max, c.HeadTimeout = 2, 10*time.Second }
	simulated(t, options{proxy: everyIP4, limits: limits}, func(w *world) {
		silent := []net.Conn{w.connect(), w.connect()}
		synctest.Wait()
		w.wantTurnedAway(w.dial("198.51.100.8"))
		w.wantRefused(NodeFull, 1)
		began := time.Now()
		for _, c := range silent {
			w.wantGone(c)
		}
		if took := time.Since(began); took > 12*time.Second {
			t.Errorf("cut after %v, want about 10s", took)
		}
		c := w.behind(headers[0].header, 0)
		w.send(c, "who\n")
		w.wantText(c, headers[0].want+".")
	})
}

// TestProxySourceCap wants connections behind a proxy to be counted by their client, and those of the proxy itself not at all.
func TestProxySourceCap(t *testing.T) {
	const (
		from7  = "PROXY TCP4 192.0.2.7 198.51.100.1 4660 443\r\n"
		from8  = "PROXY TCP4 192.0.2.8 198.51.100.1 4660 443\r\n"
		mapped = "PROXY TCP6 ::ffff:192.0.2.7 ::1 4660 443\r\n"
		from6  = "PROXY TCP6 2001:db8::1 ::1 4660 443\r\n"
		near6  = "PROXY TCP6 2001:db8::ffff:2 ::1 4660 443\r\n"
		own    = "PROXY UNKNOWN\r\n"
	)
	tests := []struct {
		name string
		open []string // what may be open together
		over string   // one too many
	}{
		{"ipv4", []string{from7, from7, from8, from8}, from7},
		{"ipv4 in ipv6", []string{from7, mapped}, mapped},
		{"ipv6", []string{from6, near6}, from6},
		{"beside the proxy's own", []string{own, own, own, own, from7, from7, own}, from7},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := options{proxy: everyIP4, limits: func(c *spec.Connections) { c.PerSource = 2 }}
			simulated(t, o, func(w *world) {
				for range 3 { // what is closed counts no more
					var open []net.Conn
					for _, header := range tt.open {
						c := w.behind(header, 0)
						w.send(c, "get 1\n")
						w.wantText(c, "1:0")
						open = append(open, c)
					}
					c := w.behind(tt.over, 0)
					w.send(c, "get 1\n")
					w.wantTurnedAway(c, nil)
					for _, c := range open {
						c.Close()
					}
					synctest.Wait()
				}
				w.wantRefused(SourceFull, 3)
				w.wantRefused(ProxyHeader, 0)
			})
		})
	}
}

// TestProxyDenied wants a client on the list to be turned away behind a proxy too, and nobody to be counted for it.
func TestProxyDenied(t *testing.T) {
	everyWay(t, options{proxy: everyIP4}, func(w *world) {
		w.room.Deny([]netip.Prefix{netip.MustParsePrefix("192.0.2.7/32")})
		w.wantTurnedAway(w.behind("PROXY TCP4 192.0.2.7 198.51.100.1 4660 443\r\n", 1), nil)
		w.wantRefused(Denied, 1)
		w.settle(func() bool { return w.room.Stats().Open == 0 })
		if n := w.room.SourceOpen(netip.MustParseAddr("192.0.2.7")); n != 0 {
			w.Errorf("got %d connections counted, want none", n)
		}
	})
}

// TestProxyShutdown wants a shutdown not to wait for headers.
func TestProxyShutdown(t *testing.T) {
	everyWay(t, options{proxy: everyIP4}, func(w *world) {
		c := w.connect()
		w.settle(func() bool { return w.room.Stats().Open == 1 })
		if err := w.room.Shutdown(w.Context()); err != nil {
			w.Errorf("shutdown: %v", err)
		}
		w.wantGone(c)
		w.wantRefused(ProxyHeader, 0)
	})
}

// pieces is a transport that has only a header's part: its bytes come in pieces.
type pieces struct {
	transport
	in    []byte
	size  []byte
	taken int
}

func (t *pieces) read(p []byte) (int, error) {
	if t.taken == len(t.in) {
		return 0, io.EOF
	}
	if len(t.size) > 0 {
		p = p[:min(len(p), int(t.size[0])+1)]
		t.size = t.size[1:]
	}
	n := copy(p, t.in[t.taken:])
	t.taken += n
	return n, nil
}

// FuzzProxyHeader wants what go-proxyproto reads, and not a byte of what follows.
func FuzzProxyHeader(f *testing.F) {
	for _, h := range headers {
		f.Add([]byte(h.header+"what follows"), []byte{})
		f.Add([]byte(h.header+"what follows"), []byte{0, 15, 0, 1})
	}
	for _, n := range notHeaders {
		f.Add([]byte(n.text), []byte{})
	}
	f.Fuzz(func(t *testing.T, in, size []byte) {
		var h proxyHeader
		from := &pieces{in: in, size: size}
		err := h.readFrom(from)
		var source, destination netip.AddrPort
		if err == nil {
			source, destination, err = h.addresses()
		}

		rest := bufio.NewReaderSize(bytes.NewReader(in), len(in)+16)
		want, wantErr := proxyproto.Read(rest)
		if len(in) >= v2Fixed && string(in[:len(v2Start)]) == v2Start && in[12] == v2Proxy && in[13] == 0 {
			return // it does not take a connection of no known family, which the protocol leaves to us
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("error: got %v, want %v", err, wantErr)
		}
		if err != nil {
			return
		}
		left, _ := io.ReadAll(rest)
		if got, want := from.taken, len(in)-len(left); got != want {
			t.Errorf("length: got %d, want %d", got, want)
		}
		var wantSource, wantDestination netip.AddrPort
		if want.Command.IsProxy() && !want.TransportProtocol.IsUnix() {
			wantSource, wantDestination = addrPort(want.SourceAddr), addrPort(want.DestinationAddr)
		}
		if source != wantSource || destination != wantDestination {
			t.Errorf("got %v to %v, want %v to %v", source, destination, wantSource, wantDestination)
		}
	})
}

// BenchmarkProxyHeader reads headers without a network.
func BenchmarkProxyHeader(b *testing.B) {
	for _, header := range headers {
		if strings.HasSuffix(header.name, "tcp4") || strings.HasSuffix(header.name, "tcp6") || strings.HasPrefix(header.name, "v2 ipv") {
			b.Run(strings.ReplaceAll(header.name, " ", "-"), func(b *testing.B) {
				b.ReportAllocs()
				var h proxyHeader
				in := []byte(header.header)
				from := &pieces{}
				for b.Loop() {
					h.size = 0
					*from = pieces{in: in}
					if err := h.readFrom(from); err != nil {
						b.Fatal(err)
					}
					if _, _, err := h.addresses(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
