package crawl

import (
	"bufio"
	"compress/gzip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	// MostMap is how much of a site map is read, in bytes, unpacked.
	MostMap = 16 << 20
	// MostURLs is how many addresses a site map gives, as the protocol has it.
	MostURLs = 50_000
	// MostURL is how long an address is, in bytes, as the protocol has it. Longer ones are left out.
	MostURL = 2048
	// mostDepth bounds the elements that are in each other. Maps need three, and extensions some more.
	mostDepth = 16
)

// ErrTooLarge tells that a site map was read in part.
var ErrTooLarge = errors.New("site map is too large")

var errDepth = errors.New("site map: too many elements within each other")

// Sitemap is a site map, or an index of site maps: then it has Maps.
type Sitemap struct {
	Pages, Maps []string
}

// ReadSitemap reads a site map, which may be packed by gzip. With an error, there is what was read before it.
func ReadSitemap(from io.Reader) (*Sitemap, error) {
	m := new(Sitemap)
	in := bufio.NewReader(from)
	var text io.Reader = in
	if magic, _ := in.Peek(2); string(magic) == "\x1f\x8b" {
		unpacked, err := gzip.NewReader(in)
		if err != nil {
			return m, fmt.Errorf("site map: unpacking: %w", err)
		}
		text = unpacked
	}
	bounded := &io.LimitedReader{R: text, N: MostMap + 1}
	err := m.read(xml.NewDecoder(bounded))
	if bounded.N == 0 {
		return m, ErrTooLarge
	}
	return m, err
}

// read takes the addresses of urlset/url/loc and sitemapindex/sitemap/loc. Extensions have a loc of their own, deeper down.
func (m *Sitemap) read(d *xml.Decoder) error {
	var within []string
	var loc strings.Builder
	for {
		token, err := d.RawToken()
		if err == io.EOF && len(within) == 0 {
			return nil
		}
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("site map: %w", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if len(within) == mostDepth {
				return errDepth
			}
			within = append(within, t.Name.Local)
			loc.Reset()
		case xml.CharData:
			if len(within) == 3 && within[2] == "loc" {
				loc.Write(t[:min(len(t), 2*MostURL-loc.Len())]) // what is cut is too long, but for spaces
			}
		case xml.EndElement:
			if len(within) == 0 || within[len(within)-1] != t.Name.Local {
				return fmt.Errorf("site map: </%s> ends what was not begun", t.Name.Local)
			}
			if len(within) == 3 && within[2] == "loc" {
				if err := m.add(within[0], within[1], strings.TrimSpace(loc.String())); err != nil {
					return err
				}
			}
			within = within[:len(within)-1]
			loc.Reset()
		}
	}
}

// add adds the address of an element's loc.
func (m *Sitemap) add(root, element, address string) error {
	into := &m.Pages
	switch {
	case root == "sitemapindex" && element == "sitemap":
		into = &m.Maps
	case root != "urlset" || element != "url":
		return nil
	}
	if address == "" || len(address) > MostURL {
		return nil
	}
	if len(*into) == MostURLs {
		return ErrTooLarge
	}
	*into = append(*into, address)
	return nil
}
