package packet

import (
	"errors"
	"iter"
	"net/netip"
	"time"

	"github.com/seawall/seawall/internal/spec"
)

// A Backend filters packets in the kernel of this machine, as the node wants or as it can.
type Backend struct {
	// Open puts a filter in force at the interfaces that the node names, or takes over what a process before has left in pins.
	Open func(s *spec.Packets, pins string) (Filter, error)

	// Detach removes all that a filter with these pins has left, whether or not its process lives. It is no error if there is nothing.
	Detach func(pins string) error
}

// A Filter drops packets in the kernel. What it is told stays in force when it is closed. Its methods may be called by several goroutines.
type Filter interface {
	// SetPolicy puts a policy in force, whole.
	SetPolicy(p Policy) error

	// SetAllow replaces the set of those who are let through before all else.
	SetAllow(prefixes []netip.Prefix) error

	// Replace replaces the set of those who are refused.
	Replace(deny []netip.Prefix) error

	// BanAll refuses sources until a time, Unban one no longer. Bans are those in force. There is an ErrFull if there was no room for some.
	BanAll(bans []Ban) error
	Unban(p netip.Prefix) error
	Bans() iter.Seq2[netip.Prefix, time.Time]

	// Attached says where packets are judged.
	Attached() []Attachment

	// Counters are those that are not 0.
	Counters() ([]Counter, error)

	// Find is what would be said of an address, whatever it sends.
	Find(addr netip.Addr) (Finding, error)

	// Tend does what wants to be done about ten times a second.
	Tend() error

	Close() error
}

// An Inspector is a Filter that shows packets, and drops those that look like one another.
type Inspector interface {
	Filter

	// Samples hands over the packets sampled since it was called last, as many as there was room for. A sample is valid during the call.
	Samples(each func(*Sample)) error

	// SetSignatures replaces all signatures, and sets their counters to 0. Signatures are those in force, SignatureCounts by their place.
	SetSignatures(signatures []Signature) error
	Signatures() ([]Signature, error)
	SignatureCounts() ([]Count, error)
}

// ErrFull says that there is no room for another ban. The program has room for some 170,000.
var ErrFull = errors.New("no room for another ban")

// An Attachment is where packets are judged.
type Attachment struct {
	Interface string `json:"name"` // "all" for all
	Mode      string `json:"mode"` // "xdp, native", "xdp, generic", "nftables, ingress" or "nftables, prerouting"
}

// A Count is packets, and bytes of them as IP packets.
type Count struct{ Packets, Bytes uint64 }

// A Counter counts the packets to a listener that met one end.
type Counter struct {
	Listener int // in the policy; -1 of packets that tell no port, or where listeners are not told apart
	Reason   Reason
	Count
}

// A Finding is what a filter would say of an address, whatever it sends.
type Finding struct {
	Allowed  bool
	Denied   bool
	Banned   netip.Prefix // the ban that it falls under; invalid if it falls under none
	Until    time.Time    // the end of that
	Over     bool         // it, or its network, is at one of its ceilings now; false where that can't be told
	Fullness float64      // of the fullest of its buckets, 0 to 1
}
