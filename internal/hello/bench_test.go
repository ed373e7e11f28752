package hello

import (
	"crypto/tls"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// cpu is the time that this process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkHandshake is a client's and a server's handshake in memory, 64 at a time: in steps, as loops have it, on a goroutine, and
// crypto/tls's alone. Clients take about half of the time.
func BenchmarkHandshake(b *testing.B) {
	issuer := newIssuer(b)
	r := newRoomWith(b, b.TempDir(), Options{}, issuer.text(b, "a.example"))
	plain := r.newConfig(groups)
	servers := []struct {
		name  string
		serve func(raw *end) error
	}{
		{"steps", func(raw *end) error { _, err := loop(r, raw, from(1), 4096); return err }},
		{"goroutine", func(raw *end) error { _, err := r.Handshake(raw, from(1)); return err }},
		{"plain", func(raw *end) error { return tls.Server(raw, plain).Handshake() }},
	}
	for _, resumed := range []bool{false, true} {
		for _, s := range servers {
			b.Run(map[bool]string{false: "full/", true: "resumed/"}[resumed]+s.name, func(b *testing.B) {
				config := tls.Config{ServerName: "a.example", RootCAs: roots(b, issuer.folder)}
				b.ReportAllocs()
				b.SetParallelism(64 / runtime.GOMAXPROCS(0))
				before := cpu(b)
				b.RunParallel(func(pb *testing.PB) {
					config := config.Clone()
					if resumed {
						config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
					}
					for pb.Next() {
						if err := meet(config, s.serve); err != nil {
							b.Error(err)
						}
					}
				})
				b.ReportMetric(float64(cpu(b)-before)/1e3/float64(b.N), "cpu-µs/op")
			})
		}
	}
}

// meet is one handshake of both sides, on two goroutines.
func meet(config *tls.Config, serve func(raw *end) error) error {
	near, far := newEnds()
	served := make(chan error, 1)
	go func() { served <- serve(far) }()
	c := tls.Client(near, config)
	if err := c.Handshake(); err != nil {
		return err
	}
	err := <-served
	if config.ClientSessionCache != nil {
		far.Close()
		_, _ = c.Read(make([]byte, 1)) // the ticket
	}
	return err
}

// BenchmarkRefuse is a client that is refused for its fingerprint: what a flood of them costs.
func BenchmarkRefuse(b *testing.B) {
	client := &tls.Config{ServerName: "a.example"}
	r := small(b, Options{}, 4, 4, 4)
	settings := *r.settings.Load()
	settings.denied = fingerprints{fingerprint(b, client): {}}
	r.settings.Store(&settings)
	hello, info := opening(b, client), from(1)
	_, far := newEnds()
	b.ReportAllocs()
	for b.Loop() {
		s := r.Begin(far, info)
		if _, err := s.Feed(hello); err == nil {
			b.Fatal("not refused")
		}
		s.Close()
		far.out.bytes = far.out.bytes[:0]
	}
}

// BenchmarkHalfOpen is what handshakes hold that wait for their clients.
func BenchmarkHalfOpen(b *testing.B) {
	const n = 1000
	hello := opening(b, &tls.Config{ServerName: "a.example"})
	for _, bb := range []struct {
		name string
		fed  int
	}{{"half a hello", len(hello) / 2}, {"answered", len(hello)}} {
		b.Run(bb.name, func(b *testing.B) {
			r := small(b, Options{Workers: nil}, n, n, n)
			_, far := newEnds()
			for b.Loop() {
				before := held()
				all := make([]*Shake, n)
				for i := range all {
					s := r.Begin(far, from(1))
					if ready, _ := s.Feed(hello[:bb.fed]); ready {
						step(s)
					}
					all[i] = s
				}
				far.out.bytes = nil
				b.ReportMetric(float64(held()-before)/n, "held-B/handshake")
				for _, s := range all {
					s.Close()
				}
			}
		})
	}
}

// held is the memory in use, stacks included.
func held() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
