package cache

import (
	"container/list"
	"io"
	"sync"

	"github.com/seawall/seawall/internal/cache/store"
	"github.com/seawall/seawall/internal/flow"
)

// state is how far a fill has come. It only goes forward, in this order but for what it leaves out.
type state uint8

const (
	fetching state = iota // one flow leads, the others wait for the head
	growing               // the head is known and the body arrives; anyone may read along
	window                // too large to be stored: those who read go on, nobody joins
	complete              // answer is whole, and stored unless an invalidation came between
	refused               // not for others: waiters fetch on their own
	over                  // cancelled, broken, or nobody was left to lead; waiters try anew
)

// fill is one fetch that several flows may wait for and read.
type fill struct {
	room *Room
	// abort is what admission and the origin watch in place of the leader's own: it fires when nobody is interested any more.
	abort flow.Abort
	// space wakes a pump that waits for its slowest reader.
	space chan struct{}

	mu    sync.Mutex
	state state
	// key is where the table has it, and where the response will be stored.
	key store.Key
	// waiting are the *waiter that wait for the head, longest first.
	waiting list.List
	// interested counts the leader, the waiting and the reading, while their clients are there.
	interested int

	// answer is known from the head on.
	answer answer
	// barred forbids storing: what is fetched may be older than an invalidation.
	barred bool

	body    body
	readers map[*reader]struct{}
	// A pump that waits needs the readers below offset need, which are behind in number, to get there.
	need   int64
	behind int
}

// answer is a response, the names of the fields that vary it, and what serving it is called.
type answer struct {
	entry  *entry
	vary   []string
	status flow.CacheStatus
}

// newFill makes a fill with its leader as the first who is interested.
func (r *Room) newFill(k store.Key) *fill {
	return &fill{room: r, key: k, interested: 1, space: make(chan struct{}, 1), body: body{filling: &r.filling}}
}

// live reports whether others may still gain from the fill.
func (f *fill) live() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state <= growing
}

// unstorable says why a response that has just come should not be stored, or "".
func (f *fill) unstorable() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.state != fetching:
		return "the client is gone"
	case f.barred:
		return "the stored response was invalidated meanwhile"
	}
	return ""
}

// waiter is a flow that waits for a head.
type waiter struct {
	wake    chan struct{}
	place   *list.Element // nil when it waits no longer
	leads   bool          // it has been made the leader
	aborted bool          // its client is gone
	fill    *fill
}

// enlist adds a waiter; f.mu is held, the state is fetching.
func (f *fill) enlist() *waiter {
	w := &waiter{wake: make(chan struct{}, 1), fill: f}
	w.place = f.waiting.PushBack(w)
	f.interested++
	return w
}

// Interrupt implements [flow.Interrupter].
func (w *waiter) Interrupt() {
	w.fill.mu.Lock()
	w.aborted = true
	w.fill.mu.Unlock()
	w.signal()
}

func (w *waiter) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// unlist ends a waiter's waiting, not its interest; f.mu is held.
func (f *fill) unlist(w *waiter) {
	if w.place != nil {
		f.waiting.Remove(w.place)
		w.place = nil
	}
}

// wakeAll ends everybody's waiting; f.mu is held.
func (f *fill) wakeAll() {
	for f.waiting.Len() > 0 {
		w := f.waiting.Front().Value.(*waiter)
		f.unlist(w)
		w.signal()
	}
}

// lead is a flow's part as the leader of a fill.
type lead struct {
	fill   *fill
	client *flow.Abort
	// spot is where the response belongs, with the stale one that is there, if any.
	spot  spot
	begun int64 // when the fetch began, by Room.tick
	left  bool  // its interest has ended; guarded by the fill's mutex
}

// Interrupt implements [flow.Interrupter]: the leader's client is gone.
func (l *lead) Interrupt() { l.leave() }

// leave ends the leader's interest.
func (l *lead) leave() {
	l.fill.mu.Lock()
	if l.left {
		l.fill.mu.Unlock()
		return
	}
	l.left = true
	l.fill.lose()
}

// lose ends one interest. Without any left, the fetch is cancelled, unless half of a body that will be stored has come. It is
// called with f.mu held and gives it back.
func (f *fill) lose() {
	f.interested--
	unwanted := f.interested == 0 && f.state != complete && f.state != over && !f.worthwhile()
	if unwanted {
		f.close(over, io.ErrUnexpectedEOF)
	}
	k := f.key
	f.mu.Unlock()
	if unwanted {
		f.room.fills.remove(f, k)
		f.abort.Fire()
	}
}

// worthwhile reports whether the fetch should go on for the store's sake alone; f.mu is held.
func (f *fill) worthwhile() bool {
	return f.state == growing && !f.barred && f.body.length > 0 && f.body.have()*2 >= f.body.length
}

// close ends the fill; f.mu is held.
func (f *fill) close(s state, end error) {
	f.state = s
	f.body.finish(end)
	f.wakeAll()
	f.wakePump()
}

// settle gives those who wait a complete answer. If it is to be kept, it is stored under the key k.
func (f *fill) settle(a answer, keep bool, k store.Key) {
	f.mu.Lock()
	if keep && !f.barred {
		f.room.set(k, a.entry)
	}
	if f.state == fetching {
		f.answer = a
		f.close(complete, io.EOF)
	}
	k = f.key
	f.mu.Unlock()
	f.room.fills.remove(f, k)
}

// refuse sends those who wait to fetch on their own.
func (f *fill) refuse() {
	f.mu.Lock()
	if f.state == fetching {
		f.close(refused, io.ErrUnexpectedEOF)
	}
	k := f.key
	f.mu.Unlock()
	f.room.fills.remove(f, k)
}

// handOver makes the one that has waited longest the leader in place of l, or ends the fill if nobody waits.
func (f *fill) handOver(l *lead) {
	f.mu.Lock()
	if f.state != fetching {
		f.mu.Unlock()
		return
	}
	if next := f.waiting.Front(); next != nil {
		w := next.Value.(*waiter)
		f.unlist(w)
		w.leads = true
		w.signal()
	} else {
		f.close(over, io.ErrUnexpectedEOF)
	}
	over, k := f.state == over, f.key
	f.mu.Unlock()
	if over {
		f.room.fills.remove(f, k)
	}
	l.leave()
}
