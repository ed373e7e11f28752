package loop

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batch is how many events a loop asks for at once.
const batch = 256

// Loop serves sockets on one goroutine, that of [Loop.Run].
type Loop struct {
	epoll  int
	gate   *os.File // an epoll descriptor with epoll in it, which the runtime watches
	open   bool     // events pass the gate; the loop's own
	wakeup int      // an eventfd
	ended  chan struct{}

	// the loop's own
	slots  []slot
	free   []int32
	spares []*Task
	line   line // of those who yielded
	served int  // connections that had a turn since one of them had
	events [batch]unix.EpollEvent
	taken  []posted

	asleep atomic.Bool
	mu     sync.Mutex // guards what follows
	posts  []posted
	closed bool
	over   bool // the descriptors are closed, and their numbers may be others'
}

// slot is a registration. Its generation tells events of what had the slot before.
type slot struct {
	watch      watcher
	generation int32
}

// place is a slot as one registration knows it.
type place struct{ slot, generation int32 }

// watcher is what has events.
type watcher interface {
	event(events uint32)
}

// posted is what others want done on the loop: a task to go on, a connection to be given to its handler or closed, or a function.
type posted struct {
	task  *Task
	conn  *Conn
	close bool
	do    func()
}

// New makes a loop that serves nothing yet.
func New() (*Loop, error) {
	l := &Loop{ended: make(chan struct{})}
	var err error
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("loop: making an epoll descriptor: %w", err)
	}
	if err := l.makeGate(); err != nil {
		return nil, errors.Join(fmt.Errorf("loop: watching an epoll descriptor: %w", err), unix.Close(l.epoll))
	}
	if l.wakeup, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err == nil {
		_, err = l.add(l.wakeup, (*wakeup)(l), unix.EPOLLIN|unix.EPOLLET)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("loop: making an eventfd: %w", err), l.gate.Close(), unix.Close(l.epoll))
	}
	return l, nil
}

// makeGate lets the runtime watch the loop's descriptor through another, which can be shut. While the loop is busy it asks for events by
// itself; to be told of each would only wake a thread that finds nothing to run.
func (l *Loop) makeGate() error {
	gate, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	if err = unix.SetNonblock(gate, true); err != nil {
		return errors.Join(err, unix.Close(gate))
	}
	l.gate = os.NewFile(uintptr(gate), "epoll")
	err = l.gate.SetDeadline(time.Time{}) // fails where the runtime can't watch it
	if err == nil {
		err = unix.EpollCtl(gate, unix.EPOLL_CTL_ADD, l.epoll, &unix.EpollEvent{})
	}
	if err != nil {
		return errors.Join(err, l.gate.Close())
	}
	return nil
}

// swing opens the gate, or shuts it, and reports whether it was the other way. Who opens it has to ask for events once more: of what happened
// while it was shut nobody is told, as the kernel takes the gate for having told of it already (ep_modify wakes only for what is not yet in the
// list of what is ready, where the event stays for which the gate was shut).
func (l *Loop) swing(gate uintptr, open bool) (swung bool) {
	if l.open == open {
		return false
	}
	l.open = open
	e := unix.EpollEvent{}
	if open {
		e.Events = unix.EPOLLIN | unix.EPOLLET
	}
	_, _, _ = syscall.RawSyscall6(unix.SYS_EPOLL_CTL, gate, unix.EPOLL_CTL_MOD, uintptr(l.epoll), uintptr(unsafe.Pointer(&e)), 0, 0)
	return true
}

// Run serves until Close.
func (l *Loop) Run() error {
	rc, err := l.gate.SyscallConn()
	if err != nil {
		return err
	}
	err = rc.Read(l.turn)
	close(l.ended)
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
	for _, t := range l.spares {
		t.stop()
	}
	if err == nil {
		err = errors.Join(l.gate.Close(), unix.Close(l.epoll), unix.Close(l.wakeup))
	}
	return err
}

// turn handles all there is, and reports whether the loop is closed.
func (l *Loop) turn(gate uintptr) (done bool) {
	for round := 0; ; round++ {
		n := l.poll()
		for _, e := range l.events[:max(n, 0)] {
			if s := &l.slots[e.Fd]; s.generation == e.Pad && s.watch != nil {
				s.watch.event(e.Events)
			}
		}
		did, closed := l.catchUp()
		switch {
		case closed:
			return true
		case l.proceed() || n > 0 || did:
			if round > 0 {
				l.swing(gate, false)
			}
			continue
		}
		if rests, closed := l.rest(gate); rests || closed {
			return closed
		}
	}
}

