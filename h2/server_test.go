package h2

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

// A dialogue is what a client sends once a connection has begun, and what comes of it.
type dialogue struct {
	name   string
	send   func(p *peer) [][]byte
	sent   []string // by the server
	told   []string // to the Handler
	code   Code     // of the error that ends the connection, if reason is not ""
	reason string
}

func (tt *dialogue) play(t *testing.T, s *Settings) {
	t.Run(tt.name, func(t *testing.T) {
		p := dial(t, s)
		for _, f := range tt.send(p) {
			p.send(f)
		}
		p.want(tt.sent...)
		p.wantTold(tt.told...)
		if tt.reason != "" {
			p.wantFailed(tt.code, tt.reason)
		} else if p.err != nil {
			t.Errorf("got error %v, want none", p.err)
		}
	})
}

// frames is a dialogue's send that needs no encoder.
func frames(f ...[]byte) func(p *peer) [][]byte {
	return func(*peer) [][]byte { return f }
}

const (
	getTold  = "GET https a.example / end"
	postTold = "POST https a.example /"
)

// TestFrames plays what RFC 9113 §4 to §6 say of frames and streams.
func TestFrames(t *testing.T) {
	failed := func(last string, code Code) []string { return []string{"goaway " + last + " " + code.String()} }
	tests := []dialogue{
		{"frame too large", frames(appendFrame(nil, maxFrame+1, typeData, 0, 1)),
			failed("0", FrameSizeError), nil, FrameSizeError, "frame too large"},
		{"unknown frame", frames(raw(0xf0, 0xff, 77, "whatever")), nil, nil, 0, ""},
		{"push by a client", frames(raw(typePush, flagEndHeaders, 1, "\x00\x00\x00\x02")),
			failed("0", ProtocolError), nil, ProtocolError, "push by a client"},

		{"ping", frames(raw(typePing, 0, 0, "12345678")), []string{`ping "12345678" ack=true`}, nil, 0, ""},
		{"ping, reserved bit set", frames(append([]byte{0, 0, 8, 6, 0, 0x80, 0, 0, 0}, "12345678"...)), []string{`ping "12345678" ack=true`}, nil, 0, ""},
		{"ping answered", frames(raw(typePing, flagAck, 0, "12345678")), nil, nil, 0, ""},
		{"ping on a stream", frames(raw(typePing, 0, 1, "12345678")), failed("0", ProtocolError), nil, ProtocolError, "ping on a stream"},
		{"short ping", frames(raw(typePing, 0, 0, "1234567")), failed("0", FrameSizeError), nil, FrameSizeError, "bad length of a ping"},

		{"goaway", frames(raw(typeGoAway, 0, 0, "\x00\x00\x00\x00\x00\x00\x00\x00bye")), nil, nil, 0, ""},
		{"goaway on a stream", frames(raw(typeGoAway, 0, 1, "\x00\x00\x00\x00\x00\x00\x00\x00")),
			failed("0", ProtocolError), nil, ProtocolError, "goaway on a stream"},
		{"short goaway", frames(raw(typeGoAway, 0, 0, "\x00\x00\x00\x00")),
			failed("0", FrameSizeError), nil, FrameSizeError, "bad length of a goaway"},

		{"data on the connection", frames(dataFrame(0, "x", true)),
			failed("0", ProtocolError), nil, ProtocolError, "data on the connection"},
		{"data on an idle stream", frames(dataFrame(1, "x", true)),
			failed("0", ProtocolError), nil, ProtocolError, "data on an idle stream"},
		{"data on a stream of the server's", func(p *peer) [][]byte { return [][]byte{p.post(3), dataFrame(2, "x", true)} },
			failed("3", ProtocolError), []string{"headers 3 " + postTold}, ProtocolError, "data on an idle stream"},
		{"padded data", func(p *peer) [][]byte {
			return [][]byte{p.post(1), raw(typeData, flagPadded, 1, "\x03abc\x00\x00\x00"), raw(typeData, flagPadded|flagEndStream, 1, "\x02\x00\x00")}
		}, nil, []string{"headers 1 " + postTold, `content 1 "abc"`}, 0, ""},
		{"padding as long as the frame", func(p *peer) [][]byte { return [][]byte{p.post(1), raw(typeData, flagPadded, 1, "\x04ab\x00")} },
			failed("1", ProtocolError), []string{"headers 1 " + postTold}, ProtocolError, "padding longer than the frame"},
		{"padded data without pad length", func(p *peer) [][]byte { return [][]byte{p.post(1), raw(typeData, flagPadded, 1, "")} },
			failed("1", FrameSizeError), []string{"headers 1 " + postTold}, FrameSizeError, "padded frame without pad length"},
		{"data after the end", func(p *peer) [][]byte { return [][]byte{p.get(1), dataFrame(1, "x", false)} },
			[]string{"reset 1 STREAM_CLOSED"}, []string{"headers 1 " + getTold, "reset 1 STREAM_CLOSED"}, 0, ""},
		{"data after a reset", func(p *peer) [][]byte { return [][]byte{p.post(1), resetFrame(1, Cancel), dataFrame(1, "x", false)} },
			[]string{"reset 1 STREAM_CLOSED"}, []string{"headers 1 " + postTold, "reset 1 CANCEL"}, 0, ""},

		{"priority", frames(raw(typePriority, 0, 1, "\x00\x00\x00\x00\x10")), nil, nil, 0, ""},
		{"priority of the connection", frames(raw(typePriority, 0, 0, "\x00\x00\x00\x01\x10")),
			failed("0", ProtocolError), nil, ProtocolError, "priority of the connection"},
		{"short priority, idle", frames(raw(typePriority, 0, 1, "\x00\x00\x00\x00")),
			failed("0", FrameSizeError), nil, FrameSizeError, "bad priority frame"},
		{"short priority", func(p *peer) [][]byte { return [][]byte{p.get(1), raw(typePriority, 0, 1, "\x00")} },
			[]string{"reset 1 FRAME_SIZE_ERROR"}, []string{"headers 1 " + getTold, "reset 1 FRAME_SIZE_ERROR"}, 0, ""},
		{"priority on itself", func(p *peer) [][]byte { return [][]byte{p.get(1), raw(typePriority, 0, 1, "\x80\x00\x00\x01\x10")} },
			[]string{"reset 1 PROTOCOL_ERROR"}, []string{"headers 1 " + getTold, "reset 1 PROTOCOL_ERROR"}, 0, ""},

		{"reset", func(p *peer) [][]byte { return [][]byte{p.post(1), resetFrame(1, Cancel), resetFrame(1, Cancel)} },
			nil, []string{"headers 1 " + postTold, "reset 1 CANCEL"}, 0, ""},
		{"reset of the connection", frames(resetFrame(0, Cancel)),
			failed("0", ProtocolError), nil, ProtocolError, "reset of the connection"},
		{"reset of an idle stream", frames(resetFrame(1, Cancel)),
			failed("0", ProtocolError), nil, ProtocolError, "reset of an idle stream"},
		{"short reset", func(p *peer) [][]byte { return [][]byte{p.get(1), raw(typeReset, 0, 1, "\x00\x00\x00")} },
			failed("1", FrameSizeError), []string{"headers 1 " + getTold}, FrameSizeError, "bad length of a reset"},

		{"settings", frames(settingsFrame(Setting{settingWindow, 1}, Setting{0x1a2a, 7})), []string{"settings ack"}, nil, 0, ""},
		{"settings on a stream", frames(raw(typeSettings, 0, 1, "")),
			failed("0", ProtocolError), nil, ProtocolError, "settings on a stream"},
		{"settings of a bad length", frames(raw(typeSettings, 0, 0, "12345")),
			failed("0", FrameSizeError), nil, FrameSizeError, "bad length of settings"},
		{"settings acknowledged with payload", frames(raw(typeSettings, flagAck, 0, "123456")),
			failed("0", FrameSizeError), nil, FrameSizeError, "settings acknowledgement with payload"},
		{"push enabled twice over", frames(settingsFrame(Setting{settingPush, 2})),
			failed("0", ProtocolError), nil, ProtocolError, "bad value of a setting"},
		{"frames too small", frames(settingsFrame(Setting{settingMaxFrame, maxFrame - 1})),
			failed("0", ProtocolError), nil, ProtocolError, "bad value of the maximum frame size"},
		{"frames too large", frames(settingsFrame(Setting{settingMaxFrame, 1 << 24})),
			failed("0", ProtocolError), nil, ProtocolError, "bad value of the maximum frame size"},
		{"window too large", frames(settingsFrame(Setting{settingWindow, 1 << 31})),
			failed("0", FlowControlError), nil, FlowControlError, "initial window too large"},

		{"window update of nothing", frames(windowFrame(0, 0)), failed("0", ProtocolError), nil, ProtocolError, "window update of nothing"},
		{"window update of nothing on a stream", func(p *peer) [][]byte { return [][]byte{p.get(1), windowFrame(1, 0)} },
			[]string{"reset 1 PROTOCOL_ERROR"}, []string{"headers 1 " + getTold, "reset 1 PROTOCOL_ERROR"}, 0, ""},
		{"window update of an idle stream", frames(windowFrame(1, 1)),
			failed("0", ProtocolError), nil, ProtocolError, "window update of an idle stream"},
		{"window update of a closed stream", func(p *peer) [][]byte { return [][]byte{p.get(1), resetFrame(1, Cancel), windowFrame(1, 1)} },
			nil, []string{"headers 1 " + getTold, "reset 1 CANCEL"}, 0, ""},
		{"short window update", frames(raw(typeWindow, 0, 0, "\x00\x00\x01")),
			failed("0", FrameSizeError), nil, FrameSizeError, "bad length of a window update"},
		{"connection's window overflows", frames(windowFrame(0, maxWindow)),
			failed("0", FlowControlError), nil, FlowControlError, "connection's window overflows"},
		{"stream's window overflows", func(p *peer) [][]byte { return [][]byte{p.get(1), windowFrame(1, maxWindow)} },
			[]string{"reset 1 FLOW_CONTROL_ERROR"}, []string{"headers 1 " + getTold, "reset 1 FLOW_CONTROL_ERROR"}, 0, ""},
		{"stream's window overflows by settings", func(p *peer) [][]byte {
			return [][]byte{p.get(1), windowFrame(1, maxWindow-baseWindow), settingsFrame(Setting{settingWindow, baseWindow + 1})}
		}, failed("1", FlowControlError), []string{"headers 1 " + getTold}, FlowControlError, "initial window overflows a stream's"},
	}
	for i := range tests {
		tests[i].play(t, nil)
	}
}

