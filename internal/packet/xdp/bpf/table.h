/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Sets of prefixes, at most 2^24, written once by user space and then swapped whole: a slot holds a map of the size that the set
 * needs, and a packet sees either the old or the new. There are two forms; both are arrays of 16-byte cells.
 *
 * Flat is for IPv4. One cell has a bit pair for each of 64 /24s: denied as a whole; denied in part. The parts follow as bitmaps of 256
 * addresses, one for each second bit that is set, in order, so a bitmap is found by counting the bits before it: no search and no hash,
 * one cache line for nearly all addresses and three at worst.
 *
 * Hashed is for IPv6, and for small sets of both. Each prefix length that occurs, at most 16, is looked up in buckets of four, behind
 * a filter that two bits of one word answer. If no length is below 32, the filter also knows the /32s that anything lies in. */
#pragma once
#include "hash.h"
#include "packet.h"

struct cell {
	u64 a, b;
};

DESCRIBE(struct, cell);

enum { TABLE_ALLOW, TABLE_DENY4, TABLE_DENY6, TABLES };

struct table {
	NUMBER(type, MAP_ARRAY);
	NUMBER(max_entries, 1);
	NUMBER(map_flags, MAP_MMAPABLE | MAP_INNER);
	TYPE(key, u32);
	TYPE(value, struct cell);
};

struct {
	NUMBER(type, MAP_ARRAY_OF_MAPS);
	NUMBER(max_entries, TABLES);
	TYPE(key, u32);
	ARRAY(values, struct table);
} tables SECTION(".maps");

/* Those allowed are few, and everyone is asked: a bit for each /13 of IPv4, and for each hashed /16 of IPv6, says whether one can be. */
struct heads {
	u64 words[128];
};

struct {
	NUMBER(type, MAP_ARRAY);
	NUMBER(max_entries, 1);
	TYPE(key, u32);
	TYPE(value, struct heads);
} allow_heads SECTION(".maps");

INLINE int may_be_allowed(const struct packet *p) {
	u32 zero = 0;
	struct heads *heads = map_lookup(&allow_heads, &zero);
	u32 bit = p->version == 4 ? p->source.lo >> 19 & 8191 : (u32)(p->source.hi >> 48) * 0x9e3779b1u >> 19;
	return heads && heads->words[bit >> 6] >> (bit & 63) & 1;
}

INLINE struct cell *cell_at(void *table, u32 index) { return map_lookup(table, &index); }

enum { FLAT_COUNTS = 1 << 18, FLAT_BITMAPS = FLAT_COUNTS + (1 << 16) };

INLINE u32 ones(u64 n) {
	n -= n >> 1 & 0x5555555555555555ull;
	n = (n & 0x3333333333333333ull) + (n >> 2 & 0x3333333333333333ull);
	n = (n + (n >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return n * 0x0101010101010101ull >> 56;
}

INLINE int in_flat(u32 slot, u32 address) {
	void *table = map_lookup(&tables, &slot);
	if (!table)
		return 0;
	u32 group = address >> 14;
	u64 bit = 1ull << (address >> 8 & 63);
	struct cell *pair = cell_at(table, group);
	if (!pair)
		return 0;
	if (pair->a & bit)
		return 1;
	u64 parts = pair->b;
	if (!(parts & bit))
		return 0;
	struct cell *counts = cell_at(table, FLAT_COUNTS + (group >> 2));
	if (!counts)
		return 0;
	u64 before = group & 2 ? counts->b : counts->a;
	u32 bitmap = (group & 1 ? before >> 32 : before & 0xffffffff) + ones(parts & (bit - 1));
	struct cell *half = cell_at(table, FLAT_BITMAPS + bitmap * 2 + (address >> 7 & 1));
	if (!half)
		return 0;
	return (address & 64 ? half->b : half->a) >> (address & 63) & 1;
}

enum { HASHED_LENGTHS = 16, HASHED_FILTER = 4, HASHED_PROBES = 4, MARKER = 255 };

/* The first cell: a is the number of cells of the filter, a power of two, and of buckets, likewise; b whether there are markers.
 * The second: the lengths, a byte each, 0 behind the last. Then two spare; the filter; the buckets. */
INLINE int filter_has(void *table, u64 h, u32 filter_cells) {
	struct cell *c = cell_at(table, HASHED_FILTER + ((u32)h & (filter_cells - 1)));
	if (!c)
		return 0;
	u64 word = h >> 32 & 1 ? c->b : c->a;
	return (word >> (h >> 33 & 63) & 1) & (word >> (h >> 39 & 63) & 1);
}

INLINE int bucket_has(void *table, u64 h, u64 hi, u64 lo, u32 filter_cells, u32 buckets) {
	u32 bucket = (u32)(h >> 45 ^ h);
	for (u32 probe = 0; probe < HASHED_PROBES; probe++) {
		u32 at = HASHED_FILTER + filter_cells + ((bucket + probe) & (buckets - 1)) * 4;
		for (u32 i = 0; i < 4; i++) {
			struct cell *c = cell_at(table, at + i);
			if (!c || !(c->a | c->b))
				return 0;
			if (c->a == hi && c->b == lo)
				return 1;
		}
	}
	return 0;
}

SEPARATE int in_hashed(u32 slot, const struct address *a, const struct salt *salt) {
	if (!a || !salt)
		return 0;
	void *table = map_lookup(&tables, &slot);
	if (!table)
		return 0;
	struct cell *head = cell_at(table, 0), *lengths = cell_at(table, 1);
	if (!head || !lengths)
		return 0;
	u32 filter_cells = (u32)head->a, buckets = head->a >> 32;
	if (head->b && !filter_has(table, hash(high_bits(a->hi, 32), 0, MARKER, salt), filter_cells))
		return 0;
	u64 todo = lengths->a, rest = lengths->b;
	for (int i = 0; i < HASHED_LENGTHS; i++) {
		u32 length = todo & 0xff;
		if (!length)
			break;
		todo = todo >> 8 | rest << 56;
		rest >>= 8;
		u64 hi = high_bits(a->hi, length), lo = low_bits(a->lo, length);
		u64 h = hash(hi, lo, length, salt);
		/* What is stored also tells lengths apart: 2001:db8::/32 from 2001:db8::/48. */
		if (filter_has(table, h, filter_cells) && bucket_has(table, h, hi ^ salt->b * length, lo, filter_cells, buckets))
			return 1;
	}
	return 0;
}
