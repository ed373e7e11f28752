package edge

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/seawall/seawall/internal/spec"
)

// wantUpgrade checks what an origin is asked for a tunnel, and takes the connection.
func wantUpgrade(e *entrance, w http.ResponseWriter, r *http.Request) net.Conn {
	key := r.Header.Get("Sec-WebSocket-Key")
	if r.Method != "GET" || r.Header.Get("Upgrade") != "websocket" || len(key) != 24 || r.Header.Get("Sec-WebSocket-Version") != "13" || r.ContentLength != 0 {
		e.Errorf("got %s with %v, want the request for a WebSocket", r.Method, r.Header)
	}
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		e.Error(err)
		return nil
	}
	io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Accept: "+key+"\r\nSec-WebSocket-Protocol: chat\r\n\r\nwelcome")
	return c
}

// echoes is an origin that sends back what comes through a tunnel, until that ends.
func echoes(e *entrance, w http.ResponseWriter, r *http.Request) {
	if c := wantUpgrade(e, w, r); c != nil {
		defer c.Close()
		io.Copy(c, struct{ io.Reader }{c})
		io.WriteString(c, "bye")
	}
}

// connect asks for a tunnel.
func (w *wire) connect(id uint32) {
	w.ask(id, false, "CONNECT", "/chat", ":protocol", "websocket", "sec-websocket-version", "13", "origin", "https://site.test")
}

// TestH2Tunnel carries bytes both ways, as long as either side has some to send.
func TestH2Tunnel(t *testing.T) {
	everyEntrance(t, visit{origin: echoes}, func(e *entrance) {
		w := e.wire()
		for id := uint32(1); id < 6; id += 2 {
			w.connect(id)
			w.want(fmt.Sprintf("headers %d 200", id), fmt.Sprintf("data %d 7", id))
			for range 3 {
				w.must(w.WriteData(id, false, []byte("hello")))
				w.want(fmt.Sprintf("data %d 5", id))
			}
			w.must(w.WriteData(id, true, []byte("last")))
			w.wantContent(id, len("last"+"bye"))
			w.want(fmt.Sprintf("data %d 0 end", id))
		}
		e.wantNothingLeft()
		e.want("a page beside", w.asks(7, "/%zz"), 400, "")
	})
}

// asks sends a request without content and reads the response.
func (w *wire) asks(id uint32, target string) answer {
	w.ask(id, true, "GET", target)
	return w.read(id)
}

// TestH2TunnelHead wants the head of a response that begins a tunnel to have nothing of HTTP/1.1 in it.
func TestH2TunnelHead(t *testing.T) {
	simulated(t, visit{origin: echoes}, func(e *entrance) {
		w := e.wire()
		w.connect(1)
		f, err := w.ReadFrame()
		e.must(err)
		head := f.(*http2.MetaHeadersFrame)
		for _, field := range head.RegularFields() {
			switch field.Name {
			case "sec-websocket-accept", "upgrade", "connection", "content-length", "transfer-encoding":
				e.Errorf("got %s: %s", field.Name, field.Value)
			}
		}
		if head.PseudoValue("status") != "200" || head.StreamEnded() {
			e.Errorf("got %s, end %t, want 200 and no end", head.PseudoValue("status"), head.StreamEnded())
		}
	})
}

// TestH2TunnelMuch carries much both ways at once, beside other requests.
func TestH2TunnelMuch(t *testing.T) {
	const size = 3 << 20
	everyEntrance(t, visit{origin: echoes}, func(e *entrance) {
		s := e.speaker()
		up, feed := io.Pipe()
		r := e.request("CONNECT", "/chat", up)
		r.Header = http.Header{":protocol": {"websocket"}, "Sec-Websocket-Version": {"13"}}
		e.settle("the server's settings", func() bool { return s.State().MaxConcurrentStreams > 0 })
		a, err := s.RoundTrip(r)
		e.must(err)
		defer a.Body.Close()
		var sending sync.WaitGroup
		sending.Go(func() {
			io.Copy(feed, noise(3, size))
			feed.Close()
		})
		welcome := make([]byte, len("welcome"))
		_, err = io.ReadFull(a.Body, welcome)
		e.must(err)
		want, _ := digestOf(noise(3, size))
		if got, err := digestOf(io.LimitReader(a.Body, size)); got != want || err != nil {
			e.Errorf("got %d bytes, %v, want the %d that were sent", got.size, err, want.size)
		}
		if rest, err := io.ReadAll(a.Body); string(rest) != "bye" || err != nil {
			e.Errorf("got %q, %v at the end, want %q", rest, err, "bye")
		}
		sending.Wait()
		e.wantNothingLeft()
	})
}

