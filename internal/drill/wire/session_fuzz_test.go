package wire

import (
	"bytes"
	"io"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// said returns what a server says in frames.
func said(say func(fr *http2.Framer, fields func(namesAndValues ...string) []byte)) []byte {
	var out, block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	say(http2.NewFramer(&out, nil), func(namesAndValues ...string) []byte {
		block.Reset()
		for i := 0; i < len(namesAndValues); i += 2 {
			_ = enc.WriteField(hpack.HeaderField{Name: namesAndValues[i], Value: namesAndValues[i+1]})
		}
		return bytes.Clone(block.Bytes())
	})
	return out.Bytes()
}

// Whatever a server says, its streams end, within their bounds, and nothing is left over.
func FuzzSession(f *testing.F) {
	f.Add(said(func(fr *http2.Framer, fields func(...string) []byte) {
		fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20}, http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0})
		fr.WriteSettingsAck()
		fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields(":status", "103", "link", "x"), EndHeaders: true})
		fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields(":status", "200", "content-length", "5"), EndHeaders: true})
		fr.WriteDataPadded(1, false, []byte("hello"), make([]byte, 3))
		fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields("trailer", "x"), EndHeaders: true, EndStream: true})
		fr.WriteWindowUpdate(0, 70000)
		fr.WriteWindowUpdate(3, 70000)
		fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: fields(":status", "200")[:1], PadLength: 2,
			Priority: http2.PriorityParam{StreamDep: 1, Weight: 4}})
		fr.WriteContinuation(3, true, fields("a", "b"))
		fr.WriteGoAway(3, http2.ErrCodeNo, nil)
	}))
	f.Add(said(func(fr *http2.Framer, fields func(...string) []byte) {
		fr.WriteRSTStream(1, http2.ErrCodeRefusedStream)
		fr.WritePing(false, [8]byte{})
		fr.WriteData(3, true, nil)
	}))
	f.Fuzz(func(t *testing.T, in []byte) {
		l := &link{Conn: &talk{in: bytes.NewReader(in)}}
		c := &Conn{stream: l, link: l, software: plain, target: there}
		s, err := begin(c, plain.HTTP2)
		if err != nil {
			t.Fatal(err)
		}
		c.session = s
		s.reading = true // this goroutine is the one
		streams := [2]*stream{}
		bodies := [2]bytes.Buffer{}
		for i := range streams {
			st := &stream{response: &Response{}, w: &bodies[i], length: -1, credit: firstWindow, done: make(chan struct{})}
			if wait, err := s.admit(st); wait != nil || err != nil {
				t.Fatal("not admitted:", err)
			}
			streams[i] = st
		}
		s.receive()
		if !s.reading {
			s.fail(io.EOF) // it had nothing to read for any more
		}
		for i, st := range streams {
			<-st.done
			r := st.response
			if int64(bodies[i].Len()) > r.Bytes || r.Bytes > maxBody || len(r.Fields) > maxFields {
				t.Errorf("stream %d: %d bytes of %d, %d fields", st.id, bodies[i].Len(), r.Bytes, len(r.Fields))
			}
			if st.err == nil && (r.Status < 200 || r.Status > 599) {
				t.Errorf("stream %d: done with status %d", st.id, r.Status)
			}
		}
		if s.in.buf != nil || len(s.streams) > 0 {
			t.Errorf("a buffer of %d bytes and %d streams are left", len(s.in.buf), len(s.streams))
		}
	})
}
