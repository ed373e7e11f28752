package record

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall/seawall/internal/spec"
)

const (
	// writeEvery is how long a line waits at most before it is written.
	writeEvery = 200 * time.Millisecond
	// writeSize is how much is taken from a ring and written at a time: it bounds the logger's memory, and how long a request may
	// have to wait for its ring's lock.
	writeSize = 256 << 10
	// complainEvery bounds how often a log that can't be written is reported.
	complainEvery = time.Minute
	// followEvery is how often a retired logger looks whether its file is still the log.
	followEvery = time.Second
)

var newline = []byte{'\n'}

// logger writes the rings' lines to a file, behind the requests.
type logger struct {
	room   *Room
	path   string
	cut    cut
	events *slog.Logger
	lost   atomic.Int64 // lines

	wake    chan struct{}
	stop    chan struct{}
	done    chan struct{}
	closing sync.Once

	mu         sync.Mutex // guards what follows
	out        io.WriteCloser
	size       int64 // of the file
	max        int64 // that it may be, 0 for no bound
	buffer     []byte
	torn       bool // what was written last ended within a line
	complained time.Time
	retired    bool      // another process rotates the file
	looked     time.Time // whether it has
}

func newLogger(r *Room, s spec.Log, events *slog.Logger) (*logger, error) {
	out, size, err := openLog(s.Path)
	if err != nil {
		return nil, err
	}
	l := &logger{
		room: r, path: s.Path, cut: newCut(&s), max: int64(s.MaxSize), events: events, out: out, size: size,
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	if s.Path == standardOutput {
		l.max = 0
	}
	go l.run()
	return l, nil
}

// standardOutput as a path is no file.
const standardOutput = "-"

// openLog opens the log to append to it, and returns its present size; 0 if it is no regular file, which is never begun anew.
func openLog(path string) (out io.WriteCloser, size int64, err error) {
	if path == standardOutput {
		return keepOpen{os.Stdout}, 0, nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return nil, 0, fmt.Errorf("opening the access log: %w", err)
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	return f, size, nil
}

// keepOpen is standard output, which is not ours to close.
type keepOpen struct{ io.Writer }

func (keepOpen) Close() error { return nil }

func (l *logger) run() {
	defer close(l.done)
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	for stopping := false; !stopping; {
		select {
		case <-tick.C:
		case <-l.wake:
		case <-l.stop:
			stopping = true
		}
		l.drain()
	}
}

// hurry asks for a write before its time.
func (l *logger) hurry() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// drain takes what the rings have by now, one after the other, and writes it.
func (l *logger) drain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.retired {
		l.follow(time.Now())
	}
	for i := range l.room.shards {
		s := &l.room.shards[i]
		s.mu.Lock()
		end := s.ring.written
		s.mu.Unlock()
		for more := true; more; {
			var lost int
			s.mu.Lock()
			l.buffer, lost = s.ring.take(l.buffer[:0], writeSize)
			more = s.ring.taken < end
			s.mu.Unlock()
			if lost > 0 {
				l.lose(lost, "is written too slowly", nil)
			}
			l.write(l.cut.lines(l.buffer))
		}
	}
}

// write writes whole lines. If the last write broke off within one, that is ended first, so that it spoils no other.
func (l *logger) write(lines []byte) {
	if len(lines) == 0 {
		return
	}
	if l.torn {
		if _, err := l.out.Write(newline); err != nil {
			l.lose(bytes.Count(lines, newline), "can't be written", err)
			return
		}
		l.torn = false
	}
	n, err := l.out.Write(lines)
	l.size += int64(n)
	if err != nil {
		l.torn = n > 0 && lines[n-1] != '\n'
		l.lose(bytes.Count(lines[n:], newline), "can't be written", err)
	} else if l.max > 0 && l.size > l.max {
		l.rotate()
	}
}

// rotate begins the file anew and keeps the full one under another name, over the one before. If that fails, the log goes on as it was,
// and is tried again when it has grown as much once more.
func (l *logger) rotate() {
	l.size = 0
	info, err := os.Lstat(l.path)
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	if err := os.Rename(l.path, l.path+".1"); err != nil {
		l.events.Warn("the access log can't be rotated", "path", l.path, "error", err)
		return
	}
	if err := l.replace(); err != nil {
		l.events.Warn("the access log can't be begun anew", "path", l.path, "error", err)
	}
}

func (l *logger) retire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retired, l.max = true, 0
}

// follow opens the file anew if its path is another file's by now, which it looks for now and then. Where the path is nobody's, the file
// is about to be begun anew.
func (l *logger) follow(now time.Time) {
	f, ok := l.out.(*os.File)
	if !ok || now.Sub(l.looked) < followEvery {
		return
	}
	l.looked = now
	theirs, err := os.Stat(l.path)
	if err != nil {
		return
	}
	if ours, err := f.Stat(); err != nil || os.SameFile(ours, theirs) {
		return
	}
	if err := l.replace(); err != nil && l.complain(now) {
		l.events.Warn("the access log was rotated and can't be opened anew", "path", l.path, "error", err)
	}
}

// lose counts lines and says so, but not every time.
func (l *logger) lose(lines int, why string, err error) {
	lost := l.lost.Add(int64(lines))
	if l.complain(time.Now()) {
		l.events.Warn("the access log "+why+"; requests are served, lines are lost", "path", l.path, "lines", lost, "error", err)
	}
}

// complain tells whether it is time to.
func (l *logger) complain(now time.Time) bool {
	if now.Sub(l.complained) <= complainEvery {
		return false
	}
	l.complained = now
	return true
}

func (l *logger) reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.stop: // close would not come again
		return nil
	default:
		return l.replace()
	}
}

// replace opens the file anew. It is called with mu held.
func (l *logger) replace() error {
	out, size, err := openLog(l.path)
	if err != nil {
		return err
	}
	l.out.Close()
	l.out, l.size, l.torn = out, size, false
	return nil
}

// close may be called again: then it does nothing.
func (l *logger) close() (err error) {
	l.closing.Do(func() {
		close(l.stop)
		<-l.done
		l.mu.Lock()
		defer l.mu.Unlock()
		err = l.out.Close()
	})
	return err
}
