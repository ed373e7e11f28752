// Package flood makes floods of packets, in network namespaces that a test made for them: what arrives before any connection is there.
// [Kinds] lists them. Sources are spoofed, over prefixes of the caller's choice; all that is drawn comes from a seed, so that two
// floods of one plan are the same packet for packet. The payloads that reflectors answer with are written here, by their protocols'
// documents.
//
// What it learns: a [Plan] and the [Link] to send on. What it writes: Ethernet frames, to that link alone (AF_PACKET). What
// bounds it: 60 seconds, 100 million packets and 5 million a second, whatever the plan says. How it fails: with an error before the
// first packet, if the target is not in the networks that are set aside for tests (198.18.0.0/15, 2001:db8::/32), or the namespace is
// not one that was made for this: it must not be the machine's, must have nothing up but loopback and veth, and its interface must bear
// the [Mark] that only folder lab gives it.
package flood
