// Package handover is what two processes of a node say to each other at an upgrade, and how one starts the other.
//
// A message is a packet on a private socket pair (SOCK_SEQPACKET): JSON of at most [MaxMessage] bytes, with descriptors beside it. Types and
// keys that a process does not know it skips, so older and newer versions understand each other as far as they can. It fails with an error
// on a packet that is longer, carries too many descriptors or is no message; descriptors that are not taken are closed.
package handover

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seawall/seawall/internal/admission"
)

const (
	// MaxMessage bounds a message in bytes, without its descriptors.
	MaxMessage = 64 << 10
	// MaxFiles bounds the descriptors of a message: the kernel's SCM_MAX_FD.
	MaxFiles = 253
)

// Type is what a message says.
type Type string

// The types, in the order in which they are said. First the old process says what there is,
const (
	Hello    Type = "hello"    // Version and PID, with the standard error to use in the end
	Listener Type = "listener" // Address, with its sockets
	Admin    Type = "admin"    // the same of the operator's listener
	Tickets  Type = "tickets"  // Keys that TLS session tickets are sealed with, the one in use first
	Cache    Type = "cache"    // with a stream of the cache's own
	Whole    Type = "whole"    // that is all
)

// then the new one whether it can go on,
const (
	Failed Type = "failed" // Error
	Ready  Type = "ready"
)

// then the old one gives up the budgets and what else there can be one of,
const (
	Hold  Type = "hold" // Changes: what is in use
	Yours Type = "yours"
)

// and until the old process ends:
const (
	Serving Type = "serving" // the new one accepts connections
	Change  Type = "change"  // Changes of the budgets, either way
	Reopen  Type = "reopen"  // the access log
	Stop    Type = "stop"    // the node is stopping
	Passed  Type = "passed"  // the new one has been succeeded itself
)

// Message is one message. Which fields have a meaning depends on its type.
type Message struct {
	Type    Type               `json:"type"`
	Version string             `json:"version,omitempty"`
	PID     int                `json:"pid,omitempty"`
	Address string             `json:"address,omitempty"`
	Error   string             `json:"error,omitempty"`
	Keys    [][]byte           `json:"keys,omitempty"`
	Made    time.Time          `json:"made,omitzero"` // when the first of Keys was made
	Changes []admission.Change `json:"changes,omitempty"`
	Files   []*os.File         `json:"-"`
}

// CloseFiles closes the descriptors that came with the message.
func (m *Message) CloseFiles() {
	for _, f := range m.Files {
		f.Close()
	}
	m.Files = nil
}

// Conn is one end of the pair. One goroutine receives; any may send.
type Conn struct {
	socket *net.UnixConn
	mu     sync.Mutex
	buffer []byte // of who receives
	rights []byte
}

func newConn(file *os.File) (*Conn, error) {
	c, err := net.FileConn(file)
	file.Close()
	if err != nil {
		return nil, err
	}
	socket, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("descriptor %s is no Unix socket", file.Name())
	}
	return &Conn{socket: socket, buffer: make([]byte, MaxMessage+1), rights: make([]byte, unix.CmsgSpace(MaxFiles*4))}, nil
}

// Close ends the pair, for the other end too.
func (c *Conn) Close() error { return c.socket.Close() }

// SetDeadline bounds the time for all that is received and sent.
func (c *Conn) SetDeadline(t time.Time) error { return c.socket.SetDeadline(t) }

// Send sends a message with its files, which it does not close.
func (c *Conn) Send(m *Message) error {
	text, err := json.Marshal(m)
	switch {
	case err != nil:
		return fmt.Errorf("sending %q: %w", m.Type, err)
	case len(text) > MaxMessage || len(m.Files) > MaxFiles:
		return fmt.Errorf("sending %q: %d bytes and %d descriptors are too many: at most %d and %d", m.Type, len(text), len(m.Files), MaxMessage, MaxFiles)
	}
	rights, err := rightsFor(m.Files)
	if err != nil {
		return fmt.Errorf("sending %q: %w", m.Type, err)
	}
	defer runtime.KeepAlive(m)
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, _, err := c.socket.WriteMsgUnix(text, rights, nil); err != nil {
		return fmt.Errorf("sending %q: %w", m.Type, err)
	}
	return nil
}

