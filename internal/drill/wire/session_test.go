package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// peer is a server that speaks frame by frame. It hears all that the client says, and a test says what it answers.
type peer struct {
	t     *testing.T
	conn  *Conn
	fr    *http2.Framer
	heard chan string
	block bytes.Buffer
	enc   *hpack.Encoder
}

// meet connects a client of s with a peer, in a bubble.
func meet(t *testing.T, s *Software) *peer {
	t.Helper()
	client, server := net.Pipe()
	p := &peer{t: t, fr: http2.NewFramer(server, server), heard: make(chan string, 10000)}
	p.enc = hpack.NewEncoder(&p.block)
	p.fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	p.fr.MaxHeaderListSize = 1 << 20
	go p.hear(server)
	l := &link{Conn: client}
	p.conn = &Conn{stream: l, link: l, software: s, target: Target{Host: "harbour.test", TLS: true}}
	var err error
	if p.conn.session, err = begin(p.conn, s.HTTP2); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return p
}

// hear tells of each frame in a line.
func (p *peer) hear(server net.Conn) {
	defer close(p.heard)
	var first [len(preface)]byte
	if _, err := server.Read(first[:]); err != nil || string(first[:]) != preface {
		p.heard <- fmt.Sprintf("no preface: %q %v", first, err)
		return
	}
	for {
		f, err := p.fr.ReadFrame()
		if err != nil {
			return
		}
		p.heard <- describe(f)
	}
}

func describe(f http2.Frame) string {
	h := f.Header()
	line := []string{fmt.Sprintf("%v %d", h.Type, h.StreamID)}
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		if f.HasPriority() {
			line = append(line, fmt.Sprintf("after %d weight %d exclusive %v", f.Priority.StreamDep, f.Priority.Weight, f.Priority.Exclusive))
		}
		if f.StreamEnded() {
			line = append(line, "end")
		}
		for _, field := range f.Fields {
			line = append(line, field.Name+"="+field.Value)
		}
	case *http2.DataFrame:
		line = append(line, fmt.Sprint(len(f.Data())))
		if f.StreamEnded() {
			line = append(line, "end")
		}
	case *http2.SettingsFrame:
		if f.IsAck() {
			return "SETTINGS ack"
		}
		_ = f.ForeachSetting(func(s http2.Setting) error {
			line = append(line, fmt.Sprintf("%d=%d", s.ID, s.Val))
			return nil
		})
	case *http2.WindowUpdateFrame:
		line = append(line, fmt.Sprint(f.Increment))
	case *http2.RSTStreamFrame:
		line = append(line, f.ErrCode.String())
	case *http2.GoAwayFrame:
		line = append(line, f.ErrCode.String())
	case *http2.PingFrame:
		line = append(line, fmt.Sprint(f.IsAck()), string(f.Data[:]))
	}
	return strings.Join(line, " ")
}

// next returns what the client says next, or "" if it says nothing.
func (p *peer) next() string {
	p.t.Helper()
	synctest.Wait()
	select {
	case line := <-p.heard:
		return line
	default:
		return ""
	}
}

// wants fails the test where the client says something else.
func (p *peer) wants(lines ...string) {
	p.t.Helper()
	for _, want := range lines {
		if got := p.next(); got != want {
			p.t.Fatalf("got  %q\nwant %q", got, want)
		}
	}
}

// skip hears the preface and n requests.
func (p *peer) skip(n int) {
	p.t.Helper()
	for n > 0 {
		switch line := p.next(); {
		case strings.HasPrefix(line, "HEADERS"):
			n--
		case line == "":
			p.t.Fatal("the client is silent")
		}
	}
}

// fields encodes names and values, given in turn.
func (p *peer) fields(namesAndValues ...string) []byte {
	p.block.Reset()
	for i := 0; i < len(namesAndValues); i += 2 {
		_ = p.enc.WriteField(hpack.HeaderField{Name: namesAndValues[i], Value: namesAndValues[i+1]})
	}
	return p.block.Bytes()
}

