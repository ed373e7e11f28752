package conn

import (
	"fmt"
	"io"
	"sync/atomic"
	"testing"

	"github.com/seawall/seawall/internal/flow"
)

// lender lends content, and spoils what comes back.
type lender struct{ lent, returned atomic.Int32 }

func (l *lender) lend(n int) ([]byte, flow.Loan) {
	l.lent.Add(1)
	p := content(n)
	return p, loan{l, p}
}

type loan struct {
	lender *lender
	memory []byte
}

func (l loan) Return() {
	clear(l.memory)
	l.lender.returned.Add(1)
}

// What is lent comes back when it has been sent, not before, and also when its client leaves.
func TestLent(t *testing.T) {
	for _, size := range []int{10_000, 8 << 20} { // what the kernel takes at once, and what has to wait for the client
		for _, way := range ways {
			t.Run(fmt.Sprintf("%s/%d", way.name, size), func(t *testing.T) {
				var l lender
				way.run(t, options{lend: l.lend}, func(w *world) {
					w.Cleanup(func() {
						if lent, returned := l.lent.Load(), l.returned.Load(); lent != 4 || returned != 4 {
							w.Errorf("got %d lent and %d returned, want 4 each", lent, returned)
						}
					})
					c, ask := w.connect(), fmt.Sprintf("get %d\n", size)
					for range 3 {
						w.send(c, ask)
						w.wantText(c, fmt.Sprintf("%d:%s", size, content(size)))
					}
					c.Close()
					leaves := w.connect()
					w.send(leaves, ask)
					if _, err := io.ReadFull(leaves, make([]byte, 100)); err != nil {
						w.Fatal(err)
					}
					leaves.Close()
				})
			})
		}
	}
}
