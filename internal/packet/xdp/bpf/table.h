/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Sets of prefixes, at most 2^24, written once by user space and then swapped whole: a slot holds a map of the size that the set
 * needs, and a packet sees either the old or the new. There are two forms; both are arrays of 16-byte cells, four to a cache line.
 *
 * Flat is for IPv4. One cell has a bit pair for each of 64 /24s: denied as a whole; denied in part. The parts follow as bitmaps of 256
 * addresses, one for each second bit that is set, in order, so a bitmap is found by counting the bits before it: no search and no hash.
 * In front of the pairs, which are 4 MiB, is a bit for each /22 in which anything is denied: 512 KiB, which stay in a core's own cache
 * and answer for most addresses.
 *
 * Hashed is for IPv6, and for small sets of both. Each prefix length that occurs, at most 16, is looked up in buckets of four. In front
 * of them is a filter that says of a network (a /48; of IPv4 a /24) which of the lengths occur in it, with two bits of one cell for each;
 * so the number of lengths matters little, and a network of which much is denied takes no more of the filter than another. In front
 * of that, as in the flat form, is a bit for each network, a quarter as large. Shorter prefixes are in the filter one by one. */
#pragma once
#include "hash.h"
#include "packet.h"

struct cell {
	u64 a, b;
};

struct cells {
	struct cell four[4];
};

DESCRIBE(struct, cells);

enum { TABLE_ALLOW, TABLE_DENY4, TABLE_DENY6, TABLES };

struct table {
	NUMBER(type, MAP_ARRAY);
	NUMBER(max_entries, 1);
	NUMBER(map_flags, MAP_MMAPABLE | MAP_INNER);
	TYPE(key, u32);
	TYPE(value, struct cells);
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

INLINE struct cells *cells_at(void *table, u32 index) { return map_lookup(table, &index); }

INLINE struct cell *cell_at(void *table, u32 index) {
	struct cells *cells = cells_at(table, index >> 2);
	return cells ? &cells->four[index & 3] : 0;
}

enum { FLAT_PAIRS = 1 << 15, FLAT_COUNTS = FLAT_PAIRS + (1 << 18), FLAT_BITMAPS = FLAT_COUNTS + (1 << 16) };

INLINE u32 ones(u64 n) {
	n -= n >> 1 & 0x5555555555555555ull;
	n = (n & 0x3333333333333333ull) + (n >> 2 & 0x3333333333333333ull);
	n = (n + (n >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return n * 0x0101010101010101ull >> 56;
}

/* The bit of a number in cells from the first on. */
INLINE int bit_at(void *table, u32 first, u32 n) {
	struct cell *c = cell_at(table, first + (n >> 7));
	return c && (n & 64 ? c->b : c->a) >> (n & 63) & 1;
}

INLINE int in_flat(u32 slot, u32 address) {
	void *table = map_lookup(&tables, &slot);
	if (!table || !bit_at(table, 0, address >> 10))
		return 0;
	u32 group = address >> 14;
	u64 bit = 1ull << (address >> 8 & 63);
	struct cell *pair = cell_at(table, FLAT_PAIRS + group);
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
	return bit_at(table, FLAT_BITMAPS + bitmap * 2, address & 255);
}

enum { HASHED_LENGTHS = 16, HASHED_FILTER = 4, HASHED_PROBES = 4, FILTER_TWEAK = 256 };

/* The first cell: a is the number of cells of the filter, a power of two, and of buckets, likewise. The second: the lengths, a byte each,
 * 0 behind the last, the shortest first. Then two spare; the filter; the bits of networks; the buckets. */
INLINE int filter_has(const struct cell *c, u64 h, u32 nth) {
	return (c->a >> ((h >> 32) + 5 * nth & 63)) & (c->b >> ((h >> 48) + 11 * nth & 63)) & 1;
}

INLINE int bucket_has(void *table, u64 h, u64 hi, u64 lo, u32 first, u32 buckets) {
	u32 bucket = (u32)(h >> 45 ^ h);
	for (u32 probe = 0; probe < HASHED_PROBES; probe++) {
		struct cells *cells = cells_at(table, (first >> 2) + ((bucket + probe) & (buckets - 1)));
		if (!cells)
			return 0;
		struct cell *c = cells->four;
		if ((c[0].b == lo && c[0].a == hi) || (c[1].b == lo && c[1].a == hi) || (c[2].b == lo && c[2].a == hi) ||
		    (c[3].b == lo && c[3].a == hi))
			return 1;
		if (!(c[3].a | c[3].b))
			return 0;
	}
	return 0;
}

SEPARATE int in_hashed(u32 slot, const struct packet *p, const struct salt *salt) {
	if (!p || !salt)
		return 0;
	void *table = map_lookup(&tables, &slot);
	if (!table)
		return 0;
	struct cells *head = cells_at(table, 0);
	if (!head)
		return 0;
	u32 filter_cells = (u32)head->four[0].a, buckets = head->four[0].a >> 32;
	u32 bits = HASHED_FILTER + filter_cells, first = bits + filter_cells / 4;
	u32 of_network = p->version == 4 ? 120 : 48;
	u64 todo = head->four[1].a, rest = head->four[1].b, filtered = 0;
	struct cell filter = {};
	for (u32 i = 0; i < HASHED_LENGTHS; i++) {
		u32 length = todo & 0xff;
		if (!length)
			break;
		todo = todo >> 8 | rest << 56;
		rest >>= 8;
		u64 hi = high_bits(p->source.hi, length), lo = low_bits(p->source.lo, length);
		if (filtered != p->network) {
			filtered = p->network;
			if (length < of_network)
				filtered = hash(hi, lo, FILTER_TWEAK + length, salt);
			else if (!bit_at(table, bits, filtered & (filter_cells * 32 - 1)))
				break;
			struct cell *c = cell_at(table, HASHED_FILTER + (filtered & (filter_cells - 1)));
			if (!c)
				break;
			filter = *c;
		}
		/* What is stored also tells lengths apart: 2001:db8::/32 from 2001:db8::/48. */
		if (filter_has(&filter, filtered, i) &&
		    bucket_has(table, hash(hi, lo, length, salt), hi ^ salt->b * length, lo, first, buckets))
			return 1;
	}
	return 0;
}
