package conn

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/seawall/seawall/loop"
)

// Listener is an address to listen on, with a socket for each of the loops that serve it: the kernel spreads connections over them
// (SO_REUSEPORT). Its sockets can be handed to another process, with the connections that wait in them.
type Listener struct {
	address *net.TCPAddr
	mu      sync.Mutex
	sockets []*net.TCPListener
	done    chan struct{} // closed by Close
	closed  atomic.Bool
}

// Listen opens a TCP listener on address ("host:port"). An address that somebody else listens on is an error, also where that shares it.
func Listen(ctx context.Context, address string) (*Listener, error) {
	probe, err := listenConfig(false).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	address = probe.Addr().String() // with the port that was chosen
	if err := probe.Close(); err != nil {
		return nil, err
	}
	l := &Listener{done: make(chan struct{})}
	if err := l.widen(ctx, address, 1); err != nil {
		return nil, err
	}
	l.address = l.sockets[0].Addr().(*net.TCPAddr)
	return l, nil
}

// Inherit listens with the sockets of another process's [Listener.Files], and closes the files.
func Inherit(files []*os.File) (*Listener, error) {
	l := &Listener{done: make(chan struct{})}
	var problems []error
	for _, f := range files {
		s, err := net.FileListener(f)
		problems = append(problems, err, f.Close())
		if t, ok := s.(*net.TCPListener); ok {
			l.sockets = append(l.sockets, t)
			l.address = t.Addr().(*net.TCPAddr)
		} else if err == nil {
			problems = append(problems, fmt.Errorf("%s is no TCP listener", f.Name()), s.Close())
		}
	}
	if len(l.sockets) == 0 {
		return nil, errors.Join(append(problems, errors.New("no socket to listen with"))...)
	}
	return l, errors.Join(problems...)
}

// Files are duplicates of the listener's sockets, for [Inherit] in another process.
func (l *Listener) Files() ([]*os.File, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var files []*os.File
	for _, s := range l.sockets {
		f, err := s.File()
		if err != nil {
			for _, f := range files {
				f.Close()
			}
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// widen adds sockets until there are n.
func (l *Listener) widen(ctx context.Context, address string, n int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.sockets) < n && !l.closed.Load() {
		s, err := listenConfig(true).Listen(ctx, "tcp", address)
		if err != nil {
			return err
		}
		l.sockets = append(l.sockets, s.(*net.TCPListener))
	}
	return nil
}

// Addr implements [net.Listener].
func (l *Listener) Addr() net.Addr { return l.address }

// Accept implements [net.Listener], for where there are no loops: from the first socket.
func (l *Listener) Accept() (net.Conn, error) { return l.sockets[0].Accept() }

// Close implements [net.Listener].
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Swap(true) {
		return net.ErrClosed
	}
	close(l.done)
	var problems []error
	for _, s := range l.sockets {
		problems = append(problems, s.Close())
	}
	return errors.Join(problems...)
}

// listenConfig makes sockets for connections as this package wants them.
func listenConfig(shared bool) *net.ListenConfig {
	config := &net.ListenConfig{
		Control: func(_, _ string, rc syscall.RawConn) error { return tune(rc, shared) },
		// Every phase of a connection has a deadline of its own, so the kernel need not probe.
		KeepAliveConfig: net.KeepAliveConfig{Enable: false},
		KeepAlive:       -1,
	}
	config.SetMultipathTCP(false) // older kernels refuse the tuning on such a listener
	return config
}

// tune sets what connections inherit. It bounds what the kernel buffers for a reader that does not read: at most unsent bytes wait
// beyond what is in flight. And it lets nothing wait to be joined by more.
func tune(rc syscall.RawConn, shared bool) error {
	const unsent = 256 << 10
	var err error
	if cerr := rc.Control(func(fd uintptr) {
		err = cmp.Or(
			unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent),
			unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		)
		if err == nil && shared {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		}
	}); cerr != nil {
		return cerr
	}
	return err
}

// serveOn lets each of the room's loops accept from a socket of its own, until l is closed.
func (r *Room) serveOn(l *Listener, secure Secure) error {
	if err := l.widen(context.Background(), l.address.String(), len(r.Loops)); err != nil {
		r.Log.Warn("listening with fewer sockets than there are cores", "address", l.address, "error", err)
	}
	l.mu.Lock()
	sockets := slices.Clone(l.sockets)
	l.mu.Unlock()
	var serving sync.WaitGroup
	problems := make([]error, len(sockets))
	for i, s := range sockets {
		serving.Go(func() { problems[i] = r.serveSocket(r.Loops[i%len(r.Loops)], l, s, secure) })
	}
	serving.Wait()
	return errors.Join(problems...)
}

