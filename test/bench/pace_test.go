package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// Each request is answered, at the rate asked for, over both.
func TestPace(t *testing.T) {
	for _, secure := range []bool{false, true} {
		site, address := serve(t, secure)
		l, err := site.pace(t.Context(), address, 2000, 100*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if l.requests != 200 || l.elapsed < 99*time.Millisecond || l.latency.p50 <= 0 || l.latency.p99 < l.latency.p50 {
			t.Errorf("over TLS %t: got %+v, want 200 requests in 100 ms", secure, l)
		}
	}
}

// A server that stalls is charged with what could not be sent meanwhile, one that never answers again with what it owes at the end.
func TestPaceStalls(t *testing.T) {
	const rate, stall = 1000, 200 * time.Millisecond
	site, _ := serve(t, false)
	address := stalling(t, len(site.body), stall)
	l, err := site.pace(t.Context(), address, rate, stall)
	if err != nil {
		t.Fatal(err)
	}
	// The first answers come when the last requests are due: the median request waited for half of the stall at least.
	if l.requests != 200 || l.latency.p50 < stall/3 || l.latency.p99 < stall-stall/10 {
		t.Errorf("got %+v, want 200 requests that waited, the median for %v at least", l, stall/3)
	}
}

func TestPaceFails(t *testing.T) {
	site, address := serve(t, false)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := site.pace(canceled, address, 1000, time.Second); err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("got error %v, want that of the context", err)
	}
	if _, err := site.pace(t.Context(), "192.0.2.1:80", 1000, time.Second); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("got error %v, want one about the loopback", err)
	}
	site.path = "/missing"
	if _, err := site.pace(t.Context(), address, 1000, time.Second); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("got error %v, want the status", err)
	}
}

// What is never answered counts with the time until the end.
func TestGiveUp(t *testing.T) {
	p := &pacer{paceRun: paceRun{rate: 10, total: 10, sent: 8, answered: 6}}
	for range 6 {
		p.latencies.add(time.Millisecond)
	}
	p.paced = []*pacedConn{{waits: true, due: 600 * time.Millisecond}, {waits: true, due: 700 * time.Millisecond}, {}}
	p.giveUp(3 * time.Second)
	if p.latencies.n != p.total {
		t.Errorf("got %d latencies of %d requests", p.latencies.n, p.total)
	}
	if got := p.latencies.quantile(1); got < 2390*time.Millisecond || got > 2410*time.Millisecond {
		t.Errorf("got %v at most, want 2.4s", got)
	}
	if got := p.latencies.quantile(0.7); got < 2090*time.Millisecond || got > 2110*time.Millisecond { // due at 0.9 s
		t.Errorf("got %v for the first of those, want 2.1s", got)
	}
}

// stalling is a server that answers everything, the first request on each connection late.
func stalling(t *testing.T, size int, late time.Duration) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	response := fmt.Sprintf("HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s", size, strings.Repeat("s", size))
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 4096)
				for first := true; ; first = false {
					if _, err := c.Read(buf); err != nil {
						return
					}
					if first {
						time.Sleep(late)
					}
					if _, err := io.WriteString(c, response); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

func TestAnswerLength(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 8\r\n\r\n"
	tests := []struct {
		name, answer string
		want         int
		err          string // within the error; empty for none
	}{
		{"whole", head + "seawall\n", len(head) + 8, ""},
		{"head alone", head, len(head) + 8, ""},
		{"cut off", head[:len(head)-1], 0, ""},
		{"cut off in the status", "HTTP/1.1 2", 0, ""},
		{"empty", "", 0, ""},
		{"small letters", "HTTP/1.1 200 OK\r\ncontent-length:8\r\n\r\n", 45, ""},
		{"another status", "HTTP/1.1 503 Busy\r\n", 0, "503"},
		{"another protocol", "SSH-2.0", 0, "SSH"},
		{"another length", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 0, "want a body of 8"},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 0, "no Content-Length"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := answerLength([]byte(tt.answer), 8)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got %d and error %v, want an error with %q", got, err, tt.err)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("got %d and error %v, want %d", got, err, tt.want)
			}
		})
	}
}

func FuzzAnswerLength(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 "))
	f.Fuzz(func(t *testing.T, answer []byte) {
		n, err := answerLength(answer, 8)
		if err == nil && n != 0 && (n < len("HTTP/1.1 200 ")+8 || n > len(answer)+8) {
			t.Errorf("%q: got %d", answer, n)
		}
	})
}
