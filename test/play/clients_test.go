package play

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// get asks with curl, and shows the response with its head.
func get(p *play, args []string) error {
	response, err := p.curl(args)
	p.tell(response)
	return err
}

// gets asks until the response has a text, and shows it.
func gets(p *play, args []string) error {
	if len(args) < 2 {
		return errUsage
	}
	want, err := regexp.Compile("(?m)" + args[0])
	if err != nil {
		return err
	}
	var response []byte
	failed := until("the response has "+args[0], func() bool {
		response, err = p.curl(args[1:])
		return err == nil && want.Match(bytes.ReplaceAll(response, []byte("\r\n"), []byte("\n")))
	})
	p.tell(response)
	return failed
}

// curl asks once.
func (p *play) curl(args []string) ([]byte, error) {
	if err := needs(p, []string{"curl"}); err != nil {
		return nil, err
	}
	var response bytes.Buffer
	curl := exec.Command("curl", append([]string{"--silent", "--show-error", "--include", "--max-time", "30"}, args...)...)
	curl.Dir = p.MkAbs(".")
	curl.Stdout, curl.Stderr = &response, p.Stderr()
	if err := curl.Run(); err != nil {
		return response.Bytes(), fmt.Errorf("curl: %w", err)
	}
	return response.Bytes(), nil
}

// talk sends a file's lines, with the line ends of HTTP, and reads until the other side closes.
func talk(p *play, args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	c, err := net.Dial("tcp", strings.TrimPrefix(p.Getenv("SITE"), "http://"))
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, strings.ReplaceAll(p.ReadFile(args[0]), "\n", "\r\n")); err != nil {
		return err
	}
	response, err := io.ReadAll(c)
	p.tell(response)
	return err
}

// duplex sends a body in pieces, each when the one before has come back; with -2 over HTTP/2.
func duplex(p *play, args []string) error {
	client := http.DefaultClient
	if len(args) == 3 && args[0] == "-2" {
		args = args[1:]
		client = p.http2(strings.HasPrefix(args[1], "https:"))
	}
	if len(args) != 2 {
		return errUsage
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return errUsage
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	body, up := io.Pipe()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, args[1], body)
	if err != nil {
		return err
	}
	go io.WriteString(up, "0") // the response may begin when something has arrived
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	for i := range n {
		var back [1]byte
		if _, err := io.ReadFull(response.Body, back[:]); err != nil {
			return fmt.Errorf("piece %d did not come back: %w", i, err)
		}
		fmt.Fprintf(p.Stdout(), "piece %s\n", back)
		if i+1 < n {
			io.WriteString(up, strconv.Itoa((i+1)%10))
		}
	}
	up.Close()
	rest, err := io.ReadAll(response.Body)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%q too many", rest)
	}
	return err
}

// sockets are open WebSockets.
type sockets struct{ open []*websocket.Conn }

func (s *sockets) close() {
	for _, c := range s.open {
		c.Close(websocket.StatusNormalClosure, "")
	}
	s.open = nil
}

func webSocket(p *play, args []string) error {
	if p.sockets == nil {
		p.sockets = new(sockets)
	}
	switch {
	case len(args) == 1 && args[0] == "close":
		p.sockets.close()
		return nil
	case len(args) == 1 && args[0] == "echo":
		return p.sockets.echo()
	}
	options := new(websocket.DialOptions)
	if len(args) == 3 && args[0] == "-2" {
		args = args[1:]
		options.HTTPClient = &http.Client{Transport: p.upgrader(strings.HasPrefix(args[1], "wss:"))}
	}
	if len(args) != 2 {
		return errUsage
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return errUsage
	}
	for range n {
		if err := p.openSocket(args[1], options); err != nil {
			return err
		}
	}
	fmt.Fprintf(p.Stdout(), "open %d\n", len(p.sockets.open))
	return p.sockets.echo()
}

// openSocket opens one more.
func (p *play) openSocket(url string, options *websocket.DialOptions) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, response, err := websocket.Dial(ctx, url, options)
	if err != nil {
		if response != nil {
			fmt.Fprintf(p.Stdout(), "refused %d\n", response.StatusCode)
			p.remember(response.Header.Get("X-Request-Id"))
		}
		return err
	}
	p.sockets.open = append(p.sockets.open, c)
	return nil
}

// echo sends a message on each, which has to come back.
func (s *sockets) echo() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for i, c := range s.open {
		message := fmt.Sprintf("message %d", i)
		if err := c.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
			return err
		}
		_, echoed, err := c.Read(ctx)
		if err == nil && string(echoed) != message {
			err = fmt.Errorf("%q came back as %q", message, echoed)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// certify writes a certificate that a site owner might have.
func certify(p *play, args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	host := args[0]
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: host},
		DNSNames:     []string{host},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		writePEM(p.MkAbs(host+".pem"), "CERTIFICATE", certificate),
		writePEM(p.MkAbs(host+".key"), "PRIVATE KEY", private))
}

func writePEM(file, kind string, der []byte) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
