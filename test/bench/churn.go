package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// cacheSize and diskSize are how much the servers that have a cache may store, in MiB.
const (
	cacheSize = 256
	diskSize  = 1024
)

const (
	churnObjects = 4 * cacheSize << 20 / (2047 << 10 / 11)
	churners     = 16  // clients
	churnSkew    = 1.1 // of the objects' popularity (Zipf)
)

// churnSizes are the sizes of the objects, each as frequent as the others: 1 KiB to 1 MiB. The objects are four times what the cache
// holds.
var churnSizes = []int{1 << 10, 2 << 10, 4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20}

// resident is the memory of a server in KB: after its start, at the end, and the most that it ever was.
type resident struct{ first, last, most int64 }

// churn starts the server, asks for every object once, which fills its cache, and then for some more often than for others, so that
// it goes on evicting and storing.
func (c *contender) churn(ctx context.Context, duration time.Duration) (turn, error) {
	if err := c.start(ctx); err != nil {
		return turn{}, err
	}
	defer c.stop()
	c.cutLog()
	c.checked = true
	first, err := kilobytes(c.processes, "status", "VmRSS")
	if err != nil {
		return turn{}, err
	}
	filled, err := c.site.fetch(ctx, c.setting.Address, func(client int) iter.Seq[int] {
		return func(yield func(int) bool) {
			for i := client; i < churnObjects && yield(i); i += churners {
			}
		}
	})
	if err != nil {
		return turn{}, err
	}
	before, err := c.site.asked(ctx)
	if err != nil {
		return turn{}, err
	}
	began := time.Now()
	churned, err := c.site.fetch(ctx, c.setting.Address, func(client int) iter.Seq[int] {
		popular := rand.NewZipf(rand.New(rand.NewPCG(1, uint64(client))), churnSkew, 1, churnObjects-1)
		return func(yield func(int) bool) {
			for time.Since(began) < duration && yield(int(popular.Uint64())) {
			}
		}
	})
	took := time.Since(began)
	if err != nil {
		return turn{}, err
	}
	last, err := kilobytes(c.processes, "status", "VmRSS")
	if err != nil {
		return turn{}, err
	}
	most, err := kilobytes(c.processes, "status", "VmHWM")
	if err != nil {
		return turn{}, err
	}
	after, err := c.site.asked(ctx)
	c.answers += filled + churned
	t := turn{
		cost: float64(most) / (cacheSize << 10), rate: float64(churned) / took.Seconds(),
		memory: resident{first: first, last: last, most: most},
	}
	return t, errors.Join(err, plausibleChurn(churned, after-before-1, t))
}

// plausibleChurn makes sure that a cache was full, and churned.
func plausibleChurn(requests, asked int, t turn) error {
	switch {
	case asked <= 0:
		return fmt.Errorf("none of %d requests reached the origin: want those for what was evicted", requests)
	case asked >= requests:
		return fmt.Errorf("%d of %d requests reached the origin: want most from the cache", asked, requests)
	case t.memory.most < cacheSize<<10*3/4:
		return fmt.Errorf("%d KB of memory at most: want a full cache of %d MiB", t.memory.most, cacheSize)
	}
	return nil
}

// fetch asks the server for the objects that each of its clients is given, and counts them.
func (t *site) fetch(ctx context.Context, address string, objects func(client int) iter.Seq[int]) (int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	transport := &http.Transport{MaxIdleConnsPerHost: churners, DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Timeout: clientTimeout, Transport: transport}
	counts := make([]int, churners)
	var clients sync.WaitGroup
	for i := range counts {
		clients.Go(func() {
			for object := range objects(i) {
				if err := t.fetchObject(ctx, client, address, object); err != nil {
					cancel(fmt.Errorf("object %d: %w", object, err))
				}
				if ctx.Err() != nil {
					return
				}
				counts[i]++
			}
		})
	}
	clients.Wait()
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum, context.Cause(ctx)
}

func (t *site) fetchObject(ctx context.Context, client *http.Client, address string, object int) error {
	size := t.scenario.size
	if t.scenario.client == churning {
		size = churnSizes[object%len(churnSizes)]
	}
	url := "http://" + address + "/cacheable/" + strconv.Itoa(size) + "?" + strconv.Itoa(object)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || n != int64(size)) {
		err = fmt.Errorf("status %d with %d bytes: want 200 with %d", res.StatusCode, n, size)
	}
	return err
}
