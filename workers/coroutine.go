package workers

import "iter"

// keptCoroutines bounds a thread's coroutines that are kept for others, with the stacks that they have grown.
const keptCoroutines = 32

// Coroutine is a function that runs in steps, on one thread: while it is paused it holds a stack, but no thread. The runtime lets what was
// made on a locked thread go on there only.
type Coroutine struct {
	thread   *Thread
	alive    element[*Coroutine]
	next     func() (struct{}, bool)
	end      func()
	yield    func(struct{}) bool
	f        func(*Coroutine) // nil when it is over
	stopping bool
}

// Coroutine makes one of f, of which nothing is run yet. It is for this thread, within a job's Run, as are the methods Resume and Stop.
func (t *Thread) Coroutine(f func(*Coroutine)) *Coroutine {
	var c *Coroutine
	if n := len(t.free); n > 0 {
		c, t.free[n-1] = t.free[n-1], nil
		t.free = t.free[:n-1]
	} else {
		c = &Coroutine{thread: t}
		c.alive.value = c
		c.next, c.end = iter.Pull(c.run)
	}
	c.f = f
	t.coroutines.push(&c.alive)
	t.pool.coroutines.Add(1)
	return c
}

// run is one function after another: a stack that has grown is worth keeping.
func (c *Coroutine) run(yield func(struct{}) bool) {
	c.yield = yield
	for {
		c.f(c)
		c.f = nil
		if !yield(struct{}{}) {
			return
		}
	}
}

// Resume runs the function until it pauses or is over. A coroutine that is over is another's: it is not to be used any more. A panic of
// the function is Resume's.
func (c *Coroutine) Resume() (over bool) {
	whole := false
	defer func() {
		if !whole || over {
			c.alive.remove()
			c.thread.pool.coroutines.Add(-1)
		}
	}()
	c.next()
	whole = true
	if c.f != nil {
		return false
	}
	c.stopping = false
	if t := c.thread; len(t.free) < keptCoroutines {
		t.free = append(t.free, c)
	} else {
		c.end()
	}
	return true
}

// Pause ends a step. It is called by the function, and returns true when it is resumed, false when it is to stop.
func (c *Coroutine) Pause() bool { return !c.stopping && c.yield(struct{}{}) && !c.stopping }

// Stop has a paused function end: its Pause returns false, at once from then on.
func (c *Coroutine) Stop() {
	c.stopping = true
	c.Resume()
}

// stopAll ends the thread's coroutines.
func (t *Thread) stopAll() {
	for !t.coroutines.empty() {
		t.coroutines.first().Stop()
	}
	for _, c := range t.free {
		c.end()
	}
}
