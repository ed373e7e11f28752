package flow

import "sync"

// Abort carries the news that a client is gone to whatever its flow waits for. It is made for one waiting owner at a time and
// costs nothing while nobody waits. The zero value is ready to use.
type Abort struct {
	mu      sync.Mutex
	gone    bool
	waiting Interrupter
}

// Interrupter is something a flow waits for and that can be told to give up.
type Interrupter interface {
	// Interrupt ends the wait soon; it must not wait itself and may be called after the wait is over.
	Interrupt()
}

// Watch makes w the one to interrupt when the client goes, and reports false if it has already gone.
func (a *Abort) Watch(w Interrupter) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gone {
		return false
	}
	a.waiting = w
	return true
}

// Unwatch ends what Watch began; after it returns, no interrupt begins.
func (a *Abort) Unwatch() {
	a.mu.Lock()
	a.waiting = nil
	a.mu.Unlock()
}

// Fire tells that the client is gone, for good.
func (a *Abort) Fire() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gone = true
	if a.waiting != nil {
		a.waiting.Interrupt()
		a.waiting = nil
	}
}

// Gone tells whether the client is gone.
func (a *Abort) Gone() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.gone
}
