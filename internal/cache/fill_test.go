package cache

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/flow"
)

// startFill starts a fetch of /a whose body the test feeds, and returns the flow that leads it, after Keep.
func startFill(p *Policy, body *scripted, length int64) *flow.Flow {
	f := get("/a")
	run(p, f, func(f *flow.Flow) (*flow.Message, *flow.Refusal) {
		body.abort = f.Abort
		return &flow.Message{Status: 200, Fields: lines(cacheable), Length: length, Stream: body}, nil
	})
	return f
}

// joinFill is another flow that reads /a, which is being fetched.
func joinFill(t *testing.T, p *Policy) *flow.Flow {
	t.Helper()
	f := get("/a")
	p.Lookup(f)
	if got := p.Join(f); got != Served || f.Cache.Message.Stream == nil || !f.Cache.Collapsed {
		t.Fatalf("got %v, collapsed %v, want served from a growing object", got, f.Cache.Collapsed)
	}
	return f
}

func next(t *testing.T, f *flow.Flow, want string, wantErr error) {
	t.Helper()
	piece, err := f.Cache.Message.Stream.Next()
	if string(piece) != want || err != wantErr {
		t.Fatalf("got %d bytes %.20q, %v, want %d bytes %.20q, %v", len(piece), piece, err, len(want), want, wantErr)
	}
}

func TestReadersFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, body := newPolicy(t), newScripted(nil)
		body.steps <- step{"one", nil}
		a := startFill(p, body, -1)
		b := joinFill(t, p)
		next(t, a, "one", nil)
		next(t, b, "one", nil)
		got := make(chan string)
		go func() {
			piece, _ := b.Cache.Message.Stream.Next()
			got <- string(piece)
		}()
		synctest.Wait()
		body.steps <- step{"two", nil}
		if piece := <-got; piece != "two" {
			t.Errorf("the one that waited: got %q, want two", piece)
		}
		body.steps <- step{"three", io.EOF}
		synctest.Wait()
		c := get("/a")
		mustHit(t, p, c, "onetwothree")
		next(t, a, "twothree", io.EOF) // one that is slow has missed nothing
		next(t, b, "three", io.EOF)
		next(t, b, "", io.EOF)
		for _, f := range []*flow.Flow{a, b} {
			f.Cache.Message.Stream.Close()
			f.Cache.Message.Stream.Close()
		}
		if !body.isClosed() {
			t.Error("the origin's body was not closed")
		}
	})
}

// A reader that does not read holds up nobody while the object may be stored.
func TestSlowReaderHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, body := newPolicy(t), newScripted(nil)
		piece := strings.Repeat("x", 64<<10)
		body.steps <- step{piece, nil}
		slow := startFill(p, body, -1)
		fast := joinFill(t, p)
		for range testObject/len(piece) - 2 {
			body.steps <- step{piece, nil}
		}
		body.steps <- step{piece, io.EOF}
		got, err := read(fast)
		if len(got) != testObject || err != nil {
			t.Errorf("fast: got %d bytes, %v, want %d", len(got), err, testObject)
		}
		got, err = read(slow)
		if len(got) != testObject || err != nil {
			t.Errorf("slow: got %d bytes, %v, want %d", len(got), err, testObject)
		}
	})
}

// endless is an origin's body that never ends by itself: each piece differs.
type endless struct {
	scripted
	n, most int // bytes given, bytes to give
}

func newEndless(most int) *endless {
	return &endless{scripted: *newScripted(&flow.Abort{}), most: most}
}

const endlessPiece = 32 << 10

func (e *endless) Next() ([]byte, error) {
	p := bytes.Repeat([]byte{byte(e.n / endlessPiece)}, endlessPiece)
	e.n += len(p)
	if e.n >= e.most {
		return p, io.EOF
	}
	return p, nil
}

func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, body := newPolicy(t), newEndless(8*testObject)
		a := get("/a")
		run(p, a, func(f *flow.Flow) (*flow.Message, *flow.Refusal) {
			return &flow.Message{Status: 200, Fields: lines(cacheable), Length: -1, Stream: body}, nil
		})
		synctest.Wait()
		if limit := testObject + endlessPiece; body.n > limit {
			t.Errorf("read ahead: got %d bytes, want at most %d", body.n, limit)
		}
		late := get("/a")
		p.Lookup(late)
		if got := p.Join(late); got != Pass {
			t.Errorf("one who comes later: got %v, want pass", got)
		}
		stream := a.Cache.Message.Stream
		var n, ahead int
		for {
			piece, err := stream.Next()
			for i, c := range piece {
				if want := byte((n + i) / endlessPiece); c != want {
					t.Fatalf("byte %d: got %d, want %d", n+i, c, want)
				}
			}
			synctest.Wait()
			if n > 2*testObject {
				ahead = max(ahead, body.n-n)
				if got, limit := p.room.Stats().Filling, int64(5*windowSize); got > limit {
					t.Fatalf("memory of the window: got %d, want at most %d", got, limit)
				}
			}
			n += len(piece)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		stream.Close()
		if n != 8*testObject {
			t.Errorf("got %d bytes, want %d", n, 8*testObject)
		}
		if limit := windowSize + endlessPiece; ahead > limit || ahead < windowSize/2 {
			t.Errorf("ahead of its reader: got %d bytes, want about %d", ahead, limit)
		}
		mustMiss(t, p, get("/a"))
		if !body.isClosed() || p.room.Stats().Filling != 0 {
			t.Errorf("closed %v, memory %d, want all given back", body.isClosed(), p.room.Stats().Filling)
		}
	})
}

