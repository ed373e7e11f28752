package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/seawall/seawall/internal/conn"
	"github.com/seawall/seawall/internal/control/cert"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/hello"
	"github.com/seawall/seawall/internal/spec"
)

// errNoListener tells that nothing is left to serve on.
var errNoListener = errors.New("no address to listen on: give one with --http or --https")

// door is an address that connections are accepted on once the zones are in force; until then they wait.
type door struct {
	address  string // as it was wanted
	listener *conn.Listener
	secure   conn.Secure // nil for cleartext
}

// listen opens all listeners. One that does not open is reported and left out; none at all is an error.
func (n *Node) listen(ctx context.Context) error {
	var problems []error
	for _, l := range n.spec.HTTP {
		problems = append(problems, n.open(ctx, "http", l, nil))
	}
	if len(n.spec.HTTPS) > 0 {
		n.prepareTLS()
		for _, l := range n.spec.HTTPS {
			problems = append(problems, n.open(ctx, "https", l, secure{n.hello}))
		}
	}
	err := errors.Join(problems...)
	if lost := n.lost(err); lost != nil {
		return lost
	}
	switch {
	case len(n.listening) == 0 && err == nil:
		return errNoListener
	case len(n.listening) == 0:
		return err
	case err != nil:
		n.warn("not listening", err)
	}
	return nil
}

// prepareTLS readies the handshakes, and who obtains certificates.
func (n *Node) prepareTLS() {
	n.certificates = cert.New(filepath.Join(n.spec.Data, "acme"), n.log)
	n.path.Challenge = n.certificates.Challenge
	var problems []error
	n.hello, problems = hello.New(&n.spec, hello.Options{
		Issued:  n.certificates.Certificate,
		Serves:  func(host string) bool { return n.snapshot.Zones().Lookup(host) != nil },
		Policy:  n.policy,
		Workers: n.workers,
	}, time.Now())
	n.warn("serving without a certificate", problems...)
}

// policy is how hands are shaken for a host; nil in the usual way.
func (n *Node) policy(host string) *hello.Policy {
	if z := n.snapshot.Zones().Lookup(host); z != nil {
		return z.Hello
	}
	return nil
}

// secure is hello's handshakes as conn has them.
type secure struct{ *hello.Room }

// Begin implements [conn.Secure].
func (s secure) Begin(raw net.Conn, info *flow.Conn) conn.Shake { return s.Room.Begin(raw, info) }

func (n *Node) open(ctx context.Context, scheme string, want spec.Listener, secure conn.Secure) error {
	l, err := n.listener(ctx, want.Address)
	if errors.Is(err, syscall.EACCES) && want.Otherwise != "" {
		n.log.Info("not permitted to listen", "address", want.Address, "instead", want.Otherwise)
		want.Address = want.Otherwise
		l, err = n.listener(ctx, want.Address)
	}
	if err != nil {
		return explainListen(scheme, want.Address, err)
	}
	n.doors = append(n.doors, door{want.Address, l, secure})
	n.listening = append(n.listening, Listening{Scheme: scheme, Address: l.Addr()})
	if a, ok := l.Addr().(*net.TCPAddr); ok && secure != nil && n.rooms.Verdict.HTTPSPort == 0 {
		n.rooms.Verdict.HTTPSPort = a.Port
	}
	return nil
}

// serve opens the doors.
func (n *Node) serve(ctx context.Context) {
	for _, d := range n.doors {
		go func() {
			if err := n.conns.Serve(d.listener, d.secure); err != nil {
				n.log.Error("listener ended", "address", d.listener.Addr(), "error", err)
			}
		}()
	}
	if n.spec.Admin != "" {
		if err := n.startAdmin(ctx); err != nil {
			n.warn("serving without an admin listener", err)
		}
	}
}

// explainListen says what would be right.
func explainListen(scheme, address string, err error) error {
	var hint string
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		_, port, _ := net.SplitHostPort(address)
		hint = fmt.Sprintf("another program has port %s: stop it (see ss -ltnp), or choose another with --%s", port, scheme)
	case errors.Is(err, syscall.EACCES):
		hint = fmt.Sprintf("ports below 1024 need root or CAP_NET_BIND_SERVICE: choose another with --%s", scheme)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		hint = "no interface of this machine has that address"
	default:
		return fmt.Errorf("listening on %s: %w", address, err)
	}
	return fmt.Errorf("listening on %s: %s", address, hint)
}

// descriptorsKept are for files, the admin listener and the origin's connections at the least.
const descriptorsKept = 256

// fitFileLimit lowers the bound on connections to what the file limit allows: each may need a second one to the origin. The runtime
// has raised the soft limit to the hard one already.
func (n *Node) fitFileLimit() {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return
	}
	fits := max((int(min(limit.Cur, 1<<30))-descriptorsKept)/2, 16)
	if fits >= n.spec.Connections.Max {
		return
	}
	n.log.Warn("the file limit is low: accepting fewer connections", "limit", limit.Cur, "connections", fits,
		"wanted", n.spec.Connections.Max, "for all", fmt.Sprintf("ulimit -n %d", 2*n.spec.Connections.Max+descriptorsKept), "pid", os.Getpid())
	n.spec.Connections.Max = fits
}
