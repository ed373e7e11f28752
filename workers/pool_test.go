package workers

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// source is one of many.
func source(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
}

// journal writes down what happens to jobs.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(what string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, what)
}

// job is written down under its name.
type job struct {
	name    string
	journal *journal
	run     func(t *Thread)
}

func (j *job) Run(t *Thread) {
	j.journal.add(j.name)
	if j.run != nil {
		j.run(t)
	}
}

func (j *job) Shed() { j.journal.add("shed " + j.name) }

// busy has a pool of one thread wait until the function that it returns is called.
func busy(t *testing.T, p *Pool) (release func()) {
	t.Helper()
	begun, released := make(chan struct{}), make(chan struct{})
	if !p.Submit(source(1<<23), &job{"busy", &journal{}, func(*Thread) { close(begun); <-released }}) {
		t.Fatal("refused")
	}
	<-begun
	return func() { close(released) }
}

// submitted is a job of a source, and whether it is accepted.
type submitted struct {
	source int
	name   string
	want   bool
}

func TestOrder(t *testing.T) {
	flood := func(source, n int, want bool) (all []submitted) {
		for i := range n {
			all = append(all, submitted{source, fmt.Sprintf("%d.%d", source, i), want})
		}
		return all
	}
	tests := []struct {
		name string
		jobs []submitted
		want string // what happens, in order
	}{
		{"one source", flood(1, 3, true), "1.0 1.1 1.2"},
		{"one source, too many", append(flood(1, 4, true), submitted{1, "more", false}), "1.0 1.1 1.2 1.3"},
		{"sources take turns", append(flood(1, 3, true), submitted{2, "other", true}), "1.0 other 1.1 1.2"},
		{"who comes first is served first", []submitted{{1, "a", true}, {2, "b", true}, {3, "c", true}}, "a b c"},
		{"of many with one each, the newest is refused", []submitted{{1, "a", true}, {2, "b", true}, {3, "c", true}, {4, "d", true}, {5, "e", false}, {1, "f", false}}, "a b c d"},
		{"who has most loses its newest", append(flood(1, 4, true), submitted{2, "other", true}), "shed 1.3 1.0 other 1.1 1.2"},
		{"until all have as many", append(flood(1, 4, true), flood(2, 2, true)...), "shed 1.3 shed 1.2 1.0 2.0 1.1 2.1"},
		{"and no further", append(append(flood(1, 4, true), flood(2, 2, true)...), submitted{2, "more", false}, submitted{3, "third", true}), "shed 1.3 shed 1.2 shed 1.1 1.0 2.0 third 2.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := New(Options{Threads: 1, Queue: 4})
			release := busy(t, p)
			happened := &journal{}
			for _, s := range tt.jobs {
				if got := p.Submit(source(s.source), &job{name: s.name, journal: happened}); got != s.want {
					t.Errorf("%s: accepted %v, want %v", s.name, got, s.want)
				}
			}
			last := make(chan struct{})
			waiting := p.Waiting()
			release()
			for p.Waiting() > 0 {
				runtime.Gosched()
			}
			p.Submit(source(0), &job{"end", &journal{}, func(*Thread) { close(last) }})
			<-last
			if got := strings.Join(happened.lines, " "); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			s := p.Stats()
			if sum := s.Run + s.Refused + s.Displaced; sum != uint64(len(tt.jobs))+2 || s.Waiting != 0 || s.Sources != 0 || waiting > 4 {
				t.Errorf("got %+v after %d, want all %d jobs in it", s, waiting, len(tt.jobs)+2)
			}
			p.Close()
		})
	}
}

// TestFlood: neither one source nor a few push out others.
func TestFlood(t *testing.T) {
	for _, sources := range []int{1, 7, 63} {
		t.Run(fmt.Sprint(sources), func(t *testing.T) {
			p := New(Options{Threads: 1, Queue: 128})
			defer p.Close()
			release := busy(t, p)
			happened, flood := &journal{}, &journal{}
			for i := range 10_000 {
				p.Submit(source(100+i%sources), &job{name: "flood", journal: flood})
				if i%100 == 0 && i < 1000 && !p.Submit(source(i/100), &job{name: fmt.Sprint(i), journal: happened}) {
					t.Errorf("job %d of a source with one is refused", i)
				}
			}
			last := make(chan struct{})
			p.Submit(source(99), &job{"last", happened, func(*Thread) { close(last) }})
			release()
			<-last
			if want := []string{"0", "100", "200", "300", "400", "500", "600", "700", "800", "900", "last"}; !cmp.Equal(happened.lines, want) {
				t.Errorf("got %v, want %v", happened.lines, want)
			}
		})
	}
}