// head answers a stream with a whole head.
func (p *peer) head(id uint32, end bool, namesAndValues ...string) {
	p.t.Helper()
	err := p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.fields(namesAndValues...), EndHeaders: true, EndStream: end})
	if err != nil {
		p.t.Error(err)
	}
}

// asked is a request under way.
type asked struct {
	r    Response
	body bytes.Buffer
	err  error
	done chan struct{}
}

func (p *peer) ask(ctx context.Context, q *Request) *asked {
	a := &asked{done: make(chan struct{})}
	go func() {
		defer close(a.done)
		a.err = p.conn.Do(ctx, q, &a.r, &a.body)
	}()
	return a
}

func (a *asked) isDone() bool {
	synctest.Wait()
	select {
	case <-a.done:
		return true
	default:
		return false
	}
}

var plain = &Software{Name: "plain", HTTP2: &HTTP2{Pseudo: "mspa"}}

func TestPreface(t *testing.T) {
	tests := []struct {
		name string
		want []string
	}{
		{"chrome", []string{
			"SETTINGS 0 1=65536 2=0 4=6291456 6=262144", "WINDOW_UPDATE 0 15663105",
			"HEADERS 1 after 0 weight 255 exclusive true end :method=GET :authority=harbour.test :scheme=https :path=/ sec-ch-ua=",
		}},
		{"firefox", []string{
			"SETTINGS 0 1=65536 2=0 4=131072 5=16384", "WINDOW_UPDATE 0 12517377",
			"HEADERS 3 after 0 weight 41 exclusive false end :method=GET :path=/ :authority=harbour.test :scheme=https user-agent=Mozilla/5.0",
		}},
		{"safari", []string{
			"SETTINGS 0 2=0 3=100 4=2097152 9=1", "WINDOW_UPDATE 0 10420225",
			"HEADERS 1 end :method=GET :scheme=https :authority=harbour.test :path=/ sec-fetch-dest=document",
		}},
		{"curl", []string{
			"SETTINGS 0 3=100 4=10485760 2=0", "WINDOW_UPDATE 0 1048510465",
			"HEADERS 1 end :method=GET :scheme=https :authority=harbour.test :path=/ user-agent=curl/",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, err := Named(tt.name, newRand(1))
				if err != nil {
					t.Fatal(err)
				}
				p := meet(t, s)
				defer p.conn.Abandon()
				p.ask(t.Context(), &Request{Path: "/"})
				for _, want := range tt.want {
					if got := p.next(); !strings.HasPrefix(got, want) {
						t.Errorf("got  %q\nwant %q…", got, want)
					}
				}
			})
		})
	}
}

