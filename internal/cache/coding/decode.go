package coding

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/seawall/seawall/httpcache"
)

// ErrTooLarge is a form whose content exceeds what the caller would take.
var ErrTooLarge = errors.New("content too large")

// maxWindow is how much memory a form may ask of its decoder, in bytes (RFC 9659 §3).
const maxWindow = 8 << 20

// Decode returns the content of a form, at most most bytes of it: the drill's clients check what they are served.
func Decode(c httpcache.Coding, form []byte, most int) ([]byte, error) {
	r, err := newDecoder(c, bytes.NewReader(form))
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	switch {
	case err != nil:
		return nil, err
	case len(content) > most:
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, most)
	}
	return content, nil
}

// newDecoder makes a decoder, gzip's that of the standard library.
func newDecoder(c httpcache.Coding, form io.Reader) (io.Reader, error) {
	switch c {
	case httpcache.Brotli:
		return brotli.NewReader(form), nil
	case httpcache.Zstd:
		d, err := zstd.NewReader(form, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case httpcache.Gzip:
		return gzip.NewReader(form)
	}
	return form, nil
}
