package conn

import (
	"fmt"
	"io"
	"os"
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

// filed is a file with content.
type filed struct {
	*os.File
	lender *lender
	cached bool
}

func (f *filed) FD() int                  { return int(f.Fd()) }
func (f *filed) Cached(int64, int64) bool { return f.cached }
func (f *filed) Return()                  { f.lender.returned.Add(1) }

// newFiled makes a file of some bytes, then n of content, and after it others.
func newFiled(t *testing.T, l *lender, n int) *filed {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.WriteString("before" + string(content(n)) + "behind"); err != nil {
		t.Fatal(err)
	}
	return &filed{File: f, lender: l}
}

// What is lent comes back when it has been sent, not before, and also when its client leaves: memory, and files where connections send them.
func TestLent(t *testing.T) {
	for _, size := range []int{10_000, 8 << 20} { // what the kernel takes at once, and what has to wait for the client
		for _, way := range ways {
			for _, cached := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/%d/%t", way.name, size, cached), func(t *testing.T) {
					var l lender
					var sent atomic.Int32
					file := newFiled(t, &l, size)
					file.cached = cached
					way.run(t, options{lend: l.lend, file: func(n int) (flow.FilePart, flow.Loan) {
						l.lent.Add(1)
						sent.Add(1)
						return flow.FilePart{File: file, Offset: int64(len("before")), Length: int64(n)}, file
					}}, func(w *world) {
						w.Cleanup(func() {
							if lent, returned := l.lent.Load(), l.returned.Load(); lent != 4 || returned != 4 {
								w.Errorf("got %d lent and %d returned, want 4 each", lent, returned)
							}
							if n := sent.Load(); (n > 0) != (way.name == "loop") {
								w.Errorf("got %d files sent", n)
							}
						})
						lentTo(w, size)
					})
				})
			}
		}
	}
}

// lentTo is three answers to a client who reads them, and one to a client who leaves.
func lentTo(w *world, size int) {
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
}