// TestPreface plays how a connection begins.
func TestPreface(t *testing.T) {
	tests := []struct {
		name, send string
		sent       []string
		reason     string
	}{
		{"nothing", "", []string{"settings"}, ""},
		{"a part", Preface[:20], []string{"settings"}, ""},
		{"all", Preface, []string{"settings"}, ""},
		{"with settings", Preface + string(settingsFrame()), []string{"settings", "settings ack"}, ""},
		{"HTTP/1.1", "GET / HTTP/1.1\r\n\r\n", []string{"settings", "goaway 0 PROTOCOL_ERROR"}, "bad preface"},
		{"a bad byte", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r", []string{"settings", "goaway 0 PROTOCOL_ERROR"}, "bad preface"},
		{"another frame first", Preface + string(raw(typePing, 0, 0, "12345678")),
			[]string{"settings", "goaway 0 PROTOCOL_ERROR"}, "first frame is not settings"},
		{"an acknowledgement first", Preface + string(settingsAck()),
			[]string{"settings", "goaway 0 PROTOCOL_ERROR"}, "first frame is not settings"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPeer(t, nil)
			p.send([]byte(tt.send))
			p.want(tt.sent...)
			if tt.reason != "" {
				p.wantFailed(ProtocolError, tt.reason)
			} else if p.err != nil {
				t.Errorf("got error %v, want none", p.err)
			}
		})
	}
}

