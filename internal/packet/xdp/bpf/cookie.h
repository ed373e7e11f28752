/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Answers a SYN in the driver with the kernel's own cookie, so that the kernel itself accepts the ACK and the flood costs it nothing.
 *
 * A cookie has room for the MSS only. What else the client offered comes back with the ACK if it sends timestamps: the kernel reads window
 * scale and SACK from the low six bits of the timestamp that it gave (net/ipv4/syncookies.c), minus an offset that is 0 with the
 * sysctl tcp_timestamps = 2. So with that, and with the window scale that the kernel will choose, nothing is lost; a client without
 * timestamps gets the MSS alone, as it does from the kernel's own cookies. ECN is never negotiated. */
#pragma once
#include "state.h"

enum { TS_NO_SCALE = 15, TS_SACK = 16, TS_BITS = 6, HEADER_ROOM = 60 };
enum { PLAIN_ANSWER = 24, FULL_ANSWER = 40 };

struct offer {
	u32 timestamp, scale;
	u8 timestamps, sack, scaled;
};

/* Behind the options is room for the longest that is looked at, so that reading one needs no check of its own. */
struct syn {
	struct tcp tcp;
	u8 options[OPTION_BYTES + 10];
};

union ip {
	struct ipv4 v4;
	struct ipv6 v6;
};

struct answer {
	struct tcp tcp;
	u16 options[10];
};

SEPARATE int offer_of(const struct syn *syn, u32 n, struct offer *o) {
	u32 i = 0;
	if (!syn || !o)
		return 0;
	for (int k = 0; k < OPTION_BYTES; k++) {
		OPAQUE(i);
		if (i >= OPTION_BYTES || i >= n)
			break;
		const u8 *at = &syn->options[i];
		if (at[0] == 0)
			break;
		if (at[0] == 1) {
			i = (i + 1) & OPTION_MASK;
			continue;
		}
		if (at[1] < 2 || i + at[1] > n)
			break;
		if (at[0] == 3 && at[1] == 3) {
			o->scaled = 1;
			o->scale = at[2] > 14 ? 14 : at[2];
		} else if (at[0] == 4 && at[1] == 2) {
			o->sack = 1;
		} else if (at[0] == 8 && at[1] == 10) {
			o->timestamps = 1;
			o->timestamp = (u32)at[2] << 24 | (u32)at[3] << 16 | (u32)at[4] << 8 | at[5];
		}
		i = (i + at[1]) & OPTION_MASK;
	}
	return 0;
}

/* As cookie_init_timestamp does. */
INLINE u32 timestamp_with(const struct offer *o) {
	u32 now = ktime_ns() / 1000000;
	u32 options = (o->scaled ? o->scale : TS_NO_SCALE) | (o->sack ? TS_SACK : 0);
	u32 t = (now & ~0u << TS_BITS) | options;
	return t > now ? t - (1 << TS_BITS) : t;
}

INLINE u16 folded(u64 sum) {
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}

INLINE u64 sum_of(const void *data, u32 words) {
	const u16 *w = data;
	u64 sum = 0;
#pragma unroll
	for (u32 i = 0; i < words; i++)
		sum += w[i];
	return sum;
}

INLINE u32 fill_options(struct answer *a, const struct offer *o, u16 mss, u32 window_scale, int full) {
	a->options[0] = swap16(0x0204);
	a->options[1] = swap16(mss);
	if (!full)
		return PLAIN_ANSWER;
	u32 t = timestamp_with(o);
	a->options[2] = swap16(o->sack ? 0x0402 : 0x0101);
	a->options[3] = swap16(0x080a);
	a->options[4] = swap16(t >> 16);
	a->options[5] = swap16(t);
	a->options[6] = swap16(o->timestamp >> 16);
	a->options[7] = swap16(o->timestamp);
	a->options[8] = swap16(o->scaled ? 0x0103 : 0x0101);
	a->options[9] = swap16(o->scaled ? 0x0300 | window_scale : 0x0101);
	return FULL_ANSWER;
}

