package h2

import (
	"encoding/binary"
	"sync"
)

// Settings are what the connections of a listener have in common. They are shared by pointer, must not be copied, and
// must not be changed after the first NewServer.
type Settings struct {
	MaxStreams      int  // streams open at once; more are refused. Default 100
	StreamWindow    int  // bytes of content that a client may send on a stream before Grant. Default 16 KiB, most 65,535
	MaxHeaderList   int  // bytes of a field section as RFC 9113 §6.5.2 counts them, 32 a field included. Default 16 KiB
	MaxFields       int  // fields of a field section. Default 100
	ExtendedConnect bool // take CONNECT with :protocol (RFC 8441)
	Budgets         Budgets

	// FeedWork bounds the work of one Feed, in units of about a small request: each field section costs one, and one more for each 256
	// bytes of it; a Handler adds what its own work costs (Server.Work). Past the bound, Feed returns after the frame. 0 is no bound.
	FeedWork int

	once          sync.Once
	maxStreams    int
	streamWindow  int64
	maxList       int
	maxFields     int
	maxBlock      int // bytes of a field section before decoding
	maxLines      int // of a field section, twice as many as maxList has room for: no client that knows the bound sends them
	continuations int
	rates         [nBudgets]Rate
	greeting      []byte    // our SETTINGS frame
	sections      sync.Pool // of *section
}

// The parameters of SETTINGS (RFC 9113 §6.5.2, RFC 8441 §3, RFC 9218 §2.1).
const (
	settingTableSize       = 0x1
	settingPush            = 0x2
	settingMaxStreams      = 0x3
	settingWindow          = 0x4
	settingMaxFrame        = 0x5
	settingMaxHeaderList   = 0x6
	settingConnectProtocol = 0x8
	settingNoPriorities    = 0x9
)

const (
	tableSize     = 4096 // bytes of the HPACK table, the protocol's default
	maxParameters = 64   // of a SETTINGS frame, each of which may change every stream's window
)

func orDefault(n, def int) int {
	if n <= 0 {
		return def
	}
	return n
}

// prepare works out the defaults and the SETTINGS frame.
func (s *Settings) prepare() {
	s.maxStreams = orDefault(s.MaxStreams, 100)
	s.streamWindow = int64(min(orDefault(s.StreamWindow, 16<<10), baseWindow))
	s.maxList = orDefault(s.MaxHeaderList, 16<<10)
	s.maxFields = orDefault(s.MaxFields, 100)
	s.maxBlock = max(2*s.maxList, maxFrame)
	s.maxLines = 2 * max(s.maxList/fieldOverhead, s.maxFields)
	s.continuations = orDefault(s.Budgets.Continuations, 8)
	s.rates = s.Budgets.rates()
	s.sections.New = func() any { return &section{Request: Request{Fields: make([]Field, 0, usualFields)}} }

	values := []Setting{
		{settingMaxStreams, uint32(s.maxStreams)},
		{settingWindow, uint32(s.streamWindow)},
		{settingMaxHeaderList, uint32(s.maxList)},
		{settingNoPriorities, 1},
	}
	if s.ExtendedConnect {
		values = append(values, Setting{settingConnectProtocol, 1})
	}
	s.greeting = appendFrame(nil, 6*len(values), typeSettings, 0, 0)
	for _, v := range values {
		s.greeting = binary.BigEndian.AppendUint16(s.greeting, v.ID)
		s.greeting = binary.BigEndian.AppendUint32(s.greeting, v.Value)
	}
}

// A Setting is a parameter of a SETTINGS frame. It is an alias, as Field is.
type Setting = struct {
	ID    uint16
	Value uint32
}

const maxShape = 16 // settings kept

// A Shape is how a client began its connection, which tells one implementation from another.
type Shape struct {
	Settings     []Setting // of the first SETTINGS frame in order, the first 16; to be read only
	WindowUpdate uint32    // the first increment of the connection's window before the first request, 0 if none
	Pseudo       string    // order of the first request's pseudo-header fields, a letter each: m, a, s, p; c for :protocol
}

// Shape returns what has been seen so far; it is complete when Handler.Headers is called for the first time.
func (s *Server) Shape() Shape {
	return Shape{s.shape, s.shapeWindow, string(s.shapePseudo[:s.shapeN])}
}

// onSettings takes the client's SETTINGS (RFC 9113 §6.5).
func (s *Server) onSettings(out []byte, f frame, p []byte) ([]byte, *ConnError) {
	switch {
	case f.id != 0:
		return out, connError(ProtocolError, "settings on a stream")
	case f.has(flagAck) && len(p) != 0:
		return out, connError(FrameSizeError, "settings acknowledgement with payload")
	case f.has(flagAck):
		if err := s.spend(settingsFrames); err != nil {
			return out, err
		}
		s.acknowledged()
		return out, nil
	case len(p)%6 != 0:
		return out, connError(FrameSizeError, "bad length of settings")
	case len(p)/6 > maxParameters:
		return out, connError(EnhanceYourCalm, "too many settings")
	}
	if err := s.spend(settingsFrames); err != nil {
		return out, err
	}
	if !s.settled {
		s.settled = true
		s.shape = make([]Setting, 0, min(len(p)/6, maxShape))
	}
	before := s.peerWindow
	for ; len(p) > 0; p = p[6:] {
		v := Setting{binary.BigEndian.Uint16(p), binary.BigEndian.Uint32(p[2:])}
		if len(s.shape) < cap(s.shape) {
			s.shape = append(s.shape, v)
		}
		if err := s.apply(v); err != nil {
			return out, err
		}
	}
	out = appendFrame(out, 0, typeSettings, flagAck, 0)
	if s.peerWindow > before {
		out = s.writable(out)
	}
	return out, nil
}

// apply takes over one of the client's parameters. Those that bound what a server doesn't do are only checked.
func (s *Server) apply(v Setting) *ConnError {
	switch v.ID {
	case settingTableSize:
		// Our encoder has no use for the table. A smaller one has to be confirmed, once and for all (RFC 7541 §4.2).
		if v.Value < tableSize && s.table == tableDefault {
			s.table = tableToShrink
		}
	case settingPush, settingConnectProtocol, settingNoPriorities:
		if v.Value > 1 {
			return connError(ProtocolError, "bad value of a setting")
		}
	case settingMaxFrame:
		if v.Value < maxFrame || v.Value > 1<<24-1 {
			return connError(ProtocolError, "bad value of the maximum frame size")
		}
	case settingWindow:
		if v.Value > maxWindow {
			return connError(FlowControlError, "initial window too large")
		}
		delta := int64(v.Value) - s.peerWindow
		s.peerWindow = int64(v.Value)
		for i := range s.streams {
			if s.streams[i].send += delta; s.streams[i].send > maxWindow {
				return connError(FlowControlError, "initial window overflows a stream's")
			}
		}
	}
	return nil
}

// acknowledged notes that the client knows our SETTINGS: from now on streams have the smaller window.
func (s *Server) acknowledged() {
	delta := s.settings.streamWindow - s.window
	s.window = s.settings.streamWindow
	for i := range s.streams {
		s.streams[i].recv += delta
	}
}
