package cache

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/seawall/seawall/internal/cache/store"
	"github.com/seawall/seawall/internal/flow"
)

// Survival copies have a part of the disk of their own, in a folder below the cache's: neither do pages that are asked for once push out what
// caches may use, nor the other way round. What visitors really use decides which copies stay there: one that is asked for is written anew when
// it is a minute old, and one that memory keeps, because it is asked for often, moves on when its segment goes.

const (
	// copiesFolder is that folder's name.
	copiesFolder = "survive"
	// copiesShare is its part of the disk's bytes and objects, one in copiesShare, from when a zone first wants copies.
	copiesShare = 4
)

// copiesSize is how many bytes of the disk are for copies, 0 if it is too small for two parts.
func (t *tier) copiesSize() int64 {
	size := int64(t.spec.Size)
	if size < 2*store.MinSize {
		return 0
	}
	return max(size/copiesShare, store.MinSize)
}

// wantCopies begins to keep survival copies on the disk, if there is one.
func (r *Room) wantCopies() {
	t := r.tier
	t.opening.Lock()
	defer t.opening.Unlock()
	t.surviving = true
	r.openCopies()
}

// openCopies opens the copies' part of the disk if a zone wants copies, or a process before had some: they take their place either way.
// t.opening is held.
func (r *Room) openCopies() {
	t, d := r.tier, r.disk.Load()
	size := t.copiesSize()
	if d == nil || t.closed || size == 0 || r.copies.Load() != nil {
		return
	}
	folder := filepath.Join(t.spec.Path, copiesFolder)
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) && !t.surviving {
		return
	}
	objects := max(t.spec.Objects/copiesShare, 1)
	copies, err := store.Open(store.Options{
		Folder: folder, Size: size, Objects: objects, Queue: r.queueBytes(), Wanted: r.wanted, Log: t.log,
	})
	if err != nil {
		t.log.Error("survival copies in memory only", "error", err)
		return
	}
	if t.unpurged {
		copies.Clear()
	}
	d.Resize(int64(t.spec.Size)-size, max(t.spec.Objects-objects, 1))
	r.copies.Store(copies)
}

// setCopy stores a survival copy, unless its target was invalidated since it was asked for.
func (r *Room) setCopy(k store.Key, e *entry) {
	e.survival = true
	z, d := r.purgesOf(e.target.zone), r.copies.Load()
	if z.outdated(r.seed, e) {
		return
	}
	r.objects.Set(k, e)
	if d != nil && len(e.message.Body) <= int(r.tier.spec.Object) {
		d.Put(e.key(d), e, e.bytes)
	}
	if z.outdated(r.seed, e) { // by now
		r.objects.Delete(k)
		if d != nil {
			d.Delete(e.key(d))
		}
	}
}

// recallCopy reads a target's copy from the disk into memory, and waits for that. It returns nil if there is none that counts.
func (p *Policy) recallCopy(f *flow.Flow, k store.Key, t *target) *entry {
	r := p.room
	d := r.copies.Load()
	if d == nil {
		return nil
	}
	place := diskKey(d, t, 0, "")
	found, ok := d.Find(place)
	if !ok {
		return nil
	}
	defer found.Release()
	f.Task.Leave()
	r.tier.slots <- struct{}{}
	defer func() { <-r.tier.slots }()
	if !r.filling.take(found.Size()) {
		return nil
	}
	defer r.filling.add(-found.Size())
	meta, body, err := found.Read()
	if err != nil {
		return nil // it is forgotten, and counted
	}
	e, err := parseEntry(meta)
	if err != nil || !e.survival || e.target != *t {
		return nil
	}
	if !p.purges.alive(e) {
		d.Delete(place)
		return nil
	}
	e.complete(body)
	return r.installCopy(k, e, &found)
}

// installCopy puts a copy that was read into memory, unless it is out of date on the disk by now, and returns what memory has then.
func (r *Room) installCopy(k store.Key, e *entry, from *store.Found) *entry {
	sh := r.fills.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if have := r.get(k, &e.target); have != nil {
		return have
	}
	if !from.Current() {
		return nil
	}
	r.objects.Set(k, e)
	return e
}

// whyCopy tells whether there is a copy of a target.
func (p *Policy) whyCopy(s *spot, add func(step, format string, args ...any)) {
	if p.survive == 0 {
		return
	}
	if e := p.room.get(p.room.survivalKey(s.primary), &s.target); e != nil && p.purges.alive(e) {
		add("survival", "a copy of %d bytes, received %v ago, for when the origin is down", len(e.message.Body), ago(e.meta.ResponseTime))
		return
	}
	if d := p.room.copies.Load(); d != nil && d.Has(diskKey(d, &s.target, 0, "")) {
		add("survival", "a copy on the disk, for when the origin is down, unless it has been purged")
		return
	}
	add("survival", "no copy: not asked for yet without Cookie and Authorization, or the page says no-store or private, or it was purged")
}
