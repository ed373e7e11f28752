package handover

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// variable names the descriptor of the pair in a new process's environment.
const variable = "SEAWALL_HANDOVER"

// Command is how a process is started.
type Command struct {
	Program string // absolute path
	Args    []string
	Dir     string
	Errors  io.Writer // gets what the process writes to standard error before it has taken over
}

// Successor is a process that was started to take over.
type Successor struct {
	*Conn
	cmd    *exec.Cmd
	last   *tail
	piped  chan struct{} // closed when its standard error has been given back, or it has ended
	exited chan struct{}
	state  string // how it ended
}

// Launch starts a process with a pair. It inherits the environment, standard output and, until it has taken over, a pipe for its standard
// error.
func Launch(command *Command) (*Successor, error) {
	ours, theirs, err := pair(syscall.SOCK_SEQPACKET)
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	c, err := newConn(ours)
	if err != nil {
		return nil, err
	}
	errors, pipe, err := os.Pipe()
	if err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	defer pipe.Close()
	s := &Successor{Conn: c, last: new(tail), piped: make(chan struct{}), exited: make(chan struct{})}
	s.cmd = exec.Command(command.Program, command.Args...)
	s.cmd.Dir = command.Dir
	s.cmd.Env = environment(os.Environ())
	s.cmd.Stdout, s.cmd.Stderr = os.Stdout, pipe
	s.cmd.ExtraFiles = []*os.File{theirs} // descriptor 3
	if err := s.cmd.Start(); err != nil {
		errors.Close()
		_ = c.Close()
		return nil, fmt.Errorf("starting %s: %w", command.Program, err)
	}
	go func() {
		defer close(s.piped)
		defer errors.Close()
		_, _ = io.Copy(io.MultiWriter(s.last, command.Errors), errors)
	}()
	go func() {
		defer close(s.exited)
		_ = s.cmd.Wait() // the state says it
		s.state = s.cmd.ProcessState.String()
	}()
	return s, nil
}

// environment is the one for a new process. systemd's watchdog is to watch it, whose process identifier is another.
func environment(ours []string) []string {
	theirs := slices.DeleteFunc(slices.Clone(ours), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return name == variable || name == "WATCHDOG_PID"
	})
	return append(theirs, variable+"=3")
}

// PID is the process's identifier.
func (s *Successor) PID() int { return s.cmd.Process.Pid }

// Exited is closed when the process has ended.
func (s *Successor) Exited() <-chan struct{} { return s.exited }

// Kill ends the process, which has not taken over, and tells how it ended if it had by itself.
func (s *Successor) Kill() (why string) {
	_ = s.Close()
	select {
	case <-s.exited: // perhaps its last words are still in the pipe
	case <-time.After(lastWords):
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
	select {
	case <-s.piped:
	case <-time.After(lastWords): // somebody else has the pipe
	}
	return s.state
}

// lastWords is how long a process that has failed may take to end by itself.
const lastWords = 2 * time.Second

// LastLines is the end of what the process has written to its standard error.
func (s *Successor) LastLines() string { return s.last.String() }

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// tailSize is what a tail keeps, in bytes.
const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if spare := len(t.text) - tailSize; spare > 0 {
		t.text = append(t.text[:0], t.text[spare:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.text))
}

// errNoPair tells that the environment names something that is no pair.
var errNoPair = errors.New("wants to be the number of a descriptor; unset it")

// Predecessor is the pair with the process that has started this one, nil if that was not for an upgrade. It takes the pair out of the
// environment, so it is to be asked once, before other processes are started.
func Predecessor() (*Conn, error) {
	text, ok := os.LookupEnv(variable)
	if !ok {
		return nil, nil
	}
	_ = os.Unsetenv(variable)
	fd, err := strconv.Atoi(text)
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("%s=%s: %w", variable, text, errNoPair)
	}
	syscall.CloseOnExec(fd)
	c, err := newConn(os.NewFile(uintptr(fd), "handover"))
	if err != nil {
		return nil, fmt.Errorf("%s=%s: %w: %w", variable, text, errNoPair, err)
	}
	return c, nil
}
