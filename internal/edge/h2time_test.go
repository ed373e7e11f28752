package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/seawall/seawall/internal/spec"
)

// strict is patience that tests have numbers for.
func strict(n *spec.Node) {
	c := &n.Connections
	c.HeadTimeout, c.IdleTimeout, c.StallTimeout, c.TunnelTimeout, c.MinRate = 10*time.Second, time.Minute, 30*time.Second, 5*time.Minute, 256
}

// wantAfter checks how long something took, with what the sweeper may add.
func (e *entrance) wantAfter(what string, began time.Time, want time.Duration) {
	e.Helper()
	if took := time.Since(began); took < want || took > want+4*time.Second {
		e.Errorf("%s: after %v, want %v", what, took, want)
	}
}

// TestH2Idle wants a connection that asks for nothing to end with GOAWAY, and the time to run from its last request.
func TestH2Idle(t *testing.T) {
	tests := []struct {
		name string
		play func(w *wire)
		last int
	}{
		{"no request", func(*wire) {}, 0},
		{"a request", func(w *wire) {
			w.ask(1, true, "GET", "/cached")
			w.want("headers 1 200", "data 1 10 end")
		}, 1},
		{"one that waited", func(w *wire) {
			w.ask(1, true, "GET", "/slow") // 5 s
			w.want("headers 1 200", "data 1 10 end")
		}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			simulated(t, visit{origin: plain(page), node: strict}, func(e *entrance) {
				w := e.wire()
				time.Sleep(50 * time.Second) // the clock is the test's
				tt.play(w)
				began := time.Now()
				w.wantEnd(fmt.Sprintf("goaway %d NO_ERROR", tt.last))
				if tt.last == 0 {
					began = began.Add(-50 * time.Second)
				}
				e.wantAfter("the end", began, time.Minute)
			})
		})
	}
}

// TestH2HeadCut wants what has begun to arrive and does not end to be cut, and a field section that does not end to count as a breach.
func TestH2HeadCut(t *testing.T) {
	tests := []struct {
		name string
		play func(w *wire) (more func(i int)) // called once a second
		want string
	}{
		{"half a frame", func(w *wire) func(int) {
			io.WriteString(w.conn, "\x00\x00\x08\x06\x00")
			return nil
		}, "goaway 0 NO_ERROR"},
		{"a frame in a trickle", func(w *wire) func(int) {
			io.WriteString(w.conn, "\x00\x10\x00\x01\x05\x00\x00\x00\x01")
			return func(int) { io.WriteString(w.conn, "\x82") }
		}, "goaway 0 NO_ERROR"},
		{"no continuation", func(w *wire) func(int) {
			w.must(w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: w.section("GET", "/")}))
			return nil
		}, "goaway 0 ENHANCE_YOUR_CALM"},
		{"continuations in a trickle", func(w *wire) func(int) {
			w.must(w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: w.section("GET", "/")}))
			return func(i int) {
				if i%3 == 0 && i < 20 {
					w.WriteContinuation(1, false, []byte("\x00\x01a\x01b"))
				}
			}
		}, "goaway 0 ENHANCE_YOUR_CALM"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			simulated(t, visit{origin: plain(page), node: strict}, func(e *entrance) {
				w := e.wire()
				time.Sleep(50 * time.Second)
				began := time.Now()
				more := tt.play(w)
				var sending sync.WaitGroup
				sending.Go(func() {
					for i := 1; i < 30 && more != nil; i++ {
						time.Sleep(time.Second)
						more(i)
					}
				})
				w.wantEnd(tt.want)
				e.wantAfter("the end", began, 10*time.Second)
				sending.Wait()
			})
		})
	}
}

