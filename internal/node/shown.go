package node

import (
	"bytes"
	"slices"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/spec/config"
)

// shownConfig is the configuration in force as a file would have it, but for what nobody needs to see.
func (n *Node) shownConfig() ([]byte, error) {
	s := n.Spec()
	s.Certificates = withoutKeys(s.Certificates)
	s.ACME.Authorities = slices.Clone(s.ACME.Authorities)
	for i := range s.ACME.Authorities {
		hide(&s.ACME.Authorities[i].HMAC)
	}
	s.TLS.ECH = slices.Clone(s.TLS.ECH)
	for i := range s.TLS.ECH {
		hide(&s.TLS.ECH[i].Key)
	}
	specs := n.snapshot.Specs()
	zones := make([]spec.Zone, len(specs))
	for i := range specs {
		z := *specs[i]
		z.HTTPS.Certificates = withoutKeys(z.HTTPS.Certificates)
		hideKeys(&z.Origin)
		z.Pools = slices.Clone(z.Pools)
		for j := range z.Pools {
			hideKeys(&z.Pools[j].Origin)
		}
		zones[i] = z
	}
	var text bytes.Buffer
	err := config.Write(&text, &s, zones)
	return text.Bytes(), err
}

// hideKeys hides what an origin's servers are shown.
func hideKeys(o *spec.Origin) {
	hide(&o.TLS.Key)
	o.Servers = slices.Clone(o.Servers)
	for i := range o.Servers {
		if own := o.Servers[i].TLS; own != nil {
			shown := *own
			hide(&shown.Key)
			o.Servers[i].TLS = &shown
		}
	}
}

func withoutKeys(list []spec.Certificate) []spec.Certificate {
	list = slices.Clone(list)
	for i := range list {
		hide(&list[i].Key)
	}
	return list
}

// hide takes the place of a secret.
func hide[S ~string](secret *S) {
	if *secret != "" {
		*secret = "not shown"
	}
}