// TestH2TunnelEnds wants each way in which a tunnel ends to reach the other side.
func TestH2TunnelEnds(t *testing.T) {
	tests := []struct {
		name   string
		origin func(e *entrance, c net.Conn)
		client func(w *wire)
		want   string // what the client gets at last
	}{
		{"the origin closes, and then the client", func(*entrance, net.Conn) {}, func(w *wire) {
			w.want("data 1 0 end")
			w.must(w.WriteData(1, true, nil))
		}, ""},
		{"the client resets", func(e *entrance, c net.Conn) {
			_, err := io.Copy(io.Discard, c)
			e.began <- fmt.Sprint(err == nil)
		}, func(w *wire) {
			w.must(w.WriteRSTStream(1, http2.ErrCodeCancel))
			<-w.began
		}, ""},
		{"the client leaves", func(e *entrance, c net.Conn) {
			_, err := io.Copy(io.Discard, c)
			e.began <- fmt.Sprint(err == nil)
		}, func(w *wire) {
			w.conn.Close()
			<-w.began
		}, ""},
		{"the client is done, and then the origin", func(e *entrance, c net.Conn) {
			io.Copy(io.Discard, struct{ io.Reader }{c})
			io.WriteString(c, "after")
		}, func(w *wire) {
			w.must(w.WriteData(1, true, nil))
			w.want("data 1 5")
		}, "data 1 0 end"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			origin := func(e *entrance, w http.ResponseWriter, r *http.Request) {
				if c := wantUpgrade(e, w, r); c != nil {
					defer c.Close()
					tt.origin(e, c)
				}
			}
			everyEntrance(t, visit{origin: origin}, func(e *entrance) {
				w := e.wire()
				w.connect(1)
				w.want("headers 1 200", "data 1 7")
				tt.client(w)
				if tt.want != "" {
					w.want(tt.want)
				}
				e.wantNothingLeft()
			})
		})
	}
}

// TestH2TunnelTimeout wants a tunnel in which nothing moves to be cut, and none that is used.
func TestH2TunnelTimeout(t *testing.T) {
	for _, every := range []time.Duration{0, time.Minute} {
		t.Run(fmt.Sprint("a byte each ", every), func(t *testing.T) {
			simulated(t, visit{origin: echoes, node: strict}, func(e *entrance) {
				w := e.wire()
				w.connect(1)
				w.want("headers 1 200", "data 1 7")
				began := time.Now()
				for range 20 {
					if every == 0 {
						break
					}
					time.Sleep(every)
					w.must(w.WriteData(1, false, []byte("x")))
					w.want("data 1 1")
					began = time.Now()
				}
				for line := ""; !strings.HasPrefix(line, "reset") && !strings.HasSuffix(line, "end"); line = w.next() {
				}
				e.wantAfter("the end", began, 5*time.Minute)
				w.conn.Close()
				e.wantNothingLeft()
			})
		})
	}
}

// TestH2TunnelCap wants upgrades over HTTP/2 to be counted, and given back, as others are.
func TestH2TunnelCap(t *testing.T) {
	zone := func(z *spec.Zone) { z.Budget.Upgrades = 1 }
	everyEntrance(t, visit{origin: echoes, zone: zone}, func(e *entrance) {
		w := e.wire()
		for id := uint32(1); id < 12; id += 4 {
			w.connect(id)
			w.want(fmt.Sprintf("headers %d 200", id), fmt.Sprintf("data %d 7", id))
			w.connect(id + 2)
			if a := w.read(id + 2); a.status != 503 {
				e.Errorf("one too many: got %d, %v, want 503", a.status, a.err)
			}
			w.must(w.WriteData(id+2, true, nil)) // or a reset would come
			w.must(w.WriteRSTStream(id, http2.ErrCodeCancel))
			e.wantNothingLeft()
		}
	})
}

// TestH2TunnelRefused wants a success of an origin that does not change protocols not to be taken for a tunnel (RFC 8441 §5).
func TestH2TunnelRefused(t *testing.T) {
	origin := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/missing" {
			w.WriteHeader(404)
		}
		w.Header().Set("Cache-Control", "max-age=60")
		io.WriteString(w, "<html>")
	}
	everyEntrance(t, visit{origin: plain(origin)}, func(e *entrance) {
		w := e.wire()
		for i, tt := range []struct {
			target string
			status int
		}{{"/missing", 404}, {"/", 502}} {
			id := uint32(2*i + 1)
			w.ask(id, false, "CONNECT", tt.target, ":protocol", "websocket", "sec-websocket-version", "13")
			if a := w.read(id); a.status != tt.status {
				e.Errorf("%s: got %d, %v, want %d", tt.target, a.status, a.err, tt.status)
			}
		}
		e.wantNothingLeft()
	})
}
