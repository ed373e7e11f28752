// Package admission gives each origin no more than its budget: so many requests at a time, so many a second, and whoever
// finds it used up waits a bounded time in a bounded queue that is fair to sources.
//
// A request for an upgrade is a request like any other until the origin agrees: only then does its connection leave the
// concurrent requests, for a place under a cap of its own. So asking for upgrades opens no second way to the origin.
//
// A small body is waited for before its request asks for a share, so that a client who is slow to send holds nothing of the origin's. All such
// bodies together take at most 64 MiB.
//
// It learns a request's source, whether it asks for an upgrade and whether its client has gone, and writes flow.Admission: a
// lease on the budget, or why there is none. Budgets are kept by zone and origin for as long as a policy or a lease uses them,
// so recompiling a zone forgets nothing that is under way; new numbers come into force with the first request admitted under
// them.
//
// The queue is a tree: networks (IPv4 /24, IPv6 /48) take turns, within each its sources (/32, /64), and each source's requests
// go in order of arrival. How many requests a turn is for depends on who waits: it lets those who are many behind one address have what they want as long as
// that makes a round of turns no more than twice as long. When it is full, the newest request of the longest source in the longest network gives way if that has more than its
// due, and else the arriving one: a flood from few addresses fills its own place in the queue and nobody else's, and one from many pushes no office out.
//
// Memory is bounded by the queue, each wait by its timeout and by the client's patience. While nobody waits, a request costs
// some atomic operations and no allocation. Under an unmet budget it fails with 503 and an honest Retry-After, never by letting
// one more through.
package admission
