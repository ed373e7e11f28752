//go:build !linux

package conn

import (
	"net"
	"syscall"
)

func newTransport(nc net.Conn) transport { return &plain{Conn: nc} }

func tuneListener(_, _ string, _ syscall.RawConn) error { return nil }
