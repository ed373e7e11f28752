package record

import (
	"io"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/flow"
)

func TestCounts(t *testing.T) {
	r := newRoom(t, nil)
	p, other := policy(t, r, "example"), policy(t, r, "other")
	for i, tt := range outcomes() {
		f := hit()
		tt.flow(f)
		f.Conn.Shard = uint32(i)
		p.Add(f)
	}
	f := hit()
	f.Response.Status = 999
	f.Response.Err = io.ErrUnexpectedEOF
	other.Add(f)

	got := p.Counts()
	want := Counts{
		Requests: 13, Bytes: 8*1024 + 3*512, CacheBytes: 5*1024 + 512,
		Status:         [6]int64{1: 1, 2: 8, 4: 2, 5: 2},
		Cache:          [5]int64{flow.Bypass: 4, flow.Hit: 3, flow.Miss: 3, flow.Stale: 2, flow.Revalidated: 1},
		Dry:            1,
		OriginAttempts: 6, Queued: 2, Broken: 2,
	}
	want.Refused[flow.RequestLimit], want.Refused[flow.OnlyIfCached], want.Refused[flow.OriginTimeout], want.Refused[flow.ClientGone] = 1, 1, 1, 1
	got.Duration, got.OriginDuration, got.QueueDuration = Histogram{}, Histogram{}, Histogram{}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	got = p.Counts()
	for _, h := range []struct {
		name      string
		histogram Histogram
		count     int64
		sum       time.Duration
	}{
		{"duration", got.Duration, 13, 13 * 310 * time.Microsecond},
		{"origin", got.OriginDuration, 5, 4 * 4200 * time.Microsecond},
		{"queue", got.QueueDuration, 2, 10*time.Second + 1500*time.Microsecond},
	} {
		n := int64(0)
		for _, count := range h.histogram.Bucket {
			n += count
		}
		if n != h.count || h.histogram.Sum != h.sum {
			t.Errorf("%s: got %d in %v, want %d in %v", h.name, n, h.histogram.Sum, h.count, h.sum)
		}
	}
	if got := other.Counts(); got.Requests != 1 || got.Broken != 1 || got.Status[0] != 1 {
		t.Errorf("other zone: got %+v, want one request of a strange status", got)
	}
}

// TestSaved: what counts is the whole of a coded body that was sent.
func TestSaved(t *testing.T) {
	r := newRoom(t, nil)
	p := policy(t, r, "example")
	for _, sent := range []int64{300, 300, 0, 17} {
		f := hit()
		f.Cache.Message = &flow.Message{Length: 300}
		f.Cache.Coding, f.Cache.Uncoded, f.Response.Bytes = httpcache.Brotli, 1000, sent
		p.Add(f)
	}
	p.Add(hit())
	want := [httpcache.NumCodings]int64{httpcache.Brotli: 1400}
	if got := p.Counts().Saved; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestHistogram(t *testing.T) {
	for _, tt := range []struct {
		d      time.Duration
		bucket int
	}{
		{-time.Second, 0},
		{0, 0},
		{16*time.Microsecond - 1, 0},
		{16 * time.Microsecond, 1},
		{32*time.Microsecond - 1, 1},
		{32 * time.Microsecond, 2},
		{Bound(Buckets-2) - 1, Buckets - 2},
		{Bound(Buckets - 2), Buckets - 1},
		{1 << 62, Buckets - 1},
	} {
		var h Histogram
		h.add(tt.d)
		want := Histogram{Sum: max(tt.d, 0)}
		want.Bucket[tt.bucket] = 1
		if h != want {
			t.Errorf("%v: got %+v, want %+v", tt.d, h, want)
		}
	}
}

// TestAddFromManySides: every flow is recorded once, whoever adds.
func TestAddFromManySides(t *testing.T) {
	r := newRoom(t, nil)
	p := policy(t, r, "example")
	const sides, each = 8, 200
	var wg sync.WaitGroup
	for side := range sides {
		wg.Go(func() {
			for range each {
				f := hit()
				f.Conn.Shard = uint32(side)
				p.Add(f)
				p.Counts()
			}
		})
	}
	wg.Wait()
	if got := p.Counts(); got.Requests != sides*each || got.Bytes != sides*each*1024 {
		t.Errorf("got %d requests with %d bytes, want %d", got.Requests, got.Bytes, sides*each)
	}
}

func TestAddDoesNotAllocate(t *testing.T) {
	p, f := policy(t, newRoom(t, nil), "example"), hit()
	p.Add(f) // makes the line's buffer, and the day's key
	if got := testing.AllocsPerRun(100, func() { p.Add(f) }); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

// TestCountsOutliveAChange: a zone that is compiled again counts on.
func TestCountsOutliveAChange(t *testing.T) {
	r := newRoom(t, nil)
	before := policy(t, r, "a")
	before.Add(hit())
	after, other := policy(t, r, "a"), policy(t, r, "b")
	after.Add(hit())
	if a, b, c := before.Counts().Requests, after.Counts().Requests, other.Counts().Requests; a != 2 || b != 2 || c != 0 {
		t.Errorf("got %d and %d requests of the zone and %d of another, want 2, 2 and 0", a, b, c)
	}
}
