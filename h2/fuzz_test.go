package h2

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A player is a Handler whose answers depend on nothing but the stream's id, and which writes down what it is told.
// Pieces of content that follow each other are one.
type player struct {
	s    *Server
	log  []string
	open map[uint32]bool // what it was told of and not yet of the end
	bad  string
	last uint32 // whose content the last line is
}

func (h *player) note(format string, args ...any) {
	h.log = append(h.log, fmt.Sprintf(format, args...))
	h.last = 0
}

func (h *player) Headers(out []byte, r *Request) []byte {
	h.note("headers %d %s", r.ID, describe(r))
	if h.open[r.ID] = true; h.s.find(r.ID) < 0 {
		h.bad = "a request without a stream"
	}
	body := make([]byte, 3000)
	switch r.ID >> 1 % 8 {
	case 0:
		out = h.s.AppendHeaders(out, r.ID, 204, nil, -1, true)
	case 1:
		out = h.s.AppendHeaders(out, r.ID, 200, r.Fields, -1, false)
		out, _ = h.s.AppendData(out, r.ID, body, true)
	case 2:
		out = h.s.Grant(out, r.ID, 1<<16)
	case 3:
		out = h.s.AppendReset(out, r.ID, InternalError)
		delete(h.open, r.ID)
	case 4:
		h.s.Want(r.ID, true)
	case 5:
		out = h.s.AppendTrailers(h.s.AppendInfo(out, r.ID, 103, nil), r.ID, []Field{{"A", "b"}})
	}
	return out
}

func (h *player) Data(out []byte, id uint32, p []byte, end bool) []byte {
	if h.last == id {
		h.log[len(h.log)-1] += string(p)
	} else {
		h.note("content %d %s", id, p)
		h.last = id
	}
	if !h.open[id] {
		h.bad = "content of no request"
	}
	if end {
		h.note("end %d", id)
		return h.s.AppendHeaders(out, id, 200, nil, -1, true)
	}
	return out
}

func (h *player) Trailers(out []byte, id uint32, fields []Field) []byte {
	if h.note("trailers %d %v", id, fields); !h.open[id] {
		h.bad = "trailers of no request"
	}
	out = h.s.Grant(out, id, 10)
	return h.s.AppendTrailers(out, id, nil)
}

func (h *player) Reset(out []byte, id uint32, code Code) []byte {
	if h.note("reset %d %s", id, code); !h.open[id] {
		h.bad = "a reset of no request"
	}
	delete(h.open, id)
	return h.s.AppendReset(out, id, Cancel)
}

func (h *player) Writable(out []byte, id uint32) []byte {
	h.note("writable %d", id)
	out, _ = h.s.AppendData(out, id, make([]byte, 500), id>>1%2 == 0)
	return out
}

// playSplit feeds data in pieces whose sizes seed decides, 0 for all at once, and returns what happened.
func playSplit(t *testing.T, data []byte, seed uint64) (log []string, out []byte, err error) {
	settings := &Settings{MaxStreams: 10, MaxHeaderList: 2000, MaxFields: 10, ExtendedConnect: true}
	h := &player{open: make(map[uint32]bool)}
	h.s = NewServer(settings, h)
	now := time.Unix(1e9, 0)
	var in []byte
	for len(data) > 0 && err == nil {
		n := len(data)
		if seed > 0 {
			seed = seed*6364136223846793005 + 1442695040888963407
			n = min(n, 1+int(seed>>33)%(1<<(seed>>60)))
		}
		in, data = append(in, data[:n]...), data[n:]
		var used int
		if used, out, err = h.s.Feed(in, out, now); used > len(in) {
			t.Fatalf("used %d of %d bytes", used, len(in))
		}
		in = in[used:]
		if problem := h.s.broken(); problem != "" && err == nil {
			t.Fatal(problem)
		}
		if h.bad != "" {
			t.Fatal("told of " + h.bad)
		}
		if err == nil && len(in) >= MaxFrame {
			t.Fatalf("left %d bytes of input", len(in))
		}
	}
	for id := range h.open {
		if st := h.s.find(id); err == nil && st < 0 && !slices.Contains(h.log, fmt.Sprintf("end %d", id)) && !h.ended(id) {
			t.Fatalf("stream %d is gone, and nobody was told", id)
		}
	}
	return h.log, out, err
}

