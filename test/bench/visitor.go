package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// A visitor asks for one thing after the other on a connection that stays, which may be a bare descriptor. It gives the net's clock no
// work: who opens the connection bounds it.
type visitor struct {
	conn    io.ReadWriter
	in      *bufio.Reader
	host    string
	request []byte
}

func newVisitor(conn io.ReadWriter, host string) *visitor {
	return &visitor{conn: conn, in: bufio.NewReader(conn), host: host}
}

// visit opens a visitor's connection, for some time at most.
func visit(ctx context.Context, address string, lasts time.Duration) (*visitor, net.Conn, error) {
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, nil, err
	}
	if err := c.SetDeadline(time.Now().Add(lasts)); err != nil {
		c.Close()
		return nil, nil, err
	}
	return newVisitor(c, address), c, nil
}

// get asks for a path and returns the head of the answer, which has to have a body of that size.
func (v *visitor) get(path string, size int) (http.Header, error) {
	v.request = append(append(append(append(v.request[:0], "GET "...), path...), " HTTP/1.1\r\nHost: "...), v.host...)
	v.request = append(v.request, "\r\n\r\n"...)
	if _, err := v.conn.Write(v.request); err != nil {
		return nil, err
	}
	res, err := http.ReadResponse(v.in, nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || n != int64(size)) {
		err = fmt.Errorf("%s: status %d with %d bytes: want 200 with %d", path, res.StatusCode, n, size)
	}
	return res.Header, err
}
