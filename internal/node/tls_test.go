package node

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/hello"
	"github.com/seawall/seawall/internal/record"
	"github.com/seawall/seawall/internal/snapshot"
)

// writeTLS puts down a file of a node that listens for HTTPS, with so much said of TLS.
func (f *files) writeTLS(said string) {
	f.Helper()
	f.writeFile(f.path(), fmt.Sprintf(`node:
  http: []
  https: ['127.0.0.1:0']
  admin: '127.0.0.1:0'
  data: %s
  cache: {size: 8MiB, object: 1MiB}
  tls: %s
zones:
%s`, f.data, said, f.zone("a", "a.test")))
}

// shake asks for a server name over TLS, and returns the id of the request that follows; an error is the handshake's.
func shake(t *testing.T, n *Node, name string) (id string, err error) {
	t.Helper()
	var d net.Dialer
	config := &tls.Config{ServerName: name, InsecureSkipVerify: true} // a local authority's certificate
	raw, err := d.DialContext(t.Context(), "tcp", n.Listening()[0].Address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(patience))
	c := tls.Client(raw, config)
	if err := c.HandshakeContext(t.Context()); err != nil {
		return "", err
	}
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialTLSContext:    func(context.Context, string, string) (net.Conn, error) { return c, nil },
	}, Timeout: patience}
	answer, err := client.Get("https://a.test/")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.Header.Get("X-Request-Id"), nil
}

// TestReloadTLS: what a file says of TLS is in force after a reload, save for the queue, and is kept for a start without files.
func TestReloadTLS(t *testing.T) {
	f := newFiles(t)
	f.writeTLS("{}")
	n, _ := f.open()
	n.watcher.Close() // the test says when
	id, err := shake(t, n, "a.test")
	if err != nil {
		t.Fatal(err)
	}
	recorded(t, n, "a", 1)
	line, _ := n.rooms.Record.Find(id)
	entry, err := record.Parse(line)
	if err != nil || entry.JA4 == "" {
		t.Fatalf("got %q, %v, want a line with the fingerprint", line, err)
	}

	tests := []struct {
		name, said, asked string
		refused           string // what the client is told; "" if it is not refused
		restart           string
	}{
		{"strict, and served", "{strict_names: true}", "a.test", "", ""},
		{"strict, and not served", "{strict_names: true}", "other.test", "unrecognized name", ""},
		{"not strict any more", "{}", "other.test", "", ""},
		{"denied", "{deny_fingerprints: [" + entry.JA4 + "]}", "a.test", "handshake failure", ""},
		{"not denied any more", "{handshakes: {queue: 7}}", "a.test", "", "node.tls.handshakes.queue"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f.writeTLS(tt.said)
			if r := n.Reload(); r.Error != "" || len(r.Problems) > 0 || strings.Join(r.Restart, " ") != tt.restart {
				t.Errorf("got %+v, want the restart keys %q", r, tt.restart)
			}
			_, err := shake(t, n, tt.asked)
			if (err == nil) != (tt.refused == "") || err != nil && !strings.Contains(err.Error(), tt.refused) {
				t.Errorf("got error %v, want %q", err, tt.refused)
			}
			saved, err := snapshot.LoadSaved(filepath.Join(f.data, savedFile))
			if err != nil {
				t.Fatal(err)
			}
			kept := saved.Node.TLS
			if kept.StrictNames != strings.Contains(tt.said, "strict") || len(kept.DenyFingerprints) != strings.Count(tt.said, "deny") ||
				kept.Handshakes.Queue != 1024 || n.Spec().TLS.Handshakes.Queue != 1024 {
				t.Errorf("got %+v kept for %s", kept, tt.said)
			}
		})
	}
}

// TestHandshakesShown: handshakes are in the metrics and in the report.
func TestHandshakesShown(t *testing.T) {
	f := newFiles(t)
	f.writeTLS("{strict_names: true}")
	n, _ := f.open()
	if _, err := shake(t, n, "a.test"); err != nil {
		t.Fatal(err)
	}
	if _, err := shake(t, n, "other.test"); err == nil {
		t.Error("a name that is not served is not refused")
	}
	got := metricsOf(t, n, f.data)
	for name, want := range map[string]float64{
		`seawall_handshakes_total{result="complete"}`:             1,
		`seawall_handshakes_total{result="failed"}`:               0,
		`seawall_handshakes_resumed_total`:                        0,
		`seawall_handshakes_refused_total{cause="unknown-name"}`:  1,
		`seawall_handshakes_refused_total{cause="not-tls"}`:       0,
		`seawall_handshakes_open`:                                 0,
		`seawall_workers_jobs_total`:                              1,
		`seawall_workers_shed_total{cause="late"}`:                0,
		`seawall_connections_refused_total{cause="network-full"}`: 0,
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s: got %v (%v), want %v", name, value, ok, want)
		}
	}
	if r := n.report("").Handshakes; r == nil || r.Complete != 1 || r.Refused[hello.UnknownName.String()] != 1 {
		t.Errorf("got %+v in the report", r)
	}
}

// TestShutdownEndsWorkers: a node that listens for HTTPS leaves nothing running either, also if its start fails.
func TestShutdownEndsWorkers(t *testing.T) {
	f := newFiles(t)
	f.writeTLS("{}")
	before := runtime.NumGoroutine()
	n, err := Open(t.Context(), f.path(), f.data, new(events).logger())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := n.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
	settled(t, before)
	f.data = t.TempDir()
	f.origin = "ftp://a"
	f.writeTLS("{}")
	if n, err := Open(t.Context(), f.path(), f.data, new(events).logger()); err == nil {
		_ = n.Shutdown(t.Context())
		t.Error("the node has started")
	}
	settled(t, before)
}

// TestCheckFingerprints: a fingerprint that is none is found before it is put in force, with its place.
func TestCheckFingerprints(t *testing.T) {
	f := newFiles(t)
	f.writeTLS("{deny_fingerprints: [t13d1516h2_8daaf6152771_e5627efa2ab1, t13d1516h2]}")
	_, problems := Check(f.path())
	if want := f.path() + ":7: node.tls.deny_fingerprints[1]: "; len(problems) != 1 || !strings.HasPrefix(problems[0].Error(), want) ||
		!strings.Contains(problems[0].Error(), `"t13d1516h2"`) {
		t.Errorf("got %v, want one that begins with %q and quotes it", problems, want)
	}
}
