//go:build !linux

package loop

import (
	"errors"
	"net"
)

// Loop serves sockets on one goroutine.
type Loop struct{ spares []*Task }

// New fails: there is no epoll.
func New() (*Loop, error) { return nil, errors.ErrUnsupported }

// Run serves until Close.
func (l *Loop) Run() error { return errors.ErrUnsupported }

// Close ends Run.
func (l *Loop) Close() {}

// Do lets f run on the loop soon.
func (l *Loop) Do(func()) {}

type posted struct{ task *Task }

func (l *Loop) post(posted) {}

// Conn is a stream socket on a loop: there is none.
type Conn struct{ net.Conn }

// Take takes nothing over.
func (l *Loop) Take(net.Conn) *Conn { return nil }

// Attach makes t the task that waits.
func (c *Conn) Attach(*Task) {}

// Quiet tells whether nothing has arrived.
func (c *Conn) Quiet() bool { return false }

// Still tells whether nothing has arrived.
func (c *Conn) Still() bool { return false }

// ErrAgain tells that there is nothing to read now.
var ErrAgain = errors.New("not now")
