package packet

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/seawall/seawall/contrast"
)

// Bounds of a Detector.
const (
	maxRows  = 8192 // samples between two looks; more are left out
	tellings = 2    // samples kept of each reason, for people

	// A SYN stands for a visitor, and for as many packets of the baseline: who can't open a connection has lost them all.
	openingWeight = 4

	// What is usual is left by so much before anything is looked for.
	unusual = 2

	// Traffic that stays unusual so long, with nothing to tell it from what was before, is usual.
	settled = 10 * time.Minute

	// A signature lives for hold after it last matched busy packets in a second.
	hold = time.Minute
	busy = 100

	mostRest = time.Second // between two searches that find nothing

	saveEvery = 10 // slots of the baseline

	maxWrong = 0.0001 // of ordinary packets, that all signatures together match

	// So many samples of ordinary packets prove that hardly any of them match: 95 % surely less than one in 10,000, by half of them.
	proving = 60_000
)

// DetectorOptions say when a Detector looks for signatures, and what it does with them.
type DetectorOptions struct {
	Off     bool // only keeps samples for people
	Monitor bool // signatures count and let on

	// Floor is how many packets a second there are before anything is looked for. Fewer do no harm.
	Floor float64

	// Slot is the time of the baseline's newest part; 0: a minute. Six of them are learnt before there are signatures.
	Slot time.Duration

	// File is where what is learnt outlives the process, saved now and then; "": nowhere.
	File string

	Log *slog.Logger
}

// A Detector finds what the packets of a flood have in common that ordinary ones have not, and has an Inspector drop what looks like that. It
// learns what is ordinary from the packets that are let through while there is no flood. Its memory is some 40 MB, whatever is sent.
// Look is called by one goroutine, the other methods by any.
type Detector struct {
	inspector Inspector
	file      string
	log       *slog.Logger
	traits    []trait
	baseline  *contrast.Baseline
	finder    *contrast.Finder
	window    *contrast.Window

	values   []uint32 // of samples, row by row
	rows     []row
	ends     [Reasons]uint64 // packets, when it last looked
	looked   time.Time
	renewed  time.Time
	usual    float64       // packets a second, in the mean of the time learnt or of settled
	learning time.Duration // the time learnt, settled at the most
	slots    int           // learnt by this process
	unusual  time.Time     // since when traffic is; zero if it is not
	rest     time.Duration
	searched time.Time
	highest  float64   // rate of the last search
	told     time.Time // in the log

	mu      sync.Mutex // guards what follows
	options DetectorOptions
	live    []*living
	learnt  int // samples of ordinary packets
	recent  [Reasons][]Telling
}

// A row is a sample in values.
type row struct{ ordinary, opening bool }

// living is a signature in force.
type living struct {
	Signature
	like   contrast.Conjunction // what it was made of; nil if a process before has found it
	text   string
	bound  float64 // of the share of ordinary packets that it matches
	since  time.Time
	before Count // what it matched before the filter's counter began anew
	now    Count // that counter
}

// NewDetector returns a detector that knows nothing, but goes on with the signatures in force.
func NewDetector(i Inspector, o DetectorOptions) (*Detector, error) {
	d := &Detector{inspector: i, file: o.File, log: o.Log, options: o, traits: traits()}
	schema := schemaOf(d.traits)
	var seeds [24]byte
	_, _ = rand.Read(seeds[:]) // never fails
	var err error
	if d.baseline, err = contrast.NewBaseline(schema, contrast.Memory{Slot: o.Slot, Seed: binary.LittleEndian.Uint64(seeds[:])}); err != nil {
		return nil, err
	}
	if d.finder, err = contrast.NewFinder(schema, contrast.Options{MaxFalse: maxWrong, Seed: binary.LittleEndian.Uint64(seeds[8:])}); err != nil {
		return nil, err
	}
	d.window = contrast.NewWindow(schema, maxRows, binary.LittleEndian.Uint64(seeds[16:]))
	if err := d.load(); err != nil {
		d.log.Warn("what ordinary packets look like has to be learnt anew", "error", err)
	}
	return d, d.adopt()
}

