package store

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// segmentParts is into how many segments a tier is divided, as far as these stay within their bounds, in bytes.
	segmentParts = 32
	// mostSegments bounds the segments beside those that are of full size: large objects have one each, and each is an open file.
	mostSegments = 512
	leastSegment = 1 << 20
	mostSegment  = 1 << 30
	// retryAfter is how long a tier stays off that did not work: each time that it soon fails again twice as long, up to mostRetry.
	retryAfter = time.Minute
	mostRetry  = time.Hour
	// closeTime is how long a tier that is closed may go on writing.
	closeTime = 2 * time.Second
	// tolerated is how many reads may fail within strikeTime before the tier is taken for broken.
	tolerated  = 8
	strikeTime = time.Minute
)

// MinSize is the smallest disk tier, in bytes.
const MinSize = 4 * leastSegment

// Options are what a disk tier is made with.
type Options struct {
	// Folder is the tier's own; it is made if it is not there.
	Folder string
	// Size bounds the files' bytes: at least [MinSize].
	Size int64
	// Objects bounds their number. Each takes at most 64 bytes of memory.
	Objects int
	// Queue bounds the bytes of the objects that wait to be written.
	Queue int64
	// Wanted tells, by its meta, that an object that nobody asked the disk for is still worth its place. It is called by the writer.
	Wanted func(meta []byte) bool
	Log    *slog.Logger
}

// Item is an object on its way to the disk. It must not change any more.
type Item interface {
	// AppendMeta appends what is to be known of the object beside its body, at most 1 MiB.
	AppendMeta(dst []byte) []byte
	// Content is the body.
	Content() []byte
}

// State is whether a disk tier works.
type State int32

// A tier that is loading finds what it has read of its index by now. One that is off keeps nothing; it is tried again after a minute, or,
// if it fails again and again, after an hour.
const (
	Loading State = iota
	Serving
	Off
	Closed
)

// String is the state's name in logs and metrics.
func (s State) String() string { return [...]string{"loading", "serving", "off", "closed"}[s] }

// Disk is a bounded set of objects in segment files, safe for concurrent use. It fails by forgetting: an object that was put may be gone,
// but what was deleted or replaced never comes back, also after the process was killed at any moment. (After a crash of the system, the
// tier begins empty.)
type Disk struct {
	options Options
	folder  folder
	boot    string       // names the system's run; empty if that is unknown
	segment int64        // size of one, in bytes
	limit   atomic.Int64 // of bytes, with room left for a segment that is being rewritten
	objects atomic.Int64 // how many there may be

	state    atomic.Int32
	secret   atomic.Pointer[[32]byte]
	seq      atomic.Uint64
	voided   atomic.Uint64 // seq up to which everything was deleted
	index    index
	journal  journal
	queue    queue
	segments atomic.Pointer[map[uint32]*segment]
	bytes    atomic.Int64 // of segments
	spools   atomic.Int32 // large objects that are coming in
	spooling atomic.Int64 // their bytes
	sweep    atomic.Bool  // tells the writer to look for segments that nothing is left of

	hits, written, dropped, failures atomic.Uint64

	mu      sync.Mutex
	problem error // why it is off
	strikes int
	since   time.Time // of the first strike

	stop   chan struct{}
	failed chan struct{}
	done   chan struct{}
	once   sync.Once

	// What follows is the writer's.
	unlock   func()
	active   *segment // nil if the next record begins a new one
	next     uint32   // number of the active segment, or of the next
	epoch    uint64
	retry    time.Duration // how long it stays off next time
	started  time.Time     // when it was switched on, if that was since the last pause
	late     bool          // another process, or a fault, came between: what is in the folder may be out of date
	meta     []byte
	sums     []byte
	buffer   []byte
	heads    []byte
	rewriter []byte
}

// Open begins to use a folder. It finds what is there in the background and may be used at once. A folder that can't be used is no error
// here: the tier is off, says so in the log, and is tried again. What another process holds is tried again, too, and then begun anew.
func Open(o Options) (*Disk, error) { return open(o, osFolder(o.Folder), bootID()) }

