package h2

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A teller is a Handler that writes down what it is told, a line each.
type teller struct {
	s       *Server
	told    []string
	content map[uint32]string // of requests
	answer  func(out []byte, r *Request) []byte
	write   func(out []byte, id uint32) []byte // called by Writable
	grant   bool                               // content, as it comes
}

func (h *teller) tell(format string, args ...any) {
	h.told = append(h.told, fmt.Sprintf(format, args...))
}

func (h *teller) Headers(out []byte, r *Request) []byte {
	h.tell("headers %d %s", r.ID, describe(r))
	if h.answer != nil {
		return h.answer(out, r)
	}
	return out
}

// describe is a request in a line: its pseudo-header fields, its others, and what is not as usual.
func describe(r *Request) string {
	text := []string{r.Method, r.Scheme, r.Authority, r.Path}
	if r.Protocol != "" {
		text = append(text, "protocol="+r.Protocol)
	}
	for _, f := range r.Fields {
		text = append(text, f.Name+"="+f.Value)
	}
	if r.Priority != (Priority{Urgency: defaultUrgency}) {
		text = append(text, fmt.Sprintf("u=%d i=%t", r.Priority.Urgency, r.Priority.Incremental))
	}
	if r.Length > 0 {
		text = append(text, fmt.Sprintf("length=%d", r.Length))
	}
	if r.Excess != 0 {
		text = append(text, fmt.Sprintf("excess=%d", r.Excess))
	}
	if r.End {
		text = append(text, "end")
	}
	return strings.Join(text, " ")
}

func (h *teller) Data(out []byte, id uint32, p []byte, end bool) []byte {
	if h.content == nil {
		h.content = make(map[uint32]string)
	}
	h.content[id] += string(p)
	if end {
		h.tell("content %d %q", id, h.content[id])
	}
	if h.grant {
		out = h.s.Grant(out, id, len(p))
	}
	return out
}

func (h *teller) Trailers(out []byte, id uint32, fields []Field) []byte {
	text := ""
	for _, f := range fields {
		text += " " + f.Name + "=" + f.Value
	}
	h.tell("trailers %d%s", id, text)
	return out
}

func (h *teller) Reset(out []byte, id uint32, code Code) []byte {
	h.tell("reset %d %s", id, code)
	return out
}

func (h *teller) Writable(out []byte, id uint32) []byte {
	h.tell("writable %d", id)
	if h.write != nil {
		return h.write(out, id)
	}
	return out
}

// A peer is a client on the other side of a Server.
type peer struct {
	teller
	t       testing.TB
	now     time.Time
	in      []byte // what Feed has not used
	err     error  // of the last Feed
	enc     *hpack.Encoder
	block   bytes.Buffer
	answers bytes.Buffer
	framer  *http2.Framer
}

// dial begins a connection: the preface and the client's SETTINGS are sent, and the server's are read.
func dial(t testing.TB, s *Settings, values ...Setting) *peer {
	p := newPeer(t, s)
	p.send([]byte(Preface), settingsFrame(values...))
	p.want("settings", "settings ack")
	return p
}

func newPeer(t testing.TB, s *Settings) *peer {
	if s == nil {
		s = new(Settings)
	}
	p := &peer{t: t, now: time.Unix(1e9, 0)}
	p.s = NewServer(s, &p.teller)
	p.enc = hpack.NewEncoder(&p.block)
	p.framer = http2.NewFramer(nil, &p.answers)
	p.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	return p
}

// send feeds frames, all in one piece.
func (p *peer) send(frames ...[]byte) {
	for _, f := range frames {
		p.in = append(p.in, f...)
	}
	used, out, err := p.s.Feed(p.in, nil, p.now)
	p.in, p.err = p.in[used:], err
	p.answers.Write(out)
	if err == nil {
		p.check()
	}
}

// check looks for what must always be true.
func (p *peer) check() {
	p.t.Helper()
	if msg := p.s.broken(); msg != "" {
		p.t.Fatal(msg)
	}
}

// broken tells which invariant of the connection does not hold, "" if all do.
func (s *Server) broken() string {
	wants, balance := 0, int64(0)
	for i, st := range s.streams {
		if st.want {
			wants++
		}
		balance += st.balance
		switch {
		case i > 0 && s.streams[i-1].id >= st.id || st.id > s.maxID:
			return fmt.Sprintf("stream %d is out of order", st.id)
		case st.localEnded && st.remoteEnded:
			return fmt.Sprintf("stream %d has ended and is still there", st.id)
		case st.send > maxWindow || st.recv > maxWindow || st.pending < 0:
			return fmt.Sprintf("stream %d: send window %d, receive window %d + %d", st.id, st.send, st.recv, st.pending)
		case st.localEnded && (st.want || st.blocked):
			return fmt.Sprintf("stream %d has ended and waits", st.id)
		}
	}
	switch got := s.recv + s.pending - balance; {
	case len(s.streams) > s.settings.maxStreams:
		return fmt.Sprintf("got %d streams, want %d at most", len(s.streams), s.settings.maxStreams)
	case wants != s.wants:
		return fmt.Sprintf("got %d wants, want %d", s.wants, wants)
	case got != baseWindow:
		return fmt.Sprintf("got a window of %d + %d, of which %d for streams: want %d beside those", s.recv, s.pending, balance, baseWindow)
	case s.recv < 0 || s.recv > maxWindow || s.send < 0 || s.send > maxWindow:
		return fmt.Sprintf("got windows of %d and %d", s.recv, s.send)
	case len(s.ring) > keepClosed || len(s.updates) > keepUpdates || len(s.shape) > maxShape || len(s.head.block) > s.settings.maxBlock:
		return "more is kept than may be"
	case s.section != nil:
		return "a section is kept between two calls of Feed"
	}
	return ""
}

