package store

import (
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
)

// A delete is noted in a journal before it is done, by whoever deletes: the segment's writer may be busy for long. The journal has the
// number of the segment that is being written, so that all it speaks of is in that one or in older ones; it goes when these are gone. A
// delete is noted only of what there is, so there are no more notes than records.
type journal struct {
	folder folder
	bytes  atomic.Int64 // of all journals

	mu     sync.Mutex
	number uint32
	file   file // nil until there is something to note
	size   int64
}

// note is 24 bytes: what is deleted, its key (8), the seq (8) up to which, CRC.
const noteSize = 24

const (
	noteKey = 1 + iota
	noteAll // whatever the key
)

// write notes a delete; when it returns, no process that comes after a crash of this one will find what was deleted.
func (j *journal) write(what uint32, k Key, seq uint64) error {
	var b [noteSize]byte
	n := binary.LittleEndian.AppendUint32(b[:0], what)
	n = binary.LittleEndian.AppendUint64(n, uint64(k))
	n = binary.LittleEndian.AppendUint64(n, seq)
	n = binary.LittleEndian.AppendUint32(n, sum(n))
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		f, err := j.folder.open(journalName(j.number), true)
		if err != nil {
			return err
		}
		size, err := f.size()
		if err != nil {
			f.Close()
			return err
		}
		j.file, j.size = f, size-size%noteSize
	}
	if _, err := j.file.WriteAt(n, j.size); err != nil {
		return err
	}
	j.size += noteSize
	j.bytes.Add(noteSize)
	return nil
}

// turn begins the journal of another segment, and brings the one before to the disk.
func (j *journal) turn(number uint32) error {
	j.mu.Lock()
	old := j.file
	j.number, j.file = number, nil
	j.mu.Unlock()
	if old == nil {
		return nil
	}
	return errors.Join(old.Sync(), old.Close())
}

// sync brings what is noted to the disk.
func (j *journal) sync() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	return j.file.Sync()
}

// parseNotes goes through a journal's notes. One that is cut off was never finished, and what it would have deleted was not said to be
// deleted; any other that is damaged is ErrCorrupt.
func parseNotes(text []byte, each func(what uint32, k Key, seq uint64)) error {
	for ; len(text) >= noteSize; text = text[noteSize:] {
		n := text[:noteSize]
		what := get32(n, 0)
		if get32(n, 20) != sum(n[:20]) || what != noteKey && what != noteAll {
			return ErrCorrupt
		}
		each(what, Key(get64(n, 4)), get64(n, 12))
	}
	return nil
}
