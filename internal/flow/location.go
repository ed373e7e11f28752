package flow

import "net/netip"

// Location is what files about addresses tell of a client's. What they do not tell is zero.
type Location struct {
	// Country is two letters in upper case (ISO 3166), "XX" for unknown, "T1" for an exit of Tor; "" where the node knows of no countries.
	Country string
	// Continent is one of AF, AN, AS, EU, NA, OC and SA, or "T1" as above.
	Continent string
	// ASN is the number of the autonomous system that announces the address, and ASOrganization who runs that.
	ASN            uint32
	ASOrganization string
}

// Locator tells where addresses are. It does not wait.
type Locator interface {
	Locate(client netip.Addr) Location
}

// Location is where the client is. It is looked up when somebody asks, once.
func (q *Request) Location() *Location {
	if !q.located && q.Locator != nil {
		q.location = q.Locator.Locate(q.Client)
	}
	q.located = true
	return &q.location
}
