/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Signatures: at most 64 conjunctions of at most 8 terms. A term takes a feature of the packet, masks it, and asks whether it lies in a
 * range. Four tables say, for the packet's protocol, TTL, flags and length, which signatures can still match, a bit for each; only
 * those are walked, so what does not resemble an attack pays for four loads. */
#pragma once
#include "features.h"
#include "record.h"

enum { SIGNATURES = 64, TERMS = 8, SHORT_TABLE = 256 };
enum { ENFORCE = 1 };

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
			word = f->words[feature & (WORDS - 1)];
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
