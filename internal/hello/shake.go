package hello

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/ja4"
	"github.com/seawall/seawall/prefixes"
	"github.com/seawall/seawall/workers"
)

var (
	errClosed = errors.New("the connection was closed during its handshake")
	errInput  = errors.New("more input than a handshake can have")
)

// past is a deadline that has passed.
var past = time.Unix(1, 0)

// maxInput bounds what is kept of a client's bytes until a step takes them: a whole read buffer of what follows a handshake at once.
const maxInput = 256 << 10

// Shake is a handshake that goes on in steps, as the client's bytes arrive: while it waits for them it holds no thread, and until its
// ClientHello is whole only those bytes. It has one owner at a time: the connection's loop, or between Go and done a worker.
type Shake struct {
	room   *Room
	info   *flow.Conn
	source netip.Prefix
	raw    net.Conn

	in       []byte    // the ClientHello, until it is whole
	settings *settings // that it was begun with
	hello    hello

	wire      *wire
	conn      *tls.Conn
	thread    *workers.Thread
	coroutine *workers.Coroutine
	done      func()
	stopped   bool   // the coroutine is to end
	holding   bool   // output is held, for who can't write from a worker
	held      []byte // that output

	// The rest is under the lock of room.underway.
	state        state
	closed       bool
	opened       bool // it counts among the open ones
	older, newer *Shake
	err          error
}

// hello is what is known of a client before its handshake.
type hello struct {
	name   string
	length uint32 // of the ClientHello
	client ja4.Fingerprint
	policy *Policy
	hides  bool // it has an Encrypted Client Hello, which may say otherwise
}

// Begin begins a handshake on raw, of which nothing is read before it is complete. Write is called by workers, too; it must not wait, and
// an error from it is the handshake's end. A handshake that gives way sets raw's read deadline into the past.
func (r *Room) Begin(raw net.Conn, info *flow.Conn) *Shake {
	return &Shake{room: r, info: info, raw: raw, source: prefixes.Source(info.Remote.Addr())}
}

// Feed takes in bytes that have arrived, and copies them. ready tells that there is a step for Go. An error ends the connection; before
// the first step, it has cost no asymmetric cryptography.
func (s *Shake) Feed(p []byte) (ready bool, err error) {
	if s.wire != nil || s.state == over {
		return s.more(p)
	}
	s.in = append(s.in, p...)
	whole, refusal := s.meet()
	if refusal != nil {
		return false, s.refuse(refusal)
	}
	if !whole {
		return false, nil
	}
	s.wire = &wire{Conn: s.raw, in: s.in, shake: s}
	s.in = nil
	return true, nil
}

// more takes in what follows the ClientHello, unless the handshake is over.
func (s *Shake) more(p []byte) (ready bool, err error) {
	u := &s.room.underway
	u.mu.Lock()
	defer u.mu.Unlock()
	if s.state == over {
		return false, s.err
	}
	if len(s.wire.in)+len(p) > maxInput {
		u.end(s, errInput)
		return false, errInput
	}
	s.wire.in = append(s.wire.in, p...)
	return true, nil
}

// meet reads the ClientHello, once it is whole, and refuses whom the lists or the budgets refuse.
func (s *Shake) meet() (whole bool, refusal *Refusal) {
	r := s.room
	h := r.hellos.Get().(*ja4.Hello)
	defer r.hellos.Put(h)
	switch _, err := h.Parse(s.in); {
	case errors.Is(err, ja4.ErrShort):
		return false, nil
	case err != nil:
		return false, &Refusal{NotTLS, err.Error()}
	}
	s.settings = r.settings.Load()
	s.hello = hello{name: h.ServerName, length: uint32(h.Length), client: h.Fingerprint(ja4.TCP), hides: h.ECH && len(s.settings.public) > 0}
	s.hello.policy = r.policy(s.hello.name)
	if refusal := r.refused(s.settings, s.hello.policy, s.hello.name, s.hello.client); refusal != nil {
		return false, refusal
	}
	if !r.underway.admit(s, s.settings.perSource) {
		return false, &Refusal{SourceFull, ""}
	}
	return true, nil
}

// refuse ends the handshake before it has begun.
func (s *Shake) refuse(refusal *Refusal) error {
	if alert := refusal.Cause.alert(); alert != nil {
		_, _ = s.raw.Write(alert) // the refusal is what counts
	}
	s.in = nil
	s.room.underway.finish(s, refusal)
	return refusal
}

// Go queues the next step for a worker. done is called once, when the step is over, and also when it is not to be: on the worker's
// thread, or where others are submitted, which may be before Go returns.
func (s *Shake) Go(done func()) {
	s.done = done
	switch from := s.room.underway.submit(s); {
	case from == ready && !s.room.Workers.Submit(s.source, s):
		s.Shed()
	case from == ready:
	case from == waits:
		s.thread.Submit(s)
	default:
		s.stepped()
	}
}

// Shed implements [workers.Job].
func (s *Shake) Shed() {
	s.room.underway.finish(s, &Refusal{QueueFull, ""})
	s.stepped()
}

