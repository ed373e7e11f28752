package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

const (
	floodWidth   = 128                    // handshakes that wait for the server at one time
	floodSources = 4096                   // addresses they come from, 127.16.0.0 to 127.16.15.255
	floodRise    = 300 * time.Millisecond // before what is measured beside the flood begins
	mostHellos   = 1_000_000              // of one flood
	calmRate     = 1000                   // requests a second whose latency is measured, quiet and beside the flood
)

// A flood is handshakes that are begun as fast as the server answers them, and never completed: the hello is real, so the server
// agrees on a key and signs, but the client, which only waits for that, has no work with it and is gone.
type flood struct {
	cancel context.CancelFunc
	done   chan error
	began  time.Time
	client *reconnector
}

// startFlood floods the server at address until it is stopped.
func startFlood(ctx context.Context, address string) (*flood, error) {
	hello, err := clientHello()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	client, err := newReconnector(address, hello, floodWidth)
	if err != nil {
		cancel()
		return nil, err
	}
	client.sources, client.forgiving = floodSources, true
	f := &flood{cancel: cancel, done: make(chan error, 1), began: time.Now(), client: client}
	go func() {
		defer client.close()
		var err error
		for err == nil && ctx.Err() == nil && client.ended() < mostHellos {
			err = client.step()
		}
		f.done <- err
	}()
	return f, nil
}

// stop ends the flood, and says how many hellos a second the server answered. One that answered none was not flooded.
func (f *flood) stop() (float64, error) {
	f.cancel()
	err := <-f.done
	if err == nil && f.client.answered == 0 {
		err = fmt.Errorf("none of %d hellos was answered", f.client.ended())
	}
	return float64(f.client.answered) / time.Since(f.began).Seconds(), err
}

// clientHello is what a client of the bench sends first. A server can't know that it has seen it before.
func clientHello() ([]byte, error) {
	var r helloRecorder
	if err := tls.Client(&r, clientTLS()).Handshake(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("make a hello: %w", err)
	}
	return r.sent.Bytes(), nil
}

// A helloRecorder is a connection whose other side hangs up after the first flight.
type helloRecorder struct {
	net.Conn
	sent bytes.Buffer
}

func (r *helloRecorder) Read([]byte) (int, error)         { return 0, io.EOF }
func (r *helloRecorder) Write(b []byte) (int, error)      { return r.sent.Write(b) }
func (r *helloRecorder) SetWriteDeadline(time.Time) error { return nil }
func (r *helloRecorder) Close() error                     { return nil }