// model is what a queue should be, done slowly.
type model struct {
	jobs  []submitted // in their order
	turns []int
}

func (m *model) count(source int) (n int) {
	for _, j := range m.jobs {
		if j.source == source {
			n++
		}
	}
	return n
}

func (m *model) longest() (n int) {
	for _, s := range m.turns {
		n = max(n, m.count(s))
	}
	return n
}

// TestQueueAgreesWithModel does at random what can be done.
func TestQueueAgreesWithModel(t *testing.T) {
	const size = 16
	for _, sources := range []int{1, 2, 5, 40} {
		q, m := newQueue(size), &model{}
		random := uint32(sources)
		for i := range 20_000 {
			random = random*1664525 + 1013904223
			s := int(random>>16) % sources
			if random>>30 == 0 {
				m.pop(t, &q)
				continue
			}
			name := fmt.Sprint(i)
			full, mine, longest := len(m.jobs) == size, m.count(s), m.longest()
			displaced, ok := q.push(source(s), &job{name: name}, time.Time{})
			if want := !full || mine+1 < longest; ok != want {
				t.Fatalf("push with %d of %d: got %v, want %v", mine, longest, ok, want)
			}
			if (displaced != nil) != (full && ok) {
				t.Fatalf("full is %v, displaced %v", full, displaced)
			}
			if displaced != nil {
				m.displace(t, displaced.(*job).name, longest)
			}
			if ok {
				if m.jobs = append(m.jobs, submitted{source: s, name: name}); !slices.Contains(m.turns, s) {
					m.turns = append(m.turns, s)
				}
			}
			if q.size != len(m.jobs) || len(q.lines) != len(m.turns) || q.longest != m.longest() {
				t.Fatalf("got %d jobs of %d sources, the longest line %d; want %d, %d, %d", q.size, len(q.lines), q.longest, len(m.jobs), len(m.turns), m.longest())
			}
		}
	}
}

// pop wants the oldest job of the source whose turn it is.
func (m *model) pop(t *testing.T, q *queue) {
	t.Helper()
	j, _ := q.pop()
	if len(m.turns) == 0 {
		if j != nil {
			t.Fatal("popped from nothing")
		}
		return
	}
	s := m.turns[0]
	at := slices.IndexFunc(m.jobs, func(j submitted) bool { return j.source == s })
	if j == nil || j.(*job).name != m.jobs[at].name {
		t.Fatalf("popped %v, want %s of source %d", j, m.jobs[at].name, s)
	}
	m.jobs = slices.Delete(m.jobs, at, at+1)
	if m.turns = m.turns[1:]; m.count(s) > 0 {
		m.turns = append(m.turns, s)
	}
}

// displace wants the newest job of a source with the most.
func (m *model) displace(t *testing.T, name string, longest int) {
	t.Helper()
	at := slices.IndexFunc(m.jobs, func(j submitted) bool { return j.name == name })
	s := m.jobs[at].source
	for _, j := range m.jobs[at+1:] {
		if j.source == s {
			t.Fatalf("displaced %s, and %s is newer", name, j.name)
		}
	}
	if m.count(s) != longest {
		t.Fatalf("displaced of a source with %d, want %d", m.count(s), longest)
	}
	if m.jobs = slices.Delete(m.jobs, at, at+1); m.count(s) == 0 {
		m.turns = slices.DeleteFunc(m.turns, func(turn int) bool { return turn == s })
	}
}

// TestLate: what has waited too long is not run.
func TestLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Options{Threads: 1, MaxWait: time.Second})
		defer p.Close()
		happened := &journal{}
		release := busy(t, p)
		p.Submit(source(1), &job{name: "old", journal: happened})
		time.Sleep(600 * time.Millisecond)
		p.Submit(source(2), &job{name: "young", journal: happened})
		time.Sleep(600 * time.Millisecond)
		release()
		synctest.Wait()
		if want := []string{"shed old", "young"}; !cmp.Equal(happened.lines, want) {
			t.Errorf("got %v, want %v", happened.lines, want)
		}
		if s := p.Stats(); s.Late != 1 || s.Run != 2 {
			t.Errorf("got %+v, want one late and two run", s)
		}
	})
}