// ended tells whether the player knows that a stream is over: its request came whole, and its response went.
func (h *player) ended(id uint32) bool {
	for _, line := range h.log {
		var got uint32
		if n, _ := fmt.Sscanf(line, "trailers %d", &got); n == 1 && got == id {
			return true
		}
		if n, _ := fmt.Sscanf(line, "headers %d", &got); n == 1 && got == id && strings.HasSuffix(line, " end") {
			return true
		}
	}
	return false
}

// checkServer feeds data whole and in pieces, and wants the same to happen.
func checkServer(t *testing.T, data []byte, seed uint64) {
	log, out, err := playSplit(t, data, 0)
	for _, seed := range []uint64{seed | 1, math.MaxUint64} {
		log2, out2, err2 := playSplit(t, data, seed)
		if err != nil && err2 != nil && err.Error() != err2.Error() || (err == nil) != (err2 == nil) {
			t.Fatalf("whole: got %v, in pieces %v", err, err2)
		}
		if !slices.Equal(log, log2) {
			t.Fatalf("told: whole\n%s\nin pieces\n%s", strings.Join(log, "\n"), strings.Join(log2, "\n"))
		}
		if !bytes.Equal(out, out2) {
			t.Fatalf("sent: whole\n%q\nin pieces\n%q", out, out2)
		}
	}
	checkFramer(t, data, err)
	checkOutput(t, out, err)
}

// checkFramer wants what x/net refuses to be refused here, too.
func checkFramer(t *testing.T, data []byte, err error) {
	data, ok := bytes.CutPrefix(data, []byte(Preface))
	if !ok || err != nil {
		return
	}
	framer := http2.NewFramer(io.Discard, bytes.NewReader(data))
	framer.SetMaxReadFrameSize(maxFrame)
	for {
		f, ferr := framer.ReadFrame()
		if ferr == io.EOF || ferr == io.ErrUnexpectedEOF {
			return
		}
		if _, ok := errors.AsType[http2.StreamError](ferr); ok {
			continue // a window of nothing on a stream, or padding too long, which ends the connection here
		}
		if ferr != nil && !strings.Contains(fmt.Sprint(framer.ErrorDetail()), "PRIORITY frame payload") { // costs the stream here (RFC 9113 §6.3)
			t.Fatalf("x/net refuses a frame with %v (%v), got %v", ferr, framer.ErrorDetail(), err)
		} else if ferr != nil {
			return
		}
		_ = f
	}
}

// checkOutput wants x/net to understand what was sent.
func checkOutput(t *testing.T, out []byte, err error) {
	framer := http2.NewFramer(io.Discard, bytes.NewReader(out))
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var last http2.Frame
	for {
		f, ferr := framer.ReadFrame()
		if ferr == io.EOF {
			break
		}
		if ferr != nil {
			t.Fatalf("x/net can't read what was sent: %v", ferr)
		}
		last = f
	}
	if _, ok := last.(*http2.GoAwayFrame); ok != (err != nil) {
		t.Fatalf("got %v at the end, and error %v", last, err)
	}
}

// FuzzServer feeds whatever bytes.
func FuzzServer(f *testing.F) {
	p := newPeer(f, nil)
	start := append([]byte(Preface), settingsFrame(Setting{settingWindow, 100})...)
	for _, tt := range attacks {
		p.enc = hpack.NewEncoder(&p.block)
		data := slices.Clone(start)
		if tt.begin != nil {
			data = append(data, tt.begin(p)...)
		}
		for i := range 3 {
			data = append(data, tt.step(p, i)...)
		}
		if len(data) < 4000 {
			f.Add(data, uint64(1))
		}
	}
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), uint64(2))
	f.Fuzz(checkServer)
}

