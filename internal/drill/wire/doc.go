// Package wire is the connections of the drill's clients: HTTP/1.1, HTTP/2, TLS hellos and WebSocket as the software that
// people and attackers use speaks them.
//
// What it learns: what a target answers, byte for byte as framed, and why it did not. What it writes: requests whose fields
// stand in the order of their Software, on connections from any source address. Visitors and bots are given their
// Software by the same functions of one pool, so that nothing here tells one from the other.
//
// What bounds it: a Target is a loopback address or none; heads, bodies, frames and messages have bounds of their own
// (maxHead, maxBody, maxMessage); an idle connection holds no buffer; a Dialer keeps as many session tickets as maxTickets. It fails
// with what the network says, or with ErrMalformed if the target breaks the protocol; Why names either in a word.
package wire
