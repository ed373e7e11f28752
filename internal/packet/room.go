package packet

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/seawall/seawall/internal/spec"
)

// Pins is the folder on bpffs through which the process of a node finds what the one before left. Several nodes may be on one machine, each
// with a data folder of its own.
func Pins(data string) string {
	if abs, err := filepath.Abs(data); err == nil {
		data = abs
	}
	hash := sha256.Sum256([]byte(data))
	return fmt.Sprintf("/sys/fs/bpf/seawall/%x", hash[:8])
}

const (
	lookEvery   = 25 * time.Millisecond
	tendEvery   = 100 * time.Millisecond
	followEvery = 50 // times tended
	banQueue    = 4096
)

// Room is a node's packet filter. Its methods may be called by several goroutines, and do nothing while there is none.
type Room struct {
	// Spared, unless nil, are the prefixes that nothing refuses for now. It is set before Open.
	Spared func() []netip.Prefix

	// Learnt, unless empty, is the file in which what is learnt of packets outlives the process. It is set before Open.
	Learnt string

	log     *slog.Logger
	pins    string
	backend Backend
	bans    chan Ban
	stop    context.CancelFunc
	done    sync.WaitGroup

	reload sync.Mutex // one at a time

	mu      sync.Mutex // guards what follows, which changes little
	filter  Filter
	found   *Detector // nil if the filter shows no packets
	spec    spec.Packets
	deny    []netip.Prefix
	wanted  []netip.AddrPort // to be served
	serving []netip.AddrPort // the same, with the machine's addresses for all of them
	allowed []netip.Prefix   // as they are in force
	filled  bool             // deny and allowed are in force, and not what a process before has left
	at      []Attachment     // where packets were filtered at the last look
}

// New returns a room without a filter, which will keep what outlives it in pins.
func New(pins string, backend Backend, log *slog.Logger) *Room {
	return &Room{log: log, pins: pins, backend: backend, bans: make(chan Ban, banQueue)}
}

