package spec

import (
	"bufio"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/seawall/seawall/prefixes"
)

// List is a named list, which lists and rules refer to as "$name".
type List struct {
	// Name is what it is referred to by, behind a $. A zone's list must not have the name of one of the node's.
	Name string `yaml:"name"`
	// Kind is what its values are: ip (addresses and prefixes), asn (numbers of autonomous systems), host (names, and "*.example.org" for
	// all below one), country (two letters, ISO 3166) or fingerprint (JA4 and those of HTTP heads).
	Kind ListKind `yaml:"kind"`
	// Values are those that stand here, beside those of the file.
	Values []string `yaml:"values"`
	// File holds a value a line; from # or ; to its end, a line is a comment. When the file changes, so does the list. If it can't be used
	// then, the list stays as it was.
	File ListText `yaml:"file"`
}

// ListText is the text of a list, a value a line. In a file of configuration it is a file's path instead, from the folder of that file,
// or the text itself if it has more than one line.
type ListText string

// ListKind is what a list's values are.
type ListKind string

// The kinds of lists.
const (
	ListIP          ListKind = "ip"
	ListASN         ListKind = "asn"
	ListHost        ListKind = "host"
	ListCountry     ListKind = "country"
	ListFingerprint ListKind = "fingerprint"
)

// ListKinds are all of them.
func ListKinds() []string {
	return []string{string(ListIP), string(ListASN), string(ListHost), string(ListCountry), string(ListFingerprint)}
}

// Contents are the values of a list, in the form that its kind has.
type Contents struct {
	Prefixes []netip.Prefix
	Numbers  []uint32
	Texts    []string // hosts in lower case, countries in upper case
}

const (
	maxListed       = 4_000_000 // values of a list
	maxListLine     = 4096      // bytes
	maxListProblems = 10        // that are told at once
)

// Contents reads the list's values: those that stand in it first. The file is called name in what is wrong with it, up to 10
// mistakes at once, each with its line.
func (l *List) Contents(name string) (*Contents, error) {
	c := new(Contents)
	for _, v := range l.Values {
		if err := c.add(l.Kind, v); err != nil {
			return nil, err
		}
	}
	if l.Kind == ListIP { // which may be millions
		from, err := prefixes.ParseList(name, strings.NewReader(string(l.File)), maxListed)
		if err != nil {
			return nil, err
		}
		if c.Prefixes = append(c.Prefixes, from...); len(c.Prefixes) == len(from) {
			c.Prefixes = from
		}
		return c, nil
	}
	return c, c.read(l.Kind, name, string(l.File))
}

// read adds the values of a text.
func (c *Contents) read(kind ListKind, name, text string) error {
	var problems []error
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, maxListLine)
	n := 1
	for ; lines.Scan() && len(problems) < maxListProblems; n++ {
		value := lines.Text()
		if i := strings.IndexAny(value, "#;"); i >= 0 {
			value = value[:i]
		}
		if value = strings.TrimSpace(value); value == "" {
			continue
		}
		err := c.add(kind, value)
		if err == nil && len(c.Numbers)+len(c.Texts) > maxListed {
			return fmt.Errorf("%s:%d: more than %d values", name, n, maxListed)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s:%d: %w", name, n, err))
		}
	}
	if lines.Err() != nil { // too long: nothing else can be wrong with a text
		problems = append(problems, fmt.Errorf("%s:%d: line of more than %d bytes", name, n, maxListLine-1))
	}
	return errors.Join(problems...)
}

var (
	hostValue        = regexp.MustCompile(`^(\*\.)?[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_-]{1,63})*$`)
	countryValue     = regexp.MustCompile(`^[A-Z][A-Z0-9]$`)
	fingerprintValue = regexp.MustCompile(`^[A-Za-z0-9_-]{8,128}$`)
)

// add adds one value.
func (c *Contents) add(kind ListKind, value string) error {
	switch kind {
	case ListIP:
		p, err := prefixes.Parse(value)
		c.Prefixes = append(c.Prefixes, p)
		return err
	case ListASN:
		digits := strings.TrimPrefix(strings.TrimPrefix(value, "AS"), "as")
		n, err := strconv.ParseUint(digits, 10, 32)
		if err != nil {
			return fmt.Errorf("%.64q is not the number of an autonomous system, such as 64496 or AS64496", value)
		}
		c.Numbers = append(c.Numbers, uint32(n))
		return nil
	case ListHost:
		return c.addText(strings.ToLower(value), hostValue, `is not a host, such as www.example.org, or "*.example.org" for all below it`)
	case ListCountry:
		return c.addText(strings.ToUpper(value), countryValue, "is not a country's two letters (ISO 3166), such as DE")
	case ListFingerprint:
		return c.addText(value, fingerprintValue, "is not a fingerprint, such as t13d1516h2_8daaf6152771_e5627efa2ab1")
	}
	return fmt.Errorf("%.64q is no kind of list: want one of %s", kind, strings.Join(ListKinds(), ", "))
}

