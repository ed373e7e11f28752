// Package metrics shows the rooms' counters to Prometheus. It reads them when it is asked and keeps nothing itself.
//
// How many series there are is bounded by the configuration: by its zones, their servers and the certificates. docs/metrics.md says what
// each means. It fails by answering 500, which would be a mistake of ours.
package metrics

import (
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seawall/seawall/internal/cache"
	"github.com/seawall/seawall/internal/cache/store"
	"github.com/seawall/seawall/internal/conn"
	"github.com/seawall/seawall/internal/edge"
	"github.com/seawall/seawall/internal/hello"
	"github.com/seawall/seawall/internal/packet"
	"github.com/seawall/seawall/internal/record"
	"github.com/seawall/seawall/internal/snapshot"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/verdict/rules"
	"github.com/seawall/seawall/internal/zone"
	"github.com/seawall/seawall/workers"
)

// Sources are what metrics are read from.
type Sources struct {
	Connections *conn.Room
	Handshakes  *hello.Room // nil for a node without HTTPS
	Workers     *workers.Pool
	Records     *record.Room
	Cache       *cache.Room
	Zones       *snapshot.Snapshot
	// MaxConnections bounds those open at one time.
	MaxConnections int
	// Packets are what the packet filter counts.
	Packets func() ([]packet.End, error)
	// Rules are the node's own.
	Rules func() []rules.Count
	// Prefetched is what of a zone is fetched ahead, and whether anything is to be.
	Prefetched func(zone string) (edge.Prefetched, bool)
	// Certificates are those that visitors are shown, Configuration how the last reload went.
	Certificates  func() []Certificate
	Configuration func() Configuration
	Version       string
}

// Certificate is one that visitors are shown, by its first name.
type Certificate struct {
	Name     string
	NotAfter time.Time
}

// Configuration is what became of the configuration since the start, which counts as a reload.
type Configuration struct {
	// Applied and Refused count reloads of which something was put in force, and something refused; of one reload it may be both.
	Applied, Refused int
	// Read is when it was read last. Unusable tells that none of it could be put in force then, Problems how much of it could not.
	Read     time.Time
	Unusable bool
	Problems int
	// Restart tells that some of it waits for the next start.
	Restart bool
}

// Handler serves the metrics in Prometheus' text format.
func Handler(s *Sources) http.Handler {
	return promhttp.HandlerFor(registry(s), promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

func registry(s *Sources) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		&collector{s},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return r
}

// collector implements [prometheus.Collector].
type collector struct{ *Sources }

// Describe implements [prometheus.Collector]. What is not described can't be collected.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range all {
		ch <- m.desc
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := sink(ch)
	s.node(c.Sources)
	if c.Handshakes != nil {
		s.handshakes(c.Handshakes)
	}
	s.packets(c.Packets())
	s.workers(c.Workers)
	s.configuration(c.Configuration())
	c.Zones.Each(func(z *zone.Zone) {
		s.zone(z)
		if z.Name() != snapshot.Unserved {
			s.pools(z)
			if p, ok := c.Prefetched(z.Name()); ok {
				s.prefetched(z.Name(), &p)
			}
		}
	})
	s.rules(spec.AllZones, c.Rules())
	specs := c.Zones.Specs()
	s.add(zonesInForce, float64(len(specs)))
	for _, z := range specs {
		s.add(originMax, float64(z.Budget.Concurrent), z.Name)
		s.add(originQueueMax, float64(z.Budget.Queue), z.Name)
		for _, p := range z.Pools {
			s.add(originMax, float64(p.Budget.Concurrent), z.Name+"/"+p.Name)
			s.add(originQueueMax, float64(p.Budget.Queue), z.Name+"/"+p.Name)
		}
	}
	s.certificates(c.Certificates())
}

// sink is where a collection goes.
type sink chan<- prometheus.Metric

func (s sink) add(m *metric, v float64, labels ...string) {
	s <- prometheus.MustNewConstMetric(m.desc, m.kind, v, labels...)
}

func (s sink) histogram(m *metric, h *record.Histogram, labels ...string) {
	buckets := make(map[float64]uint64, record.Buckets)
	var count uint64
	for i, n := range h.Bucket {
		count += uint64(n)
		if i < record.Buckets-1 {
			buckets[record.Bound(i).Seconds()] = count
		}
	}
	s <- prometheus.MustNewConstHistogram(m.desc, count, h.Sum.Seconds(), buckets, labels...)
}

