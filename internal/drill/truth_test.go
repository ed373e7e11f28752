package drill

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/drill/site"
)

func TestTruthByAddress(t *testing.T) {
	tr := newTruth(&clock{start: time.Now()})
	visitor, bot := netip.MustParseAddr("127.20.0.1"), netip.MustParseAddr("127.20.0.2")
	tr.claim(visitor, site.Visitor)
	tr.claim(bot, site.Attacker)
	tests := []struct {
		source string
		want   site.Who
	}{
		{"127.20.0.1", site.Visitor},
		{"127.20.0.2", site.Attacker},
		{"::ffff:127.20.0.2", site.Attacker},
		{"127.20.0.3", site.Unknown},
		{"::1", site.Unknown},
	}
	for _, tt := range tests {
		t.Run(tt.source, func(t *testing.T) {
			if got := tr.who(netip.MustParseAddr(tt.source), "GET", "/"); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	if got := tr.claimedBy(site.Visitor); len(got) != 1 || got[0] != visitor {
		t.Errorf("claimed by visitors: %v, want %v", got, visitor)
	}
}

// Behind an address of both sorts, what is under way decides.
func TestTruthByRequestsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTruth(&clock{start: time.Now()})
		nat := netip.MustParseAddr("127.20.0.1")
		tr.claim(nat, site.Visitor)
		tr.claim(nat, site.Attacker)
		want := func(step, target string, want site.Who, unclear int) {
			t.Helper()
			if got := tr.who(nat, "GET", target); got != want {
				t.Errorf("%s: %v asked for %s, want %v", step, got, target, want)
			}
			if got := tr.ambiguous(); got != unclear {
				t.Errorf("%s: %d unclear, want %d", step, got, unclear)
			}
		}
		want("nobody", "/", site.Unknown, 0)
		leaveVisitor := tr.enter(nat, "GET", "/", site.Visitor)
		want("a visitor", "/", site.Visitor, 0)
		want("a visitor asks for something else", "/search", site.Unknown, 0)
		leaveBot := tr.enter(nat, "GET", "/", site.Attacker)
		want("both", "/", site.Unknown, 1)
		leaveVisitor()
		want("the visitor is done", "/", site.Attacker, 1)
		leaveBot()
		want("both are done", "/", site.Unknown, 2)
		time.Sleep(recall - time.Second)
		tr.enter(nat, "GET", "/", site.Visitor)()
		time.Sleep(2 * time.Second)
		want("only the visitor of late", "/", site.Visitor, 2)
		time.Sleep(recall)
		want("long after", "/", site.Unknown, 2)
	})
}

// A visitor who turns up at a bot's address makes it a shared one.
func TestTruthLearns(t *testing.T) {
	tr := newTruth(&clock{start: time.Now()})
	a := netip.MustParseAddr("127.20.0.1")
	tr.claim(a, site.Attacker)
	defer tr.enter(a, "GET", "/feed.xml", site.Visitor)()
	if got := tr.who(a, "GET", "/feed.xml"); got != site.Visitor {
		t.Errorf("the visitor's request is %v's", got)
	}
	if got := tr.who(a, "GET", "/"); got != site.Unknown {
		t.Errorf("a request that nobody has under way is %v's", got)
	}
}

func TestTruthIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTruth(&clock{start: time.Now()})
		nat := netip.MustParseAddr("127.20.0.1")
		tr.claim(nat, site.Visitor)
		var leaves []func()
		for i := range maxTracks + 100 {
			leaves = append(leaves, tr.enter(nat, "GET", fmt.Sprint("/", i), site.Attacker))
		}
		if len(tr.tracks) != maxTracks || tr.ages.Len() != maxTracks {
			t.Errorf("%d tracks, %d ages, want %d", len(tr.tracks), tr.ages.Len(), maxTracks)
		}
		for _, leave := range leaves { // those forgotten, too
			leave()
		}
		time.Sleep(recall + time.Second)
		tr.enter(nat, "GET", "/", site.Attacker)()
		if len(tr.tracks) != 1 || tr.ages.Len() != 1 {
			t.Errorf("%d tracks, %d ages after all others are old, want 1", len(tr.tracks), tr.ages.Len())
		}
	})
}

func BenchmarkTruthEnter(b *testing.B) {
	tr := newTruth(&clock{start: time.Now()})
	own, nat := netip.MustParseAddr("127.20.0.1"), netip.MustParseAddr("127.20.0.2")
	tr.claim(nat, site.Visitor)
	for _, tt := range []struct {
		name   string
		source netip.Addr
	}{{"own", own}, {"shared", nat}} {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tr.enter(tt.source, "GET", "/search?q=tide", site.Attacker)()
			}
		})
	}
}