// FuzzFrames feeds frames that fit together more often than bytes do: each of ops is a byte that says which, and two for
// its stream and what is in it.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x10\x00\x05\x10\x00\x05\x20\x00\x00"), uint64(1))
	f.Add([]byte("\x01\x00\x00\x01\x01\x00\x02\x02\x00\x01\x03\x01\x13\x01\x07\x40\x00\xff\x40\x02\x10"), uint64(3))
	f.Add([]byte("\x01\x02\x00\x01\x04\x00\x13\x02\x80\x05\x02\x00\x06\x04\x01\x60\x00\x20\x70\x03\x03\x80\x00\x00\x90\x01\x03"), uint64(5))
	f.Fuzz(func(t *testing.T, ops []byte, seed uint64) { checkServer(t, script(t, ops), seed) })
}

// script writes frames by ops.
func script(t *testing.T, ops []byte) []byte {
	p := newPeer(t, nil)
	data := append([]byte(Preface), settingsFrame(Setting{settingWindow, 1000})...)
	kinds := [][]Field{request("GET"), request("POST"), request("POST", Field{"content-length", "5"}), request("CONNECT"),
		{{"x", "y"}}, request("GET", Field{"cookie", "a"}, Field{"priority", "u=1, i"}, Field{"cookie", "b"}), {{"X", ""}}, nil}
	for ; len(ops) >= 3 && len(data) < 1<<16; ops = ops[3:] {
		id, arg := 2*(uint32(ops[1])>>1)+1-uint32(ops[1]&1)*uint32(ops[1]>>7), ops[2]
		flags := ops[0] & 0xf & (flagEndStream | flagEndHeaders | flagPadded)
		switch ops[0] >> 4 {
		case 0, 1, 2:
			block := p.encode(kinds[arg%8]...)
			if flags&flagPadded != 0 {
				block = slices.Concat([]byte{arg}, block, make([]byte, arg))
			}
			data = append(data, raw(typeHeaders, flags|flagEndHeaders&^(arg>>4), id, block)...)
			if arg>>4&flagEndHeaders != 0 {
				data = append(data, raw(typeContinuation, flagEndHeaders, id, p.encode(kinds[4]...))...)
			}
		case 3, 4:
			data = append(data, raw(typeData, flags, id, append([]byte{arg}, make([]byte, int(arg)*64)...))...)
		case 5:
			data = append(data, dataFrame(id, "12345"[:arg%6], flags&flagEndStream != 0)...)
		case 6:
			data = append(data, resetFrame(id, Code(arg))...)
		case 7:
			data = append(data, settingsFrame(Setting{uint16(arg % 10), uint32(arg) << (2 * flags)})...)
		case 8:
			data = append(data, windowFrame(id*uint32(flags&1), int64(arg)<<(8*(flags>>2)))...)
		case 9:
			data = append(data, windowFrame(0, int64(arg)<<flags)...)
		case 10:
			data = append(data, priorityUpdate(id, "u=1, i")...)
		case 11:
			data = append(data, raw(typePriority, 0, id, []byte{0, 0, 0, arg, 0})...)
		case 12:
			data = append(data, settingsAck()...)
		case 13:
			data = append(data, raw(frameType(arg), flags, id, "12345678")...)
		default:
			data = append(data, raw(typePing, flags, 0, "12345678")...)
		}
	}
	return data
}

