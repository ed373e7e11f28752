package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/seawall/seawall/test/flood"
	"github.com/seawall/seawall/test/flood/lab"
)

// First arguments with which this program is the server, or the attacker.
const (
	serving   = "serve"
	attacking = "attack"
)

// serve is the server, until its standard input ends: so it ends with whoever started it.
func serve(ctx context.Context) error {
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	l, err := config.Listen(ctx, "tcp", ":"+strconv.Itoa(port))
	if err != nil {
		return err
	}
	s := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })} //nolint:errcheck // the visitor's loss
	go func() {
		io.Copy(io.Discard, os.Stdin) //nolint:errcheck // its end is all that is of interest
		s.Close()                     //nolint:errcheck // it ends
	}()
	fmt.Println("ready")
	if err := s.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// launch starts the server on the lab's server, kept to a core. It is ready, and stop ends it.
func launch(ctx context.Context, l *lab.Lab, core int) (stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := l.Server.Command(ctx, "taskset", "-c", strconv.Itoa(core), self, serving)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		in.Close()
		c.Wait() //nolint:errcheck // it has served
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

// attack is a process that floods the server, on the attacker's core and before all others there, as one with a machine of its own would.
// It ends with its plan or with ctx.
func (s siege) attack(ctx context.Context, l *lab.Lab, plan flood.Plan) (sent flood.Sent, err error) {
	self, err := os.Executable()
	if err != nil {
		return sent, err
	}
	args := append([]string{"-n", "-10", "taskset", "-c", strconv.Itoa(s.others), self, attacking}, flood.Args(l.Link(), plan)...)
	c := l.Attacker.Command(ctx, "nice", args...)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) } // it says what it has sent
	c.WaitDelay = patience
	var said, complaint bytes.Buffer
	c.Stdout, c.Stderr = &said, &complaint
	if err := c.Run(); err != nil && ctx.Err() == nil {
		return sent, fmt.Errorf("flood: %w: %s", err, &complaint)
	}
	return sent, json.Unmarshal(said.Bytes(), &sent)
}

// keepTo keeps this process to a core, with the threads that it has and will have.
func keepTo(core int) error {
	threads, err := filepath.Glob("/proc/self/task/[0-9]*")
	if err != nil {
		return err
	}
	var set unix.CPUSet
	set.Set(core)
	for _, thread := range threads {
		id, err := strconv.Atoi(filepath.Base(thread))
		if err == nil {
			err = unix.SchedSetaffinity(id, &set)
		}
		if err != nil && err != unix.ESRCH { // it has ended
			return fmt.Errorf("keep thread %s to core %d: %w", thread, core, err)
		}
	}
	return nil
}