// Each script answers the first stream.
func TestAnswers(t *testing.T) {
	ok := []string{":status", "200", "content-type", "text/plain"}
	tests := []struct {
		name   string
		method string
		script func(p *peer)
		status int
		body   string
		why    string // of a failure
	}{
		{"head alone", "GET", func(p *peer) { p.head(1, true, ok...) }, 200, "", ""},
		{"body", "GET", func(p *peer) {
			p.head(1, false, ok...)
			p.fr.WriteData(1, false, []byte("hel"))
			p.fr.WriteData(1, true, []byte("lo"))
		}, 200, "hello", ""},
		{"padded", "GET", func(p *peer) {
			p.head(1, false, ok...)
			p.fr.WriteDataPadded(1, true, []byte("hello"), make([]byte, 100))
		}, 200, "hello", ""},
		{"interim", "GET", func(p *peer) { p.head(1, false, ":status", "103", "link", "x"); p.head(1, true, ok...) }, 200, "", ""},
		{"trailers", "GET", func(p *peer) {
			p.head(1, false, ok...)
			p.fr.WriteData(1, false, []byte("x"))
			p.head(1, true, "a", "b")
		}, 200, "x", ""},
		{"continued", "GET", func(p *peer) {
			block := slices.Clone(p.fields(":status", "200", "a", strings.Repeat("x", 100)))
			p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:1], EndStream: true})
			p.fr.WriteContinuation(1, false, block[1:20])
			p.fr.WriteContinuation(1, true, block[20:])
		}, 200, "", ""},
		{"not of ours", "GET", func(p *peer) {
			p.fr.WriteRawFrame(0xbe, 0, 0, []byte("?"))
			p.fr.WritePriority(7, http2.PriorityParam{})
			p.head(1, true, ok...)
		}, 200, "", ""},
		{"HEAD", "HEAD", func(p *peer) { p.head(1, true, ":status", "200", "content-length", "70") }, 200, "", ""},
		{"not modified", "GET", func(p *peer) { p.head(1, true, ":status", "304", "content-length", "70") }, 304, "", ""},
		{"as long as it says", "GET", func(p *peer) {
			p.head(1, false, ":status", "200", "content-length", "1")
			p.fr.WriteData(1, true, []byte("x"))
		}, 200, "x", ""},
		{"shorter", "GET", func(p *peer) {
			p.head(1, false, ":status", "200", "content-length", "2")
			p.fr.WriteData(1, true, []byte("x"))
		}, 200, "x", "malformed"},
		{"two lengths", "GET", func(p *peer) { p.head(1, true, ":status", "200", "content-length", "2", "content-length", "3") }, 200, "", "malformed"},
		{"content of HEAD", "HEAD", func(p *peer) { p.head(1, false, ok...); p.fr.WriteData(1, true, []byte("x")) }, 200, "", "malformed"},
		{"data first", "GET", func(p *peer) { p.fr.WriteData(1, true, []byte("x")) }, 0, "", "malformed"},
		{"only hints", "GET", func(p *peer) { p.head(1, true, ":status", "103") }, 0, "", "malformed"},
		{"no status", "GET", func(p *peer) { p.head(1, true, "a", "b") }, 0, "", "malformed"},
		{"status", "GET", func(p *peer) { p.head(1, true, ":status", "20") }, 0, "", "malformed"},
		{"status late", "GET", func(p *peer) { p.head(1, true, "a", "b", ":status", "200") }, 0, "", "malformed"},
		{"upper case", "GET", func(p *peer) { p.head(1, true, ":status", "200", "A", "b") }, 0, "", "malformed"},
		{"connection", "GET", func(p *peer) { p.head(1, true, ":status", "200", "connection", "close") }, 0, "", "malformed"},
		{"large head", "GET", func(p *peer) {
			p.head(1, true, ":status", "200", "a", strings.Repeat("x", maxHead-100), "b", strings.Repeat("x", 200))
		}, 0, "", "malformed"},
		{"many fields", "GET", func(p *peer) {
			p.head(1, true, append(ok, strings.Split(strings.Repeat("a,b,", maxFields)+"a,b", ",")...)...)
		}, 0, "", "malformed"},
		{"trailers go on", "GET", func(p *peer) { p.head(1, false, ok...); p.head(1, false, "a", "b") }, 200, "", "malformed"},
		{"refused", "GET", func(p *peer) { p.fr.WriteRSTStream(1, http2.ErrCodeRefusedStream) }, 0, "", "refused"},
		{"reset", "GET", func(p *peer) { p.head(1, false, ok...); p.fr.WriteRSTStream(1, http2.ErrCodeInternal) }, 200, "", "closed"},
		{"going away before it", "GET", func(p *peer) { p.fr.WriteGoAway(0, http2.ErrCodeNo, nil) }, 0, "", "closed"},
		{"going away after it", "GET", func(p *peer) { p.fr.WriteGoAway(1, http2.ErrCodeNo, nil); p.head(1, true, ok...) }, 200, "", ""},
		{"calm", "GET", func(p *peer) { p.fr.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, nil) }, 0, "", "refused"},
		{"push", "GET", func(p *peer) {
			p.fr.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, BlockFragment: p.fields(":method", "GET"), EndHeaders: true})
		}, 0, "", "malformed"},
		{"broken off block", "GET", func(p *peer) {
			p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.fields(ok...)})
			p.fr.WritePing(false, [8]byte{})
		}, 0, "", "malformed"},
		{"no end of blocks", "GET", func(p *peer) {
			p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.fields(ok...)})
			for range maxBlock/maxFrame + 1 {
				p.fr.WriteContinuation(1, false, make([]byte, maxFrame))
			}
		}, 0, "", "malformed"},
		{"nothing in blocks", "GET", func(p *peer) {
			p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.fields(ok...)})
			p.fr.WriteContinuation(1, false, nil)
		}, 0, "", "malformed"},
		{"not HPACK", "GET", func(p *peer) {
			p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0xff, 0xff, 0xff}, EndHeaders: true})
		}, 0, "", "malformed"},
		{"a stream of nobody", "GET", func(p *peer) { p.fr.WriteData(9, true, nil) }, 0, "", "malformed"},
		{"window of nothing", "GET", func(p *peer) { p.fr.WriteRawFrame(http2.FrameWindowUpdate, 0, 1, make([]byte, 4)) }, 0, "", "malformed"},
		{"window too large", "GET", func(p *peer) { p.fr.WriteWindowUpdate(0, maxWindow) }, 0, "", "malformed"},
		{"initial window too large", "GET", func(p *peer) { p.fr.WriteSettings(http2.Setting{ID: 4, Val: 1 << 31}) }, 0, "", "malformed"},
		{"large frame", "GET", func(p *peer) { p.fr.WriteRawFrame(http2.FrameData, 0, 1, make([]byte, maxFrame+1)) }, 0, "", "malformed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := meet(t, plain)
				defer p.conn.Abandon()
				a := p.ask(t.Context(), &Request{Method: tt.method, Path: "/"})
				p.skip(1)
				go tt.script(p) // a pipe holds nothing: who is not read waits
				if !a.isDone() {
					t.Fatal("not done")
				}
				why := ""
				if a.err != nil {
					why = Why(a.err)
				}
				if a.r.Status != tt.status || a.body.String() != tt.body || why != tt.why {
					t.Errorf("got %d %q %q (%v), want %d %q %q", a.r.Status, a.body.String(), why, a.err, tt.status, tt.body, tt.why)
				}
			})
		})
	}
}

