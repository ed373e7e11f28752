package verdict

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/verdict/exceptions"
	"github.com/seawall/seawall/prefixes"
)

func compile(tb testing.TB, r *Room, change func(z *spec.Zone)) *Policy {
	tb.Helper()
	z := spec.DefaultZone()
	z.Name = "test"
	change(&z)
	p, err := r.Compile(&z)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func newFlow(addr string) *flow.Flow {
	f := &flow.Flow{Conn: new(flow.Conn)}
	f.Request.Client = netip.MustParseAddr(addr)
	f.Request.Source = prefixes.Source(f.Request.Client)
	f.Request.Received = time.Now()
	return f
}

func prefix(s string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(s)} }

// few has limits that are soon reached: two requests at once, one of them to the origin.
func few(z *spec.Zone) {
	z.Limits.Requests = spec.Rate{Requests: 1, Per: time.Second, Burst: 1}
	z.Limits.OriginRequests, z.Limits.OriginRequestsBusy = spec.Rate{Requests: 1, Per: 10 * time.Second}, spec.Rate{}
	z.Lists.Allow, z.Lists.Deny = prefix("192.0.2.1/32"), prefix("192.0.2.0/24")
}

func dry(z *spec.Zone) {
	few(z)
	z.Action = spec.ActionLog
}

func TestOrder(t *testing.T) {
	const requests, origin = "1 requests per 1s with burst 1, for each source", "1 requests per 10s with burst 0, for each source"
	judge, body := (*Policy).Judge, (*Policy).JudgeBody
	tests := []struct {
		name  string
		zone  func(*spec.Zone)
		addr  string
		verbs []func(*Policy, *flow.Flow) // on one request each, but the last two are on the same
		want  flow.Verdict
	}{
		{"pass", few, "203.0.113.1", []func(*Policy, *flow.Flow){judge, body}, flow.Verdict{Charged: 1 << limitsOriginRequests}},
		{"allowed", few, "192.0.2.1", []func(*Policy, *flow.Flow){judge, judge, judge, judge, body, body, judge, body},
			flow.Verdict{Action: flow.Allow, Rule: "lists.allow"}},
		{"denied", few, "192.0.2.2", []func(*Policy, *flow.Flow){judge},
			flow.Verdict{Action: flow.Block, Rule: "lists.deny", Refusal: &flow.Refusal{
				Reason: flow.Denied, Status: 403, Rule: "lists.deny", Detail: "192.0.2.0/24 is on the deny list"}}},
		{"over the limit of requests", few, "203.0.113.1", []func(*Policy, *flow.Flow){judge, judge, judge},
			flow.Verdict{Action: flow.Block, Rule: "limits.requests", Refusal: &flow.Refusal{
				Reason: flow.RequestLimit, Status: 429, Rule: "limits.requests", Detail: requests, RetryAfter: time.Second}}},
		{"over the limit of origin requests", few, "203.0.113.1", []func(*Policy, *flow.Flow){body, judge, body},
			flow.Verdict{Action: flow.Block, Rule: "limits.origin_requests", Refusal: &flow.Refusal{
				Reason: flow.OriginLimit, Status: 429, Rule: "limits.origin_requests", Detail: origin, RetryAfter: 10 * time.Second}}},
		{"dry run", dry, "203.0.113.1", []func(*Policy, *flow.Flow){judge, judge, body, judge, body},
			flow.Verdict{Dry: []string{"limits.requests", "limits.origin_requests"}}},
		{"denied in a dry run", dry, "192.0.2.2", []func(*Policy, *flow.Flow){judge},
			flow.Verdict{Dry: []string{"lists.deny"}}},
		{"no limits", func(z *spec.Zone) { z.Limits = spec.Limits{} }, "203.0.113.1",
			[]func(*Policy, *flow.Flow){judge, judge, judge, judge, body, body, judge, body}, flow.Verdict{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := compile(t, New(nil), tt.zone)
				var f *flow.Flow
				for i, verb := range tt.verbs {
					if i != len(tt.verbs)-1 || i == 0 {
						f = newFlow(tt.addr)
					}
					verb(p, f)
				}
				if diff := cmp.Diff(tt.want, f.Verdict); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			})
		})
	}
}

