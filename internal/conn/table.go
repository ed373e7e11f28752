package conn

import (
	"sync"
	"sync/atomic"
)

const tableShards = 64

// table holds all open connections for the sweeper and for shutdown.
type table struct {
	open   atomic.Int64
	shards [tableShards]tableShard
}

type tableShard struct {
	mu    sync.Mutex
	conns []*Conn
	_     [32]byte
}

// slot is a connection's place in its shard.
type slot struct{ shard, index int32 }

func newTable() *table { return &table{} }

func (t *table) add(c *Conn) {
	t.open.Add(1)
	c.slot.shard = int32(c.info.Shard % tableShards)
	s := &t.shards[c.slot.shard]
	s.mu.Lock()
	c.slot.index = int32(len(s.conns))
	s.conns = append(s.conns, c)
	s.mu.Unlock()
}

func (t *table) remove(c *Conn) {
	s := &t.shards[c.slot.shard]
	s.mu.Lock()
	last := len(s.conns) - 1
	moved := s.conns[last]
	s.conns[c.slot.index], moved.slot.index = moved, c.slot.index
	s.conns[last] = nil
	s.conns = s.conns[:last]
	s.mu.Unlock()
	t.open.Add(-1)
}

// each calls visit for every connection, one shard's lock at a time; visit must not wait.
func (t *table) each(visit func(*Conn)) {
	for i := range t.shards {
		t.eachOf(i, visit)
	}
}

func (t *table) eachOf(shard int, visit func(*Conn)) {
	s := &t.shards[shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		visit(c)
	}
}
