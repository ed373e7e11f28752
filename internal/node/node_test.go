package node

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/seawall/seawall/internal/spec"
)

func TestServe(t *testing.T) {
	z, _ := testZone(t)
	n, log := start(t, testNode(t), z)
	at := n.Listening()[0]
	if len(n.Listening()) != 1 || at.Scheme != "http" {
		t.Errorf("got listeners %v, want one of http", n.Listening())
	}
	for _, want := range []struct {
		host   string
		status int
	}{{"site.test", 200}, {"site.test", 200}, {"other.test", 421}} {
		status, _, body := visit(t, at.Address, want.host, "/path")
		if status != want.status || want.status == 200 && body != "/path" {
			t.Errorf("%s: got %d, %q, want %d", want.host, status, body, want.status)
		}
	}
	if warnings := log.with("level=WARN"); len(warnings) > 0 {
		t.Errorf("got warnings %q, want none", warnings)
	}
	recorded(t, n, "site", 2)
	if counts := n.Counts("site"); counts.Requests != 2 || counts.OriginAttempts != 1 {
		t.Errorf("got %+v, want two requests, one of them at the origin", counts)
	}
}

// taken is an address that somebody listens on.
func taken(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func TestPortInUse(t *testing.T) {
	z, _ := testZone(t)
	s := testNode(t)
	used := taken(t)
	s.HTTP = []spec.Listener{{Address: used}, {Address: "127.0.0.1:0"}}
	n, log := start(t, s, z)
	_, port, _ := net.SplitHostPort(used)
	warnings := log.with("level=WARN")
	if len(warnings) != 1 || !strings.Contains(warnings[0], "another program has port "+port) || !strings.Contains(warnings[0], "--http") {
		t.Errorf("got warnings %q, want one that names port %s and --http", warnings, port)
	}
	if len(n.Listening()) != 1 {
		t.Fatalf("got listeners %v, want one", n.Listening())
	}
	if status, _, _ := visit(t, n.Listening()[0].Address, "site.test", "/"); status != 200 {
		t.Errorf("got %d on the other listener, want 200", status)
	}
}

func TestAdminPortInUse(t *testing.T) {
	z, _ := testZone(t)
	s := testNode(t)
	s.Admin = taken(t)
	n, log := start(t, s, z)
	if warnings := log.with("without an admin listener"); len(warnings) != 1 || !strings.Contains(warnings[0], "--admin") || n.Admin() != nil {
		t.Errorf("got warnings %q, admin %v, want one and no admin listener", warnings, n.Admin())
	}
	if status, _, _ := visit(t, n.Listening()[0].Address, "site.test", "/"); status != 200 {
		t.Errorf("got %d, want 200", status)
	}
}

// TestStartFails: a node that could serve nothing at all says why, and leaves nothing running.
func TestStartFails(t *testing.T) {
	tests := []struct {
		name   string
		change func(t *testing.T, n *spec.Node, z *spec.Zone)
		err    []string
	}{
		{"all ports in use", func(t *testing.T, n *spec.Node, z *spec.Zone) {
			n.HTTP = []spec.Listener{{Address: taken(t)}, {Address: taken(t)}}
		}, []string{"another program has port", "--http"}},
		{"no listener", func(t *testing.T, n *spec.Node, z *spec.Zone) { n.HTTP = nil }, []string{"--http", "--https"}},
		{"an address of nobody's", func(t *testing.T, n *spec.Node, z *spec.Zone) {
			n.HTTP = []spec.Listener{{Address: "192.0.2.1:0"}}
		}, []string{"no interface of this machine"}},
		{"no address", func(t *testing.T, n *spec.Node, z *spec.Zone) {
			n.HTTP = []spec.Listener{{Address: "nonsense"}}
		}, []string{"nonsense"}},
		{"no zone compiles", func(t *testing.T, n *spec.Node, z *spec.Zone) { z.Origin.Servers = spec.OneServer("ftp://a") }, []string{"zone site", "ftp"}},
		{"data folder is a file", func(t *testing.T, n *spec.Node, z *spec.Zone) { n.Data = file(t, "", "x") },
			[]string{"making the data folder", "--data"}},
		{"data folder below a file", func(t *testing.T, n *spec.Node, z *spec.Zone) { n.Data = filepath.Join(file(t, "", "x"), "data") },
			[]string{"making the data folder", "--data"}},
		{"key too short", func(t *testing.T, n *spec.Node, z *spec.Zone) { file(t, n.Data+"/"+sealFile, "abcd") },
			[]string{sealFile, "64 hexadecimal digits", "delete it"}},
		{"key empty", func(t *testing.T, n *spec.Node, z *spec.Zone) { file(t, n.Data+"/"+sealFile, "") },
			[]string{sealFile, "64 hexadecimal digits"}},
		{"key no hexadecimal", func(t *testing.T, n *spec.Node, z *spec.Zone) {
			file(t, n.Data+"/"+tokenFile, strings.Repeat("z", 64))
		}, []string{tokenFile, "64 hexadecimal digits"}},
		{"key a folder", func(t *testing.T, n *spec.Node, z *spec.Zone) { os.Mkdir(n.Data+"/"+sealFile, 0o700) },
			[]string{"reading a key", sealFile}},
		{"cache", func(t *testing.T, n *spec.Node, z *spec.Zone) { n.Cache.Object = n.Cache.Size }, []string{"cache.object"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			z, _ := testZone(t)
			s := testNode(t)
			s.Log.Path = filepath.Join(t.TempDir(), "access.log")
			tt.change(t, &s, &z)
			before := runtime.NumGoroutine()
			n, err := Start(t.Context(), s, []spec.Zone{z}, new(events).logger())
			if err == nil {
				n.Shutdown(context.Background())
				t.Fatal("the node has started")
			}
			for _, want := range tt.err {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want it to say %q", err, want)
				}
			}
			if _, err := os.Stat(filepath.Join(s.Data, adminFile)); err == nil {
				t.Error("an admin address was left behind")
			}
			settled(t, before)
		})
	}
}