// TestSourcesOfIPv6 counts a /64 as one.
func TestSourcesOfIPv6(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := compile(t, New(nil), few)
		var got []flow.Action
		for _, addr := range []string{"2001:db8::1", "2001:db8::2", "2001:db8::ffff", "2001:db8:0:1::1"} {
			f := newFlow(addr)
			p.Judge(f)
			got = append(got, f.Verdict.Action)
		}
		if diff := cmp.Diff([]flow.Action{flow.Pass, flow.Pass, flow.Block, flow.Pass}, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// TestNetworkOverLimit: of a network whose sources keep to their limits, but are many, no more comes through than it may have together.
func TestNetworkOverLimit(t *testing.T) {
	tests := []struct {
		name string
		verb func(*Policy, *flow.Flow)
		want flow.Refusal
	}{
		{"requests", (*Policy).Judge, flow.Refusal{
			Reason: flow.RequestLimit, Status: 429, Rule: "limits.requests", RetryAfter: 500 * time.Millisecond,
			Detail: "2001:db8::/48: 2 requests per 1s with burst 3, for all of a network (limits.per_network: 2)"}},
		{"origin requests", (*Policy).JudgeBody, flow.Refusal{
			Reason: flow.OriginLimit, Status: 429, Rule: "limits.origin_requests", RetryAfter: 5 * time.Second,
			Detail: "2001:db8::/48: 2 requests per 10s with burst 1, for all of a network (limits.per_network: 2)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := compile(t, New(nil), func(z *spec.Zone) {
					few(z)
					z.Limits.PerNetwork = 2
				})
				var f *flow.Flow
				for i := range 5 {
					f = newFlow(fmt.Sprintf("2001:db8:0:%d::1", i))
					tt.verb(p, f)
				}
				if diff := cmp.Diff(&tt.want, f.Verdict.Refusal); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				f = newFlow("2001:db8:1::1")
				if tt.verb(p, f); f.Verdict.Refusal != nil {
					t.Errorf("got %v for another network, want it to pass", f.Verdict.Refusal)
				}
			})
		})
	}
}

func TestSettle(t *testing.T) {
	tests := []struct {
		name     string
		attempts int
		want     flow.Action // of the next request
	}{
		{"reached the origin", 1, flow.Block},
		{"never reached the origin", 0, flow.Pass},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := compile(t, New(nil), few)
				f := newFlow("203.0.113.1")
				p.Judge(f)
				p.JudgeBody(f)
				f.Origin.Attempts = tt.attempts
				p.Settle(f)
				p.Settle(f) // gives nothing back twice
				if got, want := f.Verdict.Charged != 0, tt.attempts > 0; got != want {
					t.Errorf("charged: got %v, want %v", got, want)
				}
				next := newFlow("203.0.113.1")
				p.JudgeBody(next)
				if got := next.Verdict.Action; got != tt.want {
					t.Errorf("next request: got %v, want %v", got, tt.want)
				}
				p.Settle(next) // a refused one has nothing to get back
				last := newFlow("203.0.113.1")
				if p.JudgeBody(last); (last.Verdict.Action == flow.Block) != (tt.attempts > 0) {
					t.Errorf("last request: got %v", last.Verdict.Action)
				}
			})
		})
	}
}

// TestBusy: a source may take what nobody else needs, and no more than its rate once the origin's budget is used up. What it took before
// counts.
func TestBusy(t *testing.T) {
	busy := func(z *spec.Zone) {
		z.Limits.OriginRequestsBusy = spec.Rate{Requests: 1, Per: 10 * time.Second, Burst: 1}
	}
	tests := []struct {
		name         string
		before, busy int // requests
		want         int // of the latter, passed
	}{
		{"idle", 50, 0, 0},
		{"busy from the start", 0, 5, 2},
		{"busy after one", 1, 5, 1},
		{"busy after a hall's", 50, 5, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := compile(t, New(nil), busy)
				ask := func(busy bool) *flow.Flow {
					f := newFlow("203.0.113.1")
					f.Admission.Busy = busy
					p.JudgeBody(f)
					f.Origin.Attempts = 1
					p.Settle(f)
					return f
				}
				for range tt.before {
					if f := ask(false); f.Verdict.Refusal != nil {
						t.Fatalf("got %+v while the budget is not used up", f.Verdict.Refusal)
					}
				}
				passed := 0
				for range tt.busy {
					f := ask(true)
					if f.Verdict.Refusal == nil {
						passed++
					} else if got, want := f.Verdict.Refusal.Rule, "limits.origin_requests_busy"; got != want {
						t.Errorf("got refused by %s, want %s", got, want)
					}
				}
				if passed != tt.want {
					t.Errorf("got %d passed, want %d", passed, tt.want)
				}
			})
		})
	}
}

