package lab

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seawall/seawall/test/flood"
)

// serve has a site on the server.
func serve(t *testing.T, l *Lab) {
	t.Helper()
	listener, err := l.Server.Listen(t.Context(), "tcp", ":8080")
	if err != nil {
		t.Fatal(err)
	}
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RemoteAddr) })}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
}

// TestVisits: visitors of both families are served, and who comes to a closed door has failed.
func TestVisits(t *testing.T) {
	l := For(t)
	serve(t, l)
	tests := []struct {
		name, url    string
		rate         int
		kept, failed int // at the least
	}{
		{"IPv4", "http://198.18.0.1:8080/", 0, 20, 0},
		{"IPv6", "http://[2001:db8::1]:8080/", 0, 20, 0},
		{"at a rate", "http://198.18.0.1:8080/", 100, 30, 0},
		{"nobody there", "http://198.18.0.1:8081/", 100, 0, 30},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := l.Visit(t.Context(), Visits{URL: tt.url, Workers: 3, Rate: tt.rate, Lasting: 300 * time.Millisecond, Timeout: 5 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			if got.Kept < tt.kept || got.Failed < tt.failed || (got.Kept == 0) == (got.Failed == 0) {
				t.Errorf("got %v (%v), want %d kept and %d failed at the least, and one of them 0", got, got.Failure, tt.kept, tt.failed)
			}
			if tt.rate > 0 && got.Kept+got.Failed != 30 {
				t.Errorf("got %v at %d a second in 300 ms, want 30", got, tt.rate)
			}
			if (got.P50 <= 0 || got.P99 < got.P50) && got.Kept > 0 {
				t.Errorf("got p50 %v, p99 %v", got.P50, got.P99)
			}
		})
	}
}

// TestClients: curl from each host sees the server, and is seen by its own address.
func TestClients(t *testing.T) {
	l := For(t)
	serve(t, l)
	tests := []struct {
		name string
		host *Host
		url  string
		from string
	}{
		{"visitor", l.Visitors, "http://198.18.0.1:8080/", "198.18.16.1"},
		{"visitor by IPv6", l.Visitors, "http://[2001:db8::1]:8080/", "2001:db8:0:10::1"},
		{"attacker", l.Attacker, "http://198.18.0.1:8080/", "198.18.0.2"},
		{"management", l.Management, "http://198.19.0.1:8080/", "198.19.0.2"},
		{"management by IPv6", l.Management, "http://[2001:db8:1::1]:8080/", "2001:db8:1::2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := tt.host.Run(t.Context(), "", "curl", "--silent", "--max-time", "5", "--interface", tt.from, tt.url)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := netip.ParseAddrPort(out); err != nil || got.Addr().Unmap().String() != tt.from {
				t.Errorf("the server saw %q, want %s", out, tt.from)
			}
		})
	}
}

// TestReceiver: the server's thread has the attacker's packets, each of them, and time is spent on them.
func TestReceiver(t *testing.T) {
	l := For(t)
	r, err := l.Receiver()
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"198.18.0.1:8080", "[2001:db8::1]:8080"} {
		before, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		const n = 20_000
		sent, err := l.Flood(t.Context(), flood.Plan{Kind: "syn", Target: netip.MustParseAddrPort(target), Packets: n})
		if err != nil || sent.Packets+sent.Refused != n {
			t.Fatalf("sent %+v, %v; want %d", sent, err, n)
		}
		var got Received
		for end := time.Now().Add(5 * time.Second); got.Packets < sent.Packets && time.Now().Before(end); {
			after, err := r.Read()
			if err != nil {
				t.Fatal(err)
			}
			got = after.Since(before)
		}
		if got.Packets < sent.Packets || got.Packets > sent.Packets+100 {
			t.Errorf("%s: received %d packets of %d", target, got.Packets, sent.Packets)
		}
		if each := got.CPU / n; each < 50*time.Nanosecond || each > 100*time.Microsecond {
			t.Errorf("%s: %v a packet is no time for one", target, each)
		}
	}
}

// TestSeparate: each end of the cable has a core.
func TestSeparate(t *testing.T) {
	l := For(t)
	server, others, err := Cores()
	if err != nil {
		t.Skip(err)
	}
	if server == others {
		t.Errorf("server and others both have core %d", server)
	}
	if err := l.Separate(server, others); err != nil {
		t.Fatal(err)
	}
	r, err := l.Receiver()
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(r.thread), "status"))
	if want := "Cpus_allowed_list:\t" + strconv.Itoa(server) + "\n"; err != nil || !strings.Contains(string(status), want) {
		t.Errorf("got %s, %v; want %s", status, err, want)
	}
}

// TestParameters: a parameter is the host's alone.
func TestParameters(t *testing.T) {
	l := For(t)
	const parameter = "ipv4/tcp_syncookies"
	if err := l.Server.Set(parameter, "2"); err != nil {
		t.Fatal(err)
	}
	for host, want := range map[*Host]string{l.Server: "2\n", l.Visitors: "1\n"} {
		if got, err := host.Get("sys/net/" + parameter); err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", host.Interface, got, err, want)
		}
	}
}

// TestClose: nothing is left of a lab, whose threads the kernel ends with its interfaces.
func TestClose(t *testing.T) {
	if err := Unavailable(); err != nil {
		t.Skip(err)
	}
	l, err := New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Receiver(); err != nil {
		t.Error(err)
	}
	l.Close()
	for end := time.Now().Add(10 * time.Second); ; {
		if _, err := l.Receiver(); err != nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the server's thread goes on")
		}
	}
}

// TestNew: what was begun when it fails is taken down, and said.
func TestNew(t *testing.T) {
	if err := Unavailable(); err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if l, err := New(ctx); l != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v; want no lab, and why", l, err)
	}
}

func TestCounters(t *testing.T) {
	const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
server1: 1234      56    0    7    0     0          0         0        0       0    0    0    0     0       0          0
`
	tests := []struct {
		name string
		want Received
		err  string
	}{
		{"server1", Received{Packets: 56, Dropped: 7}, ""},
		{"server", Received{}, "no counters of server"},
		{"Inter-|", Received{}, "no counters of Inter-|"},
	}
	for _, tt := range tests {
		got, err := parseCounters(text, tt.name)
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
			t.Errorf("%s: got %+v, %v; want %+v, %q", tt.name, got, err, tt.want, tt.err)
		}
	}
}
