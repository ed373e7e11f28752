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
//	latency-*              the p99 at half of HAProxy's full load in the same run; who can't take that has no part
//	hit-under-handshakes   the p99 at a low rate beside a flood of handshakes; flooded-to-quiet is Seawall's own ratio
//	two-loops              CPU time on two cores and on one, of Seawall alone; instead of the last line, ratio-to-one-core
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
// X25519MLKEM768, so there is no peer to compare that with.
//
// The clients are wrk with 64 keep-alive connections and, for all else, the bench itself; they and the origin, an nginx with static
// files, share the other cores. With root everything runs in a network namespace of its own with congestion control reno, else on
// the machine's loopback; the bench connects to no other address. Before the turns each server's answers are checked, after each
// turn what the client and the origin counted: a hit never reaches the origin, a pass always does, a refusal is one.
//
// A run is bounded in time (3 minutes a scenario, 20 all of them; with -rounds 2 -duration 1s, half a minute a scenario),
// connections, memory and disk: logs are cut after each turn. It fails on a wrong answer of Seawall's, an error its client saw, or a
// missing wrk or nginx. A peer that is not installed, or fails, is left out; the table says why.
package main
