package request

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/loop"
	"github.com/seawall/seawall/reqid"
)

// peer is a client of HTTP/2, and the connection that a session has of it: tasks are goroutines, and a turn comes when the test settles.
// It lives in a bubble.
type peer struct {
	testing.TB
	session flow.Session
	next    flow.Next
	in      []byte // what a turn has not used

	*http2.Framer // writes to sent, and reads from answers
	sent, answers bytes.Buffer
	block         bytes.Buffer
	enc           *hpack.Encoder

	mu       sync.Mutex
	woken    bool
	wakes    int
	draining bool
	spared   int // how much may be charged
	charged  int
	breaches []string
	faults   []any
	abort    flow.Abort
}

func (p *peer) Start(r loop.Runner) { go r.Run(nil) }

func (p *peer) Wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.woken = true
	p.wakes++
}

func (p *peer) Charge(n int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.charged += n
	return p.charged <= p.spared
}

func (p *peer) Judged(bool) bool     { return true }
func (p *peer) Breach(reason string) { p.breaches = append(p.breaches, reason) }

func (p *peer) Fault(value any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, value)
}

// What follows is not for such sessions.

func (p *peer) Buffered() []byte         { panic("buffered") }
func (p *peer) Discard(int)              { panic("discard") }
func (p *peer) Fill() error              { panic("fill") }
func (p *peer) Read([]byte) (int, error) { panic("read") }
func (p *peer) Write(_, _ []byte) error  { panic("write") }
func (p *peer) CloseWrite() error        { panic("close") }
func (p *peer) Abort() *flow.Abort       { return &p.abort }
func (p *peer) Task() *loop.Task         { return nil }
func (p *peer) Tunnel()                  { panic("tunnel") }
func (p *peer) Draining() bool           { return p.draining }

// meet begins a connection, in the bubble of a test.
func meet(t testing.TB, path Path, change func(*spec.Node), settings ...http2.Setting) *peer {
	node := spec.DefaultNode()
	if change != nil {
		change(&node)
	}
	p := &peer{TB: t, spared: 1 << 30}
	p.Framer = http2.NewFramer(&p.sent, &p.answers)
	p.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	p.AllowIllegalWrites = true
	p.enc = hpack.NewEncoder(&p.block)
	room := New(&node, reqid.NewGenerator(1, 1), path)
	p.session = room.Open(&flow.Conn{Remote: netip.MustParseAddrPort("198.51.100.7:4711"), TLS: &flow.TLS{Protocol: "h2"}}, p)
	p.sent.WriteString(http2.ClientPreface)
	p.WriteSettings(settings...)
	p.want("settings", "settings ack")
	p.WriteSettingsAck()
	t.Cleanup(func() {
		p.session.End()
		synctest.Wait()
	})
	return p
}

// ask writes a request's head; fields are names and values in turn.
func (p *peer) ask(id uint32, end bool, method, target string, fields ...string) {
	p.block.Reset()
	for all := append([]string{":method", method, ":scheme", "https", ":authority", "a.example", ":path", target}, fields...); len(all) > 0; all = all[2:] {
		p.enc.WriteField(hpack.HeaderField{Name: all[0], Value: all[1]})
	}
	p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.block.Bytes(), EndHeaders: true, EndStream: end})
}

func (p *peer) get(id uint32, fields ...string) { p.ask(id, true, "GET", "/", fields...) }

// settle lets the session have what was sent, and turns until nothing is left to do.
func (p *peer) settle() {
	p.Helper()
	for range 10_000 {
		synctest.Wait()
		p.mu.Lock()
		woken := p.woken
		p.woken = false
		p.mu.Unlock()
		if p.sent.Len() == 0 && !woken && p.next != flow.Flush && p.next != flow.Yield || p.next.Ends() {
			return
		}
		p.in = append(p.in, p.sent.Bytes()...)
		p.sent.Reset()
		p.turn()
	}
	p.Fatal("the session never comes to rest")
}

func (p *peer) turn() {
	p.Helper()
	var out flow.Output
	used, next := p.session.Turn(p.in, &out, time.Now())
	if used < 0 || used > len(p.in) || next == flow.Wait || len(out.Tail) > 0 {
		p.Fatalf("used %d of %d bytes, then %d, with %d bytes of tail", used, len(p.in), next, len(out.Tail))
	}
	p.in, p.next = p.in[used:], next
	p.answers.Write(out.Head)
}

// tick is what the sweeper does each second.
func (p *peer) tick() {
	p.Helper()
	time.Sleep(time.Second) // the clock is the test's
	p.Wake()
	p.settle()
}

// read returns what the session has sent, a line a frame.
func (p *peer) read() (lines []string) {
	p.Helper()
	p.settle()
	for {
		f, err := p.ReadFrame()
		if err == io.EOF {
			return lines
		}
		if err != nil {
			p.Fatalf("the session's frames can't be read: %v", err)
		}
		lines = append(lines, frameText(f))
	}
}

// want compares what the session has sent to lines.
func (p *peer) want(lines ...string) {
	p.Helper()
	if got, want := strings.Join(p.read(), "\n"), strings.Join(lines, "\n"); got != want {
		p.Errorf("sent:\ngot\n%s\nwant\n%s", got, want)
	}
}

func frameText(f http2.Frame) string {
	h, end := f.Header(), ""
	if h.Flags.Has(http2.FlagDataEndStream) && (h.Type == http2.FrameData || h.Type == http2.FrameHeaders) {
		end = " end"
	}
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		text := fmt.Sprintf("headers %d", h.StreamID)
		for _, field := range f.Fields {
			text += " " + strings.TrimPrefix(field.Name, ":") + "=" + field.Value
		}
		return text + end
	case *http2.DataFrame:
		if d := f.Data(); len(d) < 20 {
			return fmt.Sprintf("data %d %s%s", h.StreamID, d, end)
		}
		return fmt.Sprintf("data %d %d bytes%s", h.StreamID, len(f.Data()), end)
	case *http2.RSTStreamFrame:
		return fmt.Sprintf("reset %d %v", h.StreamID, f.ErrCode)
	case *http2.GoAwayFrame:
		return fmt.Sprintf("goaway %d %v", f.LastStreamID, f.ErrCode)
	case *http2.WindowUpdateFrame:
		return fmt.Sprintf("window %d %d", h.StreamID, f.Increment)
	case *http2.SettingsFrame:
		if f.IsAck() {
			return "settings ack"
		}
		return "settings"
	}
	return h.String()
}

// bubble runs a test in one, with a connection.
func bubble(t *testing.T, path Path, change func(*spec.Node), test func(p *peer), settings ...http2.Setting) {
	synctest.Test(t, func(t *testing.T) { test(meet(t, path, change, settings...)) })
}

func hpackField(name, value string) hpack.HeaderField {
	return hpack.HeaderField{Name: name, Value: value}
}

// sscan reads a line of read.
func sscan(line, format string, to ...any) (int, error) { return fmt.Sscanf(line, format, to...) }

func sorted(lines []string) []string { return slices.Sorted(slices.Values(lines)) }
