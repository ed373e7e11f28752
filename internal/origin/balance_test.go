package origin

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// weighted is a zone with a server for each weight.
func weighted(balance spec.Balance, weights ...int) *spec.Zone {
	z := zoneOf("")
	z.Origin.Balance = balance
	z.Origin.Servers = nil
	for i, w := range weights {
		z.Origin.Servers = append(z.Origin.Servers, spec.Server{URL: fmt.Sprintf("http://192.0.2.%d", i+1), Weight: w})
	}
	return z
}

// pick chooses for a source as a request would.
func (p *Policy) pick(source netip.Prefix) *server {
	f := &flow.Flow{Request: flow.Request{Source: source}}
	return p.choose(p.current(), f, new(tried))
}

// takeDown has the checks of a server fail, raise has them pass.
func (e *endpoint) takeDown() { e.checked(&spec.Health{Fall: 1}, "", errAny) }
func (e *endpoint) raise()    { e.checked(&spec.Health{Rise: 1}, "200", nil) }

func source(n int) netip.Prefix {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(n)*2654435761)
	return netip.PrefixFrom(netip.AddrFrom4(b), 32)
}

func TestRoundRobin(t *testing.T) {
	tests := []struct {
		weights []int
		want    string
	}{
		{[]int{1}, "aaaa"},
		{[]int{1, 1}, "abab"},
		{[]int{7, 7, 7}, "abcabc"},
		{[]int{5, 1, 1}, "aabacaaaabacaa"},
		{[]int{0, 2, 4}, "cbccbc"},
		{[]int{3, 0}, "aaaa"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.weights), func(t *testing.T) {
			p := compile(t, newRoom(t), weighted(spec.BalanceRoundRobin, tt.weights...))
			got := ""
			for range tt.want {
				got += string(rune('a' + p.pick(netip.Prefix{}).number))
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestRoundRobinShares: in any row of requests, no server is more than a few away from its share.
func TestRoundRobinShares(t *testing.T) {
	room := newRoom(t)
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.IntRange(1, 256), 1, 12).Draw(t, "weights")
		z := weighted(spec.BalanceRoundRobin, weights...)
		p, err := room.Compile(z)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0
		for _, w := range weights {
			sum += w
		}
		got := make([]int, len(weights))
		for k := range rapid.IntRange(1, 2*sum).Draw(t, "requests") {
			got[p.pick(netip.Prefix{}).number]++
			for i, w := range weights {
				if want := float64(k+1) * float64(w) / float64(sum); math.Abs(float64(got[i])-want) > 4 {
					t.Fatalf("server %d with weight %d of %d got %d of %d requests, want %.1f give or take 4", i, w, sum, got[i], k+1, want)
				}
			}
		}
	})
}

// TestManyTurns bounds the round of many servers with unlike weights, and everybody has a turn.
func TestManyTurns(t *testing.T) {
	var weights []int
	for i := range maxServers {
		weights = append(weights, 256-i)
	}
	p := compile(t, newRoom(t), weighted(spec.BalanceRoundRobin, weights...))
	round := p.current().turns
	if len(round) > maxTurns+maxServers {
		t.Errorf("%d turns, want %d at most", len(round), maxTurns+maxServers)
	}
	got := make([]int, maxServers)
	for _, i := range round {
		got[i]++
	}
	for i, w := range weights {
		if want := float64(w) * maxTurns / (256 * 257 / 2); math.Abs(float64(got[i])-want) > 1 {
			t.Errorf("server %d with weight %d has %d turns, want %.1f give or take one", i, w, got[i], want)
		}
	}
}

// TestLeastRequests gives more to servers that have less to do for their weight. Every request stays.
func TestLeastRequests(t *testing.T) {
	tests := []struct {
		weights, before, want []int
	}{
		{[]int{1, 1}, []int{0, 0}, []int{500, 500}},
		{[]int{1, 1}, []int{1000, 0}, []int{1000, 1000}},
		{[]int{1, 3}, []int{0, 0}, []int{250, 750}},
		{[]int{1, 3}, []int{500, 500}, []int{500, 1500}},
		{[]int{1, 1, 2}, []int{0, 0, 3000}, []int{500, 500, 3000}},
		{[]int{1, 1, 1, 1, 1, 1, 1, 1}, []int{0, 0, 0, 0, 0, 0, 0, 8000}, []int{140, 140, 140, 140, 140, 140, 140, 8000}},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.weights, tt.before), func(t *testing.T) {
			p := compile(t, newRoom(t), weighted(spec.BalanceLeastRequests, tt.weights...))
			sum := 0
			for i := range tt.want {
				p.servers[i].health.inFlight.Store(int64(tt.before[i]))
				sum += tt.want[i] - tt.before[i]
			}
			for range sum {
				p.pick(netip.Prefix{}).health.inFlight.Add(1)
			}
			for i, want := range tt.want {
				if got := int(p.servers[i].health.inFlight.Load()); got < want*9/10-20 || got > want*11/10+20 {
					t.Errorf("server %d with weight %d has %d requests, want about %d", i, tt.weights[i], got, want)
				}
			}
		})
	}
}

