// Package xdp filters packets in the network driver: one program in C (bpf/filter.bpf.c), its maps, and the Go side that fills and reads
// them. It is the only package that knows eBPF.
//
// It learns from its caller what is served and with which ceilings (Policy), whom to let through and whom to refuse (SetAllow, Replace,
// Ban), and what attacks look like (Signature). It writes maps, pins under Options.Pins, and two sysctls of the network namespace
// (see Tend), which Detach restores.
//
// Only packets for the addresses and ports of the policy are judged. Everything else passes, as does whatever an allowed source sends, so
// that a mistake in a list can't lock the operator out of a port that Seawall does not serve.
//
// # Bounds
//
// 63 listeners at 1,024 places; 2^24 prefixes in each of three sets, whose memory is 5.5 MiB and 32 bytes for each /24 with longer
// prefixes (IPv4), or 69 bytes a prefix at most (IPv6, and those allowed); about 170,000 bans (8 MiB); 64 signatures; 1 MiB of meters; 1 MiB of
// samples. What sources send makes nothing grow. Sources share meters: a flood of n packets a second from everywhere adds n/8192 to the
// meter of each /24 (1,220 for 10 million) and a seventh of that to each of its addresses', so ceilings should be above that, or
// Options.Meters larger; a source pays for its own /24's flood alone.
//
// # Failure
//
// Open fails where the kernel refuses: it wants Linux 6.0, CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, and bpffs for pins. A set that can't be
// built leaves the one before in force. When the process ends, filtering goes on as it was, until the next Open or Detach.
package xdp
