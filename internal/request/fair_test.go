package request

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// TestH2Fair wants the work of one turn to be bounded, whatever has arrived, and the rest to be done in further turns.
func TestH2Fair(t *testing.T) {
	hits := func(p *peer, n uint32) {
		for i := range n {
			p.get(2*i + 1)
		}
	}
	tests := []struct {
		name    string
		waits   bool // the requests have to wait
		send    func(p *peer)
		inATurn int // requests that are decided, at most
		turns   int // at least
	}{
		{"what one connection of h2load -m 8 asks", false, func(p *peer) { hits(p, 8) }, 8, 1},
		{"what a browser may ask at once", false, func(p *peer) { hits(p, 100) }, turnWork, 4},
		{"as much as fits the buffer", false, func(p *peer) { hits(p, 1000) }, turnWork, 1000 / turnWork},
		{"work", true, func(p *peer) { hits(p, 100) }, turnWork / (1 + taskWork), 12},
		{"resets of work", true, func(p *peer) {
			hits(p, 100)
			for i := range uint32(100) {
				p.WriteRSTStream(2*i+1, http2.ErrCodeCancel)
			}
		}, turnWork / (1 + taskWork), 12 + 9},
		{"large field sections", false, func(p *peer) {
			for i := range uint32(10) {
				p.get(2*i+1, "x", strings.Repeat("~", 5000)) // no text that Huffman's code makes shorter
			}
		}, 2, 5},
		{"streams beyond their number", false, func(p *peer) { hits(p, 150) }, turnWork, 150 / turnWork},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			proceed := make(chan bool)
			path := &corridor{decide: func(f *flow.Flow) bool {
				if !tt.waits {
					answer(f, 200, "")
				}
				return !tt.waits
			}}
			path.fulfil = func(f *flow.Flow) { <-proceed; answer(f, 200, "") }
			bubble(t, path, nil, func(p *peer) {
				defer close(proceed)
				tt.send(p)
				p.in = append(p.in, p.sent.Bytes()...)
				p.sent.Reset()
				turns := 0
				for p.next = flow.Yield; p.next == flow.Yield || p.next == flow.Flush; turns++ {
					before := len(path.seen)
					if p.turn(); len(path.seen)-before > tt.inATurn {
						p.Fatalf("%d requests in one turn, want %d at most", len(path.seen)-before, tt.inATurn)
					}
				}
				if turns < tt.turns || len(p.in) > 0 {
					p.Errorf("got %d turns, with %d bytes left, want at least %d and none", turns, len(p.in), tt.turns)
				}
				if tt.turns == 1 && turns > 1 {
					p.Errorf("got %d turns, want one", turns)
				}
			})
		})
	}
}

// TestFair wants the same of pipelined requests.
func TestFair(t *testing.T) {
	path := &corridor{decide: func(f *flow.Flow) bool { answer(f, 200, ""); return true }}
	c := open(path, func(n *spec.Node) {})
	in := []byte(strings.Repeat("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 500))
	yields := 0
	for next := flow.Yield; next != flow.More; {
		before := len(path.seen)
		var used int
		used, next = c.session.Turn(in, &c.out, time.Now())
		in = in[used:]
		if got := len(path.seen) - before; got > turnRequests {
			t.Fatalf("%d requests in one turn, want %d at most", got, turnRequests)
		}
		if next == flow.Yield {
			yields++
		}
		c.flush()
	}
	if yields != (500-1)/turnRequests || len(path.seen) != 500 {
		t.Errorf("got %d requests and %d yields, want 500 and %d", len(path.seen), yields, (500-1)/turnRequests)
	}
}
