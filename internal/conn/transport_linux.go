package conn

import (
	"cmp"
	"io"
	"net"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// raw is a TCP connection, driven from inside one [syscall.RawConn] Read call: readiness stays armed over the whole keep-alive
// loop, and reads and writes are bare system calls that never wait. The call holds a reference to the descriptor, so inside it fd is
// valid whoever closes the connection; outside, the descriptor is used only through calls that take a reference of their own.
type raw struct {
	tcpConn
	c    *Conn
	rc   syscall.RawConn
	fd   uintptr
	held bool // the reference: inside a wait
	// drained tells that a read took all that was there: the next edge will tell of more, so asking again would be a wasted call.
	drained bool
}

// tcpConn is what a [socket] and a [net.TCPConn] both are.
type tcpConn interface {
	net.Conn
	syscall.Conn
	CloseWrite() error
	SetLinger(seconds int) error
}

// newTransport drives a TCP connection by its descriptor and any other by its methods.
func newTransport(nc net.Conn, c *Conn) transport {
	if tcp, ok := nc.(tcpConn); ok {
		if rc, err := tcp.SyscallConn(); err == nil {
			return &raw{tcpConn: tcp, c: c, rc: rc}
		}
	}
	return &plain{Conn: nc, c: c}
}

func (t *raw) wait(turn func() bool) error {
	t.held = true
	defer func() { t.held = false }()
	return t.rc.Read(func(fd uintptr) bool {
		t.fd, t.drained = fd, false
		return turn()
	})
}

func (t *raw) tryRead(p []byte) (int, error) {
	if t.drained {
		return 0, errAgain
	}
	n, errno := rawRead(t.fd, p)
	switch {
	case errno == syscall.EAGAIN:
		t.drained = true
		return 0, errAgain
	case errno == syscall.EINTR:
		return t.tryRead(p)
	case errno != 0:
		return 0, errno
	case n == 0:
		return 0, io.EOF
	}
	t.drained = n < len(p)
	return n, nil
}

func (t *raw) read(p []byte) (int, error) {
	if t.held {
		return 0, errInside
	}
	in := &t.c.in
	in.begin(t.c.now(), in.moved.Load())
	n, err := t.Read(p)
	in.moved.Add(int64(n))
	in.end(t.c.now())
	return n, err
}

func (t *raw) write(head, tail []byte) error {
	if t.held {
		if err := t.send(t.fd, &head, &tail); err != nil || len(head)+len(tail) == 0 {
			return err
		}
	}
	return t.writeOn(head, tail)
}

// writeOn writes what may have to wait for the peer.
func (t *raw) writeOn(head, tail []byte) error {
	var failed error
	waiting := false
	err := t.rc.Write(func(fd uintptr) (done bool) {
		if failed = t.send(fd, &head, &tail); failed != nil || len(head)+len(tail) == 0 {
			return true
		}
		if !waiting {
			waiting = true
			t.c.out.begin(t.c.now(), t.c.out.moved.Load()-t.unacked())
		}
		return false
	})
	if waiting {
		t.c.out.end(t.c.now())
	}
	return cmp.Or(failed, err)
}

// send writes as much of head and tail as the kernel takes now, and cuts that off both.
func (t *raw) send(fd uintptr, head, tail *[]byte) error {
	for len(*head)+len(*tail) > 0 {
		n, errno := rawWrite(fd, *head, *tail)
		switch errno {
		case 0:
		case syscall.EAGAIN:
			return nil
		case syscall.EINTR:
			continue
		default:
			return errno
		}
		t.c.out.moved.Add(int64(n))
		ofHead := min(n, len(*head))
		*head, *tail = (*head)[ofHead:], (*tail)[n-ofHead:]
	}
	return nil
}

func (t *raw) joins() int            { return 0 }
func (t *raw) closeWrite() error     { return t.CloseWrite() }
func (t *raw) forget()               { _ = t.SetLinger(0) }
func (t *raw) interrupt()            { t.SetDeadline(past()) }
func (t *raw) interruptRead()        { t.SetReadDeadline(past()) }
func (t *raw) allow(d time.Duration) { t.SetDeadline(time.Now().Add(d)) }
func (t *raw) close()                { t.Close() }

func (t *raw) gone() (gone bool) {
	t.rc.Control(func(fd uintptr) {
		p := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(p[:], 0)
		gone = err == nil && n > 0 && p[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
	})
	return gone
}

func (t *raw) unacked() (n int64) {
	t.rc.Control(func(fd uintptr) {
		q, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
		if err == nil {
			n = int64(q)
		}
	})
	return n
}

// The bare system calls do not tell the scheduler, which is right for calls that never wait.

func rawRead(fd uintptr, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	return int(n), errno
}

func rawWrite(fd uintptr, head, tail []byte) (int, syscall.Errno) {
	if len(tail) == 0 || len(head) == 0 {
		p := head
		if len(p) == 0 {
			p = tail
		}
		n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		return int(n), errno
	}
	iov := [2]syscall.Iovec{{Base: &head[0]}, {Base: &tail[0]}}
	iov[0].SetLen(len(head))
	iov[1].SetLen(len(tail))
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&iov)), 2)
	return int(n), errno
}

// tuneListener sets what connections inherit. It bounds what the kernel buffers for a reader that does not read: at most unsent bytes wait
// beyond what is in flight. And it lets nothing wait to be joined by more.
func tuneListener(_, _ string, rc syscall.RawConn) error {
	const unsent = 256 << 10
	var err error
	if cerr := rc.Control(func(fd uintptr) {
		err = cmp.Or(
			unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent),
			unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		)
	}); cerr != nil {
		return cerr
	}
	return err
}
