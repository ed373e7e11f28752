package xdp

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"
)

// What bpf/hash.h, packet.h and policy.h name, and bpf2go does not hand on.
const (
	mix1 = 0x9e3779b97f4a7c15
	mix2 = 0xd6e8feb86659fd93

	protocolTCP = 6
	protocolUDP = 17

	flagCheckState    = 1
	flagAny4          = 1
	flagAny6          = 2
	flagCookieOptions = 4

	classSYN       = 0
	classInitial   = 1
	classReflected = 2
	classPiece     = 3
	classICMP      = 4

	ticksASecond = 239
	tickShift    = 22
)

// A salt keys every hash that a source could otherwise aim at.
type salt struct{ a, b uint64 }

func newSalt() (salt, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return salt{}, fmt.Errorf("making a salt: %w", err)
	}
	return salt{binary.LittleEndian.Uint64(b[:8]), binary.LittleEndian.Uint64(b[8:])}, nil
}

// An address in two halves; IPv4 is mapped.
type address struct{ hi, lo uint64 }

func halves(a netip.Addr) address {
	b := a.As16()
	return address{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (a address) addr() netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], a.hi)
	binary.BigEndian.PutUint64(b[8:], a.lo)
	return netip.AddrFrom16(b).Unmap()
}

// cut leaves the first bits, of 128.
func (a address) cut(bits int) address {
	if bits <= 64 {
		return address{a.hi & (^uint64(0) << (64 - bits)), 0}
	}
	return address{a.hi, a.lo & (^uint64(0) << (128 - bits))}
}

// bits128 is a prefix's length when IPv4 is mapped.
func bits128(p netip.Prefix) int {
	if p.Addr().Is4() {
		return 96 + p.Bits()
	}
	return p.Bits()
}

// hash is that of bpf/hash.h.
func (s salt) hash(a address, tweak uint64) uint64 {
	h := (a.hi ^ s.a) * mix1
	h ^= h >> 32
	h = (h ^ a.lo ^ s.b) * mix2
	h ^= h >> 29
	h = (h ^ tweak) * (s.a | 1)
	return h ^ h>>32
}

// networkBits are the length of an address's network: a /48, or a /24 of IPv4.
func networkBits(a address) int {
	if a.is4() {
		return 120
	}
	return 48
}

func (a address) is4() bool { return a.hi == 0 && a.lo>>32 == 0xffff }

// network is the hash of an address's network: see bpf/ban.h.
func (s salt) network(a address) uint64 {
	if a.is4() {
		return s.hash(address{a.lo >> 8, 0}, banTweak)
	}
	return s.hash(address{a.hi >> 16, 0}, banTweak)
}
