package wire

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// maxBlock bounds a field block as sent, in bytes.
const maxBlock = 64 << 10

// gathering is a field block of which frames are still to come.
type gathering struct {
	id    uint32 // of its stream; 0: none
	end   bool   // the stream ends with it
	block []byte // reused
}

// onFields gathers a field block, and reads it when it is whole (RFC 9113 §4.3).
func (s *session) onFields(f *frame) error {
	g := &s.gathering
	if f.typ == continuationFrame && g.id == 0 {
		return fmt.Errorf("%w: CONTINUATION of nothing", ErrMalformed)
	}
	if _, err := s.of(f); err != nil {
		return err
	}
	fragment := f.payload
	if f.typ == headersFrame {
		var err error
		if fragment, err = f.unpad(); err != nil {
			return err
		}
		g.id, g.end, g.block = f.id, f.has(flagEndStream), g.block[:0]
	}
	if len(g.block)+len(fragment) > maxBlock || len(fragment) == 0 && !f.has(flagEndHeaders) {
		return fmt.Errorf("%w: field block exceeds %d bytes, or does not get on", ErrMalformed, maxBlock)
	}
	g.block = append(g.block, fragment...)
	if !f.has(flagEndHeaders) {
		return nil
	}
	st := s.streams[g.id]
	g.id = 0
	return s.section(st, g.block, g.end)
}

// section reads a field section of a stream, of nobody's if that is nil: the table of fields goes on all the same.
func (s *session) section(st *stream, block []byte, end bool) error {
	sec := section{head: st != nil && !st.headed}
	if st != nil {
		sec.fields = st.response.Fields[:0]
	}
	s.dec.SetEmitFunc(sec.add)
	s.dec.SetEmitEnabled(true)
	_, err := s.dec.Write(block)
	if err == nil {
		err = s.dec.Close()
	}
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	case st == nil:
		return nil
	case sec.err == nil:
		sec.err = st.note(&sec, end)
	}
	if sec.err != nil {
		s.answer(appendWord(nil, resetFrame, st.id, uint32(codeProtocol)))
		s.end(st, sec.err)
	} else if end {
		s.end(st, st.complete())
	}
	return nil
}

// section is the fields of a head or a trailer.
type section struct {
	head   bool // a trailer's fields are checked and forgotten
	status int
	count  int
	size   int // bytes
	fields []Field
	err    error
}

// add takes a field, and checks it as RFC 9113 §8.2 and §8.3 say.
func (sec *section) add(f hpack.HeaderField) {
	sec.count++
	sec.size += len(f.Name) + len(f.Value)
	switch {
	case sec.err != nil:
	case sec.count > maxFields || sec.size > maxHead:
		sec.err = fmt.Errorf("%w: head exceeds %d fields or %d bytes", ErrMalformed, maxFields, maxHead)
	case f.Name == ":status" && sec.count == 1 && sec.head:
		if sec.status, _ = strconv.Atoi(f.Value); len(f.Value) != 3 || sec.status < 100 || sec.status > 599 || sec.status == 101 {
			sec.err = fmt.Errorf("%w: status %.40q", ErrMalformed, f.Value)
		}
	case f.Name == "" || f.Name[0] == ':' || f.Name != strings.ToLower(f.Name) || slices.Contains(perConnection, f.Name):
		sec.err = fmt.Errorf("%w: field %.40q", ErrMalformed, f.Name)
	case sec.head:
		sec.fields = append(sec.fields, Field{f.Name, f.Value})
	}
}

// perConnection are fields that no message of HTTP/2 has (RFC 9113 §8.2.2).
var perConnection = []string{"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}

// note takes what a section says of the response.
func (st *stream) note(sec *section, end bool) error {
	r := st.response
	switch {
	case st.headed && !end:
		return fmt.Errorf("%w: trailers do not end the stream", ErrMalformed)
	case st.headed:
		return nil
	case sec.status == 0:
		return fmt.Errorf("%w: head without a status", ErrMalformed)
	case sec.status < 200:
		if st.interim++; end || st.interim > maxInterim {
			return fmt.Errorf("%w: %d interim responses, or an end with one", ErrMalformed, st.interim)
		}
		return nil
	}
	st.headed = true
	r.Status, r.Fields = sec.status, sec.fields
	for _, f := range r.Fields {
		r.note([]byte(f.Name), []byte(f.Value))
		if f.Name != "content-length" {
			continue
		}
		n, err := strconv.ParseUint(f.Value, 10, 62)
		if err != nil || st.length >= 0 && st.length != int64(n) {
			return fmt.Errorf("%w: Content-Length %.40q", ErrMalformed, f.Value)
		}
		st.length = int64(n)
	}
	return nil
}
