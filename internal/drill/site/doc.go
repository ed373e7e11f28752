// Package site is the drill's own origin: a small newspaper with a real limit, which knows of each request who sent it.
//
// What it learns: requests, and of each, when it arrives, from the drill's Truth, whether a visitor or an attacker sent
// it; the client is the address that the proxy in front added last, or who is connected. What it writes: answers that a
// visitor can check to the byte or to a sentence, because both hold the same Content; Counts, and a Moment every 250 ms.
//
// What bounds it: a request waits for one of its workers and occupies it for a service time, and beyond the backlog it
// gets 503; what is computed is computed on one core; bodies, heads, moments and open WebSockets have caps. How it fails:
// a Config out of bounds does not start; a client that hangs up is worked off all the same, as most origins do.
package site