// FuzzHeaders has x/net's Framer and Server read the same field sections, spread over frames as sizes says, and the plain
// rules judge what the Framer read.
func FuzzHeaders(f *testing.F) {
	p := newPeer(f, nil)
	for _, fields := range [][]Field{
		request("GET"), request("POST", Field{"content-length", "7"}), chromium, h2load, {{":method", "CONNECT"}, {":authority", "a:1"}},
		request("CONNECT", Field{":protocol", "websocket"}), request("GET", Field{"cookie", "a"}, Field{"cookie", "b"}, Field{"host", "A.example:443"}),
		request("GET", Field{"te", "trailers"}, Field{"X", "y"}), {{":status", "200"}}, {{"x", "\r\n"}},
	} {
		block := p.encode(fields...)
		f.Add(append(append([]byte{byte(len(block))}, block...), "\x04\x82\x86\x84\xbe"...), uint8(0), true)
		f.Add(append([]byte{byte(len(block))}, block...), uint8(3), false)
	}
	f.Fuzz(func(t *testing.T, sections []byte, size uint8, end bool) {
		budgets := Rate{PerSecond: 1, Burst: 1e6}
		settings := &Settings{MaxHeaderList: 1 << 20, MaxFields: 1 << 20, ExtendedConnect: true,
			Budgets: Budgets{StreamErrors: budgets, EmptyFrames: budgets, TableUpdates: budgets, Resets: budgets, Continuations: 1 << 20}}
		h := new(keeper)
		s := NewServer(settings, h)
		if _, _, err := s.Feed(append([]byte(Preface), settingsFrame()...), nil, time.Unix(1e9, 0)); err != nil {
			t.Fatal(err)
		}
		dec := hpack.NewDecoder(4096, nil)
		for id := uint32(1); len(sections) > 0; id += 2 {
			n := min(int(sections[0]), len(sections)-1)
			block := sections[1 : 1+n]
			sections = sections[1+n:]
			frames := sectionFrames(id, block, int(size), end)
			h.got = nil
			_, out, err := s.Feed(append(slices.Clone(frames), resetFrame(id, Cancel)...), nil, time.Unix(1e9, 0))
			if !compareSection(t, dec, id, block, end, h.got, out, err) {
				return
			}
		}
	})
}

// A keeper keeps the last request.
type keeper struct {
	silent
	got *Request
}

func (h *keeper) Headers(out []byte, r *Request) []byte {
	h.got = new(Request)
	*h.got = *r
	h.got.Fields = slices.Clone(r.Fields)
	return out
}

// sectionFrames spreads a field section over frames of so many bytes, one if size is 0.
func sectionFrames(id uint32, block []byte, size int, end bool) []byte {
	flags := uint8(0)
	if end {
		flags = flagEndStream
	}
	var out []byte
	for typ := typeHeaders; ; typ, flags = typeContinuation, 0 {
		n := len(block)
		if size > 0 {
			n = min(n, size)
		}
		if n == len(block) {
			return append(out, raw(typ, flags|flagEndHeaders, id, block)...)
		}
		out = append(out, raw(typ, flags, id, block[:n])...)
		block = block[n:]
	}
}

