/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Single prefixes, banned until a time: /32 and /24 of IPv4, /128, /64 and /48 of IPv6. User space alone writes, in place, and only
 * over what has expired, so a packet that reads half of a write finds nobody. A prefix lies in one of two buckets of eight. */
#pragma once
#include "hash.h"
#include "packet.h"

enum { BAN_BUCKETS = 1 << 15, BAN_SLOTS = 8, BAN_FILTER_WORDS = 1 << 15, BAN_TWEAK = 1000 };

struct ban {
	u64 hi, lo;
	u64 length;
	u64 until; /* ns of CLOCK_MONOTONIC_COARSE; last, because it makes the rest valid */
};

struct ban_bucket {
	struct ban bans[BAN_SLOTS];
};

struct {
	NUMBER(type, MAP_ARRAY);
	NUMBER(max_entries, BAN_BUCKETS);
	NUMBER(map_flags, MAP_MMAPABLE);
	TYPE(key, u32);
	TYPE(value, struct ban_bucket);
} bans SECTION(".maps");

/* A bit for each /24 (/48 of IPv6) in which something is banned: where it is 0, as it mostly is, no bucket is fetched from memory. */
struct {
	NUMBER(type, MAP_ARRAY);
	NUMBER(max_entries, BAN_FILTER_WORDS);
	NUMBER(map_flags, MAP_MMAPABLE);
	TYPE(key, u32);
	TYPE(value, u64);
} ban_filter SECTION(".maps");

INLINE int in_ban_bucket(u32 index, u64 hi, u64 lo, u32 length, u64 now) {
	index &= BAN_BUCKETS - 1;
	struct ban_bucket *bucket = map_lookup(&bans, &index);
	if (!bucket)
		return 0;
	for (int i = 0; i < BAN_SLOTS; i++) {
		struct ban *b = &bucket->bans[i];
		if (b->hi == hi && b->lo == lo && b->length == length && b->until > now)
			return 1;
	}
	return 0;
}

INLINE int banned_as(const struct address *a, u32 length, u64 now, const struct salt *salt) {
	u64 hi = high_bits(a->hi, length), lo = low_bits(a->lo, length);
	u64 h = hash(hi, lo, BAN_TWEAK + length, salt);
	return in_ban_bucket(h >> 24, hi, lo, length, now) || in_ban_bucket(h >> 44, hi, lo, length, now);
}

/* The hash of the network in which bans and meters see a source, a /24 or an IPv6 /48. Meters take the lower bits of both halves. */
INLINE u64 network_of(const struct packet *p, const struct salt *salt) {
	return hash(p->version == 4 ? p->source.lo >> 8 : p->source.hi >> 16, 0, BAN_TWEAK, salt);
}

INLINE int may_be_banned(u64 network) {
	u32 word = (network >> 20 & 0xfff) | (network >> 40 & 0x7000);
	u64 *filter = map_lookup(&ban_filter, &word);
	return filter && *filter >> (network >> 58) & 1;
}

SEPARATE int banned(const struct packet *p, u64 now, const struct salt *salt) {
	if (!p || !salt)
		return 0;
	if (p->version == 4)
		return banned_as(&p->source, 128, now, salt) || banned_as(&p->source, 120, now, salt);
	return banned_as(&p->source, 64, now, salt) || banned_as(&p->source, 48, now, salt) ||
	       banned_as(&p->source, 128, now, salt);
}
