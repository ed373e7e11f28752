package main

import (
	"net"
	"testing"
)

// Answers wait, connections stay, and what was held back comes in the end.
func TestStall(t *testing.T) {
	site, address := serveHTTP2(t, 64<<10, true)
	var s stalled
	defer func() { s.close() }()
	for i := range 2 {
		if err := s.add(t.Context(), site, address, net.IPv4(127, 0, 0, 1)); err != nil {
			t.Fatal(err)
		}
		if err := s.stall(site, address, i); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.open(); err != nil {
		t.Error(err)
	}
	for i, h := range s.conns {
		waiting := 0
		for _, stream := range h.streams {
			if stream.status == "200" && stream.body == 0 && !stream.ended {
				waiting++
			}
		}
		if waiting != stalledStreams {
			t.Errorf("connection %d: got %d answers that wait, want %d", i, waiting, stalledStreams)
		}
		if err := s.letThrough(site, i); err != nil {
			t.Errorf("connection %d: %v", i, err)
		}
	}
}
