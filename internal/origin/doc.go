// Package origin is the room that asks a zone's own server: [Policy.Fetch] sends a flow's request over a kept-alive or new
// connection and hands the response on while it arrives; [Policy.Tunnel] carries what follows a 101 (Switching Protocols).
//
// It learns the request, what the cache wants and the share of the budget that admission gave, and writes the flow's Origin:
// a message, or a refusal that says why there is none.
//
// A request goes out in one normal form (RFC 9110 §7.6): without the fields of the client's connection, without what the client
// claims to be unless a trusted proxy passed it on, with the client's address in X-Forwarded-For, Forwarded (RFC 7239) and
// the owner's own field. A response is given back as it came, its content freed from the chunked coding.
//
// Bounds: a response head has 64 KiB and 200 fields, an exchange two buffers of 32 KiB while it lasts (one if the request's
// content fits into the first write), a pool as many idle connections as the budget allows requests. Every wait has a
// timeout of the zone's, with a tolerance of a quarter, and ends when the client leaves.
//
// It fails with a refusal if no response began, and with an error of [flow.Body] if one broke off. A request is sent again only
// where RFC 9110 §9.2.2 allows it: it is idempotent, its connection had been used before and died before anything came
// back, nothing of the content has been sent, and the budget agrees.
package origin
