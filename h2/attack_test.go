package h2

import (
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"
)

// An attack repeats a step until the connection ends. most is how many steps that takes at most, in a second.
type attack struct {
	name   string
	begin  func(p *peer) []byte
	step   func(p *peer, i int) []byte
	most   int
	reason string
}

// id is the stream of an attack's step.
func id(i int) uint32 { return uint32(2*i + 1) }

func answer204(p *peer) {
	p.answer = func(out []byte, r *Request) []byte { return p.s.AppendHeaders(out, r.ID, 204, nil, -1, r.End) }
}

// ask opens streams whose responses never end.
func ask(streams int) func(p *peer) []byte {
	return func(p *peer) []byte {
		return repeat(streams, func(i int) []byte { return p.get(id(i)) })
	}
}

// sendForever answers each request with content without end.
func sendForever(p *peer) {
	body := make([]byte, 1<<16)
	p.write = func(out []byte, id uint32) []byte {
		out, _ = p.s.AppendData(out, id, body, false)
		return out
	}
	p.answer = func(out []byte, r *Request) []byte {
		return p.write(p.s.AppendHeaders(out, r.ID, 200, nil, -1, false), r.ID)
	}
}

// attacks are those that HTTP/2 is known for, and what of a budget each meets.
var attacks = []attack{
	{"Rapid Reset, CVE-2023-44487", nil,
		func(p *peer, i int) []byte { return append(p.get(id(i)), resetFrame(id(i), Cancel)...) }, 351, "too many resets"},
	{"Rapid Reset after the answer", func(p *peer) []byte { answer204(p); return nil },
		func(p *peer, i int) []byte { return append(p.get(id(i)), resetFrame(id(i), Cancel)...) }, 351, "too many resets"},
	{"Rapid Reset of streams above the limit", ask(100),
		func(p *peer, i int) []byte { return p.get(id(100 + i)) }, 221, "too many streams refused"},
	{"MadeYouReset by window overflow, CVE-2025-8671", nil,
		func(p *peer, i int) []byte { return append(p.get(id(i)), windowFrame(id(i), maxWindow)...) }, 53, "too many stream errors"},
	{"MadeYouReset by window of nothing", nil,
		func(p *peer, i int) []byte { return append(p.get(id(i)), windowFrame(id(i), 0)...) }, 53, "too many stream errors"},
	{"MadeYouReset by content after the end", nil,
		func(p *peer, i int) []byte { return append(p.get(id(i)), dataFrame(id(i), "x", true)...) }, 53, "too many stream errors"},
	{"MadeYouReset by headers after the end", nil,
		func(p *peer, i int) []byte { return append(p.get(id(i)), p.get(id(i))...) }, 53, "too many stream errors"},
	{"MadeYouReset by a short priority", nil,
		func(p *peer, i int) []byte { return append(p.get(id(i)), raw(typePriority, 0, id(i), "x")...) }, 53, "too many stream errors"},
	{"MadeYouReset by priority on itself", nil,
		func(p *peer, i int) []byte {
			return append(p.get(id(i)), raw(typePriority, 0, id(i), []byte{0, 0, byte(id(i) >> 8), byte(id(i)), 0})...)
		}, 53, "too many stream errors"},
	{"MadeYouReset by more content than declared", nil,
		func(p *peer, i int) []byte {
			return append(p.post(id(i), Field{"content-length", "1"}), dataFrame(id(i), "xx", false)...)
		}, 53, "too many stream errors"},
	{"malformed requests", nil, func(p *peer, i int) []byte { return p.get(id(i), Field{"connection", "close"}) }, 53, "too many stream errors"},
	{"requests without names", nil, func(p *peer, i int) []byte { return p.get(id(i), Field{"", ""}) }, 53, "too many stream errors"},
	{"content on a closed stream", func(p *peer) []byte { return append(p.post(1), resetFrame(1, Cancel)...) },
		func(p *peer, i int) []byte { return dataFrame(1, "x", false) }, 53, "too many stream errors"},

	{"CONTINUATION flood, CVE-2024-27316", func(p *peer) []byte { return raw(typeHeaders, 0, 1, "\x82") },
		func(p *peer, i int) []byte { return raw(typeContinuation, 0, 1, "\x84") }, 9, "too many continuations"},
	{"CONTINUATION flood of large frames", func(p *peer) []byte { return raw(typeHeaders, 0, 1, "\x82") },
		func(p *peer, i int) []byte { return raw(typeContinuation, 0, 1, make([]byte, maxFrame)) }, 2, "field section too large"},
	{"CONTINUATION, empty", func(p *peer) []byte { return raw(typeHeaders, 0, 1, "") },
		func(p *peer, i int) []byte { return raw(typeContinuation, 0, 1, "") }, 9, "too many continuations"},
	{"empty HEADERS", nil, func(p *peer, i int) []byte {
		return append(raw(typeHeaders, flagEndStream, id(i), ""), raw(typeContinuation, flagEndHeaders, id(i), p.encode(request("GET")...))...)
	}, 111, "too many empty frames"},
	{"empty DATA, CVE-2019-9518", func(p *peer) []byte { return p.post(1) },
		func(p *peer, i int) []byte { return dataFrame(1, "", false) }, 111, "too many empty frames"},
	{"DATA of padding alone", func(p *peer) []byte { return p.post(1) },
		func(p *peer, i int) []byte { return raw(typeData, flagPadded, 1, "\x01\x00") }, 111, "too many empty frames"},

	{"SETTINGS flood, CVE-2019-9515", nil, func(p *peer, i int) []byte { return settingsFrame() }, 22, "too many settings frames"},
	{"SETTINGS acknowledged for nothing", nil, func(p *peer, i int) []byte { return settingsAck() }, 22, "too many settings frames"},
	{"SETTINGS without end, CVE-2020-11080", nil, func(p *peer, i int) []byte { return settingsFrame(make([]Setting, 65)...) }, 1, "too many settings"},
	{"PING flood, CVE-2019-9512", nil, func(p *peer, i int) []byte { return raw(typePing, 0, 0, "12345678") }, 1201, "too many pings"},
	{"PING answered for nothing", nil, func(p *peer, i int) []byte { return raw(typePing, flagAck, 0, "12345678") }, 1201, "too many pings"},
	{"PRIORITY flood, CVE-2019-9513", nil, func(p *peer, i int) []byte { return raw(typePriority, 0, 1, "\x00\x00\x00\x03\x00") }, 601, "too many priority frames"},
	{"PRIORITY_UPDATE flood", nil, func(p *peer, i int) []byte { return priorityUpdate(id(i), "u=1") }, 601, "too many priority frames"},
	{"unknown frames", nil, func(p *peer, i int) []byte { return raw(0xbb, 0, 0, "") }, 111, "too many unknown frames"},
	{"GOAWAY flood", nil, func(p *peer, i int) []byte { return raw(typeGoAway, 0, 0, make([]byte, 8)) }, 111, "too many unknown frames"},
	{"resets of a closed stream", func(p *peer) []byte { return p.get(1) },
		func(p *peer, i int) []byte { return resetFrame(1, Cancel) }, 351, "too many resets"},
	{"changes of the table's size", func(p *peer) []byte { answer204(p); return nil },
		func(p *peer, i int) []byte {
			return raw(typeHeaders, flagEndHeaders|flagEndStream, id(i), "\x20"+string(p.encode(Field{":method", "GET"}, Field{":path", "/"}, Field{":scheme", "http"}))+"\x01\x01a")
		}, 22, "too many table size updates"},

	{"window updates", nil, func(p *peer, i int) []byte { return windowFrame(0, 1) }, 551, "too many window updates"},
	{"tiny windows of streams, CVE-2019-9511", func(p *peer) []byte {
		sendForever(p)
		return append(settingsFrame(Setting{settingWindow, 0}), ask(100)(p)...)
	}, func(p *peer, i int) []byte { return windowFrame(id(i%100), 1) }, 211, "too many small frames"},
	{"tiny window of the connection, CVE-2019-9517", func(p *peer) []byte {
		sendForever(p)
		return append(settingsFrame(Setting{settingWindow, maxWindow}), ask(100)(p)...)
	}, func(p *peer, i int) []byte { return windowFrame(0, 1) }, 211, "too many small frames"},
	{"tiny windows by settings", func(p *peer) []byte {
		sendForever(p)
		return append(settingsFrame(Setting{settingWindow, 0}), ask(100)(p)...)
	}, func(p *peer, i int) []byte { return settingsFrame(Setting{settingWindow, uint32(i + 1)}) }, 3, "too many small frames"},
}