func TestGreeting(t *testing.T) {
	p := newPeer(t, &Settings{MaxStreams: 7, StreamWindow: 1 << 30, MaxHeaderList: 1000, ExtendedConnect: true})
	_, out, err := p.s.Feed(nil, nil, p.now)
	want := settingsFrame(Setting{settingMaxStreams, 7}, Setting{settingWindow, baseWindow}, Setting{settingMaxHeaderList, 1000},
		Setting{settingNoPriorities, 1}, Setting{settingConnectProtocol, 1})
	if string(out) != string(want) || err != nil {
		t.Errorf("got %q and %v, want %q", out, err, want)
	}
}

// TestFailed wants nothing more to happen on a connection that has failed.
func TestFailed(t *testing.T) {
	p := dial(t, nil)
	p.send(p.post(1), raw(typePing, 0, 1, "12345678"), p.get(3))
	p.wantTold("headers 1 " + postTold)
	p.want("goaway 1 PROTOCOL_ERROR")
	_, out, err := p.s.Feed(raw(typePing, 0, 0, "12345678"), nil, p.now)
	if err != p.err || len(out) > 0 {
		t.Errorf("fed again: got %q and %v, want nothing and %v", out, err, p.err)
	}
	if e := (*ConnError)(nil); !errors.As(err, &e) || e.Error() != "ping on a stream" {
		t.Errorf("got %v", err)
	}
	out = p.s.AppendHeaders(out, 1, 200, nil, -1, false)
	out, n := p.s.AppendData(out, 1, []byte("x"), true)
	out = p.s.AppendReset(p.s.Grant(out, 1, 1), 1, Cancel)
	if out = p.s.GoAway(out); len(out) > 0 || n > 0 {
		t.Errorf("got %q sent on a failed connection, want nothing", out)
	}
	if id, ok := p.s.Next(); ok {
		t.Errorf("got stream %d to send next, want none", id)
	}
}

