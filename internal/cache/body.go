package cache

import (
	"io"
	"slices"

	"github.com/seawall/seawall/internal/cache/store"
)

// firstStep is the least that is allocated for a body that comes in pieces.
const firstStep = 4 << 10

// body is the bytes of a fill as they arrive. What has been appended is never overwritten, so that readers may use it without
// the lock. All methods are called with the fill's mutex held.
type body struct {
	filling *budget
	length  int64 // as announced, -1 if unknown
	max     int64 // beyond which nothing is stored
	base    int64 // offset of data[0]; more than 0 only in a window, or with a spool
	data    []byte
	// spool has what comes before base of a body that goes to the disk alone, nil for others.
	spool *store.Spool
	// reserved is what is counted in filling.
	reserved int64
	// end is why nothing more will come: io.EOF or io.ErrUnexpectedEOF; nil while more may come.
	end error
	// grown is closed when there is more, or the end; nil while nobody waits for that.
	grown chan struct{}
}

// have is how much has arrived.
func (b *body) have() int64 { return b.base + int64(len(b.data)) }

// append adds a piece and reports false if it does not fit: the body is too large, or memory for fills is used up. Memory is
// taken in steps as data arrives, so that an announced length alone takes none. last tells that nothing will follow.
func (b *body) append(p []byte, last bool) bool {
	need := int64(len(b.data) + len(p))
	if need > b.max {
		return false
	}
	if need > int64(cap(b.data)) && !b.grow(need, last) {
		return false
	}
	b.data = append(b.data, p...)
	b.progress()
	return true
}

// grow makes room for need bytes, and for more if more is to be expected.
func (b *body) grow(need int64, last bool) bool {
	size := need
	if !last {
		size = max(need, 2*int64(cap(b.data)), firstStep)
		if b.length >= need {
			size = min(size, b.length)
		}
		size = min(size, b.max)
	}
	if !b.filling.take(size - b.reserved) {
		return false
	}
	b.reserved = size
	data := make([]byte, len(b.data), size)
	copy(data, b.data)
	b.data = data
	return true
}

// slide adds a piece to a window and forgets what lies before the offset keep, once that is half of what is there. The old
// bytes stay as they are for whoever reads them still.
func (b *body) slide(p []byte, keep int64) {
	if done := int(keep - b.base); done > len(b.data)/2 {
		data := make([]byte, 0, len(b.data)-done+len(p))
		b.data = append(data, b.data[done:]...)
		b.base = keep
	}
	b.data = append(b.data, p...)
	b.filling.add(int64(cap(b.data)) - b.reserved)
	b.reserved = int64(cap(b.data))
	b.progress()
}

// whole returns the body for the store, without much spare room.
func (b *body) whole() []byte {
	if spare := cap(b.data) - len(b.data); spare > len(b.data)/8 {
		return append(make([]byte, 0, len(b.data)), b.data...)
	}
	return b.data
}

// finish says that nothing more will come.
func (b *body) finish(end error) {
	if b.end == nil {
		b.end = end
	}
	b.filling.add(-b.reserved)
	b.reserved = 0
	b.progress()
}

// progress wakes those who wait for more.
func (b *body) progress() {
	if b.grown != nil {
		close(b.grown)
		b.grown = nil
	}
}

// at returns what there is at an offset, up to pieceSize, with the end if it comes directly after. If there is nothing yet, it
// returns what to wait for.
func (b *body) at(off int64) (piece []byte, grown <-chan struct{}, end error) {
	rest := b.data[off-b.base:]
	switch {
	case len(rest) > pieceSize:
		return rest[:pieceSize:pieceSize], nil, nil
	case len(rest) > 0 && b.end == io.EOF:
		return slices.Clip(rest), nil, io.EOF
	case len(rest) > 0:
		return slices.Clip(rest), nil, nil
	case b.end != nil:
		return nil, nil, b.end
	}
	if b.grown == nil {
		b.grown = make(chan struct{})
	}
	return nil, b.grown, nil
}
