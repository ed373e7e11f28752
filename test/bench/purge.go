package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
)

const (
	purgeObjects = 1_000_000
	purgeSize    = 128 // bytes of each
	purgeTurns   = 20  // tags, each of which every object carries
	purgeFillers = 64  // connections that have the objects stored
	purgeProbes  = 50  // objects that are there before a purge, and not after it
	purgePause   = 100 * time.Millisecond
	purgeBeside  = 10 * time.Second // of hits, which the purges have to be done within
	purgeTimeout = 150 * time.Second
)

// purgeTagList is what the origin says of the objects.
func purgeTagList() string {
	tags := make([]string, purgeTurns)
	for i := range tags {
		tags[i] = purgeTag(i)
	}
	return strings.Join(tags, ", ")
}

func purgeTag(turn int) string { return "tag-" + strconv.Itoa(turn) }

// A purged is what one purge took, from before it was sent.
type purged struct {
	force   time.Duration // until it was in force, as its receipt says
	receipt time.Duration // until that was there
}

// purgeTags fills Seawall with objects, has it serve others from wrk, and purges one tag after the other meanwhile.
func purgeTags(ctx context.Context, w io.Writer, s scenario, site *site, c *contender) error {
	if err := c.start(ctx); err != nil {
		return err
	}
	defer c.stop()
	began := time.Now()
	if err := c.fillTagged(ctx); err != nil {
		return fmt.Errorf("fill the cache: %w", err)
	}
	filled := time.Since(began)
	memory, err := kilobytes(c.processes, "status", "VmRSS")
	if err != nil {
		return err
	}
	var hits load
	var failed error
	var beside sync.WaitGroup
	beside.Go(func() { hits, failed = wrk(ctx, site.url(c.setting.Address), 0, purgeBeside) })
	purges, err := c.purgeAll(ctx)
	beside.Wait()
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%s: %s\n", s.name, s.about)
	fmt.Fprintf(w, "%d objects with %d tags each, stored in %.0f s; %d MiB of memory; %.0f hits/s beside %d purges\n",
		purgeObjects, purgeTurns, filled.Seconds(), memory>>10, float64(hits.requests)/hits.elapsed.Seconds(), len(purges))
	printPurges(w, s, purges)
	return nil
}

func printPurges(w io.Writer, s scenario, purges []purged) {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "ms from a purge's request\tmedian\tworst\t\n")
	var lines strings.Builder
	for _, row := range []struct {
		title, name string
		of          func(purged) time.Duration
	}{
		{"until it is in force", "in-force", func(p purged) time.Duration { return p.force }},
		{"until its receipt is there", "receipt", func(p purged) time.Duration { return p.receipt }},
	} {
		var ms []float64
		for _, p := range purges {
			ms = append(ms, microseconds(row.of(p))/1000)
		}
		fmt.Fprintf(t, "%s\t%.2f\t%.2f\t\n", row.title, median(ms), slices.Max(ms))
		fmt.Fprintf(&lines, "bench %s %s-ms-median %.2f\nbench %s %s-ms-worst %.2f\n", s.name, row.name, median(ms), s.name, row.name, slices.Max(ms))
	}
	t.Flush() //nolint:errcheck // as with Fprint: nobody can do anything about it
	fmt.Fprint(w, lines.String())
}

// taggedPath is where an object is.
func (c *contender) taggedPath(object int) string {
	return "/tagged/" + strconv.Itoa(c.setting.Size) + "?" + strconv.Itoa(object)
}

// fillTagged asks for every object once.
func (c *contender) fillTagged(ctx context.Context) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var next atomic.Int64
	var fillers sync.WaitGroup
	for range purgeFillers {
		fillers.Go(func() {
			v, conn, err := visit(ctx, c.setting.Address, purgeTimeout)
			if err != nil {
				fail(err)
				return
			}
			defer conn.Close()
			for ctx.Err() == nil {
				i := int(next.Add(1) - 1)
				if i >= purgeObjects {
					return
				}
				if _, err := v.get(c.taggedPath(i), c.setting.Size); err != nil {
					fail(err)
				}
			}
		})
	}
	fillers.Wait()
	return context.Cause(ctx)
}

