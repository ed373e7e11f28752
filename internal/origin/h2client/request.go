package h2client

import (
	"context"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Field is a field of a head or of trailers.
type Field = struct{ Name, Value string }

// Request is what a stream sends.
type Request struct {
	Method, Scheme, Authority string
	// Path is as in :path, with the query. Protocol makes the request an extended CONNECT (RFC 8441).
	Path, Protocol string
	// Fields lose their order, but for those of one name, and the case of their names. None belongs to a connection.
	Fields []Field
	// Length is that of Content, -1 if unknown, 0 if there is none.
	Length  int64
	Content Content

	// ResponseTimeout bounds the wait for the response's head once the request is sent; StallTimeout each wait for more of the
	// response's content, and until the response's head is there, for the server to take more of the request's.
	ResponseTimeout, StallTimeout time.Duration
	// Whole, unless nil, is called once from another goroutine when the exchange is over in the ordinary way: the server has all of the
	// request, and all of the response is here, although it may not have been read.
	Whole func()
}

// Content is what a request carries. Its methods are called from one other goroutine, but for Close, which may be called by any at any time.
type Content interface {
	io.Reader
	// Trailers are the request's, after [io.EOF].
	Trailers() []Field
	// Close ends a Read that waits, and the use of the content by this stream.
	Close() error
}

// build makes the transport's request of r.
func (s *Stream) build(ctx context.Context, r *Request) *http.Request {
	// The transport makes :path of an opaque URL as it stands, but takes two slashes at its beginning for those before a host.
	target := url.URL{Scheme: r.Scheme, Host: r.Authority, Opaque: r.Path}
	if strings.HasPrefix(r.Path, "//") {
		target.Opaque = "//" + r.Authority + r.Path
	}
	q := &http.Request{Method: r.Method, URL: &target, Host: r.Authority, Header: headerOf(r.Fields)}
	if r.Protocol != "" {
		q.Method, q.Header[":protocol"] = http.MethodConnect, []string{r.Protocol}
	}
	if r.Length != 0 {
		q.Body, q.ContentLength = outgoing{s}, r.Length
	}
	if r.Length < 0 {
		q.Trailer = make(http.Header) // filled in by outgoing
	}
	return q.WithContext(ctx)
}

// headerOf is fields as the transport has them. Without a User-Agent it would send one of its own.
func headerOf(fields []Field) http.Header {
	h := make(http.Header, len(fields)+1)
	values := make([]string, len(fields))
	for i := range fields {
		name := textproto.CanonicalMIMEHeaderKey(fields[i].Name)
		if have := h[name]; have != nil {
			h[name] = append(have, fields[i].Value)
			continue
		}
		values[i] = fields[i].Value
		h[name] = values[i : i+1 : i+1]
	}
	if h["User-Agent"] == nil {
		h["User-Agent"] = nil
	}
	return h
}

// fieldsOf is a header as fields, ordered by name, and an error if there is more of it than there may be.
func fieldsOf(h http.Header) ([]Field, error) {
	n, size := 0, 0
	names := make([]string, 0, len(h))
	for name, values := range h {
		names = append(names, name)
		n += len(values)
		for _, v := range values {
			size += sizeOf(name, v)
		}
	}
	switch {
	case n > maxFields:
		return nil, errFields
	case size > maxHead:
		return nil, errSize
	}
	slices.Sort(names)
	fields := make([]Field, 0, n)
	for _, name := range names {
		for _, v := range h[name] {
			fields = append(fields, Field{name, v})
		}
	}
	return fields, nil
}

// sizeOf is a field's size as RFC 9113 §6.5.2 counts it.
func sizeOf(name, value string) int { return len(name) + len(value) + 32 }

// outgoing is a stream's content as the transport reads it.
type outgoing struct{ s *Stream }

// Read implements [io.Reader]. That it is called again tells that the server's side has taken what came before.
func (o outgoing) Read(p []byte) (int, error) {
	s := o.s
	s.taking(false)
	n, err := s.request.Content.Read(p)
	switch {
	case err == nil:
		s.taking(true)
	case err != io.EOF:
		s.breakOff(err)
	default:
		if s.outgoing.Trailer != nil {
			for _, f := range s.request.Content.Trailers() {
				s.outgoing.Trailer.Add(f.Name, f.Value)
			}
		}
		s.sentAll()
	}
	return n, err
}

// Close implements [io.Closer]. The transport calls it when it wants no more, be it that the response says 300 or higher.
func (o outgoing) Close() error {
	s := o.s
	s.mu.Lock()
	s.refused = true
	s.mu.Unlock()
	return s.request.Content.Close()
}

// breakOff ends the stream as its content did, unless nobody wants that.
func (s *Stream) breakOff(err error) {
	s.mu.Lock()
	refused := s.refused
	s.mu.Unlock()
	if !refused {
		s.Reset(err)
	}
}
