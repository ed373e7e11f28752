package loop

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrAgain tells that there is nothing to read now, or no room to write. It is temporary, as crypto/tls wants it: a [tls.Conn] that met it
// while reading stays usable.
var ErrAgain error = again{}

type again struct{}

func (again) Error() string   { return "not now" }
func (again) Timeout() bool   { return true }
func (again) Temporary() bool { return true }

// Handler is whose a parked connection is.
type Handler interface {
	// Ready is called on the loop when a parked connection has something to read, its peer has closed, or somebody asked with
	// [Conn.Again]. The connection is the handler's until it is parked again.
	Ready()
}

// Conn is a stream socket on a loop: a [net.Conn] whose methods wait as those of any other do, in the task that it is attached to or else by
// blocking the goroutine that calls them. Its try methods never wait, and are for its owner.
type Conn struct {
	loop    *Loop
	handler Handler
	task    *Task // who waits, nil for goroutines
	fd      int
	place   place
	parked  bool // the loop's
	wanted  bool // to be given to the handler, although nothing has arrived; the loop's
	drained bool // a read took all there was: the next event tells of more. The reader's.
	armed   bool // for events of the writing side. The writer's.
	hup     atomic.Bool
	refs    atomic.Int32 // 1 for being open, and 1 for each use of fd
	closed  atomic.Bool
	gone    atomic.Bool
	in, out side
	ends    *[2]net.Addr // local and remote, if they are known
}

var _ net.Conn = (*Conn)(nil)

const reading = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET

// Init makes c the connection of a socket's descriptor, which must not block and is c's from now on, also if this fails. It is called on the
// loop. The connection is parked if it has a handler.
func (c *Conn) Init(l *Loop, fd int, h Handler) error {
	c.loop, c.fd, c.handler = l, fd, h
	c.refs.Store(1)
	var err error
	if c.place, err = l.add(fd, c, reading); err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	return nil
}

// Take makes a connection on the loop of a TCP or Unix connection that was made elsewhere, which it closes; of any other, and if it fails, it
// makes nothing and returns nil. It waits for the loop, so it is not called there.
func (l *Loop) Take(nc net.Conn) *Conn {
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return nil
	}
	rc, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil
	}
	fd := -1
	if rc.Control(func(old uintptr) { fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) }) != nil || err != nil {
		return nil
	}
	c := &Conn{ends: &[2]net.Addr{nc.LocalAddr(), nc.RemoteAddr()}}
	if !l.Call(func() { err = c.Init(l, fd, nil) }) {
		_ = unix.Close(fd) // which is a duplicate
		return nil
	}
	if err != nil {
		return nil
	}
	_ = nc.Close()
	return c
}

// Loop is the connection's loop.
func (c *Conn) Loop() *Loop { return c.loop }

// Attach makes t the task that waits in the connection's methods; nil for goroutines.
func (c *Conn) Attach(t *Task) { c.task = t }

// Park lets the handler be called when there is something to do. It is called on the loop.
func (c *Conn) Park() {
	c.parked = true
	if c.wanted || c.in.ready.Load() {
		c.Again()
	}
}

// Again lets the handler be called soon: at once if the connection is parked, else when it is. Anyone may call it.
func (c *Conn) Again() { c.loop.post(posted{conn: c}) }

func (c *Conn) again() {
	c.wanted = true
	c.hand()
}

// hand gives a parked connection to its handler.
func (c *Conn) hand() {
	if c.parked {
		c.parked, c.wanted = false, false
		c.loop.served++
		c.handler.Ready()
	}
}

// event implements [watcher].
func (c *Conn) event(events uint32) {
	if events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		c.hup.Store(true)
	}
	if events&^uint32(unix.EPOLLOUT) != 0 {
		c.in.event(c.loop)
		c.hand()
	}
	if events&^uint32(unix.EPOLLIN|unix.EPOLLRDHUP) != 0 {
		c.out.event(c.loop)
	}
}

