package hello

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/workers"
)

// TestPieces: a handshake goes on however its bytes arrive, and what comes with its end is not lost.
func TestPieces(t *testing.T) {
	folder := t.TempDir()
	r := newRoom(t, folder)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, chunk := range []int{1, 7, 500, 100_000} {
			t.Run(fmt.Sprintf("%s, %d bytes", tls.VersionName(version), chunk), func(t *testing.T) {
				config := &tls.Config{RootCAs: roots(t, folder), ServerName: "example.org", MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
				for _, resumed := range []bool{false, true} {
					info := from(1)
					if _, err := talk(r, config, info, chunk); err != nil {
						t.Fatal(err)
					}
					if got := info.TLS; got.Version != version || got.ServerName != "example.org" || got.Resumed != resumed {
						t.Errorf("got %+v, want resumed %v", got, resumed)
					}
				}
			})
		}
	}
	if s := r.Stats(); s.Complete != 16 || s.Resumed != 8 || s.Failed != 0 || s.Open != 0 || s.Sources != 0 {
		t.Errorf("got %+v, want 16 complete, 8 of them resumed", s)
	}
}

// TestRetry: a client whose key share is of no use is asked for another, which is one step more.
func TestRetry(t *testing.T) {
	folder := t.TempDir()
	r := newRoom(t, folder)
	// A client that prefers P-521 and offers P-384, too, sends a share of the former only.
	config := &tls.Config{RootCAs: roots(t, folder), ServerName: "example.org", CurvePreferences: []tls.CurveID{tls.CurveP521, tls.CurveP384}}
	state, err := talk(r, config, from(1), 100)
	if err != nil || state.CurveID != tls.CurveP384 {
		t.Errorf("got %v, error %v, want P-384", state.CurveID, err)
	}
}

// TestTogether: what a client says right after its handshake may arrive with it, and is there to be read.
func TestTogether(t *testing.T) {
	folder := t.TempDir()
	r := newRoom(t, folder)
	near, far := newEnds()
	said := bytes.Repeat([]byte("x"), 100_000)
	client := make(chan error, 1)
	go func() {
		c := tls.Client(near, &tls.Config{RootCAs: roots(t, folder), ServerName: "example.org"})
		_, err := c.Write(said)
		client <- err
	}()
	s := r.Begin(far, from(1))
	defer s.Close()
	p := make([]byte, 200_000)
	n, _ := far.Read(p)
	if ready, err := s.Feed(p[:n]); !ready || err != nil {
		t.Fatalf("the hello: ready %v, error %v", ready, err)
	}
	step(s)
	if err := <-client; err != nil {
		t.Fatal(err)
	}
	n, _ = far.Read(p)
	if ready, err := s.Feed(p[:n]); !ready || err != nil {
		t.Fatalf("the rest: ready %v, error %v", ready, err)
	}
	step(s)
	secure, complete, err := s.Result()
	if !complete || err != nil {
		t.Fatalf("complete %v, error %v", complete, err)
	}
	got := make([]byte, len(said))
	if _, err := io.ReadFull(secure, got); err != nil || !bytes.Equal(got, said) {
		t.Errorf("got error %v, or other bytes", err)
	}
}

// TestTooMuch: what is kept of a client's bytes is bounded.
func TestTooMuch(t *testing.T) {
	r := small(t, Options{}, 4, 4, 4)
	_, far := newEnds()
	s := r.Begin(far, from(1))
	if ready, err := s.Feed(opening(t, &tls.Config{ServerName: "a.example"})); !ready || err != nil {
		t.Fatalf("ready %v, error %v", ready, err)
	}
	for n := 0; ; n += 64 << 10 {
		if _, err := s.Feed(make([]byte, 64<<10)); err != nil {
			break
		} else if n > maxInput {
			t.Fatal("takes without end")
		}
	}
	s.Close()
	idle(t, r)
}

