package hello

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/seawall/seawall/ja4"
)

// Cause is why a handshake is refused.
type Cause uint8

// The causes, in the order in which they are looked for.
const (
	// NotTLS is something else than a ClientHello, or one that is broken or too long.
	NotTLS Cause = iota
	// DeniedFingerprint is a client's on a list.
	DeniedFingerprint
	// UnknownName is a server name, or none, that no zone serves.
	UnknownName
	// SourceFull is a source with as many handshakes under way as it may have.
	SourceFull
	// QueueFull is a place in the queue that was not to be had, was lost to another source or took too long.
	QueueFull
	// GaveWay is a handshake that waited for its client longer than others when there were too many.
	GaveWay
	causes
)

// Causes is how many there are, for arrays indexed by them.
const Causes = int(causes)

// String is the cause's name in metrics.
func (c Cause) String() string {
	return [...]string{"not-tls", "denied-fingerprint", "unknown-name", "source-full", "queue-full", "gave-way"}[c]
}

// Refusal is the error of a handshake that was ended before any asymmetric cryptography, or, if it gave way, in the middle.
type Refusal struct {
	Cause Cause
	// Detail is the evidence, or "".
	Detail string
}

// Error implements error.
func (r *Refusal) Error() string {
	if r.Detail == "" {
		return "handshake refused: " + r.Cause.String()
	}
	return "handshake refused: " + r.Cause.String() + ": " + r.Detail
}

// Fault is the error of a handshake that panicked.
type Fault struct {
	Value any
	Stack []byte
}

// Error implements error.
func (f *Fault) Error() string {
	return fmt.Sprintf("fault in a handshake: %v, at\n%s", f.Value, f.Stack)
}

// Stats is what a room has done since it was made.
type Stats struct {
	// Complete handshakes; Resumed are those of them that resumed a session.
	Complete, Resumed uint64
	// Classical is how many were answered without X25519MLKEM768 on offer, because too many waited.
	Classical uint64
	// Failed in the middle: the client's error, or its end.
	Failed uint64
	// Refused, by cause.
	Refused [Causes]uint64
	// Open handshakes were answered and are not complete; Waiting ones of them wait for their clients. Sources have any under way.
	Open, Waiting, Sources int
}

type counters struct {
	complete, resumed, classical, failed atomic.Uint64
	refused                              [Causes]atomic.Uint64
}

// Stats is what the room has done until now.
func (r *Room) Stats() Stats {
	s := Stats{
		Complete: r.counts.complete.Load(), Resumed: r.counts.resumed.Load(), Classical: r.counts.classical.Load(), Failed: r.counts.failed.Load(),
	}
	for i := range s.Refused {
		s.Refused[i] = r.counts.refused[i].Load()
	}
	u := &r.underway
	u.mu.Lock()
	defer u.mu.Unlock()
	s.Open, s.Waiting, s.Sources = u.open, u.waiting, len(u.sources)
	return s
}

// count counts how a handshake ended.
func (r *Room) count(err error) {
	if err == nil {
		r.counts.complete.Add(1)
	} else if refusal, ok := errors.AsType[*Refusal](err); ok {
		r.counts.refused[refusal.Cause].Add(1)
	} else {
		r.counts.failed.Add(1)
	}
}

// refused is the refusal of a client that asks for a name, or nil.
func (r *Room) refused(s *settings, p *Policy, name string, client ja4.Fingerprint) *Refusal {
	switch {
	case s.denied.has(client) || p != nil && p.denied.has(client):
		return &Refusal{DeniedFingerprint, client.String()}
	case s.strict && r.Serves != nil && !r.Serves(name) && !s.public[name]:
		return &Refusal{UnknownName, name}
	}
	return nil
}

// fingerprints is a set of clients.
type fingerprints map[ja4.Fingerprint]struct{}

func newFingerprints(list []ja4.Fingerprint) fingerprints {
	set := make(fingerprints, len(list))
	for _, f := range list {
		set[f] = struct{}{}
	}
	return set
}

func (s fingerprints) has(f ja4.Fingerprint) bool {
	_, ok := s[f]
	return ok
}

// alert is a fatal one in a record of its own (RFC 8446 §6), nil if there is nothing to say.
func (c Cause) alert() []byte {
	var description byte
	switch c {
	case DeniedFingerprint:
		description = 40 // handshake_failure
	case UnknownName:
		description = 112 // unrecognized_name
	default:
		return nil
	}
	return []byte{21, 3, 3, 0, 2, 2, description}
}

// normal is a server name as zones have it. crypto/tls takes no final dot.
func normal(name string) string { return strings.ToLower(name) }
