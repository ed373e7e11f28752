package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

func TestNotify(t *testing.T) {
	tests := []struct{ name, socket string }{
		{"path", filepath.Join(t.TempDir(), "notify")},
		{"abstract", fmt.Sprintf("@seawall-test-%d", os.Getpid())},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: tt.socket, Net: "unixgram"})
			if err != nil {
				t.Fatal(err)
			}
			defer manager.Close()
			manager.SetReadDeadline(time.Now().Add(10 * time.Second))
			t.Setenv("NOTIFY_SOCKET", tt.socket)
			for _, want := range []string{"READY=1", "STOPPING=1"} {
				if err := notify(want); err != nil {
					t.Fatal(err)
				}
				got := make([]byte, 100)
				n, err := manager.Read(got)
				if err != nil || string(got[:n]) != want {
					t.Errorf("got %q, %v, want %q", got[:n], err, want)
				}
			}
		})
	}
}

func TestNotifyNobody(t *testing.T) {
	tests := []struct{ name, socket, err string }{
		{"not asked", "", ""},
		{"gone", filepath.Join(t.TempDir(), "gone"), "notifying systemd: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("NOTIFY_SOCKET", tt.socket)
			err := notify("READY=1")
			if (err != nil) != (tt.err != "") || err != nil && !strings.HasPrefix(err.Error(), tt.err) {
				t.Errorf("got %v, want %q", err, tt.err)
			}
		})
	}
}

func TestReloading(t *testing.T) {
	uptime := func() int64 {
		var now unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
			t.Fatal(err)
		}
		return now.Nano() / 1000
	}
	before := uptime()
	text, ok := strings.CutPrefix(reloading(), "RELOADING=1\nMONOTONIC_USEC=")
	usec, err := strconv.ParseInt(text, 10, 64)
	if after := uptime(); !ok || err != nil || usec < before || usec > after {
		t.Errorf("got %q, want RELOADING=1 and a time from %d to %d", text, before, after)
	}
}

func TestWatchdog(t *testing.T) {
	tests := []struct {
		name, usec, pid string
		want            time.Duration
	}{
		{"watched", "60000000", strconv.Itoa(os.Getpid()), 30 * time.Second},
		{"without a process", "2000000", "", time.Second},
		{"another process", "60000000", "1", 0},
		{"not watched", "", "", 0},
		{"nonsense", "soon", "", 0},
		{"no time", "0", "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("WATCHDOG_USEC", tt.usec)
			t.Setenv("WATCHDOG_PID", tt.pid)
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				select {
				case <-watchdog():
				case <-time.After(time.Hour):
				}
				if got := time.Since(begin) % time.Hour; got != tt.want {
					t.Errorf("ticks after %v, want %v", got, tt.want)
				}
			})
		})
	}
}
