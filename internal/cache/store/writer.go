package store

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

// run is the one goroutine that writes segments: it finds what there is, writes what is queued, and tries again when the tier is off.
func (d *Disk) run() {
	defer close(d.done)
	for {
		if d.State() == Loading {
			if err := d.load(); err != nil {
				d.fail(fmt.Errorf("finding what is there: %w", err))
			}
		}
		if d.work() {
			d.finish()
			return
		}
		d.abandon()
		if d.pause() {
			d.state.Store(int32(Closed))
			return
		}
		d.late = true
		if err := d.start(); err == nil {
			d.options.Log.Info("cache on the disk again", "folder", d.options.Folder)
		}
	}
}

// pause waits until it is time to try again, and reports true if the tier is closed instead.
func (d *Disk) pause() bool {
	if !d.started.IsZero() && time.Since(d.started) > mostRetry {
		d.retry = retryAfter
	}
	d.started = time.Time{}
	t := time.NewTimer(d.retry)
	defer t.Stop()
	d.retry = min(2*d.retry, mostRetry)
	select {
	case <-t.C:
		return false
	case <-d.stop:
		return true
	}
}

// work writes what is queued until the tier is off, or closed: then it reports true.
func (d *Disk) work() (closed bool) {
	for d.State() == Serving {
		select {
		case <-d.stop:
			return true
		default:
		}
		if d.sweep.Swap(false) {
			if err := d.tidy(); err != nil {
				d.fail(fmt.Errorf("removing: %w", err))
				continue
			}
		}
		if it := d.queue.pop(); it != nil {
			if err := d.write(it); err != nil {
				d.fail(fmt.Errorf("writing: %w", err))
			}
			continue
		}
		select {
		case <-d.queue.wake:
		case <-d.failed:
		case <-d.stop:
			return true
		}
	}
	return false
}

// finish writes what is queued, for a while, and makes the folder ready for the next process.
func (d *Disk) finish() {
	until := time.Now().Add(closeTime)
	for d.State() == Serving && time.Now().Before(until) {
		it := d.queue.pop()
		if it == nil {
			break
		}
		if err := d.write(it); err != nil {
			d.fail(fmt.Errorf("writing: %w", err))
		}
	}
	if d.State() == Off {
		d.abandon()
		d.state.Store(int32(Closed))
		return
	}
	err := d.sealActive()
	d.state.Store(int32(Closed)) // from here on, whatever is deleted is noted
	d.index.forget()
	d.queue.clear()
	if err = errors.Join(err, d.journal.sync()); err == nil {
		err = d.mark(true)
	}
	if err != nil {
		d.options.Log.Warn("the cache on the disk may begin empty next time", "folder", d.options.Folder, "error", err)
	}
	d.leave()
}

// leave closes all segments and gives the folder to who wants it.
func (d *Disk) leave() {
	for _, s := range *d.segments.Swap(&map[uint32]*segment{}) {
		s.release()
	}
	d.active = nil
	d.bytes.Store(0)
	if d.unlock != nil {
		d.unlock()
		d.unlock = nil
	}
}

// abandon forgets and removes everything: a tier that can't write can't note what is deleted either.
func (d *Disk) abandon() {
	d.index.forget()
	d.index.loading(false)
	d.queue.clear()
	_ = d.journal.turn(d.next) // it has failed
	if d.unlock != nil {
		_ = d.wipe() // tried again before the tier is used again
	}
	d.leave()
	select {
	case <-d.failed:
	default:
	}
}

// write writes an object, unless it has been deleted or replaced meanwhile.
func (d *Disk) write(it *item) error {
	if it.done != nil {
		defer it.done()
	}
	if it.deleted != 0 {
		if err := d.journal.write(noteKey, it.key, it.deleted); err != nil {
			return err
		}
	}
	if it.spool != nil {
		return d.keep(it)
	}
	if it.content == nil || !d.wants(it) {
		return nil
	}
	d.meta = it.content.AppendMeta(d.meta[:0])
	body := it.content.Content()
	n := total(uint32(len(d.meta)), uint32(len(body)))
	if len(d.meta) > maxMeta-placeSize || n > d.limit.Load()/4 {
		d.unqueue(it)
		return nil
	}
	d.sums = appendSums(d.sums[:0], body)
	if renewed, err := d.renew(it, body); renewed || err != nil {
		return err
	}
	if err := d.makeRoom(n); err != nil {
		return err
	}
	v := slot{key: it.key, meta: uint32(len(d.meta)), body: uint32(len(body))}
	d.buffer = appendPrefix(d.buffer[:0], it.key, it.seq, d.meta, d.sums, v.body)
	if len(body) <= BlockSize {
		d.buffer, body = append(d.buffer, body...), nil
	}
	return d.append(v, it.seq, d.buffer, body, d.publish(it))
}

