// Package node is one process: it assembles the rooms, opens the doors and closes them again.
//
// It serves whatever it can: what does not work at the start is said once and left out, and only a node that could serve nothing at all
// fails to start.
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/seawall/seawall/internal/admission"
	"github.com/seawall/seawall/internal/cache"
	"github.com/seawall/seawall/internal/conn"
	"github.com/seawall/seawall/internal/edge"
	"github.com/seawall/seawall/internal/hello"
	"github.com/seawall/seawall/internal/origin"
	"github.com/seawall/seawall/internal/record"
	"github.com/seawall/seawall/internal/request"
	"github.com/seawall/seawall/internal/response"
	"github.com/seawall/seawall/internal/snapshot"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/verdict"
	"github.com/seawall/seawall/internal/zone"
	"github.com/seawall/seawall/reqid"
)

// Node is a running node.
type Node struct {
	spec   spec.Node
	log    *slog.Logger
	keys   *keys
	sealer *reqid.Sealer

	conns    *conn.Room
	hello    *hello.Room
	rooms    zone.Rooms
	snapshot *snapshot.Snapshot
	admin    *admin

	listening []Listening
}

// Listening is an address that the node accepts connections on.
type Listening struct {
	Scheme  string // "http" or "https"
	Address net.Addr
}

// Start assembles a node, puts zones in force and begins to serve. What does not work but can be done without is logged. It fails if the
// data folder can't be used, if no listener opens or if no zone compiles.
func Start(ctx context.Context, s spec.Node, zones []spec.Zone, log *slog.Logger) (*Node, error) {
	n := &Node{spec: s, log: log}
	n.fitFileLimit()
	if err := n.start(ctx, zones); err != nil {
		if n.rooms.Record != nil {
			_ = n.rooms.Record.Close()
		}
		return nil, err
	}
	return n, nil
}

func (n *Node) start(ctx context.Context, zones []spec.Zone) error {
	if err := n.assemble(); err != nil {
		return err
	}
	problems := n.snapshot.Apply(zones)
	if len(problems) > 0 && len(problems) == len(zones) {
		return errors.Join(problems...)
	}
	n.warn("zone refused", problems...)
	return n.listen(ctx)
}

// assemble makes the rooms, from the record back to the doors.
func (n *Node) assemble() (err error) {
	if n.keys, err = openKeys(n.spec.Data); err != nil {
		return err
	}
	n.sealer = reqid.NewSealer(n.keys.seal)
	if n.rooms.Record, err = record.New(&n.spec, n.log); err != nil {
		n.warn("serving without an access log", err)
		n.spec.Log.Path = ""
		if n.rooms.Record, err = record.New(&n.spec, n.log); err != nil {
			return err
		}
	}
	if n.rooms.Cache, err = cache.New(&n.spec); err != nil {
		return err
	}
	n.rooms.Verdict = verdict.New(&n.spec)
	n.rooms.Admission = admission.New(&n.spec)
	n.rooms.Origin = origin.New(&n.spec)
	n.rooms.Response = response.New(&n.spec, n.sealer)
	if n.snapshot, err = snapshot.New(&n.rooms); err != nil {
		return err
	}
	requests := request.New(&n.spec, newGenerator(), edge.New(n.snapshot))
	n.conns = conn.New(&n.spec, conn.Options{Open: requests.Open, Log: n.log})
	return nil
}

func (n *Node) warn(what string, problems ...error) {
	for _, err := range problems {
		n.log.Warn(what, "error", err)
	}
}

// Listening returns the addresses on which visitors are served.
func (n *Node) Listening() []Listening { return n.listening }

// Admin returns the admin listener's address, nil if there is none.
func (n *Node) Admin() net.Addr {
	if n.admin == nil {
		return nil
	}
	return n.admin.listener.Addr()
}

// Counts returns what was counted for a zone.
func (n *Node) Counts(zoneName string) (counts record.Counts) {
	n.snapshot.Each(func(z *zone.Zone) {
		if z.Name() == zoneName {
			counts = z.Record.Counts()
		}
	})
	return counts
}

// ReopenLog opens the access log anew, after it was rotated.
func (n *Node) ReopenLog() error { return n.rooms.Record.Reopen() }

// Shutdown stops accepting, lets requests finish within ctx and the node's drain time-out, and closes everything.
func (n *Node) Shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, n.spec.Connections.DrainTimeout)
	defer cancel()
	err := n.conns.Shutdown(ctx)
	if err != nil {
		err = fmt.Errorf("some connections had to be cut: %w", err)
	}
	n.rooms.Origin.Close()
	if n.admin != nil {
		err = errors.Join(err, n.admin.close())
	}
	return errors.Join(err, n.rooms.Record.Close())
}

// newGenerator makes ids that no other start of a node makes again.
func newGenerator() *reqid.Generator {
	const shards = 64
	return reqid.NewGenerator(uint16(time.Now().UnixNano()>>10), shards)
}