// A connection that is used again and again has a goroutine and a buffer only meanwhile.
func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := meet(t, plain)
		defer p.conn.Abandon()
		for i := range 3 {
			a := p.ask(t.Context(), &Request{Path: "/"})
			p.skip(1)
			s := p.conn.session
			if !s.reading {
				t.Error("nobody reads")
			}
			p.head(uint32(2*i+1), true, ":status", "200")
			if !a.isDone() || a.err != nil {
				t.Fatal("not answered:", a.err)
			}
			if s.reading || s.in.buf != nil || !p.conn.Reusable() {
				t.Errorf("request %d: reading %v, buffer of %d bytes, reusable %v", i, s.reading, len(s.in.buf), p.conn.Reusable())
			}
		}
	})
}

func TestStreamsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := meet(t, plain)
		defer p.conn.Abandon()
		one := p.ask(t.Context(), &Request{Path: "/1"})
		p.skip(1)
		two := p.ask(t.Context(), &Request{Path: "/2"})
		p.skip(1)
		p.head(3, false, ":status", "202")
		p.head(1, false, ":status", "201")
		p.fr.WriteData(1, true, []byte("one"))
		if !one.isDone() || two.isDone() {
			t.Fatal("want the first done alone")
		}
		p.fr.WriteData(3, true, []byte("two"))
		if !two.isDone() || two.r.Status != 202 || two.body.String() != "two" || one.r.Status != 201 || one.body.String() != "one" {
			t.Errorf("got %d %q, %d %q", one.r.Status, one.body.String(), two.r.Status, two.body.String())
		}
	})
}

