package handover

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"github.com/seawall/seawall/internal/admission"
)

// patience bounds every wait.
const patience = 20 * time.Second

// connected returns both ends of a pair, and the second one's bare socket.
func connected(t testing.TB) (a, b *Conn) {
	t.Helper()
	fa, fb, err := pair(unix.SOCK_SEQPACKET)
	if err != nil {
		t.Fatal(err)
	}
	for c, f := range map[**Conn]*os.File{&a: fa, &b: fb} {
		if *c, err = newConn(f); err != nil {
			t.Fatal(err)
		}
		(*c).SetDeadline(time.Now().Add(patience))
		t.Cleanup(func() { (*c).Close() })
	}
	return a, b
}

func TestMessages(t *testing.T) {
	a, b := connected(t)
	tests := []Message{
		{Type: Hello, Version: "v1.2.3", PID: 7},
		{Type: Listener, Address: "[::]:443"},
		{Type: Failed, Error: "zones.yaml:3: no such \"key\""},
		{Type: Hold, Changes: []admission.Change{{Zone: "shop", Concurrent: 3, Upgrades: 2, Wanted: -1, Debt: 9}, {Zone: "wiki"}}},
		{Type: Tickets, Keys: [][]byte{{0, 1, 255}, {}}, Made: time.Unix(1, 0).UTC()},
		{Type: "of a later version", PID: 1},
	}
	for _, tt := range tests {
		t.Run(string(tt.Type), func(t *testing.T) {
			if err := a.Send(&tt); err != nil {
				t.Fatal(err)
			}
			got, err := b.Receive()
			if diff := cmp.Diff(&tt, got); diff != "" || err != nil {
				t.Errorf("%v; -want +got:\n%s", err, diff)
			}
		})
	}
}

// TestFiles: a listening socket goes over with what waits in it, and is in no other state than before.
func TestFiles(t *testing.T) {
	a, b := connected(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	visitor, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer visitor.Close()
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Send(&Message{Type: Listener, Files: []*os.File{file, file}}); err != nil {
		t.Fatal(err)
	}
	if flags, err := unix.FcntlInt(fdOf(t, file), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
		t.Errorf("got a socket that blocks (%#x, %v)", flags, err)
	}
	file.Close()
	l.Close()
	m, err := b.Receive()
	if err != nil || len(m.Files) != 2 {
		t.Fatalf("got %+v, %v, want two descriptors", m, err)
	}
	inherited, err := net.FileListener(m.Files[0])
	m.CloseFiles()
	if err != nil {
		t.Fatal(err)
	}
	defer inherited.Close()
	c, err := inherited.Accept()
	if err != nil || c.RemoteAddr().String() != visitor.LocalAddr().String() {
		t.Errorf("got %v, %v, want who has waited", c, err)
	}
}

func fdOf(t *testing.T, f *os.File) (fd uintptr) {
	t.Helper()
	rc, err := f.SyscallConn()
	if err == nil {
		err = rc.Control(func(n uintptr) { fd = n })
	}
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func TestReceiveRefuses(t *testing.T) {
	tests := []struct{ name, packet, want string }{
		{"too long", `{"type":"hello","error":"` + strings.Repeat("x", MaxMessage) + `"}`, "a message of more than"},
		{"no JSON", "GET / HTTP/1.1", "invalid character"},
		{"no type", `{"pid":1}`, "without a type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := connected(t)
			if _, err := a.socket.Write([]byte(tt.packet)); err != nil {
				t.Fatal(err)
			}
			if m, err := b.Receive(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %+v, %v, want %q", m, err, tt.want)
			}
		})
	}
}

func TestSendRefuses(t *testing.T) {
	a, _ := connected(t)
	err := a.Send(&Message{Type: Failed, Error: strings.Repeat("x", MaxMessage)})
	if err == nil || !strings.Contains(err.Error(), "too many") {
		t.Errorf("got %v, want that it is too long", err)
	}
}

func TestAwait(t *testing.T) {
	a, b := connected(t)
	for _, m := range []Message{{Type: "unknown"}, {Type: Change}, {Type: Ready, PID: 3}, {Type: Failed, Error: "no zone"}} {
		if err := a.Send(&m); err != nil {
			t.Fatal(err)
		}
	}
	if m, err := b.Await(Ready); err != nil || m.PID != 3 {
		t.Errorf("got %+v, %v, want ready", m, err)
	}
	if _, err := b.Await(Ready); err == nil || err.Error() != "no zone" {
		t.Errorf("got %v, want what failed", err)
	}
	a.Close()
	if _, err := b.Await(Ready); err != io.EOF {
		t.Errorf("got %v, want the end", err)
	}
}

func TestOutbox(t *testing.T) {
	a, b := connected(t)
	o, done := NewOutbox(), make(chan struct{})
	for i := range 3 * maxChanges {
		c := admission.Change{Zone: fmt.Sprint("zone", i/3), Concurrent: 1, Wanted: -i % 2}
		o.Add(c)
	}
	go o.Deliver(a, done)
	defer close(done)
	got := make(map[string]int)
	for len(got) < maxChanges {
		m, err := b.Await(Change)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range m.Changes {
			got[c.Zone] += c.Concurrent
		}
	}
	for zone, n := range got {
		if n != 3 {
			t.Errorf("%s: got %d, want 3", zone, n)
		}
	}
}

// TestMain is also what tests launch, if its first argument says so.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "launched" {
		os.Exit(launched(os.Args[2]))
	}
	os.Exit(m.Run())
}

