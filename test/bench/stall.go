package main

import (
	"context"
	"fmt"
	"net"
	"time"
)

const (
	stalledConnections = 100 // with fewer, a heap that Go happens to have grown or not shows in the figure
	stalledStreams     = 100 // of each connection: no server allows less
)

// weighStreams starts the server, and measures its memory with connections that wait after a request, and then with streams on them
// whose answers wait for a window.
func (c *contender) weighStreams(ctx context.Context) (turn, error) {
	if err := c.start(ctx); err != nil {
		return turn{}, err
	}
	defer c.stop()
	c.cutLog()
	c.checked = true
	var s stalled
	defer func() { s.close() }()
	for i := range stalledConnections {
		if err := s.add(ctx, c.site, c.setting.Address, idleSource(i%idleSources)); err != nil {
			return turn{}, fmt.Errorf("connection %d: %w", i, err)
		}
	}
	before, err := c.settled(ctx)
	if err != nil {
		return turn{}, err
	}
	began := time.Now()
	for i := range s.held {
		if err := s.stall(c.site, c.setting.Address, i); err != nil {
			return turn{}, fmt.Errorf("streams of connection %d: %w", i, err)
		}
	}
	took := time.Since(began)
	after, err := c.settled(ctx)
	if err != nil {
		return turn{}, err
	}
	const streams = stalledConnections * stalledStreams
	c.answers += stalledConnections + streams
	t := turn{cost: float64(after-before) / streams, rate: streams / took.Seconds()}
	if err := s.open(); err != nil {
		return t, err
	}
	for i := range s.held {
		if err := s.letThrough(c.site, i); err != nil {
			return t, fmt.Errorf("let through what waits on connection %d: %w", i, err)
		}
	}
	return t, nil
}

// stalled is connections over HTTP/2 whose streams have no window.
type stalled struct {
	held
	conns []*http2Conn
}

// add opens a connection from an address, and asks for the site's file, which is let through.
func (s *stalled) add(ctx context.Context, t *site, address string, from net.IP) error {
	ctx, cancel := context.WithTimeout(ctx, clientTimeout)
	defer cancel()
	raw, c, err := t.connect(ctx, address, from, t.scenario.clientTLS())
	if err != nil {
		return err
	}
	s.held = append(s.held, raw)
	h, err := newHTTP2Conn(c, 0)
	if err != nil {
		return err
	}
	s.conns = append(s.conns, h)
	if _, err := h.request(address, t.path); err != nil {
		return err
	}
	return s.letThrough(t, len(s.conns)-1)
}

// stall asks for the site's file on many streams of a connection, and waits for the heads of the answers.
func (s *stalled) stall(t *site, address string, i int) error {
	if err := s.held[i].SetDeadline(time.Now().Add(clientTimeout)); err != nil {
		return err
	}
	h := s.conns[i]
	for range stalledStreams {
		if _, err := h.request(address, t.path); err != nil {
			return err
		}
	}
	if err := h.framer.WritePing(false, [8]byte{}); err != nil { // nginx holds heads back until it has something else to send
		return err
	}
	for _, stream := range h.streams {
		if err := h.until(func() bool { return stream.status != "" }); err != nil {
			return err
		}
	}
	return nil
}

// letThrough lets a connection's answers come, and makes sure that they are whole.
func (s *stalled) letThrough(t *site, i int) error {
	if err := s.held[i].SetDeadline(time.Now().Add(clientTimeout)); err != nil {
		return err
	}
	h := s.conns[i]
	if err := h.release(len(t.body)); err != nil {
		return err
	}
	for id, stream := range h.streams {
		if err := h.until(func() bool { return stream.ended }); err != nil {
			return err
		}
		if err := stream.verify(len(t.body)); err != nil {
			return fmt.Errorf("stream %d: %w", id, err)
		}
	}
	return nil
}
