// Command siege measures what floods of packets leave of a server's connections, and what a flood's packets cost it, by who stands
// before it:
//
//	go run ./test/siege [-rounds N] [-rate N] [-lasting TIME] [-floods NAME,...] [-ipv6] [-seawall FILE] [CONTENDER...]
//
// The contenders (contender.go) are
//
//	bare           the kernel without SYN cookies
//	cookies        the kernel as it comes, with SYN cookies when a listener's queue is full
//	iptables-raw   as before; iptables drops the flood's sources in its table raw, before connections are tracked
//	conntrack      as before; connections are tracked, and iptables drops what belongs to none, and the sources
//	xdp            Seawall's filter (internal/packet/xdp), which is not told of the sources
//	xdp-denied     the same, told
//	nft            Seawall's filter without XDP (internal/packet/nft), which is not told of the sources
//	nft-denied     the same, told
//	seawall        the whole program, a node with node.packets, before the server, which is its origin; not told of the sources
//	seawall-nft    the same with mode nftables
//
// Each flood of test/flood is played to each contender in a lab of its own (test/flood/lab), which has IPv4 or IPv6, at a fixed rate of
// 70,000 packets a second from 800 million sources (IPv6: from five prefixes), whom those contenders that deny sources are told. A play
// has four parts:
//
//	quiet      visitors alone: each opens a connection, gets a page of 5 bytes and closes; eight at one time, the next as soon as one is done
//	flooded    the same in the flood; a visit has failed that takes more than 3 seconds
//	paced      500 visits a second in the flood, whose times count from when each was due
//	flood      the flood alone: what the server's receiver used of a core, divided by the packets that arrived
//
// While visitors come in the flood, an operator works on the server through the same interface, at a port that is no listener of Seawall's: a line
// is echoed on a connection that was there before, and one on a new one, 50 times a second. Of nodes it is measured in a flood without visitors,
// too, when they first tell that packets were kept from the kernel, dropped or answered with a cookie: they are asked for their metrics
// again and again, so the figure is some milliseconds late. Programs are the server's process and the node's, and their share of a core is that
// in the flood without visitors.
//
// The receiver is the kernel's thread that takes packets off the server's end of a veth pair: see [lab.Lab.Receiver] for what its time
// holds. It and the server, a Go program, share a core; visitors, attacker and what comes back to the attacker share the other. So the
// visitors pay for the flood, too, and are often what bounds the quiet part: a contender's loss is not that of a server on a machine of
// its own, and contenders compare with each other. To the server, all visitors are strangers: without that the kernel would let those in
// whom it has served before, when its queue is nearly full (tcp_no_metrics_save). The last line for a flood and a contender is
//
//	siege CONTENDER FLOOD kept SHARE failed N p99-us N ns-a-packet N programs-percent N first-ms N operator-failed N
//
// The contenders take turns; figures are the medians of the rounds, and SHARE is of the visits in the quiet part of the same play; N failed in the
// flooded and the paced part, and p99 is the paced part's.
//
// A run needs root, two cores and Debian's ethtool, iproute2 and iptables, and for nodes Go, bpffs and nftables. It is bounded by 30 seconds a play and
// five times -lasting more; it leaves nothing behind, and fails when a lab can't be had or a contender can't be set up.
package main
