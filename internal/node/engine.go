package node

import (
	"errors"
	"log/slog"
	"os"
	"runtime"
	"sync"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/loop"
	"github.com/seawall/seawall/workers"
)

// cores is how many cores the process has, as the runtime found it at the start.
var cores = sync.OnceValue(func() int { return runtime.GOMAXPROCS(0) })

// heavyThreads is how many threads of lower priority do what costs CPU (see package workers). They are beside the loops', whose place they
// would otherwise take in the runtime's scheduler.
func heavyThreads() int { return max(1, cores()/2) }

// useMachine lets the runtime run the loops and the heavy threads at one time, the loops first, and paces its collector. It is for the
// whole process.
func useMachine() {
	_ = workers.Precede() // else a loop that wakes beside a worker may wait some milliseconds for the core
	if n := cores(); os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(n + heavyThreads())
	}
	paceCollector()
}

// startLoops runs an event loop for each core; none where the system has no means for them.
func startLoops(log *slog.Logger) ([]*loop.Loop, error) {
	var loops []*loop.Loop
	for range cores() {
		l, err := loop.New()
		if errors.Is(err, errors.ErrUnsupported) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		loops = append(loops, l)
		go func() {
			if err := l.Run(); err != nil {
				log.Error("event loop ended", "error", err)
			}
		}()
	}
	return loops, nil
}

// startWorkers starts the heavy threads, with the bound that the node has on waiting handshakes. Other work is one source beside theirs.
func startWorkers(s *spec.Node) *workers.Pool {
	const niceness = 10
	return workers.New(workers.Options{Threads: heavyThreads(), Queue: s.TLS.Handshakes.Queue, Nice: niceness})
}

func (n *Node) endLoops() {
	for _, l := range n.loops {
		l.Close()
	}
}
