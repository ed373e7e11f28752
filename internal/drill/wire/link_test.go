package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer server.Close()
		l := &link{Conn: client}
		defer l.Close()
		go server.Write(make([]byte, 5000))
		start := time.Now()
		l.slow(1000)
		if _, err := io.ReadFull(l, make([]byte, 5000)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("5000 bytes took %v at 1000 a second", took)
		}
	})
}

// deadlines counts how often they are set.
type deadlines struct {
	net.Conn
	set []time.Time
}

func (d *deadlines) SetDeadline(t time.Time) error {
	d.set = append(d.set, t)
	return nil
}

func TestDeadlinesAreCoarse(t *testing.T) {
	var d deadlines
	l := &link{Conn: &d}
	start := time.Unix(1_800_000_000, 0)
	for i := range 1000 {
		want := start.Add(time.Duration(i) * time.Millisecond)
		l.until(want)
		if got := d.set[len(d.set)-1]; got.Before(want) || got.Sub(want) > coarse {
			t.Fatalf("deadline %v of one at %v", got, want)
		}
	}
	if len(d.set) != 8 {
		t.Errorf("set %d times in a second, want 8", len(d.set))
	}
	l.until(time.Time{})
	if got := d.set[len(d.set)-1]; !got.IsZero() {
		t.Errorf("deadline %v of none", got)
	}
}

// silent connects a client with a server that takes what comes and says nothing.
func silent(t *testing.T) *Conn {
	client, server := net.Pipe()
	go io.Copy(io.Discard, server)
	l := &link{Conn: client}
	t.Cleanup(func() { server.Close() })
	return &Conn{stream: l, link: l, software: golang(nil), in: reader{source: l}, reusable: true}
}

func TestSilence(t *testing.T) {
	wait := func(name string, ask func(ctx context.Context, c *Conn) error, want error, latest time.Duration) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := silent(t)
				defer c.Close()
				start := time.Now()
				err := ask(t.Context(), c)
				if took := time.Since(start); !errors.Is(err, want) || took < time.Second || took > latest || c.Reusable() {
					t.Errorf("got %v after %v, reusable %v, want %v within %v", err, took, c.Reusable(), want, latest)
				}
			})
		})
	}
	wait("shoot", func(parent context.Context, c *Conn) error {
		return c.Shoot(time.Now().Add(time.Second), []byte("GET / HTTP/1.1\r\n\r\n"), &Response{})
	}, os.ErrDeadlineExceeded, time.Second+coarse)
	wait("deadline", func(parent context.Context, c *Conn) error {
		ctx, cancel := context.WithTimeout(parent, time.Second)
		defer cancel()
		return c.Do(ctx, &Request{Path: "/"}, &Response{}, nil)
	}, context.DeadlineExceeded, time.Second)
	wait("cancel", func(parent context.Context, c *Conn) error {
		ctx, cancel := context.WithCancel(parent)
		time.AfterFunc(time.Second, cancel)
		return c.Do(ctx, &Request{Path: "/"}, &Response{}, nil)
	}, context.Canceled, time.Second)
}
