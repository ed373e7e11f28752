package bots

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seawall/seawall/internal/spec"
)

const (
	// directoryPath is where a host publishes the keys of its signers (draft-meunier-http-message-signatures-directory), directoryType what it
	// says that they are.
	directoryPath = "/.well-known/http-message-signatures-directory"
	directoryType = "application/http-message-signatures-directory+json"

	maxDirectories = 100
	maxDirectory   = 64 << 10 // bytes of one
	fetchTimeout   = 10 * time.Second

	// How long one is good for: as it says, within bounds, or an hour.
	leastHold = 5 * time.Minute
	usualHold = time.Hour
	mostHold  = 24 * time.Hour
	// firstRetry is the wait after a failure, each time twice as long, up to usualHold.
	firstRetry = time.Minute
	// goodFor bounds how long the last good keys are kept while they can't be fetched: they may have been revoked meanwhile.
	goodFor = 7 * 24 * time.Hour
)

// directories are the hosts whose keys are fetched, behind all requests.
type directories struct {
	// ask sends the requests, over TLS; nil for a node that does not fetch any. log tells of failures.
	ask http.RoundTripper
	log *slog.Logger

	mu     sync.Mutex
	closed bool
	byHost map[string]*keyring
	work   sync.WaitGroup
}

// keyring is what one host publishes, and how it is fetched.
type keyring struct {
	host string
	stop context.CancelFunc
	keys map[string]ed25519.PublicKey // the last good ones, by their thumbprints; guarded by the room's mu
}

// agent is a crawler whose keys a host publishes.
type agent struct {
	host    string
	crawler int
}

// follow begins to fetch what a table wants, and ends what it does not want. Call it with mu held.
func (r *Room) follow(t *table) {
	d := &r.directories
	wanted := make(map[string]bool)
	if t != nil && d.ask != nil && !d.closed {
		for _, a := range t.agents {
			wanted[a.host] = true
		}
	}
	for host, have := range d.byHost {
		if !wanted[host] {
			have.stop()
			delete(d.byHost, host)
		}
	}
	for host := range wanted {
		if d.byHost[host] != nil {
			continue
		}
		ctx, stop := context.WithCancel(context.Background())
		one := &keyring{host: host, stop: stop}
		d.byHost[host] = one
		d.work.Go(func() { r.refresh(ctx, one) })
	}
}

// publish gives a table the keys that were fetched. Of a key that several have, the first crawler is the signer. Call it with mu held.
func (r *Room) publish(t *table) {
	if t == nil {
		return
	}
	signers := maps.Clone(t.byKey)
	for _, a := range t.agents {
		d := r.directories.byHost[a.host]
		if d == nil {
			continue
		}
		for thumbprint, key := range d.keys {
			if _, taken := signers[thumbprint]; !taken {
				signers[thumbprint] = signer{key, a.crawler}
			}
		}
	}
	t.signers.Store(&signers)
}

// learn puts a host's keys in force.
func (r *Room) learn(d *keyring, keys map[string]ed25519.PublicKey) {
	r.directories.mu.Lock()
	defer r.directories.mu.Unlock()
	d.keys = keys
	r.publish(r.table.Load())
}

// refresh fetches a host's keys again and again. A failure leaves those that there are, for a time.
func (r *Room) refresh(ctx context.Context, d *keyring) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var good time.Time
	retry := firstRetry
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		keys, hold, err := fetchDirectory(ctx, r.directories.ask, d.host)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			r.learn(d, keys)
			good, retry = time.Now(), firstRetry
		default:
			r.directories.log.Warn("the keys of a crawler's host can't be fetched", "host", d.host, "error", err, "again in", retry)
			if time.Since(good) > goodFor {
				r.learn(d, nil)
			}
			hold, retry = retry, min(2*retry, usualHold)
		}
		timer.Reset(hold - rand.N(hold/10)) // nodes that began together ask apart
	}
}

// fetchDirectory asks a host for its keys, and tells how long they are good for. It follows no redirects: the operator has named this host.
func fetchDirectory(ctx context.Context, ask http.RoundTripper, host string) (keys map[string]ed25519.PublicKey, hold time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+directoryPath, nil)
	if err != nil {
		return nil, 0, fmt.Errorf("asking for keys: %w", err)
	}
	q.Header.Set("Accept", directoryType)
	q.Header.Set("User-Agent", "seawall")
	resp, err := ask.RoundTrip(q)
	if err != nil {
		return nil, 0, fmt.Errorf("asking for keys: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, 0, fmt.Errorf("asking for keys: status %d, want 200", resp.StatusCode)
	case err != nil || media != directoryType && media != "application/json":
		return nil, 0, fmt.Errorf("asking for keys: got %q, want %s", resp.Header.Get("Content-Type"), directoryType)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxDirectory+1))
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("reading keys: %w", err)
	case len(text) > maxDirectory:
		return nil, 0, fmt.Errorf("reading keys: more than %d bytes", maxDirectory)
	case len(text) == 0:
		return nil, 0, errors.New("reading keys: there are none")
	}
	keys, err = (&spec.Crawler{Keys: spec.FileText(text)}).PublicKeys("keys")
	return keys, holdOf(resp.Header.Get("Cache-Control")), err
}

// holdOf is how long a directory is good for, by its max-age.
func holdOf(control string) time.Duration {
	for directive := range strings.SplitSeq(control, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		if seconds, err := strconv.Atoi(value); err == nil && strings.EqualFold(name, "max-age") {
			return time.Duration(min(max(seconds, int(leastHold.Seconds())), int(mostHold.Seconds()))) * time.Second
		}
	}
	return usualHold
}

// Close ends all fetching, and waits until it has ended.
func (r *Room) Close() {
	r.directories.mu.Lock()
	r.directories.closed = true
	r.follow(nil)
	r.directories.mu.Unlock()
	r.directories.work.Wait()
}
