package conn

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// listener accepts by bare system calls and asks who connects before it makes anything of the connection: a refusal is an accept and a
// reset, with no place in the poller and no allocation.
type listener struct {
	file    *os.File
	rc      syscall.RawConn
	address *net.TCPAddr
	local   netip.AddrPort // of every connection, unless the address is unspecified
}

// lean takes l's socket over and closes l, so that one descriptor is left. (A TCPListener's own RawConn cannot read.)
func lean(l net.Listener) (net.Listener, error) {
	defer l.Close()
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		return nil, err
	}
	rc, err := file.SyscallConn()
	if err == nil {
		err = file.SetDeadline(time.Time{}) // fails where the poller does
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return &listener{file: file, rc: rc, address: l.Addr().(*net.TCPAddr), local: addrPort(l.Addr())}, nil
}

// Addr implements [net.Listener].
func (l *listener) Addr() net.Addr { return l.address }

// Close implements [net.Listener].
func (l *listener) Close() error { return l.file.Close() }

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	return l.screen(func(netip.Addr) bool { return true })()
}

// screen implements [screener].
func (l *listener) screen(admit func(netip.Addr) bool) func() (net.Conn, error) {
	var fd int
	var peer netip.AddrPort
	var errno syscall.Errno
	try := func(listening uintptr) bool {
		fd, peer, errno = rawAccept(listening)
		return errno != syscall.EAGAIN
	}
	return func() (net.Conn, error) {
		for {
			if err := l.rc.Read(try); err != nil { // there is no deadline, so it was closed
				return nil, l.failed(net.ErrClosed)
			}
			switch {
			case errno == syscall.EINTR || errno == syscall.ECONNABORTED: // the latter: the peer left while it waited
			case errno != 0:
				return nil, l.failed(os.NewSyscallError("accept4", errno))
			case admit(peer.Addr()):
				return l.socket(fd, peer), nil
			default:
				_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
				_ = unix.Close(fd)
			}
		}
	}
}

func (l *listener) failed(err error) error {
	return &net.OpError{Op: "accept", Net: "tcp", Addr: l.address, Err: err}
}

// socket is a TCP connection that was accepted without package net, which would ask the kernel for what the listener knows, and has no
// way to take over a descriptor but to make a second one.
type socket struct {
	*os.File
	local, remote netip.AddrPort
}

func (l *listener) socket(fd int, remote netip.AddrPort) *socket {
	local := l.local
	if local.Addr().IsUnspecified() {
		local = rawLocal(fd)
	}
	return &socket{File: os.NewFile(uintptr(fd), ""), local: local, remote: remote}
}

// LocalAddr implements [net.Conn].
func (s *socket) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(s.local) }

// RemoteAddr implements [net.Conn].
func (s *socket) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(s.remote) }

// Read implements [net.Conn]: a passed deadline has to be a [net.Error], which an [os.PathError] around it is not, or crypto/tls would
// take it for the end.
func (s *socket) Read(p []byte) (int, error) {
	n, err := s.File.Read(p)
	return n, bare(err)
}

// Write implements [net.Conn].
func (s *socket) Write(p []byte) (int, error) {
	n, err := s.File.Write(p)
	return n, bare(err)
}

func bare(err error) error {
	if e := errors.Unwrap(err); e != nil {
		return e
	}
	return err
}

// CloseWrite is [net.TCPConn.CloseWrite].
func (s *socket) CloseWrite() error {
	return s.control(func(fd int) error { return unix.Shutdown(fd, unix.SHUT_WR) })
}

// SetLinger is [net.TCPConn.SetLinger].
func (s *socket) SetLinger(seconds int) error {
	l := unix.Linger{Onoff: 1, Linger: int32(seconds)}
	if seconds < 0 {
		l = unix.Linger{}
	}
	return s.control(func(fd int) error { return unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &l) })
}

func (s *socket) control(do func(fd int) error) error {
	rc, err := s.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = rc.Control(func(fd uintptr) { failed = do(int(fd)) })
	return errors.Join(err, failed)
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

func rawAccept(listening uintptr) (fd int, peer netip.AddrPort, errno syscall.Errno) {
	var a sockaddr
	size := uint32(len(a))
	n, _, errno := syscall.RawSyscall6(unix.SYS_ACCEPT4, listening, uintptr(unsafe.Pointer(&a)), uintptr(unsafe.Pointer(&size)),
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
