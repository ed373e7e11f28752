/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What became of packets: counted by listener and reason on each CPU, and a random share of them sampled, as many a tick as the policy
 * allows, so that a flood costs no more than that. What the ring has no room for is lost, not waited for. */
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

enum { SAMPLE_BYTES = 160 };

struct sample {
	u64 time;   /* ns of CLOCK_MONOTONIC_COARSE */
	u32 length; /* of the IP packet */
	u16 captured, l3;
	u8 reason, listener, spare[6];
	u8 frame[SAMPLE_BYTES];
};

DESCRIBE(struct, sample);

struct {
	NUMBER(type, MAP_RINGBUF);
	NUMBER(max_entries, 1 << 20);
} samples SECTION(".maps");

struct budget {
	u32 tick, used;
};

struct {
	NUMBER(type, MAP_PERCPU_ARRAY);
	NUMBER(max_entries, 1);
	TYPE(key, u32);
	TYPE(value, struct budget);
} sample_budgets SECTION(".maps");

INLINE int within_budget(u32 allowed, u32 now) {
	u32 zero = 0;
	struct budget *b = map_lookup(&sample_budgets, &zero);
	if (!b)
		return 0;
	if (b->tick != now) {
		b->tick = now;
		b->used = 0;
	}
	return b->used++ < allowed;
}

SEPARATE int take_sample(struct xdp_md *ctx, const struct packet *p, u64 now, u32 listener, u32 reason) {
	if (!p)
		return 0;
	struct sample *s = ringbuf_reserve(&samples, sizeof *s, 0);
	if (!s)
		return 0;
	u64 n = (u64)ctx->data_end - ctx->data;
	if (n > SAMPLE_BYTES)
		n = SAMPLE_BYTES;
	s->time = now;
	s->length = p->length;
	s->captured = n;
	s->l3 = p->l3;
	s->reason = reason;
	s->listener = listener;
	OPAQUE(n);
	if (n < 14 || n > SAMPLE_BYTES || load_bytes(ctx, 0, s->frame, n))
		s->captured = 0;
	ringbuf_submit(s, 0);
	return 0;
}

INLINE void sample_some(struct xdp_md *ctx, const struct policy *policy, const struct packet *p, u32 listener, u32 reason) {
	u32 share = reason <= R_COOKIE ? policy->sample_passes : policy->sample_drops;
	if (!share || random32() > share)
		return;
	u64 now = clock();
	if (within_budget(policy->sample_budget, now >> TICK_SHIFT))
		take_sample(ctx, p, now, listener, reason);
}

INLINE void count(const struct packet *p, u32 listener, u32 reason) {
	u32 key = listener * 32 + reason;
	struct count *c = map_lookup(&counts, &key);
	if (c)
		add(c, p->length);
}
