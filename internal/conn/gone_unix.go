//go:build unix

package conn

import "syscall"

// ended tells whether a socket's peer has closed its side, unless something that it sent before waits to be read.
func ended(s syscall.Conn) (gone bool) {
	rc, err := s.SyscallConn()
	if err != nil {
		return false
	}
	cerr := rc.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		gone = n == 0 && err == nil || err != nil && err != syscall.EAGAIN && err != syscall.EINTR
	})
	return gone || cerr != nil
}
