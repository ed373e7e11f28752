// Package workers runs work that costs CPU on a few threads of lower priority, so that event loops beside it keep their latency.
//
// New work waits in one queue that is fair by source: sources take turns, and when the queue is full the source that has most waiting
// loses its newest, so that a flood from few sources pushes out nobody else. When no source has more waiting than others, the newest is
// refused: those before it have waited, and what is old comes up next or, past MaxWait, is shed without being run. Work in steps
// ([Coroutine]) keeps the thread that it began on, and its further steps come before all new work, as they end what holds memory.
//
// Bounds: threads, and what waits (a job, its source and a time each). All operations are O(1). An idle thread sleeps. It fails by
// shedding jobs, each of which is told so; a thread whose priority can't be changed is used as it is.
package workers

import (
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Job is work for a thread.
type Job interface {
	// Run does the work. A panic is as any goroutine's: who expects one recovers.
	Run(t *Thread)
	// Shed tells that Run will not be called. It is called without locks, once, on any goroutine: also on one that submits another job.
	Shed()
}

// Options are a pool's bounds.
type Options struct {
	// Threads is how many there are; 0 is half as many as the machine has cores, and one at least.
	Threads int
	// Queue bounds the jobs that wait; 0 is 1024.
	Queue int
	// MaxWait is the time after which a job is not worth running any more; 0 is 5 s.
	MaxWait time.Duration
	// Nice is the threads' nice value, from 0 (as the others) to 19 (see setpriority(2)).
	Nice int
}

// Pool is threads and the queue before them.
type Pool struct {
	options Options
	threads []*Thread
	ended   sync.WaitGroup

	coroutines atomic.Int64 // that are not over

	mu     sync.Mutex
	queue  queue
	idle   []*Thread // the one that was busy last is last
	closed bool
	stats  Stats
}

// Stats is what a pool has done.
type Stats struct {
	// Threads is how many there are, Niced how many of them have the priority that they were to have.
	Threads, Niced int
	// Waiting jobs are of that many Sources.
	Waiting, Sources int
	// Coroutines are those that are not over.
	Coroutines int
	// Run jobs began; Steps are the further ones of work that was begun.
	Run, Steps uint64
	// Refused jobs found the queue full of others' no less worthy, Displaced ones lost their place to a source with fewer, Late ones
	// waited too long.
	Refused, Displaced, Late uint64
}

// New starts a pool's threads.
func New(o Options) *Pool {
	if o.Threads <= 0 {
		o.Threads = max(1, runtime.NumCPU()/2)
	}
	if o.Queue <= 0 {
		o.Queue = 1024
	}
	if o.MaxWait <= 0 {
		o.MaxWait = 5 * time.Second
	}
	p := &Pool{options: o, queue: newQueue(o.Queue)}
	for range o.Threads {
		t := &Thread{pool: p, wake: make(chan struct{}, 1)}
		p.threads = append(p.threads, t)
		p.ended.Go(t.serve)
	}
	return p
}

// Queue is the bound on the jobs that wait.
func (p *Pool) Queue() int { return p.options.Queue }

// Submit queues new work of a source. It returns false if the job is refused, of which it is not told otherwise: there is no room and no
// source that has more waiting than this one would, or the pool is closed.
func (p *Pool) Submit(source netip.Prefix, j Job) bool {
	now := time.Now()
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return false
	}
	displaced, ok := p.queue.push(source, j, now)
	var t *Thread
	switch {
	case !ok:
		p.stats.Refused++
	case displaced != nil:
		p.stats.Displaced++
	case len(p.idle) > 0:
		t = p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
	}
	p.mu.Unlock()
	if displaced != nil {
		displaced.Shed()
	}
	if t != nil {
		t.wake <- struct{}{}
	}
	return ok
}

// Waiting is how many jobs wait.
func (p *Pool) Waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.queue.size
}

// Stats is what the pool has done until now.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Threads, s.Waiting, s.Sources = len(p.threads), p.queue.size, len(p.queue.lines)
	s.Coroutines = int(p.coroutines.Load())
	return s
}

// Close sheds what waits, stops every coroutine and returns when all threads have ended. Jobs that are submitted later are shed.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	var shed []Job
	for j, _ := p.queue.pop(); j != nil; j, _ = p.queue.pop() {
		shed = append(shed, j)
	}
	for _, t := range p.idle {
		t.wake <- struct{}{}
	}
	p.idle = nil
	p.mu.Unlock()
	for _, j := range shed {
		j.Shed()
	}
	p.ended.Wait()
}
