package wire

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	maxMessage = 64 << 10 // bytes of a message received, its fragments together
	maxControl = 125      // bytes of a control frame (RFC 6455 §5.5)
)

// opcode of a frame (RFC 6455 §5.2).
type opcode byte

const (
	opContinuation opcode = 0
	opText         opcode = 1
	opBinary       opcode = 2
	opClose        opcode = 8
	opPing         opcode = 9
	opPong         opcode = 10
)

// Codes that a connection is closed with (RFC 6455 §7.4.1).
const (
	normalClosure = 1000
	protocolError = 1002
)

// ErrClosed is a WebSocket that the other end has closed in order.
var ErrClosed = errors.New("websocket closed")

// WebSocket is an open one (RFC 6455). One goroutine may send while another receives.
type WebSocket struct {
	conn    *Conn
	message []byte

	mu     sync.Mutex // of what is written
	out    []byte
	closed bool
}

// WebSocket opens one over a connection of HTTP/1.1 that has no request under way. The connection is the WebSocket's from then on. A refusal
// is a *Refusal.
func (c *Conn) WebSocket(ctx context.Context, q *Request) (*WebSocket, error) {
	if c.session != nil {
		return nil, errNotHTTP1
	}
	var nonce [16]byte
	_, _ = rand.Read(nonce[:])
	key := base64.StdEncoding.EncodeToString(nonce[:])
	defer c.guard(ctx, q.Pace)()
	c.reusable = false
	if _, err := c.stream.Write(c.render(nil, opening(q, key))); err != nil {
		return nil, err
	}
	var r Response
	if _, err := c.head(&r, true); err != nil {
		return nil, err
	}
	if r.Status != 101 {
		return nil, &Refusal{r}
	}
	if !strings.EqualFold(r.Field("Upgrade"), "websocket") || r.Field("Sec-WebSocket-Accept") != accept(key) {
		return nil, fmt.Errorf("%w: Sec-WebSocket-Accept %.40q", ErrMalformed, r.Field("Sec-WebSocket-Accept"))
	}
	return &WebSocket{conn: c}, nil
}

// Refusal is an answer to a WebSocket's opening that does not open it.
type Refusal struct{ Response Response }

func (r *Refusal) Error() string {
	return fmt.Sprintf("websocket refused: status %d", r.Response.Status)
}

// opening is q with the fields that ask for a WebSocket (RFC 6455 §4.1).
func opening(q *Request, key string) *Request {
	o := *q
	o.Method, o.Dest, o.Body = "GET", socket, nil
	o.Fields = append([]Field{
		{"Connection", "Upgrade"}, {"Pragma", "no-cache"}, {"Cache-Control", "no-cache"}, {"Upgrade", "websocket"},
		{"Sec-WebSocket-Version", "13"}, {"Sec-WebSocket-Key", key},
	}, q.Fields...)
	return &o
}

// accept is what a server answers a key with (RFC 6455 §4.2.2).
func accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Send sends a text message.
func (s *WebSocket) Send(ctx context.Context, text []byte) error {
	return s.write(ctx, opText, text)
}

// write sends a frame, masked (RFC 6455 §5.3), until the deadline of ctx, or for writeTimeout. Nothing follows a close.
func (s *WebSocket) write(ctx context.Context, op opcode, payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.closed = op == opClose
	out := append(s.out[:0], 0x80|byte(op))
	switch n := len(payload); {
	case n <= 125:
		out = append(out, 0x80|byte(n))
	case n <= 0xffff:
		out = binary.BigEndian.AppendUint16(append(out, 0x80|126), uint16(n))
	default:
		out = binary.BigEndian.AppendUint64(append(out, 0x80|127), uint64(n))
	}
	var mask [4]byte
	_, _ = rand.Read(mask[:])
	out = append(out, mask[:]...)
	for i, b := range payload {
		out = append(out, b^mask[i%4])
	}
	s.out = out
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(writeTimeout)
	}
	s.conn.link.writeUntil(deadline)
	_, err := s.conn.stream.Write(out)
	return err
}