// TestSource gives every server its share of the sources, and moves only those of the server that goes, wherever it stood.
func TestSource(t *testing.T) {
	const sources = 20000
	room := newRoom(t)
	tests := [][]int{{1}, {1, 1}, {1, 2, 5}, {256, 1, 255}, {3, 3, 3, 3, 3, 3, 3, 3, 3, 3}}
	for _, weights := range tests {
		t.Run(fmt.Sprint(weights), func(t *testing.T) {
			p := compile(t, room, weighted(spec.BalanceSource, weights...))
			at, got, sum := make([]int, sources), make([]int, len(weights)), 0
			for i := range at {
				at[i] = p.pick(source(i)).number
				got[at[i]]++
			}
			for _, w := range weights {
				sum += w
			}
			for i, w := range weights {
				share := float64(w) / float64(sum)
				if want, sigma := sources*share, math.Sqrt(sources*share*(1-share)); math.Abs(float64(got[i])-want) > 5*sigma+1 {
					t.Errorf("server %d with weight %d of %d has %d of %d sources, want about %.0f", i, w, sum, got[i], sources, want)
				}
			}
			z := weighted(spec.BalanceSource, weights...)
			slices.Reverse(z.Origin.Servers)
			q := compile(t, room, z)
			for i := range at {
				if q.pick(source(i)).endpoint != p.servers[at[i]].endpoint {
					t.Fatalf("source %d moved when the servers were named in another order", i)
				}
			}
			for down := range p.servers {
				if len(weights) == 1 {
					break
				}
				p.servers[down].takeDown()
				for i := range at {
					if now := p.pick(source(i)).number; now == down || at[i] != down && now != at[i] {
						t.Fatalf("source %d of server %d is at %d while %d is down", i, at[i], now, down)
					}
				}
				p.servers[down].raise()
				p.servers[down].health.last.came = p.servers[down].health.last.came.Add(-p.origin.Health.SlowStart)
				p.group.changes.Add(1)
			}
			for i := range at {
				if now := p.pick(source(i)).number; now != at[i] {
					t.Fatalf("source %d of server %d is at %d, now that all are up again", i, at[i], now)
				}
			}
		})
	}
}

// TestSourceIsKeyed: who has the code and the configuration does not know who goes where.
func TestSourceIsKeyed(t *testing.T) {
	z := weighted(spec.BalanceSource, 1, 1)
	p, q := compile(t, newRoom(t), z), compile(t, newRoom(t), z)
	same := 0
	for i := range 1000 {
		if p.pick(source(i)).number == q.pick(source(i)).number {
			same++
		}
	}
	if same < 400 || same > 600 {
		t.Errorf("%d of 1000 sources are at the same server of two nodes, want about 500", same)
	}
}

