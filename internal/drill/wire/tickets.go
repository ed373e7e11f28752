package wire

import (
	"net/netip"
	"sync"

	parrot "github.com/refraction-networking/utls"
)

// maxTickets is how many clients of a Dialer keep a session to resume; an arbitrary one forgets where there are more.
const maxTickets = 8192

// tickets are the sessions that clients may resume: one each, used once, as browsers do (RFC 8446 §C.4).
type tickets struct {
	mu   sync.Mutex
	kept map[client]*parrot.ClientSessionState
}

// client is who may resume a session.
type client struct {
	source   netip.Addr
	software *Software
}

// of returns the tickets of one client, nil if its software never comes back with one.
func (t *tickets) of(source netip.Addr, s *Software) *wallet {
	if sketch := sketches[s.Hello.kind]; sketch == nil || !sketch.tickets {
		return nil
	}
	return &wallet{t, client{source, s}}
}

// wallet is one client's tickets. All are for the Dialer's target, so the key is not looked at.
type wallet struct {
	all    *tickets
	client client
}

// holds reports whether there is a session to resume. A nil wallet holds none.
func (w *wallet) holds() bool {
	if w == nil {
		return false
	}
	w.all.mu.Lock()
	defer w.all.mu.Unlock()
	return w.all.kept[w.client] != nil
}

// Get takes the client's session.
func (w *wallet) Get(string) (*parrot.ClientSessionState, bool) {
	w.all.mu.Lock()
	defer w.all.mu.Unlock()
	s, ok := w.all.kept[w.client]
	delete(w.all.kept, w.client)
	return s, ok
}

// Put keeps a session of TLS 1.3, the newest of those that a server gives.
func (w *wallet) Put(_ string, s *parrot.ClientSessionState) {
	w.all.mu.Lock()
	defer w.all.mu.Unlock()
	if s == nil || s.Vers() != parrot.VersionTLS13 {
		delete(w.all.kept, w.client)
		return
	}
	if w.all.kept == nil {
		w.all.kept = map[client]*parrot.ClientSessionState{}
	}
	if _, had := w.all.kept[w.client]; !had && len(w.all.kept) >= maxTickets {
		for other := range w.all.kept {
			delete(w.all.kept, other)
			break
		}
	}
	w.all.kept[w.client] = s
}
