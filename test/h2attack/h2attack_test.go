package h2attack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

func TestAttackable(t *testing.T) {
	tests := []struct {
		address string
		want    string // within the error; empty for none
	}{
		{"127.0.0.1:443", ""},
		{"127.255.0.9:443", ""},
		{"[::1]:443", ""},
		{"[::ffff:127.0.0.1]:443", ""},
		{"198.18.0.1:443", ""},
		{"198.19.255.255:443", ""},
		{"[2001:db8::1]:443", ""},
		{"198.20.0.0:443", "want an address on the loopback"},
		{"192.0.2.1:443", "want an address on the loopback"},
		{"10.0.0.1:443", "want an address on the loopback"},
		{"[2001:db9::1]:443", "want an address on the loopback"},
		{"[fe80::1%lo]:443", "want an address on the loopback"},
		{"0.0.0.0:443", "want an address on the loopback"},
		{"localhost:443", "target: "},
		{"127.0.0.1", "target: "},
	}
	for _, tt := range tests {
		t.Run(tt.address, func(t *testing.T) {
			target := Target{Address: tt.address}
			if _, err := target.attackable(); !within(err, tt.want) {
				t.Errorf("error: got %v, want one with %q", err, tt.want)
			}
			if tt.want == "" {
				return
			}
			if _, err := Run(t.Context(), target, Attacks()[0], Bounds{Lasting: time.Second, Connections: 1}); !within(err, tt.want) {
				t.Errorf("error of Run: got %v, want one with %q", err, tt.want)
			}
			if _, err := target.dial(t.Context(), netip.Addr{}); !within(err, tt.want) {
				t.Errorf("error of dial: got %v, want one with %q", err, tt.want)
			}
		})
	}
}

// within tells whether an error says something, or there is none.
func within(err error, want string) bool {
	return (err == nil) == (want == "") && (err == nil || strings.Contains(err.Error(), want))
}

func TestBounds(t *testing.T) {
	tests := []struct {
		name   string
		bounds Bounds
	}{
		{"no time", Bounds{Connections: 1}},
		{"too long", Bounds{Lasting: 31 * time.Second, Connections: 1}},
		{"no connections", Bounds{Lasting: time.Second}},
		{"too many connections", Bounds{Lasting: time.Second, Connections: 2001}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Run(t.Context(), Target{Address: "127.0.0.1:1"}, Attacks()[0], tt.bounds)
			if !within(err, "want 1 to 2000, up to 30s") {
				t.Errorf("error: got %v, want one that says the bounds", err)
			}
		})
	}
}

func TestSource(t *testing.T) {
	tests := []struct {
		target Target
		number int
		want   string
	}{
		{Target{}, 3, "invalid IP"},
		{Target{From: netip.MustParseAddr("127.66.0.1")}, 3, "127.66.0.1"},
		{Target{From: netip.MustParseAddr("127.66.0.1"), Sources: 4}, 3, "127.66.3.1"},
		{Target{From: netip.MustParseAddr("127.66.0.1"), Sources: 4}, 4, "127.66.0.1"},
		{Target{From: netip.MustParseAddr("127.66.254.1"), Sources: 4}, 3, "127.67.1.1"},
		{Target{From: netip.MustParseAddr("::1"), Sources: 4}, 3, "::1"},
	}
	for _, tt := range tests {
		if got := tt.target.source(tt.number).String(); got != tt.want {
			t.Errorf("source %d of %v and %d: got %s, want %s", tt.number, tt.target.From, tt.target.Sources, got, tt.want)
		}
	}
}

// TestAttacks plays each attack against the server of net/http, which bears with most of them.
func TestAttacks(t *testing.T) {
	target := site(t, true)
	names := map[string]bool{}
	for _, a := range Attacks() {
		if names[a.Name] || a.About == "" || a.Unit == "" || a.Most < 1 || a.Most > 25*many || a.Most <= a.Budget {
			t.Errorf("not a whole attack, or one that has a namesake: %+v", a)
		}
		names[a.Name] = true
		t.Run(a.Name, func(t *testing.T) {
			t.Parallel()
			bounds := Bounds{Lasting: 20 * time.Second, Connections: 2}
			a.Most = min(a.Most, a.Budget+2) // what more would do depends on the server
			got, err := Run(t.Context(), target, a, bounds)
			if err != nil {
				t.Fatal(err)
			}
			if got.Attack != a.Name || got.Connections != bounds.Connections || got.First.End == "" || got.First.End == endOutlasted {
				t.Errorf("result: got %+v, want one of %s with %d connections that have an end", got, a.Name, bounds.Connections)
			}
			if got.Units == 0 && !(a.slow() && a.unread) {
				t.Errorf("units: got %d, want some", got.Units)
			}
		})
	}
}