// TestChooseAnother tries all servers once, whatever the way to choose.
func TestChooseAnother(t *testing.T) {
	for _, balance := range []spec.Balance{spec.BalanceRoundRobin, spec.BalanceLeastRequests, spec.BalanceSource} {
		for n := range 5 {
			t.Run(fmt.Sprint(balance, n+1), func(t *testing.T) {
				weights := []int{3, 1, 4, 1, 5}[:n+1]
				p := compile(t, newRoom(t), weighted(balance, weights...))
				var been tried
				f := ordinary()
				got := map[int]bool{}
				for s := p.choose(p.current(), f, &been); s != nil; s = p.choose(p.current(), f, &been) {
					been.add(s.number)
					got[s.number] = true
					if len(got) > len(weights) {
						break
					}
				}
				want := map[int]bool{}
				for i := range weights {
					want[i] = true
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("servers tried (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestBackups get work only while no other server is up, those with a weight, and are enough alone.
func TestBackups(t *testing.T) {
	tests := []struct {
		name   string
		change func(o *spec.Origin)
		down   []int
		want   []int
	}{
		{"others are up", nil, nil, []int{0, 1}},
		{"one is up", nil, []int{0}, []int{1}},
		{"none is up", nil, []int{0, 1}, []int{2, 3}},
		{"one backup is up", nil, []int{0, 1, 2}, []int{3}},
		{"none at all", nil, []int{0, 1, 2, 3}, nil},
		{"none at all, but try", func(o *spec.Origin) { o.AllDown = spec.AllDownTry }, []int{0, 1, 2, 3}, []int{0, 1}},
		{"no weight", func(o *spec.Origin) { o.Servers[2].Weight = 0 }, []int{0, 1}, []int{3}},
		{"only backups", func(o *spec.Origin) { o.Servers[0].Backup, o.Servers[1].Backup = true, true }, []int{1}, []int{0, 2, 3}},
		{"only backups, but try", func(o *spec.Origin) {
			o.Servers[0].Backup, o.Servers[1].Backup, o.AllDown = true, true, spec.AllDownTry
		}, []int{0, 1, 2, 3}, []int{0, 1, 2, 3}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			z := weighted(spec.BalanceRoundRobin, 1, 1, 1, 1)
			z.Origin.Servers[2].Backup, z.Origin.Servers[3].Backup = true, true
			if tt.change != nil {
				tt.change(&z.Origin)
			}
			p := compile(t, newRoom(t), z)
			for _, i := range tt.down {
				p.servers[i].takeDown()
			}
			var got []int
			for _, s := range p.current().shares {
				got = append(got, s.number)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("servers with work (-want +got):\n%s", diff)
			}
		})
	}
}

func BenchmarkChoose(b *testing.B) {
	for _, balance := range []spec.Balance{spec.BalanceRoundRobin, spec.BalanceLeastRequests, spec.BalanceSource} {
		for _, n := range []int{1, 3, 10} {
			b.Run(fmt.Sprintf("%s/%d", balance, n), func(b *testing.B) {
				weights := make([]int, n)
				for i := range weights {
					weights[i] = i + 1
				}
				p := compile(b, newRoom(b), weighted(balance, weights...))
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					x := errand{policy: p, flow: ordinary()}
					x.flow.Request.Source = source(1)
					for pb.Next() {
						x.tried = tried{}
						x.goTo(p.choose(p.current(), x.flow, &x.tried))
						x.server.succeeded()
						x.leave()
					}
				})
			})
		}
	}
}

// BenchmarkDivide is what a change of many servers' health costs.
func BenchmarkDivide(b *testing.B) {
	for _, n := range []int{1, 3, 256} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			weights := make([]int, n)
			for i := range weights {
				weights[i] = i + 1
			}
			weights[0] = 2
			p := compile(b, newRoom(b), weighted(spec.BalanceRoundRobin, weights...))
			b.ReportAllocs()
			for b.Loop() {
				p.group.changes.Add(1)
				p.current()
			}
		})
	}
}
