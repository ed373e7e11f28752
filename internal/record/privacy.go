package record

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"net/netip"
	"sync/atomic"
	"time"
)

// privacy hashes addresses: one block of AES under a key that is made at random, lives for a day (of UTC) and is never stored. Within
// a day the same visitor has the same hash; nobody can go back from it, and tomorrow it is another.
type privacy struct {
	key atomic.Pointer[dayKey]
}

type dayKey struct {
	day   int64
	block cipher.Block
}

// hashed is how many bytes of a block are written: enough for visitors not to be confused.
const hashed = 8

// keyAt is the key for a request that was received at a time. A request of yesterday that ends today gets today's: yesterday's is gone.
func (p *privacy) keyAt(received time.Time) *dayKey {
	day := received.Unix() / int64(24*time.Hour/time.Second)
	k := p.key.Load()
	if k == nil || k.day < day {
		k = p.renew(k, day)
	}
	return k
}

// append appends the hash of an address.
func (k *dayKey) append(dst []byte, addr netip.Addr) []byte {
	// In place, at the end of dst: a block of its own would escape to the heap.
	address := addr.As16()
	from := len(dst)
	dst = append(dst, address[:]...)
	block := dst[from:]
	k.block.Encrypt(block, block)
	half := [hashed]byte(block)
	return hex.AppendEncode(dst[:from], half[:])
}

// renew makes the key of a new day; of several callers one wins.
func (p *privacy) renew(old *dayKey, day int64) *dayKey {
	var key [16]byte
	rand.Read(key[:]) // never fails
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the key has the right length
	}
	p.key.CompareAndSwap(old, &dayKey{day, block})
	return p.key.Load()
}
