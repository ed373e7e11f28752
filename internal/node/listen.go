package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/seawall/seawall/internal/conn"
	"github.com/seawall/seawall/internal/hello"
	"github.com/seawall/seawall/internal/spec"
)

// errNoListener tells that nothing is left to serve on.
var errNoListener = errors.New("no address to listen on: give one with --http or --https")

// listen opens all listeners. One that does not open is reported and left out; none at all is an error.
func (n *Node) listen(ctx context.Context) error {
	var problems []error
	for _, l := range n.spec.HTTP {
		problems = append(problems, n.serve(ctx, "http", l, nil))
	}
	if len(n.spec.HTTPS) > 0 {
		var err error
		var unread []error
		if n.hello, unread, err = hello.New(&n.spec, time.Now()); err != nil {
			problems = append(problems, fmt.Errorf("serving no https: %w", err))
		}
		n.warn("serving without a certificate", unread...)
	}
	if n.hello != nil {
		for _, l := range n.spec.HTTPS {
			problems = append(problems, n.serve(ctx, "https", l, n.hello.Handshake))
		}
	}
	err := errors.Join(problems...)
	switch {
	case len(n.listening) == 0 && err == nil:
		return errNoListener
	case len(n.listening) == 0:
		return err
	case err != nil:
		n.warn("not listening", err)
	}
	if n.spec.Admin != "" {
		if err := n.startAdmin(ctx); err != nil {
			n.warn("serving without an admin listener", err)
		}
	}
	return nil
}

func (n *Node) serve(ctx context.Context, scheme string, want spec.Listener, secure conn.Handshake) error {
	l, err := conn.Listen(ctx, want.Address)
	if errors.Is(err, syscall.EACCES) && want.Otherwise != "" {
		n.log.Info("not permitted to listen", "address", want.Address, "instead", want.Otherwise)
		want.Address = want.Otherwise
		l, err = conn.Listen(ctx, want.Address)
	}
	if err != nil {
		return explainListen(scheme, want.Address, err)
	}
	n.listening = append(n.listening, Listening{Scheme: scheme, Address: l.Addr()})
	go func() {
		if err := n.conns.Serve(l, secure); err != nil {
			n.log.Error("listener ended", "address", want.Address, "error", err)
		}
	}()
	return nil
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
