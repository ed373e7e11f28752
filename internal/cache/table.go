package cache

import (
	"sync"
	"time"

	"github.com/seawall/seawall/internal/cache/store"
)

const (
	tableShards = 64
	// shardMemory is how many unshareable keys a shard remembers; a new one takes the place of the one it collides with.
	shardMemory = 64
)

// table holds the fetches in progress and remembers keys whose responses could not be shared. Only misses come here.
type table [tableShards]shard

type shard struct {
	mu sync.Mutex
	// fills are those that others may find. A fill that is over may still be here for a moment.
	fills map[store.Key]*fill
	// unshareable is directly mapped by key.
	unshareable [shardMemory]verdict
}

// verdict remembers that fetches of a key need not be waited for.
type verdict struct {
	key   store.Key
	until time.Time
	// pass tells that responses are too large to be stored at all.
	pass bool
	// reason says for [Policy.Why] what was wrong with the last response, also when nothing is to be done about it any more.
	reason string
}

func (t *table) init() {
	for i := range t {
		t[i].fills = make(map[store.Key]*fill)
	}
}

func (t *table) shard(k store.Key) *shard { return &t[k%tableShards] }

// remember notes that a key's responses can't be shared for a while.
func (t *table) remember(k store.Key, now time.Time, d time.Duration, pass bool, reason string) {
	sh := t.shard(k)
	sh.mu.Lock()
	sh.unshareable[k/tableShards%shardMemory] = verdict{key: k, until: now.Add(d), pass: pass, reason: reason}
	sh.mu.Unlock()
}

// forget takes back what remember noted.
func (t *table) forget(k store.Key) {
	sh := t.shard(k)
	sh.mu.Lock()
	if v := &sh.unshareable[k/tableShards%shardMemory]; v.key == k {
		*v = verdict{}
	}
	sh.mu.Unlock()
}

// remembered tells what is remembered of a key; sh.mu is held.
func (sh *shard) remembered(k store.Key, now time.Time) (unshareable, pass bool) {
	v := &sh.unshareable[k/tableShards%shardMemory]
	if v.key != k || !now.Before(v.until) {
		return false, false
	}
	return true, v.pass
}

// last is what was remembered of a key last, if that is still known.
func (t *table) last(k store.Key) (v verdict, ok bool) {
	sh := t.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	v = sh.unshareable[k/tableShards%shardMemory]
	return v, v.key == k && v.reason != ""
}

// remove takes a fill out of the table, if it is in it.
func (t *table) remove(f *fill, k store.Key) {
	sh := t.shard(k)
	sh.mu.Lock()
	if sh.fills[k] == f {
		delete(sh.fills, k)
	}
	sh.mu.Unlock()
}

// move puts a fill, which may not be in the table yet, under the key that its response has turned out to have. If that can't
// be, it says why, and the fill is in the table no more.
func (t *table) move(f *fill, from, to store.Key) (refusal string) {
	if from != to {
		t.remove(f, from)
	}
	sh := t.shard(to)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if other := sh.fills[to]; other != nil && other != f && other.live() {
		return "another fetch of this response is being stored"
	}
	if refusal := f.unstorable(); refusal != "" {
		return refusal
	}
	sh.fills[to] = f
	return ""
}

// bar keeps what is being fetched for a key out of the store, and newcomers away from it.
func (t *table) bar(k store.Key) {
	sh := t.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	f := sh.fills[k]
	if f == nil {
		return
	}
	f.mu.Lock()
	f.barred = true
	f.mu.Unlock()
	delete(sh.fills, k)
}

// barAll keeps all that is being fetched out of the store.
func (t *table) barAll() {
	for i := range t {
		t[i].mu.Lock()
		for k, f := range t[i].fills {
			f.mu.Lock()
			f.barred = true
			f.mu.Unlock()
			delete(t[i].fills, k)
		}
		t[i].mu.Unlock()
	}
}
