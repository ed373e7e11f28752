package cache

import (
	"io"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/cache/coding"
	"github.com/seawall/seawall/internal/flow"
)

// mostStreams bounds the responses that are coded on their way at one time: each takes about 1 MiB.
const mostStreams = 64

// streams codes what passes. A turn is taken for each piece, so that no more than half of the threads work on this.
type streams struct {
	places, turns chan struct{}
}

func (s *streams) init(threads int32) {
	s.places, s.turns = make(chan struct{}, mostStreams), make(chan struct{}, threads)
}

// Compress puts a response that is the origin's, and is not stored, into a coding that its client takes, piece by piece as it comes. It follows Keep,
// Invalidate and Learn. What is under way while the node has more important work (handshakes wait for it) passes as it is, and so does what comes
// when enough is coded already.
func (p *Policy) Compress(f *flow.Flow) {
	c, z := &f.Cache, &p.compression
	m := f.Message() // the flow's own, as it is not stored
	if m == nil || f.Origin.Message == nil || c.Meta != nil || f.Verdict.Answer != nil || f.Verdict.Settings.NoCompression {
		return
	}
	if flow.Get(f.Request.Fields, "accept-encoding") == "" || !z.passes(m) { // what is sent to who takes no coding, all can read
		return
	}
	if vary, ok := httpcache.VaryField(m.Fields); ok {
		m.Fields = append(m.Fields, vary)
	}
	accept := httpcache.ParseAcceptEncoding(f.Request.Fields)
	want := accept.Prefer(z.order, z.offered)
	request := httpcache.Request{Method: f.Request.Method, Fields: f.Request.Fields}
	if want == httpcache.Identity || f.Request.Method == "HEAD" || httpcache.WantsUntransformed(&request) || !p.room.encoding.enter() {
		return
	}
	f.Task.Leave() // coding takes its time
	s := &streamed{encoding: &p.room.encoding, cache: c, Stream: p.room.encoding.encoders.Stream(want)}
	if s.origin = m.Stream; s.origin == nil {
		s.origin = &held{m.Body}
	}
	passing := *m
	passing.Fields = httpcache.CodedFields(nil, m.Fields, want)
	passing.Body, passing.Length, passing.Stream = nil, -1, s
	c.Message = &passing
	c.Coding = want
}

// passes tells whether a response that is not stored is one of those that are coded. A body of unknown length may be any.
func (c *compression) passes(m *flow.Message) bool {
	if c.offered == 0 || !c.unstored || m.Length >= 0 && m.Length < c.minLength || m.Stream == nil && len(m.Body) == 0 || !c.compressible(m.Fields) {
		return false
	}
	return httpcache.Transformable(&httpcache.Response{Status: m.Status, Fields: m.Fields})
}

// enter takes a place among the streams, and reports false if there is none, or nothing is to be coded now.
func (e *encoding) enter() bool {
	if e.workers == nil || e.workers.Waiting() > 0 || len(e.streams.turns) == cap(e.streams.turns) {
		return false
	}
	select {
	case e.streams.places <- struct{}{}:
		return true
	default:
		return false
	}
}

// streamed is a body on its way from the origin to one client, in a coding.
type streamed struct {
	*coding.Stream
	encoding *encoding
	cache    *flow.Cache
	origin   flow.Body
	closed   bool
}

// Next implements [flow.Body]. Each piece comes out at once, in the coding.
func (s *streamed) Next() ([]byte, error) {
	for {
		piece, err := s.origin.Next()
		if err != nil && err != io.EOF {
			return nil, err
		}
		s.cache.Uncoded += int64(len(piece))
		s.encoding.streams.turns <- struct{}{}
		coded, failed := s.Code(piece, err == io.EOF)
		<-s.encoding.streams.turns
		if failed != nil {
			return nil, failed
		}
		if len(coded) > 0 || err == io.EOF {
			return coded, err
		}
	}
}

// Trailers implements [flow.Body].
func (s *streamed) Trailers() []flow.Field { return s.origin.Trailers() }

// Close implements [flow.Body].
func (s *streamed) Close() {
	if s.closed {
		return
	}
	s.closed = true
	s.origin.Close()
	s.End()
	<-s.encoding.streams.places
}

// held is a body that has come as a whole.
type held struct{ body []byte }

// Next implements [flow.Body].
func (h *held) Next() ([]byte, error) { return h.body, io.EOF }

// Trailers implements [flow.Body].
func (h *held) Trailers() []flow.Field { return nil }

// Close implements [flow.Body].
func (h *held) Close() {}
