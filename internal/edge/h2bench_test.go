package edge

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/seawall/seawall/internal/conn"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// browserFields is a head as browsers send it over HTTP/2.
var browserFields = []hpack.HeaderField{
	{Name: ":method", Value: "GET"}, {Name: ":path", Value: "/assets/site.css?v=12"}, {Name: ":authority", Value: "www.site.test"}, {Name: ":scheme", Value: "https"},
	{Name: "user-agent", Value: "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"},
	{Name: "accept", Value: "text/css,*/*;q=0.1"},
	{Name: "accept-language", Value: "en-US,en;q=0.5"},
	{Name: "accept-encoding", Value: "gzip, deflate, br, zstd"},
	{Name: "referer", Value: "https://www.site.test/news/today.html"},
	{Name: "cookie", Value: "session=0123456789abcdef0123456789abcdef"}, {Name: "cookie", Value: "seen=yes"},
	{Name: "sec-fetch-dest", Value: "style"}, {Name: "sec-fetch-mode", Value: "no-cors"}, {Name: "sec-fetch-site", Value: "same-origin"},
	{Name: "priority", Value: "u=2"},
}

// burst is requests of one client that come together, again and again.
type burst struct {
	begin []byte // the preface, settings, and a first request, on stream 1
	again []byte // streams requests, and as much window as their answers take
	ids   []int  // where again has the streams' ids
	next  uint32
}

// newBurst makes one of requests for a target, to which the answers have so many bytes of content.
func newBurst(tb testing.TB, target string, streams, content int) *burst {
	var out, block bytes.Buffer
	f, enc := http2.NewFramer(&out, nil), hpack.NewEncoder(&block)
	ask := func(id uint32) {
		block.Reset()
		for _, field := range browserFields {
			if field.Name == ":path" && target != "" {
				field.Value = target
			}
			enc.WriteField(field)
		}
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true})
	}
	b := &burst{next: 3}
	out.WriteString(http2.ClientPreface)
	f.WriteSettings(http2.Setting{ID: http2.SettingEnablePush}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 24})
	f.WriteWindowUpdate(0, 12<<20)
	f.WriteSettingsAck()
	ask(1)
	b.begin = bytes.Clone(out.Bytes())
	out.Reset()
	f.WriteWindowUpdate(0, uint32(streams*content))
	for range streams {
		b.ids = append(b.ids, out.Len()+5)
		ask(1)
	}
	b.again = out.Bytes()
	return b
}

// bytes is the burst with new streams.
func (b *burst) bytes() []byte {
	for _, at := range b.ids {
		binary.BigEndian.PutUint32(b.again[at:], b.next)
		b.next += 2
	}
	return b.again
}

// perRequest says what a burst costs for each request.
func perRequest(b *testing.B, streams int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*streams), "ns/request")
}

// BenchmarkH2Decide is requests from their frames to the lines in the record, without the network.
func BenchmarkH2Decide(b *testing.B) {
	benchmarks := []struct {
		name    string
		streams int
		limits  spec.Limits
		status  byte // as HPACK has it
	}{
		{"hit", 8, spec.Limits{Requests: spec.Rate{Requests: 1_000_000, Per: time.Second, Burst: 1_000_000}}, 0x88},
		{"hit alone", 1, spec.Limits{Requests: spec.Rate{Requests: 1_000_000, Per: time.Second, Burst: 1_000_000}}, 0x88},
		{"over the limit", 8, spec.Limits{Requests: spec.Rate{Requests: 1, Per: time.Hour}}, 8},
	}
	for _, bb := range benchmarks {
		b.Run(bb.name, func(b *testing.B) {
			const size = 1024
			z := site("site", "www.site.test")
			z.Limits = bb.limits
			h := build(b, testNode(), z)
			h.serve(firstOrigin, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Cache-Control", "max-age=3600")
				w.Header().Set("Content-Type", "text/css")
				w.Header().Set("ETag", `"one"`)
				io.WriteString(w, strings.Repeat("x", size))
			})
			c := h.dialAt(visitor, secureDoor)
			c.send(browser)
			h.want("first", c.read("GET"), 200, "xxx")
			c.conn.Close()

			info := &flow.Conn{Remote: netip.MustParseAddrPort(visitor + ":40000"), Local: netip.MustParseAddrPort(door), TLS: &flow.TLS{Protocol: "h2"}}
			s := h.requests.Open(info, new(quiet))
			requests := newBurst(b, "", bb.streams, size)
			var out flow.Output
			turn := func(in []byte) {
				out.Head = out.Head[:0]
				if used, next := s.Turn(in, &out, time.Now()); used != len(in) || next != flow.More {
					b.Fatalf("got %d bytes used and %d next, want %d and more", used, next, len(in))
				}
			}
			turn(requests.begin)
			turn(requests.bytes())
			if got := out.Head; len(got) < 10 || got[9] != bb.status {
				b.Fatalf("got %q, want a response", got)
			}
			b.ReportAllocs()
			for b.Loop() {
				turn(requests.bytes())
			}
			perRequest(b, bb.streams)
		})
	}
}

