package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/cache"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/snapshot"
	"github.com/seawall/seawall/internal/zone"
)

// mostPurged bounds what one call purges.
const mostPurged = 10_000

// Purge is what an operator wants purged from a node's cache.
type Purge struct {
	// Zone is the zone's name. It may be left out for URLs, prefixes and hosts, and where there is only one.
	Zone string `json:"zone,omitempty"`
	// URLs are purged for both schemes, with all variants; one without a scheme is taken as it is.
	URLs []string `json:"urls,omitempty"`
	// Prefixes are of URLs, without scheme and query: "www.example.org/images/".
	Prefixes []string `json:"prefixes,omitempty"`
	Hosts    []string `json:"hosts,omitempty"`
	// Tags are those that the origin gave responses in Cache-Tag, Surrogate-Key or xkey.
	Tags []string `json:"tags,omitempty"`
	// All is everything of the zone.
	All bool `json:"all,omitempty"`
	// Soft makes stale instead of dropping: what is purged is validated when it is asked for next.
	Soft bool `json:"soft,omitempty"`
}

// Receipt tells what was purged, and since when nobody gets it any more.
type Receipt struct {
	Node   string   `json:"node"`
	Purged []Purged `json:"purged"`
}

// Purged is one part of a receipt.
type Purged struct {
	Zone    string    `json:"zone"`
	Scope   string    `json:"scope"`
	What    string    `json:"what,omitempty"`
	Soft    bool      `json:"soft"`
	InForce time.Time `json:"in_force"`
}

// order is one purge of a zone, ready to be carried out.
type order struct {
	zone  *zone.Zone
	what  string
	purge cache.Purge
}

// orders checks a purge as a whole: if anything is wrong with it, nothing is purged.
func (n *Node) orders(p *Purge) ([]order, error) {
	if count := len(p.URLs) + len(p.Prefixes) + len(p.Hosts) + len(p.Tags); count > mostPurged {
		return nil, fmt.Errorf("%d things to purge are too many: want at most %d, or prefixes or tags", count, mostPurged)
	}
	var all []order
	for _, located := range []struct {
		scope cache.Scope
		texts []string
	}{{cache.PurgeURL, p.URLs}, {cache.PurgePrefix, p.Prefixes}, {cache.PurgeHost, p.Hosts}} {
		for _, text := range located.texts {
			o, err := n.locate(p, located.scope, text)
			if err != nil {
				return nil, err
			}
			all = append(all, o)
		}
	}
	if len(p.Tags) > 0 || p.All {
		z, err := n.onlyZone(p.Zone)
		if err != nil {
			return nil, err
		}
		for _, tag := range p.Tags {
			if tag == "" || strings.ContainsAny(tag, " ,\t") {
				return nil, fmt.Errorf("tag %q: want a text without spaces and commas", tag)
			}
			all = append(all, order{z, tag, cache.Purge{Scope: cache.PurgeTag, Tag: tag, Soft: p.Soft}})
		}
		if p.All {
			all = append(all, order{z, "", cache.Purge{Scope: cache.PurgeAll, Soft: p.Soft}})
		}
	}
	if all == nil {
		return nil, fmt.Errorf("nothing to purge: want urls, prefixes, hosts, tags or all")
	}
	return all, nil
}

// locate finds the zone of a URL, prefix or host, and the purge's normal form.
func (n *Node) locate(p *Purge, scope cache.Scope, text string) (order, error) {
	u, err := parseURL(text)
	if err != nil {
		return order{}, err
	}
	host, path, ok := flow.NormalTarget(u.Host, u.EscapedPath())
	switch {
	case !ok:
		return order{}, fmt.Errorf("%q: the path is none", text)
	case scope == cache.PurgeHost && (u.Path != "" || u.RawQuery != ""):
		return order{}, fmt.Errorf("%q is no host: want a name such as www.example.org", text)
	case scope == cache.PurgePrefix && (u.RawQuery != "" || u.ForceQuery):
		return order{}, fmt.Errorf("%q has a query: want a prefix of a path, such as www.example.org/images/", text)
	}
	z := n.snapshot.Zones().Lookup(host)
	if z == nil || p.Zone != "" && z.Name() != p.Zone {
		return order{}, fmt.Errorf("%q: %s", text, noZoneFor(host, p.Zone))
	}
	c := cache.Purge{Scope: scope, Host: host, Soft: p.Soft}
	if scope != cache.PurgeHost {
		c.Path = path
	}
	if scope == cache.PurgeURL {
		c.Query, c.HasQuery = u.RawQuery, u.RawQuery != "" || u.ForceQuery
	}
	return order{z, text, c}, nil
}

func noZoneFor(host, name string) string {
	if name == "" {
		return "no zone has the host " + host
	}
	return fmt.Sprintf("zone %s has no host %s", name, host)
}

// parseURL reads a URL with or without its scheme.
func parseURL(text string) (*url.URL, error) {
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	if u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is no URL: want one such as https://www.example.org/page", text)
	}
	return u, nil
}

// onlyZone is the zone of a name, or the only one there is.
func (n *Node) onlyZone(name string) (only *zone.Zone, err error) {
	var others int
	n.snapshot.Each(func(z *zone.Zone) {
		if z.Name() != snapshot.Unserved && (name == "" || z.Name() == name) {
			only = z
			others++
		}
	})
	switch {
	case only == nil && name != "":
		return nil, fmt.Errorf("no zone %s is in force", name)
	case only == nil:
		return nil, fmt.Errorf("no zone is in force")
	case others > 1:
		return nil, fmt.Errorf("there are %d zones: want the name of one", others)
	}
	return only, nil
}

// servePurge carries out a purge and answers with its receipt.
func (n *Node) servePurge(w http.ResponseWriter, r *http.Request) {
	var p Purge
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		http.Error(w, "reading what to purge: "+err.Error(), http.StatusBadRequest)
		return
	}
	orders, err := n.orders(&p)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	receipt := Receipt{Node: n.spec.Name}
	for _, o := range orders {
		at := o.zone.Cache.Purge(o.purge)
		receipt.Purged = append(receipt.Purged, Purged{o.zone.Name(), o.purge.Scope.String(), o.what, p.Soft, at.UTC()})
	}
	n.log.Info("purged", "things", len(orders), "first", orders[0].purge.Scope.String()+" "+orders[0].what, "soft", p.Soft)
	answer(w, http.StatusOK, receipt)
}

// PurgeCache has the node that runs on this machine purge its cache; for admin see [Explain].
func PurgeCache(ctx context.Context, data, admin string, p *Purge) (*Receipt, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	return askFor[*Receipt](ctx, http.MethodPost, data, admin, "/api/purge", bytes.NewReader(text))
}

// Write tells it to a person.
func (r *Receipt) Write(w io.Writer) error {
	for _, p := range r.Purged {
		how := "purged"
		if p.Soft {
			how = "made stale"
		}
		_, err := fmt.Fprintf(w, "%s on %s: %s %s of zone %s, in force since %s\n", how, r.Node, p.Scope, p.What, p.Zone, p.InForce.Format(time.RFC3339Nano))
		if err != nil {
			return err
		}
	}
	return nil
}