// TestGoAway ends a connection gracefully: what is under way is served, what comes later is not.
func TestGoAway(t *testing.T) {
	p := dial(t, nil)
	p.send(p.post(1))
	p.answers.Write(p.s.GoAway(nil))
	p.send(p.get(3))
	p.answers.Write(p.s.GoAway(nil))
	p.answers.Write(p.s.GoAway(nil))
	p.send(p.post(5, Field{"x-kept", "in the table"}), dataFrame(5, "late", false),
		raw(typeHeaders, flagEndHeaders|flagEndStream, 5, p.encode(Field{"x-trailer", "1"})), resetFrame(5, Cancel),
		raw(typeHeaders, flagEndHeaders|flagEndStream, 1, p.encode(Field{"x-kept", "in the table"})))
	p.want("goaway 2147483647 NO_ERROR", "goaway 3 NO_ERROR")
	p.wantTold("headers 1 "+postTold, "headers 3 "+getTold, "trailers 1 x-kept=in the table")
	if p.s.Done() {
		t.Error("got done with two streams open")
	}
	for _, id := range []uint32{1, 3} {
		p.answers.Write(p.s.AppendHeaders(nil, id, 204, nil, -1, true))
	}
	p.want("headers 1 :status=204 end", "headers 3 :status=204 end")
	if !p.s.Done() || p.err != nil {
		t.Errorf("got done %t, %v, want true", p.s.Done(), p.err)
	}
	p.send(raw(typePing, 0, 3, "12345678"))
	p.want("goaway 3 PROTOCOL_ERROR")
}

// TestGoAwayBeforeAnything greets first.
func TestGoAwayBeforeAnything(t *testing.T) {
	p := newPeer(t, nil)
	p.answers.Write(p.s.GoAway(nil))
	p.send([]byte(Preface), settingsFrame())
	p.want("settings", "goaway 2147483647 NO_ERROR", "settings ack")
}

// TestClose ends a connection for a reason that is not the client's.
func TestClose(t *testing.T) {
	p := dial(t, nil)
	p.send(p.get(1))
	p.answers.Write(p.s.Close(nil, EnhanceYourCalm))
	p.answers.Write(p.s.Close(nil, NoError))
	p.send(p.get(3))
	p.want("goaway 1 ENHANCE_YOUR_CALM")
	p.wantTold("headers 1 " + getTold)
	p.wantFailed(EnhanceYourCalm, "closed")

	p = newPeer(t, nil)
	p.answers.Write(p.s.Close(nil, NoError))
	p.want("settings", "goaway 0 NO_ERROR")
}

// TestGone is a client that says it ends.
func TestGone(t *testing.T) {
	p := dial(t, nil)
	p.send(p.get(1), raw(typeGoAway, 0, 0, "\x00\x00\x00\x00\x00\x00\x00\x00"))
	if p.s.Done() {
		t.Error("got done with a stream open")
	}
	p.send(resetFrame(1, Cancel))
	if !p.s.Done() {
		t.Error("got not done")
	}
}

