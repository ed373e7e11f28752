package store

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// opened is what is noted of the folder's use.
type opened struct {
	Format int `json:"format"`
	// Epoch counts the times it was opened. It is the upper part of each seq.
	Epoch uint64 `json:"epoch"`
	// Boot is the run of the system in which it was; Clean tells that it was closed since. What was not closed before the system crashed
	// may lack notes of what was deleted.
	Boot  string `json:"boot"`
	Clean bool   `json:"clean"`
}

// Format 2 has records whose body is apart.
const (
	format      = 2
	firstFormat = 1
	epochBits   = 40
)

// bootID names this run of the system (random(4)); it is empty if that is unknown.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

// start takes the folder and gets ready to load what is in it.
func (d *Disk) start() (err error) {
	if d.unlock, err = d.folder.lock(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			d.leave()
		}
	}()
	usable, err := d.open()
	if err != nil {
		return err
	}
	if !usable || d.late {
		if err := d.wipe(); err != nil {
			return err
		}
	}
	d.late, d.started = false, time.Now()
	d.index.loading(true)
	d.state.Store(int32(Loading))
	return nil
}

// open reads what is noted of the folder and notes this use of it. What is in it may not be used if it is not known to be up to date.
func (d *Disk) open() (usable bool, err error) {
	secret, err := d.folder.load(secretFile)
	if err != nil || len(secret) != 32 {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		secret = make([]byte, 32)
		rand.Read(secret)
		if err := d.wipe(); err != nil {
			return false, err
		}
		if err := d.folder.save(secretFile, secret); err != nil {
			return false, err
		}
	} else {
		usable = true
	}
	d.secret.Store((*[32]byte)(secret))
	var o opened
	text, err := d.folder.load(openedFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err != nil || json.Unmarshal(text, &o) != nil || o.Format < firstFormat || o.Format > format || !o.Clean && (o.Boot == "" || o.Boot != d.boot) {
		usable = false
	}
	d.epoch = o.Epoch + 1
	d.seq.Store(max(d.seq.Load(), d.epoch<<epochBits))
	if err := errors.Join(d.mark(false), d.removeSpools()); err != nil {
		return false, err
	}
	return usable, d.number()
}

// mark notes the use of the folder.
func (d *Disk) mark(clean bool) error {
	text, err := json.Marshal(opened{Format: format, Epoch: d.epoch, Boot: d.boot, Clean: clean})
	if err != nil {
		return err
	}
	return d.folder.save(openedFile, append(text, '\n'))
}

// number finds the first free number for segments and journals.
func (d *Disk) number() error {
	names, err := d.folder.list()
	if err != nil {
		return err
	}
	for _, name := range names {
		for _, ending := range [...]string{segmentEnding, journalEnding} {
			if n, ok := numberOf(name, ending); ok {
				d.next = max(d.next, n)
			}
		}
	}
	d.next++
	return d.journal.turn(d.next)
}

// wipe removes all segments, then all journals.
func (d *Disk) wipe() error {
	names, err := d.folder.list()
	for _, ending := range [...]string{segmentEnding, journalEnding} {
		for _, name := range names {
			if _, ok := numberOf(name, ending); ok {
				err = errors.Join(err, d.folder.remove(name))
			}
		}
	}
	d.journal.bytes.Store(0)
	return err
}

// load finds what there is, the newest first: of two records of a key the first that is found counts, unless a note says that it was
// deleted.
func (d *Disk) load() error {
	names, err := d.folder.list()
	if err != nil {
		return err
	}
	var numbers []uint32
	for _, name := range names {
		if n, ok := numberOf(name, segmentEnding); ok {
			numbers = append(numbers, n)
		}
		if n, ok := numberOf(name, journalEnding); ok && n < d.next {
			if err := d.loadJournal(name); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	slices.Sort(numbers)
	slices.Reverse(numbers)
	var there [hints]bool
	for _, n := range numbers {
		there[n%hints] = true
	}
	for _, n := range numbers {
		if err := d.loadSegment(n, &there); err != nil {
			return fmt.Errorf("%s: %w", segmentName(n), err)
		}
		if d.State() != Loading {
			return nil
		}
	}
	d.index.loading(false)
	d.state.CompareAndSwap(int32(Loading), int32(Serving))
	return d.makeRoom(0)
}

func (d *Disk) loadJournal(name string) error {
	text, err := d.folder.load(name)
	if err != nil {
		return err
	}
	d.journal.bytes.Add(int64(len(text)))
	return parseNotes(text, func(what uint32, k Key, seq uint64) {
		if what == noteAll {
			d.voidUpTo(seq)
			return
		}
		s := d.index.shard(k)
		s.mu.Lock()
		if s.dead != nil {
			s.dead[k] = max(s.dead[k], seq)
		}
		s.mu.Unlock()
	})
}

func (d *Disk) voidUpTo(seq uint64) {
	for {
		old := d.voided.Load()
		if old >= seq || d.voided.CompareAndSwap(old, seq) {
			return
		}
	}
}

// loadSegment takes a segment's records into the index, the last first. One without a list is given one. There are segments with these hints.
func (d *Disk) loadSegment(number uint32, there *[hints]bool) error {
	f, err := d.folder.open(segmentName(number), false)
	if err != nil {
		return err
	}
	size, err := f.size()
	if err != nil {
		f.Close()
		return err
	}
	s := newSegment(number, f)
	s.size = size
	list, sealed := readList(f, size)
	if !sealed {
		list, s.size = scan(f, size)
		s.written = list
		if err := errors.Join(f.Truncate(s.size), s.seal()); err != nil {
			f.Close()
			return err
		}
	}
	d.bytes.Add(s.size)
	d.setSegment(number, s)
	for _, e := range slices.Backward(list) {
		v := slot{key: e.key, segment: number, offset: e.offset, meta: e.meta, body: e.body}
		if v.apart() && !there[v.hint()] {
			continue // its body has been given up, and no other segment will ever have that number
		}
		if err := d.admit(v, e.seq); err != nil {
			return err
		}
	}
	return nil
}

// admit takes a record that was found into the index, unless there is a newer one, or it was deleted. One that has no room there is
// deleted: else nobody would note when it is out of date.
func (d *Disk) admit(v slot, seq uint64) error {
	s := d.index.shard(v.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case seq <= d.voided.Load() || seq <= s.dead[v.key] || s.find(v.key) != nil:
		return nil
	case d.index.count.Load() >= d.objects.Load():
		s.dead[v.key] = seq
		return d.journal.write(noteKey, v.key, seq)
	}
	v.meta = v.listed()
	d.index.put(s, v)
	return nil
}
