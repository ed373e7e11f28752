package record

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/spec"
)

// logging makes a room that logs to path, and a policy of it. What it reports goes to events.
func logging(t *testing.T, path string, events *bytes.Buffer) (*Room, *Policy) {
	t.Helper()
	return loggingAs(t, spec.Log{Path: path, Sample: 1}, events)
}

func loggingAs(t *testing.T, log spec.Log, events *bytes.Buffer) (*Room, *Policy) {
	t.Helper()
	node := spec.DefaultNode()
	node.Log = log
	r, err := New(&node, slog.New(slog.NewTextHandler(events, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return r, policy(t, r, "example")
}

// add records n hits with ids from a number on, all in one shard.
func add(p *Policy, from, n int) {
	for i := range n {
		f := hit()
		f.Request.ID = idOf(uint32(from + i))
		p.Add(f)
	}
}

// logged returns the ids in a log, each line of which has to be whole.
func logged(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for line := range bytes.Lines(text) {
		e, err := Parse(line)
		if err != nil || !bytes.HasSuffix(line, newline) {
			t.Fatalf("%v in %q", err, line)
		}
		ids = append(ids, e.ID)
	}
	return ids
}

func ids(from, n int) []string {
	var ids []string
	for i := range n {
		ids = append(ids, idOf(uint32(from+i)).String())
	}
	return ids
}

func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "access.log")
		r, p := logging(t, path, &bytes.Buffer{})
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o007 != 0 {
			t.Errorf("got %v, error %v, want a file that not everybody can read", info, err)
		}
		add(p, 0, 10)
		time.Sleep(writeEvery + time.Millisecond)
		synctest.Wait()
		if diff := cmp.Diff(ids(0, 10), logged(t, path)); diff != "" {
			t.Errorf("in time: -want +got:\n%s", diff)
		}
		add(p, 10, 5)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(ids(0, 15), logged(t, path)); diff != "" {
			t.Errorf("after Close: -want +got:\n%s", diff)
		}
		if got := r.Lost(); got != 0 {
			t.Errorf("got %d lines lost", got)
		}
	})
}

// TestLogCloses once, however often it is told to.
func TestLogCloses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	r, p := logging(t, path, new(bytes.Buffer))
	add(p, 0, 3)
	for range 2 {
		if err := r.Close(); err != nil {
			t.Errorf("got %v, want no error", err)
		}
	}
	if diff := cmp.Diff(ids(0, 3), logged(t, path)); diff != "" {
		t.Errorf("ids in the log (-want +got):\n%s", diff)
	}
}

// TestLogHurries: a ring that fills is written before its time.
func TestLogHurries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "access.log")
		r, p := logging(t, path, &bytes.Buffer{})
		const lines = 2000
		for i := 0; i < lines; i += 10 {
			add(p, i, 10)
			synctest.Wait() // no time passes
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(ids(0, lines), logged(t, path)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// TestLogClosed opens its file no more.
func TestLogClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	r, _ := logging(t, path, new(bytes.Buffer))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := r.Reopen(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file after Reopen: got %v, want none", err)
	}
}

// TestLogToStandardOutput neither closes it, nor takes it for a file of that name.
func TestLogToStandardOutput(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("-", []byte("a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, p := loggingAs(t, spec.Log{Path: "-", Sample: 1, MaxSize: 1}, new(bytes.Buffer))
	if err := r.Reopen(); err != nil {
		t.Error(err)
	}
	r.log.mu.Lock()
	if want := (keepOpen{os.Stdout}); r.log.out != want {
		t.Errorf("writes to %v, want %v", r.log.out, want)
	}
	var out bytes.Buffer
	r.log.out = keepOpen{&out}
	r.log.mu.Unlock()
	for i := range 3 {
		add(p, 10*i, 10)
		r.log.drain()
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if got := strings.Count(out.String(), "\n"); got != 30 || !strings.HasSuffix(out.String(), "}\n") {
		t.Errorf("got %d lines, want 30", got)
	}
	if _, err := os.Stdout.Stat(); err != nil {
		t.Errorf("standard output was closed: %v", err)
	}
	if text, err := os.ReadFile("-"); err != nil || string(text) != "a file\n" {
		t.Errorf("the file: got %q, %v", text, err)
	}
}

func TestLogReopens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "access.log")
		r, p := logging(t, path, &bytes.Buffer{})
		add(p, 0, 3)
		time.Sleep(2 * writeEvery)
		synctest.Wait()
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		add(p, 3, 3)
		time.Sleep(2 * writeEvery)
		synctest.Wait()
		if err := r.Reopen(); err != nil {
			t.Fatal(err)
		}
		add(p, 6, 3)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(ids(0, 6), logged(t, path+".1")); diff != "" {
			t.Errorf("before: -want +got:\n%s", diff)
		}
		if diff := cmp.Diff(ids(6, 3), logged(t, path)); diff != "" {
			t.Errorf("after: -want +got:\n%s", diff)
		}
	})
}

