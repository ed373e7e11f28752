package verdict

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/verdict/bots"
	"github.com/seawall/seawall/internal/verdict/exceptions"
	"github.com/seawall/seawall/internal/verdict/geo"
	"github.com/seawall/seawall/internal/verdict/limits"
	"github.com/seawall/seawall/internal/verdict/lists"
	"github.com/seawall/seawall/internal/verdict/rules"
	"github.com/seawall/seawall/prefixes"
)

// Room keeps what outlives a zone's policy: what its sources have taken, and the counts of its matches.
type Room struct {
	// HTTPSPort is where visitors are redirected to; 0 if the node does not listen for HTTPS. It is set before the first Compile.
	HTTPSPort int
	// Exceptions are the refusals that are undone for a time.
	Exceptions *exceptions.Room

	taken *limits.Table
	lists lists.Shared
	geo   geo.Room
	bots  *bots.Room
	rules *rules.Room
	own   atomic.Pointer[guard] // the node's rules

	mu     sync.Mutex
	counts map[string]weak.Pointer[counts] // by zone
}

// New returns a room in which nobody has taken anything. Nothing of a node bounds it.
func New(*spec.Node) *Room {
	return &Room{Exceptions: exceptions.New(), taken: limits.New(), bots: bots.New(), rules: rules.New(), counts: make(map[string]weak.Pointer[counts])}
}

// UseNames gives the room what asks a DNS server for the names of crawlers' addresses. It is called before Configure.
func (r *Room) UseNames(resolve func(server string) bots.Names) { r.bots.Resolve = resolve }

// UseDirectories gives the room what asks hosts for the keys of crawlers. It is called before Configure.
func (r *Room) UseDirectories(ask http.RoundTripper, log *slog.Logger) {
	r.bots.UseDirectories(ask, log)
}

// Close ends what goes on behind requests.
func (r *Room) Close() {
	r.Exceptions.Close()
	r.bots.Close()
}

// Configure puts in force what is of all zones: lists, geo, crawlers and the node's own rules. What can't be used is a problem, which begins with its
// key, and leaves that as it was. It tells whether zones have to be compiled anew, because there are other lists.
func (r *Room) Configure(s *spec.Node) (anew bool, problems []error) {
	anew, problems = r.lists.Configure(s.Lists)
	problems = append(problems, r.geo.Configure(&s.Geo)...)
	problems = append(problems, r.bots.Configure(&s.Crawlers)...)
	unknown := unlocated(s)
	anew = anew || len(unknown) != len(r.rules.Unknown)
	r.rules.Unknown = unknown
	return anew, append(problems, spec.Problems(r.guard(&s.Rules))...)
}

// unlocated are the fields of rules that nobody can know without the files of geo, which the node does not have.
func unlocated(s *spec.Node) map[string]string {
	unknown := make(map[string]string)
	tor := slices.ContainsFunc(s.Lists, func(l spec.List) bool { return l.Name == torExits }) // which makes a country
	if s.Geo.Country == "" && !tor {
		for _, field := range []string{"ip.src.country", "ip.src.continent", "ip.src.is_in_european_union"} {
			unknown[field] = "want a file in node.geo.country"
		}
	}
	if s.Geo.ASN == "" {
		unknown["ip.src.asnum"] = "want a file in node.geo.asn"
	}
	return unknown
}

// torExits is the list of the node that has the exits of Tor.
const torExits = "tor"

// Locate implements [flow.Locator].
func (r *Room) Locate(client netip.Addr) flow.Location {
	l := r.geo.Locate(client)
	if tor := r.lists.Get(torExits); tor != nil && tor.Has(client) {
		l.Country, l.Continent = "T1", "T1"
	}
	return l
}

// Compile returns the policy of a zone. It fails if a limit cannot be counted or the action is unknown.
func (r *Room) Compile(z *spec.Zone) (*Policy, error) {
	if a := z.Action; a != spec.ActionBlock && a != spec.ActionLog {
		return nil, fmt.Errorf("action: %q is none: want %q or %q", a, spec.ActionBlock, spec.ActionLog)
	}
	bounds, err := r.bounds(z)
	if err != nil {
		return nil, err
	}
	redirect, err := r.newRedirect(&z.HTTPS)
	if err != nil {
		return nil, err
	}
	listed, err := lists.Compile(&z.Lists, &r.lists)
	if err != nil {
		return nil, err
	}
	ruleset, err := r.rules.Compile(z.Name, &z.Rules, nameable{listed})
	if err != nil {
		return nil, err
	}
	return &Policy{
		redirect: redirect,
		bots:     r.bots,
		guard:    &r.own,
		lists:    listed,
		bounds:   bounds,
		grace:    exceptions.Grace{Room: r.Exceptions, Zone: z.Name, Dry: z.Action == spec.ActionLog},
		counts:   r.countsOf(z.Name),
		rules:    ruleset,
	}, nil
}

// countsOf returns the counts that the zone's policies share.
func (r *Room) countsOf(zone string) *counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.counts[zone].Value()
	if c == nil {
		c = new(counts)
		r.counts[zone] = weak.Make(c)
		runtime.AddCleanup(c, r.forget, zone)
	}
	return c
}

// forget drops the counts of a zone that has no policy any more, unless it has come back since.
func (r *Room) forget(zone string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts[zone].Value() == nil {
		delete(r.counts, zone)
	}
}

// Listed tells which list an address is on, if any, by the list's key and the entry that matches.
func (p *Policy) Listed(address netip.Addr) (rule string, by netip.Prefix, ok bool) {
	switch listing, by, _ := p.lists.Find(address); listing {
	case lists.Allowed:
		return listsAllow.String(), by, true
	case lists.Denied:
		return listsDeny.String(), by, true
	}
	return "", netip.Prefix{}, false
}

// Limited is a limit that an address is over.
type Limited struct {
	Rule, Detail string
	Wait         time.Duration // until it may have a request
}

// Limited tells which of the zone's limits refuse an address now.
func (p *Policy) Limited(address netip.Addr, now time.Time) (over []Limited) {
	for r := limitsRequests; r <= limitsOriginRequestsBusy; r++ {
		if wait, detail := p.bounds.of(r).Wait(prefixes.Source(address), now); wait > 0 {
			over = append(over, Limited{r.String(), detail, wait})
		}
	}
	return over
}

// Rules returns how often each of the zone's rules has held.
func (p *Policy) Rules() []rules.Count { return p.rules.Counts() }
