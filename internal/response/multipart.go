package response

import (
	"crypto/rand"
	"io"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/flow"
)

// multipart is the content of a 206 with several parts (RFC 9110 §14.6). It copies nothing: its pieces are the heads of the parts and
// the ranges themselves.
type multipart struct {
	pieces [][]byte
	length int64
}

// newMultipart puts parts of a body together; contentType is that of the body, "" if it has none. The boundary is new each time, so
// that no content can hold it.
func newMultipart(parts []httpcache.Part, body []byte, contentType string) (m *multipart, mediaType string) {
	boundary := rand.Text()
	m = &multipart{}
	for i, p := range parts {
		var head []byte
		if i > 0 {
			head = append(head, "\r\n"...)
		}
		head = append(append(append(head, "--"...), boundary...), "\r\n"...)
		if contentType != "" {
			head = append(append(append(head, "Content-Type: "...), contentType...), "\r\n"...)
		}
		head = append(append(append(head, "Content-Range: "...), p.String()...), "\r\n\r\n"...)
		m.add(head)
		m.add(body[p.First : p.First+p.Length : p.First+p.Length])
	}
	m.add([]byte("\r\n--" + boundary + "--\r\n"))
	return m, "multipart/byteranges; boundary=" + boundary
}

func (m *multipart) add(piece []byte) {
	m.pieces = append(m.pieces, piece)
	m.length += int64(len(piece))
}

// Next implements [flow.Body]. It never waits.
func (m *multipart) Next() (piece []byte, err error) {
	piece, m.pieces = m.pieces[0], m.pieces[1:]
	if len(m.pieces) == 0 {
		err = io.EOF
	}
	return piece, err
}

// Trailers implements [flow.Body].
func (m *multipart) Trailers() []flow.Field { return nil }

// Close implements [flow.Body].
func (m *multipart) Close() {}
