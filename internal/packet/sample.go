package packet

import "time"

// A Sample is a packet's beginning and what became of it.
type Sample struct {
	Time     time.Time
	Reason   Reason
	Listener int // as in Counter
	Length   int // of the IP packet, as it says itself
	Network  int // where in Frame the IP header begins
	Payload  int // where what is behind the TCP or UDP header does, in the packet as it came: perhaps behind Frame; 0 if nothing is
	Features [Features]uint32
	Frame    []byte // at most 160 bytes
}

// Word is a term's feature of the sample, unmasked; ok is false where the sample has none, so that no term holds.
func (s *Sample) Word(f Feature, offset int) (word uint32, ok bool) {
	if f < Features {
		return s.Features[f], true
	}
	at := s.Payload + offset
	if s.Payload == 0 || at+4 > min(len(s.Frame), s.Network+s.Length) { // what pads the frame is no payload
		return 0, false
	}
	b := s.Frame[at:]
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3]), true
}
