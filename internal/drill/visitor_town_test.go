package drill

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/drill/scenario"
	"github.com/seawall/seawall/internal/drill/score"
	"github.com/seawall/seawall/internal/drill/site"
	"github.com/seawall/seawall/internal/drill/wire"
	"github.com/seawall/seawall/internal/sim"
)

// printed is the content of every site in these tests.
var printed = sync.OnceValue(site.NewContent)

// everybody is a scenario in which every kind of visitor is there, and the site has room for them.
func everybody() *scenario.Scenario {
	return &scenario.Scenario{
		Name: "everybody", Group: scenario.GroupEvent, Seed: 7, Length: 12 * time.Second, Patience: 5 * time.Second,
		Visitors: scenario.Visitors{Count: 60, Think: 2 * time.Second, HTTP2: 0.8, Kinds: scenario.Everybody()},
	}
}

// only is everybody, but of one kind.
func only(kind string) *scenario.Scenario {
	s := everybody()
	s.Visitors.Count, s.Visitors.Kinds = 6, map[string]float64{kind: 1}
	return s
}

// newcomers is everybody's few, and an event that brings others.
func newcomers(e scenario.Event) *scenario.Scenario {
	s := only("browser")
	s.Visitors.Count = 1
	e.From, e.Until, e.Shape.Kind = time.Second, s.Length, scenario.Steady
	s.Events = []scenario.Event{e}
	return s
}

// a town is what a crowd has been played against, and what came of it.
type town struct {
	front func(next http.Handler) http.Handler // before the site; nil: nothing
	tls   bool
	link  sim.Link
	state func(net.Conn, http.ConnState)
	// interrupt is called when the play begins, want is how it ends
	interrupt func(context.CancelCauseFunc)
	want      error

	crowd    *crowd
	samples  []score.Sample
	requests []request // as the truth was told of them
	alone    int       // requests of addresses that nobody had claimed
}

// request is one that a visitor sent.
type request struct {
	source         netip.Addr
	method, target string
}

// ledger is the truth of a town.
type ledger struct {
	mu      sync.Mutex
	claimed map[netip.Addr]bool
	town    *town
	open    int
}

func (l *ledger) claim(source netip.Addr, who site.Who) {
	if who != site.Visitor {
		panic("a visitor claims an address for others")
	}
	l.claimed[source] = true
}

func (l *ledger) enter(source netip.Addr, method, target string, who site.Who) func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.claimed[source] || who != site.Visitor {
		l.town.alone++
	}
	l.open++
	l.town.requests = append(l.town.requests, request{source, method, target})
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.open--
	}
}

// play plays a scenario in a bubble.
func (w *town) play(t *testing.T, s *scenario.Scenario) {
	t.Helper()
	content := printed()
	synctest.Test(t, func(t *testing.T) {
		var network sim.Network
		if err := network.SetLink("127.0.0.1:80", w.link); err != nil {
			t.Fatal(err)
		}
		defer w.open(t, &network, content)()
		d := &wire.Dialer{
			Target: wire.Target{Addr: netip.MustParseAddrPort("127.0.0.1:80"), Host: "harbour.test", TLS: w.tls},
			Connect: func(ctx context.Context, source netip.Addr) (net.Conn, error) {
				return network.Dial(ctx, netip.AddrPortFrom(source, 0), "127.0.0.1:80")
			},
		}
		var rec score.Recorder
		book := &ledger{claimed: map[netip.Addr]bool{}, town: w}
		w.crowd = newCrowd(s, d, content, &rec, &clock{start: time.Now()}, book)
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		if w.interrupt != nil {
			w.interrupt(cancel)
		}
		if err := w.crowd.run(ctx); !errors.Is(err, w.want) {
			t.Fatalf("run: %v, want %v", err, w.want)
		}
		if book.open != 0 || len(w.crowd.places) != 0 || len(w.crowd.spare) != 0 {
			t.Errorf("%d requests, %d visitors and %d connections are left at the end", book.open, len(w.crowd.places), len(w.crowd.spare))
		}
		w.samples, _ = rec.Samples()
	})
	if w.alone > 0 {
		t.Errorf("%d requests of addresses that no visitor had claimed", w.alone)
	}
}

// open starts the site, and what is before it.
func (w *town) open(t *testing.T, network *sim.Network, content *site.Content) (closeAll func()) {
	t.Helper()
	listen := func(addr string) net.Listener {
		l, err := network.Listen(addr)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	config := site.Config{Workers: 256, Backlog: 8192, Page: 20 * time.Millisecond, Asset: 2 * time.Millisecond}
	origin, err := site.Serve(config, listen("127.0.0.1:8080"), "harbour.test", content, nil)
	if err != nil {
		t.Fatal(err)
	}
	var handler http.Handler = origin
	if w.front != nil {
		handler = w.front(origin)
	}
	front := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0), ConnState: w.state}
	l := listen("127.0.0.1:80")
	if w.tls {
		front.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
		go front.ServeTLS(l, "", "")
	} else {
		go front.Serve(l)
	}
	return func() {
		front.Close()
		origin.Close()
	}
}

// certificate makes one that nobody verifies.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)}, &x509.Certificate{}, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// outcomes counts the steps of one kind of visitor ("": all) by outcome and reason.
func (w *town) outcomes(kind string) map[string]int {
	out := map[string]int{}
	for _, s := range w.samples {
		if kind == "" || s.Kind == kind {
			name := s.Outcome.String()
			if s.Why != "" {
				name += ": " + s.Why
			}
			out[name]++
		}
	}
	return out
}

// steps counts the steps of one kind of visitor.
func (w *town) steps(kind string) int {
	n := 0
	for _, s := range w.samples {
		if s.Kind == kind {
			n++
		}
	}
	return n
}

// told returns the requests, sorted, one a line.
func (w *town) told() []string {
	var out []string
	for _, r := range w.requests {
		out = append(out, fmt.Sprint(r.source, " ", r.method, " ", r.target))
	}
	slices.Sort(out)
	return out
}
