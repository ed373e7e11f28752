package store

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
)

// spoolEnding is that of a file with a body that is still coming in.
const spoolEnding = ".part"

// A Spool is a large body on its way to the disk, which can be read as far as it has come. It has a file of its own; once it is whole, that becomes a
// segment by a new name, in one step, with the record's head behind the body. What a process that was killed leaves is removed by the next.
type Spool struct {
	disk *Disk
	name string
	file file
	size int64
	refs atomic.Int32
	// kept tells that the file is a segment now, or that the writer sees to it.
	kept atomic.Bool
	// What follows is the one's who writes.
	sums    []byte
	block   uint32 // the checksum of the last block, as far as it has come
	written int64
	err     error // why nothing more can be written
}

// mostSpools bounds those at one time. Together they have a quarter of the tier's bytes.
const mostSpools = 64

// Spool begins to take a body of size bytes, of which Close is called at last. It returns nil if there is no room for it.
func (d *Disk) Spool(size int64) *Spool {
	most := d.limit.Load() / 4
	if d.State() != Serving || size <= 0 || size > min(most, mostSpooled) {
		return nil
	}
	n, bytes := d.spools.Add(1), d.spooling.Add(size)
	if n > mostSpools || bytes > most {
		d.unspool(size)
		return nil
	}
	name := fmt.Sprintf("%016x%s", d.seq.Add(1), spoolEnding)
	f, err := d.folder.open(name, true)
	if err != nil {
		d.unspool(size)
		d.fail(fmt.Errorf("beginning a large object: %w", err))
		return nil
	}
	s := &Spool{disk: d, name: name, file: f, size: size}
	s.refs.Store(1)
	d.sweep.Store(true) // makes room
	d.queue.signal()
	return s
}

// mostSpooled is the longest body: what comes behind it has its place in 32 bits, too.
const mostSpooled = 1<<32 - 1 - 2*maxMeta

// unspool gives back what a spool has taken.
func (d *Disk) unspool(size int64) {
	d.spools.Add(-1)
	d.spooling.Add(-size)
}

// Write appends to the body. It waits for the disk. After an error, nothing more can be written, but what was before it can be read.
func (s *Spool) Write(p []byte) error {
	switch {
	case s.err != nil:
		return s.err
	case s.written+int64(len(p)) > s.size:
		s.err = fmt.Errorf("more than %d bytes", s.size)
		return s.err
	}
	if _, s.err = s.file.WriteAt(p, s.written); s.err != nil {
		s.disk.fail(fmt.Errorf("writing a large object: %w", s.err))
		return s.err
	}
	for len(p) > 0 {
		n := min(len(p), BlockSize-int(s.written%BlockSize))
		s.block = update(s.block, p[:n])
		p, s.written = p[n:], s.written+int64(n)
		if s.written%BlockSize == 0 || s.written == s.size {
			s.sums = appendSum(s.sums, s.block)
			s.block = 0
		}
	}
	return nil
}

// ReadAt reads what has been written. It waits for the disk.
func (s *Spool) ReadAt(p []byte, off int64) error {
	_, err := s.file.ReadAt(p, off)
	return err
}

// Acquire is for one more who reads.
func (s *Spool) Acquire() { s.refs.Add(1) }

// Close ends the use of a spool by one who wrote or read. After the last, a body that was not put is gone.
func (s *Spool) Close() {
	if s.refs.Add(-1) > 0 {
		return
	}
	s.file.Close()
	if !s.kept.Load() {
		s.remove()
	}
}

func (s *Spool) remove() {
	s.disk.unspool(s.size)
	_ = s.disk.folder.remove(s.name) // or the next process does
}

// PutSpool is Put of an object whose body is in a spool, and whole. done is called when it can be found, or is given up.
func (d *Disk) PutSpool(k Key, it Item, s *Spool, done func()) {
	s.kept.Store(true)
	q := &item{key: k, content: it, spool: s, done: done}
	if !d.put(q) {
		q.drop()
	}
}

// drop ends an item that is not written.
func (it *item) drop() {
	if it.spool != nil {
		it.spool.remove()
		it.done()
	}
}

// keep makes a segment of a spool, unless its object has been deleted or replaced. Only the writer calls it.
func (d *Disk) keep(it *item) error {
	if err := d.sealActive(); err != nil {
		return err
	}
	// From here on, a delete is noted in the journal that has the segment's number, and so stays as long as that.
	sp, meta := it.spool, it.content.AppendMeta(nil)
	if !d.wants(it) || len(meta) > maxMeta-placeSize || sp.written != sp.size {
		d.unqueue(it)
		sp.remove()
		return nil
	}
	seg, v, err := d.segmentOf(it, meta)
	if errors.Is(err, fs.ErrNotExist) { // it went with all else when the tier was off
		d.unqueue(it)
		sp.remove()
		return nil
	}
	d.unspool(sp.size)
	if err != nil {
		return err
	}
	d.setSegment(seg.number, seg)
	d.bytes.Add(seg.size)
	s := d.index.shard(it.key)
	s.mu.Lock()
	published := d.publish(it)(v)
	s.mu.Unlock()
	d.next++
	if err := d.journal.turn(d.next); err != nil {
		return err
	}
	if !published {
		return d.giveUp(seg)
	}
	return d.makeRoom(0)
}

// segmentOf writes what comes behind a spool's body, and gives the file its name.
func (d *Disk) segmentOf(it *item, meta []byte) (seg *segment, v slot, err error) {
	f, err := d.folder.open(it.spool.name, false)
	if err != nil {
		return nil, v, err
	}
	seg = newSegment(d.next, f)
	if v, err = seg.finish(it, meta); err == nil {
		err = d.folder.rename(it.spool.name, segmentName(seg.number))
	}
	if err != nil {
		f.Close()
	}
	return seg, v, err
}

// finish writes all that comes behind the body in a segment of one object.
func (s *segment) finish(it *item, meta []byte) (slot, error) {
	sp := it.spool
	v := slot{
		key: it.key, segment: s.number, offset: uint32(sp.size), meta: uint32(len(meta)+placeSize) | apartIn(s.number), body: uint32(sp.size),
	}
	s.size = sp.size
	if _, err := s.append(appendApart(nil, it.key, it.seq, meta, sp.sums, v.body, place{s.number, 0}), nil); err != nil {
		return v, err
	}
	s.written = []entry{{v.key, it.seq, v.offset, v.listed(), v.body}}
	return v, s.seal()
}

// removeSpools removes what a process before was writing when it ended.
func (d *Disk) removeSpools() error {
	names, err := d.folder.list()
	for _, name := range names {
		if strings.HasSuffix(name, spoolEnding) && err == nil {
			err = d.folder.remove(name)
		}
	}
	return err
}
