package limits

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/spec"
)

var source = netip.MustParsePrefix("203.0.113.7/32")

func compile(tb testing.TB, table *Table, zone string, kind uint8, rate spec.Rate) *Limit {
	tb.Helper()
	l, err := table.Compile(zone, kind, rate)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// taken is how many requests source may have at once.
func taken(l *Limit, source netip.Prefix, now time.Time) int {
	for n := range 1000 {
		if ok, _ := l.Take(source, now); !ok {
			return n
		}
	}
	return 1000
}

func TestTake(t *testing.T) {
	table, now := New(), time.Now()
	rate := spec.Rate{Requests: 10, Per: time.Second, Burst: 4}
	l := compile(t, table, "zone", 0, rate)
	if got, want := taken(l, source, now), 5; got != want {
		t.Errorf("got %d at once, want %d", got, want)
	}
	if ok, wait := l.Take(source, now); ok || wait != 100*time.Millisecond {
		t.Errorf("got %v, %v beyond the burst, want a wait of 100ms", ok, wait)
	}
	l.Refund(source, now)
	if got, want := taken(l, source, now), 1; got != want {
		t.Errorf("got %d after a refund, want %d", got, want)
	}
	tests := []struct {
		name   string
		limit  *Limit
		source netip.Prefix
		want   int
	}{
		{"compiled again", compile(t, table, "zone", 0, rate), source, 0},
		{"other source", l, netip.MustParsePrefix("203.0.113.8/32"), 5},
		{"IPv6 source", l, netip.MustParsePrefix("2001:db8:0:1::/64"), 5},
		{"other kind", compile(t, table, "zone", 1, rate), source, 5},
		{"other zone", compile(t, table, "enoz", 0, rate), source, 5},
		{"no limit", compile(t, table, "zone", 0, spec.Rate{}), source, 1000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := taken(tt.limit, tt.source, now); got != tt.want {
				t.Errorf("got %d at once, want %d", got, tt.want)
			}
			if got, want := tt.limit.Set(), tt.want < 1000; got != want {
				t.Errorf("set: got %v, want %v", got, want)
			}
		})
	}
	if got, want := taken(l, source, now.Add(250*time.Millisecond)), 2; got != want {
		t.Errorf("got %d after 250ms, want %d", got, want)
	}
}

func TestCompileRefuses(t *testing.T) {
	tests := []struct {
		name string
		rate spec.Rate
		want string
	}{
		{"burst alone", spec.Rate{Burst: 1}, "rate of 0 per 0s"},
		{"negative burst", spec.Rate{Requests: 1, Per: time.Second, Burst: -1}, "burst is -1: it must not be negative"},
		{"no period", spec.Rate{Requests: 1}, "rate of 1 per 0s"},
		{"too fast", spec.Rate{Requests: math.MaxInt, Per: time.Second}, "rate of"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New().Compile("zone", 0, tt.rate)
			if got := fmt.Sprint(err); err == nil || !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %s, want %s…", got, tt.want)
			}
		})
	}
}