// TestH2Stalled wants a response whose client does not open its window, or too slowly, to be reset alone.
func TestH2Stalled(t *testing.T) {
	tests := []struct {
		name   string
		target string
		every  int // seconds between two updates of the window
		update uint32
		cut    bool
		after  time.Duration
	}{
		{"from the cache", "/long", 0, 0, true, 30 * time.Second},
		{"from the origin", "/long?fresh", 0, 0, true, 30 * time.Second},
		{"from the cache, slowly", "/long", 5, 500, true, 47 * time.Second},
		{"from the origin, slowly", "/long?fresh", 5, 500, true, 47 * time.Second},
		{"from the cache, at a pace", "/long", 5, 2500, false, 0},
		{"from the origin, at a pace", "/long?fresh", 5, 2500, false, 0},
	}
	origin := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/long" {
			if r.URL.RawQuery == "" {
				w.Header().Set("Cache-Control", "max-age=3600")
			}
			io.WriteString(w, strings.Repeat("x", 40_000))
			return
		}
		page(w, r)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			simulated(t, visit{origin: plain(origin), node: strict}, func(e *entrance) {
				e.speaker().get("/long")
				w := e.wire(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100})
				w.ask(1, true, "GET", tt.target)
				w.want("headers 1 200", "data 1 100")
				began := time.Now()
				var widening sync.WaitGroup
				widening.Go(func() {
					for range 40_000 / max(tt.update, 1000) {
						if time.Sleep(time.Duration(tt.every) * time.Second); tt.every == 0 || w.WriteWindowUpdate(1, tt.update) != nil {
							return
						}
					}
				})
				got := 100
				for line := ""; !strings.HasPrefix(line, "reset") && !strings.HasSuffix(line, "end"); {
					f, err := w.ReadFrame()
					e.must(err)
					line = frameText(f)
					if d, ok := f.(*http2.DataFrame); ok {
						got += len(d.Data())
					}
					if tt.cut && strings.HasPrefix(line, "reset") {
						e.wantAfter("the reset", began, tt.after)
					}
				}
				if whole := got == 40_000; whole == tt.cut {
					e.Errorf("got %d bytes after %v, want all: %t", got, time.Since(began), !tt.cut)
				}
				widening.Wait()
				w.ask(3, true, "HEAD", "/long")
				w.want("headers 3 200 end")
				e.wantNothingLeft()
			})
		})
	}
}

// TestH2SlowUpload wants who sends its request's content too slowly to be told so, alone.
func TestH2SlowUpload(t *testing.T) {
	tests := []struct {
		name   string
		every  time.Duration // a piece
		size   int
		status string
		after  time.Duration
	}{
		{"nothing", time.Hour, 1, "408", 30 * time.Second},
		{"a byte now and then", 20 * time.Second, 1, "408", 30 * time.Second},
		{"half the rate", time.Second, 128, "408", 60 * time.Second},
		{"at a pace", time.Second, 400, "200", 0},
	}
	origin := func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			simulated(t, visit{origin: plain(origin), node: strict}, func(e *entrance) {
				w := e.wire()
				began := time.Now()
				w.ask(1, false, "POST", "/", "content-length", "40000")
				over := make(chan bool)
				var sending sync.WaitGroup
				sending.Go(func() {
					for left := 40_000; left > 0; left -= tt.size {
						select {
						case <-time.After(tt.every):
							w.WriteData(1, left == tt.size, make([]byte, tt.size))
						case <-over:
							return
						}
					}
				})
				w.want("headers 1 " + tt.status)
				close(over)
				if tt.after > 0 {
					e.wantAfter("the refusal", began, tt.after)
				}
				sending.Wait()
				for line := ""; !strings.HasSuffix(line, "end"); line = w.next() {
				}
				if tt.after > 0 {
					w.want("reset 1 NO_ERROR")
				}
				w.ask(3, true, "GET", "/")
				w.want("headers 3 200 end")
				e.wantNothingLeft()
			})
		})
	}
}

// TestH2Shutdown wants a node that stops to say so, to answer what was asked before, and to take nothing more a while later.
func TestH2Shutdown(t *testing.T) {
	everyEntrance(t, visit{origin: slow}, func(e *entrance) {
		w := e.wire()
		w.ask(1, true, "GET", "/wait")
		<-e.began
		down := make(chan error, 1)
		go func() { down <- e.room.Shutdown(context.Background()) }()
		w.want("goaway 2147483647 NO_ERROR")
		w.ask(3, true, "GET", "/")
		w.want("headers 3 200", "data 3 10 end", "goaway 3 NO_ERROR")
		w.ask(5, true, "GET", "/")
		w.must(w.WritePing(false, [8]byte{}))
		w.want(`ping "\x00\x00\x00\x00\x00\x00\x00\x00"`)
		select {
		case err := <-down:
			e.Fatalf("shutdown did not wait for a request: %v", err)
		default:
		}
		close(e.proceed)
		w.want("headers 1 200", "data 1 10 end", "end: closed")
		w.conn.Close()
		if err := <-down; err != nil {
			e.Errorf("shutdown: %v", err)
		}
	})
}

