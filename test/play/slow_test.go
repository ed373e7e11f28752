package play

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// slowClients each move a byte a second: in a request's head, in its body, or of a response.
type slowClients struct {
	kind  string
	conns []net.Conn
	group sync.WaitGroup

	mu       sync.Mutex
	answered map[string]int // by status
	closed   int            // without an answer, or within one
	response []byte         // the last answer's head
}

// slow opens slow clients, counts those that are still there, and waits until all were shown the door.
func slow(p *play, args []string) error {
	switch {
	case len(args) == 3:
		return p.slowly(args[0], args[1], args[2])
	case len(args) != 1:
		return errUsage
	case args[0] == "wait":
		for _, s := range p.slow {
			if err := s.wait(); err != nil {
				return err
			}
			p.tell(s.response)
		}
	case args[0] != "count":
		return errUsage
	}
	for _, s := range p.slow {
		fmt.Fprint(p.Stdout(), s.count())
	}
	return nil
}

func (p *play) slowly(kind, count, target string) error {
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 || n > 250 {
		return errUsage
	}
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	head := map[string]string{
		"heads":   "GET %s HTTP/1.1\r\nHost: slow\r\nSlow: ",
		"senders": "POST %s HTTP/1.1\r\nHost: slow\r\nContent-Length: 1000000\r\n\r\n",
		"readers": "GET %s HTTP/1.1\r\nHost: slow\r\n\r\n",
	}[kind]
	if head == "" {
		return errUsage
	}
	s := &slowClients{kind: kind, answered: make(map[string]int)}
	p.slow = append(p.slow, s)
	for range n {
		c, err := net.Dial("tcp", u.Host)
		if err != nil {
			return err
		}
		s.conns = append(s.conns, c)
		if _, err := fmt.Fprintf(c, head, u.RequestURI()); err != nil {
			return err
		}
		s.group.Go(func() { s.dawdle(c) })
	}
	return nil
}

// dawdle is one client's life.
func (s *slowClients) dawdle(c net.Conn) {
	defer c.Close()
	if s.kind == "readers" {
		s.read(c)
		return
	}
	over := make(chan struct{})
	defer close(over)
	go drip(c, over)
	s.listen(c)
}

// drip sends a byte a second.
func drip(c net.Conn, over <-chan struct{}) {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case <-second.C:
			if _, err := io.WriteString(c, "x"); err != nil {
				return
			}
		case <-over:
			return
		}
	}
}

// listen waits for an answer or the end, whichever comes first.
func (s *slowClients) listen(c net.Conn) {
	var head strings.Builder
	lines := bufio.NewReader(c)
	for {
		line, err := lines.ReadString('\n')
		head.WriteString(line)
		if err != nil || line == "\r\n" {
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if fields := strings.Fields(head.String()); len(fields) > 1 {
		s.answered[fields[1]]++
		s.response = []byte(head.String())
		return
	}
	s.closed++
}

// read takes a byte a second, until the connection is cut.
func (s *slowClients) read(c net.Conn) {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for one := make([]byte, 1); ; <-second.C {
		if _, err := c.Read(one); err == nil && established(c) {
			continue
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.closed++
		return
	}
}

// established tells whether the other side has not closed or reset c, which a slow reader would find out only after all that
// had arrived before.
func established(c net.Conn) bool {
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return false
	}
	ok := false
	err = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		ok = err == nil && info.State == unix.BPF_TCP_ESTABLISHED
	})
	return err == nil && ok
}

// wait waits until all are gone.
func (s *slowClients) wait() error {
	done := make(chan struct{})
	go func() {
		s.group.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-time.After(patience):
		return errors.New("some are still there:\n" + s.count())
	}
}

func (s *slowClients) count() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := len(s.conns) - s.closed
	var b strings.Builder
	for status, n := range s.answered {
		open -= n
		fmt.Fprintf(&b, "slow %s answered %s: %d\n", s.kind, status, n)
	}
	fmt.Fprintf(&b, "slow %s closed: %d\nslow %s open: %d\n", s.kind, s.closed, s.kind, open)
	return b.String()
}

func (s *slowClients) close() {
	for _, c := range s.conns {
		c.Close()
	}
	s.group.Wait()
}
