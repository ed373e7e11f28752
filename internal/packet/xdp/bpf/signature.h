/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Signatures: at most 64 conjunctions of at most 8 terms. A term takes a feature of the packet, masks it, and asks whether it lies in a
 * range. Four tables say, for the packet's protocol, TTL, flags and length, which signatures can still match, a bit for each; only
 * those are walked, so what does not resemble an attack pays for four loads. */
#pragma once
#include "record.h"

enum { SIGNATURES = 64, TERMS = 8, SHORT_TABLE = 256 };
enum { ENFORCE = 1, WANTS_OPTIONS = 1 };

enum feature {
	F_SOURCE_0, F_SOURCE_1, F_SOURCE_2, F_SOURCE_3, /* the address, in four words; IPv4 is the last */
	F_DESTINATION_3, F_PROTOCOL, F_TTL, F_LENGTH, F_SPORT, F_DPORT, F_FLAGS, F_WINDOW,
	F_PAYLOAD_LENGTH,
	F_ID,       /* IPv4: identification and fragment word; IPv6: class and flow label */
	F_TOS, F_SEQ, F_ACK,
	F_OPTIONS,  /* the kinds of TCP's options in order: a hash, see options_of */
	F_MSS, F_WINDOW_SCALE, /* 0 without the option */
	FEATURES = 32,
	F_PAYLOAD = 64, /* the four bytes at an offset behind the TCP or UDP header */
};

struct term {
	u16 feature, offset;
	u32 mask, low, high;
};

struct signature {
	u32 terms, flags;
	u64 until; /* ns of CLOCK_MONOTONIC_COARSE */
	struct term all[TERMS];
};

struct signatures {
	u64 by_protocol[SHORT_TABLE], by_ttl[SHORT_TABLE], by_flags[SHORT_TABLE];
	u64 by_length[SHORT_TABLE]; /* in eights of bytes; the last is everything longer */
	u64 wants;
	struct signature all[SIGNATURES];
};

DESCRIBE(struct, signatures);

struct signatures_map {
	NUMBER(type, MAP_ARRAY);
	NUMBER(max_entries, 1);
	TYPE(key, u32);
	TYPE(value, struct signatures);
};

struct {
	NUMBER(type, MAP_ARRAY_OF_MAPS);
	NUMBER(max_entries, 1);
	TYPE(key, u32);
	ARRAY(values, struct signatures_map);
} signature_sets SECTION(".maps");

struct {
	NUMBER(type, MAP_PERCPU_ARRAY);
	NUMBER(max_entries, SIGNATURES);
	TYPE(key, u32);
	TYPE(value, struct count);
} signature_counts SECTION(".maps");

DESCRIBE(enum, feature);

struct features {
	u32 words[FEATURES];
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
			w[F_ID] = first & 0x0fffffff;
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

/* The word at an offset of the payload; a packet that has no such bytes does not match. */
INLINE int payload_word(struct xdp_md *ctx, const struct packet *p, u32 offset, u32 *word) {
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	u32 at = p->payload + offset;
	OPAQUE(at);
	at &= 0x7fff;
	if (!p->payload || data + at + 4 > end)
		return 0;
	*word = swap32(*(u32 *)(data + at));
	return 1;
}

SEPARATE int matches(struct xdp_md *ctx, const struct packet *p, const struct features *f, const struct signature *s) {
	if (!p || !f || !s)
		return 0;
	for (u32 i = 0; i < TERMS; i++) {
		if (i >= s->terms)
			break;
		const struct term *t = &s->all[i];
		u32 feature = t->feature, word;
		if (feature == F_PAYLOAD) {
			if (!payload_word(ctx, p, t->offset, &word))
				return 0;
		} else {
			OPAQUE(feature);
			word = f->words[feature & (FEATURES - 1)];
		}
		word &= t->mask;
		if (word < t->low || word > t->high)
			return 0;
	}
	return 1;
}

INLINE u32 lowest_bit(u64 n) { return ones((n & -n) - 1); }

SEPARATE int walk(struct xdp_md *ctx, const struct packet *p, struct signatures *set, u64 candidates, u64 now) {
	struct features f = {};
	if (!p || !set)
		return 0;
	features_of(ctx, p, &f, set->wants);
	for (int n = 0; n < SIGNATURES; n++) {
		if (!candidates)
			break;
		u32 i = lowest_bit(candidates) & (SIGNATURES - 1);
		OPAQUE(i);
		i &= SIGNATURES - 1;
		candidates &= candidates - 1;
		const struct signature *s = &set->all[i];
		if (s->until <= now || !matches(ctx, p, &f, s))
			continue;
		struct count *count = map_lookup(&signature_counts, &i);
		if (count)
			add(count, p->length);
		if (s->flags & ENFORCE)
			return 1;
	}
	return 0;
}

INLINE int has_signature(struct xdp_md *ctx, const struct packet *p) {
	u32 zero = 0;
	void *map = map_lookup(&signature_sets, &zero);
	if (!map)
		return 0;
	struct signatures *set = map_lookup(map, &zero);
	if (!set)
		return 0;
	u32 length = p->length >> 3;
	u64 candidates = set->by_protocol[p->protocol] & set->by_ttl[p->ttl] & set->by_flags[p->flags] &
			 set->by_length[length > SHORT_TABLE - 1 ? SHORT_TABLE - 1 : length];
	return candidates && walk(ctx, p, set, candidates, clock());
}
