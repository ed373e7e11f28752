/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What the program needs of the kernel: types, helpers by number, and how a map is declared. All of it is the kernel's stable
 * interface (include/uapi/linux/bpf.h, Linux 6.0), said here so that the object depends on no header of the machine that
 * compiles it and can be rebuilt byte for byte. */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;

_Static_assert(sizeof(u64) == 8 && sizeof(void *) == 8, "BPF is a 64-bit machine");

#define SECTION(name) __attribute__((section(name), used))
/* A function that the verifier looks at once, by itself, for whatever its arguments may be, and not again for each path that calls it. */
#define SEPARATE __attribute__((noinline))
#define INLINE static inline __attribute__((always_inline))

/* Maps are described by the types of the members of an anonymous struct, which BTF records. */
#define NUMBER(name, n) int(*name)[n]
#define TYPE(name, t) t *name
#define ARRAY(name, t) t *name[]

/* Has BTF describe what no map declares: the Go side is generated from it. */
#define DESCRIBE(kind, t) const kind t *describe_##t __attribute__((unused))

enum map_type { MAP_ARRAY = 2, MAP_PERCPU_ARRAY = 6, MAP_ARRAY_OF_MAPS = 12, MAP_RINGBUF = 27 };

enum {
	MAP_MMAPABLE = 1 << 10,
	MAP_INNER = 1 << 12, /* maps of one slot may differ in size */
};

enum action { ABORTED, DROP, PASS, TX };

struct xdp_md {
	u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex;
};

struct bpf_sock {
	u32 bound_dev_if, family, type, protocol, mark, priority, src_ip4, src_ip6[4], src_port;
	u16 dst_port, : 16;
	u32 dst_ip4, dst_ip6[4], state;
	int rx_queue_mapping;
};

struct tuple4 {
	u32 saddr, daddr;
	u16 sport, dport;
};

struct tuple6 {
	u32 saddr[4], daddr[4];
	u16 sport, dport;
};

enum tcp_state { TCP_LISTEN = 10 };

#define THIS_NETNS (-1)

static void *(*const map_lookup)(void *map, const void *key) = (void *)1;
static u32 (*const random32)(void) = (void *)7;
static long (*const adjust_tail)(struct xdp_md *, int delta) = (void *)65;
static long (*const sk_release)(struct bpf_sock *) = (void *)86;
static struct bpf_sock *(*const skc_lookup_tcp)(struct xdp_md *, void *tuple, u32 size, u64 netns, u64 flags) = (void *)99;
static s64 (*const gen_syncookie)(struct bpf_sock *, void *ip, u32 ip_len, void *tcp, u32 tcp_len) = (void *)110;
static void *(*const ringbuf_reserve)(void *ring, u64 size, u64 flags) = (void *)131;
static void (*const ringbuf_submit)(void *data, u64 flags) = (void *)132;
static u64 (*const ktime_ns)(void) = (void *)5;
static u64 (*const ktime_coarse_ns)(void) = (void *)160;
static u64 (*const frame_length)(struct xdp_md *) = (void *)188;
static long (*const load_bytes)(struct xdp_md *, u32 offset, void *to, u32 n) = (void *)189;
static long (*const check_syncookie4)(void *ip, void *tcp) = (void *)206;
static long (*const check_syncookie6)(void *ip, void *tcp) = (void *)207;

INLINE u16 swap16(u16 n) { return __builtin_bswap16(n); }
INLINE u32 swap32(u32 n) { return __builtin_bswap32(n); }

/* Hides a number's origin from the compiler, which would otherwise trade a check that the verifier needs for a cleverer one. */
#define OPAQUE(n) asm volatile("" : "+r"(n))
