package node

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/admission"
	"github.com/seawall/seawall/internal/cache/store"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/hello"
	"github.com/seawall/seawall/internal/node/metrics"
	"github.com/seawall/seawall/internal/node/status"
	"github.com/seawall/seawall/internal/origin"
	"github.com/seawall/seawall/internal/record"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/verdict/exceptions"
	"github.com/seawall/seawall/internal/zone"
)

const (
	// refusalsLooked is how many of the newest refusals a report sums up, refusalsShown how many it lists.
	refusalsLooked = 500
	refusalsShown  = 20
)

// operations are what this node can do: what came from a file can be read again.
func (n *Node) operations() operations {
	may := operations{Config: n.shownConfig}
	if n.source != nil {
		may.Reload = n.Reload
	}
	if n.process != nil {
		may.Upgrade = n.Upgrade
	}
	return may
}

// sampling remembers what was counted, now and then, until the admin listener is closed.
func (n *Node) sampling(ctx context.Context) {
	ticks := time.NewTicker(status.Every)
	defer ticks.Stop()
	for {
		select {
		case now := <-ticks.C:
			n.sample(now)
		case <-ctx.Done():
			return
		}
	}
}

func (n *Node) sample(now time.Time) {
	zones := make(map[string]status.Counters)
	n.snapshot.Each(func(z *zone.Zone) {
		counts := z.Record.Counts()
		zones[z.Name()] = counters(&counts)
	})
	n.admin.history.Add(now, zones)
}

func counters(c *record.Counts) status.Counters {
	asked := int64(0)
	for s, n := range c.Cache {
		if s != int(flow.Bypass) {
			asked += n
		}
	}
	return status.Counters{
		Requests: c.Requests, Origin: c.OriginAttempts, Asked: asked, Hits: c.Cache[flow.Hit] + c.Cache[flow.Stale], Refused: c.Refused,
	}
}

// state is whether the node serves.
func (n *Node) state() status.State {
	switch {
	case n.conns.Draining():
		return status.Draining
	case len(n.listening) == 0:
		return status.NotListening
	}
	return status.Serving
}

// report gathers how the node is, with the newest refusals of one zone, or of all if that is "".
func (n *Node) report(of string) *status.Report {
	now, conns, stored := time.Now(), n.conns.Stats(), n.rooms.Cache.Stats()
	last, _, _ := n.Reloads()
	r := &status.Report{
		Node: n.spec.Name, Version: version(), Time: now, Started: n.admin.started, Reloaded: last.Time, State: n.state(),
		Problems:    n.problems(&last),
		Connections: status.Connections{Open: conns.Open, Max: n.spec.Connections.Max, Refused: make(map[string]int64, len(conns.Refused))},
		Cache:       status.Cache{Objects: stored.Objects, Bytes: stored.Bytes, Size: int64(n.spec.Cache.Size), Evictions: stored.Evictions},
		Listening:   []string{}, Certificates: []status.Certificate{},
		LogLost:   n.rooms.Record.Lost(),
		Faults:    conns.Faults,
		CanReload: n.source != nil,
	}
	for _, l := range n.listening {
		r.Listening = append(r.Listening, l.Scheme+" "+l.Address.String())
	}
	for cause, count := range conns.Refused {
		r.Connections.Refused[cause.String()] = count
	}
	if n.hello != nil {
		r.Handshakes = reportHandshakes(n.hello)
	}
	n.reportZones(r)
	n.reportCertificates(r)
	var refusals []status.Refusal
	for _, e := range n.rooms.Record.Refusals(of, refusalsLooked) {
		refusals = append(refusals, status.Refusal{
			Time: e.Time, ID: e.ID, Zone: e.Zone, Status: e.Status, Reason: e.Refusal, Rule: e.RefusalRule,
			Client: e.Client, Method: e.Method, Host: e.Host, Target: e.Target,
		})
	}
	r.Summarize(refusals, refusalsShown)
	return r
}

func reportHandshakes(room *hello.Room) *status.Handshakes {
	s := room.Stats()
	r := &status.Handshakes{
		Open: s.Open, Queued: room.Workers.Waiting(),
		Complete: int64(s.Complete), Resumed: int64(s.Resumed), Failed: int64(s.Failed), Refused: make(map[string]int64, len(s.Refused)),
	}
	for cause, count := range s.Refused {
		r.Refused[hello.Cause(cause).String()] = int64(count)
	}
	return r
}

// problems are what the operator should mend.
func (n *Node) problems(last *Reload) []string {
	problems := []string{}
	if last.Error != "" {
		problems = append(problems, "the configuration was refused, and what was in force before still is: "+last.Error)
	}
	problems = append(problems, last.Problems...)
	if len(last.Restart) > 0 {
		problems = append(problems, "changed, and takes effect when the node is started again: "+strings.Join(last.Restart, ", "))
	}
	if wanted := len(n.spec.HTTP) + len(n.spec.HTTPS); len(n.listening) < wanted {
		problems = append(problems, fmt.Sprintf("of %d addresses to listen on, %d could not be: the log of the start says why", wanted, wanted-len(n.listening)))
	}
	if n.started.Log.Path != n.spec.Log.Path {
		problems = append(problems, "there is no access log: "+n.started.Log.Path+" could not be opened at the start")
	}
	if lost := n.rooms.Record.Lost(); lost > 0 {
		problems = append(problems, fmt.Sprintf("%d lines of the access log are lost: the disk is full or too slow", lost))
	}
	if d := n.rooms.Cache.Stats().Disk; d != nil && d.State == store.Off {
		problems = append(problems, "the cache is in memory only, as the disk does not serve it: "+d.Problem)
	}
	return problems
}

