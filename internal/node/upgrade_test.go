package node

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/conn"
	"github.com/seawall/seawall/internal/node/handover"
	"github.com/seawall/seawall/internal/spec"
)

func TestTrusted(t *testing.T) {
	dir := t.TempDir()
	program := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := []struct{ name, path, want string }{
		{"good", program("good", 0o755), ""},
		{"relative", "seawall", "no absolute path"},
		{"missing", filepath.Join(dir, "missing"), "no such file"},
		{"folder", dir, "is no program"},
		{"not executable", program("text", 0o644), "is no program"},
		{"writable for its group", program("group", 0o775), "may be written by others (mode 0775): chmod go-w "},
		{"writable for all", program("all", 0o757), "may be written by others (mode 0757): chmod go-w "},
	}
	if os.Geteuid() == 0 {
		others := program("others", 0o755)
		if err := os.Chown(others, 4711, 4711); err != nil {
			t.Fatal(err)
		}
		tests = append(tests, struct{ name, path, want string }{"another user's", others, "belongs to user 4711: want a file of root or of the node's user (0)"})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := trusted(tt.path)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestUpgradeIsNotForAll(t *testing.T) {
	z, _ := testZone(t)
	n, _ := start(t, testNode(t), z)
	if _, err := n.Upgrade(""); !errors.Is(err, errNoProcess) {
		t.Errorf("got %v, want that it is a part of another program", err)
	}
	if _, err := AskUpgrade(t.Context(), n.spec.Data, "", ""); !errors.Is(err, ErrNoUpgrade) {
		t.Errorf("got %v, want that it knows no upgrades", err)
	}
	if _, err := AskUpgrade(t.Context(), t.TempDir(), "", ""); !errors.Is(err, ErrNoUpgrade) {
		t.Errorf("got %v, want that there is no node", err)
	}
}

// TestDrainLeavesTheLog: after an upgrade, the new process rotates the access log.
func TestDrainLeavesTheLog(t *testing.T) {
	z, proceed := testZone(t)
	s := testNode(t)
	s.Log.Path, s.Log.MaxSize = filepath.Join(t.TempDir(), "access.log"), 1
	n, err := Start(t.Context(), s, []spec.Zone{z}, new(events).logger())
	if err != nil {
		t.Fatal(err)
	}
	n.stopped = t.Context()
	busy, err := net.Dial("tcp", n.Listening()[0].Address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	io.WriteString(busy, "GET /hold HTTP/1.1\r\nHost: site.test\r\n\r\n")
	if _, err := busy.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	drained := make(chan error)
	go func() { drained <- n.Drain(t.Context()) }()
	for end := time.Now().Add(patience); !n.conns.Draining(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("the node does not drain")
		}
	}
	close(proceed)
	if err := <-drained; err != nil {
		t.Error(err)
	}
	if log, err := os.ReadFile(s.Log.Path); err != nil || strings.Count(string(log), "\n") != 1 {
		t.Errorf("got %q, %v in the log, want one line", log, err)
	}
	if _, err := os.Stat(s.Log.Path + ".1"); err == nil {
		t.Error("the log was rotated")
	}
}

// TestUpgradeFails: a program that can't be started, or does nothing of what it should, changes nothing.
func TestUpgradeFails(t *testing.T) {
	z, _ := testZone(t)
	s := testNode(t)
	log := new(events)
	p := &Process{command: handover.Command{Dir: "/", Errors: log}, tell: func(state string) { t.Errorf("systemd is told %q", state) }}
	n, err := p.Start(t.Context(), s, []spec.Zone{z}, log.logger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Shutdown(t.Context()) })
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("no program"), 0o755); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, program, want string }{
		{"no program", text, "exec format error"},
		{"another program", "/bin/true", "the new process ended: exit status 0"},
		{"it fails", "/bin/false", "the new process ended: exit status 1"},
		{"it says why", "/bin/cat", "the new process ended: exit status 1\n/bin/cat: no-such-file"},
	}
	p.command.Args = []string{"no-such-file"}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := AskUpgrade(t.Context(), s.Data, "", tt.program)
			if err == nil || !strings.Contains(err.Error(), "not upgraded, and serving as before: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if status, _, body := visit(t, n.Listening()[0].Address, "site.test", "/a"); status != http.StatusOK || body != "/a" {
				t.Errorf("after it: got %d %q", status, body)
			}
		})
	}
}

func TestInheritedListener(t *testing.T) {
	l, err := conn.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	address := l.Addr().String()
	tests := []struct {
		name, key, wanted string
		inherits          bool
	}{
		{"the same words", "127.0.0.1:0", "127.0.0.1:0", true},
		{"other words", "127.0.0.1:0", address, true},
		{"another address", address, "127.0.0.1:0", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := &Node{inherited: &inheritance{listeners: map[string][]*conn.Listener{tt.key: {l}}}}
			got, err := n.listener(t.Context(), tt.wanted)
			if err != nil {
				t.Fatal(err)
			}
			if got != l {
				got.Close()
			}
			want := 1
			if tt.inherits {
				want = 0
			}
			if left := n.inherited.unclaimed(); (got == l) != tt.inherits || left != want {
				t.Errorf("got it: %v, and %d left, want %v", got == l, left, tt.inherits)
			}
			if err := n.lost(errNoListener); (err != nil) != (want > 0) {
				t.Errorf("a listener that is lost: got %v", err)
			}
		})
	}
}

func TestSame(t *testing.T) {
	tests := []struct {
		bound, wanted string
		want          bool
	}{
		{"[::]:80", ":80", true},
		{"[::]:80", "[::]:80", true},
		{"[::]:80", "0.0.0.0:80", false},
		{"0.0.0.0:80", "0.0.0.0:80", true},
		{"[::]:80", ":81", false},
		{"127.0.0.1:80", ":80", false},
		{"[fe80::1%lo]:80", "[fe80::1]:80", false},
	}
	for _, tt := range tests {
		t.Run(tt.bound+" "+tt.wanted, func(t *testing.T) {
			bound, err := net.ResolveTCPAddr("tcp", tt.bound)
			if err != nil {
				t.Fatal(err)
			}
			wanted, err := net.ResolveTCPAddr("tcp", tt.wanted)
			if err != nil {
				t.Fatal(err)
			}
			if got := same(bound, wanted); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
