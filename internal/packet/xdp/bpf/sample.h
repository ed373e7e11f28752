/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * A random share of packets is sampled, as many a tick as the policy allows, so that a flood costs no more than that. What the ring has no
 * room for is lost, not waited for; nobody is woken for it: user space looks by itself. */
#pragma once
#include "features.h"
#include "record.h"

enum { SAMPLE_BYTES = 160, NO_WAKEUP = 1 };

struct sample {
	u64 time;   /* ns of CLOCK_MONOTONIC_COARSE */
	u32 length; /* of the IP packet */
	u16 captured, l3;
	u8 reason, listener;
	u16 payload;
	u32 spare;
	struct features features;
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
	struct features f = {};
	if (!p)
		return 0;
	features_of(ctx, p, &f, WANTS_OPTIONS);
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
	s->payload = p->payload;
	s->features = f;
	OPAQUE(n);
	if (n < 14 || n > SAMPLE_BYTES || load_bytes(ctx, 0, s->frame, n))
		s->captured = 0;
	ringbuf_submit(s, NO_WAKEUP);
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
