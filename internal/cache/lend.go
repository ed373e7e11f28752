package cache

import (
	"sync"
	"sync/atomic"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/cache/store"
	"github.com/seawall/seawall/internal/flow"
)

const (
	// lentSmall and lentLarge are the sizes of memory that is lent, in bytes: for a body of one block or of promptRead, and some fields.
	lentSmall = store.BlockSize + 4<<10
	lentLarge = promptRead + 8<<10
	// lentShare is the part of what fetches may use that may be lent at a time: one in lentShare. Clients that don't take what they asked
	// for hold it.
	lentShare = 2
)

// lender lends memory for objects that are read for one answer only. It keeps what comes back.
type lender struct {
	filling      *budget
	small, large sync.Pool // of *loan
}

// loan is memory with an object from the page cache, on its way to one client. It implements [flow.Loan].
type loan struct {
	lender *lender
	memory []byte
}

// lend returns memory for n bytes, or nil if there is none to lend.
func (l *lender) lend(n int) *loan {
	size, pool := lentSmall, &l.small
	if n > lentSmall {
		size, pool = lentLarge, &l.large
	}
	if n > size || !l.filling.takeBelow(int64(size), l.filling.limit/lentShare) {
		return nil
	}
	if lent, ok := pool.Get().(*loan); ok {
		return lent
	}
	return &loan{lender: l, memory: make([]byte, size)}
}

// Return implements [flow.Loan].
func (l *loan) Return() {
	pool := &l.lender.small
	if len(l.memory) > lentSmall {
		pool = &l.lender.large
	}
	l.lender.filling.add(-int64(len(l.memory)))
	pool.Put(l)
}

// sendFrom is the length from which a body is sent by the kernel: below, it costs less to copy it behind the head.
const sendFrom = 16 << 10

// sent is a body in a file on the disk, on its way to one client. It implements [flow.File] and [flow.Loan].
type sent struct{ store.Found }

// Return implements [flow.Loan].
func (s *sent) Return() { s.Release() }

// sendable tells whether a flow's answer can be sent by the kernel. Ranges, of which the client is asked and not a rule, are taken from memory.
func sendable(f *flow.Flow, found *store.Found) bool {
	x, ok := f.Exchange.(flow.FileWriter)
	return ok && found.Size() >= sendFrom && x.SendsFiles() && f.Request.Get("range") == ""
}

// recallFile answers out of the page cache itself, with an object that was verified before and is wanted for this once. Only what is known of
// it is read. It reports false where that can't be.
func (p *Policy) recallFile(f *flow.Flow, s *spot, found *store.Found) bool {
	if !sendable(f, found) || !found.Sound() {
		return false
	}
	lent := p.room.tier.lender.lend(found.HeadLength())
	if lent == nil {
		return false
	}
	defer lent.Return()
	meta, err := found.TryHead(lent.memory)
	if err != nil {
		return false
	}
	offset, ok := found.Part()
	if !ok {
		return false
	}
	e := p.assemble(meta, int(found.Size()))
	if e == nil || !s.matches(e) || !p.lendable(f.Effective(), e) || !p.room.once(s, found) || !found.Hold() {
		return false
	}
	file := &sent{*found}
	e.complete(nil)
	e.message.Length, e.message.Loan = found.Size(), file
	e.message.File = flow.FilePart{File: file, Offset: offset, Length: found.Size()}
	s.entry = e
	return true
}

const (
	// recallSlots bounds what is remembered of recalls: an object in a slot, of 8 bytes each, for recallSize of memory.
	leastRecallSlots = 1 << 10
	mostRecallSlots  = 1 << 20
	recallSize       = 8 << 10
)

// recalls remembers which objects were read from the disk, while about as much is read as memory holds, and once more as much. What is
// asked for a second time within that is worth a place in memory; all else would only have others make room. Keys that meet in a slot
// forget each other.
type recalls struct {
	slots  []atomic.Uint64
	read   atomic.Int64 // bytes
	memory int64
}

func newRecalls(memory int64) *recalls {
	n := leastRecallSlots
	for n < mostRecallSlots && int64(n)*recallSize < memory {
		n *= 2
	}
	return &recalls{slots: make([]atomic.Uint64, n), memory: memory}
}

// turnBits is how much of a slot tells when its key was seen: the rest is the key's upper part, its lower part is the slot's number.
const turnBits = 10

// again notes that an object of a size is read, and tells whether it has been lately.
func (r *recalls) again(k store.Key, size int64) bool {
	const mask = 1<<turnBits - 1
	turn := uint64(r.read.Add(size) / r.memory)
	slot := &r.slots[uint64(k)&uint64(len(r.slots)-1)]
	name := uint64(k) &^ mask
	last := slot.Load()
	slot.Store(name | turn&mask)
	return last&^mask == name && (turn-last)&mask <= 1
}

// once tells whether an object on the disk is to be served from there, and not to be put into memory: where memory is full, until it is
// asked for again.
func (r *Room) once(s *spot, found *store.Found) bool {
	return r.objects.Filled() && !r.tier.recalls.again(s.key, found.Size())
}

// lendable tells whether an entry can be an answer without a place in memory.
func (p *Policy) lendable(q *flow.Request, e *entry) bool {
	return e.marker == nil && p.decide(e, q, q.Received).Outcome == httpcache.Fresh
}
