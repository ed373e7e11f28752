package store

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
)

// The files of a disk tier. Segments and journals have a number before their ending, in hexadecimal; it only grows.
const (
	lockFile      = "lock"
	secretFile    = "secret"
	openedFile    = "opened.json"
	segmentEnding = ".segment"
	journalEnding = ".deleted"
)

func segmentName(number uint32) string { return fmt.Sprintf("%08x%s", number, segmentEnding) }
func journalName(number uint32) string { return fmt.Sprintf("%08x%s", number, journalEnding) }

// numberOf reads a file's number from its name.
func numberOf(name, ending string) (number uint32, ok bool) {
	digits, ok := strings.CutSuffix(name, ending)
	if !ok || len(digits) != 8 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 16, 32)
	return uint32(n), err == nil && n > 0
}

// segment is a file of records. Records are only appended; at its end a sealed one lists them.
type segment struct {
	number uint32
	file   file
	// refs counts who reads it, and the disk itself until it gives the segment up. At 0 the file is closed.
	refs atomic.Int32
	// What follows is the writer's.
	size    int64
	written []entry // what the list will have
}

// entry is a record in a segment's list.
type entry struct {
	key                Key
	seq                uint64
	offset, meta, body uint32
}

func newSegment(number uint32, f file) *segment {
	s := &segment{number: number, file: f}
	s.refs.Store(1)
	return s
}

// acquire keeps the file open until release; it reports false if it is too late for that.
func (s *segment) acquire() bool {
	for {
		n := s.refs.Load()
		if n == 0 {
			return false
		}
		if s.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (s *segment) release() {
	if s.refs.Add(-1) == 0 {
		s.file.Close()
	}
}

// append writes a record and returns where. The body goes first, so that a head is a whole record's.
func (s *segment) append(before, body []byte) (offset uint32, err error) {
	at := s.size
	if len(body) > 0 {
		if _, err := s.file.WriteAt(body, at+int64(len(before))); err != nil {
			return 0, err
		}
	}
	if _, err := s.file.WriteAt(before, at); err != nil {
		return 0, err
	}
	s.size += int64(len(before) + len(body))
	return uint32(at), nil
}

// void makes a record one that nobody wants, for ever.
func (s *segment) void(offset uint32) error {
	_, err := s.file.WriteAt(voided(), int64(offset))
	return err
}

const (
	entrySize    = 28
	trailerSize  = 24
	trailerMagic = 0x4c527753
)

// seal writes the list of records, and after it a trailer: magic, number of entries, offset of the first (8), CRC of them, CRC of the
// trailer.
func (s *segment) seal() error {
	list := make([]byte, 0, len(s.written)*entrySize+trailerSize)
	for _, e := range s.written {
		list = binary.LittleEndian.AppendUint64(list, uint64(e.key))
		list = binary.LittleEndian.AppendUint64(list, e.seq)
		list = binary.LittleEndian.AppendUint32(list, e.offset)
		list = binary.LittleEndian.AppendUint32(list, e.meta)
		list = binary.LittleEndian.AppendUint32(list, e.body)
	}
	of := sum(list)
	at := len(list)
	list = binary.LittleEndian.AppendUint32(list, trailerMagic)
	list = binary.LittleEndian.AppendUint32(list, uint32(len(s.written)))
	list = binary.LittleEndian.AppendUint64(list, uint64(s.size))
	list = binary.LittleEndian.AppendUint32(list, of)
	list = binary.LittleEndian.AppendUint32(list, sum(list[at:]))
	if _, err := s.file.WriteAt(list, s.size); err != nil {
		return err
	}
	s.size += int64(len(list))
	s.written = nil
	return nil
}

// readList reads the list of a sealed segment of that size; ok is false if there is none that is whole.
func readList(f file, size int64) (list []entry, ok bool) {
	var t [trailerSize]byte
	if size < trailerSize {
		return nil, false
	}
	if _, err := f.ReadAt(t[:], size-trailerSize); err != nil {
		return nil, false
	}
	count, at := int64(get32(t[:], 4)), int64(get64(t[:], 8))
	if get32(t[:], 0) != trailerMagic || get32(t[:], 20) != sum(t[:20]) || at < 0 || at+count*entrySize+trailerSize != size {
		return nil, false
	}
	text := make([]byte, count*entrySize)
	if _, err := f.ReadAt(text, at); err != nil || sum(text) != get32(t[:], 16) {
		return nil, false
	}
	list = make([]entry, count)
	for i := range list {
		p := text[i*entrySize:]
		list[i] = entry{Key(get64(p, 0)), get64(p, 8), get32(p, 16), get32(p, 20), get32(p, 24)}
	}
	return list, true
}

// scan goes through the records of a segment that was never sealed, and returns them and where the last whole one ends: what follows
// was being written when its process ended.
func scan(f file, size int64) (list []entry, end int64) {
	var b [headSize]byte
	for end+headSize <= size {
		if _, err := f.ReadAt(b[:], end); err != nil {
			return list, end
		}
		h, ok := parseHead(b[:])
		if !ok || end+h.total() > size {
			return list, end
		}
		next := end + h.total()
		meta := h.meta
		if h.apart {
			if _, err := f.ReadAt(b[:placeSize], next-placeSize); err != nil {
				return list, end
			}
			meta |= apartIn(getPlace(b[:]).segment)
		}
		if !h.void {
			list = append(list, entry{h.key, h.seq, uint32(end), meta, h.body})
		}
		end = next
	}
	return list, end
}
