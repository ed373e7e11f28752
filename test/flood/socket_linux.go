package flood

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// A socket sends frames (packet(7)), each by a call of its own: 500,000 to 700,000 a second. With sendmmsg(2) it would be a third more,
// for which one has to lay out the kernel's structures by unsafe.
type socket struct{ fd int }

// open returns a socket that receives nothing and sends on an interface.
func open(index int) (socket, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return socket{}, fmt.Errorf("open a packet socket: %w", err)
	}
	s := socket{fd}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 8<<20),
		unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: index}))
	if err != nil {
		s.close()
		return socket{}, fmt.Errorf("set up a packet socket: %w", err)
	}
	return s, nil
}

func (s socket) close() { unix.Close(s.fd) } //nolint:errcheck // nothing waits in it

// send sends a frame, or counts it if the interface refuses it.
func (s socket) send(frame []byte, sent *Sent) error {
	for {
		switch _, err := unix.Write(s.fd, frame); err {
		case nil:
			sent.Packets++
			sent.Bytes += len(frame)
			return nil
		case unix.ENOBUFS:
			sent.Refused++
			return nil
		case unix.EINTR:
		default:
			return fmt.Errorf("send a packet: %w", err)
		}
	}
}
