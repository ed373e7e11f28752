package wire

import (
	"fmt"
	"strings"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/cache/coding"
)

// Decode returns the content that body encodes, as r's Content-Encoding says: gzip, br, zstd or identity. It fails with ErrMalformed on what
// is none of them, and on more than 4 MiB of content.
func Decode(r *Response, body []byte) ([]byte, error) {
	name := strings.ToLower(strings.TrimSpace(r.Field("Content-Encoding")))
	if name == "" || len(body) == 0 {
		return body, nil
	}
	c, ok := httpcache.ParseCoding(name)
	if !ok {
		return nil, fmt.Errorf("%w: Content-Encoding %.40q", ErrMalformed, name)
	}
	content, err := coding.Decode(c, body, maxBody)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrMalformed, name, err)
	}
	return content, nil
}
