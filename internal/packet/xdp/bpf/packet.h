/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Reads a frame: Ethernet, two VLAN tags at most, IPv4 with options or IPv6 with extension headers, and the header behind. */
#pragma once
#include "kernel.h"

enum { ETHERTYPE_AT = 12, TAGS = 2, EXTENSIONS = 6 };

/* An index of TCP's options is masked whenever it moves: the verifier then sees one range instead of a tree of sums. */
enum { OPTION_BYTES = 40, OPTION_MASK = 63 };

enum { ETHER_IPV4 = 0x0800, ETHER_IPV6 = 0x86dd, ETHER_VLAN = 0x8100, ETHER_QINQ = 0x88a8 };
enum { HOP_BY_HOP = 0, ICMP = 1, TCP = 6, UDP = 17, ROUTING = 43, FRAGMENT = 44, AUTHENTICATION = 51, ICMPV6 = 58, DESTINATION = 60 };
enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };
enum { ECHO_REQUEST = 8, ECHO_REQUEST_V6 = 128, ROUTER_SOLICITATION = 133, REDIRECT = 137 };

#define PACKED __attribute__((packed))

struct ipv4 {
	u8 version_length, tos;
	u16 length, id, fragment;
	u8 ttl, protocol;
	u16 checksum;
	u32 source, destination;
} PACKED;

struct ipv6 {
	u32 version_class_flow;
	u16 length;
	u8 next, hops;
	u32 source[4], destination[4];
} PACKED;

struct tcp {
	u16 source, destination;
	u32 seq, ack;
	u8 length, flags;
	u16 window, checksum, urgent;
} PACKED;

struct udp {
	u16 source, destination, length, checksum;
} PACKED;

/* An address as two numbers, so that prefixes are masks and shifts. IPv4 is mapped, ::ffff:a.b.c.d, as in netip.Addr.As16. */
struct address {
	u64 hi, lo;
};

#define MAPPED 0xffff00000000ull

struct packet {
	struct address source, destination;
	u64 network;          /* its hash, see ban.h, once it is known that the packet is judged */
	u32 length;           /* of the IP packet, as it says itself */
	u16 l3, l4, payload;  /* offsets in the frame */
	u16 sport, dport;     /* 0 if there are none */
	u16 window;
	u8 version, protocol, ttl;
	u8 flags;             /* TCP's, or ICMP's type */
	u8 piece;             /* a later fragment, or headers that can't be read: only the addresses are known */
	u8 malformed;
};

INLINE u64 join(u32 high, u32 low) { return (u64)swap32(high) << 32 | swap32(low); }

/* Behind the last header whose type is ours: ports, flags, where the payload begins. */
INLINE void parse_transport(struct packet *p, void *data, void *end) {
	u32 at = p->l4;
	OPAQUE(at);
	at &= 0x7fff;
	void *header = data + at;
	if (p->protocol == TCP) {
		struct tcp *tcp = header;
		if ((void *)(tcp + 1) > end) {
			p->piece = 1;
			return;
		}
		u32 length = (tcp->length >> 4) * 4;
		p->sport = swap16(tcp->source);
		p->dport = swap16(tcp->destination);
		p->flags = tcp->flags;
		p->window = swap16(tcp->window);
		p->payload = at + length;
		p->malformed = length < sizeof *tcp;
	} else if (p->protocol == UDP) {
		struct udp *udp = header;
		if ((void *)(udp + 1) > end) {
			p->piece = 1;
			return;
		}
		p->sport = swap16(udp->source);
		p->dport = swap16(udp->destination);
		p->payload = at + sizeof *udp;
	} else if (p->protocol == (p->version == 4 ? ICMP : ICMPV6)) {
		u8 *type = header;
		if ((void *)(type + 1) > end) {
			p->piece = 1;
			return;
		}
		p->flags = *type;
		p->payload = at;
	}
}

INLINE int parse_ipv4(struct packet *p, void *data, void *end, u32 at) {
	struct ipv4 *ip = data + at;
	if ((void *)(ip + 1) > end)
		return 0;
	u32 length = (ip->version_length & 15) * 4;
	if (ip->version_length >> 4 != 4 || length < sizeof *ip)
		return 0;
	p->version = 4;
	p->source.lo = MAPPED | swap32(ip->source);
	p->destination.lo = MAPPED | swap32(ip->destination);
	p->length = swap16(ip->length);
	p->ttl = ip->ttl;
	p->protocol = ip->protocol;
	p->l3 = at;
	p->l4 = at + length;
	p->piece = (ip->fragment & swap16(0x1fff)) != 0;
	return 1;
}

INLINE int parse_ipv6(struct packet *p, void *data, void *end, u32 at) {
	struct ipv6 *ip = data + at;
	if ((void *)(ip + 1) > end)
		return 0;
	if ((swap32(ip->version_class_flow) >> 28) != 6)
		return 0;
	p->version = 6;
	p->source.hi = join(ip->source[0], ip->source[1]);
	p->source.lo = join(ip->source[2], ip->source[3]);
	p->destination.hi = join(ip->destination[0], ip->destination[1]);
	p->destination.lo = join(ip->destination[2], ip->destination[3]);
	p->length = swap16(ip->length) + sizeof *ip;
	p->ttl = ip->hops;
	p->l3 = at;
	u32 next = ip->next;
	at += sizeof *ip;
	for (int i = 0; i < EXTENSIONS; i++) {
		if (next != HOP_BY_HOP && next != ROUTING && next != FRAGMENT && next != AUTHENTICATION && next != DESTINATION)
			break;
		OPAQUE(at);
		at &= 0x3fff;
		u8 *header = data + at;
		if ((void *)(header + 8) > end)
			break; /* next is still an extension */
		if (next == FRAGMENT && (header[2] | (header[3] & 0xf8)))
			p->piece = 1;
		at += next == FRAGMENT ? 8 : next == AUTHENTICATION ? (header[1] + 2) * 4 : (header[1] + 1) * 8;
		next = header[0];
		if (p->piece)
			break;
	}
	if (next == HOP_BY_HOP || next == ROUTING || next == FRAGMENT || next == AUTHENTICATION || next == DESTINATION)
		p->piece = 1;
	p->protocol = next;
	p->l4 = at;
	return 1;
}

/* Says whether there is an IP packet. */
SEPARATE int parse(struct xdp_md *ctx, struct packet *p) {
	if (!p)
		return 0;
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	u32 at = ETHERTYPE_AT;
	u16 type = 0;
#pragma unroll
	for (int tags = 0; tags <= TAGS; tags++) {
		if (data + at + 2 > end)
			return 0;
		type = swap16(*(u16 *)(data + at));
		at += 2;
		if (type != ETHER_VLAN && type != ETHER_QINQ)
			break;
		at += 2;
	}
	if (type == ETHER_IPV4) {
		if (!parse_ipv4(p, data, end, at))
			return 0;
	} else if (type != ETHER_IPV6 || !parse_ipv6(p, data, end, at)) {
		return 0;
	}
	if (!p->piece)
		parse_transport(p, data, end);
	return 1;
}
