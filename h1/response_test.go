package h1

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestResponseParse(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	tests := []struct {
		name   string
		method string
		head   string
		want   Response
	}{
		{"length", "GET", ok + "Content-Length: 5\r\n\r\n", Response{
			Minor: 1, Status: 200, Reason: "OK", Framing: Length, Length: 5, Fields: []Field{{"Content-Length", "5"}}}},
		{"chunked", "GET", ok + "Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n", Response{
			Minor: 1, Status: 200, Reason: "OK", Framing: Chunked,
			Fields: []Field{{"Transfer-Encoding", "chunked"}, {"Trailer", "X"}}}},
		{"until close", "GET", ok + "Server: x\r\n\r\n", Response{
			Minor: 1, Status: 200, Reason: "OK", Framing: UntilClose, Close: true, Fields: []Field{{"Server", "x"}}}},
		{"http/1.0", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", Response{
			Status: 200, Reason: "OK", Framing: Length, Close: true, Fields: []Field{{"Content-Length", "0"}}}},
		{"http/1.0 keep-alive", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n", Response{
			Status: 200, Reason: "OK", Framing: Length, Length: 1,
			Fields: []Field{{"Content-Length", "1"}, {"Connection", "keep-alive"}}}},
		{"close", "GET", ok + "Content-Length: 1\r\nConnection: x, Close\r\n\r\n", Response{
			Minor: 1, Status: 200, Reason: "OK", Framing: Length, Length: 1, Close: true,
			Fields: []Field{{"Content-Length", "1"}, {"Connection", "x, Close"}}}},
		{"head", "HEAD", ok + "Content-Length: 5\r\n\r\n", Response{
			Minor: 1, Status: 200, Reason: "OK", Fields: []Field{{"Content-Length", "5"}}}},
		{"head without length", "HEAD", ok + "\r\n", Response{Minor: 1, Status: 200, Reason: "OK", Fields: []Field{}}},
		{"not modified", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", Response{
			Minor: 1, Status: 304, Reason: "Not Modified", Fields: []Field{{"Content-Length", "5"}}}},
		{"no content", "GET", "HTTP/1.1 204 No Content\r\nA: b\r\n\r\n", Response{
			Minor: 1, Status: 204, Reason: "No Content", Fields: []Field{{"A", "b"}}}},
		{"no content with length 0, RFC 9110 8.6", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", Response{
			Minor: 1, Status: 204, Reason: "No Content", Fields: []Field{}}},
		{"no content with content", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nA: b\r\n\r\n", Response{
			Minor: 1, Status: 204, Reason: "No Content", Close: true, Fields: []Field{{"A", "b"}}}},
		{"interim", "GET", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", Response{
			Minor: 1, Status: 103, Reason: "Early Hints", Fields: []Field{{"Link", "</a>"}}}},
		{"interim with chunks", "GET", "HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n", Response{
			Minor: 1, Status: 100, Reason: "Continue", Close: true, Fields: []Field{}}},
		{"switching protocols", "GET", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", Response{
			Minor: 1, Status: 101, Reason: "Switching Protocols", Upgrade: "websocket",
			Fields: []Field{{"Connection", "Upgrade"}, {"Upgrade", "websocket"}}}},
		{"tunnel", "CONNECT", ok + "Content-Length: 0\r\n\r\n", Response{
			Minor: 1, Status: 200, Reason: "OK", Fields: []Field{}}},
		{"tunnel refused", "CONNECT", "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n", Response{
			Minor: 1, Status: 403, Reason: "Forbidden", Framing: Length, Length: 2, Fields: []Field{{"Content-Length", "2"}}}},

		{"empty reason, RFC 9112 4", "GET", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", Response{
			Minor: 1, Status: 200, Framing: Length, Fields: []Field{{"Content-Length", "0"}}}},
		{"no reason and no space", "GET", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", Response{
			Minor: 1, Status: 200, Framing: Length, Fields: []Field{{"Content-Length", "0"}}}},
		{"reason in obs-text", "GET", "HTTP/1.1 404 pas trouv\xe9 \r\nContent-Length: 0\r\n\r\n", Response{
			Minor: 1, Status: 404, Reason: "pas trouv\xe9", Framing: Length, Fields: []Field{{"Content-Length", "0"}}}},
		{"status 999", "GET", "HTTP/1.1 999 No\r\nContent-Length: 0\r\n\r\n", Response{
			Minor: 1, Status: 999, Reason: "No", Framing: Length, Fields: []Field{{"Content-Length", "0"}}}},
		{"space before colon, RFC 9112 5.1", "GET", ok + "Content-Length \t: 5\r\n\r\n", Response{
			Minor: 1, Status: 200, Reason: "OK", Framing: Length, Length: 5, Fields: []Field{{"Content-Length", "5"}}}},
		{"folds, RFC 9112 5.2", "GET", ok + "A: b \r\n\t c\r\n \r\n d\r\nContent-Length:\r\n 5\r\nX : y\r\n\r\n", Response{
			Minor: 1, Status: 200, Reason: "OK", Framing: Length, Length: 5,
			Fields: []Field{{"A", "b c d"}, {"Content-Length", "5"}, {"X", "y"}}}},
		{"fold into nothing", "GET", ok + "Content-Length: 5\r\n \r\n\r\n", Response{
			Minor: 1, Status: 200, Reason: "OK", Framing: Length, Length: 5, Fields: []Field{{"Content-Length", "5"}}}},
		{"lengths alike, RFC 9112 6.3", "GET", ok + "A: b\r\ncontent-length: 5\r\nC: d\r\nContent-Length: 5\r\n\r\n", Response{
			Minor: 1, Status: 200, Reason: "OK", Framing: Length, Length: 5,
			Fields: []Field{{"A", "b"}, {"content-length", "5"}, {"C", "d"}}}},
		{"list of lengths alike", "GET", ok + "Content-Length: 5, 5,5\r\n\r\n", Response{
			Minor: 1, Status: 200, Reason: "OK", Framing: Length, Length: 5, Fields: []Field{{"Content-Length", "5"}}}},
		{"list of one length", "GET", ok + "Content-Length: 5,\r\n\r\n", Response{
			Minor: 1, Status: 200, Reason: "OK", Framing: Length, Length: 5, Fields: []Field{{"Content-Length", "5"}}}},
		{"length and coding, RFC 9112 6.3", "GET", ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", Response{
			Minor: 1, Status: 200, Reason: "OK", Framing: Chunked, Close: true,
			Fields: []Field{{"Transfer-Encoding", "chunked"}}}},
		{"gzip, chunked", "GET", ok + "Transfer-Encoding: gzip\r\nTransfer-Encoding: , chunked\r\n\r\n", Response{
			Minor: 1, Status: 200, Reason: "OK", Framing: Chunked, Coded: true,
			Fields: []Field{{"Transfer-Encoding", "gzip"}, {"Transfer-Encoding", ", chunked"}}}},
		{"gzip", "GET", ok + "Transfer-Encoding: gzip\r\nContent-Length: 5\r\n\r\n", Response{
			Minor: 1, Status: 200, Reason: "OK", Framing: UntilClose, Close: true, Coded: true,
			Fields: []Field{{"Transfer-Encoding", "gzip"}}}},
		{"identity", "GET", ok + "Transfer-Encoding: identity\r\n\r\n", Response{
			Minor: 1, Status: 200, Reason: "OK", Framing: UntilClose, Close: true,
			Fields: []Field{{"Transfer-Encoding", "identity"}}}},
		{"chunked is not last", "GET", ok + "Transfer-Encoding: chunked, identity\r\n\r\n", Response{
			Minor: 1, Status: 200, Reason: "OK", Framing: UntilClose, Close: true, Coded: true,
			Fields: []Field{{"Transfer-Encoding", "chunked, identity"}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got Response
			if err := got.Parse(tt.head, tt.method, Limits{}); err != nil {
				t.Fatalf("Parse(%q) = %v", tt.head, err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Parse(%q) differs (-want +got):\n%s", tt.head, diff)
			}
		})
	}
}

