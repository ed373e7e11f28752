package xdp

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/cilium/ebpf"
)

// slots are the maps that slots of other maps hold, by the slots' map and their number. The kernel opens what a slot holds for nobody without
// CAP_SYS_ADMIN (BPF_MAP_GET_FD_BY_ID), which a node is not to need: so they are kept open, and pinned for the process after this one.
type slots struct {
	dir string // of their pins; "" for none

	mu   sync.Mutex
	open map[string]*ebpf.Map
}

func slotName(of string, slot uint32) string { return fmt.Sprintf("%s_%d", of, slot) }

// resume opens what a process before has left.
func (s *slots) resume(of string, n uint32) error {
	for slot := range n {
		name := slotName(of, slot)
		m, err := ebpf.LoadPinnedMap(filepath.Join(s.dir, name), nil)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("opening the map in force: %w", err)
		}
		s.open[name] = m
	}
	return nil
}

// held opens the map that a slot holds; nil if it is empty.
func (s *slots) held(of string, slot uint32) (*ebpf.Map, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[slotName(of, slot)].Clone()
}

// hold has a slot hold a map, which is not the caller's any more, and forget the one before; nil empties it. The pin comes first: were there
// none after a crash, the next process would not know the salt by which what is in force is hashed.
func (s *slots) hold(outer *ebpf.Map, of string, slot uint32, m *ebpf.Map) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := slotName(of, slot)
	err := s.pin(name, m)
	switch {
	case err != nil:
	case m != nil:
		err = outer.Put(slot, m)
	default:
		if err = outer.Delete(slot); errors.Is(err, ebpf.ErrKeyNotExist) {
			err = nil
		}
	}
	if err != nil {
		return errors.Join(fmt.Errorf("filling a slot: %w", err), m.Close())
	}
	before := s.open[name]
	s.open[name] = m
	return before.Close()
}

// pin puts a map in the place of the one before; nil in nobody's.
func (s *slots) pin(name string, m *ebpf.Map) error {
	if s.dir == "" {
		return nil
	}
	path := filepath.Join(s.dir, name)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if m == nil {
		return nil
	}
	return m.Pin(path)
}

func (s *slots) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, m := range s.open {
		errs = append(errs, m.Close())
	}
	clear(s.open)
	return errors.Join(errs...)
}

// put has the slot 0 of a map hold a new map with one value.
func (f *Filter) put(outer *ebpf.Map, of string, value any) error {
	m, err := ebpf.NewMap(f.inner[of])
	if err != nil {
		return fmt.Errorf("making a map: %w", err)
	}
	if err := m.Put(uint32(0), value); err != nil {
		return errors.Join(fmt.Errorf("writing a map: %w", err), m.Close())
	}
	return f.slots.hold(outer, of, 0, m)
}
