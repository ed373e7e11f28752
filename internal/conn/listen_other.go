//go:build !linux

package conn

import (
	"context"
	"net"
)

// Listener is an address to listen on.
type Listener struct{ net.Listener }

// Listen opens a TCP listener on address ("host:port").
func Listen(ctx context.Context, address string) (*Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	return &Listener{l}, err
}

func (r *Room) serveOn(l *Listener, _ Secure) error { return l.Close() }
