package store

import "sync"

// item is an object that waits to be written.
type item struct {
	key     Key
	content Item // nil if only the delete is to be noted
	size    int64
	seq     uint64
	at      Place  // where its body may be on the disk already
	spool   *Spool // has the body, in place of the content, if not nil; done is called then
	done    func()
	deleted uint64 // if not 0, the seq up to which what the key had is to be noted as deleted first
}

// queue are the items, in their order, bounded in bytes.
type queue struct {
	wake chan struct{}
	most int64

	mu    sync.Mutex
	items []*item
	bytes int64
}

func (q *queue) init(most int64) { q.wake, q.most = make(chan struct{}, 1), most }

// itemOverhead is what an item takes beside its size, in bytes.
const itemOverhead = 128

// push adds an item and reports false if there is no room for it. Its delete is queued all the same: there are no more of these than
// objects in the index.
func (q *queue) push(it *item) bool {
	it.size += itemOverhead
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.bytes+it.size <= q.most:
		q.bytes += it.size
	case it.deleted == 0:
		return false
	default:
		q.items = append(q.items, &item{key: it.key, seq: it.seq, deleted: it.deleted})
		q.signal()
		return false
	}
	q.items = append(q.items, it)
	q.signal()
	return true
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// pop takes the first item, nil if there is none.
func (q *queue) pop() *item {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		q.items = nil
		return nil
	}
	it := q.items[0]
	q.items[0] = nil
	q.items = q.items[1:]
	q.bytes -= it.size
	return it
}

// clear drops all items.
func (q *queue) clear() {
	q.mu.Lock()
	items := q.items
	q.items, q.bytes = nil, 0
	q.mu.Unlock()
	for _, it := range items {
		it.drop()
	}
}