// TestHalfOpen: handshakes that stall hold no worker, however many.
func TestHalfOpen(t *testing.T) {
	r := small(t, Options{}, 1000, 1, 1000)
	hello := opening(t, &tls.Config{ServerName: "a.example"})
	_, far := newEnds()
	var stalled []*Shake
	for i := range 500 {
		half, whole := r.Begin(far, from(1)), r.Begin(far, from(2+i))
		if ready, err := half.Feed(hello[:len(hello)/2]); ready || err != nil {
			t.Fatalf("half a hello: ready %v, error %v", ready, err)
		}
		if ready, err := whole.Feed(hello); !ready || err != nil {
			t.Fatalf("a hello: ready %v, error %v", ready, err)
		}
		step(whole)
		if _, complete, err := whole.Result(); complete || err != nil {
			t.Fatalf("complete %v, error %v, want neither", complete, err)
		}
		stalled = append(stalled, half, whole)
	}
	if s := r.Stats(); s.Open != 500 || s.Waiting != 500 || s.Sources != 500 {
		t.Errorf("got %+v, want 500 open and waiting", s)
	}
	if _, err := talk(r, &tls.Config{InsecureSkipVerify: true}, from(1000), 4096); err != nil {
		t.Error(err)
	}
	for _, s := range stalled {
		s.Close()
	}
	idle(t, r)
}

// TestDeafClient: on a goroutine, one that does not read its answer holds no worker either.
func TestDeafClient(t *testing.T) {
	r := small(t, Options{}, 4, 4, 4)
	near, far := net.Pipe()
	deaf := make(chan error, 1)
	go func() { _, err := r.Handshake(far, from(1)); deaf <- err }()
	if _, err := near.Write(opening(t, &tls.Config{ServerName: "a.example"})); err != nil {
		t.Fatal(err)
	}
	for r.Stats().Waiting == 0 {
		runtime.Gosched()
	}
	if _, _, err := shake(t, r, &tls.Config{InsecureSkipVerify: true}); err != nil {
		t.Error(err)
	}
	near.Close()
	if err := <-deaf; !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got error %v, want that of writing", err)
	}
	idle(t, r)
}

// TestSilence: a handshake that was given up says nothing more to a connection that may be another's.
func TestSilence(t *testing.T) {
	_, far := newEnds()
	w := &wire{Conn: far, shake: &Shake{stopped: true}}
	if _, err := w.Write([]byte("x")); !errors.Is(err, net.ErrClosed) || len(far.out.bytes) > 0 {
		t.Errorf("got error %v, and %d bytes written", err, len(far.out.bytes))
	}
}

// TestFlood: a flood of one source does not keep another's visitor waiting, or out.
func TestFlood(t *testing.T) {
	r := small(t, Options{}, 1000, 1000, 16)
	hello := opening(t, &tls.Config{ServerName: "a.example"})
	_, far := newEnds()
	release := busy(t, r)
	order := make(chan string, 200)
	begin := func(name string, source int) *Shake {
		s := r.Begin(far, from(source))
		if ready, err := s.Feed(hello); !ready || err != nil {
			t.Fatalf("ready %v, error %v", ready, err)
		}
		s.Go(func() { order <- name })
		return s
	}
	var all []*Shake
	for range 100 {
		all = append(all, begin("flood", 1))
	}
	visitor := begin("visitor", 2)
	for range 99 {
		all = append(all, begin("flood", 1))
	}
	for range 199 - 16 + 1 {
		if got := <-order; got != "flood" {
			t.Fatal("the visitor is shed, or served before the thread is free")
		}
	}
	release()
	if first, second := <-order, <-order; first != "visitor" && second != "visitor" {
		t.Errorf("the visitor is served after %s and %s", first, second)
	}
	for range 14 {
		<-order
	}
	if _, complete, err := visitor.Result(); complete || err != nil {
		t.Errorf("the visitor: complete %v, error %v, want neither", complete, err)
	}
	shed := 0
	for _, s := range all {
		if _, _, err := s.Result(); err != nil {
			shed++
			if refusal, ok := errors.AsType[*Refusal](err); !ok || refusal.Cause != QueueFull {
				t.Fatalf("got error %v, want %v", err, QueueFull)
			}
		}
		s.Close()
	}
	visitor.Close()
	if s := r.Stats(); shed != 199-15 || s.Refused[QueueFull] != uint64(shed) {
		t.Errorf("got %d shed, counted %d, want %d", shed, s.Refused[QueueFull], 199-15)
	}
	idle(t, r)
}