// reportZones adds the zones in the order of their names, and what no zone serves.
func (n *Node) reportZones(r *status.Report) {
	compiled := make(map[string]*zone.Zone)
	n.snapshot.Each(func(z *zone.Zone) { compiled[z.Name()] = z })
	counted := make(map[string]status.Counters, len(compiled))
	r.Rules, r.Undone = n.reportRules(spec.AllZones), reportUndone(n.rooms.Verdict.Exceptions.List())
	add := func(name string, s *spec.Zone) {
		z := compiled[name]
		if z == nil { // a reload has come between
			return
		}
		counts := z.Record.Counts()
		counted[name] = counters(&counts)
		r.Zones = append(r.Zones, reportZone(z, s, &counts))
	}
	add(status.Unserved, nil)
	for _, s := range n.snapshot.Specs() {
		add(s.Name, s)
	}
	n.admin.history.Fill(r, counted)
}

// reportRules are the rules of a zone, or with "*" the node's own.
func (n *Node) reportRules(of string) (list []status.Rule) {
	for _, r := range n.rulesOf(of, false) {
		shown := status.Rule{Name: r.Rule, Action: r.Action, Expression: r.Expression, Matches: int64(r.Matches)}
		if r.Undone != nil {
			shown.Undone = *r.Undone
		}
		list = append(list, shown)
	}
	return list
}

func reportUndone(list []exceptions.Exception) []status.Undone {
	undone := make([]status.Undone, len(list))
	for i := range list {
		e := &list[i]
		undone[i] = status.Undone{What: e.String(), Zone: e.Zone, Until: e.Until, By: e.By}
		if e.Zone == spec.AllZones {
			undone[i].Zone = ""
		}
	}
	return undone
}

// reportZone tells what is known of a zone; s is nil if it is none of the configuration's.
func reportZone(z *zone.Zone, s *spec.Zone, counts *record.Counts) status.Zone {
	r := status.Zone{
		Name: z.Name(), Hosts: []string{}, Servers: []status.Server{}, Certificates: []status.Certificate{},
		Requests: counts.Requests, Bytes: counts.Bytes, Status: counts.Status, Broken: counts.Broken, Dry: counts.Dry,
		ByCache: make(map[string]int64, len(counts.Cache)),
	}
	for i, count := range counts.Cache {
		r.ByCache[flow.CacheStatus(i).String()] = count
	}
	for _, c := range z.Verdict.Counts() {
		r.Rules = append(r.Rules, status.Rule{Name: c.Rule, Matches: int64(c.Matches)})
	}
	if s == nil {
		return r
	}
	r.Hosts, r.DryRun = s.Hosts, s.Action == spec.ActionLog
	r.Budget = reportBudget(z.Admission, &s.Budget)
	r.Servers = appendServers(r.Servers, "", z.Origin)
	for i := range s.Pools {
		name := s.Pools[i].Name
		if p := z.Pools[name]; p != nil { // else a reload has come between
			r.Pools = append(r.Pools, status.Pool{Name: name, Budget: reportBudget(p.Admission, &s.Pools[i].Budget)})
			r.Servers = appendServers(r.Servers, name, p.Origin)
		}
	}
	return r
}

func reportBudget(p *admission.Policy, s *spec.Budget) status.Budget {
	load := p.Load()
	return status.Budget{
		Concurrent: load.Concurrent, MaxConcurrent: s.Concurrent, Queued: load.Queued, MaxQueued: s.Queue,
		Upgrades: load.Upgrades, MaxUpgrades: s.Upgrades, Rate: s.Rate.String(),
	}
}

func appendServers(to []status.Server, pool string, p *origin.Policy) []status.Server {
	for _, o := range p.Servers() {
		to = append(to, status.Server{
			Pool: pool, URL: o.URL, Weight: o.Weight, Backup: o.Backup, Up: o.Up, Why: o.Why, Since: o.Since,
			InFlight: o.InFlight, Requests: int64(o.Requests), Failures: int64(o.Failures),
		})
	}
	return to
}

// sources are where the metrics come from.
func (n *Node) sources() *metrics.Sources {
	return &metrics.Sources{
		Connections: n.conns, Handshakes: n.hello, Workers: n.workers, Records: n.rooms.Record, Cache: n.rooms.Cache, Zones: n.snapshot,
		MaxConnections: n.spec.Connections.Max,
		Packets:        n.packets.Counters,
		Rules:          n.rooms.Verdict.Rules,
		Prefetched:     n.path.Prefetched,
		Version:        version(),
		Certificates: func() (list []metrics.Certificate) {
			n.eachCertificate(func(_ string, c status.Certificate) {
				if len(c.Names) > 0 && !c.NotAfter.IsZero() {
					list = append(list, metrics.Certificate{Name: c.Names[0], NotAfter: c.NotAfter})
				}
			})
			return list
		},
		Configuration: func() metrics.Configuration {
			last, applied, refused := n.Reloads()
			return metrics.Configuration{
				Applied: applied, Refused: refused, Read: last.Time, Unusable: last.Error != "", Problems: len(last.Problems), Restart: len(last.Restart) > 0,
			}
		},
	}
}

// version is what the build was made of.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "development"
	}
	return info.Main.Version
}
