package cache

import "github.com/seawall/seawall/internal/flow"

// A response that is too large for memory goes to the disk alone, while its fetch goes on: what has come is read from there by all who want it, so
// that it takes 64 KiB of memory for each of them, however far they are behind. It never comes into memory: hits are sent from the disk in pieces,
// ranges too, and one that is stale is fetched anew.

// spoolable tells whether a response that is too large for memory may go to the disk alone: its length has to be known before.
func (r *Room) spoolable(m *flow.Message) bool {
	return r.disk.Load() != nil && m.Stream != nil && m.Length <= int64(r.tier.spec.Object)
}

// spool gives a fill a place on the disk for a body of that length, and reports false if there is none.
func (r *Room) spool(f *fill, length int64) bool {
	d := r.disk.Load()
	if d == nil {
		return false
	}
	f.body.spool = d.Spool(length)
	return f.body.spool != nil
}

// unspool gives the place of a fill that came to nothing back.
func (f *fill) unspool() {
	if s := f.body.spool; s != nil {
		f.body.spool = nil
		s.Close()
	}
}
