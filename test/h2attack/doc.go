// Package h2attack plays the known attacks on HTTP/2 against a server and says how it ended them: Rapid Reset
// (CVE-2023-44487), MadeYouReset (CVE-2025-8671), floods of CONTINUATION (CVE-2024-27316) and of control frames (CVE-2019-9511
// to 9518), HPACK bombs, windows that stay shut, streams that trickle. [Attacks] lists them; a play and the bench run them, as a program
// of its own (folder cmd).
//
// An attacker here behaves as one would: it has several connections at one time and opens another for each that is cut. It
// learns from the server's frames how far that has read: every few frames of an attack there is a PING, and no more than a few
// hundred frames wait for its acknowledgement. Within a field section, where PING may not stand, it pauses instead.
//
// Bounds: 20,000 units of an attack a connection (500,000 where it doesn't read), 2,000 connections and 30 seconds at the most, and only targets on the loopback
// or in the networks that are set aside for tests (198.18.0.0/15, 2001:db8::/32); any other is refused before the first packet.
//
// It fails with an error if the target may not be attacked or doesn't speak HTTP/2. Whatever a server does to the attacker is no
// error but a [Result].
package h2attack