// Configure changes what is to be done, from now on. The slot and the file stay.
func (d *Detector) Configure(o DetectorOptions) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.options
	d.options = o
	if o.Off == before.Off && o.Monitor == before.Monitor {
		return nil
	}
	if o.Off {
		d.live = nil
	}
	for _, l := range d.live {
		l.Monitor = o.Monitor
	}
	return d.set()
}

// adopt goes on with the signatures of the process before, as long as they match, if they are of the mode that is wanted now.
func (d *Detector) adopt() error {
	signatures, err := d.inspector.Signatures()
	if err != nil {
		return err
	}
	kept := signatures[:0]
	for _, s := range signatures {
		if time.Until(s.Until) > 0 && !d.options.Off && s.Monitor == d.options.Monitor {
			kept = append(kept, s)
			d.live = append(d.live, &living{Signature: s, text: describe(d.traits, s.Terms), since: time.Now()})
		}
	}
	if len(signatures) == 0 {
		return nil
	}
	return d.inspector.SetSignatures(kept)
}

// Look takes in what was sampled since the last call, learns from it or looks for signatures, and tends those in force. It is to be called
// every 25 ms or so.
func (d *Detector) Look(now time.Time) error {
	o, err := d.drain()
	if err != nil {
		return err
	}
	packets, err := d.count()
	elapsed := now.Sub(d.looked)
	first := d.looked.IsZero()
	d.looked = now
	if err != nil || first || o.Off {
		return err
	}
	if err := d.renew(now); err != nil {
		return err
	}
	if elapsed <= 0 {
		return nil
	}
	weight := float64(packets) / float64(max(len(d.rows), 1))
	rate := float64(packets) / elapsed.Seconds()
	if !d.isUnusual(now, rate, o.Floor) {
		d.learn(rate, weight, elapsed)
		return nil
	}
	return d.search(now, rate, weight, elapsed)
}

// counts reports whether packets that met this end are looked at: not those that are dropped before signatures are asked, by what is known
// of their sources, and not those that signatures drop.
func counts(r Reason) bool {
	return r != Allowed && r != Banned && r != Denied && r != BySignature && r != Malformed
}

// drain takes in the samples, and returns what is to be done with them.
func (d *Detector) drain() (DetectorOptions, error) {
	d.values, d.rows = d.values[:0], d.rows[:0]
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.options, d.inspector.Samples(func(s *Sample) {
		if s.Reason >= Reasons {
			return
		}
		d.tell(s)
		known := slices.ContainsFunc(d.live, func(l *living) bool { return l.Match(s) })
		if d.options.Off || known || !counts(s.Reason) || len(d.rows) == maxRows {
			return
		}
		d.values = valuesOf(d.traits, s, d.values)
		d.rows = append(d.rows, row{!s.Reason.Dropped(), s.isOpening()})
	})
}

// count is how many packets there were since the last call, of those that are looked at.
func (d *Detector) count() (packets uint64, err error) {
	counters, err := d.inspector.Counters()
	if err != nil {
		return 0, err
	}
	var ends [Reasons]uint64
	for _, c := range counters {
		if c.Reason < Reasons {
			ends[c.Reason] += c.Packets
		}
	}
	for r, n := range ends {
		if counts(Reason(r)) && n > d.ends[r] {
			packets += n - d.ends[r]
		}
	}
	d.ends = ends
	return packets, nil
}

// fill has the window hold the samples, each of which stands for weight packets.
func (d *Detector) fill(weight float64, wanted func(row) bool) {
	d.window.Reset()
	n := len(d.traits)
	for i, r := range d.rows {
		if !wanted(r) {
			continue
		}
		w := weight
		if r.opening {
			w *= openingWeight
		}
		d.window.Add(d.values[i*n:(i+1)*n], w)
	}
}

// isUnusual compares a rate, in packets a second, with what is usual.
func (d *Detector) isUnusual(now time.Time, rate, floor float64) bool {
	if rate < max(floor, unusual*d.usual) {
		d.unusual, d.rest, d.highest = time.Time{}, 0, 0
		return false
	}
	if d.unusual.IsZero() {
		d.unusual = now
	}
	return true
}

