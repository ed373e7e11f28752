package hello

import (
	"container/list"
	"crypto/tls"
	"sync"
)

// lru keeps the certificates that were asked for most recently. A handshake costs far more than its lock.
type lru struct {
	mu     sync.Mutex
	size   int
	order  *list.List // of *minted, most recent first
	byName map[string]*list.Element
}

type minted struct {
	name        string
	certificate *tls.Certificate
}

func newLRU(size int) *lru {
	return &lru{size: size, order: list.New(), byName: make(map[string]*list.Element, size)}
}

func (l *lru) get(name string) *tls.Certificate {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.byName[name]
	if e == nil {
		return nil
	}
	l.order.MoveToFront(e)
	return e.Value.(*minted).certificate
}

func (l *lru) put(name string, c *tls.Certificate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.byName[name]; e != nil {
		e.Value.(*minted).certificate = c
		l.order.MoveToFront(e)
		return
	}
	if l.order.Len() == l.size {
		oldest := l.order.Back()
		delete(l.byName, oldest.Value.(*minted).name)
		l.order.Remove(oldest)
	}
	l.byName[name] = l.order.PushFront(&minted{name, c})
}
