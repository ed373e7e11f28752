package conn

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/sim"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/loop"
)

// patience bounds every wait of a test over the kernel's network.
const patience = 10 * time.Second

// lines is a protocol of lines: "get N" is answered at once with N bytes, "who" with the connection's addresses, anything else by
// fulfil, which may read more if the line begins with "body", "tunnel" or "upload".
type lines struct {
	info   *flow.Conn
	stream flow.Stream
	fulfil func(line string, s flow.Stream, out *flow.Output) flow.Next
	line   string
	most   int // bytes that "get" answers
	lend   func(n int) ([]byte, flow.Loan)
	file   func(n int) (flow.FilePart, flow.Loan)
}

func (l *lines) Turn(in []byte, out *flow.Output, _ time.Time) (used int, next flow.Next) {
	for {
		end := bytes.IndexByte(in[used:], '\n') + 1
		if end == 0 {
			return used, flow.More
		}
		l.line = string(in[used : used+end-1])
		used += end
		size, ok := strings.CutPrefix(l.line, "get ")
		switch {
		case l.line == "panic":
			panic(l.line)
		case l.line == "who":
			out.Head = fmt.Appendf(out.Head, "%v to %v.", l.info.Remote, l.info.Local)
			continue
		case !ok:
			return used, flow.Wait
		}
		n, _ := strconv.Atoi(size)
		out.Head = fmt.Appendf(out.Head, "%d:", n)
		if n > 0 {
			out.Tail = content(min(n, l.most))
			switch {
			case l.file != nil && l.info.SendsFiles:
				out.Tail = nil
				out.File, out.Loan = l.file(n)
			case l.lend != nil:
				out.Tail, out.Loan = l.lend(n)
			}
			return used, flow.Flush
		}
	}
}

func (l *lines) Fulfil(out *flow.Output) flow.Next { return l.fulfil(l.line, l.stream, out) }

func (l *lines) Timeout(_ []byte, out *flow.Output, _ time.Time) {
	out.Head = append(out.Head, "timeout"...)
}

func (l *lines) Parts() bool { return false }

func (l *lines) End() {}

// say answers a line.
func say(_ string, _ flow.Stream, out *flow.Output) flow.Next {
	out.Head = append(out.Head, "said."...)
	return flow.More
}

// body reads as many bytes as "body N" says and tells how that went.
func body(line string, s flow.Stream, out *flow.Output) flow.Next {
	left, _ := strconv.Atoi(strings.TrimPrefix(line, "body "))
	for b := make([]byte, 16<<10); left > 0; {
		n, err := s.Read(b[:min(left, len(b))])
		if left -= n; err != nil {
			out.Head = append(out.Head, "broken."...)
			return flow.Linger
		}
	}
	out.Head = append(out.Head, "whole."...)
	return flow.More
}

func content(n int) []byte { return bytes.Repeat([]byte("0123456789abcdef"), n/16+1)[:n] }

// world is a room behind a listener, and a way to reach it.
type world struct {
	*testing.T
	room    *Room
	began   chan bool // for play
	proceed chan bool
	dial    func(from string) (net.Conn, error)
	log     *bytes.Buffer
	served  sync.WaitGroup
}

type options struct {
	limits func(*spec.Connections)
	proxy  string // a prefix whose connections begin with a PROXY protocol header
	fulfil func(line string, s flow.Stream, out *flow.Output) flow.Next
	play   func(w *world, s flow.Stream, out *flow.Output) flow.Next // fulfil, for tests that follow it
	wrap   func(net.Listener) net.Listener
	link   sim.Link
	loops  int
	open   Open                                        // of another protocol than lines
	do     func(e *errands, t *loop.Task, line string) // of the protocol of errands
	most   int                                         // bytes that "get" answers
	lend   func(n int) ([]byte, flow.Loan)             // what it answers with, if that is lent
	file   func(n int) (flow.FilePart, flow.Loan)      // the same, on connections that send files
	secure Secure                                      // of another handshake than TLS
}

// ways are the transports: over a simulated network, over TCP, by a listener of package net too, and over TLS.
var ways = []struct {
	name string
	run  func(t *testing.T, o options, test func(w *world))
}{
	{"plain", simulated},
	{"loop", func(t *testing.T, o options, test func(w *world)) { loopback(t, o, false, test) }},
	{"net", func(t *testing.T, o options, test func(w *world)) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		kernel(t, o, l, false, test)
	}},
	{"tls", func(t *testing.T, o options, test func(w *world)) { loopback(t, o, true, test) }},
}

// everyWay runs a test over each transport.
func everyWay(t *testing.T, o options, test func(w *world)) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) { way.run(t, o, test) })
	}
}

// loops runs n of them for the test.
func loops(t testing.TB, n int) []*loop.Loop {
	t.Helper()
	var all []*loop.Loop
	for range n {
		l, err := loop.New()
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
		over := make(chan error, 1)
		go func() { over <- l.Run() }()
		t.Cleanup(func() {
			l.Close()
			if err := <-over; err != nil {
				t.Error(err)
			}
		})
	}
	return all
}

