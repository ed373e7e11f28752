// Package coding encodes responses in gzip, Brotli and Zstandard.
//
// It learns a body and writes its coded form, in steps of [StepSize], so that whoever runs them can do something else between two. An
// encoder's memory (up to 10 MB for zstd at [Hot]) is kept for the next body until the collector wants it; how many are at work
// is the caller's bound. It fails by giving up: a form that does not save enough is none.
//
// Measured on the HTML of a manual page, 64 KiB, on one core (2026; µs are of a busy machine, so read them as ratios):
//
//	         Fast                     Hot
//	br       5: 25.4 %, 2,800 µs      9: 25.0 %, 4,000 µs    10: 22.6 %, 74,000 µs   11: 22.1 %, 174,000 µs
//	zstd     7: 27.7 %,   700 µs     11: 26.4 %, 2,300 µs
//	gzip     5: 27.9 %,   600 µs      8: 26.6 %, 5,000 µs     9: 26.5 %, 6,300 µs
//
// On a page of 272 KiB br has 11.7 and 11.3 %, zstd 12.5 and 11.9 %, gzip 14.7 and 13.8 %. So Brotli is the smallest at either level, and
// who takes all gets that. What is left out is not worth its price here, as each step keeps a worker from a handshake: of Brotli's levels 10
// and 11 for 30 ms and more, of gzip's level 9 for 280 ms if the body is random letters of an alphabet of three. Step by step, the levels
// here take no more than 30 ms for such a body, and a few ms for a page.
package coding

import (
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/seawall/seawall/httpcache"
)

// StepSize is how much of a body is encoded at once, in bytes.
const StepSize = 32 << 10

// Level is how much time is spent on a form.
type Level uint8

// Fast is for what has been asked for, Hot for what is asked for again and again.
const (
	Fast Level = iota
	Hot
	passing // of a Stream: for what is sent once
	levels
)

// MaxShare is the largest part of a body, in hundredths, that its form may be: one that saves less is not worth its memory, nor the
// client's time.
const MaxShare = 95

// window is how far back encoders look for what repeats, in bytes: RFC 9659 lets zstd have 8 MiB, but the pages of a site are smaller
// than this, and clients' memory is spared.
const (
	window    = 1 << 20
	brotliWin = 20 // its logarithm
	// That of a Stream is smaller: there are many at a time, and they last.
	streamWindow = 1 << 18
	streamWin    = 18
)

// Encoders make forms. The zero value is ready, and may be used by several goroutines.
type Encoders struct {
	idle [httpcache.NumCodings][levels]sync.Pool // of encoder
}

// encoder is what the three libraries have in common.
type encoder interface {
	io.WriteCloser
	Flush() error
	// Reset begins a new body.
	Reset(w io.Writer)
}

// Job is one body on its way to a form. It is for one goroutine at a time.
type Job struct {
	encoders *Encoders
	coding   httpcache.Coding
	level    Level
	encoder  encoder // nil when it is over
	rest     []byte
	form     form
}

// Begin begins to encode a body, which must not be changed.
func (e *Encoders) Begin(c httpcache.Coding, l Level, body []byte) *Job {
	j := &Job{encoders: e, coding: c, level: l, rest: body}
	j.form.most = int(int64(len(body)) * MaxShare / 100)
	j.form.data = make([]byte, 0, min(len(body)/4+64, j.form.most))
	j.encoder, _ = e.idle[c][l].Get().(encoder)
	if j.encoder == nil {
		j.encoder = newEncoder(c, l)
	}
	if sized, ok := j.encoder.(*zstd.Encoder); ok {
		sized.ResetContentSize(&j.form, int64(len(body))) // decoders need no larger window then
	} else {
		j.encoder.Reset(&j.form)
	}
	return j
}

// Step encodes some more, and reports whether that was all, or in vain: see [Job.Form].
func (j *Job) Step() (done bool) {
	piece := j.rest[:min(len(j.rest), StepSize)]
	j.rest = j.rest[len(piece):]
	_, err := j.encoder.Write(piece)
	switch {
	case err != nil:
	case len(j.rest) == 0:
		err = j.encoder.Close()
	case j.coding == httpcache.Brotli && j.level == Hot: // which would gather 256 KiB, for a longer step; this costs 0.5 %
		err = j.encoder.Flush()
	}
	if err == nil && len(j.rest) > 0 {
		return false
	}
	j.form.whole = err == nil
	j.End()
	return true
}

// Form is the coded form once Step has reported so; nil if it would be too large.
func (j *Job) Form() []byte {
	if !j.form.whole {
		return nil
	}
	if spare := cap(j.form.data) - len(j.form.data); spare > len(j.form.data)/8 {
		return slices.Clip(append(make([]byte, 0, len(j.form.data)), j.form.data...))
	}
	return j.form.data
}

// End gives the encoder back. It is called for a job that is given up, and does nothing after the last Step.
func (j *Job) End() {
	if j.encoder == nil {
		return
	}
	j.encoder.Reset(io.Discard) // lets go of the form
	j.encoders.idle[j.coding][j.level].Put(j.encoder)
	j.encoder, j.rest = nil, nil
}

// newEncoder makes an encoder. The levels are constants that the libraries know.
func newEncoder(c httpcache.Coding, l Level) encoder {
	switch c {
	case httpcache.Brotli:
		return brotli.NewWriterOptions(io.Discard, brotli.WriterOptions{
			Quality: [levels]int{5, 9, 3}[l], LGWin: [levels]int{brotliWin, brotliWin, streamWin}[l],
		})
	case httpcache.Zstd:
		level := [levels]zstd.EncoderLevel{zstd.SpeedBetterCompression, zstd.SpeedBestCompression, zstd.SpeedFastest}[l]
		size := [levels]int{window, window, streamWindow}[l]
		// One goroutine, which is the caller's own: the work belongs on its thread.
		w, err := zstd.NewWriter(io.Discard, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(size))
		if err != nil {
			panic(err) // the constants are right
		}
		return w
	}
	w, err := gzip.NewWriterLevel(io.Discard, [levels]int{5, 8, 3}[l])
	if err != nil {
		panic(err) // the constants are right
	}
	return w
}

// form is where a coded body is written.
type form struct {
	data  []byte
	most  int
	whole bool
}

var errTooLarge = errors.New("the form saves too little")

// Write implements [io.Writer]. It fails when the form is too large.
func (f *form) Write(p []byte) (int, error) {
	if len(f.data)+len(p) > f.most {
		return 0, errTooLarge
	}
	f.data = append(f.data, p...)
	return len(p), nil
}
