package site

import (
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strings"
)

const (
	articleCount = 24
	downloadPath = "/files/tide-tables.bin"
	downloadSize = 1 << 20
)

// Kind is the sort of a path, as the site counts it.
type Kind string

// The kinds of resources, and of what a program answers.
const (
	Home     Kind = "home"
	Article  Kind = "article"
	Asset    Kind = "asset"
	Feed     Kind = "feed"
	Sitemap  Kind = "sitemap"
	Download Kind = "download"

	Search  Kind = "search"
	Login   Kind = "login"
	Account Kind = "account"
	API     Kind = "api"
	Git     Kind = "git"
	Hook    Kind = "hook"
	Live    Kind = "live"
	Tickets Kind = "tickets"
	Order   Kind = "order"
	Report  Kind = "report"
	XMLRPC  Kind = "xmlrpc"
	Inbox   Kind = "inbox"
	Health  Kind = "health"
	Other   Kind = "other" // nothing is there
)

// A Resource is a page or file of the site whose bytes are the same for everybody, and may be kept by a shared cache.
type Resource struct {
	Path   string
	Kind   Kind
	ETag   string
	Body   []byte
	Assets []*Resource // what a browser loads with it

	contentType  string
	cacheControl string
}

// Content is what the site holds. Site and visitors hold the same one: it is how a visitor knows what is right. It is
// made from a fixed seed and never changes.
type Content struct {
	Words      Lexicon
	Home       *Resource
	Feed       *Resource
	Robots     *Resource
	Download   *Resource
	Articles   []*Resource
	Shows      []string // that there are tickets for
	Repository *Repository

	byPath map[string]*Resource
	order  []*Resource

	// Others is true of somebody else's site, of which only its pages are known, and not what is on them.
	Others bool
}

// Cache-Control of a newspaper: pages are revalidated by browsers and kept shortly by shared caches (RFC 9111 §5.2.2.10),
// files whose names carry a version are kept for good (RFC 8246).
const (
	cachePage = "public, max-age=0, s-maxage=30"
	cacheFeed = "public, max-age=60"
	cacheFile = "public, max-age=3600"
	cacheKeep = "public, max-age=31536000, immutable"
)

// OfOthers is the content of somebody else's site: pages with what belongs to them, the first of which is the front page. Words are as ours.
func (c *Content) OfOthers(pages []*Resource) *Content {
	out := &Content{Words: c.Words, Home: pages[0], Articles: pages, Others: true, byPath: map[string]*Resource{}}
	for _, p := range pages {
		out.byPath[p.Path] = p
	}
	return out
}

// NewContent makes the content. It takes some milliseconds: a drill makes it once.
func NewContent() *Content {
	c := &Content{Words: strings.Fields(vocabulary), byPath: map[string]*Resource{}}
	rng := rand.New(rand.NewPCG(0x5ea, 0xa11))
	shared := []*Resource{
		c.add("/assets/site.4f1c2a.css", Asset, "text/css; charset=utf-8", cacheKeep, styleSheet(rng, c.Words)),
		c.add("/assets/site.91b0d3.js", Asset, "text/javascript; charset=utf-8", cacheKeep, script(rng, c.Words)),
		c.add("/assets/logo.svg", Asset, "image/svg+xml", cacheFile, []byte(logo)),
	}
	var front []*Resource
	for i := range articleCount {
		title := headline(rng, c.Words)
		picture := c.add(fmt.Sprintf("/images/%02d.png", i), Asset, "image/png", cacheFile, photograph(rng))
		path := fmt.Sprintf("/articles/%02d-%s", i, strings.ReplaceAll(strings.ToLower(title), " ", "-"))
		a := c.add(path, Article, typeHTML, cachePage, page(title, picture.Path, prose(rng, c.Words)))
		a.Assets = append(append(a.Assets, shared...), picture)
		c.Articles = append(c.Articles, a)
		if i < 4 {
			front = append(front, picture)
		}
	}
	c.Home = c.add("/", Home, typeHTML, cachePage, c.frontPage())
	c.Home.Assets = append(append(c.Home.Assets, shared...), front...)
	c.Feed = c.add("/feed.xml", Feed, "application/atom+xml", cacheFeed, c.atom())
	c.Robots = c.add("/robots.txt", Asset, "text/plain; charset=utf-8", cacheFile, []byte(robots))
	c.Download = c.add(downloadPath, Download, "application/octet-stream", cacheFile, noise(rng, downloadSize))
	for range 6 {
		c.Shows = append(c.Shows, strings.Join(c.Words.Draw(rng, 2), " "))
	}
	c.Repository = newRepository(rng, c.Words)
	return c
}

func (c *Content) add(path string, kind Kind, contentType, cacheControl string, body []byte) *Resource {
	r := newResource(path, kind, contentType, cacheControl, body)
	c.byPath[path] = r
	c.order = append(c.order, r)
	return r
}

func newResource(path string, kind Kind, contentType, cacheControl string, body []byte) *Resource {
	return &Resource{
		Path: path, Kind: kind, Body: body, ETag: fmt.Sprintf(`"%08x"`, crc32.ChecksumIEEE(body)),
		contentType: contentType, cacheControl: cacheControl,
	}
}

// Resource returns what is at a path, nil if a program answers there or nothing is.
func (c *Content) Resource(path string) *Resource { return c.byPath[path] }

// Resources returns everything cacheable, always in the same order. It is not to be changed.
func (c *Content) Resources() []*Resource { return c.order }

// Expensive returns request targets that cost the site many times what a page does, and that no cache keeps.
func (c *Content) Expensive() []string {
	out := make([]string, 0, 12)
	for month := range 12 {
		out = append(out, fmt.Sprintf("%s?month=2025-%02d", ReportPath, month+1))
	}
	return out
}

// Sitemap is the body of /sitemap.xml (sitemaps.org) of the site that has the content under a host name.
func (c *Content) Sitemap(host string) []byte {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n")
	for _, r := range c.order {
		if r.Kind == Home || r.Kind == Article {
			fmt.Fprintf(&b, "<url><loc>https://%s%s</loc></url>\n", host, r.Path)
		}
	}
	b.WriteString("</urlset>\n")
	return []byte(b.String())
}

// frontPage links every article.
func (c *Content) frontPage() []byte {
	var b strings.Builder
	for _, a := range c.Articles {
		fmt.Fprintf(&b, "<p><a href=\"%s\">%s</a></p>\n", a.Path, titleOf(a))
	}
	return page("Today", "", b.String())
}

// atom is the feed (RFC 4287).
func (c *Content) atom() []byte {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n<title>" + Title + "</title>\n")
	for _, a := range c.Articles {
		fmt.Fprintf(&b, "<entry><title>%s</title><link href=\"%s\"/></entry>\n", titleOf(a), a.Path)
	}
	b.WriteString("</feed>\n")
	return []byte(b.String())
}

// titleOf reads an article's headline off its path.
func titleOf(a *Resource) string {
	return strings.ReplaceAll(strings.TrimPrefix(a.Path, "/articles/"), "-", " ")
}
