package main

import (
	"container/list"
	"context"

	"github.com/maypok86/otter/v2"
)

// A policy decides in this process which objects a cache of so many bytes would keep.
type policy interface {
	// hit asks for an object, which is there from then on if the policy wants it, and tells whether it was there.
	hit(traced) bool
}

// traceOverhead is what an object weighs beside its body, in bytes, as Seawall counts it: the fields, and what leads to them.
const traceOverhead = 1150

// policies are what servers are compared with, made anew for each trace.
var policies = []struct {
	name string
	open func(bytes int) (policy, error)
}{
	{"otter", newOtter},
	{"LRU", func(bytes int) (policy, error) { return &lru{room: bytes, places: make(map[int]*list.Element)}, nil }},
}

// otterPolicy is the library that Seawall's memory is made with: W-TinyLFU.
type otterPolicy struct{ cache *otter.Cache[int, int] }

func newOtter(bytes int) (policy, error) {
	cache, err := otter.New(&otter.Options[int, int]{
		MaximumWeight: uint64(bytes),
		Weigher:       func(_, size int) uint32 { return uint32(size + traceOverhead) },
		Executor:      func(work func()) { work() }, // at once, so that each run is like the others
	})
	return otterPolicy{cache}, err
}

func (p otterPolicy) hit(r traced) bool {
	if _, ok := p.cache.GetIfPresent(r.object); ok {
		return true
	}
	p.cache.Set(r.object, r.size)
	return false
}

// lru drops what nobody has asked for the longest.
type lru struct {
	room   int       // bytes
	newest list.List // of traced
	places map[int]*list.Element
}

func (p *lru) hit(r traced) bool {
	if e, ok := p.places[r.object]; ok {
		p.newest.MoveToFront(e)
		return true
	}
	p.places[r.object] = p.newest.PushFront(r)
	p.room -= r.size + traceOverhead
	for p.room < 0 {
		oldest := p.newest.Remove(p.newest.Back()).(traced)
		delete(p.places, oldest.object)
		p.room += oldest.size + traceOverhead
	}
	return false
}

// play plays a trace in this process, and returns the share of hits once the cache is warm.
func play(ctx context.Context, p policy, requests []traced) (float64, error) {
	hits := 0
	for i, r := range requests {
		if p.hit(r) && i >= traceWarm {
			hits++
		}
	}
	return float64(hits) / float64(len(requests)-traceWarm), ctx.Err()
}