// TestLate: who has waited too long for an answer is gone, and is not answered.
func TestLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, t.TempDir())
		r.Workers.Close()
		r.Workers = workers.New(workers.Options{Threads: 1, MaxWait: time.Second})
		release := busy(t, r)
		_, far := newEnds()
		s := r.Begin(far, from(1))
		if ready, err := s.Feed(opening(t, &tls.Config{ServerName: "a.example"})); !ready || err != nil {
			t.Fatalf("ready %v, error %v", ready, err)
		}
		done := 0
		s.Go(func() { done++ })
		time.Sleep(2 * time.Second)
		release()
		synctest.Wait()
		if _, _, err := s.Result(); !refusedBy(err, QueueFull) || done != 1 {
			t.Errorf("got error %v, told %d times, want %v, once", err, done, QueueFull)
		}
		idle(t, r)
	})
}

func refusedBy(err error, cause Cause) bool {
	refusal, ok := errors.AsType[*Refusal](err)
	return ok && refusal.Cause == cause
}

// TestLeaves: a client may leave at any time, and leaves nothing behind.
func TestLeaves(t *testing.T) {
	hello := opening(t, &tls.Config{ServerName: "a.example"})
	feed := func(s *Shake, p []byte) {
		if _, err := s.Feed(p); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name  string
		leave func(r *Room, s *Shake)
		err   error
	}{
		{"at once", func(_ *Room, s *Shake) { s.Close() }, errClosed},
		{"in its hello", func(_ *Room, s *Shake) { feed(s, hello[:9]); s.Close() }, errClosed},
		{"before its first step", func(_ *Room, s *Shake) { feed(s, hello); s.Close() }, errClosed},
		{"in the queue", func(r *Room, s *Shake) {
			release, done := busy(t, r), make(chan struct{})
			feed(s, hello)
			s.Go(func() { close(done) })
			s.Close()
			release()
			<-done
		}, errClosed},
		{"in a step", func(r *Room, s *Shake) {
			feed(s, hello)
			r.Policy = func(string) *Policy { s.Close(); return nil }
			s.hello.hides = true // and so it is asked for in the step, too
			step(s)
		}, errClosed},
		{"between two", func(_ *Room, s *Shake) { feed(s, hello); step(s); s.Close() }, errClosed},
		{"with more on its way", func(_ *Room, s *Shake) { feed(s, hello); step(s); feed(s, []byte{20, 3, 3, 0, 1, 1}); s.Close() }, errClosed},
		{"after a mistake", func(_ *Room, s *Shake) { feed(s, hello); step(s); feed(s, []byte("GET / HTTP/1.1\r\n\r\n")); step(s) }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := small(t, Options{}, 4, 4, 4)
			_, far := newEnds()
			s := r.Begin(far, from(1))
			tt.leave(r, s)
			idle(t, r)
			_, complete, err := s.Result()
			s.Close()
			if complete || err == nil || tt.err != nil && err != tt.err {
				t.Errorf("complete %v, error %v, want %v", complete, err, tt.err)
			}
			if ready, err := s.Feed(nil); ready || err == nil {
				t.Errorf("ready %v, error %v, want its end", ready, err)
			}
			step(s) // says at once that it is over
		})
	}
}

// TestGivesWay: when as many are open as may be, the one that has waited longest for its client gives way to a new one.
func TestGivesWay(t *testing.T) {
	r := small(t, Options{}, 3, 10, 10)
	hello := opening(t, &tls.Config{ServerName: "a.example"})
	_, far := newEnds()
	var all []*Shake
	for i := range 5 {
		s := r.Begin(far, from(i))
		if ready, err := s.Feed(hello); !ready || err != nil {
			t.Fatalf("ready %v, error %v", ready, err)
		}
		step(s)
		all = append(all, s)
		if i == 2 { // the first is heard of once more
			if _, err := all[0].Feed([]byte{20}); err != nil {
				t.Fatal(err)
			}
			step(all[0])
		}
	}
	for i, gone := range []bool{false, true, true, false, false} {
		_, err := all[i].Feed([]byte{3})
		if refusedBy(err, GaveWay) != gone || err != nil && !gone {
			t.Errorf("%d: got error %v, want gone: %v", i, err, gone)
		}
	}
	step(all[1])
	if s := r.Stats(); s.Open != 3 || s.Refused[GaveWay] != 2 {
		t.Errorf("got %+v, want 3 open, and 2 that gave way", s)
	}
	if _, err := talk(r, &tls.Config{InsecureSkipVerify: true}, from(9), 4096); err != nil {
		t.Error(err)
	}
	for _, s := range all {
		s.Close()
	}
	idle(t, r)
}

