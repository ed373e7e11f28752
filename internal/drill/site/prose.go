package site

import (
	"bytes"
	"fmt"
	"html"
	"image"
	"image/png"
	"math/rand/v2"
	"strings"
)

const (
	typeHTML = "text/html; charset=utf-8"
	typeJSON = "application/json"

	robots = "User-agent: *\nDisallow: /search\nDisallow: /report\n"
	logo   = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 16"><path d="M0 12q8-8 16 0t16 0 16 0 16 0v4H0z"/></svg>` + "\n"
)

// vocabulary is what the site's text, and everybody's searches, are made of.
const vocabulary = "harbour tide storm ferry council market bridge school river island budget election festival museum " +
	"library station railway weather fishery lighthouse coast village garden theatre concert football hospital doctor " +
	"vaccine traffic parking bicycle housing rent tax energy wind solar power water flood dam seawall dune beach hotel " +
	"tourism airport customs trade export factory strike union wages court police fire rescue volunteer university " +
	"research student teacher history archive memorial"

// Lexicon is a vocabulary taken apart.
type Lexicon []string

// Draw returns n words.
func (l Lexicon) Draw(rng *rand.Rand, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = l[rng.IntN(len(l))]
	}
	return out
}

func page(title, picture, body string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%s - %s</title>\n", html.EscapeString(title), Title)
	b.WriteString("<link rel=\"stylesheet\" href=\"/assets/site.4f1c2a.css\"><script src=\"/assets/site.91b0d3.js\" defer></script></head>\n")
	fmt.Fprintf(&b, "<body><img src=\"/assets/logo.svg\" alt=\"\"><form action=\"/search\"><input name=\"q\"></form><h1>%s</h1>\n", html.EscapeString(title))
	if picture != "" {
		fmt.Fprintf(&b, "<img src=\"%s\" alt=\"\">\n", picture)
	}
	b.WriteString(body)
	b.WriteString("</body></html>\n")
	return []byte(b.String())
}

func headline(rng *rand.Rand, words Lexicon) string {
	s := strings.Join(words.Draw(rng, 4), " ")
	return strings.ToUpper(s[:1]) + s[1:]
}

func prose(rng *rand.Rand, words Lexicon) string {
	var b strings.Builder
	for range 8 {
		fmt.Fprintf(&b, "<p>%s.</p>\n", strings.Join(words.Draw(rng, 90), " "))
	}
	return b.String()
}

func styleSheet(rng *rand.Rand, words Lexicon) []byte {
	var b strings.Builder
	for _, w := range words.Draw(rng, 120) {
		fmt.Fprintf(&b, ".%s { margin: %dpx; color: #%06x }\n", w, rng.IntN(40), rng.IntN(1<<24))
	}
	return []byte(b.String())
}

func script(rng *rand.Rand, words Lexicon) []byte {
	var b strings.Builder
	for i, w := range words.Draw(rng, 160) {
		fmt.Fprintf(&b, "function %s%d(x) { return x * %d; }\n", w, i, rng.IntN(1000))
	}
	return []byte(b.String())
}

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
