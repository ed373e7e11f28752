package flood

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A socket sends frames in batches (packet(7), sendmmsg(2)).
type socket struct {
	fd       int
	frames   [batch][]byte
	vectors  [batch]unix.Iovec
	messages [batch]message
}

// message is the kernel's struct mmsghdr.
type message struct {
	header unix.Msghdr
	length uint32
}

// open returns a socket that receives nothing and sends on an interface.
func open(index int) (*socket, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	s := &socket{fd: fd}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 8<<20),
		unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: index}))
	if err != nil {
		s.close()
		return nil, fmt.Errorf("set up a packet socket: %w", err)
	}
	for i := range s.frames {
		s.frames[i] = make([]byte, MaxFrame)
		s.vectors[i].Base = &s.frames[i][0]
		s.messages[i].header.Iov = &s.vectors[i]
		s.messages[i].header.SetIovlen(1)
	}
	return s, nil
}

func (s *socket) close() { unix.Close(s.fd) } //nolint:errcheck // nothing waits in it

// frame says how long a frame of the batch is.
func (s *socket) frame(i, length int) { s.vectors[i].SetLen(length) }

// send sends the first n frames of the batch. One that the interface refuses is counted and left out.
func (s *socket) send(n int, sent *Sent) error {
	for i := 0; i < n; {
		done, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.messages[i])), uintptr(n-i), 0, 0, 0)
		switch errno {
		case 0:
			for _, v := range s.vectors[i : i+int(done)] {
				sent.Bytes += int(v.Len)
			}
			sent.Packets += int(done)
			i += int(done)
		case unix.ENOBUFS:
			sent.Refused++
			i++
		case unix.EINTR:
		default:
			return errno
		}
	}
	return nil
}
