package h2

import (
	"time"

	"golang.org/x/net/http2/hpack"
)

// A Handler is told what a client sent, within Server.Feed. out is what is to be sent so far; a Handler that answers
// at once appends to it with the server's Append methods, and every method returns it.
type Handler interface {
	// Headers begins a request. r is valid until Headers returns; its strings stay valid.
	Headers(out []byte, r *Request) []byte

	// Data is a part of a request's content. p aliases the input; end says that the request is complete.
	Data(out []byte, id uint32, p []byte, end bool) []byte

	// Trailers completes a request. The slice is valid until Trailers returns.
	Trailers(out []byte, id uint32, fields []Field) []byte

	// Reset ends a stream, by the client or by an error of the client's. Nothing can be sent on it any more.
	Reset(out []byte, id uint32, code Code) []byte

	// Writable says that a stream on which AppendData couldn't send all can send again.
	Writable(out []byte, id uint32) []byte
}

// A Server is one connection.
type Server struct {
	settings *Settings
	handler  Handler
	failed   *ConnError
	breach   *ConnError // a budget that was exceeded outside of Feed

	dec     *hpack.Decoder // nil before the first HEADERS
	section *section       // what dec adds to; nil between two calls of Feed
	head    head           // the field section that waits for CONTINUATION
	data    data           // the DATA frame under way

	streams []stream // open ones in order of ids
	ring    []uint32 // streams closed last; see closed
	updates []update // priorities of streams to come
	ringAt  uint8
	table   uint8  // what the client knows of our encoder's table
	goAway  uint8  // GOAWAY frames sent
	shapeN  uint8  // of shapePseudo
	maxID   uint32 // the highest stream id the client used
	lastID  uint32 // the highest one that is served, once goAway is 2
	turn    uint32 // the incremental stream that was last in turn
	wants   int    // streams with want

	greeted, prefaced, settled bool // we sent SETTINGS; the client sent its preface, its SETTINGS
	gone                       bool // the client sent GOAWAY

	shape       []Setting
	shapeWindow uint32
	shapePseudo [nPseudos]byte

	send       int64 // bytes of content we may send on the connection
	recv       int64 // bytes of content the client may send on the connection
	pending    int64 // to be added to recv and announced; negative if more was granted than came
	peerWindow int64 // the client's initial window of streams
	window     int64 // ours, as far as the client knows it

	spent spent
	work  int // of this Feed
}

// What the client knows of the HPACK table of our encoder.
const (
	tableDefault  uint8 = iota // it has the default size
	tableToShrink              // the next field section has to say that its size is zero
	tableNone                  // its size is zero
)

// NewServer returns the server's side of a connection that has just been accepted.
func NewServer(s *Settings, h Handler) *Server {
	s.once.Do(s.prepare)
	server := &Server{settings: s, handler: h, send: baseWindow, recv: baseWindow, peerWindow: baseWindow, window: baseWindow}
	server.spent.begin()
	return server
}

// Feed reads what the client sent, calls the Handler, and appends to out what is to be sent, which begins with our
// SETTINGS at the first call, even with nothing to read. It used the first used bytes of in; the rest, less than
// MaxFrame, is to be fed again with what follows, or if Tired, as it is. now is for Budgets and must not go back.
//
// An error is a *ConnError, and the connection is to be closed once out, which ends with GOAWAY, has been sent.
func (s *Server) Feed(in, out []byte, now time.Time) (used int, _ []byte, err error) {
	s.work = 0
	if s.failed != nil {
		return 0, out, s.failed
	}
	if s.spent.at.IsZero() {
		s.spent.at = now
	}
	s.spent.tick(now, &s.settings.rates)
	if !s.greeted {
		s.greeted = true
		out = append(out, s.settings.greeting...)
	}
	used, out, failed := s.read(in, out)
	if s.section != nil {
		if s.section.release() {
			s.settings.sections.Put(s.section)
		}
		s.section = nil
	}
	if failed == nil {
		failed = s.breach
	}
	if failed != nil {
		s.failed = failed
		return used, appendGoAway(out, s.served(), failed.Code), failed
	}
	return used, out, nil
}

// Tired reports whether the last Feed returned at the bound of Settings.FeedWork.
func (s *Server) Tired() bool { return s.settings.FeedWork > 0 && s.work >= s.settings.FeedWork }

// Work adds to the work of this Feed.
func (s *Server) Work(units int) { s.work += units }

// served returns the highest stream id that is or was served.
func (s *Server) served() uint32 {
	if s.goAway == 2 {
		return s.lastID
	}
	return s.maxID
}

