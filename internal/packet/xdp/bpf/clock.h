/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * The time: CLOCK_MONOTONIC_COARSE, which costs next to nothing, goes in steps of the kernel's tick, and can be read outside. */
#pragma once
#include "kernel.h"

#define TICK_SHIFT 22 /* ns to ticks of 4.2 ms, which meters and budgets count */

/* Tests stop the clock, to know what meters and expiries will say; and then hear the listener << 8 | reason. */
volatile const u32 clock_stopped = 0;
volatile u64 stopped_at = 0;
volatile u32 said = 0;

INLINE u64 clock(void) { return clock_stopped ? stopped_at : ktime_coarse_ns(); }