// file writes a file, in a folder of its own unless path says where, and returns its path.
func file(t *testing.T, path, text string) string {
	t.Helper()
	if path == "" {
		path = filepath.Join(t.TempDir(), "file")
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestServesWhatItCan: one zone of two does not compile, and the log can't be written.
func TestServesWhatItCan(t *testing.T) {
	good, _ := testZone(t)
	bad := good
	bad.Name, bad.Hosts, bad.Origin.Servers = "bad", []string{"bad.test"}, spec.OneServer("ftp://a")
	s := testNode(t)
	s.Log.Path = s.Data // a folder
	n, log := start(t, s, bad, good)
	if refused := log.with("msg=refused"); len(refused) != 1 || !strings.Contains(refused[0], "zone bad") {
		t.Errorf("got %q, want one that names zone bad", refused)
	}
	if without := log.with("without an access log"); len(without) != 1 {
		t.Errorf("got %q, want one about the access log", without)
	}
	if status, _, _ := visit(t, n.Listening()[0].Address, "site.test", "/"); status != 200 {
		t.Errorf("got %d from the good zone, want 200", status)
	}
	if status, _, _ := visit(t, n.Listening()[0].Address, "bad.test", "/"); status != 421 {
		t.Errorf("got %d from the bad zone, want 421", status)
	}
}

func TestKeys(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "deep", "data")
	made, err := openKeys(folder)
	if err != nil {
		t.Fatal(err)
	}
	again, err := openKeys(folder)
	if err != nil || *again != *made {
		t.Errorf("got other keys at the second start, %v", err)
	}
	if other, err := openKeys(t.TempDir()); err != nil || other.seal == made.seal || other.token == made.token {
		t.Errorf("got the same keys in another folder, %v", err)
	}
	for path, want := range map[string]os.FileMode{folder: 0o700, filepath.Join(folder, sealFile): 0o600, filepath.Join(folder, tokenFile): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: got %v, %v, want %v", path, info.Mode().Perm(), err, want)
		}
	}
}

