package store

import (
	"errors"
	"io"
)

// Found is a place on the disk where an object is. It is to be released.
type Found struct {
	disk    *Disk
	segment *segment
	slot    slot
}

// Find looks for a key. It does not wait, and does not allocate.
func (d *Disk) Find(k Key) (f Found, ok bool) {
	if state := d.State(); state != Serving && state != Loading {
		return f, false
	}
	s := d.index.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.find(k)
	if v == nil {
		return f, false
	}
	seg := (*d.segments.Load())[v.segment]
	if seg == nil || !seg.acquire() {
		return f, false
	}
	v.meta |= asked
	return Found{disk: d, segment: seg, slot: *v}, true
}

// Acquire is for a copy that is to be released, too; it reports false if the place is gone.
func (f *Found) Acquire() bool { return f.segment.acquire() }

// Release ends the use of the place.
func (f *Found) Release() { f.segment.release() }

// Size is how long the body is.
func (f *Found) Size() int64 { return int64(f.slot.body) }

// Current tells whether the object is still what its key has.
func (f *Found) Current() bool {
	s := f.disk.index.shard(f.slot.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.find(f.slot.key)
	return v != nil && v.same(&f.slot)
}

// Length is how long the object is with all that is known of it.
func (f *Found) Length() int { return int(f.slot.total()) }

// Try reads the object from the page cache into p, which has room for its Length; meta and body are parts of p then. It does not wait: where
// it would have to, or what is read is wrong, the error is [ErrWouldWait]. A body is verified the first time: what the page cache has of it
// later is that, or was read by the system itself.
func (f *Found) Try(p []byte) (meta, body []byte, err error) {
	p = p[:f.Length()]
	if f.segment.file.tryReadAt(p, int64(f.slot.offset)) != nil {
		return nil, nil, ErrWouldWait
	}
	head, body := f.split(p)
	sums, meta, err := checkPrefix(head, f.slot.key, f.slot.metaSize(), f.slot.body)
	if err == nil && f.slot.meta&sound == 0 {
		if err = checkBody(sums, body, 0); err == nil {
			f.disk.index.trust(&f.slot)
		}
	}
	if err != nil {
		return nil, nil, ErrWouldWait // forgetting what is broken would wait, too
	}
	f.disk.hits.Add(1)
	return meta, body, nil
}

// HeadLength is how much of Length comes before the body.
func (f *Found) HeadLength() int { return prefix(f.slot.metaSize(), f.slot.body) }

// TryHead is Try for all but the body, which is sent from where it is: see Part. It needs HeadLength.
func (f *Found) TryHead(p []byte) (meta []byte, err error) {
	p = p[:f.HeadLength()]
	if f.segment.file.tryReadAt(p, int64(f.slot.offset)) != nil {
		return nil, ErrWouldWait
	}
	if _, meta, err = checkPrefix(p, f.slot.key, f.slot.metaSize(), f.slot.body); err != nil {
		return nil, ErrWouldWait
	}
	return meta, nil
}

// Hold is an Acquire for a body that is sent from where it is, which is a hit.
func (f *Found) Hold() bool {
	if !f.Acquire() {
		return false
	}
	f.disk.hits.Add(1)
	return true
}

// Part is where in its file the body is. ok is false if it has never been verified, or the page cache does not have all of it.
func (f *Found) Part() (offset int64, ok bool) {
	offset = int64(f.slot.offset) + int64(f.HeadLength())
	return offset, f.slot.meta&sound != 0 && f.Cached(offset, f.Size())
}

// FD is the descriptor of the file, until Release.
func (f *Found) FD() int { return f.segment.file.descriptor() }

// Cached tells whether the page cache has a part of the file. To find out takes no waiting.
func (f *Found) Cached(offset, length int64) bool { return f.segment.file.cached(offset, length) }

func (f *Found) split(p []byte) (head, body []byte) {
	n := prefix(f.slot.metaSize(), f.slot.body)
	return p[:n:n], p[n:]
}

// Read reads the object, waits for it, and verifies it each time. An error makes the object forgotten; it is [ErrCorrupt] if something else
// was read than was written.
func (f *Found) Read() (meta, body []byte, err error) {
	head := make([]byte, prefix(f.slot.metaSize(), f.slot.body))
	body = make([]byte, f.slot.body)
	if meta, err = f.read(head, body); err != nil {
		return nil, nil, f.judge(err)
	}
	f.disk.hits.Add(1)
	return meta, body, nil
}

func (f *Found) read(head, body []byte) (meta []byte, err error) {
	if _, err := f.segment.file.ReadAt(head, int64(f.slot.offset)); err != nil {
		return nil, err
	}
	if _, err := f.segment.file.ReadAt(body, int64(f.slot.offset)+int64(len(head))); err != nil {
		return nil, err
	}
	sums, meta, err := checkPrefix(head, f.slot.key, f.slot.metaSize(), f.slot.body)
	if err != nil {
		return nil, err
	}
	return meta, checkBody(sums, body, 0)
}

// judge forgets an object that can't be read.
func (f *Found) judge(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, io.EOF) {
		err = ErrCorrupt
	}
	f.disk.lose(&f.slot)
	f.disk.strike(err)
	return err
}

// Blocks reads a body in pieces.
type Blocks struct {
	found   Found
	sums    []byte
	counted bool // as a hit
}

// ReadMeta reads what is known of the object beside its body, which can be read in pieces then, until Release. It waits.
func (f *Found) ReadMeta() (meta []byte, b *Blocks, err error) {
	head := make([]byte, prefix(f.slot.metaSize(), f.slot.body))
	if _, err := f.segment.file.ReadAt(head, int64(f.slot.offset)); err != nil {
		return nil, nil, f.judge(err)
	}
	sums, meta, err := checkPrefix(head, f.slot.key, f.slot.metaSize(), f.slot.body)
	if err != nil {
		return nil, nil, f.judge(err)
	}
	return meta, &Blocks{found: *f, sums: sums}, nil
}

// Size is how long the body is.
func (b *Blocks) Size() int64 { return b.found.Size() }

// Read reads the block number i, of [BlockSize] bytes unless it is the last, into p, which has room for that. It waits.
func (b *Blocks) Read(p []byte, i int) ([]byte, error) {
	v := &b.found.slot
	at := int64(i) * BlockSize
	p = p[:min(BlockSize, int64(v.body)-at)]
	if _, err := b.found.segment.file.ReadAt(p, int64(v.offset)+int64(prefix(v.metaSize(), v.body))+at); err != nil {
		return nil, b.found.judge(err)
	}
	if err := checkBody(b.sums, p, i); err != nil {
		return nil, b.found.judge(err)
	}
	if !b.counted {
		b.counted = true
		b.found.disk.hits.Add(1)
	}
	return p, nil
}

// Close ends the reading.
func (b *Blocks) Close() { b.found.Release() }
