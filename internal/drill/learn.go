package drill

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"

	"github.com/seawall/seawall/internal/drill/scenario/network"
	"github.com/seawall/seawall/internal/drill/site"
	"github.com/seawall/seawall/internal/drill/wire"
)

const (
	maxAssets    = 32               // of a page of somebody else's site
	learnTimeout = 10 * time.Second // of a page
)

// learn asks for the pages of somebody else's site, one after another, as a browser does, and looks what belongs to them. A page that is
// not there is the scenario's mistake.
func (g *Stage) learn(ctx context.Context, d *wire.Dialer) error {
	rng := rand.New(rand.NewPCG(g.scenario.Seed, 0))
	software, source := wire.Browser(rng), network.Draw(rng, network.Residential)
	var pages []*site.Resource
	for _, path := range g.scenario.Site.Pages {
		body, err := once(ctx, d, source, software, path)
		if err != nil {
			return fmt.Errorf("site.pages: %s: %w", path, err)
		}
		page := &site.Resource{Path: path, Kind: site.Article}
		for _, asset := range assetsOf(body, d.Target, path) {
			page.Assets = append(page.Assets, &site.Resource{Path: asset, Kind: site.Asset})
		}
		pages = append(pages, page)
	}
	g.content = g.content.OfOthers(pages)
	return nil
}

// once asks for one page on a connection of its own, and wants it whole.
func once(ctx context.Context, d *wire.Dialer, source netip.Addr, software *wire.Software, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, learnTimeout)
	defer cancel()
	c, err := d.Dial(ctx, source, software)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var r wire.Response
	var body bytes.Buffer
	if err := c.Do(ctx, &wire.Request{Method: http.MethodGet, Path: path}, &r, &body); err != nil {
		return nil, err
	}
	if r.Status != http.StatusOK {
		return nil, fmt.Errorf("the target answers %d: want pages that it answers 200", r.Status)
	}
	return wire.Decode(&r, body.Bytes())
}

// assetsOf finds what a browser loads with a page, of the same host, each once.
func assetsOf(page []byte, target wire.Target, path string) []string {
	base, err := url.Parse(target.Origin() + path)
	if err != nil {
		return nil
	}
	var out []string
	known := map[string]bool{}
	for z := html.NewTokenizer(bytes.NewReader(page)); len(out) < maxAssets; {
		switch z.Next() {
		case html.ErrorToken:
			return out
		case html.StartTagToken, html.SelfClosingTagToken:
			u, err := base.Parse(loads(z.Token()))
			if err != nil || u.Host != base.Host || u.Scheme != base.Scheme || u.RequestURI() == base.RequestURI() || known[u.RequestURI()] {
				continue
			}
			known[u.RequestURI()] = true
			out = append(out, u.RequestURI())
		default: // text
		}
	}
	return out
}

// loads is what a tag has a browser load, "" if nothing.
func loads(t html.Token) string {
	attributes := map[string]string{}
	for _, a := range t.Attr {
		attributes[a.Key] = a.Val
	}
	switch t.Data {
	case "script", "img":
		return attributes["src"]
	case "link":
		for rel := range strings.FieldsSeq(strings.ToLower(attributes["rel"])) {
			if rel == "stylesheet" || rel == "icon" {
				return attributes["href"]
			}
		}
	}
	return ""
}
