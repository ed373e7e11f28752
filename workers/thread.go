package workers

import (
	"runtime"
	"slices"
	"time"
)

// Thread is one of a pool's.
type Thread struct {
	pool *Pool
	wake chan struct{}

	steps []Job // of work that was begun here; under the pool's lock
	ended bool  // likewise

	coroutines list[*Coroutine] // that are not over
	free       []*Coroutine
}

// Submit queues a further step of work that was begun on this thread. It comes before all new work, so what may be begun has to be bounded.
// On a thread that has ended the job is shed.
func (t *Thread) Submit(j Job) {
	p := t.pool
	p.mu.Lock()
	if t.ended {
		p.mu.Unlock()
		j.Shed()
		return
	}
	t.steps = append(t.steps, j)
	i := slices.Index(p.idle, t)
	if i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
	}
	p.mu.Unlock()
	if i >= 0 {
		t.wake <- struct{}{}
	}
}

// serve runs jobs until the pool is closed. The system's thread ends with it, as it is not unlocked: its priority is not for others.
func (t *Thread) serve() {
	runtime.LockOSThread()
	p := t.pool
	if renice(p.options.Nice) == nil {
		p.mu.Lock()
		p.stats.Niced++
		p.mu.Unlock()
	}
	var steps []Job
	for {
		p.mu.Lock()
		steps, t.steps = t.steps, steps[:0]
		p.stats.Steps += uint64(len(steps))
		if len(steps) > 0 {
			p.mu.Unlock()
			for i, j := range steps {
				steps[i] = nil
				j.Run(t)
			}
			continue
		}
		j, late := p.next()
		switch {
		case j != nil:
		case p.closed:
			t.ended = true
		default:
			p.idle = append(p.idle, t)
		}
		ended := t.ended
		p.mu.Unlock()
		switch {
		case late:
			j.Shed()
		case j != nil:
			j.Run(t)
		case ended:
			t.stopAll()
			return
		default:
			<-t.wake
		}
	}
}

// next takes a job off the queue, nil if there is none, and tells whether it has waited too long.
func (p *Pool) next() (j Job, late bool) {
	j, since := p.queue.pop()
	if j == nil {
		return nil, false
	}
	if time.Since(since) > p.options.MaxWait {
		p.stats.Late++
		return j, true
	}
	p.stats.Run++
	return j, false
}
