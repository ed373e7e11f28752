package httpcache

import (
	"testing"
	"time"

	"github.com/dunglas/httpsfv"
)

func TestCacheStatus(t *testing.T) {
	tests := []struct {
		name   string
		status CacheStatus
		want   string
	}{
		{"9211 §2.1 hit", CacheStatus{Cache: "seawall", Hit: true, TTL: 123 * time.Second, HasTTL: true}, "seawall; hit; ttl=123"},
		{"9211 §2.4 stale hit", CacheStatus{Cache: "seawall", Hit: true, TTL: -1500 * time.Millisecond, HasTTL: true}, "seawall; hit; ttl=-2"},
		{"9211 §2.2 miss", CacheStatus{Cache: "seawall", Forward: ForwardMiss, Stored: true, Collapsed: true}, "seawall; fwd=miss; stored; collapsed"},
		{"9211 §2.3 status of the origin", CacheStatus{Cache: "seawall", Forward: ForwardStale, FwdStatus: 304}, "seawall; fwd=stale; fwd-status=304"},
		{"9211 §2 a name that is no token", CacheStatus{Cache: "edge 1"}, `"edge 1"`},
		{"9211 §2.7 key", CacheStatus{Cache: "*", Key: "a\"\\\x00é"}, `*; key="a\"\\???"`},
		{"9211 §2.8 detail as token and as text", CacheStatus{Cache: "a/b", Detail: "expired"}, "a/b; detail=expired"},
		{"9651 §4.1.7 a token begins with a letter", CacheStatus{Cache: "1a", Detail: "two words"}, `"1a"; detail="two words"`},
		{"9651 §4.1.6 empty name", CacheStatus{}, `""`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := string(tt.status.Append(nil))
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if _, err := httpsfv.UnmarshalList([]string{got}); err != nil {
				t.Errorf("%s: %v", got, err)
			}
		})
	}
}

func TestDecisionCacheStatus(t *testing.T) {
	tests := []struct {
		decision Decision
		want     string
	}{
		{Decision{Outcome: Fresh, Reason: StillFresh, TTL: time.Minute}, "seawall; hit; ttl=60"},
		{Decision{Outcome: Stale, Reason: WhileRevalidate, TTL: -time.Minute}, "seawall; hit; ttl=-60"},
		{Decision{Outcome: Miss, Reason: NotStored}, "seawall; fwd=miss"},
		{Decision{Outcome: Miss, Reason: NotGetOrHead}, "seawall; fwd=method"},
		{Decision{Outcome: Revalidate, Reason: RequestNoCache}, "seawall; fwd=request"},
		{Decision{Outcome: Revalidate, Reason: Expired}, "seawall; fwd=stale"},
		{Decision{Outcome: Forbid, Reason: RequestOnlyIfCached}, `seawall; detail="request says only-if-cached"`},
	}
	for _, tt := range tests {
		t.Run("9211 §2 "+tt.decision.Reason.String(), func(t *testing.T) {
			if got := string(tt.decision.CacheStatus("seawall").Append(nil)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func FuzzCacheStatus(f *testing.F) {
	f.Add("seawall", "GET /a", "too old")
	f.Add("", "\"\\", "\x00\xff")
	f.Fuzz(func(t *testing.T, cache, key, detail string) {
		s := CacheStatus{Cache: cache, Hit: true, Key: key, Detail: detail}
		if _, err := httpsfv.UnmarshalList([]string{string(s.Append(nil))}); err != nil {
			t.Errorf("%s: %v", s.Append(nil), err)
		}
	})
}
