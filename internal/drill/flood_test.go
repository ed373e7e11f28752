package drill

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func shots(seed uint64, n int) []shot {
	s := newSchedule(seed, 50, 8, time.Second, fixed())
	out := make([]shot, n)
	for i := range out {
		out[i] = s.next()
	}
	return out
}

func TestScheduleIsDeterministic(t *testing.T) {
	a, b, other := shots(1, 4000), shots(1, 4000), shots(2, 4000)
	if !slices.Equal(a, b) {
		t.Error("same seed, other shots")
	}
	if slices.Equal(a, other) {
		t.Error("another seed, same shots")
	}
}

// Each bot stays under its rate but for one request, in any window; together they make the flood.
func TestScheduleRate(t *testing.T) {
	byBot := map[int][]time.Duration{}
	all := shots(1, 4000)
	for i, s := range all {
		if i > 0 && s.at < all[i-1].at {
			t.Fatalf("shot %d is due before the one before", i)
		}
		byBot[s.bot] = append(byBot[s.bot], s.at)
	}
	for bot, times := range byBot {
		for i := range times {
			for j := i + 1; j < len(times); j++ {
				if n := j - i + 1; float64(n) > (times[j]-times[i]).Seconds()*8+2 {
					t.Fatalf("bot %d: %d requests within %v", bot, n, times[j]-times[i])
				}
			}
		}
	}
	if len(byBot) != 50 {
		t.Errorf("%d bots, want 50", len(byBot))
	}
	if rate := float64(len(all)) / all[len(all)-1].at.Seconds(); rate < 360 || rate > 410 {
		t.Errorf("%.0f requests a second, want about 400", rate)
	}
}

// No tells: a bot's request is one that a browser may send.
func TestBotsLookLikeBrowsers(t *testing.T) {
	story := Minute()
	people := newPopulation(rand.New(rand.NewPCG(1, 0)), story.Bots)
	c := fixed()
	f := newFlood(story, nil, "news.test", people, c)
	seen := map[string]bool{}
	for i := range 2000 {
		rng := rand.New(rand.NewPCG(9, uint64(i)))
		p := person{agent: agent{host: "news.test", profile: browserProfile(rng), cookies: true}, rng: rng, content: c}
		if i%2 == 0 {
			p.at = "/"
		}
		seen[names(p.render(p.get(c.home)))] = true
	}
	for _, b := range f.bots {
		if n := names(b.render(nil, shot{line: "GET /"})); !seen[n] {
			t.Errorf("no browser sends %s", n)
		}
	}
}

// names lists a request's field names in order.
func names(request []byte) string {
	var out []string
	for l := range strings.SplitSeq(string(request), "\r\n") {
		name, _, _ := strings.Cut(l, ":")
		out = append(out, name)
	}
	return strings.Join(out[1:], ",")
}

func TestPopulation(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 0))
	p := newPopulation(rng, 500)
	prefixes := map[[3]byte]bool{}
	for _, a := range p.bots {
		b := a.As4()
		prefixes[[3]byte(b[:3])] = true
		if !a.IsLoopback() || b[1] < 16 {
			t.Errorf("bot at %s, want 127.16.0.0 and above", a)
		}
	}
	if len(prefixes) != botPrefixes {
		t.Errorf("bots in %d prefixes, want %d", len(prefixes), botPrefixes)
	}
	shared := 0
	for range 1000 {
		a := p.visitor(rng)
		if !a.IsLoopback() || p.isBot(a) {
			t.Errorf("visitor at %s, which is a bot's or not loopback", a)
		}
		b := a.As4()
		if prefixes[[3]byte(b[:3])] {
			shared++
		}
	}
	if shared < 100 || shared > 200 {
		t.Errorf("%d of 1000 visitors among bots, want about 150", shared)
	}
}

func BenchmarkScheduleNext(b *testing.B) {
	s := newSchedule(1, 500, 8, time.Second, fixed())
	b.ReportAllocs()
	for b.Loop() {
		s.next()
	}
}
