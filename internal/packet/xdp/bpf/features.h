/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What a packet is told by: a number for each feature, which signatures ask and samples show. */
#pragma once
#include "packet.h"

enum { WANTS_OPTIONS = 1 };

enum feature {
	F_SOURCE_0, F_SOURCE_1, F_SOURCE_2, F_SOURCE_3, /* the address, in four words; IPv4 is the last */
	F_DESTINATION_3, F_PROTOCOL, F_TTL, F_LENGTH, F_SPORT, F_DPORT, F_FLAGS, F_WINDOW,
	F_PAYLOAD_LENGTH,
	F_ID,       /* IPv4: identification and fragment word */
	F_TOS, F_SEQ, F_ACK,
	F_OPTIONS,  /* the kinds of TCP's options in order: a hash, see options_of */
	F_MSS, F_WINDOW_SCALE, /* 0 without the option */
	F_FLOW_LABEL, F_VERSION,
	FEATURES,
	WORDS = 32, /* a power of two, with room for all */
	F_PAYLOAD = 64, /* the four bytes at an offset behind the TCP or UDP header */
};

DESCRIBE(enum, feature);

struct features {
	u32 words[WORDS];
};

/* The layout is a hash over the options' kinds, as FNV-1a takes bytes in; 0 if there are none. Reading ends at the first that is broken. */
SEPARATE int options_of(struct xdp_md *ctx, struct features *f, u32 at, u32 n) {
	u8 options[OPTION_BYTES + 8] = {}; /* reading one needs no check of its own */
	if (!f || n < 4 || n > OPTION_BYTES || load_bytes(ctx, at, options, n))
		return 0;
	u32 layout = 0x811c9dc5, i = 0;
	for (int k = 0; k < OPTION_BYTES && i < n; k++) {
		OPAQUE(i);
		if (i >= OPTION_BYTES)
			break;
		u32 kind = options[i];
		layout = (layout ^ kind) * 0x01000193;
		if (!kind)
			break;
		if (kind == 1) {
			i = (i + 1) & OPTION_MASK;
			continue;
		}
		if (i + 1 >= n)
			break;
		u32 length = options[i + 1];
		if (length < 2 || i + length > n)
			break;
		if (kind == 2 && length == 4)
			f->words[F_MSS] = (u32)options[i + 2] << 8 | options[i + 3];
		if (kind == 3 && length == 3)
			f->words[F_WINDOW_SCALE] = options[i + 2];
		i = (i + length) & OPTION_MASK;
	}
	f->words[F_OPTIONS] = layout;
	return 0;
}

INLINE void features_of(struct xdp_md *ctx, const struct packet *p, struct features *f, u64 wants) {
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	u32 *w = f->words;
	w[F_SOURCE_0] = p->source.hi >> 32;
	w[F_SOURCE_1] = p->source.hi;
	w[F_SOURCE_2] = p->source.lo >> 32;
	w[F_SOURCE_3] = p->source.lo;
	w[F_DESTINATION_3] = p->destination.lo;
	w[F_VERSION] = p->version;
	w[F_PROTOCOL] = p->protocol;
	w[F_TTL] = p->ttl;
	w[F_LENGTH] = p->length;
	w[F_SPORT] = p->sport;
	w[F_DPORT] = p->dport;
	w[F_FLAGS] = p->flags;
	w[F_WINDOW] = p->window;
	u32 headers = p->payload - p->l3;
	w[F_PAYLOAD_LENGTH] = p->payload && p->length > headers ? p->length - headers : 0;
	u32 l3 = p->l3;
	OPAQUE(l3);
	l3 &= 0xff;
	struct ipv4 *ip = data + l3;
	if ((void *)(ip + 1) <= end) {
		if (p->version == 4) {
			w[F_ID] = (u32)swap16(ip->id) << 16 | swap16(ip->fragment);
			w[F_TOS] = ip->tos;
		} else {
			u32 first = swap32(((struct ipv6 *)ip)->version_class_flow);
			w[F_FLOW_LABEL] = first & 0xfffff;
			w[F_TOS] = first >> 20 & 0xff;
		}
	}
	if (p->protocol != TCP || p->piece)
		return;
	u32 l4 = p->l4;
	OPAQUE(l4);
	l4 &= 0x7fff;
	struct tcp *tcp = data + l4;
	if ((void *)(tcp + 1) > end)
		return;
	w[F_SEQ] = swap32(tcp->seq);
	w[F_ACK] = swap32(tcp->ack);
	if (wants & WANTS_OPTIONS && p->payload > p->l4 + sizeof *tcp)
		options_of(ctx, f, p->l4 + sizeof *tcp, p->payload - p->l4 - sizeof *tcp);
}

/* The word at an offset of the payload; a packet that has no such bytes does not match. What pads the frame is no payload. */
INLINE int payload_word(struct xdp_md *ctx, const struct packet *p, u32 offset, u32 *word) {
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	u32 at = p->payload + offset;
	OPAQUE(at);
	at &= 0x7fff;
	if (!p->payload || data + at + 4 > end || at + 4 > p->l3 + p->length)
		return 0;
	*word = swap32(*(u32 *)(data + at));
	return 1;
}
