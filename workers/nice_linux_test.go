package workers

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestNice: a worker's thread has its priority, and others keep theirs.
func TestNice(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	nice := func() int {
		n, err := unix.Getpriority(unix.PRIO_PROCESS, unix.Gettid())
		if err != nil {
			t.Error(err)
		}
		return 20 - n // the system call returns it from 40 to 1
	}
	before := nice()
	p := New(Options{Threads: 1, Nice: 10})
	defer p.Close()
	on(t, p, func(*Thread) {
		if got := nice(); got != 10 {
			t.Errorf("the worker has nice %d, want 10", got)
		}
	})
	if after := nice(); after != before {
		t.Errorf("another thread has nice %d, want %d", after, before)
	}
	if got := p.Stats().Niced; got != 1 {
		t.Errorf("got %d niced, want 1", got)
	}
}

// TestPrecede: a thread of before and one of after have a shorter slice than a worker's, where the kernel has slices.
func TestPrecede(t *testing.T) {
	slice := func() time.Duration {
		a, err := unix.SchedGetAttr(0, 0)
		if err != nil {
			t.Error(err)
			return 0
		}
		return time.Duration(a.Runtime)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := Precede(); err != nil {
		t.Fatal(err)
	}
	before, after := slice(), make(chan time.Duration)
	go func() {
		runtime.LockOSThread() // and end with it: this thread is a new one, or one of before
		after <- slice()
	}()
	if got := <-after; got != before {
		t.Errorf("threads have slices of %v and %v", before, got)
	}
	p := New(Options{Threads: 1, Nice: 10})
	defer p.Close()
	on(t, p, func(*Thread) {
		if got := slice(); got != 0 && got <= before {
			t.Errorf("the worker has a slice of %v, others %v", got, before)
		}
	})
}
