//go:build !linux

package conn

import (
	"net"
	"syscall"
)

func newTransport(nc net.Conn, c *Conn) transport { return &plain{Conn: nc, c: c} }

func tuneListener(_, _ string, _ syscall.RawConn) error { return nil }

func lean(l net.Listener) (net.Listener, error) { return l, nil }
