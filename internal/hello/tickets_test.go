package hello

import (
	"crypto/tls"
	"testing"
	"testing/synctest"
	"time"
)

// TestRotation: keys of tickets change every 12 hours, and sessions can be resumed across two changes.
func TestRotation(t *testing.T) {
	for _, tt := range []struct {
		name    string
		after   time.Duration
		resumed bool
	}{
		{"at once", 0, true},
		{"the same key", ticketRotation - time.Second, true},
		{"the next key", ticketRotation + time.Second, true},
		{"the last that opens it", 3*ticketRotation - time.Second, true},
		{"one further", 3*ticketRotation + time.Second, false},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(tt.name+" "+tls.VersionName(version), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRoom(t, t.TempDir())
					config := &tls.Config{InsecureSkipVerify: true, ServerName: "a.example", MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
					for _, want := range []bool{false, tt.resumed} {
						info := from(1)
						if _, err := talk(r, config, info, 4096); err != nil {
							t.Fatal(err)
						}
						if info.TLS.Resumed != want {
							t.Errorf("resumed: got %v, want %v", info.TLS.Resumed, want)
						}
						time.Sleep(tt.after)
						synctest.Wait()
					}
				})
			})
		}
	}
}

// TestHandOver: a room that is given another's keys goes on with them, rotation included.
func TestHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		before := newRoom(t, folder)
		config := &tls.Config{InsecureSkipVerify: true, ServerName: "a.example", ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		if _, err := talk(before, config, from(1), 4096); err != nil {
			t.Fatal(err)
		}
		time.Sleep(ticketRotation + time.Hour)
		after := newRoom(t, folder)
		after.SetTicketKeys(before.TicketKeys())
		info := from(1)
		if _, err := talk(after, config, info, 4096); err != nil || !info.TLS.Resumed {
			t.Errorf("resumed %v, error %v", info.TLS.Resumed, err)
		}
		keys := after.TicketKeys()
		if len(keys.Keys) != 2 || time.Since(keys.Made) != time.Hour {
			t.Errorf("got %d keys, the newest of %v, want 2, of an hour ago", len(keys.Keys), keys.Made)
		}
		time.Sleep(ticketRotation - time.Hour)
		synctest.Wait()
		if rotated := after.TicketKeys(); len(rotated.Keys) != 3 || rotated.Keys[1] != keys.Keys[0] || time.Since(rotated.Made) != 0 {
			t.Errorf("got %d keys, the newest of %v: want one more, made now", len(rotated.Keys), rotated.Made)
		}
	})
}

func TestSetTicketKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, t.TempDir())
		own := r.TicketKeys()
		r.SetTicketKeys(TicketKeys{Made: time.Now()})
		if got := r.TicketKeys(); len(got.Keys) != 1 || got.Keys[0] != own.Keys[0] {
			t.Error("no keys took the place of one")
		}
		four := [][32]byte{{1}, {2}, {3}, {4}}
		r.SetTicketKeys(TicketKeys{four, time.Now().Add(-48 * time.Hour)}) // of a process that did not run for long
		synctest.Wait()
		if got := r.TicketKeys(); len(got.Keys) != 3 || got.Keys[1] != four[0] || got.Keys[2] != four[1] || time.Since(got.Made) != 0 {
			t.Errorf("old keys: got %v, want a new one and two of them", got)
		}
		r.SetTicketKeys(TicketKeys{four[:1], time.Now().Add(1000 * time.Hour)}) // of a clock that is wrong
		time.Sleep(ticketRotation + time.Second)
		synctest.Wait()
		if got := r.TicketKeys(); len(got.Keys) != 2 || got.Keys[1] != four[0] {
			t.Errorf("keys of the future: got %d, want them rotated, too", len(got.Keys))
		}
		r.Close()
		r.SetTicketKeys(TicketKeys{four[1:2], time.Now()})
		if got := r.TicketKeys(); len(got.Keys) != 2 {
			t.Error("a closed room takes keys")
		}
	})
}
