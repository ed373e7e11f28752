package origin

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/seawall/seawall/h1"
	"github.com/seawall/seawall/internal/flow"
)

// answer is what a flow keeps of an exchange: the response's head, and its body as long as there is more of it. It is never
// used for another flow, so it may be looked at, and closed again, after the end.
type answer struct {
	message  flow.Message
	x        *exchange // nil when its buffers are not needed any more
	upload   *upload   // nil when the request's content is not needed any more
	err      error     // of the next Next
	trailers []flow.Field
	fields   [16]flow.Field // room for message.Fields
}

// await reads up to the end of the final response's head. Interim responses go to the client at once, except 100, which
// it had from us or did not want.
func (x *exchange) await() error {
	if x.answer == nil {
		x.answer = new(answer)
		x.response.Fields = x.answer.fields[:0]
	}
	for range maxInterim + 1 {
		if err := x.head(); err != nil {
			return err
		}
		status := x.response.Status
		switch {
		case status == 101 && !x.upgraded():
			return errUnasked
		case status == 408 && x.conn.reused && x.policy.origin.Retries > 0 && x.harmless():
			x.arrived = false
			return errGaveUp
		case status >= 200 || status == 101:
			return nil
		case status == 100 || x.flow.Exchange == nil:
			continue
		}
		if err := x.flow.Exchange.WriteInfo(status, endToEnd(x.response.Fields)); err != nil {
			return errors.Join(errGone, err)
		}
	}
	return errInterim
}

// head reads and parses one response's head.
func (x *exchange) head() error {
	seen := 0
	for {
		end, err := h1.End(x.in[x.r:x.w], seen, limits)
		if err != nil {
			return fmt.Errorf("response: %w", err)
		}
		if end > 0 {
			text := string(x.in[x.r : x.r+end])
			x.r += end
			if err := x.response.Parse(text, x.flow.Request.Method, limits); err != nil {
				return fmt.Errorf("response: %w", err)
			}
			return nil
		}
		seen = x.w - x.r
		x.makeRoom()
		if err := x.read(0); err != nil {
			return err
		}
	}
}

// makeRoom makes the buffer end behind what has arrived: the limits of a head bound how large it gets.
func (x *exchange) makeRoom() {
	if x.w < len(x.in) {
		return
	}
	in := x.in
	if x.r == 0 {
		x.in = make([]byte, 2*len(in))
	}
	x.w = copy(x.in, in[x.r:x.w])
	x.r = 0
}

// upgraded tells whether the response changes to the protocol that was asked for.
func (x *exchange) upgraded() bool {
	asked, answered := x.flow.Request.Upgrade, x.response.Upgrade
	if asked == "" || answered == "" {
		return false
	}
	for protocol := range h1.Tokens(asked) {
		if strings.EqualFold(protocol, answered) {
			return true
		}
	}
	return false
}

// begin implements [carrier]. If all of the response has arrived, the exchange with the origin is over, and only its buffer is
// still in use.
func (x *exchange) begin() error {
	r, a := &x.response, x.answer
	switch {
	case r.Coded:
		return errCoded
	case r.Status == 101 && x.lease != nil:
		upgraded := x.lease.Upgraded()
		if upgraded == nil {
			return errUpgradeCap
		}
		x.lease = upgraded
	}
	o := &x.flow.Origin
	o.Status, o.Message = r.Status, &a.message
	a.message = flow.Message{Status: r.Status, Fields: r.Fields, Length: x.length()}
	a.x, a.upload = x, x.upload
	switch {
	case r.Status == 101:
		x.server.succeeded()
		a.message.Stream = a
		return nil
	case r.Framing == h1.NoBody:
		x.finish(true)
		if x.upload != nil {
			a.message.Stream = a // to be closed when the client has its response
			return nil
		}
		a.release()
		a.err = io.EOF
		return nil
	case r.Framing == h1.Length:
		x.left = r.Length
	case r.Framing == h1.Chunked:
		x.decoder = h1.Decoder{Response: true, Limits: limits}
	}
	a.message.Stream = a
	if err := x.decode(); err != nil {
		o.Status, o.Message = 0, nil
		return err
	}
	return nil
}

// length is the length of the response's content, or of what a GET would have got, or -1.
func (x *exchange) length() int64 {
	r := &x.response
	switch {
	case r.Framing == h1.Length:
		return r.Length
	case r.Framing != h1.NoBody:
		return -1
	case r.Status == 304 || x.flow.Request.Method == "HEAD" && r.Status != 204:
		n, err := strconv.ParseInt(flow.Get(r.Fields, "content-length"), 10, 64)
		if err != nil {
			return -1
		}
		return n
	}
	return 0
}

// endToEnd returns the fields of an interim response that concern the client.
func endToEnd(fields []flow.Field) []flow.Field {
	pass := fields[:0]
	var m nominated
	for i := range fields {
		if classify(fields[i].Name) == connection && m.add(fields[i].Value) != nil {
			return nil
		}
	}
	for i := range fields {
		switch k := classify(fields[i].Name); {
		case k == hop || k == connection || k == te || k == trailer || m.has(fields[i].Name):
		default:
			pass = append(pass, fields[i])
		}
	}
	return pass
}
