// Package drill plays a scenario against a web site and whatever stands in front of it: visitors of many kinds, and who attacks or
// overruns the site. It is the generator behind `seawall drill` and `seawall demo`.
//
// What it learns: whether each step of each visitor (a page with its assets, a search, a download) came right within the visitor's
// patience; what the attack was answered; what the origin got, and from whom. What it writes: a score.Result, a Comparison of two, frames
// for a live picture. The truth about who attacks lives in this process only, by address and by which requests are under way; no request
// carries a mark of it, and bots draw what they send from where visitors draw it.
//
// What bounds it: the scenario, which is checked before it is played; caps on connections of visitors and of bots; a hard cap on
// requests. How it fails: it refuses every target that is not a loopback address before it sends a packet, and a run that this machine
// cannot carry (no descriptors, no such source address) ends in an error, not in a score.
//
// Its rooms: wire are clients' connections, site is the origin, scenario what is played (network where from), score what came of it.
package drill
