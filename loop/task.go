package loop

import (
	"iter"
	"time"
)

// sparesMost is how many finished tasks a loop keeps for the next: their stacks have grown to what work needs.
const sparesMost = 128

// Task is blocking code on a loop. The nil task is a goroutine of its own.
type Task struct {
	loop  *Loop
	work  Runner    // nil once it is over
	left  bool      // a goroutine by now
	clock time.Time // read since it last waited, or zero
	self  waiter    // what it waits as
	next  func() (struct{}, bool)
	yield func(struct{}) bool
	stop  func()
}

// Runner is what a task runs.
type Runner interface {
	Run(t *Task)
}

// RunnerFunc is a function as a [Runner].
type RunnerFunc func(*Task)

// Run implements [Runner].
func (f RunnerFunc) Run(t *Task) { f(t) }

// Start runs r as a task until it waits for the first time or is over. It is called on the loop.
func (l *Loop) Start(r Runner) {
	var t *Task
	if n := len(l.spares) - 1; n >= 0 {
		t, l.spares[n] = l.spares[n], nil
		l.spares = l.spares[:n]
	} else {
		t = newTask(l)
	}
	t.work, t.clock = r, time.Time{}
	t.resume()
}

func newTask(l *Loop) *Task {
	t := &Task{loop: l}
	t.self.task = t
	t.next, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		for {
			t.work.Run(t)
			t.work = nil
			if !yield(struct{}{}) {
				return
			}
		}
	})
	return t
}

// resume goes on with the task, on its loop, until it waits again, leaves, or is over.
func (t *Task) resume() {
	t.next()
	switch {
	case t.left:
		go t.outside()
	case t.work == nil && len(t.loop.spares) < sparesMost:
		t.loop.spares = append(t.loop.spares, t)
	case t.work == nil:
		t.stop()
	}
}

// outside goes on with a task that has left its loop.
func (t *Task) outside() {
	t.next()
	t.stop()
}

// Loop is where the task runs, or ran before it left; nil for the nil task.
func (t *Task) Loop() *Loop {
	if t == nil {
		return nil
	}
	return t.loop
}

// Leave makes a goroutine of the task, which may wait for whatever it likes from now on. It does nothing if the task is one already.
func (t *Task) Leave() {
	if t.Left() {
		return
	}
	t.left = true
	t.yield(struct{}{})
}

// Left tells whether the task is a goroutine of its own.
func (t *Task) Left() bool { return t == nil || t.left }

// Now is the time, as of the first call since the task last waited; a goroutine's is read at each call. It is for stretches of work that
// take microseconds: reading the clock is dear beside them.
func (t *Task) Now() time.Time {
	if t.Left() {
		return time.Now()
	}
	if t.clock.IsZero() {
		t.clock = time.Now()
	}
	return t.clock
}

// wait gives the loop its time until wake.
func (t *Task) wait() {
	t.yield(struct{}{})
	t.clock = time.Time{}
}
