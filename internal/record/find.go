package record

import "bytes"

// findStep is how much of a ring is searched at a time, so that no request waits long for its ring's lock.
const findStep = 256 << 10

// Find returns the line of the request with this id, if it is still in memory.
func (r *Room) Find(id string) ([]byte, bool) {
	mark := []byte(idMark + id + `"`)
	var piece []byte
	for i := range r.shards {
		s := &r.shards[i]
		for from, more := uint64(0), true; more; {
			s.mu.Lock()
			from = max(from, s.ring.oldest())
			to := min(s.ring.written, from+findStep)
			piece = s.ring.appendRange(piece[:0], from, to)
			more = to < s.ring.written
			s.mu.Unlock()
			if line := findLine(piece, mark); line != nil {
				return line, true
			}
			// The next piece begins with the last line of this one, if that had not ended.
			whole := bytes.LastIndexByte(piece, '\n') + 1
			from += uint64(whole)
			more = more && whole > 0
		}
	}
	return nil, false
}

// findLine returns a copy of the whole line that has the mark behind its time, or nil.
func findLine(lines, mark []byte) []byte {
	at := bytes.Index(lines, mark)
	if at < idAt {
		return nil
	}
	end := bytes.IndexByte(lines[at:], '\n')
	if end < 0 {
		return nil
	}
	return bytes.Clone(lines[at-idAt : at+end])
}
