// Package origin is the room that asks a zone's own servers: [Policy.Fetch] sends a flow's request to one of them, over a kept-alive or
// new connection of HTTP/1.1, or a stream of HTTP/2 if the owner says so, and hands the response on while it arrives; [Policy.Tunnel]
// carries what follows a 101 (Switching Protocols).
//
// It learns the request, what the cache wants and the share of the budget that admission gave, and writes the flow's Origin:
// a message, or a refusal that says why there is none.
//
// A request goes out in one normal form (RFC 9110 §7.6): without the fields of the client's connection, without what the client
// claims to be unless a trusted proxy passed it on, with the client's address in X-Forwarded-For, Forwarded (RFC 7239) and
// the owner's own field. A response is given back as it came, its content freed from the chunked coding.
//
// Which server is asked is chosen for each request, in turns, by load or by source, among those that are up. A server goes down when
// requests fail in a row, or health checks do ([Policy.Checks]), and comes up with a small share that grows. What is known of a server
// outlives the policy, as its connections do. Choosing takes no lock: changes make a new set of those who have work, and requests
// load it.
//
// Bounds: a response head has 64 KiB and 200 fields, an exchange two buffers of 32 KiB while it lasts (one if the request's
// content fits into the first write; over HTTP/2 see [h2client]), a pool as many idle connections as the budget allows requests (of
// HTTP/2 as many connections as it allows requests and upgrades), a zone 256 servers, and each of them one goroutine for its checks. A
// check takes its share of the budget like a request. Every wait has a timeout of the zone's, with a tolerance of a quarter, and ends when
// the client leaves.
//
// It fails with a refusal if no response began, and with an error of [flow.Body] if one broke off. A request of which nothing was
// sent, as there was no connection, is sent to another server; so is one over HTTP/2 at which the server says not to have looked, or it is
// sent to the same one again. Otherwise it is sent again only where RFC 9110 §9.2.2 allows it: it is idempotent, its connection had been
// used before and died before anything came back, nothing of the content has been sent. In all cases the budget has to agree.
package origin
