package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/seawall/seawall/test/flood/lab"
)

// An operator is at work on the server through the interface that is flooded, on a port that is not Seawall's (as sshd's is not): on a
// connection that stays, and on a new one each time. The server echoes what it says.
type operator struct {
	lab    *lab.Lab
	target string
	stays  net.Conn
}

// worked is how an operator fared.
type worked struct {
	echoes, failed int
	failure        error // the first
}

const echoEvery = 20 * time.Millisecond

// newOperator connects one to the echo at an address of the server.
func newOperator(ctx context.Context, l *lab.Lab, server netip.Addr) (*operator, error) {
	o := &operator{lab: l, target: netip.AddrPortFrom(server, echoPort).String()}
	var err error
	o.stays, err = o.dial(ctx)
	return o, err
}

func (o *operator) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return o.lab.Visitors.Dial(ctx, netip.Addr{}, "tcp", o.target)
}

func (o *operator) close() { o.stays.Close() }

// start has the operator work until ended is called, which tells how it went.
func (o *operator) start(ctx context.Context) (ended func() worked) {
	ctx, stop := context.WithCancel(ctx)
	done := make(chan worked, 1)
	go func() { done <- o.work(ctx) }()
	return func() worked {
		stop()
		return <-done
	}
}

// work goes on until ctx ends, and has at least one go.
func (o *operator) work(ctx context.Context) (w worked) {
	every := time.NewTicker(echoEvery)
	defer every.Stop()
	for {
		err := errors.Join(echo(o.stays), o.again(context.WithoutCancel(ctx)))
		if err != nil {
			w.failed++
			if w.failure == nil {
				w.failure = err
			}
		}
		w.echoes++
		select {
		case <-ctx.Done():
			return w
		case <-every.C:
		}
	}
}

// again opens another connection, and closes it.
func (o *operator) again(ctx context.Context) error {
	c, err := o.dial(ctx)
	if err != nil {
		return err
	}
	return errors.Join(echo(c), c.Close())
}

// echo says a line, and wants to hear it.
func echo(c net.Conn) error {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	const line = "still there?\n"
	if _, err := io.WriteString(c, line); err != nil {
		return err
	}
	got, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && got != line {
		err = fmt.Errorf("got echo %q, want %q", got, line)
	}
	return err
}

// echoes is what the server has on the operator's port, until the listener closes.
func echoes(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			io.Copy(c, c) //nolint:errcheck // the operator notices
		}()
	}
}