// TestAttacks plays each attack for a second, and wants it to end with its budget, cheaply, and with what it deserves.
func TestAttacks(t *testing.T) {
	for _, tt := range attacks {
		t.Run(tt.name, func(t *testing.T) {
			p := dial(t, nil)
			if tt.begin != nil {
				p.send(tt.begin(p))
			}
			steps := 0
			for p.err == nil && steps < 10*tt.most {
				p.now = p.now.Add(time.Second / time.Duration(10*tt.most))
				p.send(tt.step(p, steps))
				steps++
			}
			p.wantFailed(EnhanceYourCalm, tt.reason)
			if steps > tt.most {
				t.Errorf("got an end after %d steps, want %d at most", steps, tt.most)
			}
			if p.s.Spent() == 0 && tt.most > 10 {
				t.Error("got nothing spent")
			}
			lines := p.read()
			if last := lines[len(lines)-1]; !strings.HasSuffix(last, " ENHANCE_YOUR_CALM") || !strings.HasPrefix(last, "goaway") {
				t.Errorf("got %s sent last, want goaway", last)
			}
		})
	}
}

// TestPeaceful plays what clients do in a long life, which must not end.
func TestPeaceful(t *testing.T) {
	tests := []struct {
		name  string
		spent bool // what costs a server
		step  func(p *peer, i int) []byte
	}{
		{"requests, and what they got given back", false, func(p *peer, i int) []byte {
			return append(p.get(id(i)), append(windowFrame(id(i), 1024), windowFrame(0, 1024)...)...)
		}},
		{"a page left now and then", true, func(p *peer, i int) []byte {
			if i%1000 > 100 {
				return append(p.get(id(i)), windowFrame(0, 1024)...)
			}
			return append(p.get(id(i)), resetFrame(id(i), Cancel)...)
		}},
		{"not modified, with a window for each", false, func(p *peer, i int) []byte {
			answer204(p)
			return append(p.get(id(i)), windowFrame(id(i), 1<<20)...)
		}},
		{"uploads", false, func(p *peer, i int) []byte {
			return append(append(p.post(id(i)), dataFrame(id(i), strings.Repeat("x", 5000), true)...), windowFrame(0, 1024)...)
		}},
		{"a ping for each piece", false, func(p *peer, i int) []byte {
			return append(p.get(id(i)), append(raw(typePing, 0, 0, "12345678"), windowFrame(0, 1024)...)...)
		}},
		{"large pages, each read in small steps as Go's client does", false, func(p *peer, i int) []byte {
			p.answer = func(out []byte, r *Request) []byte {
				out, _ = p.s.AppendData(p.s.AppendHeaders(out, r.ID, 200, nil, -1, false), r.ID, make([]byte, maxFrame), true)
				return out
			}
			return append(p.get(id(i)), repeat(4, func(int) []byte { return append(windowFrame(0, 4096), windowFrame(id(i), 4096)...) })...)
		}},
		{"priorities", false, func(p *peer, i int) []byte {
			return append(append(priorityUpdate(id(i), "u=1"), p.get(id(i))...), windowFrame(0, 1024)...)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := dial(t, nil, Setting{settingWindow, 1 << 20})
			p.send(settingsAck(), windowFrame(0, 1<<20), raw(typePriority, 0, 3, "\x00\x00\x00\x00\xc9"))
			p.grant = true
			body := make([]byte, 1024)
			p.answer = func(out []byte, r *Request) []byte {
				out = p.s.AppendHeaders(out, r.ID, 200, nil, -1, false)
				out, _ = p.s.AppendData(out, r.ID, body, true)
				return out
			}
			for i := 0; i < 5000 && p.err == nil; i++ {
				p.now = p.now.Add(time.Second / 80)
				p.send(tt.step(p, i))
				p.answers.Reset()
				p.told, p.content = p.told[:0], nil
			}
			if got := p.s.Spent(); got > 0 != tt.spent {
				t.Errorf("got %d spent", got)
			}
			if p.err != nil {
				t.Errorf("got %v after %v", p.err, p.now.Sub(time.Unix(1e9, 0)))
			}
		})
	}
}

