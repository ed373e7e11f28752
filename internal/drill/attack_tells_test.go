package drill

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/drill/scenario"
	"github.com/seawall/seawall/internal/drill/scenario/network"
	"github.com/seawall/seawall/internal/drill/score"
	"github.com/seawall/seawall/internal/drill/site"
	"github.com/seawall/seawall/internal/drill/wire"
	"github.com/seawall/seawall/internal/sim"
	"github.com/seawall/seawall/ja4"
)

// traits are what can be seen of one request, or of one client: values by feature, named as in scenario.Features.
type traits map[string]string

// A tell is a value that many bots have and no visitor.
type tell struct {
	feature, value string
	share          float64 // of the bots
}

// tells looks for values by which bots could be told from visitors without an error: those that at least a tenth of bots
// have and no visitor, and those that every visitor has and no bot (as "not …").
func tells(bots, visitors []traits) []tell {
	var out []tell
	features := map[string]bool{}
	for _, b := range bots {
		for f := range b {
			features[f] = true
		}
	}
	for f := range features {
		ours, theirs := valuesOf(bots, f), valuesOf(visitors, f)
		for v, n := range ours {
			if share := float64(n) / float64(len(bots)); share >= 0.1 && theirs[v] == 0 {
				out = append(out, tell{f, v, share})
			}
		}
		for v, n := range theirs {
			if n == len(visitors) && ours[v] == 0 {
				out = append(out, tell{f, "not " + v, 1})
			}
		}
	}
	slices.SortFunc(out, func(a, b tell) int { return strings.Compare(a.feature+a.value, b.feature+b.value) })
	return out
}

func valuesOf(of []traits, feature string) map[string]int {
	n := map[string]int{}
	for _, t := range of {
		n[t[feature]]++
	}
	return n
}