// Who exceeds what the server has room for waits for it.
func TestMaxStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := meet(t, plain)
		defer p.conn.Abandon()
		one := p.ask(t.Context(), &Request{Path: "/1"})
		p.skip(1)
		p.fr.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
		p.wants("SETTINGS ack")
		two := p.ask(t.Context(), &Request{Path: "/2"})
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		three := p.ask(short, &Request{Path: "/3"})
		p.wants("")
		time.Sleep(2 * time.Second)
		if !three.isDone() || Why(three.err) != "timeout" {
			t.Errorf("the third: %v, want a timeout", three.err)
		}
		p.head(1, true, ":status", "200")
		p.wants("HEADERS 3 end :method=GET :scheme=https :path=/2 :authority=harbour.test")
		p.head(3, true, ":status", "200")
		if !one.isDone() || !two.isDone() || one.err != nil || two.err != nil {
			t.Errorf("got %v, %v", one.err, two.err)
		}
	})
}

// Content goes as the windows of stream and connection allow.
func TestUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := meet(t, plain)
		defer p.conn.Abandon()
		a := p.ask(t.Context(), &Request{Method: "POST", Path: "/", Body: make([]byte, 70000)})
		p.wants("SETTINGS 0", "HEADERS 1 :method=POST :scheme=https :path=/ :authority=harbour.test content-length=70000",
			"DATA 1 16384", "DATA 1 16384", "DATA 1 16384", "DATA 1 16383", "")
		p.fr.WriteWindowUpdate(1, 10000)
		p.wants("")
		p.fr.WriteWindowUpdate(0, 10)
		p.wants("DATA 1 10", "")
		p.fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		p.wants("SETTINGS ack")
		p.fr.WriteWindowUpdate(0, 10000)
		p.wants("")
		p.fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100000})
		lines := []string{p.next(), p.next(), p.next()}
		slices.Sort(lines) // content, or the acknowledgement first
		if want := []string{"", "DATA 1 4455 end", "SETTINGS ack"}; !slices.Equal(lines, want) {
			t.Errorf("got %q, want %q", lines, want)
		}
		p.head(1, true, ":status", "204")
		if !a.isDone() || a.err != nil || a.r.Status != 204 {
			t.Errorf("got %d, %v", a.r.Status, a.err)
		}
	})
}

// A server may answer before it has all: the client stops.
func TestAnsweredEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := meet(t, plain)
		defer p.conn.Abandon()
		a := p.ask(t.Context(), &Request{Method: "POST", Path: "/", Body: make([]byte, 70000)})
		p.skip(1)
		for range 4 {
			p.next()
		}
		p.head(1, true, ":status", "413")
		p.wants("RST_STREAM 1 CANCEL")
		if !a.isDone() || a.err != nil || a.r.Status != 413 {
			t.Errorf("got %d, %v, want 413", a.r.Status, a.err)
		}
	})
}

