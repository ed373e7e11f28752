package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/hello"
	"github.com/seawall/seawall/internal/node/handover"
)

const (
	// upgradeTime is how long a new process may take until it is ready, and sendTime how much of it the cache may.
	upgradeTime = 60 * time.Second
	sendTime    = 20 * time.Second
	// servingTime is how long the old process accepts connections beside a new one that was ready and does not say that it does.
	servingTime = 10 * time.Second
	// cacheKept is how long the old process keeps its cache: connections may ask once more.
	cacheKept = 15 * time.Second
)

// successor is the process that has taken over.
type successor struct {
	*handover.Successor
	serving chan struct{} // closed when it accepts connections
	ended   chan struct{} // closed when it says nothing more
	lost    chan struct{} // closed when it ended without a word, and nobody else serves
	passed  bool          // it has been succeeded itself
	stop    context.CancelFunc
}

// Upgrade starts a new process of this program, or of binary if that is not empty, and hands the node over to it: first the listening
// sockets and the cache, then, when it is ready, the origins' budgets and all new connections. It returns its process identifier. If it
// fails, everything is as it was. After it has succeeded, [Node.Drain] is to be called.
func (n *Node) Upgrade(binary string) (pid int, err error) {
	if n.process == nil {
		return 0, errNoProcess
	}
	if !n.upgrading.TryLock() {
		return 0, errUpgrading
	}
	defer n.upgrading.Unlock()
	if n.after != nil {
		return 0, errRetired
	}
	command := n.process.command
	if binary != "" {
		if err := trusted(binary); err != nil {
			return 0, fmt.Errorf("upgrading: %w", err)
		}
		command.Program = binary
	}
	n.log.Info("upgrading", "program", command.Program)
	s, err := handover.Launch(&command)
	if err != nil {
		return 0, n.notUpgraded(err, "")
	}
	if err := n.offer(s); err != nil {
		why := s.Kill()
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("the new process ended: %s", why)
		} else if errors.Is(err, os.ErrDeadlineExceeded) {
			err = fmt.Errorf("the new process was not ready within %v", upgradeTime)
		}
		return 0, n.notUpgraded(err, s.LastLines())
	}
	n.yield(s)
	return s.PID(), nil
}

// notUpgraded says why, with the new process's last lines if they say more.
func (n *Node) notUpgraded(err error, lines string) error {
	err = fmt.Errorf("not upgraded, and serving as before: %w", err)
	n.log.Error("not upgraded", "error", err)
	if lines != "" && !strings.Contains(err.Error(), lines) {
		err = fmt.Errorf("%w\n%s", err, lines)
	}
	return err
}

// offer gives the new process what it needs to get ready, and waits until it is.
func (n *Node) offer(s *handover.Successor) error {
	if err := s.SetDeadline(time.Now().Add(upgradeTime)); err != nil {
		return err
	}
	err := s.Send(&handover.Message{Type: handover.Hello, Version: version(), PID: os.Getpid(), Files: []*os.File{os.Stderr}})
	for _, d := range n.doors {
		if err == nil {
			err = sendListener(s, handover.Listener, d.address, d.listener.Files)
		}
	}
	if l, ok := n.adminListener().(*net.TCPListener); ok && err == nil {
		err = sendListener(s, handover.Admin, n.spec.Admin, func() ([]*os.File, error) {
			f, err := l.File()
			return []*os.File{f}, err
		})
	}
	if n.hello != nil && err == nil {
		keys := n.hello.TicketKeys()
		m := &handover.Message{Type: handover.Tickets, Made: keys.Made}
		for _, k := range keys.Keys {
			m.Keys = append(m.Keys, k[:])
		}
		err = s.Send(m)
	}
	if err == nil {
		err = n.sendCache(s)
	}
	if err == nil {
		err = s.Send(&handover.Message{Type: handover.Whole})
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) { // what it has said before it ended says more
		_, said := s.Await(handover.Ready)
		return said
	}
	if err == nil {
		_, err = s.Await(handover.Ready)
	}
	return err
}

func sendListener(s *handover.Successor, t handover.Type, address string, files func() ([]*os.File, error)) error {
	m := &handover.Message{Type: t, Address: address}
	var err error
	if m.Files, err = files(); err != nil {
		return fmt.Errorf("handing %s over: %w", address, err)
	}
	defer m.CloseFiles()
	return s.Send(m)
}

// sendCache gives the new process a stream of what the cache has, and of what is dropped from it as long as both live.
func (n *Node) sendCache(s *handover.Successor) error {
	ours, theirs, err := handover.Stream()
	if err != nil {
		return err
	}
	go func() {
		defer ours.Close()
		if err := n.rooms.Cache.Send(ours, sendTime); err != nil {
			n.log.Warn("the new process starts with a part of the cache", "error", err)
		}
	}()
	defer theirs.Close()
	return s.Send(&handover.Message{Type: handover.Cache, Files: []*os.File{theirs}})
}

