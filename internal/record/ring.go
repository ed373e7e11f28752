package record

import (
	"bytes"
	"os"
)

// ring keeps the newest lines in a buffer of fixed size. Positions count bytes since the start and never fall.
type ring struct {
	buffer  []byte
	written uint64 // where the next line goes
	taken   uint64 // up to where the log's writer has come; always the beginning of a line
	// behind counts the lines from taken to written, whether they are still there or not.
	behind int
}

// newRing touches each page of the buffer, so that the system finds memory for it now, and not while requests wait for the ring's lock.
func newRing(size int) ring {
	buffer := make([]byte, size)
	for i := 0; i < size; i += os.Getpagesize() {
		buffer[i] = 0
	}
	return ring{buffer: buffer}
}

// add appends a line, which ends in a line feed and is shorter than the buffer, over the oldest ones.
func (r *ring) add(line []byte) {
	at := int(r.written % uint64(len(r.buffer)))
	n := copy(r.buffer[at:], line)
	copy(r.buffer, line[n:])
	r.written += uint64(len(line))
	r.behind++
}

// oldest is the position of the oldest byte that is still there.
func (r *ring) oldest() uint64 { return r.written - min(r.written, uint64(len(r.buffer))) }

// waiting is how many bytes the log's writer has not taken, be they still there or not.
func (r *ring) waiting() uint64 { return r.written - r.taken }

// take appends the oldest whole lines that the log's writer has not taken yet, up to size bytes, which is more than a line has. lost
// is how many lines were overwritten before it came.
func (r *ring) take(dst []byte, size int) (out []byte, lost int) {
	if r.taken < r.oldest() {
		lost = r.skip()
	}
	from := len(dst)
	dst = r.appendRange(dst, r.taken, min(r.written, r.taken+uint64(size)))
	lines := dst[from:]
	lines = lines[:bytes.LastIndexByte(lines, '\n')+1]
	r.taken += uint64(len(lines))
	r.behind -= bytes.Count(lines, newline)
	return dst[:from+len(lines)], lost
}

// skip goes on to the first line that is there whole, and returns how many were not.
func (r *ring) skip() (lost int) {
	there := r.behind
	r.taken = r.oldest()
	older, newer := r.parts(r.taken, r.written)
	r.behind = bytes.Count(older, newline) + bytes.Count(newer, newline)
	// The oldest byte may begin a line, but what was before it is gone: it counts as a rest.
	cut := bytes.IndexByte(older, '\n')
	if cut < 0 {
		cut = len(older) + bytes.IndexByte(newer, '\n')
	}
	r.taken += uint64(cut + 1)
	r.behind--
	return there - r.behind
}

// appendRange appends a copy of what lies between two positions.
func (r *ring) appendRange(dst []byte, from, to uint64) []byte {
	older, newer := r.parts(from, to)
	return append(append(dst, older...), newer...)
}

// parts are the bytes between two positions, in two parts where the buffer's end lies between.
func (r *ring) parts(from, to uint64) (older, newer []byte) {
	at, n := int(from%uint64(len(r.buffer))), int(to-from)
	first := min(n, len(r.buffer)-at)
	return r.buffer[at : at+first], r.buffer[:n-first]
}
