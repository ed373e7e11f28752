package origin

import (
	"io"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/sim"
)

var connectProtocol = http2.Setting{ID: http2.SettingEnableConnectProtocol, Val: 1}

// echoing has an origin take a WebSocket and say back what it hears, after a greeting and before a farewell.
func echoing(heard chan<- []string) script {
	return frames(func(p *peer) {
		for f := p.next(); f != nil; f = p.next() {
			switch f := f.(type) {
			case *http2.MetaHeadersFrame:
				var lines []string
				for _, field := range f.Fields {
					lines = append(lines, field.Name+": "+field.Value)
				}
				heard <- lines
				p.head(f.StreamID, false, ":status: 200", "sec-websocket-protocol: chat")
				p.data(f.StreamID, false, "hello ")
			case *http2.DataFrame:
				p.took(f)
				p.data(f.StreamID, false, string(f.Data()))
				if f.StreamEnded() {
					p.data(f.StreamID, true, " bye")
				}
			}
		}
	}, connectProtocol)
}

// wanting makes f ask for a WebSocket, as a browser does.
func wanting(f *flow.Flow) {
	f.Request.Fields = []flow.Field{
		{Name: "Connection", Value: "Upgrade"}, {Name: "Upgrade", Value: "websocket"}, {Name: "Origin", Value: "https://www.example.org"},
		{Name: "Sec-WebSocket-Key", Value: "dGhlIHNhbXBsZSBub25jZQ=="}, {Name: "Sec-WebSocket-Version", Value: "13"},
		{Name: "Sec-WebSocket-Protocol", Value: "chat"},
	}
}

func TestStreamTunnel(t *testing.T) {
	for _, way := range streamWays {
		t.Run(way.name, func(t *testing.T) {
			heard := make(chan []string, 1)
			room, zone := way.open(t, echoing(heard))
			p := compile(t, room, zone)
			f := ordinary()
			user, l := upgrading(t, f)
			wanting(f)
			p.Fetch(f)
			if f.Origin.Status != 101 {
				t.Fatalf("status %d, refusal %+v, want 101", f.Origin.Status, f.Origin.Refusal)
			}
			want := []flow.Field{{Name: "Sec-Websocket-Protocol", Value: "chat"}, {Name: "Upgrade", Value: "websocket"},
				{Name: "Sec-WebSocket-Accept", Value: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}} // RFC 6455 §1.3
			if diff := cmp.Diff(want, f.Origin.Message.Fields); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			got := <-heard
			for _, line := range []string{":method: CONNECT", ":protocol: websocket", ":path: /", ":authority: www.example.org",
				"sec-websocket-version: 13", "sec-websocket-protocol: chat", "origin: https://www.example.org"} {
				if !slices.Contains(got, line) {
					t.Errorf("the origin was not sent %q in %q", line, got)
				}
			}
			if keys := of("sec-websocket-key: ", got); keys != nil {
				t.Errorf("the origin was sent %q", keys)
			}
			if n := f.Admission.Lease.(*lease).count(); n != 1 || l.count() != 0 {
				t.Errorf("the request's share released %d times, the tunnel's %d times, want 1 and 0", n, l.count())
			}
			go func() {
				io.WriteString(user, "world")
				user.CloseWrite()
			}()
			p.Tunnel(f)
			all, _ := io.ReadAll(user)
			if c := f.Origin.Tunnel; string(all) != "hello world bye" || c.Sent != 5 || c.Received != 15 || c.Err != nil {
				t.Errorf("%q, %+v, want hello world bye with 5 bytes sent and 15 received", all, c)
			}
			l.wait()
			if n := l.count(); n != 1 {
				t.Errorf("the tunnel's lease released %d times, want 1", n)
			}
			if p.Tunnel(f); f.Origin.Tunnel.Err == nil {
				t.Error("a second Tunnel of the flow succeeded")
			}
		})
	}
}

// TestStreamTunnelDeclined has origins answer a request for a WebSocket with something else.
func TestStreamTunnelDeclined(t *testing.T) {
	room, zone := streamWays[0].open(t, frames(func(p *peer) {
		id, _ := p.request()
		p.head(id, false, ":status: 403")
		p.data(id, true, "no")
		p.wait()
	}, connectProtocol))
	p := compile(t, room, zone)
	f := ordinary()
	upgrading(t, f)
	p.Fetch(f)
	if body, err := drain(f); f.Origin.Status != 403 || body != "no" || err != nil {
		t.Errorf("status %d, body %q, %v, want 403 and no; refusal %+v", f.Origin.Status, body, err, f.Origin.Refusal)
	}
	settled(t, p, f)
}

