package response

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/flow"
)

// deliver sends a message, or the part of it that the client asks for. It closes the message's stream, except behind a 101: what
// follows there is origin's.
func (p *Policy) deliver(f *flow.Flow, m *flow.Message) {
	d := delivery{status: m.Status, length: m.Length, body: m.Body, stream: m.Stream, file: m.File, loan: m.Loan}
	d.cached = f.Cache.Message == m && f.Cache.Meta != nil
	if d.cached && (m.Status == http.StatusOK || m.Status == http.StatusPartialContent) && particular(f.Request.Fields) {
		d.choose(f, m)
	}
	f.Response.Status = d.status
	f.Response.Fields = p.fields(f, m, &d)
	f.Response.Err = d.send(f)
	if d.loan != nil {
		d.loan.Return()
	}
	if m.Stream != nil && (d.status != http.StatusSwitchingProtocols || f.Response.Err != nil) {
		m.Stream.Close()
	}
}

// delivery is what of a message is sent.
type delivery struct {
	status int
	length int64
	body   []byte
	stream flow.Body
	file   flow.FilePart
	loan   flow.Loan // of body or file, until that is handed on
	// cached tells that the message is of the cache's making, even if it is just being stored: its fields are those that are stored,
	// without Connection and what that names, and without Age.
	cached bool
	part   part
	// contentRange is the field's value with a part or without any, mediaType that of Content-Type with several parts.
	contentRange, mediaType string
	// weakly tells that the entity-tag of a 304 is sent in its weak form.
	weakly bool
}

// part is how much of a stored response is sent.
type part uint8

const (
	whole         part = iota
	notModified        // 304
	oneRange           // 206
	severalRanges      // 206
	unsatisfiable      // 416
)

// particular tells whether a request may want less than the whole of a stored response: most don't, and this is one look at each field.
func particular(fields []flow.Field) bool {
	for i := range fields {
		name := fields[i].Name
		switch len(name) {
		case len("range"):
			if flow.Named(name, "range") {
				return true
			}
		case len("if-none-match"):
			if flow.Named(name, "if-none-match") {
				return true
			}
		case len("if-modified-since"):
			if flow.Named(name, "if-modified-since") {
				return true
			}
		}
	}
	return false
}

// choose answers a stored response's conditional and range requests (RFC 9110 §13.2.2, §14.2).
func (d *delivery) choose(f *flow.Flow, m *flow.Message) {
	request := httpcache.Request{Method: f.Request.Method, Fields: f.Request.Fields}
	if f.Cache.Meta.NotModified(&request) {
		d.part, d.status = notModified, http.StatusNotModified
		d.weakly = f.Cache.Meta.NotModifiedWeakly(&request)
		d.length, d.body, d.stream, d.file = 0, nil, nil, flow.FilePart{}
		return
	}
	parted, _ := m.Stream.(flow.Parted)
	if m.Stream != nil && parted == nil || m.Status != http.StatusOK { // a 206 is the range that was asked for
		return
	}
	size := m.Length
	if parted == nil {
		size = int64(len(m.Body))
	}
	switch parts, outcome := f.Cache.Meta.Ranges(&request, size); {
	case outcome == httpcache.RangeSatisfiable && len(parts) == 1:
		d.part, d.status = oneRange, http.StatusPartialContent
		d.length = parts[0].Length
		if parted != nil {
			parted.Part(parts[0].First, parts[0].Length)
		} else {
			d.body = m.Body[parts[0].First : parts[0].First+parts[0].Length]
		}
		d.contentRange = parts[0].String()
	case outcome == httpcache.RangeSatisfiable && parted == nil:
		body := m.Body
		if m.Loan != nil { // several pieces of a body can't be handed on as lent
			body = slices.Clone(body)
		}
		several, mediaType := newMultipart(parts, body, flow.Get(m.Fields, "content-type"))
		if several.length >= size { // the whole costs less
			return
		}
		d.part, d.status = severalRanges, http.StatusPartialContent
		d.length, d.body, d.stream, d.mediaType = several.length, nil, several, mediaType
	case outcome == httpcache.RangeUnsatisfiable:
		d.part, d.status = unsatisfiable, http.StatusRequestedRangeNotSatisfiable
		d.length, d.body, d.stream, d.file = 0, nil, nil, flow.FilePart{}
		d.contentRange = "bytes */" + strconv.FormatInt(size, 10)
	}
}

// send writes head and body. Whatever error it returns has left the response unfinished, and the connection with it.
func (d *delivery) send(f *flow.Flow) error {
	x := f.Exchange
	if err := x.WriteHead(d.status, f.Response.Fields, d.length); err != nil {
		return err
	}
	switch {
	case d.status == http.StatusSwitchingProtocols:
		return nil
	case f.Request.Method == http.MethodHead || d.status == http.StatusNotModified:
		return x.Finish(nil)
	case d.stream != nil:
		return d.pump(f)
	}
	if err := d.write(x); err != nil {
		return err
	}
	f.Response.Bytes = int64(len(d.body)) + d.file.Length
	return x.Finish(nil)
}

// write sends a body that is there as a whole.
func (d *delivery) write(x flow.Exchange) error {
	loan := d.loan
	d.loan = nil
	switch {
	case loan == nil:
		return x.WriteBody(d.body, true)
	case d.file.Length > 0:
		return x.(flow.FileWriter).WriteFile(d.file, loan)
	}
	return x.WriteLent(d.body, loan)
}

// pump sends a stream, piece by piece, and its trailers.
func (d *delivery) pump(f *flow.Flow) error {
	x := f.Exchange
	for last := false; !last; {
		piece, err := d.stream.Next()
		last = errors.Is(err, io.EOF)
		if err != nil && !last {
			return err
		}
		if err := x.WriteBody(piece, last); err != nil {
			return err
		}
		f.Response.Bytes += int64(len(piece))
	}
	return x.Finish(d.stream.Trailers())
}
