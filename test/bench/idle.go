package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	idleConnections = 5000
	idleSources     = 200             // addresses they come from, and
	idleNetworks    = 10              // networks of these, so that no cap on one is met
	openers         = 32              // connections that are opened at one time
	settling        = 2 * time.Second // from the last answer to the weighing
)

// weigh starts the server, and measures its memory without idle connections and with. What the requests themselves leave behind
// counts too, such as records and garbage.
func (c *contender) weigh(ctx context.Context) (turn, error) {
	if err := c.start(ctx); err != nil {
		return turn{}, err
	}
	defer c.stop()
	c.cutLog()
	c.checked = true
	before, err := kilobytes(c.processes, "smaps_rollup", "Pss")
	if err != nil {
		return turn{}, err
	}
	began := time.Now()
	held, err := c.site.hold(ctx, c.setting.Address, idleConnections, idleSources)
	if err != nil {
		return turn{}, err
	}
	defer held.close()
	took := time.Since(began)
	c.answers += len(held)
	after, err := c.settled(ctx)
	if err != nil {
		return turn{}, err
	}
	t := turn{cost: float64(after-before) / idleConnections, rate: float64(len(held)) / took.Seconds()}
	return t, held.open()
}

// settled is the server's memory in KB, some time later.
func (c *contender) settled(ctx context.Context) (int64, error) {
	select {
	case <-time.After(settling):
		return kilobytes(c.processes, "smaps_rollup", "Pss")
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// held is connections that wait after a request.
type held []*net.TCPConn

// hold opens connections from so many addresses, and asks for the site's file on each.
func (t *site) hold(ctx context.Context, address string, connections, sources int) (held, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	h := make(held, connections)
	var workers sync.WaitGroup
	for w := range openers {
		workers.Go(func() {
			for i := w; i < len(h) && ctx.Err() == nil; i += openers {
				from := net.IPv4(127, 0, 0, 1)
				if sources > 1 {
					from = idleSource(i % sources)
				}
				var err error
				if h[i], err = t.ask(ctx, address, from, t.scenario.clientTLS(), false); err != nil {
					cancel(fmt.Errorf("connection %d: %w", i, err))
				}
			}
		})
	}
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

// idleSource is the address of a source.
func idleSource(source int) net.IP {
	return net.IPv4(127, 0, byte(1+source%idleNetworks), byte(1+source))
}

func (h held) close() {
	for _, c := range h {
		if c != nil {
			c.Close()
		}
	}
}

// open makes sure that the server has closed none.
func (h held) open() error {
	closed := 0
	for _, c := range h {
		raw, err := c.SyscallConn()
		if err != nil {
			return err
		}
		var polled error
		fds := []unix.PollFd{{Events: unix.POLLRDHUP}} // which is told even if there is something to read first, such as GOAWAY
		err = raw.Control(func(fd uintptr) {
			fds[0].Fd = int32(fd)
			polled = uninterrupted(func() error { _, err := unix.Poll(fds, 0); return err })
		})
		if err = errors.Join(err, polled); err != nil {
			return err
		}
		if fds[0].Revents != 0 {
			closed++
		}
	}
	if closed > 0 {
		return fmt.Errorf("the server closed %d of %d idle connections", closed, len(h))
	}
	return nil
}
