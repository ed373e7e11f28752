package origin

import (
	"bufio"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/sim"
)

// TestLinger lets clients leave while origins of several manners work on their requests: the share of the budget is held until the
// work is over.
func TestLinger(t *testing.T) {
	const work = 3 * time.Second
	tests := []struct {
		name   string
		script script
		held   time.Duration // after the client left
	}{
		{"ends with its client", func(c net.Conn, r *bufio.Reader) {
			ask(r)
			r.ReadByte()
		}, 0},
		{"works on and answers", func(c net.Conn, r *bufio.Reader) {
			ask(r)
			time.Sleep(time.Second + work)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na")
			r.ReadByte() // the next request, which never comes
		}, work},
		{"works on and closes", func(c net.Conn, r *bufio.Reader) {
			ask(r)
			time.Sleep(time.Second + work)
		}, work},
		{"never ends", func(c net.Conn, r *bufio.Reader) {
			ask(r)
			time.Sleep(time.Hour)
		}, 20 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				room, zone := simulate(t, sim.Link{}, tt.script)
				p := compile(t, room, zone)
				f := ordinary()
				time.AfterFunc(time.Second, f.Abort.Fire)
				p.Fetch(f)
				left := time.Now()
				f.Admission.Lease.(*lease).wait()
				if held := time.Since(left); held != tt.held {
					t.Errorf("the share was held for %v, want %v", held, tt.held)
				}
				if n := p.servers[0].idleCount(); n != 0 {
					t.Errorf("%d idle connections, want none", n)
				}
			})
		})
	}
}
