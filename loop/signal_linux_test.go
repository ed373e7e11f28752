package loop

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSignal wants each piece of news to be heard, by a task, by one that has left, and by a goroutine, wherever it comes from.
func TestSignal(t *testing.T) {
	const news = 20_000
	hear := func(s *Signal, told *atomic.Int64, task *Task, done chan bool) {
		for heard := int64(0); heard < news; {
			if now := told.Load(); now > heard {
				heard = now
				continue
			}
			s.Wait(task)
		}
		done <- true
	}
	listeners := map[string]func(l *Loop, s *Signal, told *atomic.Int64, done chan bool){
		"task": func(l *Loop, s *Signal, told *atomic.Int64, done chan bool) {
			l.Do(func() { l.Start(RunnerFunc(func(task *Task) { hear(s, told, task, done) })) })
		},
		"task that has left": func(l *Loop, s *Signal, told *atomic.Int64, done chan bool) {
			l.Do(func() { l.Start(RunnerFunc(func(task *Task) { task.Leave(); hear(s, told, task, done) })) })
		},
		"goroutine": func(_ *Loop, s *Signal, told *atomic.Int64, done chan bool) { go hear(s, told, nil, done) },
	}
	for name, listen := range listeners {
		t.Run(name, func(t *testing.T) {
			l := serve(t)
			var s Signal
			var told atomic.Int64
			done := make(chan bool, 1)
			listen(l, &s, &told, done)
			var telling sync.WaitGroup
			for range 2 {
				telling.Go(func() {
					for range news / 4 {
						told.Add(1)
						s.Notify()
						l.Do(func() { told.Add(1); s.Notify() })
					}
				})
			}
			telling.Wait()
			select {
			case <-done:
			case <-time.After(10 * time.Second):
				t.Fatalf("news got lost: %d were told", told.Load())
			}
		})
	}
}

// TestSignalKeeps wants news that come before anybody waits to be kept, once.
func TestSignalKeeps(t *testing.T) {
	var s Signal
	s.Notify()
	s.Notify()
	s.Wait(nil)
	waited := make(chan bool)
	go func() { s.Wait(nil); close(waited) }()
	select {
	case <-waited:
		t.Error("got the same news twice")
	case <-time.After(10 * time.Millisecond):
	}
	s.Notify()
	<-waited
}

// TestAfterEnd wants nothing to be written to who has a loop's descriptors after it.
func TestAfterEnd(t *testing.T) {
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan error)
	go func() { over <- l.Run() }()
	l.Call(func() {})
	l.Close()
	if err := <-over; err != nil {
		t.Fatal(err)
	}
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range ends {
		defer unix.Close(fd)
	}
	if ends[0] != l.wakeup && ends[1] != l.wakeup {
		if _, err := unix.FcntlInt(uintptr(l.wakeup), unix.F_GETFD, 0); err == nil {
			t.Fatal("another has the loop's descriptor already")
		}
		if err := unix.Dup3(ends[0], l.wakeup, unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		defer unix.Close(l.wakeup)
	}
	l.Do(func() {})
	l.Close()
	for _, fd := range ends {
		b := make([]byte, 16)
		if n, err := unix.Read(fd, b); !errors.Is(err, unix.EAGAIN) {
			t.Errorf("got %x, %v, want nothing", b[:max(n, 0)], err)
		}
	}
}