// launched does what a new process might.
func launched(how string) int {
	c, err := Predecessor()
	if err != nil || c == nil {
		fmt.Fprintln(os.Stderr, "no predecessor:", err)
		return 7
	}
	if again, err := Predecessor(); again != nil || err != nil {
		return 8
	}
	folder, _ := os.Getwd()
	switch how {
	case "well":
		c.Send(&Message{Type: Ready, PID: os.Getpid(), Version: folder})
		c.Await(Stop)
	case "badly":
		fmt.Fprintln(os.Stderr, strings.Repeat("x", tailSize))
		fmt.Fprintln(os.Stderr, "seawall: configuration: nothing is right")
		return 1
	case "not at all":
		c.Await("never")
		time.Sleep(time.Hour)
	}
	return 0
}

func launch(t *testing.T, how string) *Successor {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s, err := Launch(&Command{Program: self, Args: []string{"launched", how}, Dir: "/", Errors: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	s.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { s.Kill() })
	return s
}

func TestLaunch(t *testing.T) {
	t.Setenv("WATCHDOG_PID", fmt.Sprint(os.Getpid()))
	s := launch(t, "well")
	m, err := s.Await(Ready)
	if err != nil {
		t.Fatal(err)
	}
	if m.PID != s.PID() || m.PID == os.Getpid() || m.Version != "/" {
		t.Errorf("got process %d in %s, want %d in /", m.PID, m.Version, s.PID())
	}
	select {
	case <-s.Exited():
		t.Error("it has ended")
	default:
	}
	if err := s.Send(&Message{Type: Stop}); err != nil {
		t.Fatal(err)
	}
	<-s.Exited()
}

func TestLaunchFails(t *testing.T) {
	t.Run("badly", func(t *testing.T) {
		s := launch(t, "badly")
		if _, err := s.Await(Ready); err != io.EOF {
			t.Errorf("got %v, want the end", err)
		}
		if why := s.Kill(); why != "exit status 1" {
			t.Errorf("got %q, want exit status 1", why)
		}
		if got := s.LastLines(); !strings.HasSuffix(got, "nothing is right") || len(got) > tailSize {
			t.Errorf("got %q, want its last lines", got)
		}
	})
	t.Run("not at all", func(t *testing.T) {
		s := launch(t, "not at all")
		s.SetDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := s.Await(Ready); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v, want that time is over", err)
		}
		if why := s.Kill(); why != "signal: killed" {
			t.Errorf("got %q, want that it was killed", why)
		}
	})
	t.Run("no program", func(t *testing.T) {
		text := filepath.Join(t.TempDir(), "seawall")
		if err := os.WriteFile(text, []byte("no program"), 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := Launch(&Command{Program: text, Errors: io.Discard}); !errors.Is(err, syscall.ENOEXEC) {
			t.Errorf("got %v, want that it is no program", err)
		}
	})
}

func TestPredecessorRefuses(t *testing.T) {
	for _, text := range []string{"", "0", "three", "1000000"} {
		t.Run(text, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "launched", "well")
			cmd.Env = append(os.Environ(), variable+"="+text)
			out, err := cmd.CombinedOutput()
			if err == nil || !bytes.Contains(out, []byte(variable+"="+text)) {
				t.Errorf("got %q, %v, want what is wrong", out, err)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"type":"hold","changes":[{"zone":"shop","concurrent":3}]}`))
	f.Add([]byte(`{"type":"tickets","keys":["AAE="]}`))
	f.Add([]byte(`{"pid":-1e99}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := decode(text)
		if err != nil {
			return
		}
		a, b := connected(t)
		if err := a.Send(m); err != nil {
			return // it has grown past the bound
		}
		got, err := b.Receive()
		if diff := cmp.Diff(m, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("%v; -want +got:\n%s", err, diff)
		}
	})
}