// search looks for what the window has that is not ordinary, the longer the more seldom.
func (d *Detector) search(now time.Time, rate, weight float64, elapsed time.Duration) error {
	if now.Sub(d.searched) < d.rest && rate < unusual*d.highest {
		return nil
	}
	d.searched, d.highest = now, rate
	d.fill(weight, func(row) bool { return true })
	found := d.safe(d.finder.Find(d.baseline.Profile(), d.window, elapsed).Found)
	if len(found) > 0 {
		d.rest = 0
		return d.enforce(now, found)
	}
	d.rest = min(max(2*d.rest, elapsed), mostRest)
	if now.Sub(d.unusual) > settled {
		d.learn(rate, weight, elapsed)
	}
	return nil
}

// safe leaves out what would match too many ordinary packets together with what is in force.
func (d *Detector) safe(found []contrast.Found) []contrast.Found {
	d.mu.Lock()
	defer d.mu.Unlock()
	var together []contrast.Conjunction
	for _, l := range d.live {
		together = append(together, l.like)
	}
	return slices.DeleteFunc(found, func(f contrast.Found) bool {
		all := append(together, f.Conjunction)
		if _, bound := d.baseline.Profile().False(all...); bound > maxWrong {
			return true
		}
		together = all
		return false
	})
}

// enforce puts signatures in force. What was learnt last may have been the flood's beginning, and is forgotten. If there is no room for all, those
// go that would end first. Who changes a flood's looks all the time has a line of the log in a second.
func (d *Detector) enforce(now time.Time, found []contrast.Found) error {
	d.baseline.Discard()
	d.mu.Lock()
	defer d.mu.Unlock()
	tell := now.Sub(d.told) >= time.Second
	for _, f := range found {
		terms := termsOf(d.traits, f.Conjunction)
		l := &living{
			Signature: Signature{Terms: terms, Monitor: d.options.Monitor, Until: now.Add(hold)},
			like:      f.Conjunction, text: describe(d.traits, terms), bound: f.FalseBound, since: now,
		}
		d.live = append(d.live, l)
		if tell {
			d.log.Warn("packets of a flood", "signature", l.text, "dropped", !l.Monitor, "share", f.Share, "wrong_at_most", f.FalseBound)
			tell, d.told = false, now
		}
	}
	if len(d.live) > MaxSignatures {
		slices.SortStableFunc(d.live, func(a, b *living) int { return b.Until.Compare(a.Until) })
		d.live = d.live[:MaxSignatures]
	}
	return d.set()
}

// set puts the signatures of live in force. It is called with mu held.
func (d *Detector) set() error {
	signatures := make([]Signature, 0, len(d.live))
	for _, l := range d.live {
		l.before.Packets, l.before.Bytes, l.now = l.before.Packets+l.now.Packets, l.before.Bytes+l.now.Bytes, Count{}
		signatures = append(signatures, l.Signature)
	}
	if err := d.inspector.SetSignatures(signatures); err != nil {
		return fmt.Errorf("dropping what looks like a flood: %w", err)
	}
	return nil
}

// renew reads once a second what signatures have matched. Those that still do live on, those whose time is over go.
func (d *Detector) renew(now time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	since := now.Sub(d.renewed)
	if since < time.Second || len(d.live) == 0 {
		return nil
	}
	d.renewed = now
	all, err := d.inspector.SignatureCounts()
	if err != nil {
		return err
	}
	changed := false
	for i, l := range d.live {
		matched := all[i].Packets - l.now.Packets
		l.now = all[i]
		if float64(matched) >= busy*since.Seconds() && l.Until.Sub(now) < hold/2 {
			l.Until, changed = now.Add(hold), true
		}
	}
	ended := func(l *living) bool { return !l.Until.After(now) }
	if changed = changed || slices.ContainsFunc(d.live, ended); !changed {
		return nil
	}
	d.live = slices.DeleteFunc(d.live, ended)
	return d.set()
}
