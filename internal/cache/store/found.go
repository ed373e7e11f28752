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
	// content is the segment of a body that is apart, and at where it begins there, once the head has been read.
	content *segment
	at      int64
}

// errGivenUp tells that the segment of a body that is apart was given up since the object was found.
var errGivenUp = errors.New("its body has been given up")

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
func (f *Found) Acquire() bool {
	if !f.segment.acquire() {
		return false
	}
	if f.content != nil && !f.content.acquire() {
		f.segment.release()
		return false
	}
	return true
}

// Release ends the use of the place.
func (f *Found) Release() {
	f.segment.release()
	if f.content != nil {
		f.content.release()
	}
}

// check verifies what comes before the body, and finds that.
func (f *Found) check(head []byte) (before, error) {
	b, err := checkPrefix(head, &f.slot)
	if err != nil || !f.slot.apart() || f.content != nil {
		return b, err
	}
	s := (*f.disk.segments.Load())[b.at.segment]
	if s == nil || !s.acquire() {
		return b, errGivenUp
	}
	f.content, f.at = s, int64(b.at.offset)
	return b, nil
}

// body is the file that has the body, and where it begins there. That of a body that is apart is known once the head is.
func (f *Found) body() (in file, at int64) {
	if f.content != nil {
		return f.content.file, f.at
	}
	return f.segment.file, int64(f.slot.offset) + int64(f.slot.prefix())
}

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
func (f *Found) Length() int { return f.slot.prefix() + int(f.slot.body) }

// Try reads the object from the page cache into p, which has room for its Length; meta and body are parts of p then. It does not wait: where
// it would have to, or what is read is wrong, the error is [ErrWouldWait]. A body is verified the first time: what the page cache has of it
// later is that, or was read by the system itself.
func (f *Found) Try(p []byte) (meta, body []byte, err error) {
	n := f.HeadLength()
	head, body := p[:n:n], p[n:f.Length()]
	together := p[:f.Length()]
	if f.slot.apart() {
		together = head
	}
	if f.segment.file.tryReadAt(together, int64(f.slot.offset)) != nil {
		return nil, nil, ErrWouldWait
	}
	b, err := f.check(head)
	if err != nil {
		return nil, nil, ErrWouldWait // forgetting what is broken would wait, too
	}
	if f.content != nil && f.content.file.tryReadAt(body, f.at) != nil {
		return nil, nil, ErrWouldWait
	}
	if f.slot.meta&sound == 0 {
		if checkBody(b.sums, body, 0) != nil {
			return nil, nil, ErrWouldWait
		}
		f.disk.index.trust(&f.slot)
	}
	f.disk.hits.Add(1)
	return b.meta, body, nil
}

// HeadLength is how much of Length comes before the body.
func (f *Found) HeadLength() int { return f.slot.prefix() }

// TryHead is Try for all but the body, which is sent from where it is: see Part. It needs HeadLength.
func (f *Found) TryHead(p []byte) (meta []byte, err error) {
	p = p[:f.HeadLength()]
	if f.segment.file.tryReadAt(p, int64(f.slot.offset)) != nil {
		return nil, ErrWouldWait
	}
	b, err := f.check(p)
	if err != nil {
		return nil, ErrWouldWait
	}
	return b.meta, nil
}

// Hold is an Acquire for a body that is sent from where it is, which is a hit.
func (f *Found) Hold() bool {
	if !f.Acquire() {
		return false
	}
	f.disk.hits.Add(1)
	return true
}

// Sound tells whether the body has been verified where it is.
func (f *Found) Sound() bool { return f.slot.meta&sound != 0 }

// Part is where in its file the body is, after TryHead. ok is false if it has never been verified, or the page cache does not have all of it.
func (f *Found) Part() (offset int64, ok bool) {
	_, offset = f.body()
	return offset, f.Sound() && f.Cached(offset, f.Size())
}

// FD is the descriptor of the body's file, until Release.
func (f *Found) FD() int {
	in, _ := f.body()
	return in.descriptor()
}

// Cached tells whether the page cache has a part of the body's file. To find out takes no waiting.
func (f *Found) Cached(offset, length int64) bool {
	in, _ := f.body()
	return in.cached(offset, length)
}

// Read reads the object, waits for it, and verifies it each time. An error makes the object forgotten; it is [ErrCorrupt] if something else
// was read than was written.
func (f *Found) Read() (meta, body []byte, err error) {
	b, err := f.readHead()
	if err != nil {
		return nil, nil, f.judge(err)
	}
	body = make([]byte, f.slot.body)
	in, at := f.body()
	if _, err = in.ReadAt(body, at); err == nil {
		err = checkBody(b.sums, body, 0)
	}
	if err != nil {
		return nil, nil, f.judge(err)
	}
	f.disk.hits.Add(1)
	return b.meta, body, nil
}

func (f *Found) readHead() (b before, err error) {
	head := make([]byte, f.HeadLength())
	if _, err := f.segment.file.ReadAt(head, int64(f.slot.offset)); err != nil {
		return b, err
	}
	return f.check(head)
}

// judge forgets an object that can't be read. That its body has gone is no fault of the disk's.
func (f *Found) judge(err error) error {
	if errors.Is(err, io.EOF) {
		err = ErrCorrupt
	}
	f.disk.lose(&f.slot)
	if !errors.Is(err, errGivenUp) {
		f.disk.strike(err)
	}
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
	head, err := f.readHead()
	if err != nil {
		return nil, nil, f.judge(err)
	}
	return head.meta, &Blocks{found: *f, sums: head.sums}, nil
}

// Size is how long the body is.
func (b *Blocks) Size() int64 { return b.found.Size() }

// Read reads the block number i, of [BlockSize] bytes unless it is the last, into p, which has room for that. It waits.
func (b *Blocks) Read(p []byte, i int) ([]byte, error) {
	in, begin := b.found.body()
	at := int64(i) * BlockSize
	p = p[:min(BlockSize, b.Size()-at)]
	if _, err := in.ReadAt(p, begin+at); err != nil {
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