var responseRefusals = []struct{ name, head, reason string }{
	{"nothing", "", "incomplete head"},
	{"no empty line", "HTTP/1.1 200 OK\r\n", "incomplete head"},
	{"empty line first", "\r\nHTTP/1.1 200 OK\r\n\r\n", "bad status line"},
	{"bytes after the head", "HTTP/1.1 200 OK\r\n\r\n\r\n\r\n", "bytes after the head"},
	{"lf only", "HTTP/1.1 200 OK\n\n", "bare line feed"},
	{"lf after status line", "HTTP/1.1 200 OK\nA: b\r\n\r\n", "bare line feed"},
	{"lf in field", "HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", "bare line feed"},
	{"cr in reason", "HTTP/1.1 200 O\rK\r\n\r\n", "bare carriage return"},
	{"cr in value", "HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n", "bare carriage return"},
	{"cr before name", "HTTP/1.1 200 OK\r\nA: b\r\n\rC: d\r\n\r\n", "bare carriage return"},
	{"http/2", "HTTP/2.0 200 OK\r\n\r\n", "unsupported version"},
	{"http/1.2", "HTTP/1.2 200 OK\r\n\r\n", "unsupported version"},
	{"lower case", "http/1.1 200 OK\r\n\r\n", "bad status line"},
	{"icy", "ICY 200 OK\r\nA: bcd\r\n\r\n", "bad status line"},
	{"two spaces", "HTTP/1.1  200 OK\r\n\r\n", "bad status line"},
	{"two digits", "HTTP/1.1 20 OK\r\n\r\n", "bad status line"},
	{"four digits", "HTTP/1.1 2000 OK\r\n\r\n", "bad status line"},
	{"status 099", "HTTP/1.1 099 OK\r\n\r\n", "bad status line"},
	{"status with sign", "HTTP/1.1 +20 OK\r\n\r\n", "bad status line"},
	{"no space before reason", "HTTP/1.1 200OK\r\n\r\n", "bad status line"},
	{"nul in reason", "HTTP/1.1 200 O\x00K\r\n\r\n", "bad status line"},
	{"space before first field", "HTTP/1.1 200 OK\r\n A: b\r\n\r\n", "space before the first field"},
	{"no colon", "HTTP/1.1 200 OK\r\nA\r\n\r\n", "bad field name"},
	{"spaces, no colon", "HTTP/1.1 200 OK\r\nA b: c\r\n\r\n", "bad field name"},
	{"no name", "HTTP/1.1 200 OK\r\n: c\r\n\r\n", "bad field name"},
	{"nul in value", "HTTP/1.1 200 OK\r\nA: \x00\r\n\r\n", "control character in field value"},
	{"nul behind a fold", "HTTP/1.1 200 OK\r\nA: b\r\n \x00\r\n\r\n", "control character in field value"},
	{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "several content-lengths"},
	{"list of lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n", "several content-lengths"},
	{"length with sign", "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", "bad content-length"},
	{"length out of a fold", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n 6\r\n\r\n", "bad content-length"},
	{"empty length", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", "bad content-length"},
	{"lengths, one empty", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length:\r\n\r\n", "bad content-length"},
	{"length of 2^63", "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n", "bad content-length"},
	{"coding unknown", "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n", "unsupported transfer-encoding"},
	{"coding unknown, then chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: x, chunked\r\n\r\n", "unsupported transfer-encoding"},
	{"coding twice", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "unsupported transfer-encoding"},
	{"coding empty", "HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\r\n", "unsupported transfer-encoding"},
	{"coding in http/1.0, RFC 9112 6.1", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "transfer-encoding in http/1.0"},
}

func TestResponseRefused(t *testing.T) {
	for _, tt := range responseRefusals {
		t.Run(tt.name, func(t *testing.T) {
			var r Response
			err := r.Parse(tt.head, "GET", Limits{})
			var got *Error
			if !errors.As(err, &got) {
				t.Fatalf("Parse(%q) = %v, want an *Error", tt.head, err)
			}
			if want := (Error{502, tt.reason}); *got != want {
				t.Errorf("Parse(%q) = %+v, want %+v", tt.head, *got, want)
			}
		})
	}
}

func TestResponseLimits(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n"
	tests := []struct {
		name string
		lim  Limits
		want int
	}{
		{"exact", Limits{15, len(head), 2}, 0},
		{"line", Limits{14, len(head), 2}, 502},
		{"head", Limits{15, len(head) - 1, 2}, 502},
		{"fields", Limits{15, len(head), 1}, 502},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r Response
			if got := status(r.Parse(head, "GET", tt.lim)); got != tt.want {
				t.Errorf("Parse with %+v: status %d, want %d", tt.lim, got, tt.want)
			}
		})
	}
}
