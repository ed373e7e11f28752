// Package metrics shows the rooms' counters to Prometheus. It reads them when it is asked and keeps nothing itself.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seawall/seawall/internal/cache"
	"github.com/seawall/seawall/internal/conn"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/record"
	"github.com/seawall/seawall/internal/snapshot"
	"github.com/seawall/seawall/internal/zone"
)

// Handler serves the metrics in Prometheus' text format.
func Handler(conns *conn.Room, records *record.Room, store *cache.Room, zones *snapshot.Snapshot) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		&collector{conns: conns, records: records, store: store, zones: zones},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

// collector implements [prometheus.Collector].
type collector struct {
	conns   *conn.Room
	records *record.Room
	store   *cache.Room
	zones   *snapshot.Snapshot
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("seawall_"+name, help, labels, nil)
}

// The metrics. Those of a zone carry its name; "-" is what no zone serves.
var (
	connectionsOpen    = desc("connections", "Client connections open now.")
	connectionsRefused = desc("connections_refused_total", "Client connections refused or cut, by cause.", "cause")
	connectionFaults   = desc("faults_total", "Connections lost to a fault of Seawall itself. Should be 0; please report what the log says.")
	logLost            = desc("log_lines_lost_total", "Access log lines that could not be written.")

	cacheObjects   = desc("cache_objects", "Objects in the memory cache.")
	cacheBytes     = desc("cache_bytes", "Bytes in the memory cache.")
	cacheEvictions = desc("cache_evictions_total", "Objects dropped from the memory cache for want of room.")

	requests        = desc("requests_total", "Requests, by the first digit of the status; 0 had no answer.", "zone", "status")
	requestsCache   = desc("cache_requests_total", "Requests, by what the cache did.", "zone", "cache")
	requestsRefused = desc("requests_refused_total", "Requests refused, by reason.", "zone", "reason")
	requestsDry     = desc("requests_dry_total", "Requests that a rule in a dry run would have refused.", "zone")
	ruleMatches     = desc("rule_matches_total", "Requests that a list or limit matched, in a dry run too.", "zone", "rule")
	responsesBroken = desc("responses_broken_total", "Responses that did not end as they should.", "zone")
	bodyBytes       = desc("response_body_bytes_total", "Bytes of response bodies sent to clients.", "zone")
	requestSeconds  = desc("request_duration_seconds", "Time from a request's head to the end of its response.", "zone")

	originRequests   = desc("origin_requests_total", "Requests sent to the origin, retries included.", "zone")
	originSeconds    = desc("origin_first_byte_seconds", "Time from sending a request to the origin to the head of its response.", "zone")
	originConcurrent = desc("origin_concurrent_requests", "Requests at the origin now.", "zone")
	originQueued     = desc("origin_queued_requests", "Requests that wait for the origin's budget now.", "zone")
	originUpgrades   = desc("origin_upgraded_connections", "Upgraded connections (WebSockets) open now.", "zone")
	queueSeconds     = desc("origin_queue_seconds", "Time that requests waited for the origin's budget, of those that waited.", "zone")
)

// Describe implements [prometheus.Collector].
func (c *collector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect implements [prometheus.Collector].
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	m := sink{ch}
	conns := c.conns.Stats()
	m.gauge(connectionsOpen, float64(conns.Open))
	for cause, n := range conns.Refused {
		m.counter(connectionsRefused, n, cause.String())
	}
	m.counter(connectionFaults, conns.Faults)
	m.counter(logLost, c.records.Lost())

	stored := c.store.Stats()
	m.gauge(cacheObjects, float64(stored.Objects))
	m.gauge(cacheBytes, float64(stored.Bytes))
	m.counter(cacheEvictions, int64(stored.Evictions))

	c.zones.Each(func(z *zone.Zone) { m.zone(z) })
}

type sink struct{ ch chan<- prometheus.Metric }

func (m sink) gauge(d *prometheus.Desc, v float64, labels ...string) {
	m.ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (m sink) counter(d *prometheus.Desc, v int64, labels ...string) {
	m.ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
}

func (m sink) histogram(d *prometheus.Desc, h *record.Histogram, labels ...string) {
	buckets := make(map[float64]uint64, record.Buckets)
	var count uint64
	for i, n := range h.Bucket {
		count += uint64(n)
		if i < record.Buckets-1 {
			buckets[record.Bound(i).Seconds()] = count
		}
	}
	m.ch <- prometheus.MustNewConstHistogram(d, count, h.Sum.Seconds(), buckets, labels...)
}

func (m sink) zone(z *zone.Zone) {
	name, counts, load := z.Name(), z.Record.Counts(), z.Admission.Load()
	for class, n := range counts.Status {
		m.counter(requests, n, name, string(rune('0'+class)))
	}
	for status, n := range counts.Cache {
		m.counter(requestsCache, n, name, flow.CacheStatus(status).String())
	}
	for reason, n := range counts.Refused {
		if reason != int(flow.NoReason) {
			m.counter(requestsRefused, n, name, flow.Reason(reason).String())
		}
	}
	m.counter(requestsDry, counts.Dry, name)
	for _, c := range z.Verdict.Counts() {
		m.counter(ruleMatches, int64(c.Matches), name, c.Rule)
	}
	m.counter(responsesBroken, counts.Broken, name)
	m.counter(bodyBytes, counts.Bytes, name)
	m.counter(originRequests, counts.OriginAttempts, name)
	m.gauge(originConcurrent, float64(load.Concurrent), name)
	m.gauge(originQueued, float64(load.Queued), name)
	m.gauge(originUpgrades, float64(load.Upgrades), name)
	m.histogram(requestSeconds, &counts.Duration, name)
	m.histogram(originSeconds, &counts.OriginDuration, name)
	m.histogram(queueSeconds, &counts.QueueDuration, name)
}