func TestTells(t *testing.T) {
	visitors := []traits{{"user-agent": "a", "path": "/"}, {"user-agent": "b", "path": "/"}, {"user-agent": "c", "path": "/x"}}
	tests := []struct {
		name string
		bots []traits
		want []tell
	}{
		{"none", []traits{{"user-agent": "a", "path": "/"}, {"user-agent": "b", "path": "/x"}}, nil},
		{"all", []traits{{"user-agent": "z", "path": "/"}}, []tell{{"user-agent", "z", 1}}},
		{"half", []traits{{"user-agent": "z", "path": "/"}, {"user-agent": "a", "path": "/"}}, []tell{{"user-agent", "z", 0.5}}},
		{"what visitors lack", []traits{{"user-agent": "a", "path": "/", "referer": "r"}}, []tell{{"referer", "not ", 1}, {"referer", "r", 1}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tells(tt.bots, visitors); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// secure is a target that browsers tell the most about themselves.
func secure() wire.Target {
	return wire.Target{Addr: netip.MustParseAddrPort("127.0.0.1:80"), Host: "harbour.test", TLS: true}
}

// Truth without tells: what a scenario's bots send cannot be told from what visitors do by any one value, except by what
// the scenario plants.
func TestAttacksHaveNoTells(t *testing.T) {
	visitors := visitorsSeen(t)
	if len(visitors.clients) < 300 || len(visitors.requests) < 1000 {
		t.Fatalf("%d visits, %d requests: too few to tell", len(visitors.clients), len(visitors.requests))
	}
	planted := map[string]string{ // that must be found, or the search is none
		"one-agent": "ja4", "few-hot-sources": "fields", "cache-busting": "query", "unknown-host": "host",
		"neighbour-zone": "host", "ramp": "fields", "pulse-wave": "ja4", "referrer-and-pingback": "referer",
	}
	for _, s := range scenario.List() {
		if len(s.Attacks) == 0 {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			found := map[string]bool{}
			bots := attackSeen(t, s)
			for _, x := range append(tells(bots.clients, visitors.clients), tells(bots.requests, visitors.requests)...) {
				feature, _, _ := strings.Cut(x.feature, ":")
				found[feature] = true
				implied := feature == "country" && slices.Contains(s.Plants, "address")
				if !slices.Contains(s.Plants, feature) && !implied {
					t.Errorf("%s %q is a tell: %.0f %% of bots have it, and no visitor", x.feature, x.value, 100*x.share)
				}
			}
			if want := planted[s.Name]; want != "" && !found[want] {
				t.Errorf("the planted %s is not found, but %v", want, slices.Collect(maps.Keys(found)))
			}
		})
	}
}

// seen is what can be seen of those who come, and of what they ask for.
type seen struct{ clients, requests []traits }

// attackSeen is what a target would see of the attacks of s: as planned, for nothing is sent.
func attackSeen(t *testing.T, s *scenario.Scenario) seen {
	t.Helper()
	c := &clock{}
	d := &wire.Dialer{Target: secure()}
	a, err := newAssault(s, d, printed(), c, newTruth(c))
	if err != nil {
		t.Fatal(err)
	}
	var out seen
	clients := clientTraits{dialer: d, known: map[*wire.Software]traits{}}
	for _, x := range a.attacks {
		for range 400 {
			s, ok := x.table.slot()
			if !ok {
				break
			}
			l := x.wardrobe.of(s)
			out.clients = append(out.clients, clients.of(t, l.Software, x.bots[s.bot].source))
			if x.Kind != scenario.Handshakes {
				rng := rand.New(rand.NewPCG(s.seed, 0))
				template := x.choice.draw(rng)
				path := template.path.append(nil, rng, printed())
				raw := template.appendHTTP1(nil, l, x.dialer.Target, path, rng, printed())
				out.requests = append(out.requests, requestTraits(t, raw)...)
			}
		}
	}
	return out
}

// clientTraits finds what can be seen of clients before they ask for anything.
type clientTraits struct {
	dialer *wire.Dialer
	known  map[*wire.Software]traits
}

func (c *clientTraits) of(t *testing.T, s *wire.Software, source netip.Addr) traits {
	t.Helper()
	if c.known[s] == nil {
		record, err := c.dialer.Hello(s)
		if err != nil {
			t.Fatal(err)
		}
		var h ja4.Hello
		if _, err := h.Parse(record); err != nil {
			t.Fatal(err)
		}
		f := h.Fingerprint(ja4.TCP)
		c.known[s] = traits{"ja4": string(f[:]), "http2": fmt.Sprint(s.HTTP2 != nil)}
		if s.HTTP2 != nil {
			c.known[s]["http2"] = fmt.Sprintf("%v %d %s", s.HTTP2.Settings, s.HTTP2.Window, s.HTTP2.Pseudo)
		}
	}
	out := maps.Clone(c.known[s])
	n, ok := network.Of(source)
	if !ok {
		t.Fatalf("%s is in no network", source)
	}
	out["network"], out["country"] = string(n.Kind), n.Country
	return out
}

// requestTraits reads what was sent over a connection of HTTP/1.1.
func requestTraits(t *testing.T, raw []byte) []traits {
	t.Helper()
	var out []traits
	for len(raw) > 0 {
		end := bytes.Index(raw, []byte("\r\n\r\n")) + 4
		if end < 4 {
			return out // cut off
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			t.Fatalf("%v in %.200q", err, raw)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return out
		}
		out = append(out, traitsOf(r, raw[:end], string(body)))
		raw = raw[end+len(body):]
		if r.Header.Get("Upgrade") != "" {
			return out
		}
	}
	return out
}

func traitsOf(r *http.Request, head []byte, body string) traits {
	var names []string
	for line := range bytes.SplitSeq(bytes.TrimSpace(head), []byte("\r\n")) {
		name, _, _ := bytes.Cut(line, []byte(":"))
		names = append(names, string(name))
	}
	out := traits{
		"method": r.Method, "path": r.URL.Path, "query": keysOf(r.URL.RawQuery), "host": r.Host, "user-agent": r.UserAgent(),
		"fields": strings.Join(names[1:], ","), "body": r.Header.Get("Content-Type") + " " + keysOf(body), "referer": "none",
	}
	for _, name := range []string{"Accept", "Accept-Language", "Accept-Encoding", "Connection", "Sec-Fetch-Site", "Sec-Ch-Ua"} {
		out["fields: "+name] = r.Header.Get(name)
	}
	if u, err := url.Parse(r.Referer()); err == nil && u.Host != "" {
		out["referer"] = "elsewhere"
		if u.Host == r.Host || u.Host == "search.example" || u.Host == "social.example" {
			out["referer"] = u.Host
		}
	}
	return out
}

// keysOf names the keys of a form, each without its value.
func keysOf(form string) string {
	var keys []string
	for pair := range strings.SplitSeq(form, "&") {
		key, _, ok := strings.Cut(pair, "=")
		if !ok && key != "" {
			key = "bare"
		}
		keys = append(keys, key)
	}
	return strings.Join(keys, ",")
}

// tap keeps what the clients of a listener send inside TLS.
type tap struct {
	net.Listener
	config *tls.Config

	mu    sync.Mutex
	conns []*tapped
}

type tapped struct {
	net.Conn
	sent []byte
}

func (l *tap) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = append(l.conns, &tapped{Conn: tls.Server(c, l.config)})
	return l.conns[len(l.conns)-1], nil
}

func (c *tapped) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.sent = append(c.sent, p[:n]...)
	return n, err
}

// visitorsSeen plays visitors, as a scenario has them if it says nothing, before a site over TLS.
func visitorsSeen(t *testing.T) seen {
	t.Helper()
	s, err := scenario.Builtin("mixed-browsers")
	if err != nil {
		t.Fatal(err)
	}
	s.Visitors.Count, s.Length = 220, 12*time.Second
	content := printed()
	var out seen
	synctest.Test(t, func(t *testing.T) {
		var network sim.Network
		l, err := network.Listen("127.0.0.1:80")
		if err != nil {
			t.Fatal(err)
		}
		tap := &tap{Listener: l, config: &tls.Config{Certificates: []tls.Certificate{certificate(t)}}}
		config := site.Config{Workers: 64, Backlog: 256, Page: time.Millisecond, Asset: time.Millisecond}
		origin, err := site.Serve(config, tap, "harbour.test", content, nil)
		if err != nil {
			t.Fatal(err)
		}
		d := &wire.Dialer{Target: secure(), Connect: func(ctx context.Context, source netip.Addr) (net.Conn, error) {
			return network.Dial(ctx, netip.AddrPortFrom(source, 0), "127.0.0.1:80")
		}}
		c := &clock{start: time.Now()}
		crowd := newCrowd(s, d, content, new(score.Recorder), c, newTruth(c))
		err = crowd.run(t.Context())
		_ = origin.Close()
		if err != nil {
			t.Fatal(err)
		}
		clients := clientTraits{dialer: &wire.Dialer{Target: secure()}, known: map[*wire.Software]traits{}}
		for i := range crowd.story {
			st := &crowd.story[i]
			out.clients = append(out.clients, clients.of(t, crowd.newVisitor(st).agent.software, st.source))
		}
		for _, c := range tap.conns {
			out.requests = append(out.requests, requestTraits(t, c.sent)...)
		}
	})
	return out
}