func newWorld(t *testing.T, o options) *world {
	t.Helper()
	node := spec.DefaultNode()
	if o.limits != nil {
		o.limits(&node.Connections)
	}
	if o.proxy != "" {
		node.ProxyProtocol = []netip.Prefix{netip.MustParsePrefix(o.proxy)}
	}
	w := &world{T: t, log: new(bytes.Buffer), began: make(chan bool), proceed: make(chan bool)}
	switch {
	case o.play != nil:
		o.fulfil = func(_ string, s flow.Stream, out *flow.Output) flow.Next {
			s.Task().Leave()
			return o.play(w, s, out)
		}
	case o.fulfil == nil:
		o.fulfil = say
	}
	if o.do != nil {
		o.open = func(_ *flow.Conn, c flow.Connection) flow.Session {
			return &errands{w: w, conn: c, do: o.do, ended: make(chan bool)}
		}
	}
	if o.open == nil {
		o.open = func(info *flow.Conn, s flow.Connection) flow.Session {
			return &lines{info: info, stream: s, fulfil: o.fulfil, most: cmp.Or(o.most, 16<<20), lend: o.lend, file: o.file}
		}
	}
	w.room = New(&node, Options{
		Open:  o.open,
		Log:   slog.New(slog.NewTextHandler(w.log, nil)),
		Loops: loops(t, o.loops),
	})
	return w
}

// serve runs the test, and then makes sure that nothing is left.
func (w *world) serve(l net.Listener, o options, secure Secure, test func(w *world)) {
	if o.wrap != nil {
		l = o.wrap(l)
	}
	w.served.Go(func() {
		if err := w.room.Serve(l, secure); err != nil {
			w.Error(err)
		}
	})
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := w.room.Shutdown(ctx); err != nil {
			w.Errorf("shutdown: %v", err)
		}
		w.served.Wait()
		if _, _, keys := w.room.sources.slots(); keys > 0 {
			w.Errorf("got %d sources and networks left, want none", keys)
		}
	}()
	test(w)
}

func simulated(t *testing.T, o options, test func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		const address = "192.0.2.1:80"
		network := new(sim.Network)
		if err := network.SetLink(address, o.link); err != nil {
			t.Fatal(err)
		}
		l, err := network.Listen(address)
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, o)
		w.dial = func(from string) (net.Conn, error) {
			return network.Dial(t.Context(), netip.AddrPortFrom(netip.MustParseAddr(from), 0), address)
		}
		w.serve(l, o, o.secure, test)
	})
}

func loopback(t *testing.T, o options, secure bool, test func(w *world)) {
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.loops = 2
	kernel(t, o, l, secure, test)
}

// kernel serves a listener of the kernel's network.
func kernel(t *testing.T, o options, l net.Listener, secure bool, test func(w *world)) {
	t.Parallel()
	w := newWorld(t, o)
	w.room.every = 40 * time.Millisecond
	w.dial = func(string) (net.Conn, error) {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			return nil, err
		}
		c.SetDeadline(time.Now().Add(patience))
		if secure {
			return tls.Client(c, &tls.Config{InsecureSkipVerify: true}), nil
		}
		return c, nil
	}
	handshake := o.secure
	if secure {
		handshake = shake(t)
	}
	w.serve(l, o, handshake, test)
}

// shake is a handshake with a certificate made for the test.
func shake(t testing.TB) Secure {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	return blocking{config}
}

// blocking shakes hands without steps.
type blocking struct{ config *tls.Config }

func (b blocking) Handshake(raw net.Conn, info *flow.Conn) (net.Conn, error) {
	c := tls.Server(raw, b.config)
	err := c.Handshake()
	info.TLS = &flow.TLS{}
	return c, err
}

func (blocking) Begin(net.Conn, *flow.Conn) Shake { return nil }

// connect dials from an ordinary address.
func (w *world) connect() net.Conn {
	w.Helper()
	c, err := w.dial("198.51.100.7")
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { c.Close() })
	return c
}

func (w *world) send(c net.Conn, text string) {
	w.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		w.Fatalf("sending %d bytes: %v", len(text), err)
	}
}

// wantText reads exactly what is wanted.
func (w *world) wantText(c net.Conn, want string) {
	w.Helper()
	b := make([]byte, len(want))
	n, err := io.ReadFull(c, b)
	if got := string(b[:n]); got != want || err != nil {
		w.Fatalf("got %d bytes %.60q, %v, want %d bytes %.60q", n, got, err, len(want), want)
	}
}

// wantEnd reads to the end, which has to come by itself, and wants this before it.
func (w *world) wantEnd(c net.Conn, want string) {
	w.Helper()
	b, err := io.ReadAll(c)
	if string(b) != want {
		w.Fatalf("got %.60q, %v, want %.60q and the end", b, err, want)
	}
	if e, ok := err.(net.Error); ok && e.Timeout() {
		w.Fatal("the connection was not closed")
	}
	c.Close() // or its lingering close would go on
}

func (w *world) wantRefused(cause Cause, want int64) {
	w.Helper()
	if got := w.room.Stats().Refused[cause]; got != want {
		w.Errorf("%v: got %d, want %d", cause, got, want)
	}
}