// Quiet tells whether nothing has arrived since what was read last, not even the peer's end. It asks the kernel, as the loop may not have
// heard yet. It is for the owner.
func (c *Conn) Quiet() bool {
	if c.hup.Load() {
		return false
	}
	quiet := false
	c.in.ready.Store(false) // which may tell of what has been read already
	_ = c.socket(func(fd int) error {
		var b [1]byte
		_, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b)), 1, unix.MSG_PEEK|unix.MSG_DONTWAIT, 0, 0)
		quiet = errno == syscall.EAGAIN
		return nil
	})
	return quiet
}

// Still is a Quiet that makes no system call where events would have told of an arrival: it may miss one of the last moments.
func (c *Conn) Still() bool {
	return c.drained && !c.in.ready.Load() && !c.hup.Load() || c.Quiet()
}

// PeerGone tells whether the peer has closed its side. Anyone may call it.
func (c *Conn) PeerGone() bool { return c.hup.Load() }

// TryRead reads what is there, or returns [ErrAgain], or [os.ErrDeadlineExceeded] after the deadline.
func (c *Conn) TryRead(p []byte) (int, error) {
	if c.drained && !c.in.ready.Load() && !c.hup.Load() && !c.in.expired.Load() {
		return 0, ErrAgain
	}
	c.in.ready.Store(false)
	if c.in.expired.Load() {
		return 0, os.ErrDeadlineExceeded
	}
	for {
		n, _, errno := syscall.RawSyscall(unix.SYS_READ, uintptr(c.fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		switch {
		case errno == syscall.EINTR:
			continue
		case errno == syscall.EAGAIN:
			c.drained = true
			return 0, ErrAgain
		case errno != 0:
			return 0, os.NewSyscallError("read", errno)
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		}
		c.drained = int(n) < len(p)
		return int(n), nil
	}
}

// TryWrite writes as much of head, then tail, as the kernel takes now, cuts that off both, and returns how much it was.
func (c *Conn) TryWrite(head, tail *[]byte) (int, error) {
	written := 0
	for len(*head)+len(*tail) > 0 {
		n, errno := write(c.fd, *head, *tail)
		switch errno {
		case 0:
		case syscall.EAGAIN:
			return written, nil
		case syscall.EINTR:
			continue
		default:
			return written, os.NewSyscallError("write", errno)
		}
		written += n
		ofHead := min(n, len(*head))
		*head, *tail = (*head)[ofHead:], (*tail)[n-ofHead:]
	}
	return written, nil
}

func write(fd int, head, tail []byte) (int, syscall.Errno) {
	if len(tail) == 0 || len(head) == 0 {
		p := head
		if len(p) == 0 {
			p = tail
		}
		n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_NOSIGNAL, 0, 0)
		return int(n), errno
	}
	iov := [2]syscall.Iovec{{Base: &head[0]}, {Base: &tail[0]}}
	iov[0].SetLen(len(head))
	iov[1].SetLen(len(tail))
	n, _, errno := syscall.RawSyscall(unix.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&iov)), 2)
	return int(n), errno
}

// use holds the descriptor for a call that others' Close may meet.
func (c *Conn) use() error {
	c.refs.Add(1)
	if c.closed.Load() {
		c.unuse()
		return net.ErrClosed
	}
	return nil
}

func (c *Conn) unuse() {
	if c.refs.Add(-1) == 0 && c.gone.CompareAndSwap(false, true) {
		c.loop.post(posted{conn: c, close: true})
	}
}

// Read implements [net.Conn].
func (c *Conn) Read(p []byte) (int, error) {
	if err := c.use(); err != nil {
		return 0, err
	}
	defer c.unuse()
	for {
		n, err := c.TryRead(p)
		if err != ErrAgain {
			return n, err
		}
		if err := c.wait(&c.in); err != nil {
			return 0, err
		}
	}
}

