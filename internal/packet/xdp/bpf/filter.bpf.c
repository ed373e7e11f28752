/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * The packet filter of Seawall. A packet goes down judge, and the first reason that is found for it is its end:
 *
 *	parse → listener → allow → ban → deny → signature → state → class → meter → cookie → counted, sampled
 *
 * Only packets for the addresses and ports of the policy are judged. All others pass as they came, those that can't be read too:
 * nobody is locked out of a port that Seawall does not serve. Neighbour discovery passes always.
 *
 * The helpers that make and check SYN cookies are for programs whose licence the kernel takes for compatible with the GPL, version 2;
 * hence the licence of these files, which otherwise are as free as the rest. */
#include "clock.h"
#include "packet.h"
#include "ban.h"
#include "table.h"
#include "policy.h"
#include "features.h"
#include "record.h"
#include "sample.h"
#include "meter.h"
#include "signature.h"
#include "state.h"
#include "cookie.h"

/* Benchmarks send one frame a million times, and have its source made up here: from all of IPv4, or 2000::/3. */
volatile const u32 sources_random = 0;

INLINE int read(struct xdp_md *ctx, struct packet *p) {
	if (!parse(ctx, p))
		return 0;
	if (sources_random && p->version == 4)
		p->source.lo = MAPPED | random32();
	if (sources_random && p->version == 6)
		p->source = (struct address){1ull << 61 | (u64)random32() << 29 | random32() >> 3, random32()};
	return 1;
}

/* A port that amplifiers answer from, and no client sends from (RFC 9308, 8.1). */
INLINE int is_amplifier(u32 port) {
	switch (port) {
	case 17: case 19: case 53: case 69: case 111: case 123: case 137: case 161: case 389: case 427: case 500: case 520:
	case 751: case 1194: case 1434: case 1701: case 1900: case 3283: case 3478: case 3702: case 5093: case 5351: case 5353: case 5683:
	case 11211: case 27015: case 30718: case 33848: case 37020: case 37810:
		return 1;
	}
	return 0;
}

/* A long header of type Initial (RFC 9000, 17.2.2; version 2 numbers the types anew, RFC 9369). */
INLINE int is_initial(struct xdp_md *ctx, const struct packet *p) {
	u32 version = 0;
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	u32 at = p->payload;
	OPAQUE(at);
	at &= 0x7fff;
	u8 *b = data + at;
	if ((void *)(b + 5) > end || !(b[0] & 0x80))
		return 0;
	version = (u32)b[1] << 24 | (u32)b[2] << 16 | (u32)b[3] << 8 | b[4];
	return (b[0] >> 4 & 3) == (version == 0x6b3343cf ? 1 : 0);
}

INLINE int is_neighbour_discovery(const struct packet *p) {
	return p->protocol == ICMPV6 && !p->piece && p->flags >= ROUTER_SOLICITATION && p->flags <= REDIRECT;
}

/* The class whose rate the packet counts in, which decides if it goes too fast, and the reason then. */
struct class {
	u32 number, reason, opening;
};

INLINE struct class class_of(struct xdp_md *ctx, const struct packet *p) {
	if (p->piece)
		return (struct class){CLASS_PIECE, R_PIECE, 0};
	if (p->protocol == ICMP || p->protocol == ICMPV6)
		return (struct class){CLASS_ICMP, R_ICMP, p->flags == ECHO_REQUEST || p->flags == ECHO_REQUEST_V6};
	if (p->protocol == TCP)
		return (struct class){CLASSES, 0, is_syn(p)};
	if (is_amplifier(p->sport))
		return (struct class){CLASS_REFLECTED, R_REFLECTED, 0};
	if (is_initial(ctx, p))
		return (struct class){CLASS_INITIAL, R_INITIAL, 1};
	return (struct class){CLASSES, 0, 0};
}

INLINE int is_denied(const struct policy *policy, const struct packet *p) {
	if (p->version == 4)
		return in_flat(TABLE_DENY4, p->source.lo);
	return in_hashed(TABLE_DENY6, p, &policy->salt);
}

INLINE int judge(struct xdp_md *ctx, const struct policy *policy, struct packet *p, u32 number) {
	const struct listener *listener = &policy->listeners[number];
	p->network = network_of(p, &policy->salt);
	if (may_be_allowed(p) && in_hashed(TABLE_ALLOW, p, &policy->salt))
		return R_ALLOWED;
	if (may_be_banned(p->network) && banned(p, clock(), &policy->salt))
		return R_BANNED;
	if (is_denied(policy, p))
		return R_DENIED;
	int tcp = p->protocol == TCP && !p->piece;
	if (p->malformed || (tcp && bad_flags(p->flags)))
		return R_MALFORMED;
	if (has_signature(ctx, p))
		return R_SIGNATURE;
	if (tcp && listener->flags & CHECKS_STATE && !is_syn(p)) {
		int reason = state_of(ctx, p);
		if (reason != R_PASSED)
			return reason;
	}
	u32 tick = clock() >> TICK_SHIFT;
	struct class class = class_of(ctx, p);
	if (class.number < CLASSES && over_rate(listener, number, class.number, tick))
		return class.reason;
	int m = meter(listener, p, class.opening, tick);
	if (m != WITHIN)
		return m == HOST_OVER ? R_HOST : R_GROUP;
	if (tcp && is_syn(p) && listener->flags & CHECKS_STATE && over_rate(listener, number, CLASS_SYN, tick))
		return R_COOKIE;
	return R_PASSED;
}

INLINE int is_ours(const struct packet *p) {
	return p->piece || p->protocol == TCP || p->protocol == UDP || p->protocol == (p->version == 4 ? ICMP : ICMPV6);
}

SECTION("xdp.frags") int filter(struct xdp_md *ctx) {
	struct packet p = {};
	if (!read(ctx, &p) || !is_ours(&p) || is_neighbour_discovery(&p))
		return PASS;
	struct policy *policy = policy_in_force();
	if (!policy)
		return PASS;
	int listener = listener_of(policy, &p);
	if (listener < 0)
		return PASS;
	u32 number = listener & (LISTENERS - 1);
	u32 reason = judge(ctx, policy, &p, number);
	sample_some(ctx, policy, &p, number, reason); /* before the SYN becomes its answer */
	if (reason == R_COOKIE)
		reason = answer_syn(ctx, &p, policy->flags & COOKIE_OPTIONS, policy->window_scale);
	count(&p, number, reason);
	if (clock_stopped)
		said = number << 8 | reason;
	return reason == R_COOKIE ? TX : reason <= R_ROOM ? PASS : DROP;
}

/* What a benchmark compares with: the frame read, nothing judged. */
SECTION("xdp.frags") int parse_only(struct xdp_md *ctx) {
	struct packet p = {};
	return read(ctx, &p) && p.length && p.source.lo != 1 ? DROP : PASS;
}

char _license[] SECTION("license") = "Dual BSD/GPL";