// Receive waits for a message. At the end of the other process it returns [io.EOF].
func (c *Conn) Receive() (*Message, error) {
	n, nr, flags, _, err := c.socket.ReadMsgUnix(c.buffer, c.rights)
	files, ferr := rightsOf(c.rights[:nr])
	m := &Message{}
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET): // the latter: something that was sent was not read
		err = io.EOF
	case err != nil:
		err = fmt.Errorf("receiving: %w", err)
	case n > MaxMessage || flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0:
		err = fmt.Errorf("receiving: a message of more than %d bytes or %d descriptors", MaxMessage, MaxFiles)
	case ferr != nil:
		err = ferr
	default:
		m, err = decode(c.buffer[:n])
	}
	if err != nil {
		(&Message{Files: files}).CloseFiles()
		return nil, err
	}
	m.Files = files
	return m, nil
}

// decode reads the text of a message.
func decode(text []byte) (*Message, error) {
	m := &Message{}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("receiving: %w", err)
	}
	if m.Type == "" {
		return nil, errors.New("receiving: a message without a type")
	}
	return m, nil
}

// rightsFor makes a control message of descriptors. Their state is left alone: [os.File.Fd] would make sockets block that are in use.
func rightsFor(files []*os.File) ([]byte, error) {
	if len(files) == 0 {
		return nil, nil
	}
	fds := make([]int, len(files))
	for i, f := range files {
		rc, err := f.SyscallConn()
		if err == nil {
			err = rc.Control(func(fd uintptr) { fds[i] = int(fd) })
		}
		if err != nil {
			return nil, err
		}
	}
	return unix.UnixRights(fds...), nil
}

// rightsOf takes the descriptors out of control messages.
func rightsOf(control []byte) (files []*os.File, err error) {
	if len(control) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil, fmt.Errorf("receiving descriptors: %w", err)
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return files, fmt.Errorf("receiving descriptors: %w", err)
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), fmt.Sprintf("inherited descriptor %d", fd)))
		}
	}
	return files, nil
}

// Await receives until a message of one of the wanted types has come, and drops others. What the other process says to have failed with is
// an error.
func (c *Conn) Await(wanted ...Type) (*Message, error) {
	for {
		m, err := c.Receive()
		if err != nil {
			return nil, err
		}
		if m.Type == Failed {
			return nil, errors.New(m.Error)
		}
		if slices.Contains(wanted, m.Type) {
			return m, nil
		}
		m.CloseFiles()
	}
}

// maxChanges is how many changes a message has at the most.
const maxChanges = 64

// SendChanges sends changes of budgets, in as many messages as they take.
func (c *Conn) SendChanges(t Type, changes []admission.Change) error {
	for len(changes) > 0 {
		n := min(len(changes), maxChanges)
		if err := c.Send(&Message{Type: t, Changes: changes[:n]}); err != nil {
			return err
		}
		changes = changes[n:]
	}
	return nil
}

// Stream makes a pair of connected streams: one to use, and one to send to the other process.
func Stream() (ours *net.UnixConn, theirs *os.File, err error) {
	a, b, err := pair(unix.SOCK_STREAM)
	if err != nil {
		return nil, nil, err
	}
	ours, err = OpenStream(a)
	if err != nil {
		b.Close()
		return nil, nil, err
	}
	return ours, b, nil
}

// OpenStream makes a stream of a descriptor that was received, and closes the file.
func OpenStream(file *os.File) (*net.UnixConn, error) {
	c, err := net.FileConn(file)
	file.Close()
	if err != nil {
		return nil, fmt.Errorf("opening a stream: %w", err)
	}
	s, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, errors.New("opening a stream: it is no Unix socket")
	}
	return s, nil
}

func pair(kind int) (a, b *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("making a socket pair: %w", err)
	}
	for _, fd := range fds {
		_ = unix.SetNonblock(fd, true)
	}
	return os.NewFile(uintptr(fds[0]), "handover"), os.NewFile(uintptr(fds[1]), "handover"), nil
}
