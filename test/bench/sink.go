package main

import (
	"io"
	"net"
	"os"
	"sync"
)

// A sink takes logs over TCP and appends them to a file, as a log daemon would.
type sink struct {
	listener net.Listener
	mu       sync.Mutex
	conns    []net.Conn
	done     sync.WaitGroup
}

func newSink(path string) (*sink, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		l.Close()
		return nil, err
	}
	s := &sink{listener: l}
	s.done.Go(func() {
		defer file.Close()
		var copies sync.WaitGroup
		defer copies.Wait()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, c)
			s.mu.Unlock()
			copies.Go(func() {
				defer c.Close()
				io.Copy(file, c) //nolint:errcheck // until the server has gone: what is missing shows in the table
			})
		}
	})
	return s, nil
}

func (s *sink) address() string { return s.listener.Addr().String() }

// stop ends what is still open, and returns when the file is complete.
func (s *sink) stop() {
	s.listener.Close()
	s.mu.Lock()
	for _, c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.done.Wait()
}
