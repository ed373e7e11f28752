package reqid

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// version is the layout of the evidence in a block.
const version = 1

var (
	// ErrNotSealed is the error for an id that carries no evidence.
	ErrNotSealed = errors.New("the request id is not a sealed one")

	// ErrSeal is the error for a sealed id that this key did not make.
	ErrSeal = errors.New("the request id was sealed with another key or altered")
)

// Evidence is why a request was refused. What the numbers stand for is the caller's.
type Evidence struct {
	Zone, Rule uint32
	Reason     uint8
}

// A Sealer seals evidence into ids and opens it again. It is safe for concurrent use.
type Sealer struct {
	block, tweak cipher.Block
}

// NewSealer returns the sealer of a key: 32 random bytes, used for nothing else.
func NewSealer(key [32]byte) *Sealer {
	return &Sealer{block: newAES(key[:16]), tweak: newAES(key[16:])}
}

func newAES(key []byte) cipher.Block {
	b, err := aes.NewCipher(key)
	if err != nil {
		panic(fmt.Sprintf("reqid: %v", err)) // the only error is a key of another size
	}
	return b
}

// AppendSealed appends the text of the id with the evidence sealed: the id's own 20 characters, then 26 more. It does not
// allocate if dst has room for 46 bytes.
func (s *Sealer) AppendSealed(dst []byte, id ID, e Evidence) []byte {
	dst = slices.Grow(dst, sealedText)
	// Blocks handed to a cipher.Block escape to the heap: until the text is there, its room serves for them.
	room := dst[len(dst) : len(dst)+2*aes.BlockSize]
	clear(room)
	tweak, block := room[:aes.BlockSize], room[aes.BlockSize:]
	binary.BigEndian.PutUint32(block, e.Zone)
	binary.BigEndian.PutUint32(block[4:], e.Rule)
	block[8], block[9] = e.Reason, version

	copy(tweak, id[:])
	s.tweak.Encrypt(tweak, tweak)
	subtle.XORBytes(block, block, tweak)
	s.block.Encrypt(block, block)
	subtle.XORBytes(block, block, tweak)

	sealed := [aes.BlockSize]byte(block)
	return appendBase32(id.Append(dst), sealed[:])
}

// Open parses the text of a sealed id and returns what is sealed in it. It fails with ErrNotID, ErrNotSealed (the id is
// returned all the same) or ErrSeal. A text that the key did not make passes with a chance of 2⁻⁵⁶.
func (s *Sealer) Open(text string) (ID, Evidence, error) {
	id, sealed, isSealed, err := Parse(text)
	if err != nil {
		return ID{}, Evidence{}, err
	}
	if !isSealed {
		return id, Evidence{}, ErrNotSealed
	}
	tweak, block := make([]byte, aes.BlockSize), sealed[:]
	copy(tweak, id[:])
	s.tweak.Encrypt(tweak, tweak)
	subtle.XORBytes(block, block, tweak)
	s.block.Decrypt(block, block)
	subtle.XORBytes(block, block, tweak)

	redundancy := [aes.BlockSize - 9]byte{version}
	if subtle.ConstantTimeCompare(block[9:], redundancy[:]) == 0 {
		return ID{}, Evidence{}, ErrSeal
	}
	return id, Evidence{
		Zone:   binary.BigEndian.Uint32(block),
		Rule:   binary.BigEndian.Uint32(block[4:]),
		Reason: block[8],
	}, nil
}
