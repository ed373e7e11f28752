/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What is served, and what each listener bears: one value in one map, replaced whole. Without it nothing is filtered. */
#pragma once
#include "hash.h"
#include "packet.h"

enum { LISTENERS = 64, PLACE_BUCKETS = 256, PLACE_SLOTS = 4 };
enum { CHECKS_STATE = 1 }; /* of a listener: TCP without a socket is dropped, and cookies may be sent */
enum { ANY_IPV4 = 1, ANY_IPV6 = 2, COOKIE_OPTIONS = 4 };
enum { CLASS_SYN, CLASS_INITIAL, CLASS_REFLECTED, CLASS_PIECE, CLASS_ICMP, CLASSES };

/* Rates become costs: what one packet, opening or 64 KiB takes of a bucket that holds a second's worth; 0 is free. */
struct costs {
	u32 packets, openings; /* of 2^16 */
	u32 bytes;             /* of 2^32 a byte */
};

struct listener {
	u32 flags;
	struct costs host, group;
	u32 classes[CLASSES]; /* of 2^28, and of one CPU's share */
};

/* An address, a port and a protocol that a listener has. Port and protocol 0: the address itself, for pieces and ICMP. */
struct place {
	u64 hi, lo;
	u32 port_protocol;
	u32 listener; /* + 1; 0 is an empty slot */
};

struct policy {
	struct salt salt;
	u32 flags;
	u32 window_scale;                 /* what the kernel will choose for a connection that a cookie opens */
	u32 sample_drops, sample_passes;  /* of 2^32, the share that is sampled */
	u32 sample_budget;                /* samples a tick and CPU */
	u32 spare;
	u64 places_salt;
	struct listener listeners[LISTENERS];
	struct place places[PLACE_BUCKETS * PLACE_SLOTS];
};

DESCRIBE(struct, policy);

struct policy_map {
	NUMBER(type, MAP_ARRAY);
	NUMBER(max_entries, 1);
	TYPE(key, u32);
	TYPE(value, struct policy);
};

struct {
	NUMBER(type, MAP_ARRAY_OF_MAPS);
	NUMBER(max_entries, 1);
	TYPE(key, u32);
	ARRAY(values, struct policy_map);
} policies SECTION(".maps");

INLINE struct policy *policy_in_force(void) {
	u32 zero = 0;
	void *map = map_lookup(&policies, &zero);
	return map ? map_lookup(map, &zero) : 0;
}

INLINE u32 place_bucket(const struct policy *policy, u64 hi, u64 lo, u32 port_protocol) {
	u64 h = (hi ^ policy->places_salt) * 0x9e3779b97f4a7c15ull;
	h = (h ^ lo) * 0xd6e8feb86659fd93ull;
	h = (h ^ h >> 32 ^ port_protocol) * 0x9e3779b97f4a7c15ull;
	return h >> 56;
}

_Static_assert(PLACE_BUCKETS == 256, "a bucket is named by eight bits");

/* The listener's number, or -1. */
INLINE int listener_at(const struct policy *policy, u64 hi, u64 lo, u32 port_protocol) {
	u32 first = place_bucket(policy, hi, lo, port_protocol) * PLACE_SLOTS;
	for (u32 i = 0; i < PLACE_SLOTS; i++) {
		const struct place *place = &policy->places[first + i];
		if (!place->listener)
			break;
		if (place->lo == lo && place->port_protocol == port_protocol && place->hi == hi)
			return place->listener - 1;
	}
	return -1;
}

INLINE int listener_of(const struct policy *policy, const struct packet *p) {
	int by_port = !p->piece && (p->protocol == TCP || p->protocol == UDP);
	u32 port_protocol = by_port ? (u32)p->dport << 8 | p->protocol : 0;
	int found = listener_at(policy, p->destination.hi, p->destination.lo, port_protocol);
	if (found >= 0)
		return found;
	if (policy->flags & (p->version == 4 ? ANY_IPV4 : ANY_IPV6))
		return listener_at(policy, 0, p->version == 4 ? MAPPED : 0, port_protocol);
	return -1;
}
