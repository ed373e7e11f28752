package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/seawall/seawall/internal/node"
)

// runNode is the command line of a node that a file configures.
type runNode struct {
	Config string `help:"The configuration (${default})." default:"${config}" placeholder:"FILE" type:"path"`
	Data   string `help:"Where to look for what was in force last if the configuration can't be used (${default})." default:"${data}" placeholder:"DIR" type:"path"`
}

// Run serves until it is told to stop.
func (r *runNode) Run(ctx context.Context, o output) error {
	log := slog.New(slog.NewTextHandler(o.err, nil))
	p, err := node.NewProcess(func(state string) { tell(log, state) })
	if err != nil {
		return err
	}
	n, err := p.Open(ctx, r.Config, r.Data, log)
	if err != nil {
		return err
	}
	greetNode(o.out, n, r.Config)
	return keep(ctx, n, log, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
}

// keep serves until ctx ends, or another process has taken over and this one's last connection has ended. Of the signals, SIGHUP reloads,
// SIGUSR1 opens the access log anew and SIGUSR2 hands over to a new process.
func keep(ctx context.Context, n *node.Node, log *slog.Logger, on ...os.Signal) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, on...)
	defer signal.Stop(signals)
	alive := watchdog()
	tell(log, "READY=1")
	for {
		select {
		case <-alive:
			tell(log, "WATCHDOG=1")
		case s := <-signals:
			switch s {
			case syscall.SIGUSR1:
				reopen(n, log)
			case syscall.SIGUSR2:
				go n.Upgrade("") //nolint:errcheck // it is in the log
			default:
				tell(log, reloading())
				n.Reload()
				tell(log, "READY=1")
			}
		case <-n.Retired():
			return drain(ctx, n, log, signals)
		case <-ctx.Done():
			tell(log, "STOPPING=1")
			log.Info("stopping: letting requests finish", "at most", n.Spec().Connections.DrainTimeout)
			return n.Shutdown(context.WithoutCancel(ctx))
		}
	}
}

func reopen(n *node.Node, log *slog.Logger) {
	if err := n.ReopenLog(); err != nil {
		log.Warn("access log not reopened", "error", err)
	}
}

// errOrphaned ends the program, so that systemd starts it again.
var errOrphaned = errors.New("the process that had taken over is gone")

// drain lets a node end that another process has taken over. If that one dies, systemd doesn't see it, as it is not its child: then this
// one becomes the main process again, and ends.
func drain(ctx context.Context, n *node.Node, log *slog.Logger, signals <-chan os.Signal) error {
	drained := make(chan error, 1)
	go func() { drained <- n.Drain(ctx) }()
	orphaned := n.Orphaned()
	for {
		select {
		case s := <-signals:
			if s == syscall.SIGUSR1 {
				reopen(n, log)
			}
		case <-orphaned:
			if os.Getenv("NOTIFY_SOCKET") != "" {
				tell(log, fmt.Sprintf("MAINPID=%d", os.Getpid()))
				return errOrphaned
			}
			orphaned = nil
		case err := <-drained:
			return err
		}
	}
}

// tell says a state to systemd, if that is who started the program.
func tell(log *slog.Logger, state string) {
	if err := notify(state); err != nil {
		log.Warn("systemd not told", "state", state, "error", err)
	}
}

// greetNode says where to look.
func greetNode(w io.Writer, n *node.Node, config string) {
	fmt.Fprintf(w, "seawall runs %s\n", config)
	fmt.Fprintf(w, "  zones        %d\n", n.Zones())
	greetDoors(w, n)
}

// greetDoors says where visitors and the operator find the node.
func greetDoors(w io.Writer, n *node.Node) {
	s := n.Spec()
	for _, l := range n.Listening() {
		fmt.Fprintf(w, "  visitors     %s://%s\n", l.Scheme, visible(l.Address))
	}
	if a := n.Admin(); a != nil {
		fmt.Fprintf(w, "  status       http://%s/, metrics at /metrics; any name, and the token in %s\n", a, filepath.Join(s.Data, "admin.token"))
	}
	if s.Log.Path != "" {
		fmt.Fprintf(w, "  access log   %s\n", s.Log.Path)
	}
	fmt.Fprintf(w, "  a refusal    shows an id: seawall explain ID\n")
}
