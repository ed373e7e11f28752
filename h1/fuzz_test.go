package h1

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// seedRequests adds the heads of the table tests.
func seedRequests(f *testing.F, add func(head string)) {
	f.Helper()
	for _, tt := range refusals {
		add(tt.head)
	}
	for _, head := range []string{
		browserGet,
		"\r\nGET /a?b HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nhost: [::1]:80\r\nTE: trailers\r\n\r\n",
		"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
		"GET HTTP://a?b HTTP/1.1\r\nHost: A:80\r\n\r\nGET / HTTP/1.1\r\n",
		post("Content-Length: 5", "Expect: 100-continue", "X:\t\xff ") + "hello",
		post("Transfer-Encoding: chunked", "Connection: upgrade", "Upgrade: x") + "0\r\n\r\n",
	} {
		add(head)
	}
}

// FuzzRequest checks that End and Parse agree however the bytes arrive, and that what Parse accepts means the same
// after it was written back.
func FuzzRequest(f *testing.F) {
	seedRequests(f, func(head string) { f.Add([]byte(head), uint8(1)) })
	f.Fuzz(func(t *testing.T, data []byte, step uint8) {
		checkEnd(t, data, int(step)+1, func(head string) error { return new(Request).Parse(head, Limits{}) })
		end, _ := End(data, 0, Limits{})
		var r, again Request
		if r.Parse(string(data[:end]), Limits{}) != nil {
			return
		}
		checkFields(t, r.Fields)
		if r.Minor == 1 && r.Host == "" || r.Framing == UntilClose {
			t.Fatalf("accepted without host or end: %+v", r)
		}
		out := appendFields(AppendRequestLine(nil, r.Method, r.Target), r.Fields, r.Minor)
		if err := again.Parse(string(out), Limits{Head: 1 << 20, Line: 1 << 20}); err != nil {
			t.Fatalf("refused what was accepted: %v\nread  %q\nwrote %q", err, data[:end], out)
		}
		if diff := cmp.Diff(r, again); diff != "" {
			t.Fatalf("another meaning (-read +written):\n%s", diff)
		}
	})
}

// FuzzResponse is FuzzRequest for responses. What Parse repaired needs no repair when it was written back.
func FuzzResponse(f *testing.F) {
	for _, tt := range responseRefusals {
		f.Add([]byte(tt.head), uint8(0), uint8(1))
	}
	for i, head := range []string{
		originOK,
		"HTTP/1.0 204\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA : b\r\n c\r\nContent-Length: 5, 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: gzip,\r\n chunked\r\n\r\n",
		"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
		"HTTP/1.1 100\r\nTransfer-Encoding: gzip\r\n\r\n",
	} {
		f.Add([]byte(head), uint8(i), uint8(1))
	}
	f.Fuzz(func(t *testing.T, data []byte, which, step uint8) {
		method := []string{"GET", "HEAD", "CONNECT"}[which%3]
		checkEnd(t, data, int(step)+1, func(head string) error { return new(Response).Parse(head, method, Limits{}) })
		end, _ := End(data, 0, Limits{})
		var r, again Response
		if r.Parse(string(data[:end]), method, Limits{}) != nil {
			return
		}
		checkFields(t, r.Fields)
		out := appendFields(AppendStatusLine(nil, r.Status, r.Reason), r.Fields, r.Minor)
		if err := again.Parse(string(out), method, Limits{Head: 1 << 20, Line: 1 << 20}); err != nil {
			t.Fatalf("refused what was accepted: %v\nread  %q\nwrote %q", err, data[:end], out)
		}
		if r.Reason == "" {
			r.Reason = phrase(r.Status) // which AppendStatusLine supplied
		}
		if r.Close && !again.Close {
			r.Close = false // because of fields that were dropped
		}
		if diff := cmp.Diff(r, again); diff != "" {
			t.Fatalf("another meaning (-read +written):\n%s", diff)
		}
	})
}

