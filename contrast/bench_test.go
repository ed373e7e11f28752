package contrast

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"
)

// ordinaryProfile is what most tests compare with.
var ordinaryProfile = sync.OnceValue(func() *Profile { return learnt(1).Profile() })

// learnt returns a baseline that has seen ordinary traffic until it is full.
func learnt(seed uint64) *Baseline {
	b, err := NewBaseline(packets(), Memory{Seed: seed})
	if err != nil {
		panic(err)
	}
	r := rand.New(rand.NewPCG(seed, 2))
	w := NewWindow(packets(), 20000, seed)
	for range 8 {
		w.Reset()
		for range 20000 {
			p := ordinary(r)
			w.Add(p[:], 1)
		}
		b.Learn(w, time.Minute)
	}
	return b
}

// unseen is ordinary traffic that no baseline has learnt.
var unseen = sync.OnceValue(func() []packet {
	r := rand.New(rand.NewPCG(77, 78))
	ps := make([]packet, 200000)
	for i := range ps {
		ps[i] = ordinary(r)
	}
	return ps
})

// fill returns a window of n samples, of which a part is made by attack, and the others are ordinary.
func fill(seed uint64, n int, part float64, attack func(r *rand.Rand) packet) *Window {
	r := rand.New(rand.NewPCG(seed, 3))
	w := NewWindow(packets(), maxRows, seed)
	for range n {
		p := ordinary(r)
		if r.Float64() < part {
			p = attack(r)
		}
		w.Add(p[:], 1)
	}
	return w
}

// everything sends all floods at once.
func everything(r *rand.Rand) packet {
	all := floods()
	return all[r.IntN(len(all)-2)].packet(r)
}

// BenchmarkFind finds among samples of 24 features: 20,000, or the 4,096 of a tenth of a second.
func BenchmarkFind(b *testing.B) {
	for _, n := range []int{4096, 20000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) { benchmarkFind(b, n) })
	}
}

func benchmarkFind(b *testing.B, n int) {
	profile := ordinaryProfile()
	all := floods()
	tests := []struct {
		name   string
		part   float64
		attack func(r *rand.Rand) packet
	}{
		{"ordinary", 0, ordinary},
		{"one", 0.7, all[0].packet},
		{"small", 0.05, all[0].packet},
		{"random", 0.7, func(r *rand.Rand) packet {
			p := header(r, 17, between(r, 20, 255))
			p.noise(r, between(r, 1, 1400))
			p.udp(port(r), port(r))
			return p
		}},
		{"planted", 0.7, func(r *rand.Rand) packet { // visitors' SYNs, with new numbers: nothing of it is to be refused
			p := ordinary(r)
			for p[flags] != syn {
				p = ordinary(r)
			}
			p[ident], p[seq] = r.Uint32N(1<<16), r.Uint32()
			return p
		}},
		{"mixed", 0.7, all[len(all)-2].packet},
		{"everything", 0.9, everything},
	}
	for _, tt := range tests {
		b.Run(tt.name, func(b *testing.B) {
			f, err := NewFinder(packets(), Options{})
			if err != nil {
				b.Fatal(err)
			}
			w := fill(3, n, tt.part, tt.attack)
			b.ReportAllocs()
			var result Result
			for b.Loop() {
				result = f.Find(profile, w, time.Duration(60*(1-tt.part))*time.Second)
			}
			b.ReportMetric(float64(len(result.Found)), "found")
		})
	}
}

func BenchmarkAdd(b *testing.B) {
	r := rand.New(rand.NewPCG(3, 3))
	var ps [1024]packet
	for i := range ps {
		ps[i] = ordinary(r)
	}
	w := NewWindow(packets(), 20000, 1)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		w.Add(ps[i%1024][:], 1)
		if i++; i%40000 == 0 {
			w.Reset()
		}
	}
}

// BenchmarkLearn learns a slot of 20,000 samples, with all that is to be done at its end.
func BenchmarkLearn(b *testing.B) {
	baseline := learnt(1)
	w := fill(1, 20000, 0, ordinary)
	b.ReportAllocs()
	for b.Loop() {
		baseline.Learn(w, time.Minute)
		baseline.Profile()
	}
}