// packets shows what the packet filter counts; what can't be read is left out.
func (s sink) packets(counters []packet.End, err error) {
	if err != nil {
		return
	}
	for _, c := range counters {
		result := "passed"
		if c.Dropped {
			result = "dropped"
		}
		s.add(packetsCounted, float64(c.Packets), c.For, c.Reason, result)
		s.add(packetBytes, float64(c.Bytes), c.For, c.Reason, result)
	}
}

func (s sink) node(from *Sources) {
	s.add(buildInfo, 1, from.Version, runtime.Version())
	conns := from.Connections.Stats()
	s.add(connectionsOpen, float64(conns.Open))
	s.add(connectionsMax, float64(from.MaxConnections))
	for cause, n := range conns.Refused {
		s.add(connectionsRefused, float64(n), cause.String())
	}
	s.add(connectionFaults, float64(conns.Faults))
	s.add(draining, truth(conns.Draining))
	s.add(logLost, float64(from.Records.Lost()))

	stored := from.Cache.Stats()
	s.add(cacheObjects, float64(stored.Objects))
	s.add(cacheBytes, float64(stored.Bytes))
	s.add(cacheEvictions, float64(stored.Evictions))
	if stored.Disk != nil {
		s.disk(stored.Disk)
	}
	if c := stored.Copies; c != nil {
		s.add(copiesObjects, float64(c.Objects))
		s.add(copiesBytes, float64(c.Bytes))
		s.add(copiesHits, float64(c.Hits))
	}
}

func (s sink) disk(d *store.DiskStats) {
	for state := store.Loading; state <= store.Closed; state++ {
		s.add(diskState, truth(state == d.State), state.String())
	}
	s.add(diskObjects, float64(d.Objects))
	s.add(diskBytes, float64(d.Bytes))
	s.add(diskHits, float64(d.Hits))
	s.add(diskWritten, float64(d.Written))
	s.add(diskDropped, float64(d.Dropped))
	s.add(diskFailures, float64(d.Failures))
}

func (s sink) handshakes(room *hello.Room) {
	shaken := room.Stats()
	s.add(handshakes, float64(shaken.Complete), "complete")
	s.add(handshakes, float64(shaken.Failed), "failed")
	s.add(handshakesResumed, float64(shaken.Resumed))
	s.add(handshakesClassical, float64(shaken.Classical))
	for cause, n := range shaken.Refused {
		s.add(handshakesRefused, float64(n), hello.Cause(cause).String())
	}
	s.add(handshakesOpen, float64(shaken.Open))
	s.add(handshakesWaiting, float64(shaken.Waiting))
}

func (s sink) workers(pool *workers.Pool) {
	jobs := pool.Stats()
	s.add(workersThreads, float64(jobs.Threads))
	s.add(workersWaiting, float64(jobs.Waiting))
	s.add(workersJobs, float64(jobs.Run))
	s.add(workersSteps, float64(jobs.Steps))
	s.add(workersShed, float64(jobs.Refused), "refused")
	s.add(workersShed, float64(jobs.Displaced), "displaced")
	s.add(workersShed, float64(jobs.Late), "late")
}

func (s sink) configuration(c Configuration) {
	s.add(configReloads, float64(c.Applied), "applied")
	s.add(configReloads, float64(c.Refused), "refused")
	s.add(configRead, float64(c.Read.Unix()))
	s.add(configUsable, truth(!c.Unusable))
	s.add(configProblems, float64(c.Problems))
	s.add(configRestart, truth(c.Restart))
}

// certificates shows one certificate of each name: the one that ends last, as its predecessor may still be there.
func (s sink) certificates(list []Certificate) {
	ends := make(map[string]time.Time, len(list))
	for _, c := range list {
		if c.NotAfter.After(ends[c.Name]) {
			ends[c.Name] = c.NotAfter
		}
	}
	for name, end := range ends {
		s.add(certificateEnd, float64(end.Unix()), name)
	}
}

func truth(v bool) float64 {
	if v {
		return 1
	}
	return 0
}
