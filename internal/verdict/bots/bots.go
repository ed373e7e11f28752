// Package bots knows crawlers: who of those that call themselves one is it.
//
// It learns a request's User-Agent and client, and writes Verdict.BotName, BotCategory and VerifiedBot. A crawler is known by its published
// ranges at once, or by the name of its address: that has to be in one of the crawler's domains, and the name's addresses have to have
// the client's among them (forward-confirmed reverse DNS). Names are looked up behind the requests, which never wait: the first of an address
// are not verified yet. Where nothing can be verified, User-Agent is not even looked at.
//
// What was found is remembered for 65,536 addresses and for an hour at most; 8 lookups go on at one time and 256 wait, and who comes
// then is not verified until there is room. A lookup takes 5 seconds at most. One that fails verifies nobody. Who signs its requests with a
// key that the node has (Web Bot Auth) is known by that, whatever its address; 200 signatures a second are verified. Keys come from files, and from
// the directories of hosts that the operator names, at most 100 of 64 KiB, which are fetched again within a day, behind all requests. What can't be
// fetched leaves the last good keys in force, for a week.
package bots

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/prefixes"
)

// Names looks up names in the DNS, as [net.Resolver] does.
type Names interface {
	LookupAddr(ctx context.Context, addr string) (names []string, err error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Room is what a node knows of crawlers.
type Room struct {
	// Resolve makes what asks a DNS server, whose address and port it gets. It is set before Configure; without it no names are looked up.
	Resolve func(server string) Names

	table  atomic.Pointer[table] // nil if nobody can be verified
	lookup lookup
	budget budget // of signatures

	directories directories
}

// UseDirectories gives the room what asks hosts for their keys, and a log for what goes wrong then. It is called before Configure; without it
// no keys are fetched. No redirect may be followed by it.
func (r *Room) UseDirectories(ask http.RoundTripper, log *slog.Logger) {
	r.directories.ask, r.directories.log = ask, log
}

// New returns a room that knows nobody.
func New() *Room {
	r := &Room{directories: directories{log: slog.New(slog.DiscardHandler), byHost: make(map[string]*keyring)}}
	r.lookup.init()
	return r
}

// table is the crawlers of a configuration.
type table struct {
	crawlers []crawler
	byFirst  [256][]start      // of their agents, by the first byte
	names    Names             // nil for none
	byKey    map[string]signer // by the thumbprints of their keys, those of files
	agents   []agent           // whose keys are fetched
	signers  atomic.Pointer[map[string]signer]
}

// start is what an agent's first byte is followed by: most texts that have the one do not have the other.
type start struct {
	second  byte
	crawler uint16
}

type crawler struct {
	spec.Crawler
	ranges *prefixes.Set // nil if it has none
}

// Configure changes what is known. What is wrong begins with its key, and leaves all as it was.
func (r *Room) Configure(s *spec.Crawlers) []error {
	t, err := r.compile(s)
	if err != nil {
		return []error{err}
	}
	r.directories.mu.Lock()
	defer r.directories.mu.Unlock()
	r.follow(t)
	r.publish(t)
	r.table.Store(t)
	return nil
}

func (r *Room) compile(s *spec.Crawlers) (*table, error) {
	t := &table{byKey: make(map[string]signer)}
	some := false
	for _, c := range known() {
		if !slices.ContainsFunc(s.Known, func(of spec.Crawler) bool { return of.Name == c.Name }) {
			t.crawlers = append(t.crawlers, crawler{Crawler: c})
		}
	}
	for i := range s.Known {
		c := crawler{Crawler: s.Known[i]}
		list, err := c.Prefixes("file")
		if err != nil {
			return nil, fmt.Errorf("crawlers.known[%d].ranges: %w", i, err)
		}
		if len(list) > 0 {
			c.ranges, some = prefixes.Compile(list), true
		}
		keys, err := c.PublicKeys("file")
		if err != nil {
			return nil, fmt.Errorf("crawlers.known[%d].keys: %w", i, err)
		}
		for thumbprint, key := range keys {
			t.byKey[thumbprint], some = signer{key, len(t.crawlers)}, true
		}
		if c.Directory != "" {
			t.agents, some = append(t.agents, agent{strings.ToLower(c.Directory), len(t.crawlers)}), true
		}
		if len(t.agents) > maxDirectories {
			return nil, fmt.Errorf("crawlers.known[%d].directory: is one of more than %d", i, maxDirectories)
		}
		t.crawlers = append(t.crawlers, c)
	}
	if s.Resolver != "" && r.Resolve != nil {
		server, err := address(s.Resolver)
		if err != nil {
			return nil, fmt.Errorf("crawlers.resolver: %w", err)
		}
		t.names, some = r.Resolve(server), true
	}
	if !some {
		return nil, nil
	}
	for i := range t.crawlers {
		agent := t.crawlers[i].Agent
		if len(agent) < 2 {
			return nil, fmt.Errorf("crawlers: %s has the agent %q: want at least 2 letters", t.crawlers[i].Name, agent)
		}
		t.byFirst[agent[0]] = append(t.byFirst[agent[0]], start{agent[1], uint16(i)})
	}
	return t, nil
}

// address is a DNS server's, with the usual port if none is given.
func address(server string) (string, error) {
	if at, err := netip.ParseAddrPort(server); err == nil {
		return at.String(), nil
	}
	at, err := netip.ParseAddr(strings.Trim(server, "[]"))
	if err != nil {
		return "", fmt.Errorf("%q is no DNS server: want its address, such as 127.0.0.1 or [2001:db8::53]:53", server)
	}
	return netip.AddrPortFrom(at, 53).String(), nil
}

// Judge writes which crawler the client says it is, if it does, and whether that is known to be so. It does not wait.
func (r *Room) Judge(f *flow.Flow) {
	t := r.table.Load()
	if t == nil {
		return
	}
	if c := t.signed(&f.Request, &r.budget); c != nil {
		f.Verdict.BotName, f.Verdict.BotCategory, f.Verdict.VerifiedBot = c.Name, c.Category, true
		return
	}
	c := t.claimed(f.Request.Get("user-agent"))
	if c == nil {
		return
	}
	f.Verdict.BotName, f.Verdict.BotCategory = c.Name, c.Category
	switch {
	case c.ranges != nil:
		f.Verdict.VerifiedBot = c.ranges.Contains(f.Request.Client)
	case t.names != nil && len(c.Names) > 0:
		f.Verdict.VerifiedBot = r.lookup.verified(t.names, c, f.Request.Client, f.Request.Received)
	}
}

// maxAgent is how much of a User-Agent is looked at, in bytes.
const maxAgent = 512

// claimed is the first crawler that a User-Agent names, nil if it names none.
func (t *table) claimed(agent string) *crawler {
	agent = agent[:min(len(agent), maxAgent)]
	for i := range len(agent) - 1 {
		for _, at := range t.byFirst[agent[i]] {
			if at.second != agent[i+1] {
				continue
			}
			if c := &t.crawlers[at.crawler]; strings.HasPrefix(agent[i:], c.Agent) {
				return c
			}
		}
	}
	return nil
}
