package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// talk is a connection whose other end has said all it has to say.
type talk struct {
	net.Conn
	in  *bytes.Reader
	out bytes.Buffer
}

func (c *talk) Read(p []byte) (int, error)       { return c.in.Read(p) }
func (c *talk) Write(p []byte) (int, error)      { return c.out.Write(p) }
func (c *talk) Close() error                     { return nil }
func (c *talk) SetDeadline(time.Time) error      { return nil }
func (c *talk) SetReadDeadline(time.Time) error  { return nil }
func (c *talk) SetWriteDeadline(time.Time) error { return nil }

// hearing returns a connection of HTTP/1.1 that hears in.
func hearing(in []byte) *Conn {
	l := &link{Conn: &talk{in: bytes.NewReader(in)}}
	return &Conn{stream: l, link: l, software: golang(nil), target: Target{Host: "harbour.test"}, in: reader{source: l}, reusable: true}
}

const okHead = "HTTP/1.1 200 OK\r\nServer: x\r\nDate: Sun, 22 Nov 2026 20:00:00 GMT\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n"

func TestResponse(t *testing.T) {
	tests := []struct {
		name, in string
		method   string
		status   int
		body     string
		close    bool
		retry    time.Duration
	}{
		{"length", okHead + "hello", "GET", 200, "hello", false, 0},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: x\r\n\r\n", "GET", 200, "hello!", false, 0},
		{"until close", "HTTP/1.1 200 OK\r\n\r\nhello", "GET", 200, "hello", true, 0},
		{"old", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", "GET", 200, "hi", true, 0},
		{"close", "HTTP/1.1 404 Not Found\r\nconnection: Close\r\nContent-Length: 0\r\n\r\n", "GET", 404, "", true, 0},
		{"not modified", "HTTP/1.1 304 Not Modified\r\nContent-Length: 70\r\n\r\n", "GET", 304, "", false, 0},
		{"interim", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", "GET", 204, "", false, 0},
		{"retry", "HTTP/1.1 503 \r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", "GET", 503, "", false, 7 * time.Second},
		{"retry at a date", "HTTP/1.1 503 No\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n", "GET", 503, "", false, 0},
		{"head", "HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\n", "HEAD", 200, "", false, 0},
		{"more than asked for", okHead + "helloHTTP/1.1", "GET", 200, "hello", true, 0},
		{"long", "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", 9000) + "\r\nContent-Length: 70000\r\n\r\n" + strings.Repeat("y", 70000),
			"GET", 200, strings.Repeat("y", 70000), false, 0},
		{"bare LF", "HTTP/1.1 200 OK\nContent-Length: 1\n\nx", "GET", 200, "x", false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := hearing([]byte(tt.in))
			var r Response
			var body bytes.Buffer
			if err := c.Do(t.Context(), &Request{Method: tt.method, Path: "/"}, &r, &body); err != nil {
				t.Fatal(err)
			}
			if r.Status != tt.status || body.String() != tt.body || c.Reusable() == tt.close || r.RetryAfter != tt.retry {
				t.Errorf("got %d %q reusable=%v retry=%v, want %d %q %v %v",
					r.Status, body.String(), c.Reusable(), r.RetryAfter, tt.status, tt.body, !tt.close, tt.retry)
			}
			if r.Bytes != int64(body.Len()) || c.in.buf != nil {
				t.Errorf("counts %d bytes of %d, keeps %d bytes of buffer", r.Bytes, body.Len(), len(c.in.buf))
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
		{"not HTTP", "SSH-2.0-x\r\n", ErrMalformed},
		{"status", "HTTP/1.1 2x0 OK\r\n\r\n", ErrMalformed},
		{"upgrade", "HTTP/1.1 101 Go\r\n\r\n", ErrMalformed},
		{"field", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", ErrMalformed},
		{"length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", ErrMalformed},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", ErrMalformed},
		{"coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", ErrMalformed},
		{"chunk size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", ErrMalformed},
		{"chunk end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n0\r\n\r\n", ErrMalformed},
		{"huge", "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", ErrMalformed},
		{"huge until close", "HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", maxBody+1), ErrMalformed},
		{"long line", "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", bulkSize) + "\r\n\r\n", ErrMalformed},
		{"long head", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: "+strings.Repeat("x", 2000)+"\r\n", 9) + "\r\n", ErrMalformed},
		{"huge chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n400001\r\n", ErrMalformed},
		{"chunked twice", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ErrMalformed},
		{"many fields", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 200) + "\r\n", ErrMalformed},
		{"only hints", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 9), ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := hearing([]byte(tt.in))
			var r Response
			if err := c.Do(t.Context(), &Request{Path: "/"}, &r, nil); !errors.Is(err, tt.want) || c.Reusable() {
				t.Errorf("got %v, reusable=%v, want %v", err, c.Reusable(), tt.want)
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
		c := hearing(in)
		var r Response
		var body bytes.Buffer
		if c.Do(t.Context(), &Request{Path: "/"}, &r, &body) != nil {
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
		if err == nil && (ref.StatusCode != r.Status || !bytes.Equal(want, body.Bytes())) {
			t.Errorf("got %d %q, net/http %d %q", r.Status, body.Bytes(), ref.StatusCode, want)
		}
	})
}
