package h2

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// TestResponses writes responses by hand and has x/net read them.
func TestResponses(t *testing.T) {
	tests := []struct {
		name  string
		write func(s *Server, out []byte) []byte
		want  []string
	}{
		{"a head alone", func(s *Server, out []byte) []byte { return s.AppendHeaders(out, 1, 204, nil, -1, true) },
			[]string{"headers 1 :status=204 end"}},
		{"content-length", func(s *Server, out []byte) []byte {
			return s.AppendHeaders(s.AppendHeaders(out, 1, 200, []Field{{"a", "b"}}, 1<<63-1, false), 1, 200, nil, 0, true)
		}, []string{"headers 1 :status=200 a=b content-length=9223372036854775807", "headers 1 :status=200 content-length=0 end"}},
		{"names in lower case", func(s *Server, out []byte) []byte {
			return s.AppendHeaders(out, 1, 200, []Field{{"Content-Type", "text/plain"}, {"X-CACHE-Status_Of^Mine", "Hit"}, {"x-empty", ""}}, -1, true)
		}, []string{"headers 1 :status=200 content-type=text/plain x-cache-status_of^mine=Hit x-empty= end"}},
		{"connection-specific fields left out", func(s *Server, out []byte) []byte {
			return s.AppendHeaders(out, 1, 200, []Field{{"Connection", "close"}, {"keep-alive", "timeout=5"}, {"Proxy-Connection", "x"},
				{"Transfer-Encoding", "chunked"}, {"UPGRADE", "h2c"}, {"te", "trailers"}, {"server", "x"}}, -1, true)
		}, []string{"headers 1 :status=200 server=x end"}},
		{"interim, content and trailers", func(s *Server, out []byte) []byte {
			out = s.AppendInfo(out, 1, 103, []Field{{"Link", "</a>"}})
			out = s.AppendHeaders(out, 1, 200, nil, -1, false)
			out, _ = s.AppendData(out, 1, []byte("hello"), false)
			return s.AppendTrailers(out, 1, []Field{{"Grpc-Status", "0"}})
		}, []string{"headers 1 :status=103 link=</a>", "headers 1 :status=200", "data 1 5", "headers 1 grpc-status=0 end"}},
		{"trailers, none", func(s *Server, out []byte) []byte {
			return s.AppendTrailers(s.AppendHeaders(out, 1, 200, nil, -1, false), 1, nil)
		}, []string{"headers 1 :status=200", "data 1 0 end"}},
		{"an end without content", func(s *Server, out []byte) []byte {
			out, _ = s.AppendData(s.AppendHeaders(out, 1, 200, nil, -1, false), 1, nil, true)
			return out
		}, []string{"headers 1 :status=200", "data 1 0 end"}},
		{"nothing", func(s *Server, out []byte) []byte {
			out, _ = s.AppendData(out, 1, nil, false)
			return out
		}, nil},
		{"nothing after the end", func(s *Server, out []byte) []byte {
			out = s.AppendHeaders(out, 1, 200, nil, -1, true)
			out = s.AppendInfo(out, 1, 103, nil)
			out = s.AppendHeaders(out, 1, 200, nil, -1, true)
			out, _ = s.AppendData(out, 1, []byte("x"), true)
			return s.AppendReset(s.AppendTrailers(out, 1, nil), 1, Cancel)
		}, []string{"headers 1 :status=200 end"}},
		{"nothing on a stream that isn't there", func(s *Server, out []byte) []byte {
			return s.AppendReset(s.AppendHeaders(out, 3, 200, nil, -1, true), 3, Cancel)
		}, nil},
		{"a reset", func(s *Server, out []byte) []byte {
			return s.AppendHeaders(s.AppendReset(out, 1, InternalError), 1, 200, nil, -1, true)
		}, []string{"reset 1 INTERNAL_ERROR"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := dial(t, nil)
			p.send(p.get(1))
			p.told = nil
			p.answers.Write(tt.write(p.s, nil))
			p.want(tt.want...)
			p.wantTold()
			p.check()
		})
	}
}

// TestEarlyEnd answers before the request is complete.
func TestEarlyEnd(t *testing.T) {
	p := dial(t, nil)
	p.answer = func(out []byte, r *Request) []byte { return p.s.AppendHeaders(out, r.ID, 413, nil, -1, true) }
	p.send(p.post(1), dataFrame(1, "hello", false))
	p.answers.Write(p.s.AppendReset(nil, 1, NoError)) // the rest isn't needed
	p.send(dataFrame(1, "hello", true), p.post(3), dataFrame(3, "hello", true))
	p.want("headers 1 :status=413 end", "reset 1 NO_ERROR", "headers 3 :status=413 end")
	p.wantTold("headers 1 "+postTold, "headers 3 "+postTold, `content 3 "hello"`)
	if p.s.Streams() != 0 {
		t.Errorf("got %d streams, want none", p.s.Streams())
	}
}

// TestStatus writes every status that there may be.
func TestStatus(t *testing.T) {
	dec := hpack.NewDecoder(4096, nil)
	for status := 100; status <= 999; status++ {
		fields, err := dec.DecodeFull(appendStatus(nil, status))
		if err != nil || len(fields) != 1 || fields[0].Name != ":status" || fields[0].Value != fmt.Sprint(status) {
			t.Errorf("%d: got %v, %v", status, fields, err)
		}
	}
}

