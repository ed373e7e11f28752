package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// serveHTTP2 answers a site's file of so many bytes over HTTP/2, or over HTTP/1.1 alone.
func serveHTTP2(t *testing.T, size int, speaks bool) (*site, string) {
	t.Helper()
	site := &site{
		scenario: scenario{size: size, cacheable: true, tls: true, http2: true},
		path:     "/cacheable/" + strconv.Itoa(size), body: bytes.Repeat([]byte("seawall\n"), size/8),
	}
	path := site.path
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			http.NotFound(w, r)
			return
		}
		w.Write(site.body)
	}))
	server.EnableHTTP2 = speaks
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	server.StartTLS()
	t.Cleanup(server.Close)
	return site, server.Listener.Addr().String()
}

func TestAskHTTP2(t *testing.T) {
	tests := []struct {
		name, path string // another than the site's
		speaks     bool
		err        string // within the error; empty for none
	}{
		{name: "answered", speaks: true},
		{name: "missing", path: "/missing", speaks: true, err: "status 404"},
		{name: "HTTP/1.1", err: "does not speak HTTP/2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			site, address := serveHTTP2(t, 1<<10, tt.speaks)
			if tt.path != "" {
				site.path = tt.path
			}
			c, err := site.ask(t.Context(), address, nil, site.scenario.clientTLS(), false)
			if err == nil {
				defer c.Close()
			}
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got error %v, want one with %q", err, tt.err)
			}
			if got := errors.Is(err, errNoHTTP2); got == tt.speaks {
				t.Errorf("got error %v, about the protocol: %t: want %t", err, got, !tt.speaks)
			}
		})
	}
}

// What a server sends comes through a pipe: the head of the first stream's answer, and then what differs.
func TestHTTP2Conn(t *testing.T) {
	data := func(n int, end bool) func(*http2.Framer) error {
		return func(f *http2.Framer) error { return f.WriteData(1, end, make([]byte, n)) }
	}
	tests := []struct {
		name  string
		sends []func(*http2.Framer) error
		err   string // within the error; empty for none
	}{
		{name: "in pieces", sends: []func(*http2.Framer) error{data(8, false), data(8, true)}},
		{name: "what it may send meanwhile", sends: []func(*http2.Framer) error{
			func(f *http2.Framer) error { return f.WriteSettings() },
			func(f *http2.Framer) error { return f.WriteSettingsAck() },
			func(f *http2.Framer) error { return f.WritePing(false, [8]byte{1}) },
			func(f *http2.Framer) error { return f.WriteWindowUpdate(0, 1) },
			data(16, true),
		}},
		{name: "too short", sends: []func(*http2.Framer) error{data(15, true)}, err: "status 200 with 15 bytes"},
		{name: "beyond the window", sends: []func(*http2.Framer) error{data(17, true)}, err: "17 bytes on a stream: its window allows 16"},
		{name: "after the end", sends: []func(*http2.Framer) error{data(0, true), data(16, true)}, err: "with 0 bytes"},
		{name: "another stream's", sends: []func(*http2.Framer) error{
			func(f *http2.Framer) error { return f.WriteData(3, true, nil) },
		}, err: "unexpected [FrameHeader DATA"},
		{name: "reset", sends: []func(*http2.Framer) error{
			func(f *http2.Framer) error { return f.WriteRSTStream(1, http2.ErrCodeCancel) },
		}, err: "unexpected [FrameHeader RST_STREAM"},
		{name: "goodbye", sends: []func(*http2.Framer) error{
			func(f *http2.Framer) error { return f.WriteGoAway(1, http2.ErrCodeNo, nil) },
		}, err: "unexpected [FrameHeader GOAWAY"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ours, theirs := net.Pipe()
			defer ours.Close()
			defer theirs.Close()
			ours.SetDeadline(time.Now().Add(clientTimeout))
			go io.Copy(io.Discard, theirs) // until the pipe closes
			h, err := newHTTP2Conn(ours, 16)
			if err != nil {
				t.Fatal(err)
			}
			s, err := h.request("bench", "/")
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				f := http2.NewFramer(theirs, nil)
				var head bytes.Buffer
				hpack.NewEncoder(&head).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
				f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head.Bytes(), EndHeaders: true})
				for _, send := range tt.sends {
					if send(f) != nil {
						return // the test has ended
					}
				}
			}()
			if err = h.until(func() bool { return s.ended }); err == nil {
				err = s.verify(16)
			}
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got error %v, want one with %q", err, tt.err)
			}
		})
	}
}