// The client gives windows back, and holds the server to them.
func TestCredit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := meet(t, plain)
		defer p.conn.Abandon()
		a := p.ask(t.Context(), &Request{Path: "/"})
		p.skip(1)
		p.head(1, false, ":status", "200")
		for range 3 {
			p.fr.WriteData(1, false, make([]byte, maxFrame))
		}
		p.wants("WINDOW_UPDATE 0 49152", "WINDOW_UPDATE 1 49152", "")
		p.fr.WriteData(1, true, nil)
		if !a.isDone() || a.err != nil || a.body.Len() != 3*maxFrame {
			t.Errorf("got %d bytes, %v", a.body.Len(), a.err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		narrow := &Software{HTTP2: &HTTP2{Settings: []Setting{{settingInitialWindow, 10}}, Pseudo: "mspa"}}
		p := meet(t, narrow)
		defer p.conn.Abandon()
		a := p.ask(t.Context(), &Request{Path: "/"})
		p.skip(1)
		p.head(1, false, ":status", "200")
		p.fr.WriteData(1, false, make([]byte, 11))
		p.wants("GOAWAY 0 PROTOCOL_ERROR")
		if !a.isDone() || Why(a.err) != "malformed" || p.conn.Reusable() {
			t.Errorf("got %v, want malformed", a.err)
		}
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := meet(t, plain)
		defer p.conn.Abandon()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		a := p.ask(ctx, &Request{Path: "/"})
		p.skip(1)
		time.Sleep(2 * time.Second)
		p.wants("RST_STREAM 1 CANCEL")
		if !a.isDone() || Why(a.err) != "timeout" || !p.conn.Reusable() {
			t.Errorf("got %v, reusable %v, want a timeout of the stream alone", a.err, p.conn.Reusable())
		}
		p.head(1, true, ":status", "200") // too late, but part of the table of fields
		b := p.ask(t.Context(), &Request{Path: "/"})
		p.skip(1)
		p.head(3, true, ":status", "200", "late", "1")
		if !b.isDone() || b.err != nil || b.r.Field("late") != "1" {
			t.Errorf("got %v, %v", b.r, b.err)
		}
	})
}

func TestReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := meet(t, plain)
		defer p.conn.Abandon()
		p.wants("SETTINGS 0")
		for i := range 3 {
			if err := p.conn.Reset(&Request{Path: "/search"}); err != nil {
				t.Fatal(err)
			}
			id := 2*i + 1
			p.wants(fmt.Sprintf("HEADERS %d end :method=GET :scheme=https :path=/search :authority=harbour.test", id), fmt.Sprintf("RST_STREAM %d CANCEL", id))
		}
		p.fr.WritePing(false, [8]byte([]byte("answerme")))
		p.wants("PING 0 true answerme")
		p.fr.WriteGoAway(5, http2.ErrCodeEnhanceYourCalm, nil)
		synctest.Wait()
		if err := p.conn.Reset(&Request{Path: "/"}); !errors.Is(err, errGoingAway) || p.conn.Reusable() {
			t.Errorf("error %v, want %v", err, errGoingAway)
		}
	})
}

// A server that asks and asks and never reads gets no memory for it.
func TestPendingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := meet(t, plain)
		defer p.conn.Abandon()
		a := p.ask(t.Context(), &Request{Path: "/"})
		p.skip(1)
		p.conn.session.writing.Lock() // as if a write were stuck
		for range maxPending/17 + 2 {
			if p.fr.WritePing(false, [8]byte{}) != nil {
				break
			}
		}
		p.conn.session.writing.Unlock()
		if !a.isDone() || Why(a.err) != "malformed" {
			t.Errorf("got %v, want malformed", a.err)
		}
	})
}

func TestCloseSaysGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := meet(t, plain)
		p.conn.Close()
		p.wants("SETTINGS 0", "GOAWAY 0 NO_ERROR")
		if p.conn.Reusable() {
			t.Error("reusable")
		}
	})
}

// Who is late already takes nobody along: the connection goes on for the others.
func TestLateRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := meet(t, plain)
		defer p.conn.Abandon()
		one := p.ask(t.Context(), &Request{Path: "/1"})
		p.skip(1)
		past, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Hour))
		defer cancel()
		if late := p.ask(past, &Request{Path: "/2"}); !late.isDone() || Why(late.err) != "timeout" {
			t.Errorf("got %v, want a timeout", late.err)
		}
		p.head(1, true, ":status", "200")
		if !one.isDone() || one.err != nil || !p.conn.Reusable() {
			t.Errorf("the other got %v, reusable %v", one.err, p.conn.Reusable())
		}
	})
}
