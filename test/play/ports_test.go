package play

import (
	"errors"
	"net"
	"strconv"

	"golang.org/x/sys/unix"
)

// ports sets each name to an address to listen on, and the name with _PORT to its port.
func ports(p *play, names []string) error {
	for _, name := range names {
		address, err := p.reserve()
		if err != nil {
			return err
		}
		_, port, _ := net.SplitHostPort(address)
		p.Setenv(name, address)
		p.Setenv(name+"_PORT", port)
	}
	return nil
}

// reserve finds an address that nobody listens on, and keeps it from everybody else on this machine until the play ends: it is
// bound, but connections to it are refused until a server of this play listens there too, as SO_REUSEADDR allows.
func (p *play) reserve() (address string, err error) {
	name, err := p.bind(unix.AF_INET, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	if err != nil {
		return "", err
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(name.(*unix.SockaddrInet4).Port)), nil
}

// reserveEverywhere is reserve for a server that listens on all addresses: nobody else may have the port on any.
func (p *play) reserveEverywhere() (port string, err error) {
	name, err := p.bind(unix.AF_INET6, &unix.SockaddrInet6{})
	if err != nil {
		return "", err
	}
	return strconv.Itoa(name.(*unix.SockaddrInet6).Port), nil
}

// bind keeps a socket bound until the play ends, and returns what it got.
func (p *play) bind(family int, to unix.Sockaddr) (unix.Sockaddr, error) {
	s, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	p.Defer(func() { unix.Close(s) })
	if err := errors.Join(unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1), unix.Bind(s, to)); err != nil {
		return nil, err
	}
	return unix.Getsockname(s)
}
