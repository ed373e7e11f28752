package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"

	parrot "github.com/refraction-networking/utls"
)

// Dialer connects to one target from any source address in 127.0.0.0/8. It may be used by many goroutines, and must not
// be copied after first use.
type Dialer struct {
	Target Target
	// Fault is told that the machine lacks descriptors, buffers or addresses, which ends the run. nil: nobody is.
	Fault func(error)
	// Connect makes the connections in the place of TCP: tests play in memory. nil: TCP.
	Connect func(ctx context.Context, source netip.Addr) (net.Conn, error)

	tickets tickets
}

// ErrNotLoopback is a Target that Resolve has not made.
var ErrNotLoopback = errors.New("the drill connects to loopback addresses only")

// errTLS is a handshake that failed for another reason than the network's.
var errTLS = errors.New("tls handshake")

// Dial connects over TCP and, if the target speaks it, TLS with the hello of s: certificates are not verified. It speaks HTTP/2 if
// s can and the target agrees (RFC 7301), and has sent its preface then; without TLS it speaks HTTP/1.1, as browsers do.
func (d *Dialer) Dial(ctx context.Context, source netip.Addr, s *Software) (*Conn, error) {
	nc, err := d.DialTCP(ctx, source)
	if err != nil {
		return nil, err
	}
	l := &link{Conn: nc}
	c := &Conn{stream: l, link: l, software: s, target: d.Target, reusable: true}
	if d.Target.TLS {
		protocol, err := c.shake(ctx, d.tickets.of(source, s))
		if err != nil {
			c.Abandon()
			return nil, err
		}
		if protocol == "h2" {
			if c.session, err = begin(c, s.HTTP2); err != nil {
				c.Abandon()
				return nil, err
			}
		}
	}
	c.in.source = c.stream
	return c, nil
}

// DialTCP connects and says nothing, for attacks below HTTP.
func (d *Dialer) DialTCP(ctx context.Context, source netip.Addr) (net.Conn, error) {
	if d.Connect != nil {
		return d.Connect(ctx, source)
	}
	if !d.Target.Addr.Addr().IsLoopback() {
		return nil, fmt.Errorf("target %s: %w", d.Target.Addr, ErrNotLoopback)
	}
	from := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0)), KeepAlive: -1}
	nc, err := from.DialContext(ctx, "tcp4", d.Target.Addr.String())
	if err != nil && machineFault(err) && d.Fault != nil {
		d.Fault(err)
	}
	return nc, err
}

// Hello returns the record that a connection of s to the target would begin with (RFC 8446 §4.1.2): a real one, that a server
// answers. Each call makes another, which takes 0.1 ms (Python) to 0.6 ms (Chrome, with its post-quantum key share).
func (d *Dialer) Hello(s *Software) ([]byte, error) {
	var r recorder
	l := &link{Conn: &r}
	c := &Conn{stream: l, link: l, software: s, target: d.Target}
	if _, err := c.shake(context.Background(), nil); !errors.Is(err, errRecorded) {
		return nil, fmt.Errorf("making a hello of %s: %w", s.Name, err)
	}
	return r.first, nil
}

// errRecorded ends the handshake of a recorder.
var errRecorded = errors.New("recorded")

// recorder is a connection that keeps what is written first, and then fails.
type recorder struct {
	net.Conn
	first []byte
}

func (r *recorder) Write(p []byte) (int, error) {
	r.first = bytes.Clone(p)
	return 0, errRecorded
}

func (r *recorder) Close() error { return nil }

// shaker is what the two TLS libraries have in common.
type shaker interface {
	net.Conn
	HandshakeContext(ctx context.Context) error
}

// shake shakes hands with the hello of the connection's software, and returns the protocol that was agreed on.
func (c *Conn) shake(ctx context.Context, w *wallet) (protocol string, err error) {
	var over shaker
	var agreed func() string
	if spec := c.software.Hello.spec(c.software.protocols(), w.holds()); spec == nil {
		native := tls.Client(c.link, c.software.config(c.target))
		over, agreed = native, func() string { return native.ConnectionState().NegotiatedProtocol }
	} else {
		imitation := parrot.UClient(c.link, imitationConfig(c.target, w), parrot.HelloCustom)
		if err := imitation.ApplyPreset(spec); err != nil {
			return "", fmt.Errorf("%w: %w", errTLS, err)
		}
		over, agreed = imitation, func() string { return imitation.ConnectionState().NegotiatedProtocol }
	}
	if err := over.HandshakeContext(ctx); err != nil {
		return "", fmt.Errorf("%w: %w", errTLS, err)
	}
	c.stream = over
	return agreed(), nil
}

// config is that of software whose hello is that of crypto/tls.
func (s *Software) config(t Target) *tls.Config {
	return &tls.Config{
		ServerName:         serverName(t.Host),
		InsecureSkipVerify: true, // a drill's target has a certificate of its own
		NextProtos:         s.protocols(),
	}
}

func imitationConfig(t Target, w *wallet) *parrot.Config {
	config := &parrot.Config{
		ServerName:         serverName(t.Host),
		InsecureSkipVerify: true, // as above
		OmitEmptyPsk:       true,
		// Software that has no place for a session in its hello resumes none.
		PreferSkipResumptionOnNilExtension: true,
	}
	if w != nil {
		config.ClientSessionCache = w
	}
	return config
}

// serverName is host without its port.
func serverName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}