// TestSteps: what was begun comes before what is new, whoever waits.
func TestSteps(t *testing.T) {
	p := New(Options{Threads: 1})
	defer p.Close()
	happened, last := &journal{}, make(chan struct{})
	var thread *Thread
	release := busy(t, p)
	p.Submit(source(1), &job{"first", happened, func(t *Thread) {
		thread = t
		t.Submit(&job{name: "step 1", journal: happened})
		t.Submit(&job{name: "step 2", journal: happened})
	}})
	p.Submit(source(1), &job{"second", happened, func(*Thread) { close(last) }})
	release()
	<-last
	if want := []string{"first", "step 1", "step 2", "second"}; !cmp.Equal(happened.lines, want) {
		t.Errorf("got %v, want %v", happened.lines, want)
	}
	woken := make(chan struct{}) // a thread that sleeps is woken by a step, too
	for asleep := false; !asleep; {
		p.mu.Lock()
		asleep = len(p.idle) == 1
		p.mu.Unlock()
	}
	thread.Submit(&job{"step 3", happened, func(*Thread) { close(woken) }})
	<-woken
	if s := p.Stats(); s.Steps != 3 || s.Run != 3 {
		t.Errorf("got %+v, want three of each", s)
	}
}

func TestClose(t *testing.T) {
	p := New(Options{Threads: 2})
	happened := &journal{}
	var thread *Thread
	begun := make(chan struct{})
	paused := "never"
	p.Submit(source(1), &job{"paused", happened, func(t *Thread) {
		thread = t
		c := t.Coroutine(func(c *Coroutine) {
			paused = fmt.Sprint(c.Pause(), c.Pause())
		})
		c.Resume()
		close(begun)
	}})
	<-begun
	p.Close()
	if paused != "false false" {
		t.Errorf("the paused coroutine got %s, want to be stopped", paused)
	}
	if p.Submit(source(1), &job{name: "late", journal: happened}) {
		t.Error("a closed pool accepts a job")
	}
	thread.Submit(&job{name: "step", journal: happened})
	if want := []string{"paused", "shed step"}; !cmp.Equal(happened.lines, want) {
		t.Errorf("got %v, want %v", happened.lines, want)
	}
	p.Close()
}

func TestCloseSheds(t *testing.T) {
	p := New(Options{Threads: 1})
	happened := &journal{}
	release := busy(t, p)
	p.Submit(source(1), &job{name: "waiting", journal: happened})
	closed := make(chan struct{})
	go func() { p.Close(); close(closed) }()
	for p.Waiting() > 0 {
		runtime.Gosched()
	}
	release()
	<-closed
	if want := []string{"shed waiting"}; !cmp.Equal(happened.lines, want) {
		t.Errorf("got %v, want %v", happened.lines, want)
	}
}

// on runs f on a thread.
func on(t *testing.T, p *Pool, f func(t *Thread)) {
	t.Helper()
	done := make(chan struct{})
	p.Submit(source(1), &job{"", &journal{}, func(t *Thread) { defer close(done); f(t) }})
	<-done
}

func TestCoroutine(t *testing.T) {
	p := New(Options{Threads: 1})
	defer p.Close()
	on(t, p, func(thread *Thread) {
		var got []string
		walk := func(name string) func(*Coroutine) {
			return func(c *Coroutine) {
				for i := range 2 {
					got = append(got, fmt.Sprint(name, i))
					if !c.Pause() {
						got = append(got, name+" stops")
						return
					}
				}
				got = append(got, name+" ends")
			}
		}
		a, b := thread.Coroutine(walk("a")), thread.Coroutine(walk("b"))
		for _, over := range []bool{a.Resume(), b.Resume(), a.Resume()} {
			if over {
				t.Error("over too early")
			}
		}
		b.Stop()
		if !a.Resume() {
			t.Error("not over at the end")
		}
		if want := []string{"a0", "b0", "a1", "b stops", "a ends"}; !cmp.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if again := thread.Coroutine(walk("c")); again != a || again.Resume() {
			t.Error("the coroutine is not used again")
		}
		if len(thread.free) != 1 {
			t.Errorf("got %d free, want 1", len(thread.free))
		}
	})
}

