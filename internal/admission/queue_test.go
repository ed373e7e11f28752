package admission

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seawall/seawall/prefixes"
)

// line is the queue as plainly as it can be said: lines of lines, searched from end to end.
type line struct {
	prefix  netip.Prefix
	lines   []*line
	waiters []*waiter
	left    int // of its turn
}

// due is the most of each line that, all together, are no more than there are lines and extra.
func (l *line) due(extra int) int {
	for due := 1; ; due++ {
		all, longer := 0, false
		for _, c := range l.lines {
			all += min(c.len(), due+1)
			longer = longer || c.len() > due
		}
		if !longer || all > len(l.lines)+extra {
			return due
		}
	}
}

func (l *line) len() int {
	n := len(l.waiters)
	for _, c := range l.lines {
		n += c.len()
	}
	return n
}

// to returns the line of the first prefix in path, and of the rest in there.
func (l *line) to(path ...netip.Prefix) *line {
	if len(path) == 0 {
		return l
	}
	i := slices.IndexFunc(l.lines, func(c *line) bool { return c.prefix == path[0] })
	if i < 0 {
		i = len(l.lines)
		l.lines = append(l.lines, &line{prefix: path[0]})
	}
	return l.lines[i].to(path[1:]...)
}

func (l *line) pop() *waiter {
	if len(l.lines) == 0 {
		w := l.waiters[0]
		l.waiters = l.waiters[1:]
		return w
	}
	first := l.lines[0]
	if first.left == 0 {
		first.left = l.due(len(l.lines))
	}
	w := first.pop()
	first.left--
	switch {
	case first.len() == 0:
		l.lines = l.lines[1:]
	case first.left == 0:
		l.lines = append(l.lines[1:], first)
	}
	return w
}

func (l *line) remove(w *waiter) {
	l.waiters = slices.DeleteFunc(l.waiters, func(x *waiter) bool { return x == w })
	for _, c := range l.lines {
		c.remove(w)
	}
	l.lines = slices.DeleteFunc(l.lines, func(c *line) bool { return c.len() == 0 })
}

// ends are the newest waiters of the longest lines of the longest lines.
func (l *line) ends() []*waiter {
	if len(l.lines) == 0 {
		return l.waiters[len(l.waiters)-1:]
	}
	var ends []*waiter
	longest := slices.MaxFunc(l.lines, func(a, b *line) int { return a.len() - b.len() }).len()
	for _, c := range l.lines {
		if c.len() == longest {
			ends = append(ends, c.ends()...)
		}
	}
	return ends
}

// losers are those of whom one may give way: arrived are all waiters, oldest first.
func (l *line) losers(arrived []*waiter) []*waiter {
	due := l.due(len(l.lines) / 4)
	if slices.ContainsFunc(l.lines, func(c *line) bool { return c.len() > due }) {
		return l.ends()
	}
	return arrived[len(arrived)-1:]
}

func newWaiter() *waiter {
	w := new(waiter)
	w.place.value, w.age.value = w, w
	return w
}

// address is one of a few sources in a few networks of both families.
func address(t *rapid.T) netip.Addr {
	network, host := byte(rapid.IntRange(0, 3).Draw(t, "network")), byte(rapid.IntRange(0, 3).Draw(t, "host"))
	if rapid.Bool().Draw(t, "IPv6") {
		return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 5: network, 7: host, 15: 1})
	}
	return netip.AddrFrom4([4]byte{192, 0, network, host})
}

func TestQueueAgreesWithPlainLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q, model := newQueue(), new(line)
		var arrived []*waiter
		leave := func(w *waiter) {
			arrived = slices.DeleteFunc(arrived, func(x *waiter) bool { return x == w })
		}
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				w, source := newWaiter(), prefixes.Source(address(t))
				l := model.to(prefixes.Network(source.Addr()), source)
				l.waiters = append(l.waiters, w)
				arrived = append(arrived, w)
				q.push(w, source, time.Time{})
				if slices.Contains(model.losers(arrived), w) && q.loser() != w {
					t.Fatal("loser: got another one, want the one just pushed, as no other line is longer")
				}
			},
			"pop": func(t *rapid.T) {
				if len(arrived) == 0 {
					t.Skip("empty")
				}
				next := q.next()
				got, want := q.pop(), model.pop()
				if got != want || next != want {
					t.Fatalf("got %p after next %p, want %p", got, next, want)
				}
				leave(got)
			},
			"drop": func(t *rapid.T) {
				if len(arrived) == 0 {
					t.Skip("empty")
				}
				w := q.loser()
				if losers := model.losers(arrived); !slices.Contains(losers, w) {
					t.Fatalf("loser: got %p, want one of %p", w, losers)
				}
				q.remove(w)
				model.remove(w)
				leave(w)
			},
			"leave": func(t *rapid.T) {
				if len(arrived) == 0 {
					t.Skip("empty")
				}
				w := rapid.SampledFrom(arrived).Draw(t, "waiter")
				q.remove(w)
				model.remove(w)
				leave(w)
			},
			"": func(t *rapid.T) {
				if got, want := q.len(), len(arrived); got != want {
					t.Fatalf("got %d waiting, want %d", got, want)
				}
				if len(arrived) == 0 {
					if q.next() != nil || q.loser() != nil || q.oldest() != nil {
						t.Fatal("got a waiter from an empty queue")
					}
				} else if q.oldest() != arrived[0] {
					t.Fatalf("oldest: got %p, want %p", q.oldest(), arrived[0])
				}
				sources := 0
				for _, l := range model.lines {
					sources += len(l.lines)
				}
				if len(q.networks) != len(model.lines) || len(q.sources) != sources {
					t.Fatalf("got %d networks and %d sources, want %d and %d",
						len(q.networks), len(q.sources), len(model.lines), sources)
				}
			},
		})
	})
}

// source is the i-th of the sources in the n-th network.
func source(n, i int) netip.Prefix {
	return prefixes.Source(netip.AddrFrom4([4]byte{10, byte(n >> 8), byte(n), byte(i)}))
}

// BenchmarkQueue shows that operations cost the same whatever the length.
func BenchmarkQueue(b *testing.B) {
	for _, length := range []int{1, 64, 2048, 65536} {
		q, spare := newQueue(), newWaiter()
		sources := make([]netip.Prefix, 1024)
		for i := range sources {
			sources[i] = source(i%64, i/64)
		}
		for i := range length {
			q.push(newWaiter(), sources[i*i%len(sources)], time.Time{})
		}
		b.Run(fmt.Sprintf("push+pop/%d", length), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				q.push(spare, sources[i%len(sources)], time.Time{})
				spare = q.pop()
			}
		})
		b.Run(fmt.Sprintf("push+drop/%d", length), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				q.push(spare, sources[i%len(sources)], time.Time{})
				spare = q.loser()
				q.remove(spare)
			}
		})
	}
}
