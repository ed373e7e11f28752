package request

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// TestH2Request wants each request in its normal form.
func TestH2Request(t *testing.T) {
	type form struct {
		Method, Host, Path, Query string
		HasQuery                  bool
		Length                    int64
		Expect                    bool
		Upgrade                   string
	}
	tests := []struct {
		name           string
		end            bool
		method, target string
		fields         []string
		want           form
	}{
		{"get", true, "GET", "/a", nil, form{Method: "GET", Host: "a.example", Path: "/a"}},
		{"query", true, "GET", "/b/../?x=%zz&/../y", nil, form{Method: "GET", Host: "a.example", Path: "/", Query: "x=%zz&/../y", HasQuery: true}},
		{"empty query", true, "GET", "/?", nil, form{Method: "GET", Host: "a.example", Path: "/", HasQuery: true}},
		{"asterisk", true, "OPTIONS", "*", nil, form{Method: "OPTIONS", Host: "a.example", Path: "*"}},
		{"length", false, "POST", "/", []string{"content-length", "2", "expect", "100-Continue"}, form{Method: "POST", Host: "a.example", Path: "/", Length: 2, Expect: true}},
		{"no length", false, "POST", "/", nil, form{Method: "POST", Host: "a.example", Path: "/", Length: -1}},
		{"nothing to expect", true, "POST", "/", []string{"expect", "100-continue"}, form{Method: "POST", Host: "a.example", Path: "/"}},
		{"websocket", false, "CONNECT", "/ws", []string{":protocol", "websocket"}, form{Method: "GET", Host: "a.example", Path: "/ws", Upgrade: "websocket"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := new(corridor)
			bubble(t, path, nil, func(p *peer) {
				p.ask(1, tt.end, tt.method, tt.target, tt.fields...)
				p.settle()
				if len(path.seen) != 1 || path.seen[0].Refusal != nil {
					p.Fatalf("got %+v, want one request", path.seen)
				}
				q := path.seen[0]
				got := form{q.Method, q.Host, q.Path, q.Query, q.HasQuery, q.Length, q.Expect, q.Upgrade}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					p.Errorf("(-want +got)\n%s", diff)
				}
				if q.Proto != "HTTP/2.0" || q.Scheme != "https" || q.Client.String() != "198.51.100.7" || q.ID.Time().IsZero() {
					p.Errorf("got %+v", q)
				}
			})
		})
	}
}

// TestH2Cookies wants the crumbs of a cookie to be put together again (RFC 9113 §8.2.3).
func TestH2Cookies(t *testing.T) {
	path := new(corridor)
	bubble(t, path, nil, func(p *peer) {
		p.get(1, "cookie", "a=b", "x", "y", "cookie", "c=d")
		p.settle()
		if got := path.seen[0].Get("cookie"); got != "a=b; c=d" {
			p.Errorf("got %q, want %q", got, "a=b; c=d")
		}
	})
}

// TestH2Many wants requests that come in one piece to be answered in bounded pieces.
func TestH2Many(t *testing.T) {
	const requests = 1000
	body := strings.Repeat("x", 1000)
	path := &corridor{decide: func(f *flow.Flow) bool { answer(f, 200, body); return true }}
	bubble(t, path, func(n *spec.Node) { n.HTTP2.Streams = requests }, func(p *peer) {
		p.WriteWindowUpdate(0, 1<<30)
		for i := range uint32(requests) {
			p.get(2*i + 1)
		}
		turns, got, size := 0, 0, 0
		p.in = append(p.in, p.sent.Bytes()...)
		p.sent.Reset()
		for p.next = flow.Flush; p.next == flow.Flush || p.next == flow.Yield; turns++ {
			if p.turn(); p.answers.Len() > 2*framesMost {
				p.Fatalf("%d bytes of output in one turn, want %d at most", p.answers.Len(), 2*framesMost)
			}
			for {
				f, err := p.ReadFrame()
				if err != nil {
					break
				}
				if d, ok := f.(*http2.DataFrame); ok {
					if size += len(d.Data()); d.StreamEnded() {
						got++
					}
				}
			}
		}
		if got != requests || size != requests*len(body) || len(p.in) > 0 {
			p.Errorf("got %d responses of %d bytes in %d turns, with %d bytes left, want %d", got, size, turns, len(p.in), requests)
		}
	})
}