func TestPending(t *testing.T) {
	p := dial(t, nil)
	head := p.encode(request("POST")...)
	tests := []struct {
		name string
		send []byte
		want bool
	}{
		{"at rest", nil, false},
		{"fields have begun", raw(typeHeaders, 0, 1, head[:3]), true},
		{"fields go on", raw(typeContinuation, 0, 1, head[3:4]), true},
		{"fields have ended", raw(typeContinuation, flagEndHeaders, 1, head[4:]), false},
		{"a frame of data has begun", dataFrame(1, "0123456789", false)[:frameHead], true},
		{"it goes on", []byte("01234"), true},
		{"it has ended", []byte("56789"), false},
		{"padding is awaited", raw(typeData, flagPadded|flagEndStream, 1, "\x02\x00\x00")[:frameHead+2], true},
		{"it has come", []byte{0}, false},
	}
	for _, tt := range tests {
		if p.send(tt.send); p.s.Pending() != tt.want || p.err != nil {
			t.Errorf("%s: got %t, want %t (%v)", tt.name, p.s.Pending(), tt.want, p.err)
		}
		if got := p.s.InFields(); got != (tt.want && strings.Contains(tt.name, "fields")) {
			t.Errorf("%s: got in fields %t", tt.name, got)
		}
	}
	p.wantTold("headers 1 "+postTold, `content 1 "0123456789"`)
}

// TestShape tells how a client begins.
func TestShape(t *testing.T) {
	p := newPeer(t, nil)
	p.send([]byte(Preface), settingsFrame(Setting{settingTableSize, 65536}, Setting{settingPush, 0}, Setting{0x1a2a, 9}), windowFrame(0, 15663105),
		windowFrame(0, 5), settingsFrame(Setting{settingWindow, 1}),
		raw(typeHeaders, flagEndHeaders, 1, p.encode(Field{":method", "GET"}, Field{":authority", "a.example"}, Field{":scheme", "https"}, Field{":path", "/"})),
		windowFrame(0, 9), p.get(3))
	got := p.s.Shape()
	if got.WindowUpdate != 15663105 || got.Pseudo != "masp" {
		t.Errorf("got %d and %s, want 15663105 and masp", got.WindowUpdate, got.Pseudo)
	}
	want := []Setting{{settingTableSize, 65536}, {settingPush, 0}, {0x1a2a, 9}}
	if len(got.Settings) != len(want) || got.Settings[0] != want[0] || got.Settings[1] != want[1] || got.Settings[2] != want[2] {
		t.Errorf("got %v, want %v", got.Settings, want)
	}
}

// TestShapeBounds keeps the first settings only.
func TestShapeBounds(t *testing.T) {
	p := dial(t, nil, make([]Setting, 40)...)
	if got := len(p.s.Shape().Settings); got != maxShape {
		t.Errorf("got %d settings, want %d", got, maxShape)
	}
	p = dial(t, nil)
	p.send(settingsFrame(Setting{settingPush, 0}))
	if got := p.s.Shape(); len(got.Settings) != 0 || got.WindowUpdate != 0 || got.Pseudo != "" {
		t.Errorf("got %v of a client without settings", got)
	}
}

func TestCode(t *testing.T) {
	tests := []struct {
		code Code
		want string
	}{{NoError, "NO_ERROR"}, {HTTP11Required, "HTTP_1_1_REQUIRED"}, {14, "0xe"}, {math.MaxUint32, "0xffffffff"}}
	for _, tt := range tests {
		if got := tt.code.String(); got != tt.want {
			t.Errorf("%d: got %s, want %s", uint32(tt.code), got, tt.want)
		}
	}
}

// TestBudgets spends each budget up to its bound, lets time give it back, and spends one more than that.
func TestBudgets(t *testing.T) {
	var s Server
	s.settings = new(Settings)
	s.settings.once.Do(s.settings.prepare)
	start := time.Unix(1e9, 0)
	for b := range nBudgets {
		rate := s.settings.rates[b]
		s.spent = spent{at: start, now: start}
		for i := range int(rate.Burst) {
			if err := s.spend(b); err != nil {
				t.Fatalf("%s after %d, want %v", err, i, rate.Burst)
			}
		}
		s.spent.now = start.Add(10 * time.Second)
		more := int(min(rate.Burst, 10*rate.PerSecond))
		for i := range more {
			if err := s.spend(b); err != nil {
				t.Fatalf("%s after %d given back, want %d", err, i, more)
			}
		}
		err := s.spend(b)
		if err == nil || err.Code != EnhanceYourCalm || !strings.HasPrefix(err.Reason, "too many ") {
			t.Errorf("got %v beyond the budget, want %s", err, b.reason())
		}
		if got, want := s.Spent(), int(rate.Burst)+more+1; got != want {
			t.Errorf("%s: got %d spent, want %d", b.reason(), got, want)
		}
	}
}
