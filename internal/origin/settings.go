package origin

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"strings"

	"github.com/seawall/seawall/internal/spec"
)

const (
	maxServers = 256
	maxWeight  = 256
	maxPath    = 107 // bytes of a Unix socket's path on Linux, unix(7)
)

// settings are what makes connections to a server interchangeable, and what is known of the server still true. Zones never share them:
// a confused connection of one zone must not answer another.
type settings struct {
	zone, url        string
	network, address string // as for net.Dial
	secure           bool
	serverName       string
	tls              spec.TLS // whole, so that a renewed file counts as a change; nothing if not secure
	proxy            string   // the version of the PROXY protocol
	protocol         spec.Protocol
}

// member is a server as it was read.
type member struct {
	settings  settings
	authority string
	tls       *tls.Config // nil for cleartext
}

// readServers checks a zone's servers.
func readServers(z *spec.Zone) ([]member, error) {
	o := &z.Origin
	switch n := len(o.Servers); {
	case n == 0:
		return nil, errors.New("origin.servers: want at least one")
	case n > maxServers:
		return nil, fmt.Errorf("origin.servers: %d are too many: want %d at most", n, maxServers)
	}
	if _, err := tlsConfig("origin.tls", &o.TLS); err != nil {
		return nil, err
	}
	members := make([]member, 0, len(o.Servers))
	known := make(map[settings]int)
	working := 0
	for i := range o.Servers {
		m, err := readServer(z, i)
		if err != nil {
			return nil, err
		}
		same := m.settings
		same.url = "" // which may name one address in several ways
		if twin, ok := known[same]; ok {
			return nil, fmt.Errorf("origin.servers[%d].url: %q is servers[%d] already: give that a higher weight", i, o.Servers[i].URL, twin)
		}
		known[same] = i
		members = append(members, m)
		working += o.Servers[i].Weight
	}
	if working == 0 {
		return nil, errors.New("origin.servers: all have weight 0, which is no work: want at least one with a weight from 1 to 256")
	}
	return members, nil
}

// readServer checks the i-th of a zone's servers.
func readServer(z *spec.Zone, i int) (m member, err error) {
	server := &z.Origin.Servers[i]
	key := fmt.Sprintf("origin.servers[%d]", i)
	if server.Weight < 0 || server.Weight > maxWeight {
		return m, fmt.Errorf("%s.weight: %d is out of bounds: want 1 to %d, or 0 for no work", key, server.Weight, maxWeight)
	}
	m.settings = settings{zone: z.Name, url: server.URL, proxy: z.Origin.ProxyProtocol, protocol: z.Origin.Protocol}
	if err := m.locate(server.URL); err != nil {
		return m, fmt.Errorf("%s.url: %w", key, err)
	}
	if !m.settings.secure {
		if server.TLS != nil {
			return m, fmt.Errorf("%s.tls: %q is not asked over TLS: want an https URL, or no tls here", key, server.URL)
		}
		return m, nil
	}
	m.settings.tls, key = z.Origin.TLS, "origin.tls"
	if server.TLS != nil {
		m.settings.tls, key = *server.TLS, fmt.Sprintf("origin.servers[%d].tls", i)
	}
	if m.tls, err = tlsConfig(key, &m.settings.tls); err != nil {
		return m, err
	}
	if m.tls.ServerName == "" {
		m.tls.ServerName = m.settings.serverName
	}
	m.tls.NextProtos = []string{string(cmp.Or(z.Origin.Protocol, spec.ProtocolHTTP1))}
	return m, nil
}

// locate takes a server's URL apart.
func (m *member) locate(text string) error {
	s := &m.settings
	if name, ok := strings.CutPrefix(text, "unix:"); ok {
		if !path.IsAbs(name) || len(name) > maxPath || strings.ContainsRune(name, 0) {
			return fmt.Errorf("%q does not name a socket: want an absolute path of at most %d bytes, such as unix:/run/app.sock", text, maxPath)
		}
		s.network, s.address, m.authority = "unix", path.Clean(name), "localhost"
		return nil
	}
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
		return fmt.Errorf("%q has no scheme that is spoken here: want http://host, https://host or unix:/path", text)
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
	s.network, s.address = "tcp", net.JoinHostPort(u.Hostname(), port)
	s.serverName = strings.TrimSuffix(u.Hostname(), ".")
	m.authority = u.Host
	return nil
}

// tlsConfig is how a server's certificate is verified and what the server is shown. key is where t stands.
func tlsConfig(key string, t *spec.TLS) (*tls.Config, error) {
	c := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         t.ServerName,
		InsecureSkipVerify: t.Insecure,
		ClientSessionCache: tls.NewLRUClientSessionCache(16),
	}
	if t.CA != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(t.CA)) {
			return nil, fmt.Errorf("%s.ca: holds no certificate in PEM form", key)
		}
	}
	switch {
	case t.Certificate == "" && t.Key == "":
		return c, nil
	case t.Key == "":
		return nil, fmt.Errorf("%s.key: missing: want the private key of %s.certificate, in PEM form", key, key)
	case t.Certificate == "":
		return nil, fmt.Errorf("%s.certificate: missing: want the certificate of %s.key, in PEM form", key, key)
	}
	pair, err := tls.X509KeyPair([]byte(t.Certificate), []byte(t.Key))
	if err != nil {
		return nil, fmt.Errorf("%s.certificate: want a certificate and its private key, in PEM form: %w", key, err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}
