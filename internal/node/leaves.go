package node

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"sync"

	"github.com/seawall/seawall/internal/node/status"
	"github.com/seawall/seawall/internal/spec"
)

// eachCertificate calls visit for every certificate that visitors are shown, configured or obtained, and for those still to be obtained:
// with the zone that it belongs to, "" for the node's own. Those that a local authority mints are none of the operator's business.
func (n *Node) eachCertificate(visit func(zone string, c status.Certificate)) {
	if n.hello == nil {
		return
	}
	n.admin.leaves.mu.Lock()
	defer n.admin.leaves.mu.Unlock()
	read := make(map[spec.PEM]status.Certificate)
	defer func() { n.admin.leaves.read = read }()
	configured := func(zone string, list []spec.Certificate) {
		for i := range list {
			chain := list[i].Chain
			c, ok := n.admin.leaves.read[chain]
			if !ok {
				c = leaf(chain)
			}
			read[chain] = c
			visit(zone, c)
		}
	}
	configured("", n.Spec().Certificates)
	for _, z := range n.snapshot.Specs() {
		configured(z.Name, z.HTTPS.Certificates)
	}
	for _, s := range n.certificates.Status() {
		c := status.Certificate{Names: []string{s.Host}, Issuer: s.Issuer, NotAfter: s.NotAfter}
		if s.Err != nil {
			c.Problem = s.Err.Error()
		}
		if z := n.snapshot.Zones().Owner(s.Host); z != nil {
			visit(z.Name(), c)
		}
	}
}

// reportCertificates adds them to their zones.
func (n *Node) reportCertificates(r *status.Report) {
	zones := make(map[string]*status.Zone, len(r.Zones))
	for i := range r.Zones {
		zones[r.Zones[i].Name] = &r.Zones[i]
	}
	n.eachCertificate(func(zone string, c status.Certificate) {
		if z := zones[zone]; z != nil {
			z.Certificates = append(z.Certificates, c)
			return
		}
		r.Certificates = append(r.Certificates, c)
	})
}

// leaves remembers what configured certificates say, by their chains, while they are configured: reading a thousand takes long.
type leaves struct {
	mu   sync.Mutex
	read map[spec.PEM]status.Certificate
}

// leaf reads the first certificate of a chain.
func leaf(chain spec.PEM) status.Certificate {
	block, _ := pem.Decode([]byte(chain))
	err := errors.New("no certificate in PEM form")
	var c *x509.Certificate
	if block != nil {
		c, err = x509.ParseCertificate(block.Bytes)
	}
	if err != nil {
		return status.Certificate{Names: []string{}, Problem: "reading a certificate: " + err.Error()}
	}
	names := c.DNSNames
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		names = []string{c.Subject.CommonName}
	}
	issuer := strings.Join(append(c.Issuer.Organization, c.Issuer.CommonName), " ")
	return status.Certificate{Names: names, Issuer: strings.TrimSpace(issuer), NotAfter: c.NotAfter}
}
