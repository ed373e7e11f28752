/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * The one hash, keyed with 128 random bits, so that nobody outside can choose addresses that meet in a bucket. */
#pragma once
#include "kernel.h"

struct salt {
	u64 a, b;
};

INLINE u64 hash(u64 hi, u64 lo, u64 tweak, const struct salt *salt) {
	u64 h = (hi ^ salt->a) * 0x9e3779b97f4a7c15ull;
	h ^= h >> 32;
	h = (h ^ lo ^ salt->b) * 0xd6e8feb86659fd93ull;
	h ^= h >> 29;
	h = (h ^ tweak) * (salt->a | 1);
	return h ^ h >> 32;
}

/* The address's first length bits; length is 1 to 128. */
INLINE u64 high_bits(u64 hi, u32 length) { return length >= 64 ? hi : hi & ~0ull << ((64 - length) & 63); }

INLINE u64 low_bits(u64 lo, u32 length) {
	return length <= 64 ? 0 : length >= 128 ? lo : lo & ~0ull << ((128 - length) & 63);
}
