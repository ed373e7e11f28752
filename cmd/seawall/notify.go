package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// notify tells systemd a state of the program, such as "READY=1" (sd_notify(3)), on the socket that NOTIFY_SOCKET names; one that begins
// with @ is abstract. If it names none, nobody wants to know. It waits a second at most.
func notify(state string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notifying systemd: %w", err)
	}
	defer c.Close()
	if err := c.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		return fmt.Errorf("notifying systemd: %w", err)
	}
	if _, err := c.Write([]byte(state)); err != nil {
		return fmt.Errorf("notifying systemd: %w", err)
	}
	return nil
}

// reloading is the state of who has begun to reload, and will be ready again. The time tells this READY=1 from one before.
func reloading() string {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return "RELOADING=1"
	}
	return "RELOADING=1\nMONOTONIC_USEC=" + strconv.FormatInt(now.Nano()/1000, 10)
}

// watchdog ticks when systemd is to be told "WATCHDOG=1": at half the time after which it takes a silent program for dead. It is nil,
// and never ticks, if systemd doesn't watch this process.
func watchdog() <-chan time.Time {
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if pid := os.Getenv("WATCHDOG_PID"); err != nil || usec < 2 || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return nil
	}
	return time.Tick(time.Duration(usec) * time.Microsecond / 2)
}
