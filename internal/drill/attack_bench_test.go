package drill

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/drill/scenario"
	"github.com/seawall/seawall/internal/drill/site"
	"github.com/seawall/seawall/internal/drill/wire"
)

const responderVariable = "SEAWALL_DRILL_RESPONDER"

// TestMain lets the test program be its own responder: the generator's processor time is measured, so what answers it has
// to be another process.
func TestMain(m *testing.M) {
	if os.Getenv(responderVariable) != "" {
		respond()
		return
	}
	os.Exit(m.Run())
}

// respond answers every request in the least there is, until standard input ends.
func respond() {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp4", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(l.Addr())
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go respondTo(c)
		}
	}()
	_, _ = bufio.NewReader(os.Stdin).ReadByte()
}

func respondTo(c net.Conn) {
	defer c.Close()
	buf := make([]byte, 4<<10)
	for have := 0; ; {
		n, err := c.Read(buf[have:])
		if err != nil {
			return
		}
		if have += n; bytes.HasSuffix(buf[:have], []byte("\r\n\r\n")) {
			have = 0
			if _, err := c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n")); err != nil {
				return
			}
		}
	}
}

// startResponder starts one in another process, and ends it with the benchmark.
func startResponder(b *testing.B) string {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), responderVariable+"=1", "GOMAXPROCS=1")
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
	b.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(addr)
}

// BenchmarkAttack plays b.N requests of 5,000 addresses over keep-alive, and says what a request costs the generator's
// processor: 30,000 requests a second a core are 33 µs.
func BenchmarkAttack(b *testing.B) {
	tests := []struct {
		name    string
		request scenario.Request
		agent   string
	}{
		{"page", scenario.Request{Method: "GET", Path: "/"}, "chrome"},
		{"searches", scenario.Request{Method: "GET", Path: "/search?q={words}"}, "browsers"},
	}
	content := site.NewContent()
	for _, tt := range tests {
		b.Run(tt.name, func(b *testing.B) {
			target, err := wire.Resolve(b.Context(), "http://"+startResponder(b), "harbour.test")
			if err != nil {
				b.Fatal(err)
			}
			const rate, bots = 30_000, 5000
			lead := 3 * time.Second // in which all bots connect
			length := lead + time.Duration(b.N)*time.Second/rate
			s := &scenario.Scenario{Seed: 1, Length: length, Patience: 10 * time.Second, Attacks: []scenario.Attack{
				{Name: "bench", Kind: scenario.Requests, Rate: rate, From: lead, Sources: scenario.Sources{Count: bots},
					Agent: tt.agent, Requests: []scenario.Request{tt.request}},
			}}
			c := &clock{}
			a, err := newAssault(s, &wire.Dialer{Target: target}, content, c, newTruth(c))
			if err != nil {
				b.Fatal(err)
			}
			c.start = time.Now()
			x := a.attacks[0]
			for i := range bots {
				x.bots[i].limit = 1 // it is requests that are measured, not connections
				c.wait(b.Context(), lead*time.Duration(i)/bots/2)
				s := slot{bot: i, at: c.now()}
				l := x.wardrobe.of(s)
				x.wg.Go(func() { x.shoot(b.Context(), job{x.field.pool.acquire(x, &x.bots[i], l), l, s}) })
			}
			x.wg.Wait()
			c.wait(b.Context(), lead)
			a.field.account.lag.Store(0)
			b.ReportAllocs()
			b.ResetTimer()
			before := processorTime(b)
			a.run(b.Context())
			spent := processorTime(b) - before
			offered, withheld, lag, outcomes := a.totals()
			if outcomes["200"] < offered*95/100 {
				b.Errorf("of %d requests: %v", offered, outcomes)
			}
			b.ReportMetric(float64(offered-bots)/spent.Seconds(), "req/cpu-s")
			b.ReportMetric(float64(outcomes["200"]-bots)/b.Elapsed().Seconds(), "req/s")
			b.ReportMetric(float64(lag.Milliseconds()), "lag-ms")
			b.ReportMetric(float64(withheld), "withheld")
		})
	}
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