// BenchmarkH2Loop is requests over the loopback, client and kernel included: from the cache, and passed on to an origin that answers at once.
func BenchmarkH2Loop(b *testing.B) {
	benchmarks := []struct {
		name, target  string
		streams, size int
	}{
		{"cached", "/cached", 8, 1 << 10},
		{"passed", "/passed", 8, 1 << 10},
		{"large, cached", "/cached", 1, 1 << 20},
		{"large, passed", "/passed", 1, 1 << 20},
	}
	for _, bb := range benchmarks {
		b.Run(bb.name, func(b *testing.B) {
			target, streams, size := bb.target, bb.streams, bb.size
			h := build(b, testNode(), site("site", "www.site.test"))
			h.rooms.Origin.Dial = nil
			address := answering(b, size)
			z := site("site", "www.site.test")
			z.Origin.Servers = spec.OneServer("http://" + address)
			for _, err := range h.snapshot.Apply([]spec.Zone{z}) {
				h.must(err)
			}
			n := testNode()
			l, err := conn.Listen(b.Context(), "127.0.0.1:0")
			h.must(err)
			room := conn.New(&n, conn.Options{Open: h.requests.Open, Loops: runLoops(b, 1)})
			go room.Serve(l, nil)
			defer room.Shutdown(b.Context())
			c, err := net.Dial("tcp", l.Addr().String())
			h.must(err)
			defer c.Close()
			requests := newBurst(b, target, streams, size)
			_, err = c.Write(requests.begin)
			h.must(err)
			answers := ends{c: c}
			answers.wait(b, 1)
			b.ReportAllocs()
			b.SetBytes(int64(streams * size))
			for b.Loop() {
				if _, err := c.Write(requests.bytes()); err != nil {
					b.Fatal(err)
				}
				answers.wait(b, streams)
			}
			perRequest(b, streams)
		})
	}
}

// ends counts the streams that have ended in what a client gets.
type ends struct {
	c    net.Conn
	rest []byte
	b    [64 << 10]byte
}

func (e *ends) wait(b *testing.B, n int) {
	for n > 0 {
		for len(e.rest) >= 9 {
			length := int(e.rest[0])<<16 | int(e.rest[1])<<8 | int(e.rest[2])
			if len(e.rest) < 9+length {
				break
			}
			if kind, flags := e.rest[3], e.rest[4]; kind <= 1 && flags&1 != 0 {
				n--
			} else if kind == 3 || kind == 7 {
				b.Fatalf("got frame %x", e.rest[:9+length])
			}
			e.rest = e.rest[9+length:]
		}
		if n > 0 {
			kept := copy(e.b[:], e.rest)
			m, err := e.c.Read(e.b[kept:])
			if err != nil {
				b.Fatal(err)
			}
			e.rest = e.b[:kept+m]
		}
	}
}

// answering is an origin that reads no more of a request than its end, and costs as little as it can.
func answering(b *testing.B, size int) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	body := strings.Repeat("x", size)
	cached := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\nContent-Length: %d\r\n\r\n%s", size, body)
	passed := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: %d\r\n\r\n%s", size, body)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				in := make([]byte, 16<<10)
				for n := 0; ; {
					m, err := c.Read(in[n:])
					if err != nil {
						return
					}
					if n += m; !bytes.HasSuffix(in[:n], []byte("\r\n\r\n")) {
						continue
					}
					answer := passed
					if bytes.HasPrefix(in, []byte("GET /cached")) {
						answer = cached
					}
					if _, err := c.Write(answer); err != nil {
						return
					}
					n = 0
				}
			}()
		}
	}()
	return l.Addr().String()
}
