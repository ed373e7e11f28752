//go:build amd64 || arm64

package origin

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// rawConn does a whole exchange within one wait of the runtime's poller: it looks at the socket, writes and then waits to
// read, with non-blocking system calls that the scheduler need not hear of. Readiness is armed before the write, so the
// response cannot be missed, and the read that would only say "not yet" is left out.
type rawConn struct {
	socket syscall.RawConn
	run    func(fd uintptr) bool // step, bound once

	next    stage
	out, in []byte
	written int
	n       int
	err     error
}

type stage uint8

const (
	checking stage = iota
	writing
	reading
)

// newRawConn returns nil if nc is not a plain TCP or Unix connection.
func newRawConn(nc net.Conn) *rawConn {
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return nil
	}
	socket, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil
	}
	r := &rawConn{socket: socket}
	r.run = r.step
	return r
}

func (r *rawConn) exchange(c *conn, out, in []byte, check bool) (int, error) {
	r.next, r.out, r.written = writing, out, 0
	if check {
		r.next = checking
	}
	n, err := r.wait(in)
	if r.next == reading || err != nil {
		return n, err
	}
	// The socket's buffer is full: the rest takes a wait of its own.
	if err := c.write(out[r.written:]); isTimeout(err) {
		return 0, err
	}
	return r.read(in)
}

func (r *rawConn) read(in []byte) (int, error) {
	r.next = reading
	return r.wait(in)
}

func (r *rawConn) wait(in []byte) (int, error) {
	r.in, r.n, r.err = in, 0, nil
	err := r.socket.Read(r.run)
	r.out, r.in = nil, nil
	if r.err != nil {
		err = r.err
	}
	return r.n, err
}

// step goes as far as the socket lets it, and reports whether there is nothing to wait for.
func (r *rawConn) step(fd uintptr) (done bool) {
	if r.next == checking {
		var b [1]byte
		if _, e := receive(fd, b[:], syscall.MSG_PEEK); e != syscall.EAGAIN {
			r.err = errStale
			return true
		}
		r.next = writing
	}
	var broken syscall.Errno
	if r.next == writing {
		if r.written, broken = send(fd, r.out); broken == 0 && r.written < len(r.out) {
			return true
		}
		r.next = reading
		if broken == 0 {
			return false
		}
		// An origin that refuses a request may have answered before it closed.
	}
	n, e := receive(fd, r.in, 0)
	switch {
	case e == syscall.EAGAIN && broken == 0:
		return false
	case n == 0 && broken != 0:
		r.err = os.NewSyscallError("write", broken)
	case e != 0:
		r.err = os.NewSyscallError("read", e)
	case n == 0:
		r.err = io.EOF
	}
	r.n = n
	return true
}

func receive(fd uintptr, p []byte, flags int) (int, syscall.Errno) {
	for {
		n, _, e := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)),
			uintptr(flags|syscall.MSG_DONTWAIT), 0, 0)
		switch e {
		case 0:
			return int(n), 0
		case syscall.EINTR:
		default:
			return 0, e
		}
	}
}

// send writes what the socket's buffer takes, perhaps nothing.
func send(fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, _, e := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)),
			syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
		switch e {
		case 0:
			return int(n), 0
		case syscall.EAGAIN:
			return 0, 0
		case syscall.EINTR:
		default:
			return 0, e
		}
	}
}