// site is a server of net/http to attack.
func site(t *testing.T, secure bool) Target {
	mux := http.NewServeMux()
	mux.HandleFunc("/small", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "small") })
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 4<<20)) })
	mux.HandleFunc("/sink", func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	s := httptest.NewUnstartedServer(mux)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.EnableHTTP2 = secure
	if secure {
		s.StartTLS()
	} else {
		s.Config.Protocols = new(http.Protocols)
		s.Config.Protocols.SetUnencryptedHTTP2(true)
		s.Start()
	}
	t.Cleanup(s.Close)
	return Target{
		Address: s.Listener.Addr().String(), TLS: secure, Host: "site.test", Small: "/small", Large: "/large", Sink: "/sink",
		From: netip.MustParseAddr("127.77.0.1"), Sources: 4,
	}
}

// TestRequests sees that what an attack asks for is there: without the attack's errors, the requests are good ones.
func TestRequests(t *testing.T) {
	for _, secure := range []bool{true, false} {
		t.Run(fmt.Sprintf("tls=%t", secure), func(t *testing.T) {
			good := Attack{
				Name: "good", Most: 16, Budget: 16, futile: true, // which has it wait for the answers
				send: func(c *conn, unit int) error {
					switch unit % 4 {
					case 0:
						return c.open(c.get, true)
					case 1:
						return c.open(c.large, true)
					case 2:
						return errors.Join(c.open(c.counted, false), c.framer.WriteData(c.id, true, make([]byte, declared)))
					default:
						return errors.Join(c.open(c.post, false), c.framer.WriteData(c.id, true, nil))
					}
				},
			}
			got, err := Run(t.Context(), site(t, secure), good, Bounds{Lasting: 5 * time.Second, Connections: 1})
			if err != nil {
				t.Fatal(err)
			}
			if got.Answered != 16 || got.Refused != 0 || got.First.End != endTakenAll {
				t.Errorf("result: got %+v, want 16 answered and %q", got, endTakenAll)
			}
		})
	}
}

// A fake is a server of HTTP/2 that does one thing.
type fake struct {
	net.Listener
	conns atomic.Int32
}

// serve has each connection greeted, and its frames handed on until the handler says that it is enough.
func serve(t *testing.T, handle func(f *http2.Framer, c *net.TCPConn, frame http2.Frame) bool) *fake {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &fake{Listener: l}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.conns.Add(1)
			go func() {
				defer c.Close()
				io.ReadFull(c, make([]byte, len(http2.ClientPreface)))
				f := http2.NewFramer(c, c)
				f.AllowIllegalReads = true
				f.WriteSettings()
				for {
					frame, err := f.ReadFrame()
					if err != nil || !handle(f, c.(*net.TCPConn), frame) {
						return
					}
				}
			}()
		}
	}()
	return s
}

