//go:build !linux || !(amd64 || arm64)

package origin

import "net"

// rawConn is made on Linux only; elsewhere every connection takes the portable way.
type rawConn struct{}

func newRawConn(net.Conn) *rawConn { return nil }

func (*rawConn) exchange(*conn, []byte, []byte, bool) (int, error) { panic("not made") }
func (*rawConn) read([]byte) (int, error)                          { panic("not made") }
