package drill

import (
	"net/netip"
	"slices"
	"sync"

	"github.com/seawall/seawall/internal/drill/wire"
)

const (
	// maxLinks bounds the attackers' connections; the visitors need the rest of the process's descriptors.
	maxLinks = 6000
	// maxStreams is how many requests a bot has under way on one HTTP/2 connection; servers announce 100 or more.
	maxStreams = 32
)

// attacker is one source of an attack. The pool's lock guards all of it but source.
type attacker struct {
	source netip.Addr
	limit  int     // of its connections
	open   int     // of those, dialed and being dialed
	free   []*link // the one used last at the end
	shared *link   // over HTTP/2: takes several requests at a time
}

// link is a connection of an attacker's, and what the pool knows of it. A link that no request uses costs its
// connection and this: no goroutine, no buffer of its own.
type link struct {
	attack     *attack
	bot        *attacker
	look       *look
	conn       *wire.Conn
	shut       func() // resets what is connected; nil before that
	busy       int    // requests under way
	used       int    // requests begun
	spent      bool   // takes no more requests
	prev, next *link  // in the list of idle links
}

// pool bounds the connections of all attackers. Who needs one while there is no room takes the place of the one idle for
// longest.
type pool struct {
	mu    sync.Mutex
	most  int
	links map[*link]struct{}
	idle  link // head of a ring: next is idle for longest
}

func newPool(most int) *pool {
	p := &pool{most: most, links: map[*link]struct{}{}}
	p.idle.prev, p.idle.next = &p.idle, &p.idle
	return p
}

// acquire returns a link of b's for one request of a client that looks like that, connected or not; nil if b's are all
// waiting for answers, or all attackers' together.
func (p *pool) acquire(a *attack, b *attacker, l *look) *link {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := b.shared; s != nil && s.busy < maxStreams && a.suits(s, l) {
		return p.take(s)
	}
	for n := len(b.free); n > 0; n = len(b.free) {
		s := b.free[n-1]
		if a.suits(s, l) {
			return p.take(s)
		}
		p.remove(s) // of an earlier pulse
	}
	return p.open(a, b, l)
}

// hold opens a link that carries no requests of the pool's, for attacks that want connections.
func (p *pool) hold(a *attack, b *attacker) *link {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open(a, b, nil)
}

// open makes room for a new link.
func (p *pool) open(a *attack, b *attacker, l *look) *link {
	if a.over || b.open >= b.limit {
		return nil
	}
	if len(p.links) >= p.most {
		oldest := p.idle.next
		if oldest == &p.idle {
			return nil
		}
		p.remove(oldest)
	}
	s := &link{attack: a, bot: b, look: l}
	p.links[s] = struct{}{}
	b.open++
	return p.take(s)
}

// connected notes what s is connected by, and reports false, resetting that, if the attack is over by now.
func (p *pool) connected(s *link, c *wire.Conn, shut func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, found := p.links[s]; !found {
		shut()
		return false
	}
	s.conn, s.shut = c, shut
	if c != nil && c.HTTP2() && s.bot.shared == nil {
		s.bot.shared = s
	}
	return true
}

// release gives back s after a request; what cannot carry another is reset once its last request has ended. It reports
// whether s was still there: neither the attack's end nor the bound had taken it.
func (p *pool) release(s *link, reusable bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.busy--
	s.spent = s.spent || !reusable
	if s.spent && s.bot.shared == s {
		s.bot.shared = nil
	}
	_, found := p.links[s]
	switch {
	case !found || s.busy > 0:
	case s.spent:
		p.remove(s)
	default:
		p.rest(s)
	}
	return found
}

// spare has s count as idle while its holder only waits to see how long the target bears it.
func (p *pool) spare(s *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, found := p.links[s]; found {
		p.rest(s)
	}
}

// rest puts s among the idle.
func (p *pool) rest(s *link) {
	last := p.idle.prev
	s.prev, s.next = last, &p.idle
	last.next, p.idle.prev = s, s
	if s.bot.shared != s && s.busy == 0 {
		s.bot.free = append(s.bot.free, s)
	}
}

// take counts a request onto s, which may be its last.
func (p *pool) take(s *link) *link {
	p.wake(s)
	s.busy++
	s.used++
	if s.used == s.attack.Reuse {
		s.spent = true
		if s.bot.shared == s {
			s.bot.shared = nil
		}
	}
	return s
}

// wake takes s from among the idle.
func (p *pool) wake(s *link) {
	if s.prev == nil {
		return
	}
	s.prev.next, s.next.prev = s.next, s.prev
	s.prev, s.next = nil, nil
	for i, x := range slices.Backward(s.bot.free) {
		if x == s {
			s.bot.free = slices.Delete(s.bot.free, i, i+1)
			break
		}
	}
}

// remove resets and forgets s.
func (p *pool) remove(s *link) {
	if _, found := p.links[s]; !found {
		return
	}
	p.wake(s)
	delete(p.links, s)
	s.bot.open--
	if s.bot.shared == s {
		s.bot.shared = nil
	}
	if s.shut != nil {
		s.shut()
	}
}

// end resets every connection of a's, so that what waits on one returns.
func (p *pool) end(a *attack) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a.over = true
	for s := range p.links {
		if s.attack == a {
			p.remove(s)
		}
	}
}
