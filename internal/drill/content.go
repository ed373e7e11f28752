package drill

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"html"
	"image"
	"image/png"
	"math/rand/v2"
	"strings"
)

const (
	articleCount = 24
	downloadPath = "/files/tide-tables.bin"
	downloadSize = 1 << 20
	stations     = 64 // of the API
)

// resource is a page or file of the site whose bytes are the same for everybody, and may be kept by a shared cache.
type resource struct {
	path         string
	kind         string // the path kind the site counts it under
	contentType  string
	cacheControl string
	etag         string
	body         []byte
	assets       []*resource // what a browser loads with it
}

// content is everything cacheable on the site. Site and visitors hold the same one: it is how a visitor knows what is
// right. It is made from a fixed seed and never changes.
type content struct {
	words    lexicon
	byPath   map[string]*resource
	home     *resource
	feed     *resource
	download *resource
	articles []*resource
}

// Cache-Control of a newspaper: pages are revalidated by browsers and kept shortly by shared caches (RFC 9111 §5.2.2.10),
// files whose names carry a version are kept for good (RFC 8246).
const (
	cachePage = "public, max-age=0, s-maxage=30"
	cacheFile = "public, max-age=3600"
	cacheKeep = "public, max-age=31536000, immutable"
)

func newContent() *content {
	c := &content{words: strings.Fields(vocabulary), byPath: map[string]*resource{}}
	rng := rand.New(rand.NewPCG(0x5ea, 0xa11))
	shared := []*resource{
		c.add("/assets/site.4f1c2a.css", "asset", "text/css; charset=utf-8", cacheKeep, styleSheet(rng, c.words)),
		c.add("/assets/site.91b0d3.js", "asset", "text/javascript; charset=utf-8", cacheKeep, script(rng, c.words)),
		c.add("/assets/logo.svg", "asset", "image/svg+xml", cacheFile, []byte(logo)),
	}
	var front []*resource
	for i := range articleCount {
		title := headline(rng, c.words)
		picture := c.add(fmt.Sprintf("/images/%02d.png", i), "asset", "image/png", cacheFile, photograph(rng))
		path := fmt.Sprintf("/articles/%02d-%s", i, strings.ReplaceAll(strings.ToLower(title), " ", "-"))
		a := c.add(path, "article", "text/html; charset=utf-8", cachePage, page(title, picture.path, prose(rng, c.words)))
		a.assets = append(append(a.assets, shared...), picture)
		c.articles = append(c.articles, a)
		if i < 4 {
			front = append(front, picture)
		}
	}
	c.home = c.add("/", "home", "text/html; charset=utf-8", cachePage, c.frontPage())
	c.home.assets = append(append(c.home.assets, shared...), front...)
	c.feed = c.add("/feed.xml", "feed", "application/atom+xml", "public, max-age=60", c.atom())
	c.add("/robots.txt", "asset", "text/plain; charset=utf-8", cacheFile, []byte("User-agent: *\nDisallow: /search\n"))
	c.download = c.add(downloadPath, "download", "application/octet-stream", cacheFile, noise(rng, downloadSize))
	return c
}

func (c *content) add(path, kind, contentType, cacheControl string, body []byte) *resource {
	r := &resource{path: path, kind: kind, contentType: contentType, cacheControl: cacheControl, body: body,
		etag: fmt.Sprintf(`"%08x"`, crc32.ChecksumIEEE(body))}
	c.byPath[path] = r
	return r
}

// frontPage links every article.
func (c *content) frontPage() []byte {
	var b strings.Builder
	for _, a := range c.articles {
		fmt.Fprintf(&b, "<p><a href=\"%s\">%s</a></p>\n", a.path, titleOf(a))
	}
	return page("Today", "", b.String())
}

// atom is the feed (RFC 4287).
func (c *content) atom() []byte {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n<title>The Harbour Post</title>\n")
	for _, a := range c.articles {
		fmt.Fprintf(&b, "<entry><title>%s</title><link href=\"%s\"/></entry>\n", titleOf(a), a.path)
	}
	b.WriteString("</feed>\n")
	return []byte(b.String())
}

// titleOf reads an article's headline off its path.
func titleOf(a *resource) string {
	return strings.ReplaceAll(strings.TrimPrefix(a.path, "/articles/"), "-", " ")
}

func page(title, picture, body string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%s - The Harbour Post</title>\n", html.EscapeString(title))
	b.WriteString("<link rel=\"stylesheet\" href=\"/assets/site.4f1c2a.css\"><script src=\"/assets/site.91b0d3.js\" defer></script></head>\n")
	fmt.Fprintf(&b, "<body><img src=\"/assets/logo.svg\" alt=\"\"><form action=\"/search\"><input name=\"q\"></form><h1>%s</h1>\n", html.EscapeString(title))
	if picture != "" {
		fmt.Fprintf(&b, "<img src=\"%s\" alt=\"\">\n", picture)
	}
	b.WriteString(body)
	b.WriteString("</body></html>\n")
	return []byte(b.String())
}

// vocabulary is what the site's text, and everybody's searches, are made of.
const vocabulary = "harbour tide storm ferry council market bridge school river island budget election festival museum " +
	"library station railway weather fishery lighthouse coast village garden theatre concert football hospital doctor " +
	"vaccine traffic parking bicycle housing rent tax energy wind solar power water flood dam seawall dune beach hotel " +
	"tourism airport customs trade export factory strike union wages court police fire rescue volunteer university " +
	"research student teacher history archive memorial"

// lexicon is a vocabulary taken apart.
type lexicon []string

// draw returns n words.
func (l lexicon) draw(rng *rand.Rand, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = l[rng.IntN(len(l))]
	}
	return out
}

func headline(rng *rand.Rand, words lexicon) string {
	s := strings.Join(words.draw(rng, 4), " ")
	return strings.ToUpper(s[:1]) + s[1:]
}

func prose(rng *rand.Rand, words lexicon) string {
	var b strings.Builder
	for range 8 {
		fmt.Fprintf(&b, "<p>%s.</p>\n", strings.Join(words.draw(rng, 90), " "))
	}
	return b.String()
}

func styleSheet(rng *rand.Rand, words lexicon) []byte {
	var b strings.Builder
	for _, w := range words.draw(rng, 120) {
		fmt.Fprintf(&b, ".%s { margin: %dpx; color: #%06x }\n", w, rng.IntN(40), rng.IntN(1<<24))
	}
	return []byte(b.String())
}

func script(rng *rand.Rand, words lexicon) []byte {
	var b strings.Builder
	for i, w := range words.draw(rng, 160) {
		fmt.Fprintf(&b, "function %s%d(x) { return x * %d; }\n", w, i, rng.IntN(1000))
	}
	return []byte(b.String())
}

const logo = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 16"><path d="M0 12q8-8 16 0t16 0 16 0 16 0v4H0z"/></svg>` + "\n"

// photograph is a small PNG with enough noise in it to weigh what a thumbnail weighs.
func photograph(rng *rand.Rand) []byte {
	const w, h = 96, 64
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	copy(m.Pix, noise(rng, len(m.Pix)))
	for i := range m.Pix {
		switch i % 4 {
		case 0, 1:
			m.Pix[i] = m.Pix[i]&31 + byte(i/w) // a gradient
		case 3:
			m.Pix[i] = 255 // opaque
		}
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, m); err != nil {
		panic(err) // a buffer does not fail to be written
	}
	return b.Bytes()
}

func noise(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(rng.Uint32()), byte(rng.Uint32())}).Read(b) // never fails
	return b
}

// passwordOf is the password that user's account on the site has.
func passwordOf(user string) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(user))) }