// purgeAll purges the tags. Objects from all over the cache were hits before the first purge; what is asked for once a receipt is there is
// none. Its thread sends, reads and asks by itself: no scheduler of ours is in the figures.
func (c *contender) purgeAll(ctx context.Context) ([]purged, error) {
	defer beOnTime()()
	asker, closeAsker, err := c.thread(c.setting.Address)
	if err != nil {
		return nil, err
	}
	defer closeAsker()
	admin, closeAdmin, err := c.thread(c.setting.Admin)
	if err != nil {
		return nil, err
	}
	defer closeAdmin()
	token, err := os.ReadFile(filepath.Join(c.setting.Store, "admin.token"))
	if err != nil {
		return nil, err
	}
	var all []purged
	for turn := range purgeTurns {
		time.Sleep(purgePause)
		if err := c.probe(asker, turn, true); err != nil {
			return nil, fmt.Errorf("before purge %d: %w", turn, err)
		}
		p, err := admin.purge(strings.TrimSpace(string(token)), purgeTag(turn))
		if err == nil {
			err = c.probe(asker, turn, false)
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("purge %d: %w", turn, err)
		}
		all = append(all, p)
	}
	return all, nil
}

// probe asks for objects from all over the cache, of which each has to be a hit, or none. Before all but the first purge they are stored
// again first.
func (c *contender) probe(v *visitor, turn int, hit bool) error {
	for i := range purgeProbes {
		path := c.taggedPath((i*purgeObjects + turn) / purgeProbes)
		if hit && turn > 0 {
			if _, err := v.get(path, c.setting.Size); err != nil {
				return err
			}
		}
		header, err := v.get(path, c.setting.Size)
		if err != nil {
			return err
		}
		if c.kind.hit(header) != hit {
			return fmt.Errorf("%s: from the cache: %t: want %t: %v", path, !hit, hit, header)
		}
	}
	return nil
}

// thread opens a connection whose calls block the thread, for a while at most.
func (c *contender) thread(address string) (*visitor, func(), error) {
	server, err := netip.ParseAddrPort(address)
	if err != nil || !server.Addr().Is4() || !server.Addr().IsLoopback() {
		return nil, nil, fmt.Errorf("%s is not on the loopback", address)
	}
	socket, err := dial(nil, &unix.SockaddrInet4{Port: int(server.Port()), Addr: server.Addr().As4()})
	if err != nil {
		return nil, nil, err
	}
	return newVisitor(socket, address), func() { closeDescriptor(int(socket)) }, nil
}

// purge purges a tag.
func (v *visitor) purge(token, tag string) (p purged, err error) {
	var request bytes.Buffer
	body := fmt.Sprintf(`{"tags":[%q]}`, tag)
	fmt.Fprintf(&request, "POST /api/purge HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		v.host, token, len(body), body)
	began := time.Now()
	if _, err := v.conn.Write(request.Bytes()); err != nil {
		return p, err
	}
	res, err := http.ReadResponse(v.in, nil)
	if err != nil {
		return p, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	p.receipt = time.Since(began)
	if err != nil {
		return p, err
	}
	if res.StatusCode != http.StatusOK {
		return p, fmt.Errorf("status %d: %s", res.StatusCode, text)
	}
	at, err := parseReceipt(text, tag)
	p.force = at.Sub(began)
	return p, err
}

// parseReceipt reads since when a purge of a tag is in force.
func parseReceipt(text []byte, tag string) (time.Time, error) {
	var receipt struct {
		Purged []struct {
			Scope, What string
			InForce     time.Time `json:"in_force"`
		}
	}
	if err := json.Unmarshal(text, &receipt); err != nil {
		return time.Time{}, fmt.Errorf("read a receipt: %w", err)
	}
	if len(receipt.Purged) != 1 || receipt.Purged[0].Scope != "tag" || receipt.Purged[0].What != tag || receipt.Purged[0].InForce.IsZero() {
		return time.Time{}, fmt.Errorf("receipt %s: want one of tag %s", text, tag)
	}
	return receipt.Purged[0].InForce, nil
}