func TestEnds(t *testing.T) {
	const budget, most = 40, 200
	pong := func(f *http2.Framer, frame http2.Frame) {
		if p, ok := frame.(*http2.PingFrame); ok {
			f.WritePing(true, p.Data)
		}
	}
	gone := false
	isReset := func(frame http2.Frame, number uint32) bool {
		return frame.Header().Type == http2.FrameRSTStream && frame.Header().StreamID == 2*number-1
	}
	tests := []struct {
		name   string
		handle func(f *http2.Framer, c *net.TCPConn, frame http2.Frame) bool
		want   Cut // Beyond and Took are 1 for anything below a second, 0 for none; Taken is 0 for up to 100; Sent is not looked at
		late   bool
	}{
		{"goaway", func(f *http2.Framer, _ *net.TCPConn, frame http2.Frame) bool {
			if !gone {
				pong(f, frame)
			}
			if isReset(frame, 51) {
				gone = true
				f.WriteGoAway(101, http2.ErrCodeEnhanceYourCalm, nil)
			}
			return true
		}, Cut{End: "GOAWAY ENHANCE_YOUR_CALM", Taken: 51, Took: 1, Beyond: 1}, false},
		{"goaway before the budget", func(f *http2.Framer, _ *net.TCPConn, frame http2.Frame) bool {
			if isReset(frame, 1) {
				f.WriteGoAway(1, http2.ErrCodeProtocol, nil)
			}
			return frame.Header().Type != http2.FramePing
		}, Cut{End: "GOAWAY PROTOCOL_ERROR", Taken: 1, Took: 1}, false},
		{"closed", func(f *http2.Framer, c *net.TCPConn, frame http2.Frame) bool {
			pong(f, frame)
			if isReset(frame, 100) {
				c.CloseWrite()
			}
			return true
		}, Cut{End: endClosed, Taken: 96, Took: 1, Beyond: 1}, false},
		{"reset", func(f *http2.Framer, c *net.TCPConn, frame http2.Frame) bool {
			pong(f, frame)
			c.SetLinger(0)
			return !isReset(frame, 100)
		}, Cut{End: endReset, Took: 1, Beyond: 1}, false}, // and answers that were under way with it
		{"taken all", func(f *http2.Framer, _ *net.TCPConn, frame http2.Frame) bool {
			pong(f, frame)
			return true
		}, Cut{End: endTakenAll, Taken: most, Took: 1, Beyond: 1}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, _ := Find("rapid-reset")
			a.Most, a.Budget = most, budget
			target := Target{Address: serve(t, tt.handle).Addr().String()}
			got, err := Run(t.Context(), target, a, Bounds{Lasting: 5 * time.Second, Connections: 1})
			if err != nil {
				t.Fatal(err)
			}
			cut := got.First
			for _, d := range []*time.Duration{&cut.Took, &cut.Beyond} {
				if *d > 0 && *d < time.Second {
					*d = 1
				}
			}
			cut.Sent = 0
			if tt.want.Taken == 0 && cut.Taken <= 100 {
				cut.Taken = 0
			}
			if tt.want.Beyond == 0 {
				cut.Beyond = 0 // the attacker may have run ahead
			}
			if cut != tt.want || got.Late > 0 != tt.late || got.Held == tt.late {
				t.Errorf("first connection: got %+v and %d late, want %+v, late: %t", got.First, got.Late, tt.want, tt.late)
			}
		})
	}
}

func TestSlowEnds(t *testing.T) {
	each := func(f *http2.Framer, frame http2.Frame, answer func(id uint32)) {
		if frame.Header().Type == http2.FrameHeaders {
			answer(frame.Header().StreamID)
		}
	}
	tests := []struct {
		name   string
		attack string
		handle func(f *http2.Framer, c *net.TCPConn, frame http2.Frame) bool
		want   string
	}{
		{"streams reset", "silent-bodies", func(f *http2.Framer, _ *net.TCPConn, frame http2.Frame) bool {
			each(f, frame, func(id uint32) { f.WriteRSTStream(id, http2.ErrCodeCancel) })
			return true
		}, endStreamsReset},
		{"streams answered", "silent-bodies", func(f *http2.Framer, _ *net.TCPConn, frame http2.Frame) bool {
			each(f, frame, func(id uint32) {
				f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte{0x88}, EndHeaders: true})
				f.WriteData(id, true, nil)
			})
			return true
		}, endStreamsAnswered},
		{"outlasted", "silent-bodies", func(*http2.Framer, *net.TCPConn, http2.Frame) bool { return true }, endOutlasted},
		{"reset unread", "stalled-connection", func(_ *http2.Framer, c *net.TCPConn, frame http2.Frame) bool {
			c.SetLinger(0)
			return frame.Header().Type != http2.FrameHeaders
		}, endReset},
		{"unread", "stalled-connection", func(*http2.Framer, *net.TCPConn, http2.Frame) bool { return true }, endBlocked},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, _ := Find(tt.attack)
			target := Target{Address: serve(t, tt.handle).Addr().String()}
			got, err := Run(t.Context(), target, a, Bounds{Lasting: time.Second, Connections: 1})
			if err != nil {
				t.Fatal(err)
			}
			if got.First.End != tt.want {
				t.Errorf("end: got %+v, want %q", got.First, tt.want)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	s := serve(t, func(f *http2.Framer, _ *net.TCPConn, frame http2.Frame) bool {
		if frame.Header().Type == http2.FrameHeaders { // 400, from the static table
			f.WriteHeaders(http2.HeadersFrameParam{StreamID: frame.Header().StreamID, BlockFragment: []byte{0x8c}, EndHeaders: true, EndStream: true})
		}
		if p, ok := frame.(*http2.PingFrame); ok {
			f.WritePing(true, p.Data)
		}
		return true
	})
	a, _ := Find("field-bomb")
	got, err := Run(t.Context(), Target{Address: s.Addr().String()}, a, Bounds{Lasting: 10 * time.Second, Connections: 1})
	if err != nil {
		t.Fatal(err)
	}
	if got.First.End != endRefused || got.Refused != a.Most || got.Late > 0 {
		t.Errorf("result: got %+v, want %q, with %d refused and nothing late", got, endRefused, a.Most)
	}
}

