package limit

import (
	"fmt"
	"math"
	"math/bits"
	"time"
)

const (
	// minInterval bounds a Rate at a million units a second. Intervals are whole nanoseconds, rounded up, so the
	// rounding costs a Rate at most a thousandth.
	minInterval = time.Microsecond

	// maxDrain bounds how long a full burst may take to drain, so that no sum of times overflows.
	maxDrain = 366 * 24 * time.Hour

	// maxSkew is how far the clocks of concurrent callers may lie apart. A theoretical arrival time further ahead than
	// the burst and this was not taken at the present Rate.
	maxSkew = time.Second

	// Never is the retryAfter of a cost above the burst.
	Never time.Duration = math.MaxInt64
)

// A Rate is what a key or a meter may take: a sustained rate and a burst. The zero Rate limits nothing.
type Rate struct {
	interval time.Duration // between two units at the sustained rate, the increment T of I.371
	burst    int           // units; burst × interval is the tolerance τ + T of I.371
	span     span          // of a whole burst
}

// A span is a duration in one byte, rounded down by less than a fifth: (4 + the low two bits) << the high six, in ns.
type span uint8

func spanOf(d time.Duration) span {
	shift := max(0, bits.Len64(uint64(d))-3)
	return span(shift<<2 | int(d>>shift)&3)
}

func (s span) duration() time.Duration {
	return time.Duration(4+s&3) << (s >> 2)
}

// NewRate returns the Rate of count units per duration, of which burst units may come at once. In any window of length w
// at most burst + w × count/per units are admitted; at most a thousandth less of the sustained rate, for rounding.
// It fails unless count, per and burst are positive, count/per is at most a million a second, and a full burst drains
// within 366 days.
func NewRate(count int, per time.Duration, burst int) (Rate, error) {
	switch {
	case count < 1:
		return Rate{}, fmt.Errorf("rate of %d per %v: the count must be at least 1", count, per)
	case per <= 0:
		return Rate{}, fmt.Errorf("rate of %d per %v: the period must be longer than 0, such as 10s", count, per)
	case burst < 1:
		return Rate{}, fmt.Errorf("rate of %d per %v, burst %d: the burst must be at least 1, or nothing is ever admitted",
			count, per, burst)
	case int64(count) > int64(per/minInterval):
		return Rate{}, fmt.Errorf("rate of %d per %v: at most 1000000 a second can be metered", count, per)
	}
	interval := per / time.Duration(count)
	if per%time.Duration(count) != 0 {
		interval++
	}
	if most := maxDrain / interval; time.Duration(burst) > most {
		if most == 0 {
			return Rate{}, fmt.Errorf("rate of %d per %v: at least 1 per %v can be metered", count, per, maxDrain)
		}
		return Rate{}, fmt.Errorf("rate of %d per %v, burst %d: the burst would take over 366 days to drain: at most %d here",
			count, per, burst, int64(most))
	}
	return Rate{interval, burst, spanOf(interval * time.Duration(burst))}, nil
}

// Drain returns how long a whole burst takes to drain: for so long a key that used it up is remembered. It is 0 for the zero Rate.
func (r Rate) Drain() time.Duration {
	return time.Duration(r.burst) * r.interval
}

// limits reports whether taking cost is limited by r at all.
func (r Rate) limits(cost int) bool {
	return r.interval > 0 && cost > 0
}

// take is the virtual scheduling algorithm of ITU-T I.371 (annex A): given the theoretical arrival time tat, it returns
// the next one and, if cost does not conform now, how long until it would. The cost must be at most the burst.
func (r Rate) take(tat, now int64, cost int) (next int64, wait time.Duration) {
	limit := now + int64(r.Drain())
	if tat > limit+int64(maxSkew) {
		tat = limit // a debt from before the Rate was relaxed: it may not outlast the Rate it was taken at
	}
	next = max(tat, now) + int64(cost)*int64(r.interval)
	if next > limit {
		return tat, time.Duration(next - limit)
	}
	return next, 0
}

// charge is take for a cost that is owed in any case, up to a whole burst.
func (r Rate) charge(tat, now int64, cost int) (next int64) {
	limit := now + int64(r.Drain())
	return min(limit, max(tat, now)+int64(min(cost, r.burst))*int64(r.interval))
}

// refund returns the theoretical arrival time after cost is given back: never before now, as no more than the burst can
// ever be saved up.
func (r Rate) refund(tat, now int64, cost int) int64 {
	if tat <= now {
		return tat
	}
	return max(now, tat-int64(min(cost, r.burst))*int64(r.interval))
}

// since returns the nanoseconds from epoch to now, not less than 0.
func since(epoch, now time.Time) int64 {
	return max(0, int64(now.Sub(epoch)))
}
