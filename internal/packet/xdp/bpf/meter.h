/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * How much a source may send. A bucket is 8 bytes: when it was last looked at, and how full it is of packets, bytes and openings (SYN,
 * QUIC Initial, echo request), each in 2^-16 of what the listener allows in a second, which is also what runs out in a second.
 *
 * A line is a cache line: the bucket of a /24 (IPv6: /48), and seven that its addresses (/64s) share. Two rows of lines, hashed with the
 * same key but independent bits: a source is refused if both of its buckets are full, so a flood elsewhere fills one of them at most.
 * Nothing is ever inserted or evicted. CPUs that meet in a bucket may lose a count, nothing else. */
#pragma once
#include "policy.h"

enum { TICKS_A_SECOND = 239, DRAIN_A_TICK = 275, FULL = 0xffff, LATE = 0xfff0 };
enum { HOST_BUCKETS = 7, CLASS_FULL = 1 << 28, CLASS_DRAIN = CLASS_FULL / 238 };

struct line {
	u64 group, hosts[HOST_BUCKETS];
};

volatile const u32 meter_lines = 1 << 13; /* of a row; a power of two */

struct {
	NUMBER(type, MAP_ARRAY);
	NUMBER(max_entries, 2 << 13);
	TYPE(key, u32);
	TYPE(value, struct line);
} meters SECTION(".maps");

INLINE u32 drained(u32 level, u32 ticks) {
	u32 out = ticks * DRAIN_A_TICK;
	return ticks >= TICKS_A_SECOND || out >= level ? 0 : level - out;
}

struct load {
	u32 packets, bytes, openings; /* what this packet costs */
};

INLINE u32 at_most_full(u64 n) { return n > FULL ? FULL : n; }

INLINE struct load load_of(const struct costs *c, u32 length, u32 opening) {
	struct load l = {c->packets, 0, opening ? c->openings : 0};
	if (c->bytes)
		l.bytes = at_most_full(((u64)c->bytes * length >> 16) + 1);
	return l;
}

/* What the bucket becomes, and in *full whether it can't take the load. */
INLINE u64 charged(u64 bucket, const struct load *l, u32 now, u32 *full) {
	u32 ticks = (now - (u32)bucket) & 0xffff;
	if (ticks > LATE) { /* another CPU, which looked at the clock a tick later, was here first */
		ticks = 0;
		now = bucket;
	}
	u32 packets = drained(bucket >> 16 & 0xffff, ticks) + l->packets;
	u32 bytes = drained(bucket >> 32 & 0xffff, ticks) + l->bytes;
	u32 openings = drained(bucket >> 48, ticks) + l->openings;
	*full = (l->packets && packets > FULL) || (l->bytes && bytes > FULL) || (l->openings && openings > FULL);
	return (now & 0xffff) | (u64)at_most_full(packets) << 16 | (u64)at_most_full(bytes) << 32 |
	       (u64)at_most_full(openings) << 48;
}

INLINE u32 host_bucket(u64 h) {
	u32 i = (u32)(h & 0xffff) * HOST_BUCKETS >> 16;
	OPAQUE(i);
	return i < HOST_BUCKETS ? i : 0;
}

enum metered { WITHIN, HOST_OVER, GROUP_OVER };

SEPARATE int meter(const struct listener *listener, const struct packet *p, u32 opening, u32 now) {
	if (!listener || !p)
		return WITHIN;
	u32 host = p->version == 4 ? p->source.lo & 0xff : p->source.hi & 0xffff;
	u64 g = p->network, h = (g ^ host) * 0x9e3779b97f4a7c15ull;
	u32 at0 = g & (meter_lines - 1), at1 = (g >> 32 & (meter_lines - 1)) + meter_lines;
	struct line *l0 = map_lookup(&meters, &at0), *l1 = map_lookup(&meters, &at1);
	if (!l0 || !l1)
		return WITHIN;
	u64 *h0 = &l0->hosts[host_bucket(h >> 32)], *h1 = &l1->hosts[host_bucket(h >> 48)];
	struct load single = load_of(&listener->host, p->length, opening), joint = load_of(&listener->group, p->length, opening);
	u32 full0, full1;
	u64 new_h0 = charged(*h0, &single, now, &full0), new_h1 = charged(*h1, &single, now, &full1);
	if (full0 & full1)
		return HOST_OVER;
	u64 new_g0 = charged(l0->group, &joint, now, &full0), new_g1 = charged(l1->group, &joint, now, &full1);
	if (full0 & full1)
		return GROUP_OVER;
	*h0 = new_h0;
	*h1 = new_h1;
	l0->group = new_g0;
	l1->group = new_g1;
	return WITHIN;
}

/* The rate of a class of packets at a listener, whoever sends them, on this CPU: a CPU has its share of the rate. */
struct rate {
	u32 tick, level;
};

struct {
	NUMBER(type, MAP_PERCPU_ARRAY);
	NUMBER(max_entries, LISTENERS * 8);
	TYPE(key, u32);
	TYPE(value, struct rate);
} rates SECTION(".maps");

/* Counts the packet, and says whether its class comes faster than the listener's rate. It goes on counting above, up to four
 * times the rate: while a flood lasts everything is over, not only the excess, and for three seconds after at most. */
INLINE int over_rate(const struct listener *listener, u32 number, u32 class, u32 now) {
	u32 cost = listener->classes[class];
	if (!cost)
		return 0;
	u32 key = number * 8 + class;
	struct rate *r = map_lookup(&rates, &key);
	if (!r)
		return 0;
	u32 ticks = now - r->tick;
	u64 out = (u64)(ticks > 4 * TICKS_A_SECOND ? 4 * TICKS_A_SECOND : ticks) * CLASS_DRAIN;
	u64 level = (out > r->level ? 0 : r->level - out) + cost;
	r->tick = now;
	r->level = level > 4ull * CLASS_FULL - 1 ? 4ull * CLASS_FULL - 1 : level;
	return level > CLASS_FULL;
}
