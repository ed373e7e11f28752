package origin

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/seawall/seawall/internal/spec"
)

// peer is an origin's end of a connection of HTTP/2, frame by frame.
type peer struct {
	*http2.Framer
	conn    net.Conn
	mu      sync.Mutex // of writes
	encoder *hpack.Encoder
	block   bytes.Buffer
	pings   []time.Time
	mute    bool // does not answer them
}

// frames has an origin speak HTTP/2: it says its settings and then does as it is told, until the connection ends.
func frames(do func(p *peer), settings ...http2.Setting) script {
	return func(c net.Conn, r *bufio.Reader) {
		preface := make([]byte, len(http2.ClientPreface))
		if _, err := readFull(r, preface); err != nil || string(preface) != http2.ClientPreface {
			return
		}
		p := &peer{Framer: http2.NewFramer(c, r), conn: c}
		p.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		p.SetMaxReadFrameSize(1 << 20)
		p.encoder = hpack.NewEncoder(&p.block)
		p.WriteSettings(settings...)
		do(p)
	}
}

// next returns the next frame that is about a request, nil at the connection's end. Others it answers.
func (p *peer) next() http2.Frame {
	for {
		f, err := p.ReadFrame()
		if err != nil {
			return nil
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				p.write(func() { p.WriteSettingsAck() })
			}
		case *http2.PingFrame:
			if f.IsAck() {
				continue
			}
			if p.pings = append(p.pings, time.Now()); !p.mute {
				p.write(func() { p.WritePing(true, f.Data) })
			}
		case *http2.WindowUpdateFrame:
		default:
			return f
		}
	}
}

// request waits for a request's head, 0 at the connection's end.
func (p *peer) request() (stream uint32, end bool) {
	for {
		switch f := p.next().(type) {
		case nil:
			return 0, true
		case *http2.MetaHeadersFrame:
			return f.StreamID, f.StreamEnded()
		}
	}
}

// ask waits for a request and its content, whole.
func (p *peer) ask() (stream uint32, content string) {
	id, end := p.request()
	for !end {
		switch f := p.next().(type) {
		case nil:
			return 0, ""
		case *http2.DataFrame:
			content += string(f.Data())
			p.took(f)
			end = f.StreamEnded()
		case *http2.MetaHeadersFrame: // trailers
			end = f.StreamEnded()
		case *http2.RSTStreamFrame:
			return p.ask()
		}
	}
	return id, content
}

// took gives the client back the room in the windows that a frame took.
func (p *peer) took(f *http2.DataFrame) {
	if n := f.Length; n > 0 {
		p.write(func() {
			p.WriteWindowUpdate(0, n)
			p.WriteWindowUpdate(f.StreamID, n)
		})
	}
}

// write writes frames in the peer's turn, where it has several goroutines.
func (p *peer) write(frames func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	frames()
}

// head answers with fields, "name: value" each; a name may be ":status".
func (p *peer) head(stream uint32, end bool, lines ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.block.Reset()
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		p.encoder.WriteField(hpack.HeaderField{Name: name, Value: value})
	}
	const most = 16 << 10
	block := p.block.Bytes()
	first := block[:min(len(block), most)]
	block = block[len(first):]
	p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: first, EndStream: end, EndHeaders: len(block) == 0})
	for len(block) > 0 {
		more := block[:min(len(block), most)]
		block = block[len(more):]
		p.WriteContinuation(stream, len(block) == 0, more)
	}
}

func (p *peer) data(stream uint32, end bool, text string) {
	p.write(func() { p.WriteData(stream, end, []byte(text)) })
}

// wait reads frames until the connection ends.
func (p *peer) wait() {
	for p.next() != nil {
	}
}

// saying answers every request with what say writes.
func saying(say func(p *peer, stream uint32)) script {
	return frames(func(p *peer) {
		for {
			id, _ := p.ask()
			if id == 0 {
				return
			}
			say(p, id)
		}
	})
}

func readFull(r *bufio.Reader, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var m int
		m, err = r.Read(b[n:])
		n += m
	}
	return n, err
}

// streamWays are the kinds of connection that HTTP/2 goes over.
var streamWays = []struct {
	name string
	open func(t testing.TB, scripts ...script) (*Room, *spec.Zone)
}{
	{"http", func(t testing.TB, scripts ...script) (*Room, *spec.Zone) {
		return newRoom(t), overStreams(zoneOf(serve(t, loopback(t), "http", scripts...).url))
	}},
	{"unix", func(t testing.TB, scripts ...script) (*Room, *spec.Zone) {
		return newRoom(t), overStreams(zoneOf(serve(t, socket(t), "unix", scripts...).url))
	}},
	{"https", func(t testing.TB, scripts ...script) (*Room, *spec.Zone) {
		certificate, config := identityFor(t, "h2")
		z := overStreams(zoneOf(serve(t, tls.NewListener(loopback(t), config), "https", scripts...).url))
		z.Origin.TLS.CA = certificate
		return newRoom(t), z
	}},
}

func overStreams(z *spec.Zone) *spec.Zone {
	z.Origin.Protocol = spec.ProtocolHTTP2
	return z
}

// identityFor is a certificate, its own authority, and how a server shows it that speaks the protocols given.
func identityFor(t testing.TB, protocols ...string) (ca spec.PEM, config *tls.Config) {
	t.Helper()
	certificate, key := identity(t)
	pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return certificate, &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: protocols}
}

// goServer is net/http's server of HTTP/2.
func goServer(t testing.TB, secure bool, handler http.HandlerFunc) *spec.Zone {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = nil
	var z *spec.Zone
	if secure {
		s.EnableHTTP2 = true
		s.StartTLS()
		z = zoneOf(s.URL)
		z.Origin.TLS.Insecure = true
	} else {
		s.Config.Protocols = new(http.Protocols)
		s.Config.Protocols.SetUnencryptedHTTP2(true)
		s.Start()
		z = zoneOf(s.URL)
	}
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return overStreams(z)
}

// connections tells how many connections of HTTP/2 a policy has to its i-th server, and how many of them are idle.
func connections(p *Policy, i int) (all, idle int) { return p.servers[i].streams.Conns() }