// TestH2Answered wants nothing to be kept of requests that were answered and are complete, however many there are.
func TestH2Answered(t *testing.T) {
	for _, half := range []string{"decide", "fulfil"} {
		path := &corridor{decide: func(f *flow.Flow) bool { answer(f, 403, ""); return true }}
		if half == "fulfil" {
			path = &corridor{fulfil: func(f *flow.Flow) { answer(f, 403, "") }}
		}
		t.Run(half, func(t *testing.T) {
			bubble(t, path, nil, func(p *peer) {
				trailers := []byte{0, 1, 'a', 1, 'b'}
				for id := uint32(1); id < 1000; id += 2 {
					p.ask(id, false, "POST", "/")
					p.settle()
					if id%4 == 1 {
						p.WriteData(id, true, []byte("x"))
					} else {
						p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: trailers, EndHeaders: true, EndStream: true})
					}
					p.settle()
				}
				if s := p.session.(*h2session); len(s.streams) > 0 || p.next != flow.More {
					p.Errorf("got %d streams, then %d, want none, then %d", len(s.streams), p.next, flow.More)
				}
			})
		})
	}
}

// TestH2Working wants tasks of streams that are reset to count until they are over: a client can't have more than its streams at work.
func TestH2Working(t *testing.T) {
	var proceed chan bool
	var working atomic.Int32
	path := &corridor{fulfil: func(f *flow.Flow) {
		if n := working.Add(1); n > 3 {
			t.Errorf("got %d at work, want 3 at most", n)
		}
		<-proceed // in spite of its client
		working.Add(-1)
		answer(f, 200, "ok")
	}}
	bubble(t, path, func(n *spec.Node) { n.HTTP2.Streams = 3 }, func(p *peer) {
		proceed = make(chan bool)
		id := uint32(1)
		for range 3 {
			p.get(id)
			p.WriteRSTStream(id, http2.ErrCodeCancel)
			p.settle()
			id += 2
		}
		p.want()
		for range 3 {
			p.get(id)
			p.want(fmt.Sprintf("reset %d REFUSED_STREAM", id))
			id += 2
		}
		proceed <- true
		p.settle()
		p.get(id)
		p.want()
		close(proceed)
		p.want(fmt.Sprintf("headers %d status=200 content-length=2", id), fmt.Sprintf("data %d ok end", id))
		if s := p.session.(*h2session); s.working != 0 || len(s.streams) != 0 {
			p.Errorf("got %d at work and %d streams, want none", s.working, len(s.streams))
		}
	})
}

// TestH2FaultInFulfil wants a panic to cost its stream and nothing else.
func TestH2FaultInFulfil(t *testing.T) {
	tests := []struct {
		name  string
		write func(f *flow.Flow)
		want  []string
	}{
		{"before the head", func(*flow.Flow) {}, []string{"reset 1 INTERNAL_ERROR"}},
		{"after the head", func(f *flow.Flow) { f.Exchange.WriteHead(200, nil, 9) },
			[]string{"headers 1 status=200 content-length=9", "reset 1 INTERNAL_ERROR"}},
		{"after the end", func(f *flow.Flow) { answer(f, 200, "ok") }, []string{"headers 1 status=200 content-length=2", "data 1 ok end"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := &corridor{fulfil: func(f *flow.Flow) {
				if f.Request.Path == "/fault" {
					tt.write(f)
					panic("in Fulfil")
				}
				answer(f, 200, "ok")
			}}
			bubble(t, path, nil, func(p *peer) {
				p.ask(1, true, "GET", "/fault")
				p.want(tt.want...)
				p.get(3)
				p.want("headers 3 status=200 content-length=2", "data 3 ok end")
				if s := p.session.(*h2session); s.working != 0 || len(s.streams) != 0 || len(p.faults) != 1 {
					p.Errorf("got %d at work, %d streams, %d faults, want none, none and 1", s.working, len(s.streams), len(p.faults))
				}
			})
		})
	}
}