// The window waits for its slowest reader, until that one leaves.
func TestWindowAndSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, body := newPolicy(t), newScripted(nil)
		piece := strings.Repeat("x", 64<<10)
		body.steps <- step{piece, nil}
		slow := startFill(p, body, -1)
		fast := joinFill(t, p)
		total := testObject + 4*windowSize
		for range total/len(piece) - 2 {
			body.steps <- step{piece, nil}
		}
		body.steps <- step{piece, io.EOF}
		var n int
		done := make(chan error)
		go func() {
			got, err := read(fast)
			n = len(got)
			done <- err
		}()
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("the fast reader ended before the slow one moved: %d bytes, %v", n, err)
		default:
		}
		slow.Cache.Message.Stream.Close()
		if err := <-done; err != nil || n != total {
			t.Errorf("fast: got %d bytes, %v, want %d", n, err, total)
		}
	})
}

func TestReaderLeaves(t *testing.T) {
	tests := []struct {
		name          string
		length        int64
		arrived       int
		stay, byAbort bool
		cancelled     bool
	}{
		{name: "length unknown", length: -1, arrived: 60, cancelled: true},
		{name: "less than half", length: 100, arrived: 49, cancelled: true},
		{name: "less than half, client gone while waiting", length: 100, arrived: 49, byAbort: true, cancelled: true},
		{name: "half", length: 100, arrived: 50},
		{name: "another reads", length: -1, arrived: 10, stay: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, body := newPolicy(t), newScripted(nil)
				body.steps <- step{strings.Repeat("x", tt.arrived), nil}
				f := startFill(p, body, tt.length)
				var other *flow.Flow
				if tt.stay {
					other = joinFill(t, p)
				}
				if tt.byAbort {
					next(t, f, strings.Repeat("x", tt.arrived), nil)
					go func() {
						time.Sleep(time.Second)
						f.Abort.Fire()
					}()
					next(t, f, "", io.ErrUnexpectedEOF)
				}
				f.Cache.Message.Stream.Close()
				synctest.Wait()
				if got := body.isClosed(); got != tt.cancelled {
					t.Fatalf("cancelled: got %v, want %v", got, tt.cancelled)
				}
				if tt.cancelled {
					return
				}
				body.steps <- step{strings.Repeat("x", 100-tt.arrived), io.EOF}
				synctest.Wait()
				mustHit(t, p, get("/a"), strings.Repeat("x", 100))
				if other != nil {
					if got, err := read(other); len(got) != 100 || err != nil {
						t.Errorf("the other: got %d bytes, %v, want 100", len(got), err)
					}
				}
			})
		})
	}
}

// What is announced takes no memory, only what arrives does.
func TestAnnouncedLengthTakesNoMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, body := newPolicy(t), newScripted(nil)
		body.steps <- step{"x", nil}
		f := startFill(p, body, testObject)
		if got := p.room.Stats().Filling; got > firstStep {
			t.Errorf("got %d bytes for one byte of an announced %d, want at most %d", got, testObject, firstStep)
		}
		f.Cache.Message.Stream.Close()
		synctest.Wait()
	})
}

func TestFillMemoryIsBounded(t *testing.T) {
	const limit = 1 << 20 // for fetches, of the room's 4 MiB
	tests := []struct {
		name  string
		taken int // by another fetch
	}{
		{"nearly used up when the head comes", limit - 1},
		{"used up when the head comes", limit},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, first, second := newPolicyOf(t, 4*limit, limit, 10), newScripted(nil), newScripted(nil)
				first.steps <- step{strings.Repeat("x", tt.taken), nil}
				a := startFill(p, first, -1)
				b, body := get("/b"), strings.Repeat("y", 3*limit)
				for i := 0; i < len(body); i += 64 << 10 {
					second.steps <- step{body[i : i+64<<10], nil}
				}
				second.steps <- step{"", io.EOF}
				run(p, b, func(f *flow.Flow) (*flow.Message, *flow.Refusal) {
					second.abort = f.Abort
					return &flow.Message{Status: 200, Fields: lines(cacheable), Length: -1, Stream: second}, nil
				})
				if got, err := read(b); got != body || err != nil {
					t.Errorf("got %d bytes, %v, want %d", len(got), err, len(body))
				}
				mustMiss(t, p, get("/b"))
				first.steps <- step{"", io.EOF}
				if got, err := read(a); len(got) != tt.taken || err != nil {
					t.Errorf("got %d bytes, %v, want %d", len(got), err, tt.taken)
				}
				mustHit(t, p, get("/a"), strings.Repeat("x", tt.taken))
				if got := p.room.Stats().Filling; got != 0 {
					t.Errorf("memory of fetches: got %d bytes, want 0", got)
				}
			})
		})
	}
}