func (c *Contents) addText(value string, pattern *regexp.Regexp, wrong string) error {
	if !pattern.MatchString(value) {
		return fmt.Errorf("%.64q %s", value, wrong)
	}
	c.Texts = append(c.Texts, value)
	return nil
}

// Geo names the files that tell where addresses are, in MaxMind's format (MMDB): GeoLite2, those of DB-IP or ip-location-db. One file may
// know both.
type Geo struct {
	// Country is a file that knows countries. When it changes, it is read again.
	Country string `yaml:"country"`
	// ASN is a file that knows autonomous systems.
	ASN string `yaml:"asn"`
}

// Crawlers says how those are known who call themselves search engines' and the like: by their addresses' published ranges, or by the
// names of their addresses in the DNS, which have to lead back to the address.
type Crawlers struct {
	// Resolver is the DNS server that is asked for those names, such as 127.0.0.1 or 192.0.2.53:53. It gets to know the addresses of who
	// claims to be a crawler. Without one, none is asked, and crawlers without ranges are not known.
	Resolver string `yaml:"resolver"`
	// Known come to those that the house knows by itself, and take the place of those of the same name.
	Known []Crawler `yaml:"known"`
}

// Crawler is a robot that says who it is.
type Crawler struct {
	// Name is what it is called in logs and rules.
	Name string `yaml:"name"`
	// Agent is what its User-Agent contains, as it is written there.
	Agent string `yaml:"agent"`
	// Category is what it is for, such as search or ai.
	Category string `yaml:"category"`
	// Names are the domains in which the names of its addresses are.
	Names []string `yaml:"names"`
	// Ranges are the addresses from which it comes: a file with a prefix a line, or in the JSON form that Google and Bing publish.
	Ranges FileText `yaml:"ranges"`
	// Keys are those with which it signs its requests (Web Bot Auth, RFC 9421): a file in the form of its operator's directory at
	// /.well-known/http-message-signatures-directory, of which Ed25519 keys count.
	Keys FileText `yaml:"keys"`
	// Directory is a host, such as bot.example.org, whose directory at that path is fetched over https, and again within a day: its keys come to
	// those of the file. No other host is ever asked, whatever a request says.
	Directory string `yaml:"directory"`
}

// FileText is the text of a file. In a file of configuration it is that file's path instead, from the folder of that file.
type FileText string

// Prefixes reads the ranges; name is what they are called in what is wrong with them.
func (c *Crawler) Prefixes(name string) ([]netip.Prefix, error) {
	text := string(c.Ranges)
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		return prefixes.ParseList(name, strings.NewReader(text), maxRanges)
	}
	var published struct {
		Prefixes []struct {
			IPv4 string `json:"ipv4Prefix"`
			IPv6 string `json:"ipv6Prefix"`
		} `json:"prefixes"`
	}
	if err := json.Unmarshal([]byte(text), &published); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if n := len(published.Prefixes); n == 0 || n > maxRanges {
		return nil, fmt.Errorf("%s: has %d prefixes: want 1 to %d", name, n, maxRanges)
	}
	list := make([]netip.Prefix, 0, len(published.Prefixes))
	for i, at := range published.Prefixes {
		p, err := prefixes.Parse(at.IPv4 + at.IPv6) // each has one of them
		if err != nil {
			return nil, fmt.Errorf("%s: prefixes[%d]: %w", name, i, err)
		}
		list = append(list, p)
	}
	return list, nil
}

// PublicKeys reads the keys by their thumbprints (RFC 7638), by which signatures name them.
func (c *Crawler) PublicKeys(name string) (map[string]ed25519.PublicKey, error) {
	if c.Keys == "" {
		return nil, nil
	}
	var directory struct {
		Keys []struct{ Kty, Crv, X string } `json:"keys"`
	}
	if err := json.Unmarshal([]byte(c.Keys), &directory); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if n := len(directory.Keys); n > maxKeys {
		return nil, fmt.Errorf("%s: has %d keys: want at most %d", name, n, maxKeys)
	}
	keys := make(map[string]ed25519.PublicKey)
	for i, k := range directory.Keys {
		if k.Kty != "OKP" || k.Crv != "Ed25519" {
			continue
		}
		key, err := base64.RawURLEncoding.DecodeString(k.X)
		if err != nil || len(key) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("%s: keys[%d].x is no Ed25519 key in base64url", name, i)
		}
		thumbprint := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + k.X + `"}`))
		keys[base64.RawURLEncoding.EncodeToString(thumbprint[:])] = key
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s: has no key of kty OKP and crv Ed25519", name)
	}
	return keys, nil
}

// maxKeys bounds a crawler's keys.
const maxKeys = 100

// maxRanges bounds a crawler's ranges.
const maxRanges = 100_000
