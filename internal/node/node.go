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
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/seawall/seawall/internal/admission"
	"github.com/seawall/seawall/internal/cache"
	"github.com/seawall/seawall/internal/conn"
	"github.com/seawall/seawall/internal/control/cert"
	"github.com/seawall/seawall/internal/edge"
	"github.com/seawall/seawall/internal/hello"
	"github.com/seawall/seawall/internal/node/handover"
	"github.com/seawall/seawall/internal/origin"
	"github.com/seawall/seawall/internal/packet"
	"github.com/seawall/seawall/internal/record"
	"github.com/seawall/seawall/internal/request"
	"github.com/seawall/seawall/internal/response"
	"github.com/seawall/seawall/internal/snapshot"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/verdict"
	"github.com/seawall/seawall/internal/verdict/bots"
	"github.com/seawall/seawall/internal/zone"
	"github.com/seawall/seawall/loop"
	"github.com/seawall/seawall/reqid"
	"github.com/seawall/seawall/workers"
)

// Node is a running node.
type Node struct {
	started spec.Node // as it was at the start, but for bounds that the machine sets
	spec    spec.Node
	log     *slog.Logger
	keys    *keys
	sealer  *reqid.Sealer

	loops        []*loop.Loop
	workers      *workers.Pool // for handshakes, and to encode what the cache has
	packets      *packet.Room
	conns        *conn.Room
	hello        *hello.Room
	certificates *cert.Manager
	rooms        zone.Rooms
	snapshot     *snapshot.Snapshot
	path         *edge.Path
	admin        *admin

	process   *Process        // nil for a node that can't be upgraded
	inherited *inheritance    // what the process before has left, or nil
	before    *predecessor    // the process before, or nil
	upgrading sync.Mutex      // one at a time; guards after
	after     *successor      // the process that has taken over, or nil
	retired   chan struct{}   // closed then
	stopped   context.Context // done when that is stopped

	doors     []door
	listening []Listening

	source    *source           // nil without files
	watcher   *fsnotify.Watcher // of the source, or nil
	reloading sync.Mutex        // one at a time; guards what follows
	last      Reload
	good      int
	failed    int
}

// Listening is an address that the node accepts connections on.
type Listening struct {
	Scheme  string // "http" or "https"
	Address net.Addr
}

// Start assembles a node, puts zones in force and begins to serve. What does not work but can be done without is logged. It fails if the
// data folder can't be used, if no listener opens or if no zone compiles.
func Start(ctx context.Context, s spec.Node, zones []spec.Zone, log *slog.Logger) (*Node, error) {
	return startNode(ctx, nil, s, zones, log)
}

func startNode(ctx context.Context, p *Process, s spec.Node, zones []spec.Zone, log *slog.Logger) (*Node, error) {
	n := &Node{spec: s, log: log, process: p}
	if err := n.start(ctx, &wanted{zones: zones}, nil); err != nil {
		return nil, err
	}
	return n, nil
}

// start puts what is wanted in force, after what was before: so a zone that is refused has its last good form.
func (n *Node) start(ctx context.Context, w *wanted, before []spec.Zone) (err error) {
	n.started, n.retired = n.spec, make(chan struct{})
	n.fitFileLimit()
	defer func() {
		if err != nil {
			n.abandon()
		}
	}()
	if err := n.inherit(); err != nil {
		return err
	}
	if n.keys, err = openKeys(n.spec.Data); err != nil {
		return err
	}
	if n.loops, err = startLoops(n.log); err != nil {
		return err
	}
	if err := n.assemble(); err != nil {
		return err
	}
	n.workers = startWorkers(&n.spec)
	n.rooms.Cache.UseWorkers(n.workers)
	if err := n.listen(ctx); err != nil {
		return err
	}
	n.rooms.Verdict.UseDirectories(directories(), n.log)
	_, problems := n.rooms.Verdict.Configure(&n.spec) // which before is compiled with
	if w.node == nil {                                // else they are told when that is put in force
		n.warn("starting without", problems...)
	}
	n.snapshot.Apply(before)
	n.reloading.Lock()
	first := n.apply(w)
	n.reloading.Unlock()
	if len(first.Problems) > 0 && len(n.snapshot.Specs()) == 0 {
		return fmt.Errorf("no zone can be served: %s", strings.Join(first.Problems, "; "))
	}
	if err := n.takeOver(); err != nil {
		return err
	}
	n.openExceptions() // of the process before too, which undoes nothing any more
	n.filterPackets()
	n.serve(ctx)
	n.path.Prefetch()
	if n.inherited != nil {
		n.inherited.close()
		n.keep()
		n.tellBefore(handover.Serving)
	}
	return nil
}

