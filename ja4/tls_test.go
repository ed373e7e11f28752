package ja4

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// errSeen ends a handshake whose hello has been seen.
var errSeen = errors.New("seen")

// replay is a connection on which what was recorded arrives, and then the end.
type replay struct {
	net.Conn
	bytes.Reader
}

func (r *replay) Read(b []byte) (int, error)  { return r.Reader.Read(b) }
func (r *replay) Write(b []byte) (int, error) { return len(b), nil }
func (r *replay) Close() error                { return nil }

// serve returns the fingerprint that a crypto/tls server takes of the hello in b, nil if it takes none.
func serve(t testing.TB, b []byte) *Fingerprint {
	t.Helper()
	var seen *Fingerprint
	conn := &replay{}
	conn.Reset(b)
	err := tls.Server(conn, &tls.Config{
		GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
			f := Of(info, TCP)
			seen = &f
			return nil, errSeen
		},
	}).Handshake()
	if (seen != nil) != errors.Is(err, errSeen) {
		t.Fatalf("crypto/tls: %v", err)
	}
	return seen
}

// recorder is a connection that keeps what was read.
type recorder struct {
	net.Conn
	read []byte
}

func (r *recorder) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	r.read = append(r.read, b[:n]...)
	return n, err
}

// certificate returns a certificate that signs itself.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"www.example.org"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// connect returns the two ends of a connection. They are sockets: with net.Pipe, server and client would wait for each other
// when one writes tickets and the other its Finished.
func connect(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if far, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if near, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return near, far
}

// shake shakes hands, and returns what the server read and the fingerprint it took.
func shake(t *testing.T, client, server *tls.Config) ([]byte, Fingerprint) {
	t.Helper()
	var seen Fingerprint
	server = server.Clone()
	server.GetConfigForClient = func(info *tls.ClientHelloInfo) (*tls.Config, error) {
		seen = Of(info, TCP)
		return nil, nil
	}
	near, far := connect(t)
	defer near.Close()
	deadline := time.Now().Add(10 * time.Second)
	if err := errors.Join(near.SetDeadline(deadline), far.SetDeadline(deadline)); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		defer far.Close()
		_, err := io.ReadAll(tls.Client(far, client)) // to the end, for the tickets
		done <- err
	}()
	recorded := &recorder{Conn: near}
	conn := tls.Server(recorded, server)
	if err := errors.Join(conn.Handshake(), conn.Close(), <-done); err != nil {
		t.Fatal(err)
	}
	return recorded.read, seen
}

// TestHandshakes compares what Parse makes of real hellos with what a crypto/tls server is told of them.
func TestHandshakes(t *testing.T) {
	cert, roots := certificate(t)
	server := &tls.Config{
		Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10, NextProtos: []string{"h2", "http/1.1", "acme-tls/1", "\xab\xcd"},
	}
	tests := []struct {
		name   string
		client *tls.Config
		begins string
	}{
		{"as it comes", &tls.Config{ServerName: "www.example.org"}, "t13d"},
		{"address", &tls.Config{ServerName: "127.0.0.1"}, "t13i"},
		{"TLS 1.0", &tls.Config{ServerName: "www.example.org", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}, "t10d"},
		{"TLS 1.1", &tls.Config{ServerName: "www.example.org", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, "t11d"},
		{"TLS 1.2", &tls.Config{ServerName: "www.example.org", MaxVersion: tls.VersionTLS12}, "t12d"},
		{"TLS 1.3 alone", &tls.Config{ServerName: "www.example.org", MinVersion: tls.VersionTLS13}, "t13d"},
		{"h2", &tls.Config{ServerName: "www.example.org", NextProtos: []string{"h2", "http/1.1"}}, "t13d"},
		{"http/1.1", &tls.Config{ServerName: "www.example.org", NextProtos: []string{"http/1.1"}}, "t13d"},
		{"acme-tls/1", &tls.Config{ServerName: "www.example.org", NextProtos: []string{"acme-tls/1"}}, "t13d"},
		{"binary ALPN", &tls.Config{ServerName: "www.example.org", NextProtos: []string{"\xab\xcd", "h2"}}, "t13d"},
		{"one curve", &tls.Config{ServerName: "www.example.org", CurvePreferences: []tls.CurveID{tls.CurveP256}}, "t13d"},
		{"one cipher", &tls.Config{
			ServerName: "www.example.org", MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
		}, "t12d01"},
	}
	for _, tt := range tests {
		for _, resume := range []bool{false, true} {
			name := tt.name
			if resume {
				name += ", resuming"
			}
			t.Run(name, func(t *testing.T) {
				client := tt.client.Clone()
				client.RootCAs = roots
				if resume {
					client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
					shake(t, client, server)
				}
				b, want := shake(t, client, server)
				var h Hello
				if _, err := h.Parse(b); err != nil {
					t.Fatal(err)
				}
				if got := h.Fingerprint(TCP); got != want || !strings.HasPrefix(got.String(), tt.begins) {
					t.Errorf("fingerprint: got %s, want %s with %s first", got, want, tt.begins)
				}
				if h.Ticket != resume {
					t.Errorf("ticket: got %v, want %v", h.Ticket, resume)
				}
				if name := client.ServerName; name != "127.0.0.1" && h.ServerName != name {
					t.Errorf("server name: got %q, want %q", h.ServerName, name)
				}
				if !slices.Equal(h.Protocols, client.NextProtos) {
					t.Errorf("protocols: got %q, want %q", h.Protocols, client.NextProtos)
				}
			})
		}
	}
}

// TestClients takes the hellos of the clients that are installed.
func TestClients(t *testing.T) {
	tests := []struct {
		name   string
		args   []string // but for the address
		begins string
	}{
		{"curl", []string{"-sk", "--max-time", "10", "--http1.1", "https://"}, "t13i"},
		{"openssl", []string{"s_client", "-servername", "www.example.org", "-alpn", "h2", "-connect", ""}, "t13d"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := exec.LookPath(tt.name); err != nil {
				t.Skip(err)
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			args := slices.Clone(tt.args)
			args[len(args)-1] += l.Addr().String()
			command := exec.CommandContext(ctx, tt.name, args...)
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			defer command.Wait() // it fails, as nobody answers
			defer cancel()
			b, h := accept(t, l)
			got, want := h.Fingerprint(TCP), serve(t, b)
			if want == nil || got != *want || !strings.HasPrefix(got.String(), tt.begins) {
				t.Errorf("got %s, want %v with %s first", got, want, tt.begins)
			}
		})
	}
}

// accept reads the hello of the next connection as it arrives.
func accept(t *testing.T, l net.Listener) ([]byte, *Hello) {
	t.Helper()
	if err := l.(*net.TCPListener).SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var b []byte
	var h Hello
	for {
		switch _, err := h.Parse(b); {
		case err == nil:
			return b, &h
		case !errors.Is(err, ErrShort):
			t.Fatal(err)
		}
		chunk := make([]byte, 1024)
		n, err := conn.Read(chunk)
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, chunk[:n]...)
	}
}