// TestRecompile: neither what sources have taken nor the counts are forgotten.
func TestRecompile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := New(nil)
		p := compile(t, room, few)
		for _, addr := range []string{"203.0.113.1", "203.0.113.1", "192.0.2.1", "192.0.2.2"} {
			p.Judge(newFlow(addr))
		}
		p = compile(t, room, few)
		f := newFlow("203.0.113.1")
		p.Judge(f)
		if got, want := f.Verdict.Action, flow.Block; got != want {
			t.Errorf("got %v, want %v", got, want)
		}
		other := compile(t, room, func(z *spec.Zone) { z.Name = "other" })
		f = newFlow("203.0.113.1")
		other.Judge(f)
		if got, want := f.Verdict.Action, flow.Pass; got != want {
			t.Errorf("other zone: got %v, want %v", got, want)
		}
		want := []Count{{"lists.allow", 1}, {"lists.deny", 1}, {"limits.requests", 1}, {"limits.origin_requests", 0}, {"limits.origin_requests_busy", 0}, {"https.redirect", 0}}
		if diff := cmp.Diff(want, p.Counts()); diff != "" {
			t.Errorf("counts: -want +got:\n%s", diff)
		}
	})
}

func TestCountsOfAllShards(t *testing.T) {
	p := compile(t, New(nil), dry)
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			f := newFlow("192.0.2.2")
			f.Conn.Shard = uint32(i)
			p.Judge(f)
		})
	}
	wg.Wait()
	if got, want := p.Counts()[listsDeny], (Count{"lists.deny", 100}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCountsAreForgotten(t *testing.T) {
	room := New(nil)
	compile(t, room, few)
	deadline := time.Now().Add(10 * time.Second)
	for {
		runtime.GC()
		room.mu.Lock()
		n := len(room.counts)
		room.mu.Unlock()
		if n == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("got counts of %d zones that have no policy", n)
		}
	}
}

// TestNamedList: a refusal says which list it is by.
func TestNamedList(t *testing.T) {
	r := New(nil)
	if _, problems := r.Configure(&spec.Node{Lists: []spec.List{
		{Name: "bad", Kind: spec.ListIP, File: "192.0.2.0/24\n"}, {Name: "tor", Kind: spec.ListIP, File: "198.51.100.7\n"},
	}}); problems != nil {
		t.Fatal(problems)
	}
	p := compile(t, r, func(z *spec.Zone) { z.Lists.DenyNamed = []string{"bad"} })
	f := newFlow("192.0.2.2")
	p.Judge(f)
	want := &flow.Refusal{Reason: flow.Denied, Status: 403, Rule: "lists.deny", Detail: "192.0.2.0/24 is on the deny list, by $bad"}
	if diff := cmp.Diff(want, f.Verdict.Refusal); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for addr, country := range map[string]string{"198.51.100.7": "T1", "198.51.100.8": ""} {
		if got := r.Locate(netip.MustParseAddr(addr)); got.Country != country || got.Continent != country {
			t.Errorf("%s: got country %q and continent %q, want %q", addr, got.Country, got.Continent, country)
		}
	}
}

// counting is an atlas that counts what it is asked.
type counting int

func (c *counting) Locate(netip.Addr) flow.Location {
	*c++
	return flow.Location{Country: "DE"}
}

// TestLocatedOnce: where a client is is looked up when somebody asks, and not again, also behind the answer.
func TestLocatedOnce(t *testing.T) {
	var asked counting
	f := newFlow("192.0.2.1")
	f.Request.Locator = &asked
	compile(t, New(nil), open).Judge(f)
	if asked != 0 {
		t.Errorf("got %d lookups before anybody asked, want 0", asked)
	}
	for range 2 {
		if got := f.Request.Location().Country; got != "DE" {
			t.Errorf("got %q, want DE", got)
		}
	}
	if got := f.Behind().Request.Location().Country; got != "DE" {
		t.Errorf("behind the answer: got %q, want DE", got)
	}
	if asked != 1 {
		t.Errorf("got %d lookups, want 1", asked)
	}
}

func TestCompileRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(*spec.Zone)
		want   string
	}{
		{"action", func(z *spec.Zone) { z.Action = "drop" },
			`action: "drop" is none: want "block" or "log"`},
		{"requests", func(z *spec.Zone) { z.Limits.Requests.Per = 0 }, `limits.requests: rate of 200 per 0s`},
		{"origin requests", func(z *spec.Zone) { z.Limits.OriginRequests.Burst = -1 },
			`limits.origin_requests: burst is -1`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			z := spec.DefaultZone()
			z.Name = "test"
			tt.change(&z)
			_, err := New(nil).Compile(&z)
			if got := fmt.Sprint(err); err == nil || !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %s, want %s…", got, tt.want)
			}
		})
	}
}

