package h2

import (
	"fmt"
	"strings"
	"testing"
)

// TestContent is what is told of a request's content, however its frames arrive.
func TestContent(t *testing.T) {
	tests := []struct {
		name string
		send []byte
		want string
	}{
		{"in one frame", dataFrame(1, "hello", true), "hello"},
		{"in several", append(dataFrame(1, "he", false), dataFrame(1, "llo", true)...), "hello"},
		{"with an empty end", append(dataFrame(1, "hello", false), dataFrame(1, "", true)...), "hello"},
		{"none", dataFrame(1, "", true), ""},
		{"padded", raw(typeData, flagEndStream|flagPadded, 1, "\x04hello\x00\x00\x00\x00"), "hello"},
		{"padding alone", raw(typeData, flagEndStream|flagPadded, 1, "\x04\x00\x00\x00\x00"), ""},
		{"no padding, padded", raw(typeData, flagEndStream|flagPadded, 1, "\x00hello"), "hello"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for size := 1; size <= len(tt.send); size++ {
				p := dial(t, nil)
				p.send(p.post(1))
				p.told = nil
				for rest := tt.send; len(rest) > 0; rest = rest[min(size, len(rest)):] {
					p.send(rest[:min(size, len(rest))])
				}
				p.want()
				p.wantTold(fmt.Sprintf("content 1 %q", tt.want))
				if p.err != nil || p.s.Pending() || len(p.in) > 0 {
					t.Errorf("in pieces of %d: got %v, pending %t, %d bytes left", size, p.err, p.s.Pending(), len(p.in))
				}
			}
		})
	}
}

// TestDeclaredLength holds content to what was declared (RFC 9113 §8.1.1).
func TestDeclaredLength(t *testing.T) {
	x := strings.Repeat("x", 10)
	end := raw(typeHeaders, flagEndHeaders|flagEndStream, 1, "")
	tests := []struct {
		name, length string
		send         [][]byte
		ok           bool
	}{
		{"exact", "20", [][]byte{dataFrame(1, x, false), dataFrame(1, x, true)}, true},
		{"exact, padded", "10", [][]byte{raw(typeData, flagEndStream|flagPadded, 1, "\x01"+x+"\x00")}, true},
		{"exact, with trailers", "10", [][]byte{dataFrame(1, x, false), end}, true},
		{"none", "0", [][]byte{dataFrame(1, "", true)}, true},
		{"too little", "11", [][]byte{dataFrame(1, x, true)}, false},
		{"too little, with trailers", "11", [][]byte{dataFrame(1, x, false), end}, false},
		{"too much", "9", [][]byte{dataFrame(1, x, false)}, false},
		{"too much, later", "19", [][]byte{dataFrame(1, x, false), dataFrame(1, x, true)}, false},
		{"some instead of none", "0", [][]byte{dataFrame(1, x, true)}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := dial(t, nil)
			p.send(p.post(1, Field{"content-length", tt.length}))
			p.send(tt.send...)
			if tt.ok {
				p.want()
			} else {
				p.want("reset 1 PROTOCOL_ERROR")
			}
			if p.err != nil {
				t.Error(p.err)
			}
		})
	}
}

// TestReceiveWindows sends content against the windows, and grants it.
func TestReceiveWindows(t *testing.T) {
	full := strings.Repeat("x", maxFrame)
	p := dial(t, &Settings{StreamWindow: 20000})
	p.send(p.post(1), dataFrame(1, full, false), dataFrame(1, full, false)) // 65,535 until SETTINGS are acknowledged
	p.want()
	p.send(settingsAck()) // now it is 20,000, of which 32,768 are used
	p.send(dataFrame(1, "x", false))
	p.want("reset 1 FLOW_CONTROL_ERROR", "window 0 32769") // what it had of the connection's is given back
	p.send(p.post(3), dataFrame(3, full, false), dataFrame(3, "x", false))
	p.want()
	p.answers.Write(p.s.Grant(nil, 3, 2000)) // less than what is left
	p.want()
	p.answers.Write(p.s.Grant(nil, 3, 2000))
	p.want("window 3 4000")
	p.send(dataFrame(3, strings.Repeat("x", 7616), false))
	p.want("reset 3 FLOW_CONTROL_ERROR")
	p.check()
	if p.err != nil {
		t.Error(p.err)
	}
}

// TestConnectionWindow keeps the connection's window closed while content isn't granted, and opens it by what is.
func TestConnectionWindow(t *testing.T) {
	full := strings.Repeat("x", maxFrame)
	p := dial(t, nil)
	p.send(settingsAck())
	for id := uint32(1); id <= 7; id += 2 {
		p.send(p.post(id), dataFrame(id, full[:maxFrame-min(1, int(id)/7)], false))
	}
	p.want()
	p.send(p.post(9))
	p.answers.Write(p.s.Grant(nil, 5, maxFrame))
	p.want("window 5 16384", "window 0 16384")
	p.answers.Write(p.s.AppendReset(nil, 7, Cancel))
	p.want("reset 7 CANCEL") // its part is worth an update only once it doubles the window
	p.send(dataFrame(5, full, true))
	p.want("window 0 16383")
	p.answers.Write(p.s.Grant(nil, 5, maxFrame)) // its request is complete
	p.want("window 0 16384")
	p.answers.Write(p.s.Grant(nil, 5, maxFrame)) // more than came
	p.want()
	p.check()
	p.send(dataFrame(9, full, false), dataFrame(3, full[:1], false))
	p.want("reset 3 FLOW_CONTROL_ERROR", "window 0 16385")
	p.send(p.post(11), dataFrame(11, full, false), p.post(13), dataFrame(13, full, false))
	p.want("goaway 13 FLOW_CONTROL_ERROR")
	p.wantFailed(FlowControlError, "data beyond the connection's window")
}

