package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
	"weak"

	"github.com/seawall/seawall/h1"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/origin/h2client"
	"github.com/seawall/seawall/internal/spec"
)

// check is how a server is asked whether it is well.
type check struct {
	rule    spec.Health
	host    string
	request []byte // over HTTP/1.1
	well    *statuses
}

// checkAgent is the User-Agent of checks.
const checkAgent = "seawall-health"

// newCheck makes the check of a zone, nil if it has none. host is for a zone that has only wildcards.
func newCheck(z *spec.Zone, host string) (*check, error) {
	h := &z.Origin.Health
	if h.Path == "" {
		return nil, nil
	}
	printable := func(s string) bool {
		return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
	}
	if h.Path[0] != '/' || !printable(h.Path) || strings.Contains(h.Path, "#") {
		return nil, fmt.Errorf("origin.health.path: %q cannot be asked for: want a path, percent-encoded where needed, such as /healthz", h.Path)
	}
	if !printable(h.Host) || strings.ContainsAny(h.Host, `/\?#@,"`) {
		return nil, fmt.Errorf("origin.health.host: %q is no host: want a name, with a port if need be, such as www.example.org", h.Host)
	}
	well, err := parseStatuses(h.Status)
	if err != nil {
		return nil, fmt.Errorf("origin.health.status: %w", err)
	}
	if h.Host != "" {
		host = h.Host
	} else if i := slices.IndexFunc(z.Hosts, func(name string) bool { return !strings.Contains(name, "*") }); i >= 0 {
		host = z.Hosts[i]
	}
	request := "GET " + h.Path + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: " + checkAgent + "\r\nAccept: */*\r\nConnection: close\r\n\r\n"
	return &check{rule: *h, host: host, request: []byte(request), well: well}, nil
}

// Checks begins the policy's health checks, each over a connection of its own, in place of those of earlier policies of its zone. take
// gives a share of the origin's budget, or nil if there is none now: then that check is left out. Checks end with the room, with
// End, when a later policy begins its own, or soon after nothing refers to the policy any more. A policy that has none ends those of earlier ones.
func (p *Policy) Checks(take func() flow.Lease) {
	g := p.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stop != nil {
		g.stop()
		g.stop = nil
	}
	if p.room.closed.Load() {
		return
	}
	if p.check == nil {
		for i := range p.servers {
			p.servers[i].unchecked()
		}
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	g.stop = stop
	for i := range p.servers {
		c := &checker{check: p.check, endpoint: p.servers[i].endpoint, policy: weak.Make(p), take: take}
		go c.run(ctx)
	}
}

// End ends the checks of the policy's zone.
func (p *Policy) End() { p.group.end() }

// end ends the group's checks.
func (g *group) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stop != nil {
		g.stop()
		g.stop = nil
	}
}

// checker checks one server again and again.
type checker struct {
	*check
	endpoint *endpoint
	policy   weak.Pointer[Policy]
	take     func() flow.Lease
}

func (c *checker) run(ctx context.Context) {
	timer := time.NewTimer(c.first())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if c.policy.Value() == nil {
			return
		}
		next := time.Now().Add(c.jittered())
		c.once(ctx)
		timer.Reset(time.Until(next))
	}
}

// first is the wait for the first check: the rest of the interval since the last one, under another policy, or anything within an
// interval, so that zones which began together are not checked together.
func (c *checker) first() time.Duration {
	if last := c.endpoint.health.state().check.Time; !last.IsZero() {
		return c.jittered() - time.Since(last)
	}
	return rand.N(c.rule.Interval)
}

// jittered is the interval give or take a tenth.
func (c *checker) jittered() time.Duration {
	tenth := c.rule.Interval / 10
	return c.rule.Interval - tenth + rand.N(2*tenth)
}

// once makes one check, if the budget has room for it.
func (c *checker) once(ctx context.Context) {
	lease := c.take()
	if lease == nil {
		return
	}
	defer lease.Release()
	deadline, cancel := context.WithTimeout(ctx, c.rule.Timeout)
	defer cancel()
	ask := c.ask
	if c.endpoint.settings.protocol == spec.ProtocolHTTP2 {
		ask = c.askHTTP2
	}
	status, err := ask(deadline)
	if ctx.Err() != nil || ours(err) {
		return
	}
	switch {
	case errors.Is(deadline.Err(), context.DeadlineExceeded) && err != nil:
		err = fmt.Errorf("no answer within %v", c.rule.Timeout)
	case err == nil && !c.well.has(status):
		err = fmt.Errorf("status %d, want %s", status, c.rule.Status)
	}
	c.endpoint.checked(&c.rule, strconv.Itoa(status), err)
}

// maxChecked is how much of a check's content is read, so that the server is done when its share of the budget is given back.
const maxChecked = 64 << 10

// askHTTP2 is ask over HTTP/2.
func (c *checker) askHTTP2(ctx context.Context) (status int, err error) {
	var pool h2client.Pool
	defer pool.Close()
	conn, _, err := pool.Take(ctx, &h2client.Want{Dial: c.endpoint.dialHTTP2, Most: 1, IdleTimeout: c.rule.Timeout, WriteTimeout: c.rule.Timeout})
	if err != nil {
		return 0, err
	}
	q := &h2client.Request{
		Method: "GET", Scheme: "http", Authority: c.host, Path: c.rule.Path,
		Fields: []flow.Field{{Name: "User-Agent", Value: checkAgent}, {Name: "Accept", Value: "*/*"}},
	}
	if c.endpoint.settings.secure {
		q.Scheme = "https"
	}
	s := conn.Start(q)
	defer func() {
		if s.Close(); errors.Is(ctx.Err(), context.DeadlineExceeded) {
			wait(c.rule.Timeout, conn.Ended())
		}
	}()
	defer context.AfterFunc(ctx, func() { s.Reset(ctx.Err()) })()
	for status < 200 {
		h, err := s.Head()
		if err != nil {
			return 0, err
		}
		status = h.Status
	}
	for n := 0; n < maxChecked && err == nil; {
		var piece []byte
		piece, err = s.Next()
		n += len(piece)
	}
	return status, nil
}

