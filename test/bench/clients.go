package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

const (
	// handshakers is how many connections shake hands at one time.
	handshakers = 16
	// clientTimeout bounds each connection's handshake and request.
	clientTimeout = 5 * time.Second
)

// load puts the scenario's load on the server at address.
func (t *site) load(ctx context.Context, address string, duration time.Duration) (load, error) {
	switch t.scenario.client {
	case multiplexing:
		return h2load(ctx, t.url(address), t.scenario.conns, t.scenario.streams, duration)
	case handshaking:
		return t.shakeHands(ctx, address, duration)
	case reconnecting:
		return reconnect(ctx, address, t.request(address), duration)
	case flooding:
		return t.withstand(ctx, address, duration)
	case pacing:
		if t.rate > 0 {
			return t.pace(ctx, address, t.rate, duration)
		}
	}
	return wrk(ctx, t.url(address), t.scenario.objects, duration)
}

// request asks for the site's file.
func (t *site) request(address string) []byte {
	return []byte("GET " + t.path + " HTTP/1.1\r\nHost: " + address + "\r\n\r\n")
}

// shakeHands opens connections, each with a handshake and a request, handshakers at a time. Each handshake is a full one; where the
// scenario resumes, only each client's first.
func (t *site) shakeHands(ctx context.Context, address string, duration time.Duration) (load, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var clients sync.WaitGroup
	counts := make([]int, handshakers)
	began := time.Now()
	for i := range counts {
		clients.Go(func() {
			config := clientTLS()
			if t.scenario.resume {
				config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
			}
			for time.Since(began) < duration && ctx.Err() == nil {
				c, err := t.ask(ctx, address, nil, config, t.scenario.resume && counts[i] > 0)
				if err != nil {
					cancel(err)
					return
				}
				c.Close()
				counts[i]++
			}
		})
	}
	clients.Wait()
	l := load{elapsed: time.Since(began)}
	for _, n := range counts {
		l.requests += n
	}
	if err := context.Cause(ctx); err != nil {
		return load{}, err
	}
	return l, nil
}

// ask opens a connection from an address (nil for any), asks for the site's file, and leaves the connection open. Over TLS it
// resumes a session or doesn't.
func (t *site) ask(ctx context.Context, address string, from net.IP, config *tls.Config, resume bool) (*net.TCPConn, error) {
	ctx, cancel := context.WithTimeout(ctx, clientTimeout)
	defer cancel()
	raw, c, err := t.connect(ctx, address, from, config)
	if err != nil {
		return nil, err
	}
	if t.scenario.http2 {
		err = t.talkHTTP2(c, address)
	} else {
		err = t.talk(c, address)
	}
	if secured, ok := c.(*tls.Conn); ok && err == nil && secured.ConnectionState().DidResume != resume {
		err = fmt.Errorf("a session was resumed: %t: want %t", !resume, resume)
	}
	if err != nil {
		raw.Close()
		return nil, err
	}
	return raw, nil
}

// connect opens a connection from an address (nil for any), for the time that a client has. Closed, it is reset, so that neither side
// keeps its state. What it returns beside it is where to talk: over TLS it has shaken hands as the config says.
func (t *site) connect(ctx context.Context, address string, from net.IP, config *tls.Config) (*net.TCPConn, net.Conn, error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}
	c, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, nil, err
	}
	raw := c.(*net.TCPConn)
	err = errors.Join(raw.SetLinger(0), raw.SetDeadline(time.Now().Add(clientTimeout)))
	if err == nil && t.scenario.tls {
		secured := tls.Client(raw, config)
		c, err = secured, secured.HandshakeContext(ctx)
		if got := secured.ConnectionState().NegotiatedProtocol; err == nil && t.scenario.http2 && got != http2.NextProtoTLS {
			err = fmt.Errorf("%w: ALPN gave %q", errNoHTTP2, got)
		}
	}
	if err != nil {
		raw.Close()
		return nil, nil, err
	}
	return raw, c, nil
}

// talk sends the request and reads the answer.
func (t *site) talk(c net.Conn, address string) error {
	if _, err := c.Write(t.request(address)); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || n != int64(len(t.body))) {
		err = fmt.Errorf("status %d with %d bytes: want 200 with %d", res.StatusCode, n, len(t.body))
	}
	return err
}
