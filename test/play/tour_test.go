package play

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"html"
	"io"
	"math/rand"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	// mostToured bounds the pages of a host that a tour knows.
	mostToured = 45
	// leastServed is the share of page views that have to be served while the origin is down.
	leastServed = 0.95
)

// tour is visitors of real sites: they come by a crawler's way first, to every page that links lead to, and then to some pages often and to most
// seldom, as people do. A page view is a page with its styles, scripts and images.
type tour struct {
	*http.Client
	private []string                     // what no visitor may see
	pages   []string                     // the most popular first
	parts   map[string][]string          // of pages
	sums    map[string][sha256.Size]byte // of what was seen last
	views   []string
}

// toured is a response as its visitor has it.
type toured struct {
	status  int
	kind    string
	body    string
	private string // what is not for a visitor in it, or ""
}

// tours says what visitors of real sites do.
func tours(p *play, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	if p.tour == nil {
		p.tour = newTour(p.Getenv("DOOR"))
	}
	switch t := p.tour; args[0] {
	case "private":
		t.private = args[1:]
		return nil
	case "begins":
		return t.begin(p.Stdout(), args[1:])
	case "goes":
		return t.visit(p.Stdout())
	case "sees":
		if len(args) != 2 {
			return errUsage
		}
		_, err := t.see(args[1])
		return err
	case "again":
		return t.again(p.Stdout())
	}
	return errUsage
}

// newTour makes visitors who come to a door, whatever the host.
func newTour(door string) *tour {
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, door)
	}
	return &tour{
		Client: &http.Client{Transport: &http.Transport{DialContext: dial}, Timeout: patience},
		parts:  make(map[string][]string), sums: make(map[string][sha256.Size]byte),
	}
}

// get asks for something as a browser does that others' scripts have given a cookie.
func (t *tour) get(address string) (*toured, error) {
	q, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	q.Header.Set("Cookie", "_ga=GA1.1.7")
	r, err := t.Do(q)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	got := &toured{status: r.StatusCode, kind: r.Header.Get("Content-Type"), body: string(body)}
	if len(r.Cookies()) > 0 {
		got.private = "a cookie: " + r.Cookies()[0].String()
	}
	for _, private := range t.private {
		if strings.Contains(got.body, private) {
			got.private = private
		}
	}
	return got, nil
}

// What pages refer to. DokuWiki's pages ask for taskrunner.php, with the time, as an image of nothing: that has the wiki work, and nobody sees it.
var (
	anchors = regexp.MustCompile(`<a\s[^>]*?href="([^"#]+)`)
	sources = regexp.MustCompile(`<(?:img|script)\s[^>]*?src="([^"#]+)`)
	styles  = regexp.MustCompile(`<link\s[^>]*?rel="stylesheet"[^>]*?href="([^"#]+)`)
)

// refers are the addresses of one host that a page has.
func refers(page *url.URL, body string, kinds ...*regexp.Regexp) (found []string) {
	for _, kind := range kinds {
		for _, match := range kind.FindAllStringSubmatch(body, -1) {
			u, err := page.Parse(html.UnescapeString(match[1]))
			if err == nil && u.Host == page.Host && !strings.HasSuffix(u.Path, "/taskrunner.php") && !slices.Contains(found, u.String()) {
				found = append(found, u.String())
			}
		}
	}
	return found
}

// see has one visitor see a page with its parts. It reports what of it was not as it should be.
func (t *tour) see(page string) (*toured, error) {
	got, err := t.note(page)
	if err != nil || got.status != 200 || !strings.HasPrefix(got.kind, "text/html") {
		return got, err
	}
	u, err := url.Parse(page)
	if err != nil {
		return nil, err
	}
	t.parts[page] = refers(u, got.body, sources, styles)
	for _, part := range t.parts[page] {
		if _, err := t.note(part); err != nil {
			return nil, err
		}
	}
	return got, nil
}

// note remembers what is seen while the origin is well.
func (t *tour) note(address string) (*toured, error) {
	got, err := t.get(address)
	switch {
	case err != nil:
		return nil, err
	case got.private != "":
		return nil, fmt.Errorf("%s shows a visitor %s", address, got.private)
	case got.status == 200:
		t.sums[address] = sha256.Sum256([]byte(got.body))
	case got.status >= 500 || got.status == 429:
		return nil, fmt.Errorf("%s: got status %d", address, got.status)
	}
	return got, nil
}

// begin crawls sites from their first pages.
func (t *tour) begin(out io.Writer, starts []string) error {
	began := time.Now()
	for _, start := range starts {
		queue := []string{start}
		for i := 0; i < len(queue); i++ {
			page := queue[i]
			got, err := t.see(page)
			if err != nil {
				return err
			}
			if got.status != 200 || !strings.HasPrefix(got.kind, "text/html") {
				continue
			}
			t.pages = append(t.pages, page)
			u, _ := url.Parse(page)
			for _, link := range refers(u, got.body, anchors) {
				if len(queue) < mostToured && !slices.Contains(queue, link) {
					queue = append(queue, link)
				}
			}
		}
	}
	t.views = slices.Clone(t.pages)
	fmt.Fprintf(out, "%d pages of %d sites with %d addresses, in %v\n", len(t.pages), len(starts), len(t.sums), time.Since(began).Round(time.Millisecond))
	return nil
}

// visit has as many views as there are pages, by Zipf's law.
func (t *tour) visit(out io.Writer) error {
	began := time.Now()
	chance := rand.New(rand.NewSource(1))
	chance.Shuffle(len(t.pages), func(i, j int) { t.pages[i], t.pages[j] = t.pages[j], t.pages[i] })
	which := rand.NewZipf(chance, 1.1, 4, uint64(len(t.pages)-1))
	before := len(t.views)
	for range t.pages {
		page := t.pages[which.Uint64()]
		if _, err := t.see(page); err != nil {
			return err
		}
		t.views = append(t.views, page)
	}
	fmt.Fprintf(out, "%d page views in %v\n", len(t.views)-before, time.Since(began).Round(time.Millisecond))
	return nil
}

// again has all views once more, while the origin is down: nearly all are to be as they were, and none shows what is private.
func (t *tour) again(out io.Writer) error {
	began := time.Now()
	served, requests, lost := 0, 0, make(map[string]int)
	var leaks []error
	for _, page := range t.views {
		wrong := ""
		for _, address := range append([]string{page}, t.parts[page]...) {
			sum, seen := t.sums[address]
			if !seen {
				continue // it was not served before either
			}
			requests++
			got, err := t.get(address)
			switch {
			case err != nil:
				return err
			case got.private != "":
				leaks = append(leaks, fmt.Errorf("%s shows a visitor %s", address, got.private))
			case got.status != 200:
				wrong = fmt.Sprintf("%s: status %d", address, got.status)
			case sha256.Sum256([]byte(got.body)) != sum:
				wrong = address + ": other bytes"
			}
		}
		if wrong == "" {
			served++
		} else {
			lost[wrong]++
		}
	}
	share := float64(served) / float64(len(t.views))
	fmt.Fprintf(out, "%d of %d page views (%d requests) served, %.2f %%, in %v\n", served, len(t.views), requests, 100*share, time.Since(began).Round(time.Millisecond))
	for wrong, n := range lost {
		fmt.Fprintf(out, "lost %d times: %s\n", n, wrong)
	}
	if share < leastServed {
		leaks = append(leaks, fmt.Errorf("%.2f %% of the page views were served, want %.0f %%", 100*share, 100*leastServed))
	}
	return errors.Join(leaks...)
}
