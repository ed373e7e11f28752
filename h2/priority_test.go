package h2

import (
	"fmt"
	"strings"
	"testing"
)

func TestParsePriority(t *testing.T) {
	tests := []struct {
		value string
		want  Priority
	}{
		{"", Priority{3, false}},
		{"u=0", Priority{0, false}},
		{"u=7, i", Priority{7, true}},
		{"i,u=1", Priority{1, true}},
		{" i=?1 ,\tu=2", Priority{2, true}},
		{"i, i=?0", Priority{3, false}},
		{"u=1, u=5", Priority{5, false}},
		{"u=1;x=y, i;z", Priority{1, true}},
		{"u=8", Priority{3, false}},
		{"u=-1", Priority{3, false}},
		{"u=10, U=1, I", Priority{3, false}},
		{"u, i=1, x=y,,", Priority{3, false}},
	}
	for _, tt := range tests {
		if got := ParsePriority(tt.value); got != tt.want {
			t.Errorf("%q: got %v, want %v", tt.value, got, tt.want)
		}
	}
}

// priorityUpdate is a PRIORITY_UPDATE frame.
func priorityUpdate(id uint32, value string) []byte {
	return raw(typePriorityUpdate, 0, 0, string([]byte{byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)})+value)
}

// TestPriorityUpdate takes PRIORITY_UPDATE for streams that are open, and for those to come.
func TestPriorityUpdate(t *testing.T) {
	p := dial(t, nil)
	p.send(p.get(1, Field{"priority", "u=5"}), priorityUpdate(1, "u=2, i"), priorityUpdate(3, "u=0"), priorityUpdate(3, "u=1"), priorityUpdate(5, "u=6"))
	p.send(p.get(3, Field{"priority", "u=7"}), p.get(7))
	p.wantTold("headers 1 GET https a.example / priority=u=5 u=5 i=false end", "headers 3 GET https a.example / priority=u=7 u=1 i=false end",
		"headers 7 "+getTold)
	for id, want := range map[uint32]Priority{1: {2, true}, 3: {1, false}, 7: {3, false}, 9: {3, false}} {
		if got := p.s.Priority(id); got != want {
			t.Errorf("stream %d: got %v, want %v", id, got, want)
		}
	}
	if p.s.updates != nil {
		t.Errorf("got %v kept, want nothing", p.s.updates)
	}
	p.send(repeat(100, func(i int) []byte { return priorityUpdate(uint32(9+2*i), "u=0") }))
	p.send(p.get(191), p.get(193), p.get(207))
	if got := p.s.Priority(191).Urgency; got != 3 {
		t.Errorf("the oldest: got %d, want it forgotten", got)
	}
	for _, id := range []uint32{193, 207} {
		if got := p.s.Priority(id).Urgency; got != 0 {
			t.Errorf("stream %d, one of the latest: got %d, want 0", id, got)
		}
	}
}

func TestBadPriorityUpdates(t *testing.T) {
	tests := []dialogue{
		{"on a stream", frames(raw(typePriorityUpdate, 0, 1, "\x00\x00\x00\x01u=1")),
			[]string{"goaway 0 PROTOCOL_ERROR"}, nil, ProtocolError, "priority update on a stream"},
		{"too short", frames(raw(typePriorityUpdate, 0, 0, "\x00\x00\x01")),
			[]string{"goaway 0 FRAME_SIZE_ERROR"}, nil, FrameSizeError, "bad length of a priority update"},
		{"of the connection", frames(priorityUpdate(0, "u=1")),
			[]string{"goaway 0 PROTOCOL_ERROR"}, nil, ProtocolError, "priority update of a stream that a client can't open"},
		{"of a push", frames(priorityUpdate(2, "u=1")),
			[]string{"goaway 0 PROTOCOL_ERROR"}, nil, ProtocolError, "priority update of a stream that a client can't open"},
		{"of a closed stream", func(p *peer) [][]byte { return [][]byte{p.get(3), priorityUpdate(1, "u=1")} }, nil,
			[]string{"headers 3 " + getTold}, 0, ""},
		{"longer than anybody needs", frames(priorityUpdate(1, "u=1"+strings.Repeat(",", 10000))), nil, nil, 0, ""},
	}
	for i := range tests {
		tests[i].play(t, nil)
	}
}

// TestNext sends a piece of whatever is next, until all is sent.
func TestNext(t *testing.T) {
	tests := []struct {
		name       string
		priorities []string // of the streams 1, 3, 5, …
		pieces     int      // each has to send
		want       string
	}{
		{"in order", []string{"", "", ""}, 2, "1 1 3 3 5 5"},
		{"the urgent first", []string{"u=5", "u=1", "u=3"}, 2, "3 3 5 5 1 1"},
		{"incremental ones in turn", []string{"i", "i", "i"}, 3, "1 3 5 1 3 5 1 3 5"},
		{"incremental ones last", []string{"i", "", "i"}, 2, "3 3 1 5 1 5"},
		{"in turn, after the urgent", []string{"u=3, i", "u=0, i", "u=3, i", "u=0, i"}, 2, "3 7 3 7 1 5 1 5"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := dial(t, nil)
			left := make(map[uint32]int)
			for i, priority := range tt.priorities {
				id := uint32(2*i + 1)
				p.send(p.get(id, Field{"priority", priority}))
				p.s.AppendHeaders(nil, id, 200, nil, -1, false)
				p.s.Want(id, true)
				left[id] = tt.pieces
			}
			var got []string
			for range 100 {
				id, ok := p.s.Next()
				if !ok {
					break
				}
				got = append(got, fmt.Sprint(id))
				left[id]--
				p.s.AppendData(nil, id, []byte("x"), left[id] == 0)
				p.check()
			}
			if got := strings.Join(got, " "); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestNextWindows leaves out who has no window, or nothing to send.
func TestNextWindows(t *testing.T) {
	p := dial(t, nil, Setting{settingWindow, 10})
	p.send(p.get(1), p.get(3))
	next := func(want uint32) {
		t.Helper()
		p.check()
		if got, ok := p.s.Next(); got != want || ok != (want > 0) {
			t.Errorf("got %d, %t, want %d", got, ok, want)
		}
	}
	next(0)
	p.s.Want(1, true)
	p.s.Want(1, true)
	p.s.Want(3, true)
	p.s.Want(99, true)
	next(1)
	p.s.AppendData(nil, 1, []byte("0123456789"), false)
	next(3)
	p.s.Want(3, false)
	next(0)
	p.send(windowFrame(1, 1))
	next(1)
	p.send(resetFrame(1, Cancel))
	next(0)
	p.s.Want(3, true)
	p.s.AppendReset(nil, 3, Cancel)
	next(0)
}
