package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"
)

const (
	collapseConns    = 200 // each from an address of its own
	collapseStreams  = 50  // on each
	collapseRequests = collapseConns * collapseStreams
	collapseSlow     = time.Second      // that the origin takes
	collapsePatience = 20 * time.Second // for the last answer
	collapseTimeout  = 60 * time.Second // of one server
)

// A collapsed is what became of one server's requests.
type collapsed struct {
	fetched  int           // requests that reached the origin
	answered int           // with 200 and the whole body
	last     time.Duration // until the last of these had its answer
	problem  string        // of one that did not; empty if there is none
}

// collapse has each server asked for one object on very many connections at once, and prints the table.
func collapse(ctx context.Context, w io.Writer, s scenario, contenders []*contender) error {
	results := make([]collapsed, len(contenders))
	for i, c := range contenders {
		err := c.attempt(ctx, func(ctx context.Context) (err error) {
			results[i], err = c.collapse(ctx)
			return err
		})
		if err != nil {
			return err
		}
	}
	printCollapsed(w, s, contenders, results)
	if got := results[0]; contenders[0].out == "" && (got.fetched != 1 || got.answered != collapseRequests) {
		return fmt.Errorf("%d fetches and %d answers of %d: want 1 fetch and all answers: %s", got.fetched, got.answered, collapseRequests, got.problem)
	}
	return nil
}

// collapse starts the server before an origin of its own, and asks it.
func (c *contender) collapse(ctx context.Context) (got collapsed, err error) {
	ctx, cancel := context.WithTimeout(ctx, collapseTimeout)
	defer cancel()
	slow, err := newSlowOrigin(c.site.body, collapseSlow)
	if err != nil {
		return got, err
	}
	defer slow.close()
	c.setting.Origin = slow.listener.Addr().String()
	if err := c.launch(ctx); err != nil {
		return got, err
	}
	defer c.stop()
	crowd, err := c.gather(ctx)
	defer func() {
		for _, m := range crowd {
			m.conn.Close()
		}
	}()
	if err != nil {
		return got, err
	}
	var answers sync.WaitGroup
	var mu sync.Mutex
	began := time.Now()
	for _, m := range crowd {
		answers.Go(func() {
			answered, err := m.ask(c.setting.Address, c.site.path, len(c.site.body))
			took := time.Since(began)
			mu.Lock()
			defer mu.Unlock()
			got.answered += answered
			got.last = max(got.last, took)
			if err != nil {
				got.problem = err.Error()
			}
		})
	}
	answers.Wait()
	got.fetched = int(slow.fetched.Load())
	return got, ctx.Err()
}

// A member of a crowd has a connection, on which it asks on many streams.
type member struct {
	conn  net.Conn
	http2 *http2Conn
}

// gather opens the connections.
func (c *contender) gather(ctx context.Context) (crowd []member, err error) {
	for i := range collapseConns {
		_, conn, err := c.site.connect(ctx, c.setting.Address, idleSource(i), nil)
		if err != nil {
			return crowd, fmt.Errorf("connection %d: %w", i, err)
		}
		m := member{conn: conn}
		crowd = append(crowd, m)
		if err := conn.SetDeadline(time.Now().Add(collapsePatience)); err != nil {
			return crowd, err
		}
		h, err := newHTTP2Conn(conn, http2Window)
		if err != nil {
			return crowd, fmt.Errorf("connection %d: %w", i, err)
		}
		h.scheme = "http"
		crowd[i].http2 = h
	}
	return crowd, nil
}

// ask asks on all streams at once, and counts the answers that are whole.
func (m *member) ask(authority, path string, size int) (answered int, err error) {
	streams := make([]*http2Stream, 0, collapseStreams)
	for range collapseStreams {
		s, err := m.http2.request(authority, path)
		if err != nil {
			return 0, err
		}
		streams = append(streams, s)
	}
	err = m.http2.until(func() bool { return !slices.ContainsFunc(streams, func(s *http2Stream) bool { return !s.ended }) })
	for _, s := range streams {
		if wrong := s.verify(size); wrong != nil {
			if err == nil {
				err = wrong
			}
			continue
		}
		answered++
	}
	return answered, err
}

// A slowOrigin answers every request after a while, and counts them.
type slowOrigin struct {
	listener net.Listener
	server   http.Server
	fetched  atomic.Int64
	ended    chan struct{}
}

func newSlowOrigin(body []byte, takes time.Duration) (*slowOrigin, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	o := &slowOrigin{listener: listener, ended: make(chan struct{})}
	o.server.ReadHeaderTimeout = collapseTimeout
	o.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.fetched.Add(1)
		select {
		case <-time.After(takes):
		case <-r.Context().Done():
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=86400")
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		io.Copy(w, bytes.NewReader(body)) //nolint:errcheck // who has no answer is counted by its client
	})
	go func() {
		defer close(o.ended)
		o.server.Serve(listener) //nolint:errcheck // it ends by close
	}()
	return o, nil
}

func (o *slowOrigin) close() {
	o.server.Close() //nolint:errcheck // nobody listens any more either way
	<-o.ended
}

// printCollapsed prints what became of the requests, and the lines for machines.
func printCollapsed(w io.Writer, s scenario, contenders []*contender, results []collapsed) {
	fmt.Fprintf(w, "\n%s: %s\n", s.name, s.about)
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "server\torigin fetches\tanswered\tlast answer after s\t\n")
	best := 0.0
	for i, c := range contenders {
		if c.out != "" {
			continue
		}
		r := results[i]
		fmt.Fprintf(t, "%s\t%d\t%d\t%.2f\t\n", c.kind.name, r.fetched, r.answered, r.last.Seconds())
		if c.kind.name != seawall && r.answered == collapseRequests {
			best = max(best, ratio(results[0].last.Seconds(), r.last.Seconds()))
		}
	}
	t.Flush() //nolint:errcheck // as with Fprint: nobody can do anything about it
	for i, c := range contenders {
		if c.out == "" && results[i].problem != "" {
			fmt.Fprintf(w, "%s: %d requests failed, such as: %s\n", c.kind.name, collapseRequests-results[i].answered, results[i].problem)
		}
	}
	printNotes(w, s, contenders)
	if contenders[0].out == "" {
		fmt.Fprintf(w, "bench %s origin-fetches %d\n", s.name, results[0].fetched)
		printLines(w, s, contenders[0], best)
	}
}
