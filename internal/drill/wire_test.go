package drill

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const okHead = "HTTP/1.1 200 OK\r\nServer: x\r\nDate: Sun, 22 Nov 2026 20:00:00 GMT\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n"

func TestResponse(t *testing.T) {
	tests := []struct {
		name, in string
		status   int
		body     string
		close    bool
		retry    time.Duration
	}{
		{"length", okHead + "hello", 200, "hello", false, 0},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: x\r\n\r\n", 200, "hello!", false, 0},
		{"until close", "HTTP/1.1 200 OK\r\n\r\nhello", 200, "hello", true, 0},
		{"old", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", true, 0},
		{"close", "HTTP/1.1 404 Not Found\r\nconnection: Close\r\nContent-Length: 0\r\n\r\n", 404, "", true, 0},
		{"not modified", "HTTP/1.1 304 Not Modified\r\nContent-Length: 70\r\n\r\n", 304, "", false, 0},
		{"interim", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", 204, "", false, 0},
		{"retry", "HTTP/1.1 503 \r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", 503, "", false, 7 * time.Second},
		{"retry at a date", "HTTP/1.1 503 No\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n", 503, "", false, 0},
		{"bare LF", "HTTP/1.1 200 OK\nContent-Length: 1\n\nx", 200, "x", false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			br := bufio.NewReader(strings.NewReader(tt.in))
			r, body := response{keep: true}, bytes.Buffer{}
			if err := r.readHead(br); err != nil {
				t.Fatal(err)
			}
			if err := r.readBody(br, &body); err != nil {
				t.Fatal(err)
			}
			if r.status != tt.status || body.String() != tt.body || r.close != tt.close || r.retryAfter != tt.retry {
				t.Errorf("got %d %q close=%v retry=%v, want %d %q %v %v", r.status, body.String(), r.close, r.retryAfter, tt.status, tt.body, tt.close, tt.retry)
			}
			if n := br.Buffered(); n > 0 {
				t.Errorf("%d bytes left", n)
			}
		})
	}
}

func TestResponseErrors(t *testing.T) {
	tests := []struct {
		name, in string
		want     error
	}{
		{"nothing", "", io.EOF},
		{"half a line", "HTTP/1.1 2", io.ErrUnexpectedEOF},
		{"half a head", "HTTP/1.1 200 OK\r\nA: b\r\n", io.ErrUnexpectedEOF},
		{"half a body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", io.ErrUnexpectedEOF},
		{"half a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe", io.ErrUnexpectedEOF},
		{"not HTTP", "SSH-2.0-x\r\n", errMalformed},
		{"status", "HTTP/1.1 2x0 OK\r\n\r\n", errMalformed},
		{"upgrade", "HTTP/1.1 101 Go\r\n\r\n", errMalformed},
		{"field", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", errMalformed},
		{"length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", errMalformed},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", errMalformed},
		{"coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", errMalformed},
		{"chunk size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", errMalformed},
		{"chunk end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n0\r\n\r\n", errMalformed},
		{"huge", "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", errMalformed},
		{"long line", "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", 5000) + "\r\n\r\n", errMalformed},
		{"many fields", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 200) + "\r\n", errMalformed},
		{"only hints", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 9), errMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			br := bufio.NewReaderSize(strings.NewReader(tt.in), 4096)
			var r response
			err := r.readHead(br)
			if err == nil {
				err = r.readBody(br, nil)
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// What both we and net/http take for a response has the same status and body for both.
func FuzzResponse(f *testing.F) {
	f.Add([]byte(okHead + "hello"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 304 No\r\nContent-Length: 3\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\nConnection: close\n\nhello"))
	f.Add([]byte("HTTP/1.3 100 \n\nHTTP/1.0 304\n\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		br := bufio.NewReader(bytes.NewReader(in))
		r, body := response{keep: true}, bytes.Buffer{}
		if r.readHead(br) != nil || r.readBody(br, &body) != nil {
			return
		}
		if bytes.HasPrefix(in, []byte("HTTP/1.0")) {
			return // chunks in HTTP/1.0 differ by design
		}
		ref, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(in)), nil)
		if err != nil || ref.StatusCode/100 == 1 {
			return // we read past interim responses
		}
		want, err := io.ReadAll(ref.Body)
		if err == nil && (ref.StatusCode != r.status || !bytes.Equal(want, body.Bytes())) {
			t.Errorf("got %d %q, net/http %d %q", r.status, body.Bytes(), ref.StatusCode, want)
		}
	})
}

func BenchmarkReadResponse(b *testing.B) {
	in := []byte(okHead + "hello")
	src := bytes.NewReader(in)
	br := bufio.NewReaderSize(src, 2<<10)
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(in)
		br.Reset(src)
		var r response
		if r.readHead(br) != nil || r.readBody(br, nil) != nil {
			b.Fatal("does not parse")
		}
	}
}
