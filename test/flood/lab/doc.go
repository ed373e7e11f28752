// Package lab makes a server with its visitors and an attacker out of network namespaces, for tests and benchmarks of what happens
// below HTTP:
//
//	attacker ──┐
//	           ├── veth ── server ── veth ── management
//	visitors ──┘ (macvlan)
//
// Attacker and visitors come through the server's one interface, as they do in the world: what the attacker takes of it, visitors miss.
// The attacker is the server's way to all networks, so that answers to spoofed sources go there and end. All hosts have IPv4 and IPv6
// (198.18.0.0/15, 2001:db8::/32), and know each other's hardware addresses beforehand.
//
// Either end of the veth pair has a thread of the kernel's that receives (threaded NAPI): its CPU time is what receiving costs, and can
// be told from that of whoever sends. See [Lab.Receiver] for what is in it.
//
// What it learns: nothing. What it writes: namespaces that no name leads to, so that they end with the process, however that ends. What
// bounds it: a lab has four hosts; visits have bounds of their own. How it fails: with an error that says which command of ip,
// ethtool or sh did, and all that was made is taken down; [For] skips the test where a lab can't be had.
package lab
