// Package packet is the room below the handshake: it drops what an attack sends where packets come in, before the kernel makes anything of it.
//
// It learns from spec.Node where packets come in, who is denied and who never is, and what a source may send; from the node which addresses and
// ports are served, who is banned for what it did on connections, and who is spared for a time. It writes nothing into flows, which it never
// sees, but a Filter (of xdp or nft, which the node hands over), whose bounds it has; bans wait in a queue of 4,096, and what does not fit is left to conn, which
// refuses the same sources at some hundred times the cost.
//
// What looks like a flood it finds by itself (Detector), in samples, by comparison with what it has learnt of ordinary packets.
//
// Only what is the node's affair gets here: a zone's lists never descend (promise 3). It fails open: where the filter can't be had, Open says
// why, and the node serves without. What filters goes on when the process ends, so that a restart or an upgrade leaves no gap, until Detach.
package packet