// TestGivesWayAtOnce: a handshake that gives way ends without another word of its client.
func TestGivesWayAtOnce(t *testing.T) {
	r := small(t, Options{}, 1, 10, 10)
	hello := opening(t, &tls.Config{ServerName: "a.example"})
	near, far := newEnds()
	ended := make(chan error, 1)
	go func() {
		_, err := r.Handshake(far, from(1))
		ended <- err
	}()
	_, _ = near.Write(hello)
	answer := make([]byte, 1)
	if _, err := near.Read(answer); err != nil {
		t.Fatal(err)
	}
	for r.Stats().Waiting == 0 {
		runtime.Gosched()
	}
	_, other := newEnds()
	s := r.Begin(other, from(2))
	defer s.Close()
	if ready, err := s.Feed(hello); !ready || err != nil {
		t.Fatalf("ready %v, error %v", ready, err)
	}
	step(s)
	if err := <-ended; !refusedBy(err, GaveWay) {
		t.Errorf("got error %v, want %v", err, GaveWay)
	}
}

// TestFault: a fault costs the connection that it is in, and is seen.
func TestFault(t *testing.T) {
	r := small(t, Options{Issued: func(hello *tls.ClientHelloInfo) *tls.Certificate {
		if hello.ServerName == "bad.example" {
			panic("a fault")
		}
		return nil
	}}, 4, 4, 4)
	shows := func(fault any) bool {
		err, ok := fault.(error)
		return ok && strings.Contains(err.Error(), "a fault") && strings.Contains(err.Error(), "TestFault")
	}
	bad, good := &tls.Config{ServerName: "bad.example"}, &tls.Config{ServerName: "good.example", InsecureSkipVerify: true}
	_, err := talk(r, bad, from(1), 4096)
	if fault, ok := errors.AsType[*Fault](err); !ok || !shows(fault) {
		t.Errorf("got error %v, want the fault and where it was", err)
	}
	func() {
		near, far := newEnds()
		go func() { _, _ = near.Write(opening(t, bad)) }()
		defer func() {
			if fault := recover(); !shows(fault) {
				t.Errorf("recovered %v, want the fault and where it was", fault)
			}
		}()
		_, err := r.Handshake(far, from(1))
		t.Errorf("got error %v, want a panic", err)
	}()
	if _, err := talk(r, good, from(1), 4096); err != nil {
		t.Error(err)
	}
	idle(t, r)
}

// TestEnds: when the workers end, so do handshakes.
func TestEnds(t *testing.T) {
	r := newRoom(t, t.TempDir())
	hello := opening(t, &tls.Config{ServerName: "a.example"})
	_, far := newEnds()
	begun, late := r.Begin(far, from(1)), r.Begin(far, from(1))
	for _, s := range []*Shake{begun, late} {
		if ready, err := s.Feed(hello); !ready || err != nil {
			t.Fatalf("ready %v, error %v", ready, err)
		}
	}
	step(begun)
	r.Close()
	step(late)
	if _, _, err := begun.Result(); err != errClosed {
		t.Errorf("of the one that had begun: got %v, want %v", err, errClosed)
	}
	if _, _, err := late.Result(); !refusedBy(err, QueueFull) {
		t.Errorf("of the other: got %v, want %v", err, QueueFull)
	}
	if s := r.Stats(); s.Open != 0 || s.Sources != 0 {
		t.Errorf("got %+v, want none open", s)
	}
	begun.Close()
	late.Close()
}

// TestPressure: when many wait, the post-quantum key exchange is not on offer, until few do.
func TestPressure(t *testing.T) {
	folder := t.TempDir()
	r := newRoom(t, folder)
	r.Workers.Close()
	r.Workers = workers.New(workers.Options{Threads: 1, Queue: 64})
	t.Cleanup(r.Workers.Close)
	release := busy(t, r)
	groups := make(chan tls.CurveID, 40)
	for i := range cap(groups) {
		go func() {
			state, err := talk(r, &tls.Config{InsecureSkipVerify: true}, from(i), 4096)
			if err != nil {
				t.Error(err)
			}
			groups <- state.CurveID
		}()
	}
	for r.Workers.Waiting() < cap(groups) {
		runtime.Gosched()
	}
	release()
	counts := make(map[tls.CurveID]int)
	for range cap(groups) {
		counts[<-groups]++
	}
	// From 39 waiting down to 5 it is dropped, and for the last 5 it is back.
	if counts[tls.X25519] != 35 || counts[tls.X25519MLKEM768] != 5 || r.Stats().Classical != 35 {
		t.Errorf("got %v, counted %d, want 35 without and 5 with it", counts, r.Stats().Classical)
	}
	if state, err := talk(r, &tls.Config{RootCAs: roots(t, folder), ServerName: "a.example"}, from(1), 4096); err != nil || state.CurveID != tls.X25519MLKEM768 {
		t.Errorf("afterwards: got %v, error %v", state.CurveID, err)
	}
}