// abandon closes what a start has opened that failed.
func (n *Node) abandon() {
	if n.inherited != nil {
		n.inherited.close()
	}
	if n.watcher != nil {
		_ = n.watcher.Close()
	}
	for _, d := range n.doors {
		_ = d.listener.Close()
	}
	if n.certificates != nil {
		n.certificates.Close()
	}
	if n.hello != nil {
		n.hello.Close()
	}
	if n.workers != nil {
		n.workers.Close()
	}
	if n.admin != nil {
		_ = n.admin.close()
	}
	if n.packets != nil {
		_ = n.packets.Close()
	}
	if n.rooms.Verdict != nil {
		n.rooms.Verdict.Close()
	}
	if n.rooms.Origin != nil {
		n.rooms.Origin.Close()
	}
	if n.rooms.Cache != nil {
		n.rooms.Cache.CloseDisk()
	}
	if n.rooms.Record != nil {
		_ = n.rooms.Record.Close()
	}
	n.endLoops()
}

// assemble makes the rooms, from the record back to the doors.
func (n *Node) assemble() (err error) {
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
	if n.inherited == nil { // else the process before has the folder
		if err := n.rooms.Cache.OpenDisk(n.log); err != nil {
			return err
		}
	}
	n.rooms.Verdict = verdict.New(&n.spec)
	n.rooms.Verdict.UseNames(resolve)
	n.rooms.Admission = admission.New(&n.spec)
	if n.inherited != nil {
		n.rooms.Admission.Suspend()
	}
	n.rooms.Origin = origin.New(&n.spec)
	n.rooms.Origin.Changed = n.serverChanged
	n.rooms.Origin.Loops = n.loops
	n.rooms.Response = response.New(&n.spec, n.sealer)
	if n.snapshot, err = snapshot.New(&n.rooms); err != nil {
		return err
	}
	n.path = edge.New(n.snapshot)
	requests := request.New(&n.spec, newGenerator(), n.path)
	requests.Locator = n.rooms.Verdict
	n.packets = packet.New(packet.Pins(n.spec.Data), packetFilters(n.log), n.log)
	n.packets.Learnt = filepath.Join(n.spec.Data, packetsFile)
	n.packets.Spared = n.rooms.Verdict.Exceptions.Addresses
	n.conns = conn.New(&n.spec, conn.Options{
		Open: requests.Open, Excused: n.rooms.Verdict.Exceptions.Everywhere, Banned: n.packets.Ban, Log: n.log, Loops: n.loops,
	})
	n.path.Fault = n.conns.Fault
	return nil
}

// resolve makes what asks a DNS server, and nobody else.
func resolve(server string) bots.Names {
	var dialer net.Dialer
	return &net.Resolver{PreferGo: true, StrictErrors: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, server)
	}}
}

// directories makes what asks hosts for the keys of crawlers: each once in a while, so no connection is kept.
func directories() http.RoundTripper {
	return &http.Transport{DisableKeepAlives: true, TLSHandshakeTimeout: 5 * time.Second, MaxResponseHeaderBytes: 64 << 10}
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
func (n *Node) ReopenLog() error {
	n.tellBefore(handover.Reopen)
	return n.rooms.Record.Reopen()
}

// Shutdown stops accepting, lets requests finish within ctx and the node's drain time-out, and closes everything.
func (n *Node) Shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, n.spec.Connections.DrainTimeout)
	defer cancel()
	n.tellBefore(handover.Stop)
	n.path.EndPrefetch()
	if n.watcher != nil {
		_ = n.watcher.Close()
	}
	if n.certificates != nil {
		n.certificates.Close()
	}
	err := n.conns.Shutdown(ctx)
	if err != nil {
		err = fmt.Errorf("some connections had to be cut: %w", err)
	}
	err = errors.Join(err, n.packets.Close())
	if n.hello != nil {
		n.hello.Close()
	}
	n.workers.Close()
	n.rooms.Verdict.Close()
	n.rooms.Origin.Close()
	n.rooms.Cache.CloseDisk()
	if n.admin != nil {
		err = errors.Join(err, n.admin.close())
	}
	n.endLoops()
	return errors.Join(err, n.rooms.Record.Close())
}

// newGenerator makes ids that no other start of a node makes again.
func newGenerator() *reqid.Generator {
	const shards = 64
	return reqid.NewGenerator(uint16(time.Now().UnixNano()>>10), shards)
}

// Spec is what the node is, as far as it is in force.
func (n *Node) Spec() spec.Node {
	n.reloading.Lock()
	defer n.reloading.Unlock()
	return n.spec
}

// Zones is how many zones are in force.
func (n *Node) Zones() int { return len(n.snapshot.Specs()) }

// serverChanged logs that a server of an origin went down, or came up.
func (n *Node) serverChanged(zone, server string, up bool, why string) {
	if up {
		n.log.Info("a server is up", "zone", zone, "server", server, "why", why)
		return
	}
	n.log.Warn("a server is down", "zone", zone, "server", server, "why", why)
}