// TestBombs sends field sections that are small on the wire and large in memory (CVE-2016-6581), and wants them to cost
// neither memory nor time beyond their size on the wire.
func TestBombs(t *testing.T) {
	entry := Field{"x", strings.Repeat("v", 4000)}
	huffman := string(hpack.AppendHuffmanString(nil, strings.Repeat("0", 25000)))
	literal := func(first byte, name, value string) string {
		return string(appendLength([]byte{first}, len(name))) + name + string(appendLength(nil, len(value))) + value
	}
	const tooMany = "too many field lines"
	tests := []struct {
		name  string
		begin []Field
		line  string
		lines int
		end   string
	}{
		{"references to a big entry", []Field{entry}, "\xbe", 1000, ""},
		{"too many references to a big entry", []Field{entry}, "\xbe", 16000, tooMany},
		{"references to names of a big entry", []Field{{strings.Repeat("n", 4000), ""}}, "\x0f\x2f\x00", 1000, ""},
		{"too many references to names of a big entry", []Field{{strings.Repeat("n", 4000), ""}}, "\x0f\x2f\x00", 5000, tooMany},
		{"fields of nothing but overhead", nil, "\x00\x01a\x00", 1000, ""},
		{"too many fields of nothing but overhead", nil, "\x00\x01a\x00", 4000, tooMany},
		{"fields that fill the table", nil, "\x40\x01a\x00", 1000, ""},
		{"too many fields that fill the table", nil, "\x40\x01a\x00", 4000, tooMany},
		{"fields that fill the table by reference", []Field{entry}, "\x7e\x01b", 1000, ""},
		{"too many fields that fill the table by reference", []Field{entry}, "\x7e\x01b", 5000, tooMany},
		{"names of no bytes", nil, "\x40\x00\x00", 1000, ""},
		{"too many names of no bytes", nil, "\x40\x00\x00", 5000, tooMany},
		{"a long string in Huffman code", nil, "\x00\x01a" + string(appendHuffmanLength(len(huffman))) + huffman, 1, ""},
		{"the table emptied and filled", nil, strings.Repeat(literal(0x40, "x", strings.Repeat("v", 5000)), 3) + strings.Repeat("\x00\x01a\x00", 60), 1, ""},
		{"crumbs", nil, "\x60\x00", 1000, ""},
		{"too many crumbs", nil, "\x60\x00", 8000, tooMany},
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // which would take from the pools what is counted as allocated then
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := dial(t, nil)
			fields, bytes := 0, 0
			p.answer = func(out []byte, r *Request) []byte {
				if fields, bytes = max(fields, len(r.Fields)), max(bytes, r.Bytes); r.ID > 1 && r.Excess == 0 {
					t.Errorf("got a request with %d fields and %d bytes, want excess", len(r.Fields), r.Bytes)
				}
				return p.s.AppendHeaders(out, r.ID, 431, nil, -1, true)
			}
			p.send(p.get(1, tt.begin...))
			block := "\x82\x87\x84\x01\x01a" + strings.Repeat(tt.line, tt.lines) // GET https a /, without the table
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			const sections = 20
			for i := range sections {
				p.send(raw(typeHeaders, flagEndHeaders|flagEndStream, id(i+1), block))
				p.answers.Reset()
			}
			runtime.ReadMemStats(&after)
			end := ""
			if p.err != nil {
				end = p.err.Error()
			}
			if end != tt.end {
				t.Errorf("ended with %q, want %q", end, tt.end)
			}
			if fields > p.s.settings.maxFields+1000 || bytes > p.s.settings.maxList+1<<15 {
				t.Errorf("got %d fields and %d bytes in a request", fields, bytes)
			}
			if got := (after.TotalAlloc - before.TotalAlloc) / sections; got > 8*uint64(len(block))+64<<10 {
				t.Errorf("got %d bytes allocated a section of %d", got, len(block))
			}
		})
	}
}