// TestAgain has an attacker come again: from the same address as long as that is let in, then from the next.
func TestAgain(t *testing.T) {
	var from [3]atomic.Int32 // connections of each address
	s := serve(t, func(f *http2.Framer, c *net.TCPConn, frame http2.Frame) bool {
		if frame.Header().Type != http2.FrameSettings {
			f.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, nil)
			return false
		}
		if frame.(*http2.SettingsFrame).IsAck() {
			return true
		}
		number := c.RemoteAddr().(*net.TCPAddr).IP.To4()[2]
		if from[number].Add(1) > 2 {
			c.SetLinger(0)
			return false
		}
		return true
	})
	a, _ := Find("rapid-reset")
	a.Width = 1
	target := Target{Address: s.Addr().String(), From: netip.MustParseAddr("127.78.0.1"), Sources: 3}
	got, err := Run(t.Context(), target, a, Bounds{Lasting: 20 * time.Second, Connections: 8})
	if err != nil {
		t.Fatal(err)
	}
	// The greeting is there before the refusal: a connection that is refused only thereafter counts as one that was cut.
	if n := s.conns.Load(); n != 8 || got.Connections+got.Unopened != 8 || got.Again < 3 {
		t.Errorf("result: got %+v on %d connections, want 8 in all, 3 and more of them again", got, n)
	}
}

func TestRunFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err = Run(ctx, Target{Address: l.Addr().String()}, Attacks()[0], Bounds{Lasting: 100 * time.Millisecond, Connections: 3})
	if !within(err, "rapid-reset: no connection: ") || !within(err, "connection refused") {
		t.Errorf("error: got %v, want one that says why there is no connection", err)
	}
}

func TestProgram(t *testing.T) {
	target := site(t, true)
	var all []string
	for _, a := range Attacks() {
		all = append(all, a.Name)
	}
	tests := []struct {
		name string
		args []string
		want []string // attacks
		err  string
	}{
		{"two attacks", []string{"-tls", "-small", "/small", "-from", "127.79.0.1", "-sources", "3", "-for", "5s", "-n", "1", target.Address, "ping", "settings"}, []string{"ping", "settings"}, ""},
		{"what there is", []string{"-list"}, all, ""},
		{"no attack", []string{target.Address}, nil, "want an address and the names of attacks"},
		{"unknown attack", []string{target.Address, "pong"}, nil, `no attack is called "pong"`},
		{"elsewhere", []string{"192.0.2.1:443", "ping"}, nil, "want an address on the loopback"},
		{"from nowhere", []string{"-from", "here", target.Address, "ping"}, nil, "-from: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := Program(t.Context(), &out, tt.args); !within(err, tt.err) {
				t.Fatalf("error: got %v, want one with %q", err, tt.err)
			}
			var got []string
			for lines := json.NewDecoder(&out); lines.More(); {
				var r struct{ Name, Attack string }
				if err := lines.Decode(&r); err != nil {
					t.Fatal(err)
				}
				got = append(got, r.Attack+r.Name)
			}
			if fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("results of: got %v, want %v", got, tt.want)
			}
		})
	}
}
