package store

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// A record is one object in a segment, little-endian:
//
//	head    40 bytes: magic, length of meta, length of body, CRC of meta, CRC of sums, key (8), seq (8), CRC of the head
//	sums    4 bytes a block of the body: its CRC
//	meta    what the cache wants to know beside the body
//	body
//
// In the place of a body there may be none: then it is apart, in another record of this segment or of one before, and the last 8 bytes of meta say
// where: segment and offset. That is how the news of an object are written whose body stays what it is.
//
// Each CRC is CRC-32C. The magic is outside of the head's, so that a record can be made void by 4 bytes written over it.
const (
	recordMagic = 0x31527753
	voidMagic   = 0x31567753
	headSize    = 40
	// BlockSize is how much of a body has one checksum, and so the least that is read of one.
	BlockSize = 64 << 10
	// maxMeta bounds a record's meta, in bytes.
	maxMeta = 1<<20 - 1
	// apart is the bit of a head's, a list's and a slot's length of meta that tells of a body that is elsewhere.
	apart     = 1 << 29
	placeSize = 8
)

// ErrCorrupt tells that what was read is not what was written.
var ErrCorrupt = errors.New("checksum does not match")

// castagnoli is the table of CRC-32C (RFC 3720 §B.4), for which processors have an instruction.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sum(p []byte) uint32 { return update(0, p) }

// update is the checksum of what has the checksum of, and p.
func update(of uint32, p []byte) uint32 { return crc32.Update(of, castagnoli, p) }

func appendSum(dst []byte, sum uint32) []byte { return binary.LittleEndian.AppendUint32(dst, sum) }

// head is the first part of a record.
type head struct {
	void, apart      bool
	key              Key
	seq              uint64 // later ones of a key, and later deletes, are greater
	meta, body       uint32 // lengths
	metaSum, sumsSum uint32
}

func blocks(body uint32) int { return int((uint64(body) + BlockSize - 1) / BlockSize) }

// prefix is how many bytes come before a body, and total how many there are with it.
func prefix(meta, body uint32) int     { return headSize + 4*blocks(body) + int(meta) }
func total(meta, body uint32) int64    { return int64(prefix(meta, body)) + int64(body) }
func (h *head) put(dst []byte)         { h.putMagic(dst); h.putRest(dst) }
func (h *head) putMagic(dst []byte)    { binary.LittleEndian.PutUint32(dst, recordMagic) }
func voided() []byte                   { return binary.LittleEndian.AppendUint32(nil, voidMagic) }
func get32(p []byte, at int) uint32    { return binary.LittleEndian.Uint32(p[at:]) }
func get64(p []byte, at int) uint64    { return binary.LittleEndian.Uint64(p[at:]) }
func put32(p []byte, at int, v uint32) { binary.LittleEndian.PutUint32(p[at:], v) }
func put64(p []byte, at int, v uint64) { binary.LittleEndian.PutUint64(p[at:], v) }

// total is how long the record is.
func (h *head) total() int64 {
	if h.apart {
		return int64(prefix(h.meta, h.body))
	}
	return total(h.meta, h.body)
}

func (h *head) putRest(dst []byte) {
	meta := h.meta
	if h.apart {
		meta |= apart
	}
	put32(dst, 4, meta)
	put32(dst, 8, h.body)
	put32(dst, 12, h.metaSum)
	put32(dst, 16, h.sumsSum)
	put64(dst, 20, uint64(h.key))
	put64(dst, 28, h.seq)
	put32(dst, 36, sum(dst[4:36]))
}

// parseHead reads a head; ok is false of what is none.
func parseHead(p []byte) (h head, ok bool) {
	if len(p) < headSize {
		return h, false
	}
	magic := get32(p, 0)
	if magic != recordMagic && magic != voidMagic || get32(p, 36) != sum(p[4:36]) {
		return h, false
	}
	h = head{
		void: magic == voidMagic, apart: get32(p, 4)&apart != 0, key: Key(get64(p, 20)), seq: get64(p, 28),
		meta: get32(p, 4) &^ apart, body: get32(p, 8), metaSum: get32(p, 12), sumsSum: get32(p, 16),
	}
	return h, h.meta <= maxMeta && (!h.apart || h.meta >= placeSize)
}

// appendSums appends the checksums of a body's blocks.
func appendSums(dst, body []byte) []byte {
	for len(body) > 0 {
		n := min(len(body), BlockSize)
		dst = appendSum(dst, sum(body[:n]))
		body = body[n:]
	}
	return dst
}

// appendPrefix appends all of a record that comes before its body, which is of size bytes and has these sums.
func appendPrefix(dst []byte, k Key, seq uint64, meta, sums []byte, size uint32) []byte {
	return head{key: k, seq: seq, meta: uint32(len(meta)), body: size}.append(dst, meta, sums)
}

// appendApart appends a record whose body is elsewhere.
func appendApart(dst []byte, k Key, seq uint64, meta, sums []byte, size uint32, at place) []byte {
	meta = binary.LittleEndian.AppendUint32(meta, at.segment)
	meta = binary.LittleEndian.AppendUint32(meta, at.offset)
	return head{apart: true, key: k, seq: seq, meta: uint32(len(meta)), body: size}.append(dst, meta, sums)
}

func (h head) append(dst, meta, sums []byte) []byte {
	h.metaSum, h.sumsSum = sum(meta), sum(sums)
	at := len(dst)
	dst = append(dst, make([]byte, headSize)...)
	h.put(dst[at:])
	return append(append(dst, sums...), meta...)
}

// place is where a body begins.
type place struct{ segment, offset uint32 }

func getPlace(p []byte) place { return place{get32(p, 0), get32(p, 4)} }

// before is what comes before a body, in parts.
type before struct {
	sums, meta []byte
	at         place // of a body that is apart
}

// checkPrefix verifies what comes before the body of a slot. A record that is void, or another key's, is not what was written there.
func checkPrefix(p []byte, v *slot) (b before, err error) {
	h, ok := parseHead(p)
	if !ok || h.void || h.key != v.key || h.meta != v.metaSize() || h.apart != v.apart() || h.body != v.body || len(p) != v.prefix() {
		return b, ErrCorrupt
	}
	b.sums, b.meta = p[headSize:headSize+4*blocks(v.body)], p[headSize+4*blocks(v.body):]
	if sum(b.sums) != h.sumsSum || sum(b.meta) != h.metaSum {
		return b, ErrCorrupt
	}
	if h.apart {
		end := len(b.meta) - placeSize
		b.meta, b.at = b.meta[:end], getPlace(b.meta[end:])
	}
	return b, nil
}

// checkBody verifies a body from the block first on; it begins and ends where blocks do.
func checkBody(sums, body []byte, first int) error {
	for i := first; len(body) > 0; i++ {
		n := min(len(body), BlockSize)
		if sum(body[:n]) != get32(sums, 4*i) {
			return ErrCorrupt
		}
		body = body[n:]
	}
	return nil
}