// checkEnd checks that a head that parse accepts ends at the same place whether it comes at once or in pieces, and that
// parse refuses whatever else may be taken for a head.
func checkEnd(t *testing.T, data []byte, step int, parse func(string) error) {
	t.Helper()
	end, err := End(data, 0, Limits{})
	pieceEnd, pieceErr := trickle(data, Limits{}, step)
	accepted := end > 0 && parse(string(data[:end])) == nil
	switch {
	case end < 0 || end > len(data) || end > 0 && err != nil:
		t.Fatalf("End = %d, %v for %d bytes", end, err, len(data))
	case accepted && (pieceEnd != end || pieceErr != nil):
		t.Fatalf("End = %d, but %d, %v in pieces of %d", end, pieceEnd, pieceErr, step)
	case !accepted && pieceEnd > 0 && parse(string(data[:pieceEnd])) == nil:
		t.Fatalf("accepted only in pieces of %d", step)
	case end == 0 && err == nil && (pieceEnd != 0 || pieceErr != nil):
		t.Fatalf("End wants more, but says %d, %v in pieces of %d", pieceEnd, pieceErr, step)
	case parse(string(data)) == nil && end != len(data):
		t.Fatalf("Parse accepts %d bytes, End = %d, %v", len(data), end, err)
	}
}

// checkFields checks plainly what Parse promises about names and values.
func checkFields(t *testing.T, fields []Field) {
	t.Helper()
	for _, f := range fields {
		if f.Name == "" || strings.ContainsAny(f.Name, " \t:,;\"/()<>@\\[]{}?=\r\n\x00\x7f") ||
			strings.ContainsAny(f.Value, "\r\n\x00\x7f\v\f\x1b") || strings.Trim(f.Value, " \t") != f.Value {
			t.Fatalf("accepted the field %q: %q", f.Name, f.Value)
		}
	}
}

// appendFields completes a head that begins with line, which says HTTP/1.1, as one of HTTP/1.minor.
func appendFields(line []byte, fields []Field, minor uint8) []byte {
	if minor == 0 {
		line = []byte(strings.Replace(string(line), "HTTP/1.1", "HTTP/1.0", strings.Count(string(line), "HTTP/1.1")))
	}
	for _, f := range fields {
		line = AppendField(line, f.Name, f.Value)
	}
	return append(line, "\r\n"...)
}

// FuzzChunked checks that a Decoder does the same however the bytes arrive, and the same as a plain decoder; and that
// what it decoded, written as chunks again, decodes to the same.
func FuzzChunked(f *testing.F) {
	for _, tt := range chunkRefusals {
		f.Add([]byte(tt.body), true, uint8(1), uint8(3))
	}
	f.Add([]byte("5\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\nGET /"), false, uint8(1), uint8(3))
	f.Add([]byte("5;a=\"b\"\r\nhello\r\n0 \r\nHost: y\r\nX:\r\n\r\n"), true, uint8(5), uint8(8))
	f.Fuzz(func(t *testing.T, data []byte, response bool, a, b uint8) {
		whole := Decoder{Response: response}
		content, n, err := decode(&whole, string(data), len(data))
		pieces := Decoder{Response: response}
		var got strings.Builder
		rest, sizes := data, []int{int(a) + 1, int(b) + 1}
		var pieceErr error
		for i := 0; len(rest) > 0 && !pieces.Done() && pieceErr == nil; i++ {
			piece := rest[:min(sizes[i%2], len(rest))]
			var text string
			var k int
			text, k, pieceErr = decode(&pieces, string(piece), len(piece))
			got.WriteString(text)
			rest = rest[k:]
		}
		if got.String() != content || pieceErr != err || pieces.Done() != whole.Done() || err == nil && len(data)-len(rest) != n {
			t.Fatalf("at once %q, %d, %v; in pieces %q, %d, %v", content, n, err, got.String(), len(data)-len(rest), pieceErr)
		}
		plain, trailers, left, ok := plainDecode(string(data), response)
		if ok != whole.Done() {
			t.Fatalf("done: %v (%v), plain decoder: %v", whole.Done(), err, ok)
		}
		if !ok {
			return
		}
		if plain != content || left != string(data[n:]) || !slices.Equal(trailers, whole.Trailers()) {
			t.Fatalf("%q, %q, %q; plain decoder %q, %q, %q", content, data[n:], whole.Trailers(), plain, left, trailers)
		}
		out := AppendLastChunk(AppendChunk(nil, []byte(content)), trailers)
		var d Decoder
		if again, _, err := decode(&d, string(out), len(out)); again != content || err != nil || !slices.Equal(trailers, d.Trailers()) {
			t.Fatalf("written back: %q, %v; want %q", again, err, content)
		}
	})
}
