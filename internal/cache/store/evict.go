package store

import (
	"slices"
)

// makeRoom gives up segments until n bytes and one more object have room.
func (d *Disk) makeRoom(n int64) error {
	for d.bytes.Load()+d.journal.bytes.Load()+d.spooling.Load()+n > d.limit.Load() || d.index.count.Load() >= d.objects.Load() ||
		len(*d.segments.Load()) > mostSegments+int(d.options.Size/d.segment) {
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
// number, or as many bytes as may wait to be written, those first that were asked for, and among these the ones without a body: others are found by
// way of them. Objects that have but their
// body here are among them, and come together again.
func (d *Disk) giveUp(old *segment) error {
	if old == d.active {
		if err := d.sealActive(); err != nil {
			return err
		}
	}
	places := d.index.of(old.number)
	if d.next-old.number >= hints { // another segment could be meant
		places = slices.DeleteFunc(places, func(p slot) bool { return p.segment != old.number && !d.bodyIn(&p, old) })
	}
	slices.SortStableFunc(places, func(a, b slot) int { return b.rank() - a.rank() })
	room, number := min(d.segment/2, d.options.Queue), len(places)/2
	for i := range places {
		p := &places[i]
		size := total(p.metaSize(), p.body)
		if number == 0 || size > room || p.meta&asked == 0 && !d.wanted(p) {
			continue
		}
		if err := d.rewrite(p); err != nil {
			return err
		}
		room -= size
		number--
	}
	return d.remove(old, places)
}

// bodyIn tells whether the body of an object, which is apart, is in a segment.
func (d *Disk) bodyIn(p *slot, s *segment) bool {
	b, err := d.headOf(p)
	return err == nil && b.at.segment == s.number
}

// headOf reads what comes before an object's body.
func (d *Disk) headOf(p *slot) (b before, err error) {
	s := (*d.segments.Load())[p.segment]
	if s == nil {
		return b, errGivenUp
	}
	d.heads = grown(d.heads, p.prefix())
	if _, err := s.file.ReadAt(d.heads, int64(p.offset)); err != nil {
		return b, err
	}
	return checkPrefix(d.heads, p)
}

// wanted asks the cache whether it wants an object.
func (d *Disk) wanted(p *slot) bool {
	if d.options.Wanted == nil {
		return false
	}
	b, err := d.headOf(p)
	return err == nil && d.options.Wanted(b.meta)
}

// rewrite writes an object of which a segment is given up once more, as a whole. Its seq is new, so that it is greater than that of what it
// replaces, and less than that of whatever deletes or replaces it from now on.
func (d *Disk) rewrite(p *slot) error {
	b, err := d.headOf(p)
	if err != nil {
		return nil //nolint:nilerr // it goes with its segment
	}
	from := place{p.segment, p.offset + uint32(p.prefix())}
	if p.apart() {
		from = b.at
	}
	in := (*d.segments.Load())[from.segment]
	if in == nil {
		return nil
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
	v := slot{key: p.key, meta: uint32(len(b.meta)), body: p.body}
	d.rewriter = grown(d.rewriter, int(total(v.meta, v.body)))
	written := appendPrefix(d.rewriter[:0], p.key, seq, b.meta, b.sums, p.body)
	if _, err := in.file.ReadAt(d.rewriter[len(written):], int64(from.offset)); err != nil {
		return nil //nolint:nilerr // likewise
	}
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

// tidy removes the oldest segments as long as nothing is left of them, and then as many as make room for what is coming in.
func (d *Disk) tidy() error {
	for s := d.oldest(); s != nil && len(d.index.of(s.number)) == 0; s = d.oldest() {
		if err := d.giveUp(s); err != nil {
			return err
		}
	}
	return d.makeRoom(0)
}
