package wire

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// pageHead is what a site behind a proxy answers, more or less.
const pageHead = "HTTP/1.1 200 OK\r\nServer: x\r\nDate: Sun, 22 Nov 2026 20:00:00 GMT\r\nContent-Type: text/html; charset=utf-8\r\n" +
	"Cache-Control: max-age=60\r\nETag: \"5f3a\"\r\nVary: Accept-Encoding\r\nContent-Length: 1024\r\n\r\n"

// respond answers whatever comes in one read as if it were a request, until l is closed.
func respond(l net.Listener) {
	answer := []byte(pageHead + strings.Repeat("x", 1024))
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			in := make([]byte, 2048)
			for {
				if _, err := c.Read(in); err != nil {
					return
				}
				if _, err := c.Write(answer); err != nil {
					return
				}
			}
		}()
	}
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// flooder is a bot's connection with what it sends.
type flooder struct {
	c       *Conn
	request []byte
	r       Response
}

func dialFlooder(t testing.TB, d *Dialer, i int) *flooder {
	t.Helper()
	source := netip.AddrFrom4([4]byte{127, 16, byte(i >> 8), byte(i)})
	c, err := d.Dial(t.Context(), source, Tool(i%50, newRand(uint64(i))))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Abandon)
	return &flooder{c: c, request: c.Render(&Request{Path: fmt.Sprintf("/articles/%d", i)})}
}

func BenchmarkShoot(b *testing.B) {
	l := listen(b)
	go respond(l)
	f := dialFlooder(b, &Dialer{Target: Target{Addr: netip.MustParseAddrPort(l.Addr().String()), Host: "harbour.test"}}, 2)
	b.ReportAllocs()
	for b.Loop() {
		if err := f.c.Shoot(time.Now().Add(5*time.Second), f.request, &f.r); err != nil || f.r.Status != 200 {
			b.Fatal(f.r.Status, err)
		}
	}
}

// responderEnv makes the test binary a responder that says where it listens.
const responderEnv = "SEAWALL_DRILL_RESPONDER"

func TestMain(m *testing.M) {
	if os.Getenv(responderEnv) == "" {
		os.Exit(m.Run())
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		os.Exit(1)
	}
	fmt.Println(l.Addr())
	go respond(l)
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent ends
	os.Exit(0)
}

// startResponder runs a responder in a process of its own, so that its time is not the client's.
func startResponder(b *testing.B) netip.AddrPort {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), responderEnv+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return netip.MustParseAddrPort(strings.TrimSpace(line))
}

// cpuTime is what this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFlood floods from thousands of addresses at once over keep-alive, and reports the CPU time that a request costs the client.
func BenchmarkFlood(b *testing.B) {
	for _, n := range []int{64, 4000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			d := &Dialer{Target: Target{Addr: startResponder(b), Host: "harbour.test"}}
			var flood []*flooder
			for i := range n {
				flood = append(flood, dialFlooder(b, d, i))
			}
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			start := cpuTime()
			for _, f := range flood {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						if err := f.c.Shoot(time.Now().Add(5*time.Second), f.request, &f.r); err != nil || f.r.Status != 200 {
							b.Error(f.r.Status, err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64((cpuTime()-start).Microseconds())/float64(b.N), "client-cpu-µs/op")
		})
	}
}

// BenchmarkHello makes hellos as a flood of handshakes wants them; Chrome's and Firefox's have a post-quantum key share each.
func BenchmarkHello(b *testing.B) {
	d := &Dialer{Target: there}
	for _, name := range []string{"chrome", "firefox", "ios", "curl", "python", "go"} {
		b.Run(name, func(b *testing.B) {
			s, err := Named(name, newRand(1))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Hello(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBrowser(b *testing.B) {
	rng := newRand(1)
	b.ReportAllocs()
	for b.Loop() {
		Browser(rng)
	}
}