// TestKnownNames compares the names that are written by index to those of x/net's table.
func TestKnownNames(t *testing.T) {
	dec := hpack.NewDecoder(4096, nil)
	for length, names := range knownNames {
		for _, k := range names {
			if len(k.name) != length {
				t.Errorf("%s is among the names of %d bytes", k.name, length)
			}
			for _, name := range []string{k.name, strings.ToUpper(k.name)} {
				got := appendField(nil, name, "v")
				if k.index == 0 {
					if len(got) > 0 {
						t.Errorf("%s: got %q, want nothing", name, got)
					}
					continue
				}
				fields, err := dec.DecodeFull(got)
				if err != nil || len(fields) != 1 || fields[0].Name != k.name || fields[0].Value != "v" || len(got) > 4 {
					t.Errorf("%s: got %v of %q, %v", name, fields, got, err)
				}
			}
		}
	}
}

// TestLongSections splits field sections into frames at each byte around their bounds.
func TestLongSections(t *testing.T) {
	sizes := []int{1 << 16, 1 << 20}
	for _, edge := range []int{maxFrame, 2 * maxFrame, 3 * maxFrame} {
		for d := -8; d <= 2; d++ {
			sizes = append(sizes, edge+d)
		}
	}
	for _, size := range sizes {
		p := dial(t, nil)
		p.framer.MaxHeaderListSize = 1 << 21
		p.send(p.get(1))
		value := strings.Repeat("x", size)
		p.answers.Write(p.s.AppendHeaders([]byte{}, 1, 200, []Field{{"Via", value}, {"x-last", "y"}}, -1, true))
		p.want("headers 1 :status=200 via=" + value + " x-last=y end")
	}
}

// TestLengths writes strings of every length around the bounds of their encoding.
func TestLengths(t *testing.T) {
	dec := hpack.NewDecoder(4096, nil)
	for _, n := range []int{0, 1, 126, 127, 128, 254, 255, 256, 16510, 16511, 16512, 1 << 21} {
		name, value := "x"+strings.Repeat("N", n), strings.Repeat("v", n)
		fields, err := dec.DecodeFull(appendField(nil, name, value))
		if err != nil || len(fields) != 1 || fields[0].Name != strings.ToLower(name) || fields[0].Value != value {
			t.Errorf("%d: got %d fields, %v", n, len(fields), err)
		}
	}
}

// TestTableShrinks confirms once that the table which the client doesn't want is empty (RFC 7541 §4.2).
func TestTableShrinks(t *testing.T) {
	p := dial(t, nil)
	p.answer = func(out []byte, r *Request) []byte {
		return p.s.AppendHeaders(out, r.ID, 200, []Field{{"a", "b"}}, -1, true)
	}
	plain := raw(typeHeaders, flagEndHeaders|flagEndStream, 1, "\x88\x00\x01a\x01b")
	shrunk := raw(typeHeaders, flagEndHeaders|flagEndStream, 1, "\x20\x88\x00\x01a\x01b")
	tests := []struct {
		name string
		send []byte
		want []byte
	}{
		{"the default", nil, plain},
		{"a larger one", settingsFrame(Setting{settingTableSize, 65536}), plain},
		{"a smaller one", settingsFrame(Setting{settingTableSize, 4095}), shrunk},
		{"said already", nil, plain},
		{"none", settingsFrame(Setting{settingTableSize, 0}, Setting{settingTableSize, 4096}), plain},
	}
	for i, tt := range tests {
		id := uint32(2*i + 1)
		_, out, err := p.s.Feed(append(slices.Clone(tt.send), p.get(id)...), nil, p.now)
		tt.want[8] = byte(id)
		if err != nil || !strings.HasSuffix(string(out), string(tt.want)) {
			t.Errorf("%s: got %q, want %q at its end (%v)", tt.name, out, tt.want, err)
		}
		tt.want[8] = 0
	}
}

// TestAllocations wants a hit to cost nothing that an attacker could multiply.
func TestAllocations(t *testing.T) {
	h := &hitter{body: make([]byte, 1024)}
	h.s = NewServer(new(Settings), h)
	p := newPeer(t, nil)
	out := make([]byte, 0, 1<<16)
	now := p.now
	feed := func(in []byte) {
		if _, _, err := h.s.Feed(in, out, now); err != nil {
			t.Fatal(err)
		}
	}
	feed(append([]byte(Preface), settingsFrame(Setting{settingWindow, maxWindow})...))
	feed(p.get(1))
	in, id := p.get(3), uint32(3)
	got := testing.AllocsPerRun(1000, func() {
		now = now.Add(1e9)
		in[5], in[6], in[7], in[8] = byte(id>>24), byte(id>>16), byte(id>>8), byte(id)
		id += 2
		feed(in)
		feed(windowFrame0)
	})
	if got > 0 {
		t.Errorf("got %v allocations, want none", got)
	}
}

var windowFrame0 = windowFrame(0, 1024)
