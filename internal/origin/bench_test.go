package origin

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// respond answers every request on every connection with text, with as little effort as possible.
func respond(b *testing.B, l net.Listener, text string) {
	answer := []byte(text)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 4096)
				for have := 0; ; {
					n, err := c.Read(buf[have:])
					if err != nil {
						return
					}
					if have += n; bytes.HasSuffix(buf[:have], []byte("\r\n\r\n")) {
						have = 0
						c.Write(answer)
					}
				}
			}()
		}
	}()
	b.Cleanup(func() { l.Close() })
}

// respondStreams answers every request on every connection of HTTP/2 with lines and size bytes, with as little effort as possible.
func respondStreams(b *testing.B, l net.Listener, size int, lines ...string) {
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	e.SetMaxDynamicTableSize(0)
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		e.WriteField(hpack.HeaderField{Name: name, Value: value})
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				readFull(r, make([]byte, len(http2.ClientPreface)))
				w := bufio.NewWriterSize(c, 128<<10)
				f := http2.NewFramer(w, r)
				f.WriteSettings()
				content := make([]byte, 16<<10)
				for {
					frame, err := f.ReadFrame()
					if err != nil {
						return
					}
					switch frame := frame.(type) {
					case *http2.SettingsFrame:
						if !frame.IsAck() {
							f.WriteSettingsAck()
						}
					case *http2.PingFrame:
						f.WritePing(true, frame.Data)
					case *http2.HeadersFrame:
						f.WriteHeaders(http2.HeadersFrameParam{StreamID: frame.StreamID, BlockFragment: block.Bytes(), EndHeaders: true})
						for left := size; left > 0; left -= len(content) {
							f.WriteData(frame.StreamID, left <= len(content), content[:min(left, len(content))])
						}
					}
					if r.Buffered() == 0 {
						w.Flush()
					}
				}
			}()
		}
	}()
	b.Cleanup(func() { l.Close() })
}

func benchmarkFetch(b *testing.B, size int) {
	l := loopback(b)
	respond(b, l, fmt.Sprintf("HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 20:46:00 GMT\r\nServer: test\r\nContent-Type: text/html; charset=utf-8\r\n"+
		"Content-Length: %d\r\nCache-Control: public, max-age=300\r\nETag: \"5f3c-63a1b2c3d4e5f\"\r\nVary: Accept-Encoding\r\n\r\n%s", size, make([]byte, size)))
	benchmarkPolicy(b, compile(b, newRoom(b), zoneOf("http://"+l.Addr().String())), size)
}

func benchmarkStream(b *testing.B, size int) {
	l := loopback(b)
	respondStreams(b, l, size, ":status: 200", "date: Sun, 22 Nov 2026 20:46:00 GMT", "server: test", "content-type: text/html; charset=utf-8",
		fmt.Sprint("content-length: ", size), "cache-control: public, max-age=300", `etag: "5f3c-63a1b2c3d4e5f"`, "vary: Accept-Encoding")
	benchmarkPolicy(b, compile(b, newRoom(b), overStreams(zoneOf("http://"+l.Addr().String()))), size)
}

func benchmarkPolicy(b *testing.B, p *Policy, size int) {
	f := browsing(ordinary())
	f.Admission.Lease = nil
	b.ReportAllocs()
	b.SetBytes(int64(size))
	for b.Loop() {
		p.Fetch(f)
		if f.Origin.Refusal != nil {
			b.Fatal(f.Origin.Refusal.Detail)
		}
		got := 0
		for s := f.Origin.Message.Stream; ; {
			piece, err := s.Next()
			got += len(piece)
			if err != nil {
				s.Close()
				break
			}
		}
		if got != size {
			b.Fatalf("%d bytes, want %d", got, size)
		}
	}
}

func BenchmarkFetch1KiB(b *testing.B)  { benchmarkFetch(b, 1<<10) }
func BenchmarkFetch64KiB(b *testing.B) { benchmarkFetch(b, 64<<10) }

// BenchmarkStream1KiB and BenchmarkStream64KiB are the same over HTTP/2.
func BenchmarkStream1KiB(b *testing.B)  { benchmarkStream(b, 1<<10) }
func BenchmarkStream64KiB(b *testing.B) { benchmarkStream(b, 64<<10) }

// BenchmarkRoundTrip is the floor: the same bytes over a plain connection.
func BenchmarkRoundTrip(b *testing.B) {
	l := loopback(b)
	respond(b, l, string(make([]byte, 1300)))
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	out, in := append(make([]byte, 700), "\r\n\r\n"...), make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(out); err != nil {
			b.Fatal(err)
		}
		if n, err := c.Read(in); n != 1300 {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkPool(b *testing.B) {
	p := compile(b, newRoom(b), zoneOf("http://192.0.2.1"))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		until := time.Now().Add(time.Minute)
		c := &conn{nc: hidden{}}
		for pb.Next() {
			p.servers[0].put(c, until, p.maxIdle)
			if c = p.servers[0].get(); c == nil {
				c = &conn{nc: hidden{}}
			}
		}
	})
}