// Open filters what comes in at the interfaces that the node names, for the addresses and ports that it serves, or takes over what filters
// already. Without interfaces it ends what a process before has left.
func (r *Room) Open(s *spec.Node, serving []netip.AddrPort) error {
	if len(s.Packets.Interfaces) == 0 {
		return r.endBefore()
	}
	f, err := r.backend.Open(&s.Packets, r.pins)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.filter, r.wanted, r.at = f, serving, f.Attached()
	r.mu.Unlock()
	if err := errors.Join(r.inspect(s), r.Configure(s)); err != nil {
		return errors.Join(err, r.Close())
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	if d := r.detector(); d != nil {
		r.done.Go(func() { r.look(ctx, d) })
	}
	r.done.Go(func() { r.enforce(ctx) })
	r.done.Go(func() { r.tend(ctx) })
	for _, a := range f.Attached() {
		r.log.Info("filtering packets", "interface", a.Interface, "mode", a.Mode)
	}
	return nil
}

// endBefore ends what a process before has left behind, if there is anything. It may have left no pins, but a table.
func (r *Room) endBefore() error {
	err := r.backend.Detach(r.pins)
	if _, missing := os.Stat(r.pins); missing != nil && errors.Is(err, os.ErrPermission) {
		return nil // most nodes have no rights here, and never had
	}
	return err
}

// inspect has the filter's packets looked at, if it shows any.
func (r *Room) inspect(s *spec.Node) error {
	inspector, ok := r.filter.(Inspector)
	if !ok {
		return nil
	}
	o := detectorOptions(&s.Packets)
	o.File, o.Log = r.Learnt, r.log
	d, err := NewDetector(inspector, o)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.found = d
	return err
}

// look has the detector look.
func (r *Room) look(ctx context.Context, d *Detector) {
	every := time.NewTicker(lookEvery)
	defer every.Stop()
	for failed := false; ; {
		select {
		case <-ctx.Done():
			return
		case now := <-every.C:
			err := d.Look(now)
			if err != nil && !failed {
				r.log.Error("packets can't be looked at", "error", err)
			}
			failed = err != nil
		}
	}
}

// Configure puts in force what a reload can change: who is denied or allowed, the ceilings, and what becomes of signatures.
func (r *Room) Configure(s *spec.Node) error {
	r.reload.Lock()
	defer r.reload.Unlock()
	f := r.opened()
	if f == nil {
		return nil
	}
	same, err := r.configure(s)
	if err != nil || same {
		return err
	}
	if err := f.Replace(s.Deny); err != nil { // a second for a million, in which the filter is tended
		return fmt.Errorf("node.deny: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deny, r.filled = s.Deny, true
	return nil
}

// configure puts all in force but who is denied, and reports whether that is who was before.
func (r *Room) configure(s *spec.Node) (same bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spec = s.Packets
	if err := r.setPolicy(expand(r.wanted, addresses())); err != nil {
		return false, fmt.Errorf("node.packets: %w", err)
	}
	if err := r.allow(); err != nil {
		return false, fmt.Errorf("node.packets.allow: %w", err)
	}
	if r.found != nil {
		if err := r.found.Configure(detectorOptions(&s.Packets)); err != nil {
			return false, fmt.Errorf("node.packets.signatures: %w", err)
		}
	}
	return r.filled && slices.Equal(r.deny, s.Deny), nil
}

// setPolicy puts the node's ceilings in force for these listeners. It is called with mu held.
func (r *Room) setPolicy(serving []netip.AddrPort) error {
	p, err := policy(&r.spec, serving)
	if err == nil {
		err = r.filter.SetPolicy(p)
	}
	if err == nil {
		r.serving = serving
	}
	return err
}

// follow has the filter judge packets for the addresses that the machine has now. It is called with mu held.
func (r *Room) follow() error {
	serving := expand(r.wanted, addresses())
	if slices.Equal(serving, r.serving) {
		return nil
	}
	return r.setPolicy(serving)
}

// watch tells where packets are filtered no more, or again. It is called with mu held.
func (r *Room) watch() {
	now := r.filter.Attached()
	for _, a := range now {
		if !slices.Contains(r.at, a) {
			r.log.Info("filtering packets again", "interface", a.Interface, "mode", a.Mode)
		}
	}
	for _, a := range r.at {
		if !slices.Contains(now, a) {
			r.log.Error("packets are not filtered any more: the interface is gone, or somebody has detached the filter", "interface", a.Interface)
		}
	}
	r.at = now
}

// allow lets those through whom the node names, and those who are spared for now. It is called with mu held.
func (r *Room) allow() error {
	allowed := slices.Clone(r.spec.Allow)
	if r.Spared != nil {
		allowed = append(allowed, r.Spared()...)
	}
	if r.filled && slices.Equal(allowed, r.allowed) {
		return nil
	}
	if err := r.filter.SetAllow(allowed); err != nil {
		return err
	}
	r.allowed = allowed
	return nil
}

// Ban refuses a source's packets until a time. It does not wait; the filter has it some milliseconds later.
func (r *Room) Ban(source netip.Prefix, until time.Time) {
	select {
	case r.bans <- Ban{source, until}:
	default: // conn goes on refusing it
	}
}

// enforce enters bans, all that are waiting at one time.
func (r *Room) enforce(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case b := <-r.bans:
			if err := r.filter.BanAll(r.waiting(b)); err != nil && !errors.Is(err, ErrFull) { // conn goes on refusing it
				r.log.Error("a ban does not reach the packet filter", "error", err)
			}
		}
	}
}

// waiting is a ban and those behind it in the queue.
func (r *Room) waiting(first Ban) []Ban {
	bans := []Ban{first}
	for range banQueue {
		select {
		case b := <-r.bans:
			bans = append(bans, b)
		default:
			return bans
		}
	}
	return bans
}

// tend has the filter do what wants to be done regularly.
func (r *Room) tend(ctx context.Context) {
	every := time.NewTicker(tendEvery)
	defer every.Stop()
	for n, failed := 1, false; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		r.mu.Lock()
		err := errors.Join(r.filter.Tend(), r.allow())
		if n%followEvery == 0 {
			err = errors.Join(err, r.follow())
			r.watch()
		}
		r.mu.Unlock()
		if err != nil && !failed {
			r.log.Error("the packet filter can't be tended", "error", err)
		}
		failed = err != nil
	}
}

// Unban lets the sources of a prefix send again, and returns how many were banned.
func (r *Room) Unban(p netip.Prefix) (lifted int) {
	f := r.opened()
	if f == nil {
		return 0
	}
	for banned := range f.Bans() {
		if !banned.Overlaps(p) {
			continue
		}
		if err := f.Unban(banned); err != nil {
			r.log.Error("a ban can't be lifted", "error", err)
			continue
		}
		lifted++
	}
	return lifted
}

func (r *Room) detector() *Detector {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.found
}

func (r *Room) opened() Filter {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.filter
}

// Close lets go of the filter, which goes on as it is.
func (r *Room) Close() error {
	if r.stop != nil {
		r.stop()
		r.done.Wait()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.filter
	if f == nil {
		return nil
	}
	var saved error
	if r.found != nil {
		saved = r.found.Save()
	}
	r.filter, r.found, r.filled = nil, nil, false
	return errors.Join(saved, f.Close())
}
