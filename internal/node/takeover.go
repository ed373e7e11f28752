package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/seawall/seawall/internal/admission"
	"github.com/seawall/seawall/internal/conn"
	"github.com/seawall/seawall/internal/node/handover"
	"github.com/seawall/seawall/internal/spec"
)

// inheritance is what the process before has left.
type inheritance struct {
	from      *handover.Message // what it said of itself
	listeners map[string][]*conn.Listener
	admin     net.Listener
	tickets   *handover.Message
	cache     *os.File
}

// predecessor is the process before, while it drains.
type predecessor struct {
	*handover.Conn
	pid   int
	ended chan struct{} // closed when it has ended
}

// inherit takes what the process before has, if there is one.
func (n *Node) inherit() error {
	if n.process == nil || n.process.before == nil {
		return nil
	}
	h := &inheritance{listeners: make(map[string][]*conn.Listener)}
	n.inherited = h
	for {
		m, err := n.process.before.Receive()
		if err != nil {
			return fmt.Errorf("taking over: %w", err)
		}
		switch m.Type {
		case handover.Hello:
			h.from = m
		case handover.Listener:
			l, err := conn.Inherit(m.Files)
			if err != nil {
				return fmt.Errorf("taking %s over: %w", m.Address, err)
			}
			h.listeners[m.Address] = append(h.listeners[m.Address], l)
		case handover.Admin:
			if len(m.Files) == 1 && m.Address == n.spec.Admin {
				if h.admin, err = net.FileListener(m.Files[0]); err != nil {
					return fmt.Errorf("taking %s over: %w", m.Address, err)
				}
			}
			m.CloseFiles()
		case handover.Tickets:
			h.tickets = m
		case handover.Cache:
			if len(m.Files) == 1 {
				h.cache = m.Files[0]
			}
		case handover.Whole:
			return nil
		default:
			m.CloseFiles()
		}
	}
}

// listener is the one of that address that was inherited, or a new one.
func (n *Node) listener(ctx context.Context, address string) (*conn.Listener, error) {
	if h := n.inherited; h != nil {
		if all := h.listeners[address]; len(all) > 0 {
			h.listeners[address] = all[1:]
			return all[0], nil
		}
		if a, err := net.ResolveTCPAddr("tcp", address); err == nil && a.Port != 0 {
			for key, all := range h.listeners { // the same address in other words
				for i, l := range all {
					if same(l.Addr(), a) {
						h.listeners[key] = append(all[:i:i], all[i+1:]...)
						return l, nil
					}
				}
			}
		}
	}
	return conn.Listen(ctx, address)
}

func same(a net.Addr, b *net.TCPAddr) bool {
	t, ok := a.(*net.TCPAddr)
	return ok && t.Port == b.Port && t.Zone == b.Zone && (t.IP.Equal(b.IP) || t.IP.Equal(net.IPv6unspecified) && len(b.IP) == 0)
}

// close closes what nobody wanted.
func (h *inheritance) close() {
	for _, all := range h.listeners {
		for _, l := range all {
			_ = l.Close()
		}
	}
	if h.admin != nil {
		h.admin.Close()
	}
	if h.cache != nil {
		h.cache.Close()
	}
	if h.from != nil {
		h.from.CloseFiles()
	}
}

// unclaimed is how many listeners were inherited that nobody wanted.
func (h *inheritance) unclaimed() (count int) {
	for _, all := range h.listeners {
		count += len(all)
	}
	return count
}

// takeOver tells the process before that this one is ready, takes the budgets over, and what is dropped from the other's cache. It does
// nothing if there is none.
func (n *Node) takeOver() error {
	h := n.inherited
	if h == nil {
		return nil
	}
	if h.tickets != nil && n.hello != nil {
		n.hello.SetTicketKeys(ticketKeys(h.tickets))
	}
	if err := n.receiveCache(); err != nil {
		n.warn("starting with a part of the cache", err)
	}
	before := n.process.before
	if err := before.Send(&handover.Message{Type: handover.Ready}); err != nil {
		return fmt.Errorf("taking over: %w", err)
	}
	var held []admission.Change
	for {
		m, err := before.Await(handover.Hold, handover.Yours)
		if err != nil {
			return fmt.Errorf("taking over: %w", err)
		}
		if m.Type == handover.Yours {
			break
		}
		held = append(held, m.Changes...)
	}
	if err := n.rooms.Cache.OpenDisk(n.log); err != nil {
		return err
	}
	n.before = &predecessor{Conn: before, ended: make(chan struct{})}
	changes := handover.NewOutbox()
	n.rooms.Admission.Resume(held, changes.Add)
	if h.from != nil && len(h.from.Files) == 1 {
		n.before.pid = h.from.PID
		if err := handover.UseStderr(h.from.Files[0]); err != nil {
			n.warn("writing to what the process before reads", err)
		}
	}
	go changes.Deliver(before, n.before.ended)
	go n.attend()
	return nil
}

// receiveCache waits until the objects are here.
func (n *Node) receiveCache() error {
	file := n.inherited.cache
	if file == nil {
		return nil
	}
	n.inherited.cache = nil
	stream, err := handover.OpenStream(file)
	if err != nil {
		return err
	}
	var zones []string
	for _, z := range n.snapshot.Specs() {
		zones = append(zones, z.Name)
	}
	whole := make(chan int, 1)
	problem := make(chan error, 1)
	go func() {
		defer stream.Close()
		problem <- n.rooms.Cache.Receive(stream, zones, func(objects int) { whole <- objects })
	}()
	objects := <-whole
	n.log.Info("cache taken over", "objects", objects)
	select {
	case err = <-problem:
	default: // drops are still told
	}
	return err
}

// attend does what the process before says, until it ends: then what it still had of the budgets is free.
func (n *Node) attend() {
	defer close(n.before.ended)
	for {
		m, err := n.before.Receive()
		if err != nil {
			break
		}
		if m.Type == handover.Change {
			for _, c := range m.Changes {
				n.rooms.Admission.Returned(c)
			}
		}
		m.CloseFiles()
	}
	n.rooms.Admission.Reclaim()
	_ = n.before.Close()
	n.log.Info("the process before has ended", "pid", n.before.pid)
}

// tellBefore tells the process before to do as this one does, if it still drains.
func (n *Node) tellBefore(t handover.Type) {
	if n.before != nil {
		_ = n.before.Send(&handover.Message{Type: t}) // it may have ended
	}
}

// lost tells what of the listeners an upgrade would lose.
func (n *Node) lost(problem error) error {
	if problem == nil || n.inherited == nil || n.inherited.unclaimed() == 0 {
		return nil
	}
	return errors.Join(errors.New("the process before listens where this one would not, and this one can't where it should"), problem)
}

// adminListener is the operator's, nil if there is none.
func (n *Node) adminListener() net.Listener {
	if n.admin == nil {
		return nil
	}
	return n.admin.listener
}

// listenAdmin opens the operator's listener, or takes it over.
func (n *Node) listenAdmin(ctx context.Context, s *spec.Node) (net.Listener, error) {
	if h := n.inherited; h != nil && h.admin != nil {
		l := h.admin
		h.admin = nil
		return l, nil
	}
	var config net.ListenConfig
	return config.Listen(ctx, "tcp", s.Admin)
}
