package main

import (
	"context"
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
	n, err := node.Open(ctx, r.Config, r.Data, log)
	if err != nil {
		return err
	}
	greetNode(o.out, n, r.Config)
	return keep(ctx, n, log, syscall.SIGHUP, syscall.SIGUSR1)
}

// keep serves until ctx ends. Of the signals, SIGHUP reloads and SIGUSR1 opens the access log anew.
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
			if s == syscall.SIGUSR1 {
				if err := n.ReopenLog(); err != nil {
					log.Warn("access log not reopened", "error", err)
				}
				continue
			}
			tell(log, reloading())
			n.Reload()
			tell(log, "READY=1")
		case <-ctx.Done():
			tell(log, "STOPPING=1")
			log.Info("stopping: letting requests finish", "at most", n.Spec().Connections.DrainTimeout)
			return n.Shutdown(context.WithoutCancel(ctx))
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
