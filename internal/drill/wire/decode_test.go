package wire

import (
	"bytes"
	"compress/gzip"
	"errors"
	"testing"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/cache/coding"
)

// encoded returns content in a coding.
func encoded(t *testing.T, c httpcache.Coding, content []byte) []byte {
	t.Helper()
	var e coding.Encoders
	s := e.Stream(c)
	form, err := s.Code(content, true)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(form)
}

func TestDecode(t *testing.T) {
	content := bytes.Repeat([]byte("harbour "), 1000)
	var zip bytes.Buffer
	w := gzip.NewWriter(&zip)
	w.Write(content)
	w.Close()
	tests := []struct {
		coding string
		body   []byte
		want   []byte
		err    error
	}{
		{"", content, content, nil},
		{"identity", content, content, nil},
		{"gzip", zip.Bytes(), content, nil},
		{"GZIP", zip.Bytes(), content, nil},
		{"br", encoded(t, httpcache.Brotli, content), content, nil},
		{"zstd", encoded(t, httpcache.Zstd, content), content, nil},
		{"gzip", nil, nil, nil}, // HEAD, 304
		{"gzip", content, nil, ErrMalformed},
		{"gzip", zip.Bytes()[:zip.Len()-4], nil, ErrMalformed},
		{"br", encoded(t, httpcache.Brotli, make([]byte, maxBody+1)), nil, ErrMalformed},
		{"compress", content, nil, ErrMalformed},
		{"gzip, br", content, nil, ErrMalformed},
	}
	for _, tt := range tests {
		got, err := Decode(&Response{Fields: []Field{{"content-encoding", tt.coding}}}, tt.body)
		if !errors.Is(err, tt.err) || !bytes.Equal(got, tt.want) {
			t.Errorf("%q: got %d bytes, %v, want %d, %v", tt.coding, len(got), err, len(tt.want), tt.err)
		}
	}
}
