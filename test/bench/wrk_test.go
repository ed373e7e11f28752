package main

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const wrkReport = `Running 3s test @ http://127.0.0.1:18001/cacheable/1024
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.24ms    1.15ms  16.25ms   90.78%
    Req/Sec    54.64k    12.10k   75.57k    60.00%
  162527 requests in 3.02s, 213.52MB read
Requests/sec:  53816.89
Transfer/sec:     70.70MB
`

func TestParseWrk(t *testing.T) {
	withErrors := strings.Replace(wrkReport, "Requests/sec:", `  Socket errors: connect 0, read 3, write 0, timeout 1
  Non-2xx or 3xx responses: 12
Requests/sec:`, 1)
	tests := []struct {
		name   string
		report string
		want   load
		err    string // within the error; empty for none
	}{
		{name: "clean", report: wrkReport, want: load{requests: 162527, elapsed: 3020 * time.Millisecond}},
		{name: "errors", report: withErrors, want: load{
			requests: 162527, refused: 12, elapsed: 3020 * time.Millisecond,
			failures: "Socket errors: connect 0, read 3, write 0, timeout 1",
		}},
		{name: "all refused", report: "  7 requests in 1.00s, 1.00KB read\n  Non-2xx or 3xx responses: 7\n", want: load{
			requests: 7, refused: 7, elapsed: time.Second,
		}},
		{name: "more refused than asked", report: "  7 requests in 1.00s, 1.00KB read\n  Non-2xx or 3xx responses: 8\n", err: "8 refused"},
		{name: "bad count of refused", report: "  Non-2xx or 3xx responses: some\n", err: "how many"},
		{name: "a minute", report: "  7 requests in 1.00m, 1.00KB read\n", want: load{requests: 7, elapsed: time.Minute}},
		{name: "milliseconds", report: "  7 requests in 812.50ms, 1.00KB read", want: load{requests: 7, elapsed: 812500 * time.Microsecond}},
		{name: "empty", err: "no line"},
		{name: "not connected", report: "unable to connect to 127.0.0.1:1 Connection refused\n", err: "no line"},
		{name: "nothing answered", report: "  0 requests in 3.00s, 0.00B read\n", err: "0 requests"},
		{name: "no time", report: "  5 requests in 0.00us, 0.00B read\n", err: "5 requests in 0s"},
		{name: "bad count", report: "  many requests in 3.00s, 0.00B read\n", err: "how many"},
		{name: "bad time", report: "  5 requests in three, 0.00B read\n", err: "how long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseWrk(tt.report)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got %+v and error %v, want an error with %q", got, err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(load{}, latency{})); diff != "" {
				t.Errorf("load (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParseWrk(f *testing.F) {
	f.Add(wrkReport)
	f.Add("  7 requests in 1.00m, 1.00KB read\n  Socket errors: connect 0, read 3, write 0, timeout 1\n")
	f.Add("  -1 requests in -1s")
	f.Fuzz(func(t *testing.T, report string) {
		l, err := parseWrk(report)
		if err != nil {
			return
		}
		if l.requests <= 0 || l.elapsed <= 0 || l.refused < 0 || l.refused > l.requests {
			t.Errorf("accepted %+v", l)
		}
		if l.failures == "" && strings.HasPrefix(report, "Socket errors:") {
			t.Errorf("overlooked the errors in %q", report)
		}
	})
}

// Where there are many objects, wrk asks for each of them as often as for the others.
func TestWrkInTurn(t *testing.T) {
	if _, err := exec.LookPath("wrk"); err != nil {
		t.Skip("wrk is not installed")
	}
	var mu sync.Mutex
	asked := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked[r.URL.String()]++
	}))
	defer server.Close()
	l, err := wrk(t.Context(), server.URL+"/cacheable/8", 10, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(asked) != 10 {
		t.Fatalf("got %d objects, want 10: %v", len(asked), asked)
	}
	for i := range 10 {
		n := asked["/cacheable/8?"+strconv.Itoa(i)]
		if want := l.requests / 10; n < want-connections || n > want+connections {
			t.Errorf("object %d was asked for %d times, want about %d", i, n, want)
		}
	}
}
