package xdp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cilium/ebpf"

	"github.com/seawall/seawall/internal/packet"
)

// How bans lie in memory: see bpf/ban.h.
const (
	banBuckets   = 1 << 15
	banSlots     = 8
	slotBytes    = 32
	untilAt      = 24 // in a slot
	bucketBytes  = banSlots * slotBytes
	markWords    = 1 << 15
	wordBytes    = 8
	sweepBuckets = 512 // looked at in one call, some 50 µs
)

// A slot is a ban and its end, in the program's time.
type slot struct {
	prefix128
	until uint64
}

// bans are those in the kernel's memory, written in place. They have a lock of their own, which nobody holds for long, so that a ban waits
// for nothing else that is being changed. During an upgrade two processes write: one may then take back the mark of a ban that the other
// enters at that moment, and the next sweep sets it again.
type bans struct {
	mu    sync.Mutex
	slots *ebpf.Memory
	marks *ebpf.Memory

	next  uint32            // bucket that the sweep comes to
	fresh [markWords]uint64 // marks of the bans that it has met, and of those entered since it began
}

func openBans(slots, marks *ebpf.Map) (*bans, error) {
	t := &bans{}
	var err error
	if t.slots, err = slots.Memory(); err == nil {
		t.marks, err = marks.Memory()
	}
	if err != nil {
		return nil, fmt.Errorf("reaching the bans in force: %w", err)
	}
	return t, nil
}

// close lets go of the memory; what is called afterwards fails.
func (t *bans) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.slots, t.marks = &ebpf.Memory{}, &ebpf.Memory{}
}

// buckets are the two that it may lie in.
func (b banned) buckets() [2]uint32 {
	return [2]uint32{uint32(b.hash>>24) % banBuckets, uint32(b.hash>>44) % banBuckets}
}

// mark is where the program learns that it must look: all of a /24, or an IPv6 /48, has one bit.
func (b banned) mark() (word uint32, bit uint64) {
	return uint32(b.network>>20&0xfff | b.network>>40&0x7000), 1 << (b.network >> 58)
}

// enter writes a ban. The prefix is written first and its end afterwards: a packet that comes in between finds nothing.
func (t *bans) enter(b banned, until uint64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, there, err := t.place(b, now())
	switch {
	case err != nil:
		return err
	case at < 0:
		return packet.ErrFull
	case !there:
		err = t.write(at, b.hi, b.lo, uint64(b.bits), 0)
	}
	word, bit := b.mark()
	t.fresh[word] |= bit
	return errors.Join(err, t.write(at+untilAt, until), t.change(word, bit, 0))
}

// end ends a ban, if it is there.
func (t *bans) end(b banned) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, there, err := t.place(b, now())
	if err != nil || !there {
		return err
	}
	return t.write(at+untilAt, 0)
}

// place is where a ban lies in slots; or else the free slot for it, in the emptier of its buckets; or else negative.
func (t *bans) place(b banned, now uint64) (at int64, there bool, err error) {
	at = -1
	best := 0
	for _, bucket := range b.buckets() {
		var slots [banSlots]slot
		if err := t.read(bucket, slots[:]); err != nil {
			return 0, false, err
		}
		free := 0
		var last int64
		for i, s := range slots {
			here := int64(bucket)*bucketBytes + int64(i)*slotBytes
			if s.prefix128 == b.prefix128 {
				return here, true, nil
			}
			if s.until <= now {
				free, last = free+1, here
			}
		}
		if free > best {
			best, at = free, last
		}
	}
	return at, false, nil
}

// find returns when a ban ends: 0, if it is not there.
func (t *bans) find(b banned) (until uint64, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, bucket := range b.buckets() {
		var slots [banSlots]slot
		if err := t.read(bucket, slots[:]); err != nil {
			return 0, err
		}
		for _, s := range slots {
			if s.prefix128 == b.prefix128 {
				until = max(until, s.until)
			}
		}
	}
	return until, nil
}

// read reads the slots from a bucket's first on.
func (t *bans) read(bucket uint32, slots []slot) error {
	var b [bucketBytes]byte
	for i := range slots {
		if i%banSlots == 0 {
			if _, err := t.slots.ReadAt(b[:], int64(bucket)*bucketBytes+int64(i)*slotBytes); err != nil {
				return fmt.Errorf("reading bans: %w", err)
			}
		}
		w := b[i%banSlots*slotBytes:]
		slots[i] = slot{
			prefix128{
				address{binary.LittleEndian.Uint64(w), binary.LittleEndian.Uint64(w[8:])}, int(binary.LittleEndian.Uint64(w[16:])),
			},
			binary.LittleEndian.Uint64(w[untilAt:]),
		}
	}
	return nil
}

// write writes numbers, each at once.
func (t *bans) write(at int64, numbers ...uint64) error {
	var b [wordBytes]byte
	for i, n := range numbers {
		binary.LittleEndian.PutUint64(b[:], n)
		if _, err := t.slots.WriteAt(b[:], at+int64(i)*wordBytes); err != nil {
			return fmt.Errorf("writing a ban: %w", err)
		}
	}
	return nil
}

// change sets and takes back marks in a word.
func (t *bans) change(word uint32, set, unset uint64) error {
	var b [wordBytes]byte
	at := int64(word) * wordBytes
	if _, err := t.marks.ReadAt(b[:], at); err != nil {
		return fmt.Errorf("reading the bans' marks: %w", err)
	}
	before := binary.LittleEndian.Uint64(b[:])
	after := before&^unset | set
	if after == before {
		return nil
	}
	binary.LittleEndian.PutUint64(b[:], after)
	if _, err := t.marks.WriteAt(b[:], at); err != nil {
		return fmt.Errorf("marking a ban: %w", err)
	}
	return nil
}

// live are the bans in force of some buckets.
func (t *bans) live(first, buckets uint32) ([]slot, error) {
	slots := make([]slot, buckets*banSlots)
	t.mu.Lock()
	err := t.read(first, slots)
	t.mu.Unlock()
	n := now()
	return slices.DeleteFunc(slots, func(s slot) bool { return s.until <= n }), err
}

// sweep forgets the marks of bans that are over. Each call looks at some buckets, and the one that comes to the last takes marks back.
func (f *Filter) sweep() error {
	t := f.bans
	slots, err := t.live(t.next, sweepBuckets)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range slots {
		word, bit := f.bannedAs(s.address, s.bits).mark()
		t.fresh[word] |= bit
	}
	if t.next = (t.next + sweepBuckets) % banBuckets; t.next != 0 {
		return nil
	}
	for word, marks := range t.fresh {
		if err := t.change(uint32(word), marks, ^marks); err != nil {
			return err
		}
	}
	t.fresh = [markWords]uint64{}
	return nil
}
