package conn

import (
	"sync"
	"time"

	"github.com/seawall/seawall/internal/flow"
)

const (
	inputSize  = 16 << 10
	outputKept = 160 << 10 // twice what HTTP/2 fills in a turn; a larger output buffer is left to the collector
)

// work is what a connection needs while something goes on: its input (in[used:] is unused) and its output.
type work struct {
	in   []byte
	used int
	out  flow.Output

	turns int       // of the session, since the connection's own began
	since time.Time // when it did
	dry   bool      // the session has had all that was read, when others had their turn
}

// begin begins the connection's turn.
func (w *work) begin(now time.Time) { w.turns, w.since, w.dry = 0, now, false }

// discard uses up n bytes of the input.
func (w *work) discard(n int) {
	if w.used += n; w.used == len(w.in) {
		w.in, w.used = w.in[:0], 0
	}
}

// space is room for more input: made by moving what is unused to the front, then by growing up to limit. Empty at the limit.
func (w *work) space(limit int) []byte {
	if len(w.in) == cap(w.in) && w.used > 0 {
		w.in = w.in[:copy(w.in, w.in[w.used:])]
		w.used = 0
	}
	if len(w.in) == cap(w.in) && cap(w.in) < limit {
		grown := make([]byte, len(w.in), limit)
		copy(grown, w.in)
		w.in = grown
	}
	return w.in[len(w.in):cap(w.in)]
}

// buffers keeps work for connections that become busy. limit is the largest input buffer: a whole head and a little more.
type buffers struct {
	pool  *sync.Pool
	limit int
}

func newBuffers(headSize int) buffers {
	return buffers{
		pool:  &sync.Pool{New: func() any { return &work{in: make([]byte, 0, inputSize)} }},
		limit: headSize + inputSize,
	}
}

func (b *buffers) get() *work { return b.pool.Get().(*work) }

func (b *buffers) put(w *work) {
	w.out.Reset()
	if cap(w.in) > inputSize {
		return
	}
	if cap(w.out.Head) > outputKept {
		w.out.Head = nil
	}
	w.in, w.used = w.in[:0], 0
	b.pool.Put(w)
}
