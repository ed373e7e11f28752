package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const h2loadReport = `starting benchmark...
spawning thread #0: 16 total client(s). Timing-based test with 0s of warm-up time and 2s of main duration for measurements.
Main benchmark duration is started for thread #0.
TLS Protocol: TLSv1.3
Cipher: TLS_AES_128_GCM_SHA256
Server Temp Key: X25519 253 bits
Application protocol: h2
Main benchmark duration is over for thread #0. Stopping all clients.
Stopped all clients for thread #0

finished in 2.00s, 51210.00 req/s, 4.25MB/s
requests: 102420 total, 102548 started, 102420 done, 102420 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 102420 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 8.50MB (8911324) total, 4.79MB (5018580) headers (space savings 50.51%), 1.95MB (2048400) data
                     min         max         mean         sd        +/- sd
time for request:      115us     11.13ms      2.07ms      1.43ms    78.99%
`

func TestParseH2load(t *testing.T) {
	tests := []struct {
		name   string
		change []string // old and new, in turns
		want   load
		err    string // within the error; empty for none
	}{
		{name: "clean", want: load{requests: 102420, elapsed: 2 * time.Second}},
		{name: "a minute", change: []string{"in 2.00s", "in 60.00s"}, want: load{requests: 102420, elapsed: time.Minute}},
		{name: "refused", change: []string{"0 4xx, 0 5xx", "12 4xx, 3 5xx"}, want: load{
			requests: 102420, refused: 15, elapsed: 2 * time.Second,
		}},
		{name: "reset", change: []string{"0 failed, 0 errored, 0 timeout", "72 failed, 70 errored, 2 timeout"}, want: load{
			requests: 102420, elapsed: 2 * time.Second,
			failures: "of 102420 requests 70 errored, 2 timed out, and 128 were under way at the end: want 128",
		}},
		{name: "closed", change: []string{"102548 started", "102540 started"}, want: load{
			requests: 102420, elapsed: 2 * time.Second,
			failures: "of 102420 requests 0 errored, 0 timed out, and 120 were under way at the end: want 128",
		}},
		{name: "another protocol", change: []string{"protocol: h2", "protocol: http/1.1"}, err: "no HTTP/2 over TLS 1.3"},
		{name: "another cipher", change: []string{"AES_128_GCM_SHA256", "AES_256_GCM_SHA384"}, err: "no HTTP/2 over TLS 1.3"},
		{name: "another group", change: []string{"X25519 253 bits", "ECDH P-256 256 bits"}, err: "no HTTP/2 over TLS 1.3"},
		{name: "another version", change: []string{"TLSv1.3", "TLSv1.2"}, err: "no HTTP/2 over TLS 1.3"},
		{name: "no counts", change: []string{"status codes", "codes"}, err: "no counts"},
		{name: "nothing answered", change: []string{"102420 done", "0 done"}, err: "0 requests in 2s"},
		{name: "no time", change: []string{"in 2.00s", "in 0us"}, err: "102420 requests in 0s"},
		{name: "bad time", change: []string{"in 2.00s", "in two"}, err: "how long"},
		{name: "too many", change: []string{"102420 done", "99999999999999999999 done"}, err: "how many"},
		{name: "more refused than asked", change: []string{"0 4xx", "102421 4xx"}, err: "102421 refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseH2load(strings.NewReplacer(tt.change...).Replace(h2loadReport), 128)
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

func FuzzParseH2load(f *testing.F) {
	f.Add(h2loadReport)
	f.Add(strings.Replace(h2loadReport, "0 errored", "7 errored", 1))
	f.Fuzz(func(t *testing.T, report string) {
		l, err := parseH2load(report, 128)
		if err != nil {
			return
		}
		if l.requests <= 0 || l.elapsed <= 0 || l.refused < 0 || l.refused > l.requests {
			t.Errorf("accepted %+v", l)
		}
		if l.failures == "" && !strings.Contains(report, ", 0 errored, 0 timeout") {
			t.Errorf("overlooked the errors in %q", report)
		}
	})
}
