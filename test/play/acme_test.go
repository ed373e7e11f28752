package play

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/seawall/seawall/internal/control/cert/pebble"
)

// authority is a certificate authority that speaks ACME, and validates every name at the ports $HTTP_PORT and $HTTPS_PORT of this
// machine, as [ports] reserves them. It sets $ACME to its directory, and writes acme.pem, what to trust there, and roots.pem, what to
// trust in what it issues.
func authority(p *play, args []string) error {
	switch {
	case len(args) == 0 && p.authority == nil:
		return p.openAuthority()
	case p.authority == nil:
		return errors.New("there is no authority yet")
	case len(args) == 1 && args[0] == "orders":
		fmt.Fprintf(p.Stdout(), "orders %d\n", p.authority.Orders())
		return nil
	case len(args) == 2 && args[0] == "hurry":
		c, err := p.certificate(args[1])
		if err != nil {
			return err
		}
		p.hurried = c.SerialNumber
		now := time.Now()
		return p.authority.Suggest(c.SerialNumber, now.Add(-2*time.Hour), now.Add(-time.Hour))
	case len(args) == 1 && args[0] == "replaced" && p.hurried != nil:
		return until("another certificate replaces the one that was to be renewed early", func() bool { return p.authority.Replaced(p.hurried) })
	case len(args) == 2 && args[0] == "issues":
		return until("the node shows a certificate that the authority has issued for "+args[1], func() bool {
			_, err := p.certificate(args[1])
			return err == nil
		})
	}
	return errUsage
}

func (p *play) openAuthority() error {
	http, err := strconv.Atoi(p.Getenv("HTTP_PORT"))
	if err != nil {
		return err
	}
	https, err := strconv.Atoi(p.Getenv("HTTPS_PORT"))
	if err != nil {
		return err
	}
	s, err := pebble.Start(pebble.Options{HTTPPort: http, TLSPort: https})
	if err != nil {
		return err
	}
	p.authority = s
	p.Setenv("ACME", s.Directory)
	return errors.Join(
		os.WriteFile(p.MkAbs("acme.pem"), []byte(s.CA), 0o600),
		os.WriteFile(p.MkAbs("roots.pem"), []byte(s.Roots()), 0o600))
}

// certificate is what the node shows for a host, if the authority has issued it.
func (p *play) certificate(host string) (*x509.Certificate, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(p.authority.Roots()))
	c, err := tls.Dial("tcp", p.Getenv("TLS"), &tls.Config{ServerName: host, RootCAs: roots})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0], nil
}
