package admission

import (
	"errors"
	"io"
	"sync/atomic"

	"github.com/seawall/seawall/internal/flow"
)

const (
	// maxBody is the longest body that is waited for before its request takes a share of a budget, in bytes: a form's, or a call's of an API.
	maxBody = 64 << 10
	// maxHeld is how much a node holds of such bodies, in bytes; each counts for waiterCost more, which is what waiting for it takes. When it is
	// used up, requests take their share before their bodies have come.
	maxHeld    = 64 << 20
	waiterCost = 8 << 10
	// firstRoom is the room for a body's first bytes. There is more when they have come: an attacker's promises take no memory.
	firstRoom = 1 << 10
)

// held is how much a node holds of bodies that have not arrived.
type held struct{ bytes atomic.Int64 }

func (h *held) take(n int) bool {
	if h.bytes.Add(int64(n)) <= maxHeld {
		return true
	}
	h.bytes.Add(int64(-n))
	return false
}

// wait waits for a request's body, if that is small and has not arrived, and leaves it to be read. The client's connection bounds how slow it
// may be. It returns why the body won't come, or nil. One of unknown length is not waited for: its sender may want to hear something first.
func (h *held) wait(f *flow.Flow) *flow.Refusal {
	length := int(min(f.Request.Length, maxBody+1))
	if length <= 0 || length > maxBody || f.Exchange.Arrived() || !h.take(waiterCost) {
		return nil
	}
	body, err := h.read(f.Exchange, length)
	h.bytes.Add(int64(-waiterCost - cap(body)))
	if err != nil {
		return broken(f, err)
	}
	f.Exchange = &flow.Reread{Exchange: f.Exchange, Begin: body}
	return nil
}

// read reads a body of this length, or its beginning if there is no room for more.
func (h *held) read(x flow.Exchange, length int) (body []byte, err error) {
	for len(body) < length {
		if len(body) == cap(body) {
			room := min(max(cap(body), firstRoom), length-len(body))
			if !h.take(room) {
				return body, nil
			}
			body = append(make([]byte, 0, len(body)+room), body...)
		}
		n, err := x.ReadBody(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case err == io.EOF && len(body) < length:
			return body, io.ErrUnexpectedEOF
		case err != nil && err != io.EOF:
			return body, err
		}
	}
	return body, nil
}

// broken is what becomes of a request whose body won't come.
func broken(f *flow.Flow, err error) *flow.Refusal {
	r := &flow.Refusal{Reason: flow.BodyBroken, Status: 400, Rule: "http", Detail: "reading the request's body: " + err.Error()}
	var slow interface{ Timeout() bool }
	switch {
	case f.Abort.Gone():
		r.Reason, r.Status = flow.ClientGone, 499
	case errors.As(err, &slow) && slow.Timeout():
		r.Status = 408
	}
	return r
}