func TestFitFileLimit(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Skip(err)
	}
	tests := []struct {
		limit     uint64
		max, want int
	}{
		{1024, 100_000, 384},
		{1024, 384, 384},
		{1024, 385, 384},
		{1024, 100, 100},
		{300, 1000, 22},
		{256, 1000, 16},
		{100, 1000, 16},
		{100, 8, 8},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%d for %d", tt.limit, tt.max), func(t *testing.T) {
			if limit.Max < tt.limit {
				t.Skip("the hard limit is lower")
			}
			low := limit
			low.Cur = tt.limit
			if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
				t.Skip(err)
			}
			defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
			log := new(events)
			n := &Node{log: log.logger()}
			n.spec.Connections.Max = tt.max
			n.fitFileLimit()
			if got := n.spec.Connections.Max; got != tt.want {
				t.Errorf("got %d connections, want %d", got, tt.want)
			}
			lines := log.with("the file limit is low")
			if (len(lines) == 1) != (tt.want < tt.max) {
				t.Errorf("got %q for %d connections of %d", lines, tt.want, tt.max)
			}
			if hint := fmt.Sprintf("ulimit -n %d", 2*tt.max+descriptorsKept); len(lines) == 1 && !strings.Contains(lines[0], hint) {
				t.Errorf("got %q, want it to say %q", lines, hint)
			}
		})
	}
}

// TestShutdown lets a request finish that is under way, cuts nothing, may be done again, and leaves nothing running.
func TestShutdown(t *testing.T) {
	z, proceed := testZone(t)
	s := testNode(t)
	s.Log.Path = filepath.Join(t.TempDir(), "access.log")
	before := runtime.NumGoroutine()
	n, err := Start(t.Context(), s, []spec.Zone{z}, new(events).logger())
	if err != nil {
		t.Fatal(err)
	}
	at := n.Listening()[0].Address.String()
	idle, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	busy, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	io.WriteString(busy, "GET /hold HTTP/1.1\r\nHost: site.test\r\n\r\n")
	reader := bufio.NewReader(busy)
	answer, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- n.Shutdown(context.Background()) }()
	if _, err := idle.Read(make([]byte, 1)); err == nil {
		t.Error("an idle connection was not closed")
	}
	select {
	case err := <-done:
		t.Errorf("the shutdown did not wait for a request: %v", err)
	default:
	}
	close(proceed)
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "/hold" {
		t.Errorf("got %q, %v, want the request finished", body, err)
	}
	if err := <-done; err != nil {
		t.Errorf("got %v, want no error", err)
	}
	if c, err := net.Dial("tcp", at); err == nil {
		c.Close()
		t.Error("the node still listens")
	}
	if err := n.Shutdown(context.Background()); err != nil {
		t.Errorf("a second shutdown: got %v, want no error", err)
	}
	log, err := os.ReadFile(s.Log.Path)
	if err != nil || strings.Count(string(log), "\n") != 1 {
		t.Errorf("got %q, %v in the log, want one line", log, err)
	}
	if _, err := os.Stat(filepath.Join(s.Data, adminFile)); err == nil {
		t.Error("an admin address was left behind")
	}
	idle.Close()
	busy.Close()
	http.DefaultClient.CloseIdleConnections()
	settled(t, before+1) // the origin's own connection may take its time
}

// TestShutdownCuts what does not finish in time, and says so.
func TestShutdownCuts(t *testing.T) {
	z, proceed := testZone(t)
	defer close(proceed)
	n, err := Start(t.Context(), testNode(t), []spec.Zone{z}, new(events).logger())
	if err != nil {
		t.Fatal(err)
	}
	busy, err := net.Dial("tcp", n.Listening()[0].Address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	io.WriteString(busy, "GET /hold HTTP/1.1\r\nHost: site.test\r\n\r\n")
	reader := bufio.NewReader(busy)
	if _, err := reader.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Shutdown(ctx); err == nil || !strings.Contains(err.Error(), "had to be cut") {
		t.Errorf("got %v, want an error about a connection that was cut", err)
	}
	if _, err := io.ReadAll(reader); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("got %v, want the connection's end", err)
	}
	if open := n.conns.Stats().Open; open != 0 {
		t.Errorf("got %d connections open, want none", open)
	}
}
