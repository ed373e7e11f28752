package h1

import (
	"net/http"
	"testing"
	"time"
)

func TestAppend(t *testing.T) {
	tests := []struct {
		name string
		got  []byte
		want string
	}{
		{"request line", AppendRequestLine([]byte("x"), "GET", "/a?b"), "xGET /a?b HTTP/1.1\r\n"},
		{"status line", AppendStatusLine(nil, 200, "Fine"), "HTTP/1.1 200 Fine\r\n"},
		{"registered phrase", AppendStatusLine(nil, 429, ""), "HTTP/1.1 429 Too Many Requests\r\n"},
		{"no phrase", AppendStatusLine(nil, 299, ""), "HTTP/1.1 299 \r\n"},
		{"status of no class", AppendStatusLine(nil, 999, ""), "HTTP/1.1 999 \r\n"},
		{"field", AppendField(nil, "A", "b c"), "A: b c\r\n"},
		{"chunk", AppendChunk(nil, make([]byte, 26))[:6], "1a\r\n\x00\x00"},
		{"whole chunk", AppendChunk([]byte("x"), []byte("hello")), "x5\r\nhello\r\n"},
		{"empty chunk", AppendChunk([]byte("x"), nil), "x"},
		{"chunk head", AppendChunkHead(nil, 65536), "10000\r\n"},
		{"last chunk", AppendLastChunk(nil, nil), "0\r\n\r\n"},
		{"last chunk with trailers", AppendLastChunk(nil, []Field{{"A", "b"}, {"C", ""}}), "0\r\nA: b\r\nC: \r\n\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if string(tt.got) != tt.want {
				t.Errorf("got %q, want %q", tt.got, tt.want)
			}
		})
	}
}

// TestPhrases compares with net/http, which has phrases of its own for some codes and keeps the older names of others.
func TestPhrases(t *testing.T) {
	differs := map[int]string{413: "Content Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable",
		418: "", 422: "Unprocessable Content", 510: ""}
	for code := range 1000 {
		want, ok := differs[code]
		if !ok {
			want = http.StatusText(code)
		}
		if got := phrase(code); got != want {
			t.Errorf("phrase(%d) = %q, want %q", code, got, want)
		}
	}
}

func TestAppendDate(t *testing.T) {
	zone := time.FixedZone("", -7*3600)
	for d := time.Date(1994, 2, 26, 23, 1, 9, 5, zone); d.Year() < 2100; d = d.Add(1234567 * time.Second) {
		if got, want := string(AppendDate(nil, d)), d.UTC().Format(http.TimeFormat); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}