// Write implements [net.Conn].
func (c *Conn) Write(p []byte) (int, error) {
	written := 0
	err := c.WriteBy(func() (n int, whole bool, err error) {
		n, err = c.TryWrite(&p, new([]byte))
		return n, len(p) == 0, err
	}, func(n int, _ bool) { written += n })
	return written, err
}

// WriteBy tries, with what writes as much as the kernel takes now, until all is written. It calls moved with what that was, before each
// wait and at the end.
func (c *Conn) WriteBy(try func() (n int, whole bool, err error), moved func(n int, waits bool)) error {
	if err := c.use(); err != nil {
		return err
	}
	defer c.unuse()
	for {
		if c.out.expired.Load() {
			return os.ErrDeadlineExceeded
		}
		c.out.ready.Store(false)
		n, whole, err := try()
		moved(n, !whole && err == nil)
		if err != nil || whole {
			return err
		}
		if err := c.arm(); err != nil {
			return err
		}
		if err := c.wait(&c.out); err != nil {
			return err
		}
	}
}

// arm asks for the writing side's events from now on. There is one at once if there is room already.
func (c *Conn) arm() error {
	if c.armed {
		return nil
	}
	c.armed = true
	return c.loop.control(unix.EPOLL_CTL_MOD, c.fd, reading|unix.EPOLLOUT, c.place)
}

func (c *Conn) wait(s *side) error {
	err := s.wait(c.task)
	if c.closed.Load() {
		return net.ErrClosed
	}
	return err
}

// Close implements [net.Conn]. Anyone may call it.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return net.ErrClosed
	}
	c.in.stop()
	c.out.stop()
	c.in.wake(nil)
	c.out.wake(nil)
	c.unuse()
	return nil
}

// release is the end of a connection, on its loop.
func (c *Conn) release() {
	c.parked = false
	c.loop.remove(c.place)
	Close(c.fd)
}

// CloseWrite tells the peer that nothing more will come.
func (c *Conn) CloseWrite() error {
	return c.socket(func(fd int) error { return os.NewSyscallError("shutdown", unix.Shutdown(fd, unix.SHUT_WR)) })
}

// Forget makes Close a reset: the kernel keeps nothing for a peer that may never take it.
func (c *Conn) Forget() {
	_ = c.socket(Forget)
}

// Forget makes the close of a socket a reset.
func Forget(fd int) error {
	l := unix.Linger{Onoff: 1}
	_, _, errno := syscall.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_LINGER, uintptr(unsafe.Pointer(&l)), unsafe.Sizeof(l), 0)
	if errno != 0 {
		return os.NewSyscallError("setsockopt", errno)
	}
	return nil
}

// Close closes a socket that does not block. As all system calls that a loop makes and that never wait, it is one of which the runtime does
// not know: it would have its monitor watch each, which took a tenth of the time that refusing a connection did.
func Close(fd int) { _, _, _ = syscall.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

// Unacked is how many bytes that were written the peer has not acknowledged. Anyone may call it.
func (c *Conn) Unacked() (n int64) {
	_ = c.socket(func(fd int) error {
		q, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
		n = int64(q)
		return err
	})
	return n
}

func (c *Conn) socket(do func(fd int) error) error {
	if err := c.use(); err != nil {
		return err
	}
	defer c.unuse()
	return do(c.fd)
}

// LocalAddr implements [net.Conn]; nil unless the connection was taken over.
func (c *Conn) LocalAddr() net.Addr { return c.end(0) }

// RemoteAddr implements [net.Conn]; nil unless the connection was taken over.
func (c *Conn) RemoteAddr() net.Addr { return c.end(1) }

func (c *Conn) end(i int) net.Addr {
	if c.ends == nil {
		return nil
	}
	return c.ends[i]
}

// SetDeadline implements [net.Conn]. Anyone may set deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	c.in.set(t)
	c.out.set(t)
	return nil
}

// SetReadDeadline implements [net.Conn].
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.in.set(t)
	return nil
}

// SetWriteDeadline implements [net.Conn].
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.out.set(t)
	return nil
}
