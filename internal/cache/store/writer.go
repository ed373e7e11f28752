package store

import (
	"errors"
	"fmt"
	"slices"
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
			d.removeEmpty()
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
	if it.deleted != 0 {
		if err := d.journal.write(noteKey, it.key, it.deleted); err != nil {
			return err
		}
	}
	if it.content == nil || !d.wants(it) {
		return nil
	}
	d.meta = it.content.AppendMeta(d.meta[:0])
	body := it.content.Content()
	if n := total(uint32(len(d.meta)), uint32(len(body))); len(d.meta) > maxMeta || n > d.limit.Load()/4 {
		d.unqueue(it)
		return nil
	} else if err := d.makeRoom(n); err != nil {
		return err
	}
	d.buffer = appendPrefix(d.buffer[:0], it.key, it.seq, d.meta, body)
	if len(body) <= BlockSize {
		d.buffer, body = append(d.buffer, body...), nil
	}
	v := slot{key: it.key, meta: uint32(len(d.meta)), body: uint32(len(it.content.Content()))}
	s := d.index.shard(it.key)
	return d.append(v, it.seq, d.buffer, body, func(v slot) bool {
		if s.queued[it.key] != it {
			return false
		}
		delete(s.queued, it.key)
		d.index.put(s, v)
		d.written.Add(1)
		return true
	})
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
	a.written = append(a.written, entry{v.key, seq, at, v.metaSize(), v.body})
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

// makeRoom gives up segments until n bytes and one more object have room.
func (d *Disk) makeRoom(n int64) error {
	for d.bytes.Load()+d.journal.bytes.Load()+n > d.limit.Load() || d.index.count.Load() >= d.objects.Load() ||
		len(*d.segments.Load()) > 2*segmentParts+int(d.options.Size/d.segment) {
		oldest := d.oldest()
		if oldest == nil {
			return nil
		}
		if err := d.giveUp(oldest); err != nil {
			return err
		}
	}
	return nil
}

func (d *Disk) oldest() (oldest *segment) {
	for _, s := range *d.segments.Load() {
		if oldest == nil || s.number < oldest.number {
			oldest = s
		}
	}
	return oldest
}

// giveUp removes a segment. Of the objects that somebody wants, as many are written again as take half of its bytes and are half of its
// number, those first that were asked for, and among these the ones without a body: others are found by way of them.
func (d *Disk) giveUp(old *segment) error {
	if old == d.active {
		if err := d.sealActive(); err != nil {
			return err
		}
	}
	places := d.index.of(old.number)
	slices.SortStableFunc(places, func(a, b slot) int { return b.rank() - a.rank() })
	room, number := d.segment/2, len(places)/2
	for i := range places {
		p := &places[i]
		if number == 0 || p.total() > room || p.meta&asked == 0 && !d.wanted(old, p) {
			continue
		}
		if err := d.rewrite(old, p); err != nil {
			return err
		}
		room -= p.total()
		number--
	}
	return d.remove(old, places)
}

// wanted asks the cache whether it wants an object.
func (d *Disk) wanted(old *segment, p *slot) bool {
	if d.options.Wanted == nil {
		return false
	}
	d.rewriter = grown(d.rewriter, prefix(p.metaSize(), p.body))
	if _, err := old.file.ReadAt(d.rewriter, int64(p.offset)); err != nil {
		return false
	}
	_, meta, err := checkPrefix(d.rewriter, p.key, p.metaSize(), p.body)
	return err == nil && d.options.Wanted(meta)
}

// rewrite writes an object of a segment that is given up once more. Its seq is new, so that it is greater than that of what it replaces,
// and less than that of whatever deletes or replaces it from now on.
func (d *Disk) rewrite(old *segment, p *slot) error {
	d.rewriter = grown(d.rewriter, int(p.total()))
	before := d.rewriter[:prefix(p.metaSize(), p.body)]
	if _, err := old.file.ReadAt(d.rewriter, int64(p.offset)); err != nil {
		return nil //nolint:nilerr // it goes with its segment
	}
	if _, _, err := checkPrefix(before, p.key, p.metaSize(), p.body); err != nil {
		return nil //nolint:nilerr // likewise
	}
	s := d.index.shard(p.key)
	s.mu.Lock()
	now := s.find(p.key)
	current := now != nil && now.same(p)
	seq := d.seq.Add(1)
	s.mu.Unlock()
	if !current {
		return nil
	}
	h, _ := parseHead(before)
	h.seq = seq
	h.put(before)
	v := slot{key: p.key, meta: p.metaSize(), body: p.body}
	return d.append(v, seq, d.rewriter, nil, func(v slot) bool {
		now := s.find(p.key)
		if now == nil || !now.same(p) {
			return false
		}
		*now = v
		return true
	})
}

// grown is a buffer of n bytes, the old one if it has them. One that has become large is not kept for what is small.
func grown(b []byte, n int) []byte {
	if cap(b) >= n && (n > 1<<20 || cap(b) <= 1<<20) {
		return b[:n]
	}
	return make([]byte, n)
}

// remove removes a segment with what is still in these places, and the journals that speak of nothing any more. The file goes first: as long
// as it is there, deletes of what is in it have to be noted.
func (d *Disk) remove(old *segment, places []slot) error {
	if err := d.folder.remove(segmentName(old.number)); err != nil {
		return err
	}
	for i := range places {
		d.index.dropSame(&places[i])
	}
	d.setSegment(old.number, nil)
	d.bytes.Add(-old.size)
	old.release()
	least := d.next
	if s := d.oldest(); s != nil {
		least = s.number
	}
	return d.removeJournals(least)
}

// removeJournals removes those below a number.
func (d *Disk) removeJournals(least uint32) error {
	names, err := d.folder.list()
	if err != nil {
		return err
	}
	for _, name := range names {
		n, ok := numberOf(name, journalEnding)
		if !ok || n >= least {
			continue
		}
		if size, err := d.sizeOf(name); err == nil {
			d.journal.bytes.Add(-size)
		}
		if err := d.folder.remove(name); err != nil {
			return err
		}
	}
	return nil
}

func (d *Disk) sizeOf(name string) (int64, error) {
	f, err := d.folder.open(name, false)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.size()
}

// removeEmpty removes the oldest segments as long as nothing is left of them.
func (d *Disk) removeEmpty() {
	for s := d.oldest(); s != nil && len(d.index.of(s.number)) == 0; s = d.oldest() {
		if err := d.giveUp(s); err != nil {
			d.fail(fmt.Errorf("removing: %w", err))
			return
		}
	}
}
