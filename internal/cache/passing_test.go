package cache

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/workers"
)

// passed is a flow whose response is not stored, after Compress.
func passed(p *Policy, f *flow.Flow, m *flow.Message) *flow.Flow {
	run(p, f, func(*flow.Flow) (*flow.Message, *flow.Refusal) { return m, nil })
	p.Compress(f)
	return f
}

// What is not stored is coded for who takes that, if it may be.
func TestCompress(t *testing.T) {
	const noStore, html, br = "Cache-Control: no-store", "Content-Type: text/html", "Accept-Encoding: br"
	page := strings.Repeat("a page ", 1000)
	tests := []struct {
		name     string
		request  []string
		response []string
		status   int
		body     string
		change   func(z *spec.Zone)
		want     httpcache.Coding
		vary     bool
	}{
		{name: "a page", request: []string{br}, want: httpcache.Brotli, vary: true},
		{name: "what it takes", request: []string{"Accept-Encoding: gzip, zstd;q=0.5"}, want: httpcache.Gzip, vary: true},
		{name: "takes none", request: []string{"Accept-Encoding: identity"}, vary: true},
		{name: "says nothing of codings"},
		{name: "an error", request: []string{br}, status: 500, want: httpcache.Brotli, vary: true},
		{name: "no-transform", request: []string{br}, response: []string{noStore + ", no-transform", html}},
		{name: "a request's no-transform", request: []string{br, "Cache-Control: no-transform"}, vary: true},
		{name: "a range", request: []string{br, "Range: bytes=0-9"}, vary: true},
		{name: "a part", request: []string{br}, status: 206},
		{name: "coded already", request: []string{br}, response: []string{noStore, html, "Content-Encoding: gzip"}},
		{name: "another type", request: []string{br}, response: []string{noStore, "Content-Type: image/png"}},
		{name: "short", request: []string{br}, body: "short"},
		{name: "varies already", request: []string{br}, response: []string{noStore, html, "Vary: Accept-Encoding"}, want: httpcache.Brotli},
		{name: "not wanted", request: []string{br}, change: func(z *spec.Zone) { z.Compression.Unstored = false }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pool := workers.New(workers.Options{Threads: 1, Queue: 10})
			defer pool.Close()
			p := compressing(t, pool, testSize, tt.change)
			if tt.response == nil {
				tt.response = []string{noStore, html}
			}
			m := response(max(tt.status, 200), page, append(tt.response, `ETag: "1"`, "Content-MD5: x")...)
			if tt.body != "" {
				m = response(200, tt.body, tt.response...)
			}
			f := passed(p, get("/a", tt.request...), m)
			got := f.Message()
			if f.Cache.Coding != tt.want || (tt.want != httpcache.Identity) != (got.Length < 0) {
				t.Errorf("got coding %v and length %d, want %v", f.Cache.Coding, got.Length, tt.want)
			}
			if vary := flow.Get(got.Fields, "vary") == "Accept-Encoding"; vary != (tt.vary || tt.name == "varies already") {
				t.Errorf("got Vary %q", flow.Get(got.Fields, "vary"))
			}
			body, err := read(f)
			switch {
			case err != nil:
				t.Fatal(err)
			case tt.want == httpcache.Identity:
				if flow.Get(got.Fields, "content-encoding") == tt.want.String() || flow.Get(got.Fields, "etag") == `W/"1"` || !strings.HasPrefix(page+"short", body) && body != tt.body {
					t.Errorf("got %d bytes with %v, want them untouched", len(body), got.Fields)
				}
			case flow.Get(got.Fields, "content-encoding") != tt.want.String() || flow.Get(got.Fields, "etag") != `W/"1"` || flow.Get(got.Fields, "content-md5") != "":
				t.Errorf("got %v", got.Fields)
			case len(body) > 500 || f.Cache.Uncoded != int64(len(page)):
				t.Errorf("got %d bytes for %d, want fewer", len(body), f.Cache.Uncoded)
			}
		})
	}
}

// What has been said comes out at once, a break is a break, and a response that is given up gives its place back.
func TestCompressStream(t *testing.T) {
	pool := workers.New(workers.Options{Threads: 1, Queue: 10})
	defer pool.Close()
	p := compressing(t, pool, testSize, nil)
	begin := func() (*flow.Flow, *scripted) {
		origin := newScripted(&flow.Abort{})
		m := &flow.Message{Status: 200, Length: -1, Stream: origin, Fields: lines("Cache-Control: no-store", "Content-Type: text/html")}
		return passed(p, get("/a", "Accept-Encoding: gzip"), m), origin
	}
	f, origin := begin()
	var coded bytes.Buffer
	for _, said := range []string{"one ", "two "} {
		origin.steps <- step{data: said}
		piece, err := f.Message().Stream.Next()
		if err != nil {
			t.Fatal(err)
		}
		coded.Write(piece)
	}
	d, err := gzip.NewReader(&coded)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 8)
	if _, err := io.ReadFull(d, got); err != nil || string(got) != "one two " {
		t.Errorf("got %q, %v, want what has been said by now", got, err)
	}
	broken := errors.New("broken off")
	origin.steps <- step{err: broken}
	if _, err := f.Message().Stream.Next(); err != broken {
		t.Errorf("got %v, want %v", err, broken)
	}
	f.Message().Stream.Close()
	f.Message().Stream.Close()
	if !origin.isClosed() || len(p.room.encoding.streams.places) != 0 {
		t.Errorf("the origin's is closed: %t, %d places are taken, want it closed, and none", origin.isClosed(), len(p.room.encoding.streams.places))
	}
	var all []*flow.Flow
	for range mostStreams + 1 {
		f, _ := begin()
		all = append(all, f)
	}
	if last := all[mostStreams]; last.Cache.Coding != httpcache.Identity {
		t.Errorf("one more than there may be: got %v, want it to pass as it is", last.Cache.Coding)
	}
	for _, f := range all {
		f.Message().Stream.Close()
	}
	if n := len(p.room.encoding.streams.places); n != 0 {
		t.Errorf("%d places are taken, want none", n)
	}
}

// While there is more important work, nothing is coded.
func TestCompressUnderPressure(t *testing.T) {
	pool := workers.New(workers.Options{Threads: 1, Queue: 10})
	defer pool.Close()
	p := compressing(t, pool, testSize, nil)
	p.room.encoding.streams.turns <- struct{}{} // half of the threads are at it
	f := passed(p, get("/a", "Accept-Encoding: br"), response(200, strings.Repeat("x", 5000), "Cache-Control: no-store", "Content-Type: text/html"))
	if f.Cache.Coding != httpcache.Identity || len(p.room.encoding.streams.places) != 0 {
		t.Errorf("got %v, want it to pass as it is", f.Cache.Coding)
	}
	if body, err := read(f); len(body) != 5000 || err != nil {
		t.Errorf("got %d bytes, %v, want 5000", len(body), err)
	}
}
