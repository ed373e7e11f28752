package workers

import (
	"runtime"
	"testing"

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