// TestH2ShutdownWhole wants responses that are under way when a node stops to arrive whole, though clients go on to open windows.
func TestH2ShutdownWhole(t *testing.T) {
	const size = 4 << 20
	origin := func(e *entrance, w http.ResponseWriter, r *http.Request) {
		io.CopyN(w, noise(1, size), size/2)
		e.began <- ""
		<-e.proceed
		io.Copy(w, noise(2, size/2))
	}
	v := visit{origin: origin}
	everyEntrance(t, v, func(e *entrance) {
		var asking sync.WaitGroup
		for range 4 {
			s := e.speaker()
			asking.Go(func() {
				a := s.get("/")
				if a.err != nil || len(a.body) != size {
					e.Errorf("got %d bytes, %v, want %d", len(a.body), a.err, size)
				}
			})
			<-e.began
		}
		down := make(chan error, 1)
		go func() { down <- e.room.Shutdown(context.Background()) }()
		e.settle("the beginning of the shutdown", e.room.Draining)
		close(e.proceed)
		asking.Wait()
		if err := <-down; err != nil {
			e.Errorf("shutdown: %v", err)
		}
	})
}

// TestH2ShutdownBusy wants no request to fail that clients who know GOAWAY ask while a node stops.
func TestH2ShutdownBusy(t *testing.T) {
	everyEntrance(t, visit{origin: plain(page)}, func(e *entrance) {
		e.want("first", e.speaker().get("/cached"), 200, "0123456789")
		var asking sync.WaitGroup
		served := make(chan bool, 1000)
		for i := range 6 {
			s := e.speaker()
			asking.Go(func() {
				for {
					a := s.get([]string{"/cached", "/"}[i%2])
					if a.err != nil {
						if !unprocessed(a.err) {
							e.Errorf("got %v, want an answer or the word that there is none", a.err)
						}
						return
					}
					e.want("an answer", a, 200, "0123456789")
					select {
					case served <- true:
					default:
					}
					if !e.real {
						time.Sleep(10 * time.Millisecond)
					}
				}
			})
		}
		for range 20 {
			<-served
		}
		if err := e.room.Shutdown(context.Background()); err != nil {
			e.Errorf("shutdown: %v", err)
		}
		asking.Wait()
	})
}

// unprocessed tells whether a request failed in a way that lets it be asked again elsewhere, whatever it is.
func unprocessed(err error) bool {
	return strings.Contains(err.Error(), "GOAWAY") || strings.Contains(err.Error(), "not usable") || errors.Is(err, http2.ErrNoCachedConn)
}

// TestH2SweepsBesideAHead wants responses that stall to be reset although the client always has half a frame under way.
func TestH2SweepsBesideAHead(t *testing.T) {
	simulated(t, visit{origin: plain(page), node: strict}, func(e *entrance) {
		e.speaker().get("/cached")
		w := e.wire(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1})
		w.ask(1, true, "GET", "/cached")
		w.want("headers 1 200", "data 1 1")
		began := time.Now()
		ping := "\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678"
		var sending sync.WaitGroup
		sending.Go(func() {
			for range 20 {
				io.WriteString(w.conn, ping[:5])
				time.Sleep(9 * time.Second)
				if _, err := io.WriteString(w.conn, ping[5:]+ping[:5]); err != nil {
					return
				}
				ping = ping[5:] + ping[:5]
			}
		})
		for line := ""; !strings.HasPrefix(line, "reset") && !strings.HasPrefix(line, "end"); line = w.next() {
		}
		e.wantAfter("the reset", began, 30*time.Second)
		w.conn.Close()
		sending.Wait()
		synctest.Wait()
	})
}