// yield gives the budgets to a process that is ready, and leaves it all that there can be one of.
func (n *Node) yield(s *handover.Successor) {
	n.reloading.Lock()
	n.after = &successor{
		Successor: s, serving: make(chan struct{}), ended: make(chan struct{}), lost: make(chan struct{}),
	}
	var stopped context.Context
	stopped, n.after.stop = context.WithCancel(context.Background())
	n.stopped = stopped
	n.reloading.Unlock()
	if n.watcher != nil {
		_ = n.watcher.Close()
	}
	_ = s.SetDeadline(time.Time{}) // it fails on a closed pair, as what follows
	n.process.tell(fmt.Sprintf("MAINPID=%d", s.PID()))
	n.rooms.Cache.CloseDisk() // the new process opens it as soon as it is told that all is its own
	changes := handover.NewOutbox()
	held := n.rooms.Admission.Retire(changes.Add)
	err := s.SendChanges(handover.Hold, held)
	if err == nil {
		err = s.Send(&handover.Message{Type: handover.Yours})
	}
	if err != nil {
		n.log.Error("the new process ended when it was to take over", "error", err)
	}
	go changes.Deliver(s.Conn, n.after.ended)
	go n.heed()
	select {
	case <-n.after.serving:
	case <-n.after.ended:
	case <-time.After(servingTime):
	}
	if n.before != nil {
		_ = n.before.Send(&handover.Message{Type: handover.Passed}) // it may have ended
	}
	if err := n.packets.Close(); err != nil { // who tends it has to know all that is in it
		n.log.Warn("the packet filter was not let go", "error", err)
	}
	n.log.Info("upgraded", "pid", s.PID())
	n.path.EndPrefetch()
	close(n.retired)
}

// heed does what the new process says, until it ends.
func (n *Node) heed() {
	s := n.after
	defer close(s.ended)
	stopping := false
	for {
		m, err := s.Receive()
		if err != nil {
			if !stopping && !s.passed {
				n.log.Error("the process that had taken over is gone", "pid", s.PID(), "error", err)
				close(s.lost)
			}
			return
		}
		switch m.Type {
		case handover.Serving:
			close(s.serving)
		case handover.Change:
			for _, c := range m.Changes {
				n.rooms.Admission.Granted(c)
			}
		case handover.Reopen:
			if err := n.ReopenLog(); err != nil {
				n.log.Warn("access log not reopened", "error", err)
			}
		case handover.Passed:
			s.passed = true
		case handover.Stop:
			stopping = true
			s.stop()
		}
		m.CloseFiles()
	}
}

// Retired is closed when another process has taken over: then the node has to be drained.
func (n *Node) Retired() <-chan struct{} { return n.retired }

// Orphaned is closed when the process that had taken over has ended without being told to. It may be called after Retired is closed.
func (n *Node) Orphaned() <-chan struct{} { return n.after.lost }

// Drain follows an upgrade: it lets requests finish and upgraded connections live, for as long as the node's upgrade_drain and ctx allow
// and the new process is not stopped, and shuts down.
func (n *Node) Drain(ctx context.Context) error {
	n.rooms.Record.Retire()
	draining, end := context.WithCancel(ctx)
	if limit := n.spec.Connections.UpgradeDrain; limit > 0 {
		draining, end = context.WithTimeout(ctx, limit)
	}
	defer end()
	defer context.AfterFunc(n.stopped, end)()
	lasting, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(draining, func() { time.AfterFunc(n.spec.Connections.DrainTimeout, cut) })()
	if n.admin != nil {
		go n.admin.retire()
	}
	n.rooms.Origin.Close()
	if n.certificates != nil {
		go n.certificates.Close()
	}
	forget := time.AfterFunc(cacheKept, func() {
		n.rooms.Cache.Clear()
		debug.FreeOSMemory()
	})
	defer forget.Stop()
	if n.conns.Retire(lasting) == nil && n.before != nil { // what it needs of the budgets it gets by way of this process
		select {
		case <-n.before.ended:
		case <-draining.Done():
		}
	}
	return n.Shutdown(context.WithoutCancel(ctx))
}

// ticketKeys are hello's in a message.
func ticketKeys(m *handover.Message) hello.TicketKeys {
	keys := hello.TicketKeys{Made: m.Made}
	for _, k := range m.Keys {
		if len(k) == 32 {
			keys.Keys = append(keys.Keys, [32]byte(k))
		}
	}
	return keys
}