INLINE void turn_ip(union ip *ip, u32 version, u32 tcp_length) {
	if (version == 4) {
		struct ipv4 *v4 = &ip->v4;
		u32 source = v4->source;
		*v4 = (struct ipv4){
			.version_length = 0x45, .length = swap16(sizeof *v4 + tcp_length), .fragment = swap16(0x4000),
			.ttl = 64, .protocol = TCP, .source = v4->destination, .destination = source,
		};
		v4->checksum = folded(sum_of(v4, sizeof *v4 / 2));
		return;
	}
	struct ipv6 *v6 = &ip->v6;
	v6->version_class_flow = swap32(6u << 28);
	v6->length = swap16(tcp_length);
	v6->next = TCP;
	v6->hops = 64;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		u32 source = v6->source[i];
		v6->source[i] = v6->destination[i];
		v6->destination[i] = source;
	}
}

INLINE u64 sum_of_addresses(const union ip *ip, u32 version) {
	if (version == 4)
		return sum_of(&ip->v4.source, 4);
	return sum_of(ip->v6.source, 16);
}

/* Makes the frame the answer. */
INLINE int write_answer(struct xdp_md *ctx, const struct packet *p, const union ip *ip, const struct answer *a, u32 tcp_length) {
	u32 l3 = p->l3, ip_length = p->version == 4 ? sizeof ip->v4 : sizeof ip->v6;
	if (adjust_tail(ctx, (int)(l3 + ip_length + tcp_length) - (int)frame_length(ctx)))
		return 0;
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	OPAQUE(l3);
	void *to = data + (l3 & 0x1f);
	if (to + ip_length + tcp_length > end || data + ETHERTYPE_AT > end)
		return 0;
	u16 *mac = data;
#pragma unroll
	for (int i = 0; i < 3; i++) {
		u16 m = mac[i];
		mac[i] = mac[i + 3];
		mac[i + 3] = m;
	}
	if (p->version == 4) {
		if (to + sizeof ip->v4 > end)
			return 0;
		*(struct ipv4 *)to = ip->v4;
		to += sizeof ip->v4;
	} else {
		if (to + sizeof ip->v6 > end)
			return 0;
		*(struct ipv6 *)to = ip->v6;
		to += sizeof ip->v6;
	}
	if (tcp_length == FULL_ANSWER && to + FULL_ANSWER <= end)
		__builtin_memcpy(to, a, FULL_ANSWER);
	else if (to + PLAIN_ANSWER <= end)
		__builtin_memcpy(to, a, PLAIN_ANSWER);
	return 1;
}

/* R_COOKIE if the frame is now the answer, to be sent back. */
SEPARATE int answer_syn(struct xdp_md *ctx, const struct packet *p, u32 with_options, u32 window_scale) {
	struct syn syn = {};
	union ip ip = {};
	if (!p)
		return R_NO_COOKIE;
	u32 n = p->payload - p->l4;
	if (frame_length(ctx) != (u64)ctx->data_end - ctx->data) /* a SYN of several buffers */
		return R_NO_COOKIE;
	OPAQUE(n);
	if (n < sizeof syn.tcp || n > HEADER_ROOM || load_bytes(ctx, p->l4, &syn, n))
		return R_NO_COOKIE;
	if (load_bytes(ctx, p->l3, &ip, p->version == 4 ? sizeof ip.v4 : sizeof ip.v6))
		return R_NO_COOKIE;
	struct bpf_sock *sk = socket_of(ctx, p);
	if (!sk)
		return R_NO_STATE;
	if (sk->state != TCP_LISTEN) {
		sk_release(sk);
		return R_PASSED;
	}
	s64 cookie = gen_syncookie(sk, &ip, p->version == 4 ? sizeof ip.v4 : sizeof ip.v6, &syn, n);
	sk_release(sk);
	if (cookie == -2) /* ENOENT: the kernel has room for it, or its accept queue is full */
		return R_ROOM;
	if (cookie < 0)
		return R_NO_COOKIE;

	struct offer offer = {};
	offer_of(&syn, n - sizeof syn.tcp, &offer);
	struct answer a = {
		.tcp = {
			.source = syn.tcp.destination, .destination = syn.tcp.source,
			.seq = swap32((u32)cookie), .ack = swap32(swap32(syn.tcp.seq) + 1),
			.flags = SYN | ACK, .window = swap16(64240),
		},
	};
	u32 length = fill_options(&a, &offer, cookie >> 32, window_scale, with_options && offer.timestamps);
	a.tcp.length = length << 2;
	turn_ip(&ip, p->version, length);
	a.tcp.checksum = folded(sum_of_addresses(&ip, p->version) + swap16(TCP) + swap16(length) + sum_of(&a, sizeof a / 2));
	return write_answer(ctx, p, &ip, &a, length) ? R_COOKIE : R_NO_COOKIE;
}
