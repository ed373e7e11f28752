package xdp

import (
	"testing"
)

// FuzzFilter has the program and the model judge any frame. It needs root; `go test -run TestModelAgrees -args -inputs 10000000` makes up
// more packets in the same time, since it does not look for new paths. Meters remember earlier
// frames, so what fails here may need those before it.
func FuzzFilter(f *testing.F) {
	r := newRig(f, 1)
	for range 200 {
		f.Add(r.frame(), uint16(10))
	}
	f.Fuzz(func(t *testing.T, frame []byte, milliseconds uint16) {
		if len(frame) < 14 || len(frame) > 3000 {
			return // the kernel runs no program on these
		}
		defer r.lab.enter()()
		r.stopAt(r.now + uint64(milliseconds)*1e6)
		if err := r.check(frame); err != nil {
			t.Error(err)
		}
	})
}