// want compares what the server has sent since to lines.
func (p *peer) want(lines ...string) {
	p.t.Helper()
	if got, want := strings.Join(p.read(), "\n"), strings.Join(lines, "\n"); got != want {
		p.t.Errorf("sent:\ngot\n%s\nwant\n%s", got, want)
	}
}

// wantTold compares what the Handler was told since.
func (p *peer) wantTold(lines ...string) {
	p.t.Helper()
	if got, want := strings.Join(p.told, "\n"), strings.Join(lines, "\n"); got != want {
		p.t.Errorf("told:\ngot\n%s\nwant\n%s", got, want)
	}
	p.told = nil
}

// read returns what the server has sent, a line a frame.
func (p *peer) read() []string {
	p.t.Helper()
	var lines []string
	for {
		f, err := p.framer.ReadFrame()
		if err == io.EOF {
			return lines
		}
		if err != nil {
			p.t.Fatalf("the server's frames can't be read: %v", err)
		}
		lines = append(lines, frameText(f))
	}
}

func frameText(f http2.Frame) string {
	id, end := f.Header().StreamID, ""
	if f.Header().Flags.Has(http2.FlagDataEndStream) && (f.Header().Type == http2.FrameData || f.Header().Type == http2.FrameHeaders) {
		end = " end"
	}
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		text := fmt.Sprintf("headers %d", id)
		for _, f := range f.Fields {
			text += " " + f.Name + "=" + f.Value
		}
		return text + end
	case *http2.DataFrame:
		return fmt.Sprintf("data %d %d", id, len(f.Data())) + end
	case *http2.RSTStreamFrame:
		return fmt.Sprintf("reset %d %s", id, Code(f.ErrCode))
	case *http2.GoAwayFrame:
		return fmt.Sprintf("goaway %d %s", f.LastStreamID, Code(f.ErrCode))
	case *http2.WindowUpdateFrame:
		return fmt.Sprintf("window %d %d", id, f.Increment)
	case *http2.SettingsFrame:
		if f.IsAck() {
			return "settings ack"
		}
		return "settings"
	case *http2.PingFrame:
		return fmt.Sprintf("ping %q ack=%t", f.Data[:], f.IsAck())
	}
	return f.Header().String()
}

// wantFailed wants the connection to have ended with an error, after a GOAWAY.
func (p *peer) wantFailed(code Code, reason string) {
	p.t.Helper()
	e, ok := p.err.(*ConnError)
	switch {
	case !ok:
		p.t.Errorf("got error %v, want %s: %s", p.err, code, reason)
	case e.Code != code || e.Reason != reason:
		p.t.Errorf("got error %s: %s, want %s: %s", e.Code, e.Reason, code, reason)
	case !p.s.Done():
		p.t.Error("got a failed connection that isn't done")
	}
}

// encode is a field section of the client's encoder.
func (p *peer) encode(fields ...Field) []byte {
	p.block.Reset()
	for _, f := range fields {
		if err := p.enc.WriteField(hpack.HeaderField{Name: f.Name, Value: f.Value}); err != nil {
			p.t.Fatal(err)
		}
	}
	return bytes.Clone(p.block.Bytes())
}

// get is a whole GET, post the head of a POST.
func (p *peer) get(id uint32, more ...Field) []byte {
	return raw(typeHeaders, flagEndHeaders|flagEndStream, id, p.encode(request("GET", more...)...))
}

func (p *peer) post(id uint32, more ...Field) []byte {
	return raw(typeHeaders, flagEndHeaders, id, p.encode(request("POST", more...)...))
}

// request is the field section of a request.
func request(method string, more ...Field) []Field {
	return append([]Field{{":method", method}, {":scheme", "https"}, {":authority", "a.example"}, {":path", "/"}}, more...)
}

// raw is a frame, whatever it means.
func raw[T string | []byte](typ frameType, flags uint8, id uint32, payload T) []byte {
	return append(appendFrame(nil, len(payload), typ, flags, id), payload...)
}

func settingsFrame(values ...Setting) []byte {
	var p []byte
	for _, v := range values {
		p = append(p, byte(v.ID>>8), byte(v.ID), byte(v.Value>>24), byte(v.Value>>16), byte(v.Value>>8), byte(v.Value))
	}
	return raw(typeSettings, 0, 0, p)
}

func settingsAck() []byte { return raw(typeSettings, flagAck, 0, "") }

func windowFrame(id uint32, n int64) []byte { return appendWindow(nil, id, n) }

func resetFrame(id uint32, code Code) []byte { return appendReset(nil, id, code) }

func dataFrame(id uint32, content string, end bool) []byte {
	if end {
		return raw(typeData, flagEndStream, id, content)
	}
	return raw(typeData, 0, id, content)
}

// repeat is n times what f returns.
func repeat(n int, f func(i int) []byte) []byte {
	var all []byte
	for i := range n {
		all = append(all, f(i)...)
	}
	return all
}