// TestH2FaultInDecide wants a connection that a panic costs to end, and those at work on it to find out.
func TestH2FaultInDecide(t *testing.T) {
	var gone error
	path := &corridor{
		decide: func(f *flow.Flow) bool {
			if f.Request.Path == "/fault" {
				panic("in Decide")
			}
			return false
		},
		fulfil: func(f *flow.Flow) { _, gone = readBody(f, 100) },
	}
	bubble(t, path, nil, func(p *peer) {
		p.ask(1, false, "POST", "/")
		p.settle()
		func() {
			defer func() {
				if recover() == nil {
					p.Error("the fault is not the driver's")
				}
			}()
			p.ask(3, true, "GET", "/fault")
			p.settle()
		}()
		p.session.End()
		synctest.Wait()
		if gone == nil {
			p.Error("who was at work does not know that the connection is over")
		}
	})
}

// TestH2Gone wants everybody at work on a connection that ends, or a stream that is reset, to be told, whatever they wait for.
func TestH2Gone(t *testing.T) {
	waits := map[string]func(f *flow.Flow) error{
		"reads": func(f *flow.Flow) error { _, err := readBody(f, 100); return err },
		"writes": func(f *flow.Flow) error {
			return errors.Join(f.Exchange.WriteHead(200, nil, -1), f.Exchange.WriteBody(make([]byte, 1<<20), false))
		},
		"waits for another": func(f *flow.Flow) error {
			w := make(interrupted)
			if f.Abort.Watch(w) {
				<-w
			}
			return f.Exchange.WriteHead(200, nil, 0)
		},
		"writes later": func(f *flow.Flow) error {
			time.Sleep(time.Minute)
			x := f.Exchange
			if x.WriteInfo(103, nil) == nil || x.WriteBody([]byte("x"), true) == nil || x.Finish(nil) == nil {
				return nil
			}
			return x.WriteHead(200, nil, 0)
		},
	}
	ends := map[string]func(p *peer){
		"reset": func(p *peer) { p.WriteRSTStream(1, http2.ErrCodeCancel) },
		"end":   func(p *peer) { p.session.End() },
	}
	for what, wait := range waits {
		for how, end := range ends {
			t.Run(what+"/"+how, func(t *testing.T) {
				over, err := false, error(nil)
				bubble(t, &corridor{fulfil: func(f *flow.Flow) { err, over = wait(f), true }}, nil, func(p *peer) {
					p.ask(1, false, "POST", "/")
					p.settle()
					end(p)
					p.settle()
					if what == "writes later" {
						time.Sleep(2 * time.Minute)
					}
					if synctest.Wait(); !over || err == nil {
						p.Errorf("over %t, %v, want an error", over, err)
					}
					if s := p.session.(*h2session); s.working != 0 || len(s.streams) != 0 {
						p.Errorf("got %d at work and %d streams, want none", s.working, len(s.streams))
					}
				})
			})
		}
	}
}

type interrupted chan struct{}

func (i interrupted) Interrupt() { close(i) }