// TestCoroutinePanics: a panic reaches who resumes, and costs that coroutine only.
func TestCoroutinePanics(t *testing.T) {
	p := New(Options{Threads: 1})
	defer p.Close()
	on(t, p, func(thread *Thread) {
		func() {
			defer func() {
				if got := recover(); got != "a fault" {
					t.Errorf("recovered %v, want the fault", got)
				}
			}()
			thread.Coroutine(func(*Coroutine) { panic("a fault") }).Resume()
		}()
		if !thread.coroutines.empty() || len(thread.free) != 0 || p.Stats().Coroutines != 0 {
			t.Error("the broken coroutine is kept")
		}
		if !thread.Coroutine(func(*Coroutine) {}).Resume() {
			t.Error("the thread makes no more of them")
		}
	})
}

func TestKeptCoroutines(t *testing.T) {
	p := New(Options{Threads: 1})
	defer p.Close()
	on(t, p, func(thread *Thread) {
		var all []*Coroutine
		for range keptCoroutines + 10 {
			c := thread.Coroutine(func(c *Coroutine) { c.Pause() })
			c.Resume()
			all = append(all, c)
		}
		if got := p.Stats().Coroutines; got != len(all) {
			t.Errorf("got %d coroutines, want %d", got, len(all))
		}
		for _, c := range all {
			c.Stop()
		}
		if got := p.Stats().Coroutines; len(thread.free) != keptCoroutines || !thread.coroutines.empty() || got != 0 {
			t.Errorf("got %d kept, and %d in use, want %d and none", len(thread.free), got, keptCoroutines)
		}
	})
}

func TestDefaults(t *testing.T) {
	p := New(Options{})
	defer p.Close()
	if got, want := p.Stats().Threads, max(1, runtime.NumCPU()/2); got != want || p.Queue() != 1024 {
		t.Errorf("got %d threads and a queue of %d, want %d and 1024", got, p.Queue(), want)
	}
}

// TestParallel has many sources submit to several threads at once: nothing is lost.
func TestParallel(t *testing.T) {
	p := New(Options{Threads: 4, Queue: 64, Nice: 10})
	var sources, all sync.WaitGroup
	var mu sync.Mutex
	run, shed, refused := 0, 0, 0
	count := func(n *int) {
		mu.Lock()
		*n++
		mu.Unlock()
	}
	for s := range 8 {
		sources.Go(func() {
			for range 500 {
				all.Add(1)
				j := &counted{func() { count(&run); all.Done() }, func() { count(&shed); all.Done() }}
				if !p.Submit(source(s), j) {
					count(&refused)
					all.Done()
				}
			}
		})
	}
	sources.Wait()
	all.Wait()
	if s := p.Stats(); run+shed+refused != 4000 || s.Run != uint64(run) || s.Displaced != uint64(shed) || s.Refused != uint64(refused) {
		t.Errorf("run %d, shed %d, refused %d, of 4000; %+v", run, shed, refused, s)
	}
	p.Close()
}

type counted struct{ run, shed func() }

func (c *counted) Run(*Thread) { c.run() }
func (c *counted) Shed()       { c.shed() }

type nothing struct{ done chan struct{} }

func (n *nothing) Run(*Thread) { n.done <- struct{}{} }
func (n *nothing) Shed()       { n.done <- struct{}{} }

// BenchmarkSubmit is a job's way to a thread that sleeps, and back.
func BenchmarkSubmit(b *testing.B) {
	p := New(Options{Threads: 1})
	defer p.Close()
	n := &nothing{make(chan struct{}, 1)}
	b.ReportAllocs()
	for b.Loop() {
		p.Submit(source(1), n)
		<-n.done
	}
}

// BenchmarkQueue is a job in and out of a full queue, of one source or of as many as there are jobs.
func BenchmarkQueue(b *testing.B) {
	for _, sources := range []int{1, 1024} {
		b.Run(fmt.Sprint(sources), func(b *testing.B) {
			q := newQueue(1024)
			all := make([]netip.Prefix, sources)
			for i := range all {
				all[i] = source(i)
			}
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := q.push(all[i%sources], nil, time.Time{}); !ok {
					q.pop()
				}
				i++
			}
		})
	}
}

// BenchmarkCoroutine is one that pauses once.
func BenchmarkCoroutine(b *testing.B) {
	p := New(Options{Threads: 1})
	defer p.Close()
	done := make(chan struct{})
	b.ReportAllocs()
	p.Submit(source(1), &job{"", &journal{}, func(t *Thread) {
		defer close(done)
		f := func(c *Coroutine) { c.Pause() }
		for b.Loop() {
			c := t.Coroutine(f)
			c.Resume()
			c.Resume()
		}
	}})
	<-done
}