// read reads frames until in is used up or ends within one.
func (s *Server) read(in, out []byte) (used int, _ []byte, err *ConnError) {
	if !s.prefaced {
		n := min(len(in), len(Preface))
		if string(in[:n]) != Preface[:n] {
			return 0, out, connError(ProtocolError, "bad preface")
		}
		if n < len(Preface) {
			return 0, out, nil
		}
		s.prefaced, used = true, n
	}
	for err == nil && s.breach == nil && !s.Tired() {
		if s.data.open {
			var n int
			if n, out = s.readData(out, in[used:]); n == 0 && s.data.open {
				break
			}
			used += n
			continue
		}
		if len(in)-used < frameHead {
			break
		}
		f, p := readFrame(in[used:]), in[used+frameHead:]
		if err = s.admit(f); err != nil {
			break
		}
		if f.typ == typeData {
			if f.has(flagPadded) && f.length > 0 && len(p) == 0 {
				break // the pad length follows
			}
			var n int
			n, out, err = s.onData(out, f, p)
			used += frameHead + n
			continue
		}
		if len(p) < f.length {
			break
		}
		out, err = s.onFrame(out, f, p[:f.length])
		used += frameHead + f.length
	}
	return used, out, err
}

// admit checks what is true of every frame.
func (s *Server) admit(f frame) *ConnError {
	switch {
	case f.length > maxFrame:
		return connError(FrameSizeError, "frame too large")
	case !s.settled && (f.typ != typeSettings || f.has(flagAck)):
		return connError(ProtocolError, "first frame is not settings")
	case s.head.id != 0 && (f.typ != typeContinuation || f.id != s.head.id):
		return connError(ProtocolError, "frame within a field section")
	case s.head.id == 0 && f.typ == typeContinuation:
		return connError(ProtocolError, "continuation of nothing")
	}
	return nil
}

// onFrame takes a frame other than DATA.
func (s *Server) onFrame(out []byte, f frame, p []byte) ([]byte, *ConnError) {
	switch f.typ {
	case typeHeaders:
		return s.onHeaders(out, f, p)
	case typePriority:
		return s.onPriority(out, f, p)
	case typeReset:
		return s.onReset(out, f, p)
	case typeSettings:
		return s.onSettings(out, f, p)
	case typePush:
		return out, connError(ProtocolError, "push by a client")
	case typePing:
		return s.onPing(out, f, p)
	case typeGoAway:
		return out, s.onGoAway(f, p)
	case typeWindow:
		return s.onWindow(out, f, p)
	case typeContinuation:
		return s.onContinuation(out, f, p)
	case typePriorityUpdate:
		return out, s.onPriorityUpdate(f, p)
	}
	return out, s.spend(unknownFrames)
}

// onPing takes PING (RFC 9113 §6.7).
func (s *Server) onPing(out []byte, f frame, p []byte) ([]byte, *ConnError) {
	switch {
	case f.id != 0:
		return out, connError(ProtocolError, "ping on a stream")
	case len(p) != 8:
		return out, connError(FrameSizeError, "bad length of a ping")
	}
	if err := s.spend(pings); err != nil || f.has(flagAck) {
		return out, err
	}
	return append(appendFrame(out, 8, typePing, flagAck, 0), p...), nil
}

// onGoAway takes GOAWAY (RFC 9113 §6.8): the client opens no more streams.
func (s *Server) onGoAway(f frame, p []byte) *ConnError {
	switch {
	case f.id != 0:
		return connError(ProtocolError, "goaway on a stream")
	case len(p) < 8:
		return connError(FrameSizeError, "bad length of a goaway")
	}
	s.gone = true
	return s.spend(unknownFrames)
}

// GoAway begins a graceful end (RFC 9113 §6.8). The first call announces it: streams are still taken. The second one,
// at least a round trip later, says which stream is the last to be served; later ones are ignored. Further calls do
// nothing.
func (s *Server) GoAway(out []byte) []byte {
	switch {
	case s.failed != nil || s.goAway == 2:
		return out
	case s.goAway == 0:
		s.goAway = 1
		if !s.greeted {
			s.greeted = true
			out = append(out, s.settings.greeting...)
		}
		return appendGoAway(out, maxWindow, NoError)
	}
	s.goAway, s.lastID = 2, s.maxID
	return appendGoAway(out, s.lastID, NoError)
}

// Pending reports whether the client has begun a field section or a DATA frame and not ended it. What Feed left of its
// input is pending, too.
func (s *Server) Pending() bool { return s.head.id != 0 || s.data.open }

// SendWindow returns how many bytes of content the connection's window lets us send.
func (s *Server) SendWindow() int64 { return s.send }

// Streams returns how many streams are open.
func (s *Server) Streams() int { return len(s.streams) }

// Done reports whether the connection may be closed: it failed, or one side said that it ends and no stream is open.
func (s *Server) Done() bool {
	return s.failed != nil || len(s.streams) == 0 && (s.gone || s.goAway == 2)
}