// TestGrantAhead opens windows wide for who may send much, and takes back what wasn't used.
func TestGrantAhead(t *testing.T) {
	p := dial(t, nil)
	p.send(settingsAck(), p.post(1))
	p.answers.Write(p.s.Grant(nil, 1, 1<<20))
	p.want("window 1 1048576", "window 0 1048576")
	p.send(dataFrame(1, "hello", true)) // the rest of what was granted is the connection's
	p.send(p.post(3))
	p.answers.Write(p.s.Grant(nil, 3, 1<<20))
	p.want("window 3 1048576") // the connection's window is open
	p.answers.Write(p.s.Grant(nil, 3, 1<<40))
	p.check()
	p.want("window 3 2146369536", "window 0 2146369541")
	p.answers.Write(p.s.Grant(p.s.Grant(p.s.Grant(nil, 3, 1), 3, -1), 99, 1))
	p.want()
}

// TestPadding counts padding against the windows, and gives it back.
func TestPadding(t *testing.T) {
	p := dial(t, nil)
	p.grant = true
	p.send(settingsAck(), p.post(1))
	frame := raw(typeData, flagPadded, 1, "\xff"+strings.Repeat("x", maxFrame-256)+strings.Repeat("\x00", 255))
	for range 100 {
		p.send(frame)
	}
	if p.err != nil || p.s.Streams() != 1 {
		t.Errorf("got %v and %d streams", p.err, p.s.Streams())
	}
}

// TestDataOnClosed gives the connection's window back for content that nobody reads.
func TestDataOnClosed(t *testing.T) {
	full := strings.Repeat("x", maxFrame)
	p := dial(t, nil)
	p.send(p.post(1))
	p.answers.Write(p.s.AppendReset(nil, 1, Cancel))
	for range 20 {
		p.send(dataFrame(1, full, false))
	}
	if p.err != nil {
		t.Error(p.err)
	}
	windows := 0
	for _, line := range p.read() {
		windows += strings.Count(line, "window 0 ")
	}
	if windows == 0 || windows > 10 {
		t.Errorf("got %d window updates for 20 frames, want some", windows)
	}
}

// TestSendWindows sends content as the client's windows allow.
func TestSendWindows(t *testing.T) {
	p := dial(t, nil, Setting{settingWindow, 2000})
	body := []byte(strings.Repeat("x", 70000))
	left := map[uint32]int{1: 70000, 3: 70000}
	p.write = func(out []byte, id uint32) []byte {
		out, n := p.s.AppendData(out, id, body[:left[id]], true)
		left[id] -= n
		return out
	}
	p.answer = func(out []byte, r *Request) []byte {
		return p.write(p.s.AppendHeaders(out, r.ID, 200, nil, -1, false), r.ID)
	}
	p.send(p.get(1), p.get(3))
	p.want("headers 1 :status=200", "data 1 2000", "headers 3 :status=200", "data 3 2000")
	p.told = nil
	p.send(windowFrame(1, 20000))
	p.want("data 1 16384", "data 1 3616")
	p.send(settingsFrame(Setting{settingWindow, 1000})) // the streams' windows are negative now
	p.send(windowFrame(1, 1000), windowFrame(3, 2000))
	p.want("settings ack", "data 3 1000")
	p.send(settingsFrame(Setting{settingWindow, 100000}))
	p.want("settings ack", "data 1 16384", "data 1 16384", "data 1 7767") // the connection's window is used up
	if got := p.s.SendWindow(); got != 0 {
		t.Errorf("got a window of %d, want 0", got)
	}
	if one, other := p.s.Window(1), p.s.Window(99); one != 0 || other != 0 {
		t.Errorf("got windows of %d and %d, want 0", one, other)
	}
	p.send(windowFrame(1, 5), windowFrame(3, 100))
	p.want()
	p.wantTold("writable 1", "writable 3", "writable 1")
	p.send(windowFrame(0, 10000)) // stream 1 has 7465 left
	p.want("data 1 7465 end", "data 3 2535")
	p.send(windowFrame(0, 1<<20))
	p.wantTold("writable 1", "writable 3", "writable 3")
	p.want("data 3 16384", "data 3 16384", "data 3 16384", "data 3 15313 end")
	if p.s.Streams() != 0 || p.err != nil {
		t.Errorf("got %d streams and %v", p.s.Streams(), p.err)
	}
}
