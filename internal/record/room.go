// Package record writes down what happened to each flow, once: the line that goes to the access log is the line that explain finds
// and what metrics count.
//
// It learns the whole flow and writes nothing of it. Lines lie in rings of fixed size, one for each shard; the log's writer follows
// behind, and writes those lines, and those members of a line, that the operator wants. Memory is bounded by the rings, and a line by
// limits on each text in it. It fails by forgetting: a log that can't be written as fast as requests come, or at all, loses lines,
// which are counted, and never makes a request wait.
//
// Addresses are private by default: a line holds the network and a keyed hash of the address, under a key that lives in memory for
// a day.
package record

import (
	"log/slog"
	"math/bits"
	"runtime"
	"sync"
	"weak"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// Room is a node's records.
type Room struct {
	shards  []shard
	whole   bool
	sample  uint64 // one in so many ordinary requests is for the log; at most 1 for all
	privacy privacy
	log     *logger

	mu    sync.Mutex
	zones map[string]weak.Pointer[zoneCounts]
}

// zoneCounts are a zone's by shard, each under its shard's lock.
type zoneCounts struct{ shards []Counts }

// shard is one part of the records. Connections are spread over shards, so that cores seldom meet at a lock.
type shard struct {
	mu      sync.Mutex
	ring    ring
	line    []byte // to write a line in
	time    clock
	clients clients
	_       [64]byte
}

// New makes a room that logs as the node wants. It fails if that is not valid (see [CheckLog]) or the log's file can't be opened.
func New(node *spec.Node, events *slog.Logger) (*Room, error) {
	if err := CheckLog(&node.Log); err != nil {
		return nil, err
	}
	r := &Room{whole: node.Log.WholeAddresses}
	n := 2 << bits.Len(uint(runtime.GOMAXPROCS(0)-1))
	r.shards = make([]shard, n)
	for i := range r.shards {
		r.shards[i].ring = newRing(max(int(node.Log.Ring)/n, minRing))
	}
	if node.Log.Path != "" {
		r.sample = uint64(node.Log.Sample)
		log, err := newLogger(r, node.Log, events)
		if err != nil {
			return nil, err
		}
		r.log = log
	}
	return r, nil
}

// minRing holds the longest line several times over.
const minRing = 64 << 10

// Policy counts for one zone.
type Policy struct {
	room   *Room
	zone   string
	counts *zoneCounts
}

// Compile makes the policy of a zone. Policies of one zone count on where the others are.
func (r *Room) Compile(z *spec.Zone) (*Policy, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.zones[z.Name].Value()
	if c == nil {
		if r.zones == nil {
			r.zones = make(map[string]weak.Pointer[zoneCounts])
		}
		c = &zoneCounts{make([]Counts, len(r.shards))}
		r.zones[z.Name] = weak.Make(c)
		runtime.AddCleanup(c, r.forget, z.Name)
	}
	return &Policy{room: r, zone: z.Name, counts: c}, nil
}

// forget drops the counts of a zone that has no policy any more, unless it has come back since.
func (r *Room) forget(zone string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.zones[zone].Value() == nil {
		delete(r.zones, zone)
	}
}

// Add records a flow that is over.
func (p *Policy) Add(f *flow.Flow) {
	r := p.room
	i := int(f.Conn.Shard) & (len(r.shards) - 1)
	s := &r.shards[i]
	s.mu.Lock()
	s.line = r.appendLine(s.line[:0], f, s)
	s.ring.add(s.line)
	p.counts.shards[i].add(f)
	full := s.ring.waiting() > uint64(len(s.ring.buffer))/4
	s.mu.Unlock()
	if full && r.log != nil {
		r.log.hurry()
	}
}

// AddBehind counts what a flow behind an answer cost the origin. It has no line of its own: no visitor asked for it.
func (p *Policy) AddBehind(f *flow.Flow) {
	r := p.room
	i := int(f.Conn.Shard) & (len(r.shards) - 1)
	r.shards[i].mu.Lock()
	p.counts.shards[i].addOrigin(f)
	r.shards[i].mu.Unlock()
}

// Counts sums what was counted for the zone since the start.
func (p *Policy) Counts() Counts {
	var sum Counts
	for i := range p.counts.shards {
		s := &p.room.shards[i]
		s.mu.Lock()
		sum.merge(&p.counts.shards[i])
		s.mu.Unlock()
	}
	return sum
}

// Lost counts lines that were overwritten before the log's writer reached them, wanted or not, or that it could not write.
func (r *Room) Lost() int64 {
	if r.log == nil {
		return 0
	}
	return r.log.lost.Load()
}

// Reopen opens the log's file anew, after it was rotated. Without a file, or after Close, it does nothing.
func (r *Room) Reopen() error {
	if r.log == nil {
		return nil
	}
	return r.log.reopen()
}

// Retire leaves the log's rotation to another process that writes to the same file: this one follows it, and opens the file anew when
// its path is another file's.
func (r *Room) Retire() {
	if r.log != nil {
		r.log.retire()
	}
}

// Close writes what is left to the log.
func (r *Room) Close() error {
	if r.log == nil {
		return nil
	}
	return r.log.close()
}
