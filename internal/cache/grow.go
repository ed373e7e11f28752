package cache

import (
	"io"
	"time"

	"github.com/seawall/seawall/internal/cache/store"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/loop"
)

// begin makes the fill grow and releases those who wait. It returns the leader's reader, or nil if the fill was cancelled.
func (f *fill) begin(a answer, k store.Key, length int64, client *flow.Abort, task *loop.Task) *reader {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state != fetching {
		return nil
	}
	f.state, f.key = growing, k
	f.answer = a
	f.body.length, f.body.max = length, f.room.maxObject
	f.readers = make(map[*reader]struct{})
	r := f.attach(client, task)
	f.wakeAll()
	return r
}

// attach adds a reader at the body's start; f.mu is held, the state is growing.
func (f *fill) attach(client *flow.Abort, task *loop.Task) *reader {
	r := &reader{fill: f, client: client, task: task, gone: make(chan struct{}, 1), spool: f.body.spool}
	if r.spool != nil {
		r.spool.Acquire()
		f.room.filling.add(store.BlockSize)
	}
	f.readers[r] = struct{}{}
	f.interested++
	return r
}

// detach ends a reader's interest.
func (f *fill) detach(r *reader) {
	f.mu.Lock()
	if r.closed {
		f.mu.Unlock()
		return
	}
	r.closed = true
	delete(f.readers, r)
	f.passed(r.off, f.need)
	f.lose()
	if r.spool != nil {
		f.room.filling.add(-store.BlockSize)
		r.spool.Close()
	}
}

// read returns a reader's next piece, or what to wait for.
func (f *fill) read(r *reader) (piece []byte, grown <-chan struct{}, end error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.closed {
		return nil, nil, io.ErrUnexpectedEOF
	}
	f.passed(r.off, r.off+int64(r.taken))
	r.off += int64(r.taken)
	r.taken = 0
	if behind := f.body.base - r.off; r.spool != nil && behind > 0 {
		r.spooled = min(behind, store.BlockSize)
		r.taken = int(r.spooled)
		if r.off+r.spooled == f.body.have() {
			end = f.body.end
		}
		return nil, nil, end
	}
	piece, grown, end = f.body.at(r.off)
	r.taken = len(piece)
	return piece, grown, end
}

// passed notes that a reader moves between offsets, and wakes the pump if it was the last that the pump waited for; f.mu is held.
func (f *fill) passed(from, to int64) {
	if f.behind == 0 || from >= f.need || to < f.need {
		return
	}
	if f.behind--; f.behind == 0 {
		f.wakePump()
	}
}

func (f *fill) wakePump() {
	select {
	case f.space <- struct{}{}:
	default:
	}
}

// add appends a piece, waiting for the slowest reader in a window, and for the disk with a spool. It reports false if nobody wants more.
func (f *fill) add(p []byte, last bool) bool {
	spooled := f.body.spool != nil && f.body.spool.Write(p) == nil
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch f.state {
		case growing:
			if f.body.spool != nil {
				if spooled {
					f.body.base += int64(len(p))
					f.body.progress()
					return true
				}
				f.openWindow(len(p)) // who reads goes on, as far as the disk has come, and then by memory
				continue
			}
			if f.body.append(p, last) {
				return true
			}
			f.openWindow(len(p))
		case window:
			slowest := f.slowest()
			if f.body.have()-slowest < windowSize {
				f.body.slide(p, slowest)
				return true
			}
			f.awaitReaders()
		default:
			return false
		}
	}
}

// openWindow gives up storing because n more bytes do not fit; f.mu is held, and released for a while.
func (f *fill) openWindow(n int) {
	f.state = window
	if f.interested == 0 {
		f.close(over, io.ErrUnexpectedEOF)
	}
	isTooLarge := f.body.spool == nil && f.body.have()+int64(n) > f.body.max
	k := f.key
	f.mu.Unlock()
	f.room.fills.remove(f, k)
	if isTooLarge {
		f.room.fills.remember(k, time.Now(), tooLargeFor, true, tooLarge)
	}
	f.mu.Lock()
}

// slowest is how far the slowest reader has come; f.mu is held.
func (f *fill) slowest() int64 {
	off := f.body.have()
	for r := range f.readers {
		off = min(off, r.off)
	}
	return off
}

// awaitReaders waits until every reader is within a window's size of the end; f.mu is held, and released meanwhile.
func (f *fill) awaitReaders() {
	f.need = f.body.have() - windowSize + 1
	f.behind = 0
	for r := range f.readers {
		if r.off < f.need {
			f.behind++
		}
	}
	f.mu.Unlock()
	<-f.space
	f.mu.Lock()
}

// finish ends the body: with [io.EOF] and the announced length the response is whole and is stored.
func (f *fill) finish(err error) {
	f.mu.Lock()
	b := &f.body
	whole := err == io.EOF && (b.length < 0 || b.length == b.have())
	toDisk := false
	switch {
	case f.state == growing && whole:
		if toDisk = b.spool != nil && !f.barred; b.spool == nil {
			f.answer.entry.complete(b.whole())
			if !f.barred {
				f.room.set(f.key, f.answer.entry)
			}
		}
		f.close(complete, io.EOF)
	case f.state == window && whole:
		f.close(over, io.EOF)
	case f.state == growing || f.state == window:
		f.close(over, io.ErrUnexpectedEOF)
	}
	f.mu.Unlock()
	if toDisk {
		e, d := f.answer.entry, f.room.disk.Load()
		d.PutSpool(e.key(d), e, b.spool, f.settled)
		return
	}
	f.settled()
}

// settled ends the part in the table of a fill whose response is where it belongs, or nowhere. Until then, who comes reads along.
func (f *fill) settled() {
	f.mu.Lock()
	k, sp := f.key, f.body.spool
	if sp != nil {
		f.state = over
	}
	f.mu.Unlock()
	f.room.fills.remove(f, k)
	if sp != nil {
		sp.Close()
	}
}

// whole reports whether the response has arrived whole, and is in memory.
func (f *fill) whole() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state == complete && f.body.spool == nil
}

// pump takes the rest of a body from the origin.
func (f *fill) pump(b flow.Body) {
	for {
		piece, err := b.Next()
		if err != nil && err != io.EOF || !f.add(piece, err == io.EOF) || err == io.EOF {
			f.finish(err)
			b.Close()
			return
		}
	}
}

// message is a growing response for one reader.
func (f *fill) message(r *reader) *flow.Message {
	m := &f.answer.entry.message
	return &flow.Message{Status: m.Status, Fields: m.Fields, Length: f.body.length, Stream: r}
}