// leastApart is the shortest body that is left where it is, in bytes: a shorter one costs less to write than its hits cost to read twice.
const leastApart = 16 << 10

// renew writes all of an object but its body, which is on the disk already. It reports false if that is not there, or another.
func (d *Disk) renew(it *item, body []byte) (done bool, err error) {
	if it.at.slot.segment == 0 || len(body) < leastApart {
		return false, nil
	}
	if err := d.makeRoom(int64(prefix(uint32(len(d.meta)+placeSize), uint32(len(body))))); err != nil {
		return false, err
	}
	at, same := d.bodyAt(&it.at.slot, d.sums)
	if !same {
		return false, nil
	}
	size := uint32(len(body))
	d.buffer = appendApart(d.buffer[:0], it.key, it.seq, d.meta, d.sums, size, at)
	v := slot{key: it.key, meta: uint32(len(d.meta)+placeSize) | apartIn(at.segment) | it.at.slot.meta&sound, body: size}
	return true, d.append(v, it.seq, d.buffer, nil, d.publish(it))
}

// bodyAt finds the body of an object that was at a place, if it is still there and has these sums. Only the writer gives segments up, so it stays.
func (d *Disk) bodyAt(v *slot, sums []byte) (at place, same bool) {
	s := (*d.segments.Load())[v.segment]
	if s == nil || 4*blocks(v.body) != len(sums) {
		return at, false
	}
	f := Found{disk: d, segment: s, slot: *v}
	b, err := f.readHead()
	if f.content != nil {
		f.content.release()
	}
	if err != nil || !bytes.Equal(b.sums, sums) {
		return at, false
	}
	if v.apart() {
		return b.at, true
	}
	return place{v.segment, v.offset + uint32(v.prefix())}, true
}

// publish puts what has been written into the index, unless it has been deleted or replaced meanwhile. The shard is locked.
func (d *Disk) publish(it *item) func(slot) bool {
	s := d.index.shard(it.key)
	return func(v slot) bool {
		if s.queued[it.key] != it {
			return false
		}
		delete(s.queued, it.key)
		d.index.put(s, v)
		d.written.Add(1)
		return true
	}
}

func (d *Disk) wants(it *item) bool {
	s := d.index.shard(it.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queued[it.key] == it
}

func (d *Disk) unqueue(it *item) {
	s := d.index.shard(it.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queued[it.key] == it {
		delete(s.queued, it.key)
	}
}

// append writes a record and has publish, with the key's shard locked, put it into the index. If that refuses, the record is made void:
// the note of its delete may be in an older journal, which may go sooner.
func (d *Disk) append(v slot, seq uint64, before, body []byte, publish func(slot) bool) error {
	n := int64(len(before) + len(body))
	if d.active != nil && d.active.size > 0 && d.active.size+n > d.segment {
		if err := d.sealActive(); err != nil {
			return err
		}
	}
	if d.active == nil {
		if err := d.begin(); err != nil {
			return err
		}
	}
	a := d.active
	at, err := a.append(before, body)
	if err != nil {
		return err
	}
	d.bytes.Add(n)
	v.segment, v.offset = a.number, at
	s := d.index.shard(v.key)
	s.mu.Lock()
	published := publish(v)
	s.mu.Unlock()
	if !published {
		return a.void(at)
	}
	a.written = append(a.written, entry{v.key, seq, at, v.listed(), v.body})
	return nil
}

// begin begins a segment. Its journal is in use already.
func (d *Disk) begin() error {
	f, err := d.folder.open(segmentName(d.next), true)
	if err != nil {
		return err
	}
	d.active = newSegment(d.next, f)
	d.setSegment(d.next, d.active)
	return nil
}

// sealActive ends the segment that is being written. The next one's journal is in use before it has a record.
func (d *Disk) sealActive() error {
	a := d.active
	if a == nil {
		return nil
	}
	d.active = nil
	d.next++
	before := a.size
	err := errors.Join(a.seal(), d.journal.turn(d.next))
	d.bytes.Add(a.size - before)
	return err
}