// TestOwnWorkers: a room ends only the workers that are its own.
func TestOwnWorkers(t *testing.T) {
	r := small(t, Options{}, 4, 4, 4)
	r.Close()
	if _, err := talk(r, &tls.Config{InsecureSkipVerify: true}, from(1), 4096); err != nil {
		t.Error(err)
	}
}

// TestParallel has many shake hands, stall and leave at once, with bounds that are too small for all.
func TestParallel(t *testing.T) {
	r := newRoom(t, t.TempDir())
	r.Workers.Close()
	r.Workers = workers.New(workers.Options{Threads: 3, Queue: 8})
	settings := *r.settings.Load()
	settings.open = 4
	r.settings.Store(&settings)
	hello := opening(t, &tls.Config{ServerName: "a.example"})
	results := make(chan error, 60)
	for i := range cap(results) {
		go func() {
			if i%3 > 0 {
				_, err := talk(r, &tls.Config{InsecureSkipVerify: true}, from(i%7), 100)
				results <- err
				return
			}
			_, far := newEnds()
			s := r.Begin(far, from(i%7))
			_, _ = s.Feed(hello)
			done := make(chan struct{})
			s.Go(func() { close(done) })
			if i%2 == 0 {
				s.Close()
			}
			<-done
			s.Close()
			results <- errClosed
		}()
	}
	var complete int
	for range cap(results) {
		if err := <-results; err == nil {
			complete++
		}
	}
	r.Workers.Close()
	if s := r.Stats(); s.Open != 0 || s.Sources != 0 || s.Waiting != 0 || s.Complete < uint64(complete) || complete == 0 {
		t.Errorf("%d complete, and in the end %+v", complete, s)
	}
}

// TestFingerprint: the flow has the client's.
func TestFingerprint(t *testing.T) {
	r := newRoom(t, t.TempDir())
	var all []string
	for _, config := range []*tls.Config{{}, {MaxVersion: tls.VersionTLS12}, {NextProtos: []string{"http/1.1"}}, {}} {
		config.ServerName, config.InsecureSkipVerify = "a.example", true
		info := &flow.Conn{}
		if _, err := talk(r, config, info, 4096); err != nil {
			t.Fatal(err)
		}
		all = append(all, info.TLS.JA4.String())
	}
	if all[0] != all[3] || !strings.HasPrefix(all[0], "t13d") || !strings.HasPrefix(all[1], "t12d") || all[2][8:10] != "h1" {
		t.Errorf("got %v", all)
	}
	if slices.Sort(all); len(slices.Compact(all)) != 3 {
		t.Errorf("got %v, want three", all)
	}
}

// FuzzFeed feeds what may come from anybody, in two pieces: it is refused, or the beginning of a handshake, and leaves nothing behind.
func FuzzFeed(f *testing.F) {
	r := small(f, Options{}, 4, 4, 4)
	hello := opening(f, &tls.Config{ServerName: "a.example"})
	f.Add(hello, 10)
	f.Add(append(slices.Clone(hello), 20, 3, 3, 0, 1, 1), len(hello))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), 0)
	_, far := newEnds()
	f.Fuzz(func(t *testing.T, p []byte, cut int) {
		s := r.Begin(far, from(1))
		cut = min(max(cut, 0), len(p))
		first, err := s.Feed(p[:cut])
		second := first
		if err == nil {
			second, err = s.Feed(p[cut:])
		}
		if first && !second || err != nil && !refusedBy(err, NotTLS) || len(s.in) > len(p) {
			t.Errorf("ready %v, then %v, error %v, %d bytes kept", first, second, err, len(s.in))
		}
		s.Close()
		if s := r.Stats(); s.Open != 0 || s.Sources != 0 {
			t.Errorf("got %+v, want nothing open", s)
		}
	})
}
