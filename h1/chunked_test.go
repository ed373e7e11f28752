package h1

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// decode gives body to d in pieces of the given size.
func decode(d *Decoder, body string, size int) (content string, consumed int, err error) {
	var out strings.Builder
	rest := []byte(body)
	for !d.Done() {
		data, n, err := d.Next(rest[:min(size, len(rest))])
		out.Write(data)
		rest = rest[n:]
		if err != nil || n == 0 {
			return out.String(), len(body) - len(rest), err
		}
	}
	return out.String(), len(body) - len(rest), nil
}

func TestDecoder(t *testing.T) {
	tests := []struct {
		name     string
		response bool
		body     string
		want     string
		rest     string
		trailers []Field
	}{
		{"empty", false, "0\r\n\r\n", "", "", nil},
		{"one chunk", false, "5\r\nhello\r\n0\r\n\r\n", "hello", "", nil},
		{"chunks and the next request", false, "1\r\na\r\n00A\r\n0123456789\r\n000\r\n\r\nGET /", "a0123456789", "GET /", nil},
		{"digits in both cases", false, "a\r\n0123456789\r\nA\r\nabcdefghij\r\n0\r\n\r\n", "0123456789abcdefghij", "", nil},
		{"data like line ends", false, "4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", "", nil},
		{"trailers", false, "0\r\nX-Sum:  1 \r\nx-b:\r\n\r\nrest", "", "rest", []Field{{"X-Sum", "1"}, {"x-b", ""}}},
		{"16 digits", false, "0000000000000001\r\na\r\n0\r\n\r\n", "a", "", nil},
		{"extension", true, "5;a=b;c=\"d\"\r\nhello\r\n0;x\r\n\r\n", "hello", "", nil},
		{"space behind size", true, "5  \r\nhello\r\n0 \r\n\r\n", "hello", "", nil},
		{"forbidden trailers dropped", true, "0\r\nContent-Length: 5\r\nX: 1\r\nset-cookie: a\r\nX-Forwarded-For: b\r\n" +
			"Content_Length: 5\r\n\r\n", "", "", []Field{{"X", "1"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := Decoder{Response: tt.response}
			for _, size := range []int{len(tt.body), 1, 2, 3, 7} {
				d.Reset()
				got, n, err := decode(&d, tt.body, size)
				if err != nil || got != tt.want || tt.body[n:] != tt.rest || !d.Done() {
					t.Errorf("in pieces of %d: %q, then %q, %v; want %q, then %q", size, got, tt.body[n:], err, tt.want, tt.rest)
				}
				if diff := cmp.Diff(tt.trailers, d.Trailers()); diff != "" {
					t.Errorf("trailers differ (-want +got):\n%s", diff)
				}
				if data, n, err := d.Next([]byte("x")); len(data) != 0 || n != 0 || err != nil {
					t.Errorf("Next when done = %q, %d, %v", data, n, err)
				}
			}
		})
	}
}

// chunkRefusals are refused in requests; those with response set in responses too.
var chunkRefusals = []struct {
	name     string
	body     string
	status   int
	reason   string
	response bool
}{
	{"no size", "\r\nhello\r\n0\r\n\r\n", 400, "bad chunk size", true},
	{"space before size", " 5\r\nhello\r\n0\r\n\r\n", 400, "bad chunk size", true},
	{"sign", "+5\r\nhello\r\n0\r\n\r\n", 400, "bad chunk size", true},
	{"minus", "-5\r\nhello\r\n0\r\n\r\n", 400, "bad chunk size", true},
	{"prefix", "0x5\r\nhello\r\n0\r\n\r\n", 400, "bad chunk size", true},
	{"underscore", "0_5\r\nhello\r\n0\r\n\r\n", 400, "bad chunk size", true},
	{"no hex digit", "g\r\n", 400, "bad chunk size", true},
	{"nul", "5\x00\r\nhello\r\n0\r\n\r\n", 400, "bad chunk size", true},
	{"vertical tab", "5\v\r\nhello\r\n0\r\n\r\n", 400, "bad chunk size", true},
	{"2^63", "8000000000000000\r\n", 400, "bad chunk size", true},
	{"2^64", "10000000000000000\r\n", 400, "bad chunk size", true},
	{"2^64+5", "10000000000000005\r\nhello\r\n0\r\n\r\n", 400, "bad chunk size", true},
	{"17 digits", "00000000000000005\r\nhello\r\n0\r\n\r\n", 400, "bad chunk size", true},
	{"lf behind size", "5\nhello\r\n0\r\n\r\n", 400, "bare line feed", true},
	{"cr behind size", "5\rhello\r\n0\r\n\r\n", 400, "bare carriage return", true},
	{"cr cr lf", "5\r\r\nhello\r\n0\r\n\r\n", 400, "bare carriage return", true},
	{"space behind size", "5 \r\nhello\r\n0\r\n\r\n", 400, "chunk extension", false},
	{"tab behind size", "5\t\r\nhello\r\n0\r\n\r\n", 400, "chunk extension", false},
	{"extension", "5;a=b\r\nhello\r\n0\r\n\r\n", 400, "chunk extension", false},
	{"empty extension", "5;\r\nhello\r\n0\r\n\r\n", 400, "chunk extension", false},
	{"extension of last chunk", "0;a\r\n\r\n", 400, "chunk extension", false},
	{"extension that lf ends", "5;a\nhello\r\n0\r\n\r\n", 400, "chunk extension", true},
	{"data too long", "5\r\nhello!\r\n0\r\n\r\n", 400, "chunk data not followed by line end", true},
	{"data too short", "6\r\nhello\r\n0\r\n\r\n", 400, "chunk data not followed by line end", true},
	{"data that lf ends", "5\r\nhello\n0\r\n\r\n", 400, "chunk data not followed by line end", true},
	{"data that cr ends", "5\r\nhello\r0\r\n\r\n", 400, "chunk data not followed by line end", true},
	{"any two bytes behind data", "5\r\nhelloXX0\r\n\r\n", 400, "chunk data not followed by line end", true},
	{"last chunk that lf ends", "0\n\n", 400, "bare line feed", true},
	{"empty line of lf", "0\r\n\n", 400, "bare line feed", true},
	{"empty line of cr", "0\r\n\rX", 400, "bare carriage return", true},
	{"trailer that lf ends", "0\r\nA: b\n\r\n", 400, "bare line feed", true},
	{"trailers that lf ends", "0\r\nA: b\r\n\n", 400, "bare line feed", true},
	{"cr in trailer", "0\r\nA: b\rC: d\r\n\r\n", 400, "bare carriage return", true},
	{"fold in trailer", "0\r\nA: b\r\n c\r\n\r\n", 400, "folded field line", true},
	{"space before trailer", "0\r\n A: b\r\n\r\n", 400, "folded field line", true},
	{"space before colon", "0\r\nA : b\r\n\r\n", 400, "space before colon", true},
	{"trailer without colon", "0\r\nGET / HTTP/1.1\r\n\r\n", 400, "bad field name", true},
	{"nul in trailer", "0\r\nA: \x00\r\n\r\n", 400, "control character in field value", true},
	{"coding in trailer", "0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "forbidden trailer field", false},
	{"length in trailer", "0\r\nX: y\r\nContent-Length: 5\r\n\r\n", 400, "forbidden trailer field", false},
	{"host in trailer", "0\r\nHOST: a\r\n\r\n", 400, "forbidden trailer field", false},
	{"authorization in trailer", "0\r\nAuthorization: a\r\n\r\n", 400, "forbidden trailer field", false},
	{"address in trailer", "0\r\nX-Forwarded-For: a\r\n\r\n", 400, "forbidden trailer field", false},
	{"many trailers", "0\r\n" + strings.Repeat("A: b\r\n", 101) + "\r\n", 431, "too many fields", true},
	{"long trailers", "0\r\nA: " + strings.Repeat("b", 33000) + "\r\n\r\n", 431, "trailer section too long", true},
}

func TestDecoderRefused(t *testing.T) {
	for _, tt := range chunkRefusals {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{len(tt.body), 1, 5} {
				var d Decoder
				_, _, err := decode(&d, tt.body, size)
				var got *Error
				if !errors.As(err, &got) || *got != (Error{tt.status, tt.reason}) {
					t.Errorf("in pieces of %d: %v, want %d %s", size, err, tt.status, tt.reason)
				}
				if _, n, again := d.Next([]byte("0\r\n\r\n")); n != 0 || again != err || d.Done() {
					t.Errorf("after an error: %d, %v, done %v; want 0, the same error, not done", n, again, d.Done())
				}
				d = Decoder{Response: true}
				if _, _, err := decode(&d, tt.body, size); tt.response != (status(err) == 502) {
					t.Errorf("of a response, in pieces of %d: %v, want refused: %v", size, err, tt.response)
				}
			}
		})
	}
	t.Run("long extension", func(t *testing.T) {
		d := Decoder{Response: true}
		_, _, err := decode(&d, "5;"+strings.Repeat("a", 63)+"\r\nhello\r\n0\r\n\r\n", 100)
		if err == nil || err.Error() != "chunk size line too long" {
			t.Errorf("got %v, want chunk size line too long", err)
		}
	})
}

func TestDecoderDoesNotAllocate(t *testing.T) {
	body := AppendLastChunk(AppendChunk(AppendChunk(nil, []byte("hello")), make([]byte, 5000)), nil)
	var d Decoder
	got := testing.AllocsPerRun(100, func() {
		d.Reset()
		for rest := body; !d.Done(); {
			_, n, _ := d.Next(rest[:min(1000, len(rest))])
			rest = rest[n:]
		}
	})
	if got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
}
