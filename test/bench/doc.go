// Command bench measures Seawall side by side with its peers, nginx, HAProxy, Varnish and Caddy as Debian ships them:
//
//	go run ./test/bench [-rounds N] [-duration TIME] [-seawall FILE] [NAME...]
//
// Each name is a scenario (scenarios.go). What is compared is the CPU time of the server's processes per request, user and
// system, as the kernel's scheduler counts it in nanoseconds, for throughput on a shared machine says more about the
// neighbours; of idle connections it is the server's memory (its proportional set size) with them, less that without, in at most
// three rounds. The
// servers take turns: a round is one turn of each, in an order that rotates, and Seawall's ratio to a peer is computed within
// each round, then the median of the rounds is taken. The last line for a scenario is
//
//	bench NAME ratio-to-best-peer R
//
// where R is the highest of these medians, so that less than 1 means cheaper than every peer. Before it, idle connections have
// a line "bench NAME kb-per-connection X", of Seawall itself.
//
// Every server has one core (core 0 if there are two), one thread that serves, an access log of one line a request on the same
// file system (in memory, where there is /dev/shm), and the settings an expert would give it (peers/). Varnish logs by a
// process of its own, which counts; HAProxy to a log daemon, which does not. Caddy has no cache: its hits are files. Seawall
// also keeps metrics and evaluates limits, set above what the machine can do; its peers have neither. Refused connections are
// logged by nobody. Seawall refuses them by its cap on one source, which the bench fills first; its peers by a list.
//
// The clients are wrk with 64 keep-alive connections and, for handshakes, refused and idle connections, the bench itself; they
// and the origin, an nginx with static files, share the other cores. With root everything runs in a network namespace of its
// own with congestion control reno, else on the machine's loopback; the bench connects to no other address. Before the turns
// each server's answers are checked, after each turn what the client and the origin counted: a hit never reaches the origin,
// a pass always does, a refusal is one.
//
// A run is bounded in time (3 minutes a scenario, 20 all of them), connections, memory and disk: logs are cut after each turn.
// It fails on a wrong answer of Seawall's, an error its client saw, or a missing wrk or nginx. A peer that is not installed, or
// fails, is left out; the table says why.
package main
