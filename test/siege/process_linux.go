package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
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

// serve is the site at a port and the operator's echo, until its standard input ends: so it ends with whoever started it.
func serve(ctx context.Context, port string) error {
	l, err := listen(ctx, port)
	if err != nil {
		return err
	}
	operators, err := listen(ctx, strconv.Itoa(echoPort))
	if err != nil {
		return errors.Join(err, l.Close())
	}
	go echoes(operators)
	s := http.Server{Handler: http.HandlerFunc(page)}
	go func() {
		io.Copy(io.Discard, os.Stdin)             //nolint:errcheck // its end is all that is of interest
		errors.Join(s.Close(), operators.Close()) //nolint:errcheck // it ends
	}()
	fmt.Println("ready")
	if err := s.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// page is all that the site has.
func page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "max-age=60")
	io.WriteString(w, "hello") //nolint:errcheck // the visitor's loss
}

func listen(ctx context.Context, port string) (net.Listener, error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	return config.Listen(ctx, "tcp", ":"+port)
}

// launch starts a process that serves the site on the lab's server, kept to cores unless they are "". It is ready, and stop ends it.
func launch(ctx context.Context, l *lab.Lab, cores string, port int) (process int, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, nil, err
	}
	command := []string{self, serving, strconv.Itoa(port)}
	if cores != "" {
		command = append([]string{"taskset", "-c", cores}, command...)
	}
	c := l.Server.Command(ctx, command[0], command[1:]...)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		return 0, nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return 0, nil, err
	}
	if err := c.Start(); err != nil {
		return 0, nil, err
	}
	stop = func() {
		in.Close()
		c.Wait() //nolint:errcheck // it has served
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		stop()
		return 0, nil, err
	}
	return c.Process.Pid, stop, nil
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
