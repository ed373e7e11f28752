package nft

import (
	"encoding/binary"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/seawall/seawall/internal/packet"
)

const (
	protocolTCP = 6
	protocolUDP = 17

	flagFIN, flagSYN, flagRST, flagACK = 1, 2, 4, 16

	register   = 1 // of 16 bytes
	registers4 = 8 // the first of those of 4 bytes, which are the same storage
)

// A match is what a packet has to be, as expressions that come one after the other. All must hold.
type match []expr.Any

// and joins matches, and what is done with the packets.
func and(all ...match) match {
	var m match
	for _, one := range all {
		m = append(m, one...)
	}
	return m
}

// equal compares what is in the register.
func equal(data ...byte) match {
	return match{&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: data}}
}

func meta(key expr.MetaKey, data ...byte) match {
	return and(match{&expr.Meta{Key: key, Register: register}}, equal(data...))
}

func (f family) packets() match { return meta(expr.MetaKeyNFPROTO, f.protocol) }

func protocol(number byte) match { return meta(expr.MetaKeyL4PROTO, number) }

func loopback() match {
	name := make([]byte, unix.IFNAMSIZ)
	copy(name, "lo")
	return meta(expr.MetaKeyIIFNAME, name...)
}

func load(base expr.PayloadBase, offset, length, to uint32) match {
	return match{&expr.Payload{DestRegister: to, Base: base, Offset: offset, Len: length}}
}

func header(offset, length uint32) match {
	return load(expr.PayloadBaseNetworkHeader, offset, length, register)
}

func segment(offset, length uint32) match {
	return load(expr.PayloadBaseTransportHeader, offset, length, register)
}

// masked keeps some bits of what is in the register.
func masked(bits ...byte) match {
	return match{&expr.Bitwise{SourceRegister: register, DestRegister: register, Len: uint32(len(bits)), Mask: bits, Xor: make([]byte, len(bits))}}
}

// flags are TCP's: of some, these are set and the others not.
func flags(of, set byte) match { return and(segment(13, 1), masked(of), equal(set)) }

// state is what connection tracking says of the packet: of some bits, these are set and the others not.
func state(of, set uint32) match {
	return and(match{&expr.Ct{Key: expr.CtKeySTATE, Register: register}},
		masked(binary.NativeEndian.AppendUint32(nil, of)...), equal(binary.NativeEndian.AppendUint32(nil, set)...))
}

// network loads the source's network of that many bits.
func (f family) network(bits int) match {
	m := header(f.source, f.length)
	if bits == int(f.length)*8 {
		return m
	}
	mask := make([]byte, f.length)
	for i := range bits {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return and(m, masked(mask...))
}

func port(offset uint32, number uint16) match {
	return and(segment(offset, 2), equal(binary.BigEndian.AppendUint16(nil, number)...))
}

func in(set *nftables.Set) match {
	return match{&expr.Lookup{SourceRegister: register, SetName: set.Name, SetID: set.ID}}
}

// choose goes where a map says, by what is in the registers from the first of 4 bytes on.
func choose(set *nftables.Set) match {
	return match{&expr.Lookup{SourceRegister: registers4, SetName: set.Name, SetID: set.ID, IsDestRegSet: true}}
}

// over holds for what exceeds a rate, with one second's worth at once.
func over(rate uint64, kind expr.LimitType) *expr.Limit {
	return &expr.Limit{Type: kind, Rate: rate, Unit: expr.LimitTimeSecond, Burst: uint32(min(rate, 1<<31)), Over: true}
}

func exceeds(rate uint32) match { return match{over(uint64(rate), expr.LimitTypePkts)} }

// meter is like over for each key that is in the register, as long as the set has room.
func meter(set *nftables.Set, limit *expr.Limit) match {
	return match{&expr.Dynset{
		SrcRegKey: register, SetName: set.Name, SetID: set.ID, Operation: unix.NFT_DYNSET_OP_UPDATE, Timeout: remembered, Exprs: []expr.Any{limit},
	}}
}

// remembered is how long a meter knows a source after its last packet.
const remembered = 10 * time.Second

func verdict(kind expr.VerdictKind, chain string) match {
	return match{&expr.Verdict{Kind: kind, Chain: chain}}
}

func jump(chain string) match { return verdict(expr.VerdictJump, chain) }

func accept() match { return verdict(expr.VerdictAccept, "") }

// count adds the packet to a counter.
func count(reason packet.Reason) match {
	return match{&expr.Objref{Type: unix.NFT_OBJECT_COUNTER, Name: reason.String()}}
}

// drop counts the packet and drops it.
func drop(reason packet.Reason) match { return and(count(reason), verdict(expr.VerdictDrop, "")) }
