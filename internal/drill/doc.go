// Package drill plays a flood against a small web site and scores what stands in front of it: once bare, once behind a
// proxy. It is the generator and the story of `seawall demo`.
//
// What it learns: whether each step of each visitor (a page with its assets, a search, a login, a download) came right
// within the visitor's patience; what the flood was answered; what the origin got. What it writes: a Result, a
// Comparison of two, frames for a live picture. The truth about who is a bot lives in the generator's source addresses
// only; no request carries a mark of it, and bots and browsers draw their header fields from one pool.
//
// What bounds it: a Story is checked before it is played (Story.Validate); a bot holds at most as many connections as
// its rate needs before it gives up; the flood ends by its length and by a hard cap on requests. How it fails: it
// refuses every target that is not a loopback address before it sends a packet, and a run the machine cannot carry
// (no descriptors, no such source address) ends in an error, not in a score.
package drill