// stepped tells that the step is over. What follows is another's.
func (s *Shake) stepped() {
	if done := s.done; done != nil {
		s.done = nil
		done()
	}
}

// Run implements [workers.Job]: a step.
func (s *Shake) Run(t *workers.Thread) {
	if (s.coroutine != nil || s.open(t)) && !s.coroutine.Resume() && !s.room.underway.wait(s) {
		s.coroutine.Stop()
	}
	s.stepped()
}

// open makes the handshake one of the open ones, if there is a place.
func (s *Shake) open(t *workers.Thread) bool {
	victim, ok := s.room.underway.begin(s, s.settings.open)
	if !ok {
		return false
	}
	if victim != nil {
		_ = victim.raw.SetReadDeadline(past) // wakes its owner, or its client would be kept until its time is up
		victim.thread.Submit((*ending)(victim))
	}
	s.thread, s.coroutine = t, t.Coroutine(s.shake)
	return true
}

// shake is the handshake. A fault in it costs this connection, never the node.
func (s *Shake) shake(*workers.Coroutine) {
	var err error
	defer func() {
		if fault := recover(); fault != nil {
			err = &Fault{fault, debug.Stack()}
		}
		switch {
		case s.stopped:
			err = errClosed
		case err == nil:
			s.wire.shake = nil
		case s.wire.met && s.wire.said:
			err = &flow.Told{Err: err}
		}
		s.room.underway.finish(s, err)
	}()
	s.conn = tls.Server(s.wire, s.settings.config)
	if err = s.conn.Handshake(); err == nil {
		err = s.learn()
	}
}

// learn tells the connection what the handshake told. An authority's challenge ends with it (RFC 8737 §3).
func (s *Shake) learn() error {
	c := s.conn.ConnectionState()
	if c.NegotiatedProtocol == ALPNChallenge {
		return errors.Join(errChallenge, s.conn.CloseWrite())
	}
	t := &flow.TLS{
		Version:     c.Version,
		Cipher:      c.CipherSuite,
		HelloLength: s.hello.length,
		ServerName:  normal(c.ServerName),
		Protocol:    c.NegotiatedProtocol,
		Resumed:     c.DidResume,
		JA4:         s.hello.client,
	}
	if s.hello.policy != nil {
		t.Policy = s.hello.policy
	}
	if len(c.VerifiedChains) > 0 {
		t.Client = &flow.ClientCertificate{Subject: c.PeerCertificates[0].Subject.String(), Chain: c.VerifiedChains[0]}
	}
	if c.DidResume {
		s.room.counts.resumed.Add(1)
	}
	s.info.TLS = t
	return nil
}

// Result returns the secured connection if the handshake is complete, which reads first what was fed and not used; err is why it failed.
// With neither, it wants more input.
func (s *Shake) Result() (secure net.Conn, complete bool, err error) {
	u := &s.room.underway
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case s.state != over:
		return nil, false, nil
	case s.err != nil:
		return nil, false, s.err
	}
	return s.conn, true, nil
}

// Close gives up what the handshake holds; a secured connection stays. It may be called in any state, again too. Between Go and done, it
// takes effect before done.
func (s *Shake) Close() {
	if t := s.room.underway.close(s); t != nil {
		t.Submit((*ending)(s))
	}
}

// ending is a handshake that was given up while it waited for its client. The stack that it holds has to be left on its thread.
type ending Shake

// Run implements [workers.Job].
func (e *ending) Run(*workers.Thread) { e.coroutine.Stop() }

// Shed implements [workers.Job]: the thread has ended, and so have its coroutines.
func (e *ending) Shed() {}

// Handshake shakes hands on raw and tells info what it learned. Deadlines are raw's, which is read and written only by the caller's
// goroutine. An authority's challenge ends with an error, too: its connection carries nothing (RFC 8737 §3). It panics with a [*Fault].
func (r *Room) Handshake(raw net.Conn, info *flow.Conn) (net.Conn, error) {
	s := r.Begin(raw, info)
	defer s.Close()
	s.holding = true
	buffer := r.buffers.Get().(*[4096]byte)
	defer r.buffers.Put(buffer)
	stepped := make(chan struct{}, 1)
	for {
		n, err := raw.Read(buffer[:])
		ready := false
		if n > 0 {
			ready, err = s.Feed(buffer[:n])
		}
		if err != nil {
			if _, _, over := s.Result(); over != nil {
				err = over
			}
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if !ready {
			continue
		}
		s.Go(func() { stepped <- struct{}{} })
		<-stepped
		if secure, complete, err := s.outcome(); complete || err != nil {
			return secure, err
		}
	}
}

// outcome is the result of a step whose output was held, which it sends.
func (s *Shake) outcome() (secure net.Conn, complete bool, err error) {
	secure, complete, err = s.Result()
	if fault, ok := errors.AsType[*Fault](err); ok {
		panic(fault)
	}
	if len(s.held) > 0 {
		_, werr := s.raw.Write(s.held)
		if s.held = s.held[:0]; err == nil && werr != nil {
			return nil, false, werr
		}
	}
	return secure, complete, err
}
