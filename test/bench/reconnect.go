package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a connection may wait for its refusal.
const patience = 2 * time.Second

// reconnect opens connections to a server that refuses them, as many at a time as wrk has, sends a request on each and waits for
// the end. It is one thread that calls the system itself: package net's client would be slower than the servers. It connects to
// the loopback only, from 127.0.0.1.
func reconnect(ctx context.Context, address string, request []byte, duration time.Duration) (load, error) {
	r, err := newReconnector(address, request, connections)
	if err != nil {
		return load{}, err
	}
	defer r.close()
	began := time.Now()
	for time.Since(began) < duration {
		if err := ctx.Err(); err != nil {
			return load{}, err
		}
		if err := r.step(); err != nil {
			return load{}, err
		}
	}
	return load{requests: r.ended(), refused: r.refused, elapsed: time.Since(began)}, nil
}

// A reconnector is the connections that wait for their end.
type reconnector struct {
	server            unix.SockaddrInet4
	request           []byte
	width             int  // connections at one time
	sources           int  // addresses they come from in turn, from 127.16.0.0 on; 0 for 127.0.0.1 alone
	forgiving         bool // who neither answers nor refuses in time has refused
	opened            int
	poll              int
	open              []time.Time // when each began, by file descriptor; zero if it is not one
	live              int
	refused, answered int
	events            [connections]unix.EpollEvent
}

func newReconnector(address string, request []byte, width int) (*reconnector, error) {
	server, err := netip.ParseAddrPort(address)
	if err != nil || !server.Addr().Is4() || !server.Addr().IsLoopback() {
		return nil, fmt.Errorf("%s is not on the loopback", address)
	}
	r := &reconnector{
		server:  unix.SockaddrInet4{Port: int(server.Port()), Addr: server.Addr().As4()},
		request: request, width: width,
	}
	r.poll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	return r, err
}

func (r *reconnector) close() {
	for fd, began := range r.open {
		if !began.IsZero() {
			closeDescriptor(fd)
		}
	}
	closeDescriptor(r.poll)
}

// ended is how many connections have had their end.
func (r *reconnector) ended() int { return r.answered + r.refused }

// step opens the connections that are missing, and waits for the end of some, for a moment.
func (r *reconnector) step() error {
	for range r.width - r.live {
		if err := r.connect(); err != nil {
			return fmt.Errorf("connect to port %d: %w", r.server.Port, err)
		}
	}
	return r.collect()
}

// connect opens one more and sends the request. The socket blocks, but only for a moment: the handshake on the loopback is done
// by the kernel, and the request is small.
func (r *reconnector) connect() error {
	var from *unix.SockaddrInet4
	if r.sources > 0 {
		n := r.opened % r.sources
		from = &unix.SockaddrInet4{Addr: [4]byte{127, 16, byte(n >> 8), byte(n)}}
	}
	r.opened++
	socket, err := dial(from, &r.server)
	if err == nil {
		if _, err = socket.Write(r.request); err == nil {
			err = unix.EpollCtl(r.poll, unix.EPOLL_CTL_ADD, int(socket), &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(socket)})
		}
		if err != nil {
			closeDescriptor(int(socket))
		}
	}
	if err != nil {
		if ended(err) || r.forgiving && (errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINPROGRESS)) {
			r.refused++
			return nil
		}
		return err
	}
	for len(r.open) <= int(socket) {
		r.open = append(r.open, time.Time{})
	}
	r.open[socket] = time.Now()
	r.live++
	return nil
}

// collect waits for refusals, for a moment, and closes what they ended.
func (r *reconnector) collect() error {
	n, err := unix.EpollWait(r.poll, r.events[:], 1)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return err
	}
	var buf [1]byte
	for _, e := range r.events[:max(n, 0)] {
		fd := int(e.Fd)
		got, _, err := unix.Recvfrom(fd, buf[:], unix.MSG_DONTWAIT)
		switch {
		case err != nil && !ended(err):
			return err
		case got > 0:
			r.answered++
		default:
			r.refused++
		}
		r.end(fd)
	}
	if n > 0 && !r.forgiving {
		return nil
	}
	for fd, began := range r.open {
		if began.IsZero() || time.Since(began) < patience {
			continue
		}
		if !r.forgiving {
			return fmt.Errorf("a connection was neither refused nor answered within %v", patience)
		}
		r.refused++
		r.end(fd)
	}
	return nil
}

func (r *reconnector) end(fd int) {
	closeDescriptor(fd)
	r.open[fd] = time.Time{}
	r.live--
}

// uninterrupted calls the system again when a signal came between, such as the scheduler's. A connect goes on waiting then.
func uninterrupted(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// ended tells that the server has closed the connection, which it may do while the client still connects or sends.
func ended(err error) bool { return errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE) }

func closeDescriptor(fd int) { _ = unix.Close(fd) } // nothing is written that could be lost
