//go:build linux

// Package nft filters packets with nftables, where XDP can't be had: a table of each node's own (Options), beside whatever firewall the machine has.
// It is the only package that knows nftables from within.
//
// It learns from its caller what is served and with which ceilings (Policy), whom to let through and whom to refuse (SetAllow, Replace,
// Ban). It writes its table and one sysctl of the network namespace (net.netfilter.nf_conntrack_tcp_loose, while TCP's state is
// checked), both of which Detach restores. Tables of several nodes in one namespace do not know each other, but for that sysctl.
//
// Packets for the addresses and ports of the policy are judged where an interface receives them, before the IP stack (hook ingress, Linux
// 5.10), or else in prerouting before connections are tracked. Everything else passes, as does whatever an allowed source sends. What
// nftables can't do that XDP does: signatures, samples, and a million prefixes in a second.
//
// # TCP's state
//
// Whether a segment belongs to a connection, only connection tracking tells, which a flood of SYNs would fill. So SYNs beyond a listener's
// rate are answered with cookies by the kernel's SYN proxy (NFT_SYNPROXY, Linux 5.3, with SYN cookies built in) before they are entered,
// and of what belongs to no connection only its cookies' ACKs get through. A connection that began with a cookie has neither window
// scale nor SACK nor timestamps: there are no more than 64 KiB under way to its client. Should the client's ACK be lost, it waits in vain:
// the proxy has told it of a window of 0, and knows nothing of its probes.
//
// The kernel tracks all connections of the namespace from then on, and takes nothing for one whose beginning it has not seen. Where it
// has no SYN proxy, CheckState does nothing, and SYNs are the kernel's own affair. A connection that was there before is known by its
// socket, if the listener has no address of its own; else it ends.
//
// # Bounds
//
// 16 listeners; 200,000 prefixes a set; 65,536 bans of each length (ErrFull); 16,384 sources in each meter, for ten seconds after their last packet,
// and whom a full meter has no room for is not metered. What sources send makes nothing else grow.
//
// # Failure
//
// Open fails where the kernel refuses: it wants CAP_NET_ADMIN. Each change is one transaction: it is in force, or the one before
// is. When the process ends, filtering goes on as it was, until the next Open or Detach.
package nft
