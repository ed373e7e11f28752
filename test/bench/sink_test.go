package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// What was sent before the sender closed is in the file once the sink has stopped, and a file that was cut is added to.
func TestSink(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("0 first\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := newSink(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", s.address())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "1 second\n"); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(c); err != nil { // the sink closes when it has read all
		t.Fatal(err)
	}
	s.stop()
	got, err := os.ReadFile(path)
	if want := "0 first\n1 second\n"; err != nil || string(got) != want {
		t.Errorf("got %q and error %v, want %q", got, err, want)
	}
}