// serveSocket lets a loop accept from a socket, by a descriptor that only the loop knows.
func (r *Room) serveSocket(on *loop.Loop, l *Listener, s *net.TCPListener, secure Secure) error {
	fd, err := duplicate(s)
	if err != nil {
		if l.closed.Load() {
			err = nil
		}
		return err
	}
	a := &acceptor{room: r, loop: on, listener: l, fd: fd, local: addrPort(s.Addr()), secure: secure}
	on.Call(func() { err = a.begin() })
	if err == nil {
		<-l.done
	}
	if !on.Call(a.end) {
		return errors.Join(err, unix.Close(fd))
	}
	return err
}

func duplicate(s syscall.Conn) (fd int, err error) {
	rc, err := s.SyscallConn()
	if err != nil {
		return 0, err
	}
	cerr := rc.Control(func(old uintptr) { fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) })
	return fd, cmp.Or(cerr, err)
}

// acceptor accepts on a loop by bare system calls, and asks who connects before it makes anything of the connection: a refusal is an
// accept and a reset, with no place on the loop and no allocation.
type acceptor struct {
	room     *Room
	loop     *loop.Loop
	listener *Listener
	fd       int
	local    netip.AddrPort // of every connection, unless the address is unspecified
	secure   Secure
	pause    backoff
	stop     func()
	over     bool
}

// acceptsAtOnce is how many connections are accepted before it is others' turn.
const acceptsAtOnce = 64

func (a *acceptor) begin() (err error) {
	if !a.over {
		a.stop, err = a.loop.Watch(a.fd, func() { a.accept(acceptsAtOnce) })
	}
	return err
}

// end takes in who has waited to be accepted, whom closing the socket would reset, and closes it.
func (a *acceptor) end() {
	a.over = true
	if a.stop != nil {
		a.stop()
		a.stop = nil
		a.accept(backlog)
	}
	loop.Close(a.fd)
}

// backlog is more than wait to be accepted, where nobody has changed net.core.somaxconn.
const backlog = 4 << 10

// accept takes in who waits, up to most.
func (a *acceptor) accept(most int) {
	for range most {
		fd, peer, errno := rawAccept(a.fd)
		switch errno {
		case 0:
			a.pause = 0
			a.take(fd, peer)
		case syscall.EAGAIN:
			return
		case syscall.EINTR, syscall.ECONNABORTED: // the latter: the peer left while it waited
		default:
			a.rest(os.NewSyscallError("accept4", errno))
			return
		}
	}
}

func (a *acceptor) take(fd int, peer netip.AddrPort) {
	if !a.room.admit(peer.Addr()) {
		_ = loop.Forget(fd)
		loop.Close(fd)
		return
	}
	local := a.local
	if local.Addr().IsUnspecified() {
		local = rawLocal(fd)
	}
	a.room.open(a.loop, fd, peer, local, a.secure)
}

// rest stops accepting for a while.
func (a *acceptor) rest(err error) {
	if a.over {
		return
	}
	a.stop()
	a.stop = nil
	time.AfterFunc(a.room.troubled(a.listener, &a.pause, err), func() { a.loop.Do(func() { _ = a.begin() }) })
}

// sockaddr is a sockaddr_in or a sockaddr_in6.
type sockaddr [unix.SizeofSockaddrInet6]byte

func (a *sockaddr) addrPort() netip.AddrPort {
	port := binary.BigEndian.Uint16(a[2:])
	switch binary.NativeEndian.Uint16(a[:]) {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(a[4:])), port)
	case unix.AF_INET6:
		addr := netip.AddrFrom16([16]byte(a[8:])).Unmap()
		if scope := binary.NativeEndian.Uint32(a[24:]); scope != 0 { // of a link-local address
			addr = addr.WithZone(strconv.FormatUint(uint64(scope), 10))
		}
		return netip.AddrPortFrom(addr, port)
	}
	return netip.AddrPort{}
}

func rawAccept(listening int) (fd int, peer netip.AddrPort, errno syscall.Errno) {
	var a sockaddr
	size := uint32(len(a))
	n, _, errno := syscall.RawSyscall6(unix.SYS_ACCEPT4, uintptr(listening), uintptr(unsafe.Pointer(&a)), uintptr(unsafe.Pointer(&size)),
		unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	return int(n), a.addrPort(), errno
}

// rawLocal is the zero AddrPort if the kernel does not tell.
func rawLocal(fd int) netip.AddrPort {
	var a sockaddr
	size := uint32(len(a))
	_, _, _ = syscall.RawSyscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(&a)), uintptr(unsafe.Pointer(&size)))
	return a.addrPort()
}