// TestLogRotates keeps two files of bounded size, between which no line is lost.
func TestLogRotates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	node := spec.Node{Log: spec.Log{Path: path, Sample: 1, MaxSize: 1}}
	r, err := New(&node, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r.log.mu.Lock()
	r.log.write([]byte("one\n"))
	r.log.write([]byte("two\n"))
	r.log.write([]byte("three\n"))
	r.log.mu.Unlock()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{path: "", path + ".1": "three\n"} {
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", filepath.Base(name), got, err, want)
		}
	}
}

// TestLogRetires: a process that was succeeded rotates no more, and follows the one that does.
func TestLogRetires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "access.log")
		r, p := loggingAs(t, spec.Log{Path: path, Sample: 1, MaxSize: 1}, new(bytes.Buffer))
		step := func(from int) {
			add(p, from, 3)
			time.Sleep(followEvery + writeEvery)
			synctest.Wait()
		}
		r.Retire()
		step(0)
		step(3)
		if _, err := os.Stat(path + ".1"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("an older log: got %v, want none, as nothing was rotated", err)
		}
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		step(6)
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the log: got %v, want none, as the other process begins it", err)
		}
		if err := os.WriteFile(path, nil, 0o640); err != nil {
			t.Fatal(err)
		}
		time.Sleep(followEvery + writeEvery)
		synctest.Wait()
		step(9)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(ids(0, 9), logged(t, path+".1")); diff != "" {
			t.Errorf("before: -want +got:\n%s", diff)
		}
		if diff := cmp.Diff(ids(9, 3), logged(t, path)); diff != "" {
			t.Errorf("after: -want +got:\n%s", diff)
		}
	})
}

// TestRetiredLogThatCannotBeOpened goes on in the old file, and says so once in a while.
func TestRetiredLogThatCannotBeOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "access.log")
		var events bytes.Buffer
		r, p := logging(t, path, &events)
		r.Retire()
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * followEvery)
		add(p, 0, 3)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(ids(0, 3), logged(t, path+".1")); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if got := events.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "can't be opened anew") {
			t.Errorf("got %q, want one report", got)
		}
	})
}

// TestLogThatCannotBeReopened goes on in the old file.
func TestLogThatCannotBeReopened(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "logs")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	r, p := logging(t, filepath.Join(folder, "access.log"), &bytes.Buffer{})
	if err := os.Rename(folder, folder+".old"); err != nil {
		t.Fatal(err)
	}
	if err := r.Reopen(); err == nil || !strings.Contains(err.Error(), "access.log") {
		t.Errorf("got error %v, want one that names the file", err)
	}
	add(p, 0, 3)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ids(0, 3), logged(t, filepath.Join(folder+".old", "access.log"))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestLogOnFullDisk: lines that can't be written are counted, and that is said once.
func TestLogOnFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var events bytes.Buffer
		r, p := logging(t, "/dev/full", &events)
		for i := range 5 {
			add(p, 10*i, 10)
			time.Sleep(2 * writeEvery)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if got := r.Lost(); got != 50 {
			t.Errorf("got %d lines lost, want 50", got)
		}
		if got := events.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "no space left") || !strings.Contains(got, "/dev/full") {
			t.Errorf("got %q, want one report", got)
		}
	})
}

// TestLogThatIsTooSlow: what is overwritten before it is written is counted, and requests do not wait for that.
func TestLogThatIsTooSlow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	var events bytes.Buffer
	r, p := logging(t, path, &events)
	const lines = 1000
	r.log.mu.Lock() // as if a write took long
	add(p, 0, lines)
	r.log.mu.Unlock()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	got := logged(t, path)
	if want := ids(lines-len(got), len(got)); len(got) < 50 || !cmp.Equal(want, got) {
		t.Errorf("got %d lines, want the last ones: %s", len(got), cmp.Diff(want, got))
	}
	if got, want := r.Lost(), int64(lines-len(got)); got != want {
		t.Errorf("got %d lines lost, want %d", got, want)
	}
	if got := events.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "too slowly") {
		t.Errorf("got %q, want one report", got)
	}
}

// shortWriter takes some bytes, then fails until it has room again.
type shortWriter struct {
	bytes.Buffer
	room int
}

func (w *shortWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.room)
	w.room -= n
	w.Buffer.Write(p[:n])
	if n < len(p) {
		return n, errors.New("full")
	}
	return n, nil
}

func (*shortWriter) Close() error { return nil }

// TestTornLine: a line that was written in part spoils no other.
func TestTornLine(t *testing.T) {
	for _, tt := range []struct {
		name string
		room int
		want string
		lost int64
	}{
		{"within a line", 6, "aaa\nbb\nddd\n", 2},
		{"between two lines", 4, "aaa\nddd\n", 2},
		{"before all", 0, "ddd\n", 3},
		{"no error", 100, "aaa\nbbb\nccc\nddd\n", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := &shortWriter{room: tt.room}
			l := &logger{out: out, events: slog.New(slog.DiscardHandler)}
			l.write([]byte("aaa\nbbb\nccc\n"))
			out.room = 100
			l.write([]byte("ddd\n"))
			if got := out.String(); got != tt.want || l.lost.Load() != tt.lost {
				t.Errorf("got %q with %d lost, want %q with %d", got, l.lost.Load(), tt.want, tt.lost)
			}
		})
	}
	out := &shortWriter{room: 6}
	l := &logger{out: out, events: slog.New(slog.DiscardHandler)}
	l.write([]byte("aaa\nbbb\n"))
	l.write([]byte("ccc\n"))
	if got := l.lost.Load(); got != 2 {
		t.Errorf("still full: got %d lost, want 2", got)
	}
}

func TestNew(t *testing.T) {
	t.Run("a log that can't be opened", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "none", "access.log")
		node := spec.Node{Log: spec.Log{Path: path, Sample: 1}}
		_, err := New(&node, slog.New(slog.DiscardHandler))
		if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
			t.Errorf("got error %v, want one that names %s", err, path)
		}
	})
	t.Run("no log", func(t *testing.T) {
		r := newRoom(t, nil)
		r.Retire()
		if err := errors.Join(r.Reopen(), r.Close()); err != nil || r.Lost() != 0 {
			t.Errorf("got %v and %d lost", err, r.Lost())
		}
	})
	t.Run("a log that is not valid", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "access.log")
		node := spec.Node{Log: spec.Log{Path: path, Sample: 1, Fields: []string{"colour"}}}
		_, err := New(&node, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), "log.fields") {
			t.Errorf("got error %v, want one that names log.fields", err)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the file: got %v, want none", err)
		}
	})
	t.Run("memory is what was asked for", func(t *testing.T) {
		r := newRoom(t, func(n *spec.Node) { n.Log.Ring = 8 << 20 })
		if got := len(r.shards) * len(r.shards[0].ring.buffer); got != 8<<20 {
			t.Errorf("got %d bytes", got)
		}
	})
}