// wait waits for a time to pass or an end to come.
func wait(d time.Duration, end <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-end:
	}
}

// ask sends the check's request and returns the status of the final response. A server that does not answer in time is given as long
// again to notice that nobody waits any more, as its share of the budget is still in use.
func (c *checker) ask(ctx context.Context) (status int, err error) {
	nc, err := c.endpoint.dial(ctx, appendUnnamed(nil, c.endpoint.settings.proxy), nil)
	if err != nil {
		return 0, err
	}
	stop := context.AfterFunc(ctx, nc.Interrupt)
	defer func() {
		if stop(); ctx.Err() != nil {
			nc.drain(time.Now().Add(c.rule.Timeout))
			return
		}
		nc.close()
	}()
	if _, err := nc.nc.Write(c.request); err != nil {
		return 0, err
	}
	var r h1.Response
	var in []byte
	for r.Status < 200 {
		if in, err = nextHead(nc.nc, in, &r); err != nil {
			return 0, err
		}
	}
	rest := int64(maxChecked)
	switch r.Framing {
	case h1.NoBody:
		rest = 0
	case h1.Length:
		rest = min(rest, r.Length-int64(len(in)))
	}
	_, _ = io.CopyN(io.Discard, nc.nc, rest)
	return r.Status, nil
}

// nextHead reads the next response's head, of which in has arrived, and returns what arrived behind it.
func nextHead(from io.Reader, in []byte, r *h1.Response) ([]byte, error) {
	for seen := 0; ; {
		end, err := h1.End(in, seen, limits)
		if err == nil && end > 0 {
			err = r.Parse(string(in[:end]), "GET", limits)
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("response: %w", err)
		case end > 0 && r.Status == 101:
			return nil, errUnasked
		case end > 0:
			return in[end:], nil
		}
		seen = len(in)
		in = slices.Grow(in, 4<<10)
		n, err := from.Read(in[seen:cap(in)])
		if in = in[:seen+n]; n == 0 && err != nil {
			return nil, explained(err)
		}
	}
}
