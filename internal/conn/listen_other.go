//go:build !linux

package conn

import (
	"context"
	"net"
)

// Listener is an address to listen on.
type Listener struct{ *net.TCPListener }

// Listen opens a TCP listener on address ("host:port").
func Listen(ctx context.Context, address string) (*Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &Listener{l.(*net.TCPListener)}, nil
}

func (r *Room) serveOn(l *Listener, _ Secure) error { return l.Close() }
