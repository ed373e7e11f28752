package origin

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/seawall/seawall/h1"
	"github.com/seawall/seawall/internal/spec"
)

// maxIdle bounds a pool whose zone has no bound of concurrent requests.
const maxIdle = 256

// settings are what makes connections interchangeable. Zones never share them: a confused connection of one zone must not
// answer another.
type settings struct {
	zone, authority, address string
	secure                   bool
	serverName, ca           string // ca is the PEM text, so that a renewed file counts as a change
	insecure                 bool
	idle                     time.Duration
	max                      int
}

// read checks a zone's origin and reads its files.
func read(z *spec.Zone) (settings, error) {
	o := &z.Origin
	if len(o.Servers) != 1 {
		return settings{}, errors.New("origin.servers: want one")
	}
	server := o.Servers[0]
	s := settings{zone: z.Name, insecure: o.TLS.Insecure, idle: o.IdleTimeout, max: z.Budget.Concurrent}
	if s.max <= 0 {
		s.max = maxIdle
	}
	if err := s.locate(server.URL); err != nil {
		return s, fmt.Errorf("origin.url: %w", err)
	}
	if o.TLS.ServerName != "" {
		s.serverName = o.TLS.ServerName
	}
	if s.ca = string(o.TLS.CA); s.ca != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(s.ca)) {
		return s, errors.New("origin.tls.ca: holds no certificate in PEM form")
	}
	if o.ClientHeader != "" && (!h1.ValidToken(o.ClientHeader) || classify(o.ClientHeader) == hop) {
		return s, fmt.Errorf("origin.client_header: %q cannot carry an address; use a field of its own, such as X-Real-IP", o.ClientHeader)
	}
	for _, t := range []struct {
		key   string
		value time.Duration
	}{
		{"connect_timeout", o.ConnectTimeout},
		{"response_timeout", o.ResponseTimeout},
		{"stall_timeout", o.StallTimeout},
		{"idle_timeout", o.IdleTimeout},
	} {
		if t.value <= 0 {
			return s, fmt.Errorf("origin.%s: %v is not a positive duration", t.key, t.value)
		}
	}
	return s, nil
}

// locate takes the origin's URL apart.
func (s *settings) locate(text string) error {
	u, err := url.Parse(text)
	if err != nil {
		return err
	}
	port := u.Port()
	switch {
	case u.Scheme == "http" && port == "":
		port = "80"
	case u.Scheme == "https" && port == "":
		port = "443"
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%q needs a scheme, http or https", text)
	}
	switch {
	case u.Hostname() == "":
		return fmt.Errorf("%q has no host", text)
	case u.User != nil:
		return errors.New("a user or password has no place here") // and none in a message
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return fmt.Errorf("%q may have nothing behind the host and port", text)
	}
	s.secure = u.Scheme == "https"
	s.authority = u.Host
	s.address = net.JoinHostPort(u.Hostname(), port)
	s.serverName = strings.TrimSuffix(u.Hostname(), ".")
	return nil
}

// config is how the origin's certificate is verified; nil for a cleartext origin.
func (s *settings) config() *tls.Config {
	if !s.secure {
		return nil
	}
	c := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		NextProtos:         []string{"http/1.1"},
		ServerName:         s.serverName,
		InsecureSkipVerify: s.insecure,
		ClientSessionCache: tls.NewLRUClientSessionCache(16),
	}
	if s.ca != "" {
		c.RootCAs = x509.NewCertPool()
		c.RootCAs.AppendCertsFromPEM([]byte(s.ca))
	}
	return c
}
