package record

import (
	"bytes"
	"math"
	"slices"
)

// MostRefusals bounds what [Room.Refusals] returns.
const MostRefusals = 1000

var refusalMark = []byte(`,"refusal":"`) // no text contains it, as quotes in texts are escaped

// zoneAt is where a line's zone begins, if it has one: ids have always the same length too.
const zoneAt = idAt + len(idMark) + len("06f8d2c1xk00e0000g00") + len(`"`)

// Refusals returns the newest requests of a zone that were refused and are still in memory, the newest first: n at most, and
// [MostRefusals]. "" is every zone.
func (r *Room) Refusals(zone string, n int) []Entry {
	n = min(n, MostRefusals)
	if n <= 0 {
		return nil
	}
	want := refusedIn(zone)
	var lines [][]byte
	for i := range r.shards {
		lines = r.shards[i].appendNewest(lines, n, want)
	}
	slices.SortFunc(lines, func(a, b []byte) int { return bytes.Compare(b[idAt:zoneAt], a[idAt:zoneAt]) }) // ids sort by time
	var entries []Entry
	for _, line := range lines[:min(n, len(lines))] {
		if e, err := Parse(line); err == nil {
			entries = append(entries, e)
		}
	}
	return entries
}

// refusedIn tells lines of refused requests of a zone from others.
func refusedIn(zone string) func(line []byte) bool {
	mark := appendText(nil, `,"zone":"`, zone, maxText)
	return func(line []byte) bool {
		return bytes.HasPrefix(line[zoneAt:], mark) && bytes.Contains(line[zoneAt:], refusalMark)
	}
}

// appendNewest appends copies of the newest n lines of the shard that are wanted.
func (s *shard) appendNewest(lines [][]byte, n int, want func(line []byte) bool) [][]byte {
	to := uint64(math.MaxUint64)
	buffer := make([]byte, 0, findStep)
	var found [][]byte // in a piece
	for n > 0 {
		piece, from := s.copyBefore(buffer, to)
		if len(piece) == 0 {
			break
		}
		found = found[:0]
		for line := range bytes.Lines(piece) {
			if want(line) {
				found = append(found, line)
			}
		}
		for _, line := range slices.Backward(found[max(len(found)-n, 0):]) {
			lines = append(lines, bytes.Clone(line))
			n--
		}
		to = from
	}
	return lines
}

// copyBefore copies whole lines into buffer, up to findStep bytes that end at a position, and returns where they begin. A
// position beyond the newest line is that line's end. A ring is read so from its newest line backwards, and no request waits long for its lock.
func (s *shard) copyBefore(buffer []byte, to uint64) (lines []byte, from uint64) {
	s.mu.Lock()
	to = min(to, s.ring.written)
	from = max(s.ring.oldest(), to-min(to, findStep))
	if from < to {
		lines = s.ring.appendRange(buffer[:0], from, to)
	}
	s.mu.Unlock()
	if from == 0 || from >= to {
		return lines, min(from, to)
	}
	whole := bytes.IndexByte(lines, '\n') + 1 // what is before it may lack its beginning
	return lines[whole:], from + uint64(whole)
}