func appendHuffmanLength(n int) []byte {
	b := appendLength(nil, n)
	b[0] |= 0x80
	return b
}

// TestMemory opens all streams there may be and more, and wants a connection to stay as small as the package says.
func TestMemory(t *testing.T) {
	const connections = 100
	settings := new(Settings)
	peers := make([]*Server, connections)
	now := time.Unix(1e9, 0)
	var before, after runtime.MemStats
	measure := func(m *runtime.MemStats) { runtime.GC(); runtime.GC(); runtime.ReadMemStats(m) }
	p := dial(t, nil)
	head := p.encode(Field{":method", "POST"}, Field{":scheme", "http"}, Field{":path", "/"})
	head = append(head, "\x01\x01a"...) // authority, without the table
	opened := append([]byte(Preface), settingsFrame(make([]Setting, 16)...)...)
	opened = append(opened, repeat(100, func(i int) []byte { return raw(typeHeaders, flagEndHeaders, id(i), head) })...)
	resets := repeat(100, func(i int) []byte { return resetFrame(id(i), Cancel) })
	out := make([]byte, 0, 1<<16)
	measure(&before)
	for i := range peers {
		peers[i] = NewServer(settings, new(silent))
		if _, _, err := peers[i].Feed(opened, out, now); err != nil {
			t.Fatal(err)
		}
	}
	measure(&after)
	if got := (after.HeapAlloc - before.HeapAlloc) / connections; got > 100*100 {
		t.Errorf("got %d bytes for a connection with 100 streams, want less than 100 a stream", got)
	}
	for _, s := range peers {
		if _, _, err := s.Feed(resets, out, now); err != nil {
			t.Fatal(err)
		}
	}
	measure(&after)
	if got := (after.HeapAlloc - before.HeapAlloc) / connections; got > 1500 {
		t.Errorf("got %d bytes for a connection without streams, want about 1 KiB", got)
	}
	runtime.KeepAlive(peers)
}

// silent is a Handler that does nothing.
type silent struct{}

func (silent) Headers(out []byte, r *Request) []byte                 { return out }
func (silent) Data(out []byte, id uint32, p []byte, end bool) []byte { return out }
func (silent) Trailers(out []byte, id uint32, fields []Field) []byte { return out }
func (silent) Reset(out []byte, id uint32, code Code) []byte         { return out }
func (silent) Writable(out []byte, id uint32) []byte                 { return out }
