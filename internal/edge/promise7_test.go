package edge

import (
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/spec"
)

// malformed are requests that break the rules, each with the status it has to get; 0 is the end of the connection.
var malformed = []struct {
	name, text string
	status     int
}{
	{"no HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400},
	{"nothing but noise", strings.Repeat("\xff", 40_000), 414},
	{"empty request line", " \r\n\r\n", 400},
	{"no target", "GET HTTP/1.1\r\nHost: site.test\r\n\r\n", 400},
	{"space in the target", "GET /a b HTTP/1.1\r\nHost: site.test\r\n\r\n", 400},
	{"HTTP/2 in the form of HTTP/1", "GET / HTTP/2.0\r\nHost: site.test\r\n\r\n", 505},
	{"version", "GET / HTTP/3.7\r\nHost: site.test\r\n\r\n", 505},
	{"method", "G\x00T / HTTP/1.1\r\nHost: site.test\r\n\r\n", 400},
	{"no host", "GET / HTTP/1.1\r\n\r\n", 400},
	{"two hosts", "GET / HTTP/1.1\r\nHost: site.test\r\nHost: other.test\r\n\r\n", 400},
	{"bad host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
	{"space before the colon", "GET / HTTP/1.1\r\nHost: site.test\r\nX : y\r\n\r\n", 400},
	{"folded line", "GET / HTTP/1.1\r\nHost: site.test\r\nX: y\r\n z\r\n\r\n", 400},
	{"NUL in a value", "GET / HTTP/1.1\r\nHost: site.test\r\nX: a\x00b\r\n\r\n", 400},
	{"bare CR", "GET / HTTP/1.1\r\nHost: site.test\r\nX: a\rb\r\n\r\n", 400},
	{"two lengths", "POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
	{"length and chunks", "POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
	{"negative length", "POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: -1\r\n\r\n", 400},
	{"huge length", "POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
	{"unknown coding", "POST / HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
	{"chunked twice", "POST / HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501},
	{"bad chunk", "POST / HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n", 400},
	{"huge chunk", "POST / HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello\r\n", 400},
	{"long line", "GET /" + strings.Repeat("x", 9_000) + " HTTP/1.1\r\nHost: site.test\r\n\r\n", 414},
	{"large head", "GET / HTTP/1.1\r\nHost: site.test\r\n" + strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 40) + "\r\n", 431},
	{"many fields", "GET / HTTP/1.1\r\nHost: site.test\r\n" + strings.Repeat("X: y\r\n", 200) + "\r\n", 431},
	{"bad escape", "GET /%zz HTTP/1.1\r\nHost: site.test\r\n\r\n", 400},
	{"CONNECT", "CONNECT site.test:443 HTTP/1.1\r\nHost: site.test:443\r\n\r\n", 501},
	{"head that breaks off", "GET / HTTP/1.1\r\nHo", 0},
	{"body that breaks off", "POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 10\r\n\r\nabc", 400},
}

// TestPromise7BadInput: each kind of malformed request gets a clear status and an end, no byte of any makes a fault, and a thousand
// of them leave nothing behind.
func TestPromise7BadInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, testNode(), site("site", "site.test"))
		h.serve(firstOrigin, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
		h.want("a good request", h.get(visitor, "site.test", "/"), 200, "")
		for _, tt := range malformed {
			c := h.dial(visitor)
			c.send(tt.text)
			c.conn.CloseWrite()
			a := c.read("GET")
			if a.status != tt.status || (a.err == nil) != (tt.status != 0) {
				t.Errorf("%s: got %d, %v, want %d", tt.name, a.status, a.err, tt.status)
			}
			if _, err := c.reader.ReadByte(); err == nil {
				t.Errorf("%s: the connection goes on", tt.name)
			}
			c.conn.Close()
		}
		h.noise(300)
		before := h.measure()
		h.noise(700)
		after := h.measure()
		if after.goroutines > before.goroutines {
			t.Errorf("got %d goroutines after more noise, want %d as before", after.goroutines, before.goroutines)
		}
		if grown := int64(after.heap) - int64(before.heap); grown > 512<<10 {
			t.Errorf("the heap grew by %d bytes over 700 connections, want next to nothing", grown)
		}
		if s := h.conns.Stats(); s.Open != 0 || s.Faults != 0 {
			t.Errorf("got %d connections open and %d faults, want none", s.Open, s.Faults)
		}
		h.wantIdle("site")
		h.want("a good request at the end", h.get(visitor, "site.test", "/"), 200, "")
	})
}

// noise sends requests, one after another, of which bytes were changed, lost and doubled.
func (h *house) noise(connections int) {
	rng := rand.New(rand.NewPCG(1, uint64(connections)))
	good := head("POST", "site.test", "/path/%41?query=1", "Transfer-Encoding: chunked", "Expect: 100-continue", "Cookie: a=b",
		"Range: bytes=0-1,2-", "If-None-Match: \"a\", W/\"b\"", "Cache-Control: max-age=1") + "5;ext=\"1\"\r\nhello\r\n0\r\nTrailer: x\r\n\r\n"
	for range connections {
		text := []byte(good)
		for range 1 + rng.IntN(4) {
			i, j := rng.IntN(len(text)), rng.IntN(len(text))
			switch rng.IntN(3) {
			case 0:
				text[i] = byte(rng.UintN(256))
			case 1:
				text = append(text[:min(i, j)], text[max(i, j):]...)
			default:
				text = append(text[:i:i], text[min(i, j):]...)
			}
			if len(text) == 0 {
				break
			}
		}
		c := h.dial(visitor)
		c.send(string(text))
		if rng.IntN(2) == 0 {
			c.conn.Reset()
			continue
		}
		c.conn.CloseWrite()
		_, _ = io.Copy(io.Discard, c.conn)
		c.conn.Close()
	}
}

// footprint is what the whole process uses.
type footprint struct {
	goroutines int
	heap       uint64
}

func (h *house) measure() footprint {
	time.Sleep(5 * time.Minute) // kept connections to the origin go
	synctest.Wait()
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return footprint{runtime.NumGoroutine(), m.HeapAlloc}
}

// TestPromise9NoWholeAddress: neither log nor memory holds a client's whole address, unless the operator asks for that.
func TestPromise9NoWholeAddress(t *testing.T) {
	tests := []struct {
		name, client, network, hidden string
	}{
		{"IPv4", "203.0.113.77", "203.0.113.0/24", "203.0.113.77"},
		{"IPv6", "2001:db8:1:2:3:4:5:6", "2001:db8:1::/48", "2001:db8:1:2"},
	}
	for _, tt := range tests {
		for _, whole := range []bool{false, true} {
			name := tt.name + ", private"
			if whole {
				name = tt.name + ", whole"
			}
			t.Run(name, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "access.log")
				var entries []string
				synctest.Test(t, func(t *testing.T) {
					n := testNode()
					n.Log.Path, n.Log.WholeAddresses = path, whole
					n.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
					z := site("site", "site.test")
					z.Limits.Requests = spec.Rate{Requests: 1, Per: time.Hour, Burst: 2}
					h := build(t, n, z)
					h.serve(firstOrigin, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "page") })
					from := func(a answer) { entries = append(entries, h.entry(a).Client) }
					from(h.get(tt.client, "site.test", "/miss"))
					from(h.get("10.0.0.1", "site.test", "/forwarded", "X-Forwarded-For: "+tt.client))
					from(h.get(tt.client, "nowhere.test", "/unserved"))
					from(h.get(tt.client, "site.test", "/%00"))
					from(h.get(tt.client, "site.test", "/last"))
					from(h.get(tt.client, "site.test", "/limited"))
				})
				log, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if got := strings.Count(string(log), "\n"); got != len(entries) {
					t.Errorf("got %d lines in the log, want %d", got, len(entries))
				}
				want := tt.network
				if whole {
					want = tt.client
				}
				for _, client := range entries {
					if client != want {
						t.Errorf("got client %s in an entry, want %s", client, want)
					}
				}
				if got := strings.Contains(string(log), tt.hidden); got != whole {
					t.Errorf("got whole addresses %v, want %v, in\n%s", got, whole, log)
				}
			})
		}
	}
}