// open has limits that are never reached here, tight has ones that always are.
func open(z *spec.Zone) {
	few(z)
	z.Limits.Requests = spec.Rate{Requests: 1_000_000, Per: time.Second, Burst: 1_000_000_000}
	z.Limits.OriginRequests = z.Limits.Requests
}

func tight(z *spec.Zone) {
	few(z)
	z.Limits.Requests = spec.Rate{Requests: 1, Per: time.Hour}
}

func TestPassAllocatesNothing(t *testing.T) {
	p := compile(t, New(nil), open)
	for _, addr := range []string{"203.0.113.1", "192.0.2.1", "2001:db8::1"} {
		f := newFlow(addr)
		if got := testing.AllocsPerRun(100, func() {
			p.Judge(f)
			p.JudgeBody(f)
			p.Settle(f)
		}); got != 0 {
			t.Errorf("%s: got %v allocations, want 0", addr, got)
		}
	}
}

func BenchmarkJudge(b *testing.B) {
	tests := []struct {
		name string
		zone func(*spec.Zone)
		addr string
	}{
		{"pass", open, "203.0.113.1"},
		{"pass without lists", func(z *spec.Zone) { open(z); z.Lists = spec.Lists{} }, "203.0.113.1"},
		{"pass IPv6", open, "2001:db8::1"},
		{"allow", open, "192.0.2.1"},
		{"deny", open, "192.0.2.2"},
		{"limit", tight, "203.0.113.1"},
	}
	for _, tt := range tests {
		b.Run(tt.name, func(b *testing.B) {
			p, f := compile(b, New(nil), tt.zone), newFlow(tt.addr)
			b.ReportAllocs()
			for b.Loop() {
				f.Verdict = flow.Verdict{}
				p.Judge(f)
			}
		})
	}
}

func BenchmarkJudgeBody(b *testing.B) {
	p, f := compile(b, New(nil), open), newFlow("203.0.113.1")
	b.ReportAllocs()
	for b.Loop() {
		p.JudgeBody(f)
		p.Settle(f)
	}
}

// TestUndone wants what is undone to be noted, and counted, and not to refuse: for an address or for a rule.
func TestUndone(t *testing.T) {
	const blocks = "http_request_firewall_custom/paths"
	zone := func(z *spec.Zone) {
		few(z)
		z.Rules.Firewall = []spec.Rule{{Name: "paths", Expression: `http.request.uri.path eq "/secret"`, Action: spec.RuleBlock}}
	}
	address := func(zone, a string) exceptions.Exception {
		return exceptions.Exception{Zone: zone, Address: netip.MustParsePrefix(a), Until: time.Now().Add(time.Hour)}
	}
	rule := func(name string) exceptions.Exception {
		return exceptions.Exception{Zone: "test", Rule: name, Until: time.Now().Add(time.Hour)}
	}
	tests := []struct {
		name       string
		undone     exceptions.Exception
		client     string
		path       string
		before     int // requests of the client that come before
		dry        []string
		wantRefuse string
	}{
		{"a denied address", address("test", "192.0.2.2/32"), "192.0.2.2", "/", 0, []string{"lists.deny"}, ""},
		{"a denied address, in all zones", address("", "192.0.2.0/24"), "192.0.2.2", "/", 0, []string{"lists.deny"}, ""},
		{"the address in another zone", address("other", "192.0.2.2/32"), "192.0.2.2", "/", 0, nil, "lists.deny"},
		{"an address's limit", address("test", "203.0.113.1/32"), "203.0.113.1", "/", 2, []string{"limits.requests"}, ""},
		{"an address and a rule", address("test", "203.0.113.1/32"), "203.0.113.1", "/secret", 0, []string{blocks}, ""},
		{"all that refuses", address("test", "192.0.2.2/32"), "192.0.2.2", "/secret", 2, []string{"lists.deny", "limits.requests", blocks}, ""},
		{"the list", rule("lists.deny"), "192.0.2.2", "/", 0, []string{"lists.deny"}, ""},
		{"the list, and a rule refuses", rule("lists.deny"), "192.0.2.2", "/secret", 0, []string{"lists.deny"}, blocks},
		{"the limit", rule("limits.requests"), "203.0.113.1", "/", 2, []string{"limits.requests"}, ""},
		{"the rule", rule(blocks), "203.0.113.1", "/secret", 0, []string{blocks}, ""},
		{"another rule", rule(blocks + "2"), "203.0.113.1", "/secret", 0, nil, blocks},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := New(nil)
			defer r.Exceptions.Close()
			p := compile(t, r, zone)
			if _, err := r.Exceptions.Add(tt.undone); err != nil {
				t.Fatal(err)
			}
			var f *flow.Flow
			for range tt.before + 1 {
				f = newFlow(tt.client)
				f.Request.Path = tt.path
				p.Judge(f)
			}
			refused := ""
			if f.Verdict.Refusal != nil {
				refused = f.Verdict.Refusal.Rule
			}
			if diff := cmp.Diff(tt.dry, f.Verdict.Dry); diff != "" || refused != tt.wantRefuse || f.Verdict.Undone != (tt.dry != nil) {
				t.Errorf("got refused by %q, undone %t, want %q; dry, -want +got:\n%s", refused, f.Verdict.Undone, tt.wantRefuse, diff)
			}
			for _, rule := range tt.dry {
				if matches(p, rule) == 0 {
					t.Errorf("%s: no match is counted", rule)
				}
			}
		})
	}
}