// compareSection compares what Server made of a field section to what x/net and the plain rules make of it. It reports
// false if the connection ends.
//
// The section goes to the Framer in one frame: split, it ends the connection after an invalid field where Server only
// ends the stream. Changes of the table's size are taken off first: the Framer refuses the second of the two that there
// may be (RFC 7541 §4.2) unless the table is empty, and a third one is refused here.
func compareSection(t *testing.T, dec *hpack.Decoder, id uint32, block []byte, end bool, got *Request, out []byte, err error) bool {
	for n := 0; len(block) > 0 && block[0]>>5 == 1; n++ {
		size, used := readInt(block, 5)
		if used == 0 || size > tableSize || n == 2 {
			if err == nil || err.(*ConnError).Code != CompressionError {
				t.Fatalf("got %v, want a bad change of the table's size", err)
			}
			return false
		}
		dec.SetMaxDynamicTableSize(size)
		block = block[used:]
	}
	framer := http2.NewFramer(io.Discard, bytes.NewReader(sectionFrames(id, block, 0, end)))
	framer.ReadMetaHeaders = dec
	framer.MaxHeaderListSize = 1 << 20
	f, ferr := framer.ReadFrame()
	reset := string(out) == string(resetFrame(id, ProtocolError))
	if _, ok := errors.AsType[http2.StreamError](ferr); !ok && ferr != nil {
		if err == nil && reset { // what follows a malformed field is not expanded here, so that its fault may go unseen
			return false
		}
		if err == nil || err.(*ConnError).Code != CompressionError {
			t.Fatalf("got %v, x/net %v", err, ferr)
		}
		return false
	}
	lines, whole := fieldLines(block, len(block))
	if !whole { // x/net takes integers longer than need be, and late changes of a table that is empty
		if err == nil || err.(*ConnError).Code != CompressionError {
			t.Fatalf("got %v, want a bad field section", err)
		}
		return false
	}
	var want Request
	ok := false
	if ferr == nil {
		if n := len(f.(*http2.MetaHeadersFrame).Fields); n != lines {
			t.Fatalf("got %d field lines, x/net %d", lines, n)
		}
		var fields []Field
		for _, f := range f.(*http2.MetaHeadersFrame).Fields {
			fields = append(fields, Field{f.Name, f.Value})
		}
		want, ok = plainRequest(fields, end, true)
	}
	switch {
	case err != nil:
		t.Fatalf("got %v, x/net %v and a request: %t", err, ferr, ok)
	case ok != (got != nil) || ok == reset:
		t.Fatalf("got %v and reset %t, want a request: %t (%s; x/net %v)", got, reset, ok, describe(&want), ferr)
	case ok && (describe(got) != describe(&want) || !slices.Equal(got.Fields, want.Fields) || got.Length != want.Length):
		t.Fatalf("got %s, length %d, want %s, length %d", describe(got), got.Length, describe(&want), want.Length)
	}
	return true
}

// FuzzAppendHeaders has x/net read the heads that are written here.
func FuzzAppendHeaders(f *testing.F) {
	f.Add("Content-Type\ntext/html\nX-Cache\nHIT\nconnection\nclose\nVia\n2.0 a", uint16(200), uint16(1))
	f.Add("date\n\nSET-COOKIE\na=b", uint16(304), uint16(20000))
	f.Fuzz(func(t *testing.T, text string, status, repeat uint16) {
		lines := strings.Split(text, "\n")
		status = 100 + status%900
		var fields, want []Field
		want = append(want, Field{":status", fmt.Sprint(status)})
		for ; len(lines) >= 2; lines = lines[2:] {
			name, value := lines[0], strings.Repeat(lines[1], 1+int(repeat)*min(1, 64/max(1, len(lines[1]))))
			if !plainToken.MatchString(name) {
				continue
			}
			fields = append(fields, Field{name, value})
			if name = strings.ToLower(name); !slices.Contains([]string{"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te"}, name) {
				want = append(want, Field{name, value})
			}
		}
		var s Server
		s.table = uint8(repeat % 3)
		length := int64(repeat)<<32 - 1
		if length >= 0 {
			want = append(want, Field{"content-length", fmt.Sprint(length)})
		}
		out := s.appendHead([]byte("before"), 77, int(status), fields, length, flagEndStream)
		framer := http2.NewFramer(io.Discard, bytes.NewReader(out[len("before"):]))
		dec := hpack.NewDecoder(4096, nil)
		var block []byte
		for n := 0; ; n++ {
			f, err := framer.ReadFrame()
			if err == io.EOF {
				break
			}
			switch f := f.(type) {
			case *http2.HeadersFrame:
				block = append(block, f.HeaderBlockFragment()...)
				if f.StreamID != 77 || !f.StreamEnded() || n > 0 {
					t.Fatalf("got %v as frame %d", f, n)
				}
			case *http2.ContinuationFrame:
				block = append(block, f.HeaderBlockFragment()...)
			default:
				t.Fatalf("got %v, %v", f, err)
			}
		}
		got, err := dec.DecodeFull(block)
		if err != nil || !slices.EqualFunc(got, want, func(a hpack.HeaderField, b Field) bool { return a.Name == b.Name && a.Value == b.Value }) {
			t.Fatalf("got %v, %v\nwant %v", got, err, want)
		}
	})
}
