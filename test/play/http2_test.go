package play

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"time"

	"golang.org/x/net/http2"
)

// roots are the node's local authority, which signs for every name.
func (p *play) roots() *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(p.ReadFile("data/ca.pem")))
	return roots
}

// dialer dials the node for a name's port of HTTPS, and any other address itself.
func (p *play) dialer() func(ctx context.Context, network, address string) (net.Conn, error) {
	secure := p.Getenv("TLS")
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if strings.HasSuffix(address, ":443") {
			address = secure
		}
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}
}

// http2 is Go's client that speaks nothing but HTTP/2: over TLS to any name's https URL, else with prior knowledge.
func (p *play) http2(secure bool) *http.Client {
	t := &http.Transport{DialContext: p.dialer(), Protocols: new(http.Protocols), IdleConnTimeout: time.Second}
	t.Protocols.SetUnencryptedHTTP2(!secure)
	t.Protocols.SetHTTP2(secure)
	if secure {
		t.TLSClientConfig = &tls.Config{RootCAs: p.roots()}
	}
	return &http.Client{Transport: t}
}

// sign posts a text or a file with a trailer behind it, over HTTP/2, and shows what comes back, with its trailers.
func sign(p *play, args []string) error {
	text := "hello"
	switch len(args) {
	case 1:
	case 2:
		text = p.ReadFile(args[1])
	default:
		return errUsage
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, args[0], io.MultiReader(strings.NewReader(text))) // of no known length
	if err != nil {
		return err
	}
	request.Header.Set("TE", "trailers")
	request.Trailer = http.Header{"Signature": {"signed"}}
	response, err := p.http2(request.URL.Scheme == "https").Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var back bytes.Buffer
	fmt.Fprintf(&back, "%s %d\n", response.Proto, response.StatusCode)
	response.Header.Write(&back)
	body, err := io.ReadAll(response.Body)
	fmt.Fprintf(&back, "\n%s\n", body)
	response.Trailer.Write(&back)
	p.tell(back.Bytes())
	return err
}

// deserter is a client of HTTP/2 in the middle of a request.
type deserter struct {
	client *http.Client
	leave  func()
	left   chan error
}

// desert asks for something in the background; then it gives that up and asks for something else, on the same connection.
func desert(p *play, args []string) error {
	switch {
	case len(args) == 1:
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		d := &deserter{p.http2(strings.HasPrefix(args[0], "https:")), cancel, make(chan error, 1)}
		p.deserter = d
		p.Defer(cancel)
		go func() {
			_, err := d.ask(ctx, args[0])
			d.left <- err
		}()
		return nil
	case len(args) != 2 || args[0] != "for" || p.deserter == nil:
		return errUsage
	}
	d := p.deserter
	d.leave()
	switch err := <-d.left; {
	case err == nil:
		return errors.New("what was to be given up was answered")
	case !errors.Is(err, context.Canceled):
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var reused bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { reused = c.Reused }})
	body, err := d.ask(ctx, args[1])
	if err == nil && !reused {
		err = errors.New("the connection was not the same")
	}
	p.Stdout().Write(body)
	return err
}

// ask gets a body.
func (d *deserter) ask(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := d.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}

// upgrader opens WebSockets over HTTP/2 (RFC 8441) for a client that knows HTTP/1.1 only: it turns the Upgrade into an extended
// CONNECT, and a success into 101.
type upgrader struct{ *http2.Transport }

// upgrader is one whose WebSockets share a connection to the node.
func (p *play) upgrader(secure bool) upgrader {
	config := new(tls.Config)
	if secure {
		config.RootCAs = p.roots()
	}
	dial := p.dialer()
	dialTLS := func(ctx context.Context, network, address string, config *tls.Config) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil || !secure {
			return c, err
		}
		s := tls.Client(c, config)
		return s, s.HandshakeContext(ctx)
	}
	return upgrader{&http2.Transport{AllowHTTP: true, TLSClientConfig: config, DialTLSContext: dialTLS, IdleConnTimeout: time.Second}} //nolint:staticcheck // net/http's has no extended CONNECT
}

// RoundTrip implements http.RoundTripper.
func (u upgrader) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context())) // whose end is not that of what is open
	defer context.AfterFunc(r.Context(), cancel)()
	received, sent := io.Pipe()
	connect := r.Clone(ctx)
	connect.Method, connect.Body = http.MethodConnect, received
	for _, name := range []string{"Connection", "Upgrade", "Sec-WebSocket-Key"} {
		connect.Header.Del(name)
	}
	connect.Header[":protocol"] = []string{"websocket"}
	response, err := u.Transport.RoundTrip(connect) //nolint:staticcheck // as above
	if err != nil || response.StatusCode != http.StatusOK {
		sent.Close()
		return response, err
	}
	accept := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	response.StatusCode = http.StatusSwitchingProtocols
	response.Header.Set("Connection", "Upgrade")
	response.Header.Set("Upgrade", "websocket")
	response.Header.Set("Sec-WebSocket-Accept", base64.StdEncoding.EncodeToString(accept[:]))
	response.Body = tunnel{response.Body, sent, cancel}
	return response, nil
}

// tunnel is both directions of a stream.
type tunnel struct {
	io.ReadCloser
	sent   *io.PipeWriter
	cancel func()
}

func (t tunnel) Write(b []byte) (int, error) { return t.sent.Write(b) }

// Close ends both.
func (t tunnel) Close() error {
	t.sent.Close()
	err := t.ReadCloser.Close()
	t.cancel()
	return err
}
