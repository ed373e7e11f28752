package conn

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestEndWithRequest sends a request and the end of the stream in one packet, so that one readiness event tells of both: the
// connection has to end all the same, long before it would for being idle.
func TestEndWithRequest(t *testing.T) {
	for _, text := range []string{"get 1\n", "get 1\nget"} {
		t.Run(text[:len(text)-1], func(t *testing.T) {
			loopback(t, options{}, false, func(w *world) {
				c := w.connect().(*net.TCPConn)
				rc, err := c.SyscallConn()
				if err != nil {
					t.Fatal(err)
				}
				if cerr := rc.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_CORK, 1) }); cerr != nil || err != nil {
					t.Fatal(cerr, err)
				}
				began := time.Now()
				w.send(c, text)
				c.CloseWrite()
				w.wantText(c, "1:0")
				w.wantGone(c)
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("closed after %v", took)
				}
			})
		})
	}
}
