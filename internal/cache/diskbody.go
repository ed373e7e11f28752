package cache

import (
	"io"

	"github.com/seawall/seawall/internal/cache/store"
	"github.com/seawall/seawall/internal/flow"
)

// diskBody is a body on its way from the disk to one client, a block at a time. It belongs to its flow, which is a goroutine.
type diskBody struct {
	room     *Room
	entry    *entry
	blocks   *store.Blocks
	buffer   []byte
	off, end int64
	closed   bool
}

// Next returns the next piece, valid until the next call. What can't be read, or is not what was written, is [io.ErrUnexpectedEOF] to the
// client.
func (b *diskBody) Next() ([]byte, error) {
	switch {
	case b.closed:
		return nil, io.ErrUnexpectedEOF
	case b.off >= b.end:
		return nil, io.EOF
	case b.buffer == nil:
		b.buffer = make([]byte, store.BlockSize)
	}
	b.room.tier.slots <- struct{}{}
	piece, err := b.blocks.Read(b.buffer, int(b.off/store.BlockSize))
	<-b.room.tier.slots
	if err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	start := b.off % store.BlockSize
	piece = piece[start:min(int64(len(piece)), start+b.end-b.off)]
	b.off += int64(len(piece))
	if b.off >= b.end {
		return piece, io.EOF
	}
	return piece, nil
}

// Part implements [flow.Parted].
func (b *diskBody) Part(start, length int64) { b.off, b.end = start, start+length }

// Trailers are not stored.
func (b *diskBody) Trailers() []flow.Field { return nil }

// Close ends the reading.
func (b *diskBody) Close() { b.drop() }

// drop gives back what the body holds; a nil body holds nothing.
func (b *diskBody) drop() {
	if b == nil || b.closed {
		return
	}
	b.closed = true
	b.blocks.Close()
	b.room.filling.add(-store.BlockSize)
}
