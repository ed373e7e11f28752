package conn

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/seawall/seawall/limit"
	"github.com/seawall/seawall/prefixes"
)

const (
	// While a node refuses more requests a second than pressureLeast, and for pressureFor after, it minds who goes on asking: that many
	// refusals cost it some hundredths of a core, and no people send as many.
	pressureLeast = 2000
	pressureFor   = 10 * time.Second
	// A source is hopeless whose last hopelessBurst requests and more were all refused: hopelessRate of them a second are forgiven.
	hopelessBurst   = 60
	hopelessRate    = 1
	hopelessSources = 256 << 10
)

// hopeless are the sources that go on asking although everything is refused, while that harms the node. It is no zone's affair which of them
// they asked: one request that any zone lets through clears a source.
type hopeless struct {
	refused [shards]struct {
		n atomic.Int64
		_ [56]byte
	}
	seen  int64        // of refused, at the last look; the sweeper's
	at    time.Time    // of the last look
	until atomic.Int64 // by the room's clock, when who asks ceases to be minded; 0 before it ever was
	table *limit.Table
	rate  limit.Rate
}

// shards is how many parts the count has, so that cores rarely share one.
const shards = 16

func newHopeless() hopeless {
	return hopeless{table: limit.New(hopelessSources), rate: rate(hopelessRate, time.Second, hopelessBurst)}
}

// gauge looks how much has been refused since it last did.
func (h *hopeless) gauge(now time.Time, clock int64) {
	sum := int64(0)
	for i := range h.refused {
		sum += h.refused[i].n.Load()
	}
	if lasted := now.Sub(h.at); !h.at.IsZero() && float64(sum-h.seen) > pressureLeast*lasted.Seconds() {
		h.until.Store(clock + pressureFor.Milliseconds())
	}
	h.seen, h.at = sum, now
}

// judged counts a request that was refused, or not, and reports whether its source may go on.
func (r *Room) judged(source netip.Addr, shard uint32, refused bool) bool {
	h := &r.hopeless
	if refused {
		h.refused[shard%shards].n.Add(1)
	}
	until := h.until.Load()
	if until == 0 {
		return true
	}
	now := time.Now()
	if r.clock(now) >= until {
		return true
	}
	key := h.table.Key(0, 0, prefixes.Source(source).Addr())
	if !refused {
		h.table.Refund(key, h.rate, hopelessBurst, now)
		return true
	}
	ok, _ := h.table.Take(key, h.rate, 1, now)
	return ok || r.unbannable(source)
}