// TestH2Charge wants what a client spends to be charged to its source, and the connection to end when that has no more.
func TestH2Charge(t *testing.T) {
	bubble(t, new(corridor), nil, func(p *peer) {
		p.spared = 100
		for range 200 {
			p.WritePing(false, [8]byte{})
			if p.settle(); p.next.Ends() {
				break
			}
		}
		lines := p.read()
		if last := lines[len(lines)-1]; last != "goaway 0 ENHANCE_YOUR_CALM" || p.next != flow.Linger {
			p.Errorf("got %q, then %d, want GOAWAY, then %d", last, p.next, flow.Linger)
		}
		if len(p.breaches) != 1 || p.charged < 100 || p.charged > 100+2*chargeEvery {
			p.Errorf("got breaches %q, %d charged, want one, soon after 100", p.breaches, p.charged)
		}
	})
	bubble(t, new(corridor), nil, func(p *peer) {
		for range 10 {
			p.WritePing(false, [8]byte{})
		}
		p.settle()
		before := p.charged
		if p.session.End(); before != 0 || p.charged != 10 {
			p.Errorf("got %d charged, and %d at the end, want 0 and 10", before, p.charged)
		}
	})
}

// TestH2Breach wants bounds that are broken to be told of, and mistakes not.
func TestH2Breach(t *testing.T) {
	tests := []struct {
		name   string
		play   func(p *peer)
		want   string
		breach string
	}{
		{"mistake", func(p *peer) { p.WriteData(0, true, nil) }, "goaway 0 PROTOCOL_ERROR", ""},
		{"flood", func(p *peer) {
			for range 2000 {
				p.WritePing(true, [8]byte{})
			}
		}, "goaway 0 ENHANCE_YOUR_CALM", "too many pings"},
		{"field section without end", func(p *peer) {
			p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x82}})
			for range 30 {
				p.tick()
			}
		}, "goaway 0 ENHANCE_YOUR_CALM", "a field section that does not end"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, new(corridor), nil, func(p *peer) {
				tt.play(p)
				p.want(tt.want)
				if got := strings.Join(p.breaches, ", "); got != tt.breach || p.next != flow.Linger {
					p.Errorf("got breach %q, then %d, want %q, then %d", got, p.next, tt.breach, flow.Linger)
				}
			})
		})
	}
}

// TestH2Idle wants a session to tell whether it minds its requests' time, or waits for the next.
func TestH2Idle(t *testing.T) {
	var proceed chan bool
	path := &corridor{fulfil: func(f *flow.Flow) { <-proceed; answer(f, 200, "ok") }}
	bubble(t, path, nil, func(p *peer) {
		proceed = make(chan bool)
		step := func(what string, want flow.Next) {
			t.Helper()
			if p.settle(); p.next != want {
				p.Errorf("%s: got %d, want %d", what, p.next, want)
			}
		}
		step("at first", flow.More)
		p.get(1)
		step("at work", flow.Serve)
		proceed <- true
		step("when that is over", flow.More)
		p.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: []byte{0x82}})
		step("within a field section", flow.Serve)
		var out flow.Output
		p.session.Timeout(nil, &out, time.Now())
		p.answers.Reset()
		p.answers.Write(out.Head)
		p.want("goaway 1 NO_ERROR")
		if !p.session.Parts() {
			p.Error("got no words for who is idle")
		}
	})
}

// TestH2Wakes wants no turn for what needs none.
func TestH2Wakes(t *testing.T) {
	var proceed chan bool
	path := &corridor{fulfil: func(f *flow.Flow) {
		<-proceed
		readBody(f, 1)
		<-proceed
		answer(f, 200, "ok")
	}}
	bubble(t, path, nil, func(p *peer) {
		proceed = make(chan bool)
		p.ask(1, false, "POST", "/")
		p.WriteData(1, true, []byte("content that is read byte by byte"))
		p.settle()
		before := p.wakes
		proceed <- true
		if p.settle(); p.wakes != before {
			p.Errorf("got %d turns for reading what is there, want none", p.wakes-before)
		}
		proceed <- true
		if p.settle(); p.wakes != before+1 {
			p.Errorf("got %d turns for an answer, want 1", p.wakes-before)
		}
	})
}
