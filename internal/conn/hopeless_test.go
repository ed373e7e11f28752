package conn

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// refuse has others be refused for a while, so many a second.
func (w *world) refuseOthers(perSecond int, lasts time.Duration) {
	for range lasts / time.Second {
		for i := range perSecond {
			w.room.judged(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), uint32(i), true)
		}
		time.Sleep(time.Second)
	}
}

// TestHopeless: who goes on asking although everything is refused is cut off while the node refuses very much, and only then; who gets something
// now and then never is.
func TestHopeless(t *testing.T) {
	tests := []struct {
		name     string
		others   int           // refusals of others a second, before
		later    time.Duration // after them
		requests int           // of the source
		granted  int           // each of so many is let through; 0 for none
		pause    time.Duration // between them
		want     int           // requests until it is cut off; 0 for never
	}{
		{"under pressure", 2 * pressureLeast, 0, 1000, 0, 10 * time.Millisecond, hopelessBurst + 1},
		{"no pressure", pressureLeast / 2, 0, 1000, 0, 10 * time.Millisecond, 0},
		{"pressure is over", 2 * pressureLeast, pressureFor + 2*time.Second, 1000, 0, time.Millisecond, 0},
		{"something is let through", 2 * pressureLeast, 0, 1000, 50, 10 * time.Millisecond, 0},
		{"slowly", 2 * pressureLeast, 0, 30, 0, 300 * time.Millisecond, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			simulated(t, options{}, func(w *world) {
				w.refuseOthers(tt.others, 3*time.Second)
				time.Sleep(tt.later)
				cut := 0
				for i := 1; i <= tt.requests && cut == 0; i++ {
					if !w.room.judged(bad, 0, tt.granted == 0 || i%tt.granted > 0) {
						cut = i
					}
					time.Sleep(tt.pause)
				}
				if cut != tt.want {
					t.Errorf("got cut off at request %d, want %d", cut, tt.want)
				}
			})
		})
	}
}

// TestBannedIsTold wants the packet filter to be told of bans.
func TestBannedIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, banFor(10*time.Second))
		var source netip.Prefix
		var until time.Time
		w.room.Banned = func(s netip.Prefix, u time.Time) { source, until = s, u }
		w.room.breach(bad, "bad manners")
		if got := time.Until(until); source.String() != "198.51.100.7/32" || got != 10*time.Second {
			t.Errorf("got told of %v for %v, want 198.51.100.7/32 for 10s", source, got)
		}
	})
}
