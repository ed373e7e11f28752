package cache

import (
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/flow"
)

// TestStress runs everything at once, on a store so small that it evicts all the time. Each client must get the bytes of what it
// asked for, and nothing may be left behind.
func TestStress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicyOf(t, 2<<20, 128<<10, 4)
		var wg sync.WaitGroup
		for worker := range uint64(8) {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(worker, 7))
				for range 120 {
					stress(t, p, rnd)
				}
			})
		}
		wg.Wait()
		time.Sleep(time.Second) // so that origins notice that nobody reads them
		if !idle(p.room) {
			t.Error("fetches are left behind")
		}
	})
}

func idle(r *Room) bool {
	left := 0
	for i := range r.fills {
		sh := &r.fills[i]
		sh.mu.Lock()
		left += len(sh.fills)
		sh.mu.Unlock()
	}
	return left == 0 && r.filling.used.Load() == 0
}

// stress is one client's visit.
func stress(t *testing.T, p *Policy, rnd *rand.Rand) {
	n, language := rnd.IntN(12), itoa(rnd.IntN(3))
	// Some objects are larger than the store takes, the later ones vary.
	want := strings.Repeat(string(rune('a'+n))+language, 1+n*n*800)
	if n < 6 {
		want = strings.Repeat(string(rune('a'+n)), 1+n*n*800)
	}
	f := get("/"+itoa(n), "Accept-Language: "+language)
	if rnd.IntN(20) == 0 {
		f.Request.Method = "POST"
		f.Origin.Message = &flow.Message{Status: 200}
		p.Invalidate(f)
		return
	}
	client := f.Abort
	leaves := rnd.IntN(5) == 0
	if leaves {
		time.AfterFunc(time.Duration(rnd.IntN(200))*time.Microsecond, client.Fire)
	}
	outcome := run(p, f, func(f *flow.Flow) (*flow.Message, *flow.Refusal) {
		return stressOrigin(rnd, f, n, want)
	})
	if f.Abort != client {
		t.Errorf("%v: the flow's Abort was not given back", outcome)
	}
	if f.Cache.Refusal != nil || f.Message() == nil {
		return
	}
	got, err := read(f)
	if got != want && (err == nil || !strings.HasPrefix(want, got)) {
		t.Errorf("/%d: got %d bytes, %v, that are not the origin's %d", n, len(got), err, len(want))
	}
}

func stressOrigin(rnd *rand.Rand, f *flow.Flow, n int, body string) (*flow.Message, *flow.Refusal) {
	if rnd.IntN(6) == 0 || f.Abort.Gone() {
		return nil, &flow.Refusal{Reason: flow.OriginUnreachable}
	}
	fields := lines([]string{cacheable, "Cache-Control: no-store", "Cache-Control: no-cache"}[rnd.IntN(3)], `ETag: "1"`)
	if n >= 6 {
		fields = append(fields, flow.Field{Name: "Vary", Value: "Accept-Language"})
	}
	if len(f.Cache.Validators) > 0 && rnd.IntN(2) == 0 {
		return &flow.Message{Status: 304, Fields: fields, Stream: pieces(io.EOF, "")}, nil
	}
	s := newScripted(f.Abort)
	m := &flow.Message{Status: 200, Fields: fields, Length: -1, Stream: s}
	if rnd.IntN(2) == 0 {
		m.Length = int64(len(body))
	}
	breaks, pause := rnd.IntN(10) == 0, time.Duration(rnd.IntN(50))*time.Microsecond
	go func(size int) {
		for len(body) > size {
			s.steps <- step{body[:size], nil}
			body = body[size:]
			time.Sleep(pause)
		}
		if breaks {
			s.steps <- step{"", errors.New("broken")}
		}
		s.steps <- step{body, io.EOF}
	}(4096 + rnd.IntN(32<<10))
	return m, nil
}
