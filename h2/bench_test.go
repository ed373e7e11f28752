package h2

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"
)

// chromium is a GET as Chromium sends it; h2load is one of h2load's.
var (
	chromium = []Field{
		{":method", "GET"}, {":authority", "www.example.org"}, {":scheme", "https"}, {":path", "/articles/2026/the-seawall-holds?utm_source=feed"},
		{"sec-ch-ua", `"Chromium";v="156", "Not)A;Brand";v="24"`}, {"sec-ch-ua-mobile", "?0"}, {"sec-ch-ua-platform", `"Linux"`},
		{"upgrade-insecure-requests", "1"},
		{"user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"},
		{"accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"},
		{"sec-fetch-site", "none"}, {"sec-fetch-mode", "navigate"}, {"sec-fetch-user", "?1"}, {"sec-fetch-dest", "document"},
		{"accept-encoding", "gzip, deflate, br, zstd"}, {"accept-language", "en-GB,en;q=0.9"},
		{"cookie", "session=0123456789abcdef"}, {"priority", "u=0, i"},
	}
	h2load = []Field{
		{":path", "/"}, {":scheme", "https"}, {":authority", "127.0.0.1:8443"}, {":method", "GET"},
		{"user-agent", "h2load nghttp2/1.52.0"},
	}
	hit = []Field{
		{"Date", "Sun, 22 Nov 2026 20:46:00 GMT"}, {"Content-Type", "text/html; charset=utf-8"}, {"Content-Length", "1024"},
		{"Cache-Control", "public, max-age=300"}, {"ETag", `"5f3c-63a1b2c3d4e5f"`}, {"Vary", "Accept-Encoding"},
		{"Last-Modified", "Sun, 22 Nov 2026 20:40:00 GMT"}, {"Age", "17"}, {"Via", "2.0 seawall"}, {"X-Cache", "HIT"},
	}
)

// A hitter answers at once, as a cache does.
type hitter struct {
	s    *Server
	body []byte
}

func (h *hitter) Headers(out []byte, r *Request) []byte {
	out = h.s.AppendHeaders(out, r.ID, 200, hit, -1, false)
	out, _ = h.s.AppendData(out, r.ID, h.body, true)
	return out
}
func (*hitter) Data(out []byte, id uint32, p []byte, end bool) []byte { return out }
func (*hitter) Trailers(out []byte, id uint32, fields []Field) []byte { return out }
func (*hitter) Reset(out []byte, id uint32, code Code) []byte         { return out }
func (*hitter) Writable(out []byte, id uint32) []byte                 { return out }

// BenchmarkHit is a request for 1 KiB that is answered at once, on a connection with 8 streams: what a client sends next
// when it got 8 answers, and how it gives back what it read.
func BenchmarkHit(b *testing.B) {
	for _, bb := range []struct {
		name   string
		fields []Field
	}{{"chromium", chromium}, {"h2load", h2load}} {
		b.Run(bb.name, func(b *testing.B) {
			const streams = 8
			h := &hitter{body: make([]byte, 1024)}
			h.s = NewServer(new(Settings), h)
			now := time.Unix(0, 0)
			in := append([]byte(Preface), settingsFrame()...)
			out := make([]byte, 0, 32<<10)
			feed := func() {
				used, o, err := h.s.Feed(in, out[:0], now)
				if err != nil || used != len(in) {
					b.Fatal(used, err)
				}
				out = o
			}
			feed()
			var block bytes.Buffer
			enc := hpack.NewEncoder(&block)
			var frames []int // where stream ids stand
			id := uint32(1)
			batch := func() {
				in, frames = in[:0], frames[:0]
				for range streams {
					block.Reset()
					for _, f := range bb.fields {
						enc.WriteField(hpack.HeaderField{Name: f.Name, Value: f.Value, Sensitive: f.Name == ":path"})
					}
					frames = append(frames, len(in)+5)
					in = append(appendFrame(in, block.Len(), typeHeaders, flagEndHeaders|flagEndStream, id), block.Bytes()...)
					id += 2
				}
				in = appendWindow(in, 0, streams*1024)
			}
			batch()
			feed() // fills the table
			batch()
			b.SetBytes(0)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				if n%streams != 0 {
					continue
				}
				for _, at := range frames {
					binary.BigEndian.PutUint32(in[at:], id)
					id += 2
				}
				feed()
			}
			b.ReportMetric(float64(len(in))/streams, "bytes-in/op")
			b.ReportMetric(float64(len(out))/streams, "bytes-out/op")
		})
	}
}

// BenchmarkHostile is what the dearest field sections cost by their size on the wire, beside BenchmarkHit's.
func BenchmarkHostile(b *testing.B) {
	for _, bb := range []struct{ name, piece string }{
		{"references to a big entry", "\xbe"},
		{"fields that fill the table", "\x40\x01a\x00"},
		{"names of no bytes that fill the table", "\x40\x00\x00"},
		{"references that fill the table", "\x7e\x01b"},
		{"fields of nothing but overhead", "\x00\x01a\x00"},
		{"Huffman code", "\x00\x01a\xbc" + strings.Repeat("\x00", 60)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			var s *Server
			now := time.Unix(0, 0)
			block := "\x82\x87\x84\x01\x01a" + strings.Repeat(bb.piece, 16000/len(bb.piece))
			in := raw(typeHeaders, flagEndHeaders|flagEndStream, 1, block)
			out := make([]byte, 0, 1024)
			id := uint32(1 << 30)
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				if id >= 1<<30 {
					s = NewServer(new(Settings), silent{})
					s.settings.maxStreams, s.spent.used[streamErrors] = 1<<30, -1e9
					start := append([]byte(Preface), settingsFrame()...)
					start = append(start, raw(typeHeaders, flagEndHeaders|flagEndStream, 1, "\x40\x01x\x7f\xa1\x1e"+strings.Repeat("v", 4000))...)
					if _, _, err := s.Feed(start, out, now); err != nil {
						b.Fatal(err)
					}
					id = 3
				}
				binary.BigEndian.PutUint32(in[5:], id)
				id += 2
				if _, _, err := s.Feed(in, out, now); err != nil {
					b.Fatal(err)
				}
				s.AppendReset(out, id-2, Cancel)
			}
		})
	}
}

func BenchmarkAppendHeaders(b *testing.B) {
	var s Server
	out := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		out = s.appendHead(out[:0], 1, 200, hit, -1, 0)
	}
}