// rest gets the loop ready to be woken, and reports whether it may wait for that, or is closed. Else it has to look for events once more.
func (l *Loop) rest(gate uintptr) (rests, closed bool) {
	if l.swing(gate, true) {
		return false, false
	}
	// From here on whoever posts rings; what was posted before is seen now.
	l.asleep.Store(true)
	did, closed := l.catchUp()
	return !did && !closed, closed
}

// catchUp does what was posted, and reports whether there was anything.
func (l *Loop) catchUp() (did, closed bool) {
	l.mu.Lock()
	l.taken, l.posts = l.posts, l.taken[:0]
	closed = l.closed
	l.mu.Unlock()
	if len(l.taken) == 0 {
		return false, closed
	}
	l.asleep.Store(false)
	for i := range l.taken {
		p := l.taken[i]
		l.taken[i] = posted{}
		switch {
		case p.task != nil:
			p.task.resume()
		case p.close:
			p.conn.release()
		case p.conn != nil:
			p.conn.again()
		default:
			p.do()
		}
	}
	return true, closed
}

// post lets p be done on the loop soon. Anyone may call it.
func (l *Loop) post(p posted) {
	l.mu.Lock()
	l.posts = append(l.posts, p)
	l.mu.Unlock()
	if l.asleep.Load() && l.asleep.CompareAndSwap(true, false) {
		l.ring()
	}
}

// Do lets f run on the loop soon. Anyone may call it; after Close, f may not run.
func (l *Loop) Do(f func()) { l.post(posted{do: f}) }

// Call runs f on the loop and waits for that; it reports false if the loop has ended. It must not be called on the loop.
func (l *Loop) Call(f func()) bool {
	called := make(chan struct{})
	l.Do(func() {
		defer close(called)
		f()
	})
	select {
	case <-called:
	case <-l.ended:
		select {
		case <-called:
		default:
			return false
		}
	}
	return true
}

// Close ends Run. Connections and tasks that are left are forgotten. Anyone may call it.
func (l *Loop) Close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.ring()
}

func (l *Loop) ring() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return
	}
	one := [8]byte{1}
	_, _, _ = syscall.RawSyscall(unix.SYS_WRITE, uintptr(l.wakeup), uintptr(unsafe.Pointer(&one)), 8)
}

// wakeup is the loop as what its eventfd wakes. Edge-triggered, it need not be read.
type wakeup Loop

func (*wakeup) event(uint32) {}

func (l *Loop) poll() int {
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epoll), uintptr(unsafe.Pointer(&l.events)), batch, 0, 0, 0)
		if errno != syscall.EINTR {
			return int(n)
		}
	}
}

// add registers fd for w.
func (l *Loop) add(fd int, w watcher, events uint32) (place, error) {
	if len(l.free) == 0 {
		l.slots = append(l.slots, slot{})
		l.free = append(l.free, int32(len(l.slots)-1))
	}
	i := l.free[len(l.free)-1]
	s := &l.slots[i]
	p := place{i, s.generation}
	if err := l.control(unix.EPOLL_CTL_ADD, fd, events, p); err != nil {
		return place{}, err
	}
	l.free = l.free[:len(l.free)-1]
	s.watch = w
	return p, nil
}

func (l *Loop) control(op uintptr, fd int, events uint32, p place) error {
	e := unix.EpollEvent{Events: events, Fd: p.slot, Pad: p.generation}
	_, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(l.epoll), op, uintptr(fd), uintptr(unsafe.Pointer(&e)), 0, 0)
	if errno != 0 {
		return os.NewSyscallError("epoll_ctl", errno)
	}
	return nil
}

// remove gives a slot back; events that are on their way to it are nobody's.
func (l *Loop) remove(p place) {
	s := &l.slots[p.slot]
	s.watch = nil
	s.generation++
	l.free = append(l.free, p.slot)
}

// Watch calls ready on the loop whenever the descriptor fd has something to read, again and again until that is read or stop is called. Both
// are called on the loop; fd stays the caller's.
func (l *Loop) Watch(fd int, ready func()) (stop func(), err error) {
	p, err := l.add(fd, watch(ready), unix.EPOLLIN)
	if err != nil {
		return nil, err
	}
	return func() {
		l.remove(p)
		_ = l.control(unix.EPOLL_CTL_DEL, fd, 0, p)
	}, nil
}

// watch is what [Loop.Watch] calls.
type watch func()

func (w watch) event(uint32) { w() }
