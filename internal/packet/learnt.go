package packet

import (
	"bufio"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// learnt is what a detector saves before its baseline.
type learnt struct {
	Usual    float64       // packets a second
	Learning time.Duration // in which that was learnt
}

// Learnt is how much of what it has to know of ordinary packets it knows, 0 to 1. Before that it finds nothing.
func (d *Detector) Learnt() float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return min(float64(d.learnt)/proving, 1)
}

// isFlooded reports whether there are signatures in force.
func (d *Detector) isFlooded() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.live) > 0
}

// learn takes what was let through for ordinary, unless a flood goes on.
func (d *Detector) learn(rate, weight float64, elapsed time.Duration) {
	if d.isFlooded() {
		return
	}
	d.learning = min(d.learning+elapsed, settled)
	d.usual += (rate - d.usual) * min(float64(elapsed)/float64(d.learning), 1)
	d.fill(weight, func(r row) bool { return r.ordinary })
	if !d.baseline.Learn(d.window, elapsed) {
		return
	}
	d.known() // compiled now, while there is time
	if d.slots++; d.slots%saveEvery == 0 {
		if err := d.Save(); err != nil {
			d.log.Error("what is learnt of packets can't be kept", "error", err)
		}
	}
}

// Save keeps what is learnt in the file, if there is one. It is called by whoever calls Look, or after that.
func (d *Detector) Save() error {
	if d.file == "" || d.learning == 0 {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(d.file), ".packets-*")
	if err != nil {
		return fmt.Errorf("saving what packets look like: %w", err)
	}
	w := bufio.NewWriter(f)
	err = gob.NewEncoder(w).Encode(learnt{d.usual, d.learning})
	if err == nil {
		err = d.baseline.Save(w)
	}
	err = errors.Join(err, w.Flush(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), d.file)
	}
	if err != nil {
		return fmt.Errorf("saving what packets look like: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

// load goes on with what a process before has saved. It is no error if there is nothing.
func (d *Detector) load() error {
	if d.file == "" {
		return nil
	}
	f, err := os.Open(d.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	r := bufio.NewReader(f) // of which gob reads no byte too many
	var l learnt
	if err := gob.NewDecoder(r).Decode(&l); err != nil {
		return fmt.Errorf("loading %s: %w", d.file, err)
	}
	if err := d.baseline.Load(r); err != nil {
		return fmt.Errorf("loading %s: %w", d.file, err)
	}
	d.usual, d.learning = max(l.Usual, 0), min(max(l.Learning, 0), settled)
	d.known()
	return nil
}

// known has the profile compiled, and notes how much it knows.
func (d *Detector) known() {
	rows := d.baseline.Profile().Rows()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.learnt = rows
}
