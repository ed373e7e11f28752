/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * TCP that belongs to nothing. The kernel is asked for the packet's socket: whatever is not LISTEN goes on, TIME_WAIT too, where a SYN may
 * open the connection anew. What meets the listener itself must be a SYN, or an ACK that brings one of the kernel's cookies back. */
#pragma once
#include "record.h"

INLINE struct bpf_sock *socket_of(struct xdp_md *ctx, const struct packet *p) {
	if (p->version == 4) {
		struct tuple4 t = {
			.saddr = swap32(p->source.lo), .daddr = swap32(p->destination.lo),
			.sport = swap16(p->sport), .dport = swap16(p->dport),
		};
		return skc_lookup_tcp(ctx, &t, sizeof t, THIS_NETNS, 0);
	}
	struct tuple6 t = {
		.saddr = {swap32(p->source.hi >> 32), swap32(p->source.hi), swap32(p->source.lo >> 32), swap32(p->source.lo)},
		.daddr = {swap32(p->destination.hi >> 32), swap32(p->destination.hi), swap32(p->destination.lo >> 32),
			  swap32(p->destination.lo)},
		.sport = swap16(p->sport), .dport = swap16(p->dport),
	};
	return skc_lookup_tcp(ctx, &t, sizeof t, THIS_NETNS, 0);
}

INLINE int brings_cookie(struct xdp_md *ctx, const struct packet *p) {
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	u32 l3 = p->l3, l4 = p->l4;
	OPAQUE(l3);
	OPAQUE(l4);
	struct tcp *tcp = data + (l4 & 0x7fff);
	if ((void *)(tcp + 1) > end)
		return 0;
	if (p->version == 4) {
		struct ipv4 *ip = data + (l3 & 0xff);
		return (void *)(ip + 1) <= end && check_syncookie4(ip, tcp) == 0;
	}
	struct ipv6 *ip = data + (l3 & 0xff);
	return (void *)(ip + 1) <= end && check_syncookie6(ip, tcp) == 0;
}

INLINE int is_syn(const struct packet *p) { return (p->flags & (FIN | SYN | RST | ACK)) == SYN; }

INLINE int bad_flags(u32 flags) { return !(flags & (SYN | RST | ACK)) || (flags & SYN && flags & (FIN | RST)); }

/* For everything but a SYN. */
SEPARATE int state_of(struct xdp_md *ctx, const struct packet *p) {
	if (!p)
		return R_NO_STATE;
	struct bpf_sock *sk = socket_of(ctx, p);
	if (!sk)
		return R_NO_STATE;
	u32 state = sk->state;
	sk_release(sk);
	if (state != TCP_LISTEN)
		return R_PASSED;
	if ((p->flags & (SYN | RST | ACK)) != ACK)
		return R_NO_STATE;
	return brings_cookie(ctx, p) ? R_PASSED : R_BAD_COOKIE;
}