func open(o Options, f folder, boot string) (*Disk, error) {
	switch {
	case o.Size < MinSize:
		return nil, fmt.Errorf("disk store: size %d is too small: want at least %d", o.Size, MinSize)
	case o.Objects <= 0 || o.Queue <= 0:
		return nil, errors.New("disk store: want room for objects, and for a queue")
	}
	d := &Disk{
		options: o, folder: f, boot: boot,
		segment: min(max(o.Size/segmentParts, leastSegment), mostSegment),
		stop:    make(chan struct{}), failed: make(chan struct{}, 1), done: make(chan struct{}),
		retry: retryAfter,
	}
	d.Resize(o.Size, o.Objects)
	d.journal.folder = f
	d.queue.init(o.Queue)
	d.segments.Store(&map[uint32]*segment{})
	d.index.forget()
	if err := d.start(); err != nil {
		d.state.Store(int32(Off))
		d.complain(err)
	}
	go d.run()
	return d, nil
}

// Resize changes the bounds, to at most those that the tier was opened with, from the next object that is written on.
func (d *Disk) Resize(size int64, objects int) {
	d.limit.Store(size - d.segment)
	d.objects.Store(int64(objects))
}

// State tells whether the tier works.
func (d *Disk) State() State { return State(d.state.Load()) }

// Key is the key of a text: a hash with a secret that stays with the folder. Nobody outside can aim at it, but two texts could share
// one.
func (d *Disk) Key(text []byte) Key {
	secret := d.secret.Load()
	if secret == nil { // the tier has never worked
		return 0
	}
	var b [512]byte
	h := sha256.Sum256(append(append(b[:0], secret[:]...), text...))
	return Key(binary.LittleEndian.Uint64(h[:]))
}

// Has tells whether there is something of a key, or will be.
func (d *Disk) Has(k Key) bool {
	s := d.index.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queued[k] != nil || s.find(k) != nil || s.dead != nil || d.State() == Closed
}

// Put has an object written, of about size bytes, in place of what the key had, or drops it if too much waits to be written. It does not
// wait. Who replaces an object calls Delete first: otherwise a crash within the next moments may bring the old one back.
func (d *Disk) Put(k Key, it Item, size int64) { d.Renew(k, it, size, Place{}) }

// Place is where an object was when it was deleted. The zero value is nowhere.
type Place struct{ slot slot }

// Renew is Put of an object that has the body of one that was just deleted under the same key: only what is new of it is written, if the body is
// long and still where it was.
func (d *Disk) Renew(k Key, it Item, size int64, at Place) {
	d.put(&item{key: k, content: it, size: size, at: at})
}

