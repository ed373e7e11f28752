package metrics

import "github.com/prometheus/client_golang/prometheus"

// metric is one name in the list.
type metric struct {
	name   string
	kind   prometheus.ValueType
	labels []string
	desc   *prometheus.Desc
}

// distribution is the kind of a histogram, for which Prometheus has no value.
const distribution prometheus.ValueType = 0

func newMetric(kind prometheus.ValueType, name, help string, labels []string) *metric {
	name = "seawall_" + name
	return &metric{name, kind, labels, prometheus.NewDesc(name, help, labels, nil)}
}

func gauge(name, help string, labels ...string) *metric {
	return newMetric(prometheus.GaugeValue, name, help, labels)
}

func counter(name, help string, labels ...string) *metric {
	return newMetric(prometheus.CounterValue, name, help, labels)
}

func histogram(name, help string, labels ...string) *metric {
	return newMetric(distribution, name, help, labels)
}

// The metrics. Those of a zone carry its name; "-" is what no zone serves.
var (
	buildInfo = gauge("build_info", "1, with the version as a label.", "version", "goversion")

	connectionsOpen     = gauge("connections", "Client connections open now.")
	connectionsMax      = gauge("connections_max", "Client connections that may be open at one time.")
	connectionsRefused  = counter("connections_refused_total", "Client connections refused or cut, by cause.", "cause")
	connectionFaults    = counter("faults_total", "Connections lost to a fault of Seawall itself. Should be 0; please report what the log says.")
	handshakes          = counter("handshakes_total", "TLS handshakes that were begun, by how they ended.", "result")
	handshakesResumed   = counter("handshakes_resumed_total", "TLS handshakes that resumed a session.")
	handshakesClassical = counter("handshakes_classical_total", "TLS handshakes answered without the post-quantum key exchange, because too many waited.")
	handshakesRefused   = counter("handshakes_refused_total", "TLS handshakes refused, by cause.", "cause")
	handshakesOpen      = gauge("handshakes_open", "TLS handshakes that were answered and are not complete.")
	handshakesWaiting   = gauge("handshakes_waiting", "Open TLS handshakes that wait for their clients.")
	workersThreads      = gauge("workers_threads", "Threads of lower priority that do what costs CPU.")
	workersWaiting      = gauge("workers_waiting", "Jobs that wait for a worker.")
	workersJobs         = counter("workers_jobs_total", "Jobs that workers have begun.")
	workersSteps        = counter("workers_steps_total", "Further steps of jobs that were begun.")
	workersShed         = counter("workers_shed_total", "Jobs that were shed, by why.", "cause")

	packetsCounted = counter("packets_total", "Packets that the packet filter judged, by what became of them and why.", "for", "reason", "result")
	packetBytes    = counter("packet_bytes_total", "Bytes of those, as IP packets.", "for", "reason", "result")

	draining = gauge("draining", "1 while the node lets requests finish before it stops, else 0.")
	logLost  = counter("log_lines_lost_total", "Access log lines that could not be written.")

	cacheObjects   = gauge("cache_objects", "Objects in the memory cache.")
	cacheBytes     = gauge("cache_bytes", "Bytes in the memory cache.")
	cacheEvictions = counter("cache_evictions_total", "Objects dropped from the memory cache for want of room.")

	prefetchPages  = counter("prefetch_pages_total", "Pages of site maps that were looked at, by what became of that.", "zone", "result")
	prefetchListed = gauge("prefetch_pages", "Pages that a zone's site map lists.", "zone")
	prefetchLooked = gauge("prefetch_pages_done", "Pages of those that have been looked at in this round.", "zone")

	diskState     = gauge("cache_disk_state", "1 for the state that the cache on the disk is in, else 0.", "state")
	diskObjects   = gauge("cache_disk_objects", "Objects in the cache on the disk.")
	diskBytes     = gauge("cache_disk_bytes", "Bytes of the files of the cache on the disk.")
	diskHits      = counter("cache_disk_hits_total", "Objects read from the disk.")
	diskWritten   = counter("cache_disk_written_total", "Objects written to the disk.")
	diskDropped   = counter("cache_disk_dropped_total", "Objects not written to the disk because too much waited to be.")
	copiesObjects = gauge("cache_survive_disk_objects", "Survival copies on the disk.")
	copiesBytes   = gauge("cache_survive_disk_bytes", "Bytes of the files of the survival copies.")
	copiesHits    = counter("cache_survive_disk_hits_total", "Survival copies read from the disk.")
	diskFailures  = counter("cache_disk_failures_total", "Times that the disk failed, or was full, and the cache went on in memory only.")

	configReloads  = counter("config_reloads_total", "Reloads of the configuration, the start included, of which something was applied, or refused.", "result")
	configRead     = gauge("config_last_reload_timestamp_seconds", "When the configuration was read last.")
	configUsable   = gauge("config_last_reload_successful", "1 if the configuration could be put in force when it was read last, all or a part, else 0.")
	configProblems = gauge("config_problems", "How much of the configuration was refused then: zones that keep their last good form, certificates, the node's part.")
	configRestart  = gauge("config_restart_needed", "1 if a change of the configuration waits for the next start, else 0.")
	zonesInForce   = gauge("zones", "Zones in force.")
	certificateEnd = gauge("certificate_not_after_seconds", "When a certificate ends, by its first name.", "name")

	requests        = counter("requests_total", "Requests, by the first digit of the status; 0 had no answer.", "zone", "status")
	requestsCache   = counter("cache_requests_total", "Requests, by what the cache did.", "zone", "cache")
	bytesCache      = counter("cache_saved_bytes_total", "Bytes of responses' content that the origin was not asked for.", "zone")
	codingSaved     = counter("compression_saved_bytes_total", "Bytes of response bodies that were not sent because the cache had encoded them.", "zone", "coding")
	requestsRefused = counter("requests_refused_total", "Requests refused, by reason.", "zone", "reason")
	requestsDry     = counter("requests_dry_total", "Requests that a rule in a dry run would have refused.", "zone")
	ruleMatches     = counter("rule_matches_total", "Requests that a list or limit matched, in a dry run too.", "zone", "rule")
	responsesBroken = counter("responses_broken_total", "Responses that did not end as they should.", "zone")
	bodyBytes       = counter("response_body_bytes_total", "Bytes of response bodies sent to clients.", "zone")
	requestSeconds  = histogram("request_duration_seconds", "Time from a request's head to the end of its response.", "zone")

	originRequests   = counter("origin_requests_total", "Requests sent to the origin, retries included.", "zone")
	originSeconds    = histogram("origin_first_byte_seconds", "Time from sending a request to the origin to the head of its response.", "zone")
	originConcurrent = gauge("origin_concurrent_requests", "Requests at the origin now.", "zone")
	originQueued     = gauge("origin_queued_requests", "Requests that wait for the origin's budget now.", "zone")
	originMax        = gauge("origin_concurrent_requests_max", "Requests that may be at the origin at one time; 0 is no bound.", "zone")
	originQueueMax   = gauge("origin_queued_requests_max", "Requests that may wait for the origin's budget at one time.", "zone")
	originUpgrades   = gauge("origin_upgraded_connections", "Upgraded connections (WebSockets) open now.", "zone")
	queueSeconds     = histogram("origin_queue_seconds", "Time that requests waited for the origin's budget, of those that waited.", "zone")

	serverUp       = gauge("origin_server_up", "1 if a server of the origin is up, else 0.", "zone", "server")
	serverInFlight = gauge("origin_server_concurrent_requests", "Requests and upgraded connections at a server of the origin now.", "zone", "server")
	serverRequests = counter("origin_server_requests_total", "Requests sent to a server of the origin.", "zone", "server")
	serverFailures = counter("origin_server_failures_total", "Requests, and connections for them, that failed by the server's fault.", "zone", "server")
)

// all are the metrics that there may be.
var all = []*metric{
	buildInfo,
	packetsCounted, packetBytes,
	connectionsOpen, connectionsMax, connectionsRefused, connectionFaults, draining, logLost,
	handshakes, handshakesResumed, handshakesClassical, handshakesRefused, handshakesOpen, handshakesWaiting,
	workersThreads, workersWaiting, workersJobs, workersSteps, workersShed,
	cacheObjects, cacheBytes, cacheEvictions,
	diskState, diskObjects, diskBytes, diskHits, diskWritten, diskDropped, diskFailures,
	copiesObjects, copiesBytes, copiesHits, prefetchPages, prefetchListed, prefetchLooked,
	configReloads, configRead, configUsable, configProblems, configRestart, zonesInForce, certificateEnd,
	requests, requestsCache, bytesCache, codingSaved, requestsRefused, requestsDry, ruleMatches, responsesBroken, bodyBytes, requestSeconds,
	originRequests, originSeconds, originConcurrent, originMax, originQueued, originQueueMax, originUpgrades, queueSeconds,
	serverUp, serverInFlight, serverRequests, serverFailures,
}
