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
	server, err := netip.ParseAddrPort(address)
	if err != nil || !server.Addr().Is4() || !server.Addr().IsLoopback() {
		return load{}, fmt.Errorf("%s is not on the loopback", address)
	}
	r := &reconnector{server: unix.SockaddrInet4{Port: int(server.Port()), Addr: server.Addr().As4()}, request: request}
	if r.poll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return load{}, err
	}
	defer closeDescriptor(r.poll)
	defer func() {
		for fd, began := range r.open {
			if !began.IsZero() {
				closeDescriptor(fd)
			}
		}
	}()
	began := time.Now()
	for time.Since(began) < duration {
		if err := ctx.Err(); err != nil {
			return load{}, err
		}
		for range connections - r.live {
			if err := r.connect(); err != nil {
				return load{}, fmt.Errorf("connect to %s: %w", address, err)
			}
		}
		if err := r.collect(); err != nil {
			return load{}, err
		}
	}
	return load{requests: r.answered + r.refused, refused: r.refused, elapsed: time.Since(began)}, nil
}

// A reconnector is the connections that wait for their end.
type reconnector struct {
	server            unix.SockaddrInet4
	request           []byte
	poll              int
	open              []time.Time // when each began, by file descriptor; zero if it is not one
	live              int
	refused, answered int
	events            [connections]unix.EpollEvent
}

// connect opens one more and sends the request. The socket blocks, but only for a moment: the handshake on the loopback is done
// by the kernel, and the request is small.
func (r *reconnector) connect() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	wait := unix.NsecToTimeval(patience.Nanoseconds())
	// Its end shall be a reset, which leaves no state that would use up the ports.
	err = errors.Join(
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &wait),
	)
	if err == nil {
		err = uninterrupted(func() error { return unix.Connect(fd, &r.server) })
	}
	if err == nil {
		err = uninterrupted(func() error {
			_, err := unix.SendmsgN(fd, r.request, nil, nil, unix.MSG_NOSIGNAL)
			return err
		})
	}
	if err == nil {
		err = unix.EpollCtl(r.poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
	}
	if err != nil {
		closeDescriptor(fd)
		if ended(err) {
			r.refused++
			return nil
		}
		return err
	}
	for len(r.open) <= fd {
		r.open = append(r.open, time.Time{})
	}
	r.open[fd] = time.Now()
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
		closeDescriptor(fd)
		r.open[fd] = time.Time{}
		r.live--
	}
	if n > 0 {
		return nil
	}
	for _, began := range r.open {
		if !began.IsZero() && time.Since(began) > patience {
			return fmt.Errorf("a connection was neither refused nor answered within %v", patience)
		}
	}
	return nil
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
