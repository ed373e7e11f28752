package h2

import (
	"bytes"
	"strings"
	"testing"
)

// TestFeedWork wants Feed to return at the bound of its work, after a whole frame, and to go on from there.
func TestFeedWork(t *testing.T) {
	gets := func(n int, value string) func(p *peer) []byte {
		return func(p *peer) []byte {
			var all [][]byte
			for i := range n {
				all = append(all, p.get(uint32(2*i+1), Field{"x", value}))
			}
			return bytes.Join(all, nil)
		}
	}
	tests := []struct {
		name  string
		bound int
		send  func(p *peer) []byte
		feeds int
	}{
		{"no bound", 0, gets(90, ""), 1},
		{"within the bound", 100, gets(90, ""), 1},
		{"beyond", 10, gets(90, ""), 9},
		{"just reached", 30, gets(90, ""), 3},
		{"large sections", 10, gets(10, strings.Repeat("~", 4200)), 10},
		{"sections of streams that are refused", 10, gets(130, ""), 13},
		{"frames that cost little", 1, func(*peer) []byte { return bytes.Repeat(raw(typePing, 0, 0, "12345678"), 100) }, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := dial(t, &Settings{FeedWork: tt.bound})
			in, feeds := tt.send(p), 0
			for len(in) > 0 {
				used, _, err := p.s.Feed(in, nil, p.now)
				if err != nil || used == 0 {
					t.Fatalf("used %d, %v", used, err)
				}
				if in = in[used:]; len(in) > 0 && !p.s.Tired() {
					t.Errorf("Feed has left %d bytes and is not tired", len(in))
				}
				feeds++
			}
			if feeds != tt.feeds {
				t.Errorf("got %d calls of Feed, want %d", feeds, tt.feeds)
			}
		})
	}
}
