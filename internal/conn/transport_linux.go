package conn

import (
	"io"
	"net"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// raw is a TCP connection, driven from inside one [syscall.RawConn] Read call: readiness stays armed over the whole keep-alive
// loop, and reads and writes are bare system calls that never wait.
type raw struct {
	*net.TCPConn
	rc syscall.RawConn
	fd uintptr
	// drained tells that a read took all that was there: the next edge will tell of more, so asking again would be a wasted call.
	drained bool
}

// newTransport drives a TCP connection by its descriptor and any other by its methods.
func newTransport(nc net.Conn) transport {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return &plain{Conn: nc}
	}
	rc, err := tcp.SyscallConn()
	if err != nil {
		return &plain{Conn: nc}
	}
	r := &raw{TCPConn: tcp, rc: rc}
	if rc.Control(func(fd uintptr) { r.fd = fd }) != nil {
		return &plain{Conn: nc}
	}
	return r
}

func (t *raw) wait(turn func() bool) error {
	return t.rc.Read(func(uintptr) bool {
		t.drained = false
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

func (t *raw) tryWrite(head, tail []byte) (int, error) {
	n, errno := rawWrite(t.fd, head, tail)
	switch errno {
	case 0:
		return n, nil
	case syscall.EAGAIN, syscall.EINTR:
		return 0, nil
	}
	return 0, errno
}

func (t *raw) read(p []byte) (int, error)  { return t.Read(p) }
func (t *raw) write(p []byte) (int, error) { return t.Write(p) }
func (t *raw) closeWrite() error           { return t.CloseWrite() }
func (t *raw) interrupt()                  { t.SetDeadline(past()) }
func (t *raw) allow(d time.Duration) error { return t.SetDeadline(time.Now().Add(d)) }
func (t *raw) close()                      { t.Close() }

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

// The bare system calls: they do not tell the scheduler, which is right for calls that never wait. The descriptor is valid because
// its owner holds the connection open: these run on the goroutine that alone closes it.

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
	iov := [2]syscall.Iovec{{Base: &head[0], Len: uint64(len(head))}, {Base: &tail[0], Len: uint64(len(tail))}}
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&iov)), 2)
	return int(n), errno
}

// tuneListener bounds what the kernel buffers for a reader that does not read: at most unsent bytes wait beyond what is in flight.
func tuneListener(_, _ string, rc syscall.RawConn) error {
	const unsent = 256 << 10
	var err error
	if cerr := rc.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent)
	}); cerr != nil {
		return cerr
	}
	return err
}
