package h2attack

import (
	"encoding/binary"
	"errors"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// heard is what a server has said on a connection.
type heard struct {
	reader *http2.Framer
	ended  chan struct{} // closed when the server has cut the attacker off
	closed chan struct{} // closed when the connection has ended

	news chan struct{} // has one when something has changed since it was last looked for

	mu       sync.Mutex
	end      string    // how it cut the attacker off; empty as long as it has not
	at       time.Time // when
	acked    int       // the highest number that came back in PING
	goAway   bool
	last     uint32 // stream in GOAWAY
	answered int    // responses with 2xx or 3xx
	refused  int    // with 4xx or 5xx
	resets   int
	open     map[uint32]struct{} // streams under way; nil if nobody asks
	all      bool                // that will be opened are
}

func newHeard(streams bool) *heard {
	h := &heard{ended: make(chan struct{}), closed: make(chan struct{}), news: make(chan struct{}, 1)}
	if streams {
		h.open = make(map[uint32]struct{})
	}
	return h
}

// listen reads until the connection ends, and calls cut when the attacker is cut off, and with each frame thereafter.
func (h *heard) listen(reader *http2.Framer, cut func()) {
	defer close(h.closed)
	reader.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	reader.SetReuseFrames()
	for {
		f, err := reader.ReadFrame()
		if _, bad := errors.AsType[http2.StreamError](err); bad {
			continue
		}
		h.mu.Lock()
		if err != nil {
			h.cut(ending(err))
		} else {
			h.take(f)
		}
		h.mu.Unlock()
		if h.over() {
			cut()
		}
		if err != nil {
			return
		}
	}
}

// ending tells a connection that was closed from one that was reset.
func ending(err error) string {
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return endReset
	}
	return endClosed
}

// take notes a frame; mu is held.
func (h *heard) take(f http2.Frame) {
	switch f := f.(type) {
	case *http2.PingFrame:
		if f.IsAck() {
			h.acked = max(h.acked, int(binary.BigEndian.Uint64(f.Data[:])))
			h.tell()
		}
	case *http2.MetaHeadersFrame:
		h.answer(f)
	case *http2.RSTStreamFrame:
		h.resets++
		h.finish(f.StreamID)
	case *http2.DataFrame:
		if f.StreamEnded() {
			h.finish(f.StreamID)
		}
	case *http2.GoAwayFrame:
		h.goAway, h.last = true, f.LastStreamID
		h.cut(goAwayPrefix + f.ErrCode.String())
	}
}

// answer notes the head of a response, or its trailers; mu is held.
func (h *heard) answer(f *http2.MetaHeadersFrame) {
	if status, err := strconv.Atoi(f.PseudoValue("status")); err == nil && status >= 200 {
		if status < 400 {
			h.answered++
		} else {
			h.refused++
		}
		h.tell()
	}
	if f.StreamEnded() {
		h.finish(f.StreamID)
	}
}

// finish notes the end of a stream; mu is held.
func (h *heard) finish(id uint32) {
	h.tell()
	if _, open := h.open[id]; !open {
		return
	}
	delete(h.open, id)
	h.judge()
}

// judge sees whether an attacker who opens no more streams has any left; mu is held.
func (h *heard) judge() {
	switch {
	case !h.all || len(h.open) > 0:
	case h.resets > 0:
		h.cut(endStreamsReset)
	default:
		h.cut(endStreamsAnswered)
	}
}

// cut notes that the attacker is cut off; mu is held.
func (h *heard) cut(how string) {
	if h.end == "" {
		h.end, h.at = how, time.Now()
		close(h.ended)
	}
}

// tell wakes who waits.
func (h *heard) tell() {
	select {
	case h.news <- struct{}{}:
	default:
	}
}

// opened notes that a stream is opened.
func (h *heard) opened(id uint32) {
	if h.open == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open[id] = struct{}{}
}

// complete notes that no more streams will be opened.
func (h *heard) complete() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open != nil && len(h.open) == 0 && h.answered+h.refused+h.resets == 0 {
		return // the attack has none
	}
	h.all = h.open != nil
	h.judge()
}

// over tells whether the attacker is cut off.
func (h *heard) over() bool {
	select {
	case <-h.ended:
		return true
	default:
		return false
	}
}

// wait waits for what is hoped for, for that long at the most or until the attacker is cut off. It calls hoped with mu held.
func (h *heard) wait(long time.Duration, hoped func() bool) bool {
	timeout := time.NewTimer(long)
	defer timeout.Stop()
	for {
		h.mu.Lock()
		ok := hoped()
		h.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-h.news:
		case <-h.ended:
			return false
		case <-timeout.C:
			return false
		}
	}
}
