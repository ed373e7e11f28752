// Command bench measures Seawall side by side with its peers, nginx, HAProxy, Varnish and Caddy as Debian ships them:
//
//	go run ./test/bench [-rounds N] [-duration TIME] [-seawall FILE] [NAME...]
//
// Each name is a scenario (scenarios.go). What is compared is mostly the CPU time of the server's processes per request, user and
// system, as the kernel's scheduler counts it in nanoseconds, for throughput on a shared machine says more about the neighbours.
// The servers take turns: a round is one turn of each, in an order that rotates, and Seawall's ratio to a peer is computed within
// each round, then the median of the rounds is taken. The last line for a scenario is
//
//	bench NAME ratio-to-best-peer R
//
// where R is the highest of these medians, so that less than 1 means better than every peer. Some scenarios compare something else,
// and have a line of their own before it:
//
//	idle-*                 memory (the proportional set size) with idle connections, less that without; kb-per-connection
//	idle-h2-stream         the same with 100 streams on each of 100 connections, less that of the connections; kb-per-stream
//	latency-*              the p99 at half of HAProxy's full load in the same run; who can't take that has no part
//	hit-under-handshakes   the p99 at a low rate beside a flood of handshakes; flooded-to-quiet is Seawall's own ratio
//	two-loops              CPU time on two cores and on one, of Seawall alone; instead of the last line, ratio-to-one-core
//	h2-attacks             how each server ends known attacks, what they cost it, and the p95 of a neighbour at a low rate (below)
//	disk-64k               CPU time of hits that only the disk has, and the page cache of it: 4,000 objects in turn
//	hit-ratio              the share of hits in traces, beside Varnish's, and that of otter and an LRU in the bench itself (below)
//	purge-tag              the time until a purge is in force, and until its receipt is there; in-force-ms-worst, receipt-ms-worst
//	collapse               the requests that reach the origin when 10,000 want what is not there yet; the ratio is of the time to the last answer
//	memory                 the most memory that a server with a full cache of 256 MiB ever had, divided by the cache's size; memory-to-cache
//
// Latency counts from the moment at which a request should have been sent, at a constant rate, to the last byte of its answer, so
// that a server that stalls is charged with all requests due meanwhile. How late the client itself was is in the table. A flood's
// handshakes are real hellos from 4,096 addresses, 128 at one time, each given up when the server has signed. A machine whose
// neighbours take its cores (the load average, and the share of time that was stolen, are below each table) disturbs latency most.
//
// Every server has one core (core 0 if there are two), one thread that serves (Seawall sets its threads by the cores it may use), an
// access log of one line a request on the same file system (in memory, where there is /dev/shm), and the settings an expert would
// give it (peers/). Varnish logs by a process of its own, which counts; HAProxy to a log daemon, which does not. Caddy has no cache:
// its hits are files. Seawall also keeps metrics and evaluates limits, set above what the machine can do; its peers have neither.
// Refused connections are logged by nobody. Seawall refuses them by its cap on one source, which the bench fills first; its peers by
// a list. TLS is the same for all: 1.3, TLS_AES_128_GCM_SHA256, X25519, an ECDSA key on P-256, tickets. Debian's OpenSSL 3.0 has no
// X25519MLKEM768, so there is no peer to compare that with. HTTP/2 runs over the same; to the origin, everybody speaks HTTP/1.1.
//
// The clients are wrk with 64 keep-alive connections, h2load over HTTP/2 and, for all else, the bench itself; they and the origin, an
// nginx with static files, share the other cores. How much of a core h2load used is in the table: a server that is faster than it
// waits for requests, and wakes up for fewer at a time, which only adds to its cost.
//
// With root everything runs in a network namespace of its own with congestion control reno, else on the machine's loopback; the bench
// connects to no other address. Before the turns each server's answers are checked, after each turn what the client and the origin
// counted: a hit never reaches the origin, a pass always does, a refusal is one, but for the one request a minute that
// refuse-ratelimit's limits let through. No server may close a connection that h2load uses,
// and the answers that were weighed while they waited have to come in the end.
//
// In h2-attacks each server is started anew for each attack of test/h2attack, with time-outs of 2 s for clients that stand still. The
// attacker is a process of its own that yields to the neighbour; it goes on from 200 addresses in as many networks, another for each
// that is not let in any more, for 1.3 s, or 4.3 s if it takes its time. The last lines say in how many attacks it was cut off within a
// second of breaking a budget, in how many the neighbour's p95 was within twice its p95 just before (or a millisecond more), and the most
// processor time and memory that one of them cost. There are no rounds.
//
// Seawall's and nginx's cache of hit-1k-disk, hit-64k-disk and disk-64k is below /var/tmp, on a disk; the logs stay in memory. Before
// disk-64k is measured, objects are asked for until the origin is not asked any more; Seawall has 8 MiB of memory for 250 MiB of them.
//
// In hit-ratio every server is started anew for each trace: 60,000 requests, of which the first third is not counted, for 40,000 objects
// whose popularity is Zipf's with the skew in its name, or 0.9. In wonders 30 % are for what nobody asks for again, in scans 20 % go
// through 10,000 objects one after the other. Objects have 16 KiB; in traces that end in -sizes that is the median of a log-normal
// distribution. Servers have a cache of 32 MiB, of which Seawall keeps 8 for what is being fetched; otter and the LRU have the 24 that are
// left, in which their objects weigh as much as Seawall's, fields and all. There is a line for each trace, such as
//
//	bench hit-ratio zipf-0.9 ratio-to-otter R
//
// where more than 1 means more hits.
//
// In purge-tag 1,000,000 objects of 128 bytes have 20 tags each, which are purged one after the other; 50 of them, from all over the cache,
// have to be hits before a purge, the first of which finds them as they were stored, and misses once its receipt is there. 64 connections
// of wrk have hits on something else meanwhile. In collapse 200 connections have 50 streams each (HTTP/2 without TLS), and the origin, which
// is the bench, takes a second; nginx has proxy_cache_lock on. Neither has rounds.
//
// A run is bounded in time (3 minutes a scenario, 4 hit-ratio, 8 h2-attacks, 45 all of them; with -rounds 2 -duration 1s, half a minute a scenario),
// connections, memory and disk: logs are cut after each turn. It fails on a wrong answer of Seawall's, an error its client saw, or a
// missing wrk, h2load or nginx. A peer that is not installed, or fails, is left out; the table says why. So is a Seawall that does
// not speak HTTP/2, of which the run fails in the end.
package main
