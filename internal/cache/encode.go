package cache

import (
	"net/netip"
	"sync/atomic"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/cache/coding"
	"github.com/seawall/seawall/internal/cache/store"
	"github.com/seawall/seawall/workers"
)

// maxWishes bounds the forms that wait to be made. Past it, hits ask again.
const maxWishes = 256

// encoding makes coded forms on the workers. There, all of it is one source, which takes turns with those of others' work, and pauses
// after each step: a flood of responses to encode keeps nobody's handshake waiting for more than one step for each thread.
type encoding struct {
	room     *Room
	workers  *workers.Pool // nil where nothing is encoded
	encoders coding.Encoders
	wishes   chan wish
	runners  atomic.Int32 // that are at work or in the workers' queue
	most     int32
	streams  streams
}

// wish is a form to make. It holds no body: an entry that has been evicted when its turn comes is let go.
type wish struct {
	key    store.Key
	shared *shared
	coding httpcache.Coding
	level  coding.Level
}

// bit is the coding's in shared.
func (w *wish) bit() uint32 { return uint32(httpcache.CodingSet(0).With(w.coding)) }

// done lets the form be wished for again.
func (w *wish) done() { w.shared.underway.And(^w.bit()) }

// UseWorkers has forms made on a pool, which the caller closes, and half of its threads at most. It is called before the room is used;
// without, everything is served as it was stored.
func (r *Room) UseWorkers(p *workers.Pool) {
	r.encoding.workers = p
	r.encoding.most = int32(max(1, p.Stats().Threads/2))
	r.encoding.streams.init(r.encoding.most)
}

func (e *encoding) init(r *Room) {
	e.room, e.wishes = r, make(chan wish, maxWishes)
}

// begin has a form made, unless that is under way. It never waits.
func (e *encoding) begin(w wish) {
	if e.workers == nil || w.shared.underway.Load()&w.bit() != 0 || len(e.wishes) == maxWishes {
		return
	}
	if w.shared.underway.Or(w.bit())&w.bit() != 0 {
		return
	}
	select {
	case e.wishes <- w:
		e.start()
	default:
		w.done()
	}
}

// start has a further runner work if there may be one.
func (e *encoding) start() {
	if e.runners.Add(1) > e.most {
		e.runners.Add(-1)
		return
	}
	r := &runner{encoding: e}
	if !e.workers.Submit(netip.Prefix{}, r) {
		e.runners.Add(-1)
	}
}

// runner makes one form after another, a step for each time that it is run. It implements [workers.Job].
type runner struct {
	encoding *encoding
	wish     wish
	job      *coding.Job // nil between two forms
}

// Run implements [workers.Job].
func (r *runner) Run(*workers.Thread) {
	e := r.encoding
	if r.job == nil && !r.next() {
		e.runners.Add(-1)
		if len(e.wishes) > 0 { // it came between
			e.start()
		}
		return
	}
	if r.job.Step() {
		e.keep(&r.wish, r.job.Form())
		r.wish.done()
		r.job = nil
	}
	if !e.workers.Submit(netip.Prefix{}, r) {
		r.Shed()
	}
}

// Shed implements [workers.Job]: there is more important work. The form is begun anew when somebody wants it again.
func (r *runner) Shed() {
	if r.job != nil {
		r.job.End()
		r.wish.done()
	}
	r.encoding.runners.Add(-1)
}

// next begins the next form that is still wanted, if there is one.
func (r *runner) next() bool {
	for {
		select {
		case r.wish = <-r.encoding.wishes:
		default:
			return false
		}
		w := &r.wish
		if e, _ := r.encoding.room.objects.Get(w.key); e.wants(w) {
			r.job = r.encoding.encoders.Begin(w.coding, w.level, e.message.Body)
			return true
		}
		w.done()
	}
}

// wants tells whether a stored entry, which may be nil, is the one of a wish and has no such form.
func (e *entry) wants(w *wish) bool {
	if e == nil || e.forms == nil || e.forms.shared != w.shared {
		return false
	}
	f := e.forms.list[w.coding]
	return f == nil || f.level < w.level
}

// keep stores a form with its entry, or remembers that it is not worth it. An entry that is gone, or has made place for another body,
// stays gone.
func (e *encoding) keep(w *wish, form []byte) {
	if form == nil && w.level == coding.Fast {
		w.shared.worthless.Or(w.bit())
		return
	}
	e.room.objects.Update(w.key, func(current *entry) (*entry, bool) {
		if !current.wants(w) || form == nil {
			return nil, false
		}
		return current.withForm(w.coding, w.level, form), true
	})
}
