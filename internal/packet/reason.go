package packet

import "fmt"

// A Reason is what became of a packet, and why.
type Reason uint8

// Reasons, in the order in which they are looked for.
const (
	Passed       Reason = iota // let through
	Allowed                    // let through before all else
	LeftToKernel               // a SYN over the listener's rate, for which the kernel had room
	Cookie                     // such a SYN, answered with a cookie
	Banned                     // a ban
	Denied                     // in the set
	BySignature                // looks like an attack
	Malformed                  // impossible TCP flags or header length
	NoState                    // TCP that belongs to no connection
	BadCookie                  // an ACK without the cookie that it would need
	NoCookie                   // a SYN that could not be answered
	OverInitials               // QUIC Initials over the listener's rate
	OverReflects               // answers of amplifiers over the listener's rate
	OverPieces                 // fragments over the addresses' rate
	OverICMP                   // ICMP over the addresses' rate
	OverHost                   // the source is over its ceiling
	OverGroup                  // its /24 or /48 is
	Reasons                    // how many there are
)

// String is a word, the same in metrics.
func (r Reason) String() string {
	names := [Reasons]string{
		Passed: "passed", Allowed: "allowed", LeftToKernel: "left-to-kernel", Cookie: "cookie", Banned: "banned", Denied: "denied",
		BySignature: "signature", Malformed: "malformed", NoState: "no-state", BadCookie: "bad-cookie", NoCookie: "no-cookie",
		OverInitials: "over-initials", OverReflects: "over-reflected", OverPieces: "over-fragments", OverICMP: "over-icmp",
		OverHost: "over-source", OverGroup: "over-network",
	}
	if r < Reasons {
		return names[r]
	}
	return fmt.Sprintf("reason-%d", uint8(r))
}

// Dropped reports whether packets with this reason go no further.
func (r Reason) Dropped() bool { return r > Cookie }
