package h1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"
)

// browserGet is a GET as a browser sends it: 12 fields, about 500 bytes.
const browserGet = "GET /articles/2026/the-seawall-holds?utm_source=feed HTTP/1.1\r\n" +
	"Host: www.example.org\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n" +
	"Accept-Language: en-GB,en;q=0.5\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Connection: keep-alive\r\n" +
	"Cookie: session=0123456789abcdef\r\n" +
	"Upgrade-Insecure-Requests: 1\r\n" +
	"Sec-Fetch-Dest: document\r\n" +
	"Sec-Fetch-Mode: navigate\r\n" +
	"Sec-Fetch-Site: none\r\n" +
	"Priority: u=0, i\r\n" +
	"\r\n"

const originOK = "HTTP/1.1 200 OK\r\n" +
	"Date: Sun, 22 Nov 2026 20:46:00 GMT\r\n" +
	"Server: Apache\r\n" +
	"Content-Type: text/html; charset=utf-8\r\n" +
	"Content-Length: 15360\r\n" +
	"Cache-Control: public, max-age=300\r\n" +
	"ETag: \"5f3c-63a1b2c3d4e5f\"\r\n" +
	"Vary: Accept-Encoding\r\n" +
	"Last-Modified: Sun, 22 Nov 2026 20:40:00 GMT\r\n" +
	"\r\n"

func BenchmarkEnd(b *testing.B) {
	head := []byte(browserGet)
	b.ReportAllocs()
	b.SetBytes(int64(len(head)))
	for b.Loop() {
		if n, err := End(head, 0, Limits{}); n != len(head) || err != nil {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkRequestParse(b *testing.B) {
	var r Request
	b.ReportAllocs()
	b.SetBytes(int64(len(browserGet)))
	for b.Loop() {
		if err := r.Parse(browserGet, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkNetHTTPReadRequest is the yardstick for BenchmarkRequestParse.
func BenchmarkNetHTTPReadRequest(b *testing.B) {
	src := bytes.NewReader(nil)
	br := bufio.NewReader(src)
	head := []byte(browserGet)
	b.ReportAllocs()
	b.SetBytes(int64(len(head)))
	for b.Loop() {
		src.Reset(head)
		br.Reset(src)
		if _, err := http.ReadRequest(br); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkResponseParse(b *testing.B) {
	var r Response
	b.ReportAllocs()
	b.SetBytes(int64(len(originOK)))
	for b.Loop() {
		if err := r.Parse(originOK, "GET", Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRefusal(b *testing.B) {
	const head = "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
	var r Request
	b.ReportAllocs()
	for b.Loop() {
		if r.Parse(head, Limits{}) == nil {
			b.Fatal("accepted")
		}
	}
}

func BenchmarkDecoder(b *testing.B) {
	for _, bb := range []struct {
		name string
		size int
	}{{"16B", 16}, {"4KiB", 4096}} {
		b.Run(bb.name, func(b *testing.B) {
			var body []byte
			for range 64 {
				body = AppendChunk(body, make([]byte, bb.size))
			}
			body = AppendLastChunk(body, nil)
			var d Decoder
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				d.Reset()
				for rest := body; !d.Done(); {
					_, n, err := d.Next(rest)
					if n == 0 || err != nil {
						b.Fatal(n, err)
					}
					rest = rest[n:]
				}
			}
		})
	}
}

func BenchmarkAppendHead(b *testing.B) {
	var r Response
	if err := r.Parse(originOK, "GET", Limits{}); err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendStatusLine(buf[:0], r.Status, "")
		for _, f := range r.Fields {
			buf = AppendField(buf, f.Name, f.Value)
		}
		buf = append(buf, "\r\n"...)
	}
	io.Discard.Write(buf)
}

func BenchmarkAppendDate(b *testing.B) {
	t := time.Date(2026, 11, 22, 20, 46, 0, 0, time.UTC)
	buf := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendDate(buf[:0], t)
	}
}