// Receive returns the next message, text or binary, valid until the next call. It answers pings and a close meanwhile; after a close it
// fails with ErrClosed.
func (s *WebSocket) Receive(ctx context.Context) ([]byte, error) {
	deadline, _ := ctx.Deadline()
	_ = s.conn.link.SetReadDeadline(deadline)
	defer context.AfterFunc(ctx, func() { _ = s.conn.link.SetReadDeadline(time.Unix(1, 0)) })()
	message, err := s.receive(ctx)
	if errors.Is(err, ErrMalformed) {
		_ = s.write(ctx, opClose, binary.BigEndian.AppendUint16(nil, protocolError))
	}
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return message, err
}

func (s *WebSocket) receive(ctx context.Context) ([]byte, error) {
	s.message = s.message[:0]
	begun := false
	for {
		f, err := s.fragment()
		if err != nil {
			return nil, err
		}
		switch {
		case f.op >= opClose:
			if err := s.control(ctx, f); err != nil {
				return nil, err
			}
			continue
		case begun != (f.op == opContinuation):
			return nil, fmt.Errorf("%w: fragment of opcode %d out of place", ErrMalformed, f.op)
		}
		begun = true
		if f.last {
			s.conn.in.drop()
			return s.message, nil
		}
	}
}

// control answers a control frame (RFC 6455 §5.5).
func (s *WebSocket) control(ctx context.Context, f fragment) error {
	switch f.op {
	case opPing:
		return s.write(ctx, opPong, f.payload)
	case opPong:
		return nil
	}
	_ = s.write(ctx, opClose, f.payload[:min(len(f.payload), 2)])
	return ErrClosed
}

// fragment is a frame of a WebSocket. That of a message has its payload in the WebSocket's message.
type fragment struct {
	op      opcode
	last    bool
	payload []byte // of a control frame
}

// fragment reads one (RFC 6455 §5.2).
func (s *WebSocket) fragment() (fragment, error) {
	var head [2]byte
	if err := s.read(head[:]); err != nil {
		return fragment{}, err
	}
	f := fragment{op: opcode(head[0] & 15), last: head[0]&0x80 != 0}
	size, err := s.size(head[1])
	switch {
	case err != nil:
		return f, err
	case head[0]&0x70 != 0 || f.op > opBinary && f.op < opClose || f.op > opPong:
		return f, fmt.Errorf("%w: frame begins %#x", ErrMalformed, head[0])
	case head[1]&0x80 != 0:
		return f, fmt.Errorf("%w: a server's frame is masked", ErrMalformed)
	case f.op >= opClose && (size > maxControl || !f.last):
		return f, fmt.Errorf("%w: control frame of %d bytes", ErrMalformed, size)
	case f.op < opClose && size > uint64(maxMessage-len(s.message)):
		return f, fmt.Errorf("%w: message exceeds %d bytes", ErrMalformed, maxMessage)
	case f.op >= opClose:
		f.payload = make([]byte, size)
		return f, s.read(f.payload)
	}
	start := len(s.message)
	s.message = append(s.message, make([]byte, size)...)
	return f, s.read(s.message[start:])
}

// size reads how long a frame's payload is.
func (s *WebSocket) size(first byte) (uint64, error) {
	var long [8]byte
	var err error
	switch n := first & 0x7f; n {
	case 126:
		err = s.read(long[6:])
	case 127:
		err = s.read(long[:])
	default:
		return uint64(n), nil
	}
	return binary.BigEndian.Uint64(long[:]), err
}

// read fills p.
func (s *WebSocket) read(p []byte) error {
	in := &s.conn.in
	for len(p) > 0 {
		if in.buffered() == 0 {
			if err := in.fill(); err != nil {
				return unexpected(err)
			}
		}
		n := copy(p, in.buf[in.start:in.end])
		in.start += n
		p = p[n:]
	}
	return nil
}

// Close closes the WebSocket and its connection, without waiting for the other end's close.
func (s *WebSocket) Close() error {
	err := s.write(context.Background(), opClose, binary.BigEndian.AppendUint16(nil, normalClosure))
	if closing := s.conn.stream.Close(); err == nil || errors.Is(err, ErrClosed) {
		err = closing
	}
	return err
}
