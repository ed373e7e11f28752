package main

import (
	"math/bits"
	"time"
)

const (
	bucketBits   = 7                // 128 buckets to each power of two
	longestTime  = 30 * time.Minute // longer is counted as this
	bucketsTotal = (41-bucketBits)<<bucketBits + 1<<bucketBits
)

// latencies counts how long answers took, in buckets no wider than 1/128 of their value: memory does not grow with the load, and a
// quantile is right to half a percent.
type latencies struct {
	counts [bucketsTotal]uint32
	n      int
}

func (l *latencies) add(d time.Duration) {
	l.counts[bucket(d)]++
	l.n++
}

// quantile is the time within which the share q of the answers came, 0 < q ≤ 1; zero if there were none.
func (l *latencies) quantile(q float64) time.Duration {
	rank := int(q*float64(l.n)+0.999999) - 1 // of the sorted times, from 0
	for i, count := range l.counts {
		if rank -= int(count); rank < 0 {
			return middle(i)
		}
	}
	return 0
}

// bucket is where a time is counted: its power of two, and the bucketBits bits below the highest.
func bucket(d time.Duration) int {
	v := uint64(min(max(d, 0), longestTime))
	shift := max(bits.Len64(v)-bucketBits-1, 0)
	return shift<<bucketBits + int(v>>shift)
}

// middle is the time that stands for a bucket.
func middle(bucket int) time.Duration {
	shift := max(bucket>>bucketBits-1, 0)
	v := uint64(bucket - shift<<bucketBits)
	return time.Duration(v<<shift + 1<<shift>>1)
}