// matches is how often a rule of either sort has.
func matches(p *Policy, rule string) uint64 {
	for _, c := range p.Counts() {
		if c.Rule == rule {
			return c.Matches
		}
	}
	for _, c := range p.Rules() {
		if c.Rule == rule {
			return c.Matches
		}
	}
	return 0
}

// TestUndoneOrigin: an address is spared the limit of requests that reach the origin, too.
func TestUndoneOrigin(t *testing.T) {
	r := New(nil)
	defer r.Exceptions.Close()
	p := compile(t, r, few)
	body := func() *flow.Flow {
		f := newFlow("203.0.113.1")
		p.JudgeBody(f)
		return f
	}
	body()
	if f := body(); f.Verdict.Refusal == nil {
		t.Fatal("got no refusal over the limit")
	}
	if _, err := r.Exceptions.Add(exceptions.Exception{Address: prefix("203.0.113.1/32")[0], Until: time.Now().Add(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	if f := body(); f.Verdict.Refusal != nil || !f.Verdict.Undone || f.Verdict.Charged != 0 {
		t.Errorf("got %+v, want it to be spared and not charged", f.Verdict)
	}
	if over := p.Limited(netip.MustParseAddr("203.0.113.1"), time.Now()); len(over) != 1 || over[0].Rule != "limits.origin_requests" || over[0].Wait <= 0 {
		t.Errorf("got over %+v, want the one limit", over)
	}
	if over := p.Limited(netip.MustParseAddr("203.0.113.2"), time.Now()); over != nil {
		t.Errorf("got over %+v, want none", over)
	}
}

func TestUndoable(t *testing.T) {
	p := compile(t, New(nil), func(z *spec.Zone) {
		z.Rules.Firewall = []spec.Rule{
			{Name: "a", Expression: "ssl", Action: spec.RuleBlock}, {Name: "b", Expression: "ssl", Action: spec.RuleLog}, {Name: "aa", Expression: "ssl", Action: spec.RuleBlock},
		}
	})
	const phase = "http_request_firewall_custom/"
	tests := []struct {
		name string
		want []string
	}{
		{"a", []string{phase + "a"}},
		{phase + "a", []string{phase + "a"}},
		{"b", nil},
		{"lists.deny", []string{"lists.deny"}},
		{"lists.allow", nil},
		{"", []string{"lists.deny", "limits.requests", "limits.origin_requests", "limits.origin_requests_busy", phase + "a", phase + "aa"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, p.Undoable(tt.name)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestUnlocated: a rule about countries is refused where no file tells them, as "not in" would hold for everybody.
func TestUnlocated(t *testing.T) {
	tor := []spec.List{{Name: torExits, Kind: spec.ListIP, Values: []string{"192.0.2.1"}}}
	tests := []struct {
		name, expression string
		node             spec.Node
		want             string
	}{
		{"no file", `not ip.src.country in {"DE"}`, spec.Node{}, "rules.http_request_firewall_custom[0].expression: column 5: nothing is known of ip.src.country: want a file in node.geo.country"},
		{"no file of networks", `ip.geoip.asnum eq 64496`, spec.Node{}, "nothing is known of ip.geoip.asnum: want a file in node.geo.asn"},
		{"nothing to know", `http.host eq "x"`, spec.Node{}, ""},
		{"the exits of Tor", `ip.src.country eq "T1"`, spec.Node{Lists: tor}, ""},
		{"a file that can't be read yet", `ip.src.country eq "DE"`, spec.Node{Geo: spec.Geo{Country: "/nowhere"}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := New(nil)
			r.Configure(&tt.node)
			z := spec.DefaultZone()
			z.Rules.Firewall = []spec.Rule{{Name: "a", Expression: tt.expression, Action: spec.RuleBlock}}
			_, err := r.Compile(&z)
			if got := fmt.Sprint(err); !strings.Contains(got, tt.want) || tt.want == "" && err != nil {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
