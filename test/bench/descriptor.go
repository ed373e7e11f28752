package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// A descriptor is a connected socket, called without package net's poller. It is a net.Conn for crypto/tls's sake: what would have to
// wait fails with os.ErrDeadlineExceeded, which leaves a TLS connection usable when it comes from Read.
type descriptor int

// dial connects a socket, from an address (nil for any). It blocks, for the time of the client's patience at most. Its end shall be a
// reset, which leaves no state that would use up the ports.
func dial(from, to *unix.SockaddrInet4) (descriptor, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	wait := unix.NsecToTimeval(patience.Nanoseconds())
	err = errors.Join(
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &wait),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait),
	)
	if err == nil && from != nil { // with a port that is found when it connects
		err = errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1), unix.Bind(fd, from))
	}
	if err == nil {
		err = uninterrupted(func() error { return unix.Connect(fd, to) })
	}
	if err != nil {
		closeDescriptor(fd)
		return 0, err
	}
	return descriptor(fd), nil
}

func (d descriptor) Read(b []byte) (n int, err error) {
	err = uninterrupted(func() error {
		n, err = unix.Read(int(d), b)
		return err
	})
	switch {
	case errors.Is(err, unix.EAGAIN):
		return 0, os.ErrDeadlineExceeded
	case err != nil:
		return 0, err
	case n == 0 && len(b) > 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write writes all or fails: what the bench sends fits into a socket's buffer.
func (d descriptor) Write(b []byte) (n int, err error) {
	err = uninterrupted(func() error {
		n, err = unix.SendmsgN(int(d), b, nil, nil, unix.MSG_NOSIGNAL)
		return err
	})
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return max(n, 0), err
}

func (d descriptor) Close() error                     { return unix.Close(int(d)) }
func (d descriptor) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (d descriptor) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (d descriptor) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (d descriptor) SetReadDeadline(time.Time) error  { return errors.ErrUnsupported }
func (d descriptor) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }

// answerLength is how long a response with status 200 and a body of so many bytes is, head included; zero as long as its head is not
// whole. Any other answer is an error.
func answerLength(answer []byte, body int) (int, error) {
	const status = "HTTP/1.1 200 "
	if n := min(len(answer), len(status)); string(answer[:n]) != status[:n] {
		return 0, fmt.Errorf("%.40q: want %q", answer, status)
	}
	head, _, whole := bytes.Cut(answer, []byte("\r\n\r\n"))
	if !whole {
		return 0, nil
	}
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte{':'})
		if !bytes.EqualFold(name, []byte("Content-Length")) {
			continue
		}
		if n, err := strconv.Atoi(string(bytes.TrimSpace(value))); err != nil || n != body {
			return 0, fmt.Errorf("%q: want a body of %d bytes", line, body)
		}
		return len(head) + 4 + body, nil
	}
	return 0, fmt.Errorf("no Content-Length in %q", head)
}
