package node

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/spec"
)

// patience bounds every wait.
const patience = 10 * time.Second

// events is a log that can be read while it is written.
type events struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (e *events) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.text.Write(p)
}

// with returns the lines that contain text.
func (e *events) with(text string) (lines []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for line := range strings.Lines(e.text.String()) {
		if strings.Contains(line, text) {
			lines = append(lines, line)
		}
	}
	return lines
}

func (e *events) logger() *slog.Logger { return slog.New(slog.NewTextHandler(e, nil)) }

// testNode listens where there is room, and keeps its data in a folder of the test's.
func testNode(t *testing.T) spec.Node {
	t.Helper()
	n := spec.DefaultNode()
	n.Data = t.TempDir()
	n.HTTP = []spec.Listener{{Address: "127.0.0.1:0"}}
	n.Admin = "127.0.0.1:0"
	n.Cache = spec.Memory{Size: 8 << 20, Object: 1 << 20}
	n.Log.Ring = 1 << 20
	n.Connections.Max = 100 // whatever the file limit
	n.Connections.DrainTimeout = patience
	return n
}

// testZone is in front of an origin that answers with its path; within /hold it waits for proceed.
func testZone(t *testing.T) (z spec.Zone, proceed chan struct{}) {
	t.Helper()
	proceed = make(chan struct{})
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		io.WriteString(w, r.URL.Path[:1])
		if r.URL.Path == "/hold" {
			w.(http.Flusher).Flush()
			<-proceed
		}
		io.WriteString(w, r.URL.Path[1:])
	}))
	t.Cleanup(origin.Close)
	z = spec.DefaultZone()
	z.Name, z.Hosts, z.Origin.Servers = "site", []string{"site.test"}, spec.OneServer(origin.URL)
	return z, proceed
}

// start runs a node until the test ends.
func start(t *testing.T, s spec.Node, zones ...spec.Zone) (*Node, *events) {
	t.Helper()
	log := new(events)
	n, err := Start(t.Context(), s, zones, log.logger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Shutdown(context.Background()); err != nil {
			t.Errorf("shutdown: got %v", err)
		}
	})
	return n, log
}

// visit sends a request on a connection of its own.
func visit(t *testing.T, to net.Addr, host, target string, fields ...string) (status int, header http.Header, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+to.String()+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Set(name, value)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(text)
}

// recorded waits until a zone's requests are in the record: a line is written after the answer.
func recorded(t *testing.T, n *Node, zone string, requests int64) {
	t.Helper()
	for end := time.Now().Add(patience); n.Counts(zone).Requests < requests; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("zone %s: got %d requests in the record, want %d", zone, n.Counts(zone).Requests, requests)
		}
	}
}

// settled waits until no more goroutines run than before, and reports those that stay.
func settled(t *testing.T, before int) {
	t.Helper()
	for end := time.Now().Add(patience); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("got %d goroutines, want %d as before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}
