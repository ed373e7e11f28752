/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What became of packets, counted by listener and reason on each CPU. */
#pragma once
#include "clock.h"
#include "meter.h"
#include "policy.h"

enum reason {
	R_PASSED, R_ALLOWED,
	R_ROOM,   /* a SYN over the rate, for whose like the kernel has room */
	R_COOKIE, /* such a SYN, answered */
	R_BANNED, R_DENIED, R_SIGNATURE, R_MALFORMED, R_NO_STATE, R_BAD_COOKIE, R_NO_COOKIE,
	R_INITIAL, R_REFLECTED, R_PIECE, R_ICMP, R_HOST, R_GROUP,
	REASONS,
};

DESCRIBE(enum, reason);

struct count {
	u64 packets, bytes;
};

struct {
	NUMBER(type, MAP_PERCPU_ARRAY);
	NUMBER(max_entries, LISTENERS * 32);
	TYPE(key, u32);
	TYPE(value, struct count);
} counts SECTION(".maps");

INLINE void add(struct count *c, u32 length) {
	c->packets++;
	c->bytes += length;
}

INLINE void count(const struct packet *p, u32 listener, u32 reason) {
	u32 key = listener * 32 + reason;
	struct count *c = map_lookup(&counts, &key);
	if (c)
		add(c, p->length);
}