// Of two fetches that nobody waits for, one is stored and the other passes through.
func TestOneFetchIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, body := newPolicy(t), newScripted(nil)
		body.steps <- step{"one", nil}
		b := get("/a", "Authorization: x")
		p.Lookup(b)
		if got := p.Join(b); got != Lead {
			t.Fatalf("got %v, want lead", got)
		}
		a := startFill(p, body, -1)
		b.Origin.Message = response(200, "other", "Cache-Control: public, max-age=60")
		p.Keep(b)
		if got, err := read(b); got != "other" || err != nil || b.Cache.Stored {
			t.Errorf("second: got %q, %v, stored %v, want its own response, not stored", got, err, b.Cache.Stored)
		}
		body.steps <- step{"", io.EOF}
		if got, err := read(a); got != "one" || err != nil || !a.Cache.Stored {
			t.Errorf("first: got %q, %v, stored %v, want its response, stored", got, err, a.Cache.Stored)
		}
		mustHit(t, p, get("/a"), "one")
	})
}

// A client of a response that is not stored reaches the origin when it goes.
func TestRelayCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, body := newPolicy(t), newScripted(nil)
		body.steps <- step{"x", nil}
		f := get("/a")
		run(p, f, func(f *flow.Flow) (*flow.Message, *flow.Refusal) {
			body.abort = f.Abort
			return &flow.Message{Status: 200, Fields: lines("Cache-Control: no-store"), Length: -1, Stream: body}, nil
		})
		next(t, f, "x", nil)
		go func() {
			time.Sleep(time.Second)
			f.Abort.Fire()
		}()
		next(t, f, "", errAborted)
		f.Cache.Message.Stream.Close()
	})
}

// Property: whatever the sizes, the timing and who leaves, each reader gets the origin's bytes.
func TestReadersGetTheOriginsBytes(t *testing.T) {
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		synctest.Test(t, func(t *testing.T) {
			p := newPolicyOf(t, 8<<20, 256<<10, 1000)
			body := make([]byte, rnd.IntN(512<<10))
			for i := range body {
				body[i] = byte(rnd.Uint32())
			}
			length := int64(-1)
			if rnd.IntN(2) == 0 {
				length = int64(len(body))
			}
			var wg sync.WaitGroup
			for range 8 {
				start := time.Duration(rnd.IntN(40)) * time.Millisecond
				pause, leave := time.Duration(rnd.IntN(3))*time.Millisecond, rnd.IntN(4) == 0
				wg.Go(func() {
					time.Sleep(start)
					f := get("/a")
					run(p, f, func(f *flow.Flow) (*flow.Message, *flow.Refusal) {
						s := newScripted(f.Abort)
						feed(rand.New(rand.NewPCG(seed, 2)), s, body)
						return &flow.Message{Status: 200, Fields: lines(cacheable), Length: length, Stream: s}, nil
					})
					readAs(t, f, body, pause, leave)
				})
			}
			wg.Wait()
			synctest.Wait()
			f := get("/a")
			if p.Lookup(f); f.Cache.Message != nil && !bytes.Equal(f.Cache.Message.Body, body) {
				t.Errorf("seed %d: stored %d bytes that are not the origin's %d", seed, len(f.Cache.Message.Body), len(body))
			}
			if got := p.room.Stats().Filling; got != 0 {
				t.Errorf("seed %d: memory of fetches: got %d bytes, want 0", seed, got)
			}
		})
	}
}

// feed plays a body into s in random pieces at random times.
func feed(rnd *rand.Rand, s *scripted, body []byte) {
	go func() {
		for {
			n := min(1+rnd.IntN(64<<10), len(body))
			st := step{data: string(body[:n])}
			if body = body[n:]; len(body) == 0 {
				st.err = io.EOF
			}
			s.steps <- st
			if st.err != nil {
				return
			}
			select {
			case <-s.closed:
				return
			case <-time.After(time.Duration(rnd.IntN(5)) * time.Millisecond):
			}
		}
	}()
}

// readAs reads a flow's message as one kind of client does, and compares.
func readAs(t *testing.T, f *flow.Flow, want []byte, pause time.Duration, leave bool) {
	m := f.Message()
	if m.Stream == nil {
		if !bytes.Equal(m.Body, want) {
			t.Errorf("whole: got %d bytes that are not the origin's %d", len(m.Body), len(want))
		}
		return
	}
	defer m.Stream.Close()
	for n := 0; ; {
		piece, err := m.Stream.Next()
		if n+len(piece) > len(want) || !bytes.Equal(piece, want[n:n+len(piece)]) {
			t.Errorf("at %d: got %d bytes that are not the origin's", n, len(piece))
			return
		}
		n += len(piece)
		switch {
		case err == io.EOF:
			if n != len(want) {
				t.Errorf("got %d bytes, want %d", n, len(want))
			}
			return
		case err != nil:
			t.Errorf("at %d: %v", n, err)
			return
		case leave && n > len(want)/3:
			return
		}
		time.Sleep(pause)
	}
}