func TestStreamTunnelCap(t *testing.T) {
	told := make(chan http2.ErrCode, 1)
	room, zone := streamWays[0].open(t, frames(func(p *peer) {
		id, _ := p.request()
		p.head(id, false, ":status: 200")
		for f := p.next(); f != nil; f = p.next() {
			if r, ok := f.(*http2.RSTStreamFrame); ok {
				told <- r.ErrCode
			}
		}
	}, connectProtocol))
	p := compile(t, room, zone)
	f := ordinary()
	f.Request.Upgrade = "websocket"
	p.Fetch(f)
	if r := f.Origin.Refusal; r == nil || r.Reason != flow.UpgradeCap || r.Status != 503 {
		t.Errorf("refusal %+v, want UpgradeCap", r)
	}
	if code := <-told; code != http2.ErrCodeCancel {
		t.Errorf("the origin was told %v, want CANCEL", code)
	}
	settled(t, p, f)
}

// TestStreamTunnelNotTaken closes the message instead, as response does when it cannot write the 101.
func TestStreamTunnelNotTaken(t *testing.T) {
	room, zone := streamWays[0].open(t, echoing(make(chan []string, 1)))
	p := compile(t, room, zone)
	f := ordinary()
	_, l := upgrading(t, f)
	p.Fetch(f)
	f.Origin.Message.Stream.Close()
	l.wait()
	if p.Tunnel(f); f.Origin.Tunnel.Err == nil || l.count() != 1 {
		t.Errorf("tunnel %+v, lease released %d times, want an error and 1", f.Origin.Tunnel, l.count())
	}
}

// TestStreamTunnelEnds breaks tunnels off from either side.
func TestStreamTunnelEnds(t *testing.T) {
	for _, byOrigin := range []bool{false, true} {
		told := make(chan http2.ErrCode, 1)
		room, zone := streamWays[0].open(t, frames(func(p *peer) {
			id, _ := p.request()
			p.head(id, false, ":status: 200")
			p.data(id, false, "hello")
			if byOrigin {
				p.WriteRSTStream(id, http2.ErrCodeInternal)
			}
			for f := p.next(); f != nil; f = p.next() {
				if r, ok := f.(*http2.RSTStreamFrame); ok {
					told <- r.ErrCode
				}
			}
		}, connectProtocol))
		p := compile(t, room, zone)
		f := ordinary()
		user, l := upgrading(t, f)
		p.Fetch(f)
		go func() {
			io.ReadFull(user, make([]byte, 5))
			if !byOrigin {
				reset(user)
				return
			}
			io.Copy(io.Discard, user) // the end that is passed on
			user.Close()
		}()
		p.Tunnel(f)
		if c := f.Origin.Tunnel; c.Received != 5 || c.Err == nil {
			t.Errorf("by origin %v: %+v, want 5 bytes and an error", byOrigin, c)
		}
		if !byOrigin {
			if code := <-told; code != http2.ErrCodeCancel {
				t.Errorf("the origin was told %v, want CANCEL", code)
			}
		}
		l.wait()
	}
}

// TestStreamTunnelIdle ends a tunnel when both sides have been silent, not when one has.
func TestStreamTunnelIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room, zone := simulate(t, sim.Link{}, frames(func(p *peer) {
			id, _ := p.request()
			p.head(id, false, ":status: 200")
			for f := p.next(); f != nil; f = p.next() {
				if d, ok := f.(*http2.DataFrame); ok {
					p.took(d)
				}
			}
		}, connectProtocol))
		room.node.Connections.TunnelTimeout = 100 * time.Second
		p := compile(t, room, overStreams(zone))
		f := ordinary()
		near, far := net.Pipe()
		f.Request.Upgrade = "websocket"
		f.Exchange.(*client).stream = &stream{Conn: far}
		f.Admission.Lease.(*lease).upgraded = new(lease)
		p.Fetch(f)
		start := time.Now()
		go func() {
			for range 10 {
				time.Sleep(60 * time.Second)
				io.WriteString(near, "ping")
			}
			time.Sleep(300 * time.Second)
			near.Close() // what conn's own timeout would do
		}()
		p.Tunnel(f)
		c := f.Origin.Tunnel
		if took := time.Since(start); c.Sent != 40 || !isTimeout(c.Err) || took < 700*time.Second || took > 1000*time.Second || c.Duration != took {
			t.Errorf("%+v after %v, want 40 bytes sent and a timeout", c, took)
		}
	})
}