// put queues an item, and reports false if it is dropped.
func (d *Disk) put(q *item) bool {
	s := d.index.shard(q.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if state := d.State(); state != Serving && state != Loading {
		return false
	}
	if _, found := d.take(s, q.key); found {
		q.deleted = d.seq.Add(1)
	}
	q.seq = d.seq.Add(1)
	if !d.queue.push(q) {
		d.dropped.Add(1)
		return false
	}
	s.queued[q.key] = q
	return true
}

// take forgets a key, and tells where it was and whether something of it may be on the disk. The shard is locked.
func (d *Disk) take(s *indexShard, k Key) (was Place, found bool) {
	if v := s.find(k); v != nil {
		was.slot = *v
		found = d.index.drop(s, k)
	}
	if s.queued[k] != nil {
		delete(s.queued, k)
		found = true
	}
	if s.dead != nil {
		s.dead[k] = d.seq.Load() + 1
		found = true
	}
	return was, found
}

// Delete forgets a key, for good. It waits for the note of that to be written, if there is something to forget, and tells where that was.
func (d *Disk) Delete(k Key) Place {
	s := d.index.shard(k)
	s.mu.Lock()
	state := d.State()
	was, found := d.take(s, k)
	seq := d.seq.Add(1)
	if s.dead != nil {
		s.dead[k] = seq
	}
	s.mu.Unlock()
	if (found || state == Closed) && state != Off { // a closed tier's next process has the folder, and may have the object
		d.note(noteKey, k, seq)
	}
	return was
}

// lose deletes what can't be read, unless its key has moved: it must not be found again by the next process either.
func (d *Disk) lose(v *slot) {
	s := d.index.shard(v.key)
	s.mu.Lock()
	now := s.find(v.key)
	lost := now != nil && now.same(v) && d.index.drop(s, v.key)
	seq := d.seq.Add(1)
	s.mu.Unlock()
	if lost && d.State() != Off {
		d.note(noteKey, v.key, seq)
	}
}

// Clear forgets everything, likewise.
func (d *Disk) Clear() {
	seq := d.seq.Add(1)
	d.voided.Store(seq)
	d.index.forget()
	if d.State() != Off {
		d.note(noteAll, 0, seq)
	}
	d.sweep.Store(true)
	d.queue.signal()
}

// note writes to the journal; a tier that can't is off, and its files are removed.
func (d *Disk) note(what uint32, k Key, seq uint64) {
	if err := d.journal.write(what, k, seq); err != nil {
		d.fail(fmt.Errorf("noting what is deleted: %w", err))
	}
}

// fail switches the tier off.
func (d *Disk) fail(err error) {
	for {
		s := d.state.Load()
		if State(s) != Loading && State(s) != Serving {
			return
		}
		if d.state.CompareAndSwap(s, int32(Off)) {
			break
		}
	}
	d.failures.Add(1)
	d.complain(err)
	select {
	case d.failed <- struct{}{}:
	default:
	}
}

func (d *Disk) complain(err error) {
	d.mu.Lock()
	d.problem = err
	d.mu.Unlock()
	d.options.Log.Error("cache in memory only: the disk does not serve it", "folder", d.options.Folder, "error", err)
}

// strike counts a read that failed.
func (d *Disk) strike(err error) {
	now := time.Now()
	d.mu.Lock()
	if now.Sub(d.since) > strikeTime {
		d.since, d.strikes = now, 0
	}
	d.strikes++
	broken := d.strikes > tolerated
	d.mu.Unlock()
	if broken {
		d.fail(fmt.Errorf("reading, for the %dth time within %v: %w", tolerated+1, strikeTime, err))
	}
}

// Close ends the use of the folder; another process may have it then. What waits to be written is written as far as that takes no longer
// than 2 s. Delete goes on noting what is deleted, for the sake of who has the folder next.
func (d *Disk) Close() {
	d.once.Do(func() { close(d.stop) })
	<-d.done
}

// DiskStats is what a disk tier holds and has done.
type DiskStats struct {
	State State
	// Problem says why it is off, or is empty.
	Problem string
	// Objects counts those that can be found, Bytes those of all files.
	Objects int
	Bytes   int64
	// Hits counts objects read, Written those written, Dropped those that came too fast to be written, Failures how often the tier
	// went off.
	Hits, Written, Dropped, Failures uint64
}

// Stats tells what the tier holds now.
func (d *Disk) Stats() DiskStats {
	s := DiskStats{
		State: d.State(), Objects: int(d.index.count.Load()), Bytes: d.bytes.Load() + d.journal.bytes.Load(),
		Hits: d.hits.Load(), Written: d.written.Load(), Dropped: d.dropped.Load(), Failures: d.failures.Load(),
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.State == Off && d.problem != nil {
		s.Problem = d.problem.Error()
	}
	return s
}

// setSegment adds a segment, or removes it if s is nil.
func (d *Disk) setSegment(number uint32, s *segment) {
	all := maps.Clone(*d.segments.Load())
	if s == nil {
		delete(all, number)
	} else {
		all[number] = s
	}
	d.segments.Store(&all)
}
