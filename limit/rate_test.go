package limit

import (
	"strings"
	"testing"
	"time"
)

// rate is NewRate for rates that are known to be right.
func rate(tb testing.TB, count int, per time.Duration, burst int) Rate {
	tb.Helper()
	r, err := NewRate(count, per, burst)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func TestNewRate(t *testing.T) {
	tests := []struct {
		name         string
		count        int
		per          time.Duration
		burst        int
		wantInterval time.Duration
		wantErr      string
	}{
		{name: "100 per 10s", count: 100, per: 10 * time.Second, burst: 50, wantInterval: 100 * time.Millisecond},
		{name: "rounded up", count: 3, per: time.Second, burst: 1, wantInterval: 333333334},
		{name: "fastest", count: 1e6, per: time.Second, burst: 1e9, wantInterval: time.Microsecond},
		{name: "slowest", count: 1, per: maxDrain, burst: 1, wantInterval: maxDrain},
		{name: "no count", count: 0, per: time.Second, burst: 1, wantErr: "count must be at least 1"},
		{name: "no period", count: 1, per: 0, burst: 1, wantErr: "period must be longer than 0"},
		{name: "no burst", count: 1, per: time.Second, burst: 0, wantErr: "burst must be at least 1"},
		{name: "too fast", count: 1e6 + 1, per: time.Second, burst: 1, wantErr: "at most 1000000 a second"},
		{name: "too slow", count: 1, per: maxDrain + 1, burst: 1, wantErr: "at least 1 per 8784h0m0s"},
		{name: "burst too long", count: 1, per: 24 * time.Hour, burst: 367, wantErr: "at most 366 here"},
		{name: "burst overflows", count: 1, per: time.Second, burst: 1 << 62, wantErr: "at most 31622400 here"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := NewRate(tt.count, tt.per, tt.burst)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Fatalf("got error %v, want one with %q", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, want := r.interval, tt.wantInterval; got != want {
				t.Errorf("got interval %v, want %v", got, want)
			}
			if got, want := r.Drain(), time.Duration(tt.burst)*tt.wantInterval; got != want {
				t.Errorf("got a drain of %v, want %v", got, want)
			}
		})
	}
}
