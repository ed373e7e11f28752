package record

import (
	"math/bits"
	"time"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/flow"
)

// Buckets is how many a [Histogram] has.
const Buckets = 22

// Counts is what a zone's flows add up to.
type Counts struct {
	Requests int64
	Bytes    int64
	// CacheBytes are those of them that the origin was not asked for.
	CacheBytes int64
	// Status counts by the status's first digit; 0 are those outside of 100 to 599.
	Status  [6]int64
	Cache   [5]int64 // by flow.CacheStatus
	Refused [flow.Reasons]int64
	// Saved are the bytes of bodies that were not sent because the cache had encoded them, by httpcache.Coding.
	Saved [httpcache.NumCodings]int64
	Dry   int64 // flows that a rule in a dry run would have refused

	OriginAttempts int64
	Queued         int64
	Broken         int64 // responses that did not end as they should

	Duration, OriginDuration, QueueDuration Histogram
}

// Histogram counts durations. Bucket i holds those below 2^i × 16 µs, the last one all the rest.
type Histogram struct {
	Bucket [Buckets]int64
	Sum    time.Duration
}

// Bound is bucket i's upper bound.
func Bound(i int) time.Duration { return 16 * time.Microsecond << i }

func (h *Histogram) add(d time.Duration) {
	d = max(d, 0)
	h.Sum += d
	h.Bucket[min(bits.Len64(uint64(d/(16*time.Microsecond))), Buckets-1)]++
}

func (h *Histogram) merge(o *Histogram) {
	h.Sum += o.Sum
	for i, n := range o.Bucket {
		h.Bucket[i] += n
	}
}

func (c *Counts) add(f *flow.Flow) {
	c.Requests++
	c.Bytes += f.Response.Bytes
	if f.Cache.Status == flow.Hit || f.Cache.Collapsed || f.Cache.Status == flow.Stale && f.Origin.Attempts == 0 {
		c.CacheBytes += f.Response.Bytes
	}
	class := f.Response.Status / 100
	if class < 0 || class >= len(c.Status) {
		class = 0
	}
	c.Status[class]++
	c.Cache[f.Cache.Status]++
	c.Saved[f.Cache.Coding] += saved(f)
	if r := refusal(f); r != nil {
		c.Refused[r.Reason]++
	}
	if len(f.Verdict.Dry) > 0 {
		c.Dry++
	}
	if f.Response.Err != nil {
		c.Broken++
	}
	c.Duration.add(f.Response.Done.Sub(f.Request.Received))
	c.addOrigin(f)
}

// addOrigin counts the origin's part.
func (c *Counts) addOrigin(f *flow.Flow) {
	if f.Admission.Waited > 0 {
		c.Queued++
		c.QueueDuration.add(f.Admission.Waited)
	}
	if f.Origin.Attempts > 0 {
		c.OriginAttempts += int64(f.Origin.Attempts)
		c.OriginDuration.add(f.Origin.FirstByte)
	}
}

func (c *Counts) merge(o *Counts) {
	c.Requests += o.Requests
	c.Bytes += o.Bytes
	c.CacheBytes += o.CacheBytes
	c.Dry += o.Dry
	c.OriginAttempts += o.OriginAttempts
	c.Queued += o.Queued
	c.Broken += o.Broken
	addAll(c.Status[:], o.Status[:])
	addAll(c.Cache[:], o.Cache[:])
	addAll(c.Saved[:], o.Saved[:])
	addAll(c.Refused[:], o.Refused[:])
	c.Duration.merge(&o.Duration)
	c.OriginDuration.merge(&o.OriginDuration)
	c.QueueDuration.merge(&o.QueueDuration)
}

func addAll(sums, values []int64) {
	for i, v := range values {
		sums[i] += v
	}
}

// saved is how many bytes fewer a client was sent because of a coding of ours: of a response that was sent whole, not of a part of it, or a 304.
func saved(f *flow.Flow) int64 {
	if f.Cache.Coding == httpcache.Identity {
		return 0
	}
	length, sent := f.Cache.Message.Length, f.Response.Bytes
	if sent == length || length < 0 && f.Response.Err == nil {
		return f.Cache.Uncoded - sent
	}
	return 0
}
