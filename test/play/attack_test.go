package play

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes attack a program of its own, which stories run with exec: what it computes is not to be the visitors' or the origin's delay.
func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"attack": attack}) }

// An assault is connections that mean no good to TLS, from thousands of loopback addresses, for a bounded time.
type assault struct {
	target string
	config *tls.Config
	each   int           // connections of an address at once
	late   time.Duration // after which being cut is late
	over   time.Time     // when nothing new is begun
	hellos [][]byte      // recorded, as a tool would have them ready

	opened                                 atomic.Int64
	unopened, complete, cut, cutLate, left atomic.Int64
	answeredCut, answeredLeft              atomic.Int64
}

// attacks are what an assault's connections do. Each ends when it is cut, or has what it wants.
var attacks = map[string]func(a *assault, c net.Conn, hello []byte){
	"hellos":     (*assault).hello,     // a ClientHello, and nothing more
	"strays":     (*assault).stray,     // the same, and gone without waiting for the answer
	"handshakes": (*assault).handshake, // whole ones
	"halves":     (*assault).half,      // half of a ClientHello
	"silent":     (*assault).listen,    // nothing
	"drips":      (*assault).drip,      // a byte of a ClientHello each second
}

// attack is the program: attack [-n N] [-each N] [-for TIME] [-late TIME] KIND ADDRESS. It says at its end what became of its connections.
func attack() {
	n := flag.Int("n", 512, "connections at once")
	each := flag.Int("each", 1, "how many of them are of one address")
	lasting := flag.Duration("for", 4*time.Second, "how long new ones are opened")
	late := flag.Duration("late", patience, "after which time to be cut is late")
	flag.Parse()
	what := attacks[flag.Arg(0)]
	if what == nil || flag.NArg() != 2 || *n < 1 || *n > 5000 || *each < 1 || *lasting > 10*time.Second {
		fmt.Fprintln(os.Stderr, "attack:", errUsage)
		os.Exit(2)
	}
	a := &assault{
		target: flag.Arg(1), each: *each, late: *late, over: time.Now().Add(*lasting),
		config: &tls.Config{ServerName: "site.test", InsecureSkipVerify: true},
	}
	for range 16 {
		a.hellos = append(a.hellos, clientHello(a.config))
	}
	var all sync.WaitGroup
	for range *n {
		all.Go(func() {
			for time.Now().Before(a.over) {
				a.connect(what)
			}
		})
	}
	all.Wait()
	a.tell(os.Stdout)
}

// tell says what became of the connections: the node cut them, or they left.
func (a *assault) tell(w io.Writer) {
	for _, line := range []struct {
		what string
		n    *atomic.Int64
	}{
		{"opened", &a.opened}, {"unopened", &a.unopened}, {"complete", &a.complete},
		{"cut", &a.cut}, {"cut late", &a.cutLate}, {"answered, and cut", &a.answeredCut},
		{"left", &a.left}, {"answered, and left", &a.answeredLeft},
	} {
		fmt.Fprintf(w, "%s %d\n", line.what, line.n.Load())
	}
}

// clientHello is the first that crypto/tls says.
func clientHello(config *tls.Config) []byte {
	near, far := net.Pipe()
	go func() {
		tls.Client(near, config).Handshake()
		near.Close()
	}()
	defer far.Close()
	record := make([]byte, 16<<10)
	n, err := far.Read(record)
	if err != nil {
		panic(err)
	}
	return record[:n]
}

// connect opens the next connection, from the next address if the last one has enough. Neighbours in time are of different networks.
func (a *assault) connect(what func(*assault, net.Conn, []byte)) {
	i := int(a.opened.Add(1))
	from := i / a.each % (64 * 64 * 200)
	address := net.IPv4(127, byte(64+from%64), byte(from/64%64), byte(1+from/4096))
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: address}, Timeout: patience}).Dial("tcp", a.target)
	if err != nil {
		if a.unopened.Add(1) == 1 {
			fmt.Fprintln(os.Stderr, "attack:", err)
		}
		return
	}
	defer c.Close()
	forget(c)
	what(a, c, a.hellos[i%len(a.hellos)])
}

// forget makes the close of c a reset, as of a tool that keeps nothing of the connections it has had.
func forget(c net.Conn) { c.(*net.TCPConn).SetLinger(0) }

func (a *assault) hello(c net.Conn, hello []byte) {
	c.Write(hello)
	c.SetReadDeadline(a.over)
	a.listen(c, nil)
}

func (a *assault) stray(c net.Conn, hello []byte) {
	c.Write(hello)
	a.left.Add(1)
}

func (a *assault) handshake(c net.Conn, _ []byte) {
	c.SetDeadline(time.Now().Add(patience))
	if tls.Client(c, a.config).Handshake() != nil {
		a.cut.Add(1)
		return
	}
	a.complete.Add(1)
}

func (a *assault) half(c net.Conn, hello []byte) {
	c.Write(hello[:len(hello)/2])
	a.listen(c, nil)
}

func (a *assault) drip(c net.Conn, hello []byte) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		second := time.NewTicker(time.Second)
		defer second.Stop()
		for i := range hello {
			c.Write(hello[i : i+1])
			select {
			case <-second.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	a.listen(c, nil)
}

// listen waits until the connection is cut, or its time is up.
func (a *assault) listen(c net.Conn, _ []byte) {
	began := time.Now()
	n, err := io.Copy(io.Discard, c)
	end, answered := &a.cut, &a.answeredCut
	if errors.Is(err, os.ErrDeadlineExceeded) {
		end, answered = &a.left, &a.answeredLeft
	} else if time.Since(began) > a.late {
		a.cutLate.Add(1)
	}
	end.Add(1)
	if n > alertSize {
		answered.Add(1)
	}
}

// alertSize is how long a record is that says why it is the last.
const alertSize = 7
