package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// A site is the origin of one scenario: one file, and a count of the requests.
type site struct {
	scenario scenario
	address  string
	path     string
	body     []byte
	process  *process
	client   *http.Client
}

// openSite starts the origin, which serves its file as cacheable for a day or as not to be stored.
func openSite(ctx context.Context, dir string, s scenario) (*site, error) {
	program, err := find(origin.program)
	if err != nil {
		return nil, fmt.Errorf("%w: it is the origin: apt-get install nginx", err)
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	folder := "uncacheable"
	if s.cacheable {
		folder = "cacheable"
	}
	t := &site{scenario: s, address: address, body: bytes.Repeat([]byte("seawall\n"), s.size/8)}
	t.path = "/" + folder + "/" + strconv.Itoa(s.size)
	t.client = &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
	}
	file := filepath.Join(dir, "origin", "files", t.path)
	for _, d := range []string{filepath.Dir(file), filepath.Join(dir, "origin", "temp")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(file, t.body, 0o600); err != nil {
		return nil, err
	}
	settings := setting{Dir: filepath.Join(dir, "origin"), Root: os.Geteuid() == 0, Origin: address}
	t.process, err = origin.launch(ctx, program, "", address, settings)
	return t, err
}

func (t *site) close() { t.process.stop() }

// url is where a server at address has the site's file.
func (t *site) url(address string) string {
	if t.scenario.tls {
		return "https://" + address + t.path
	}
	return "http://" + address + t.path
}

// check asks a server for the file, first to fill its cache, then to see that each answer is the right one and comes from
// where it should.
func (t *site) check(ctx context.Context, k kind, url string) error {
	for i := range 3 {
		asked, err := t.asked(ctx)
		if err != nil {
			return err
		}
		header, body, err := t.get(ctx, url)
		if err != nil {
			return err
		}
		if !bytes.Equal(body, t.body) {
			return fmt.Errorf("%s: a body of %d bytes that is not the origin's of %d", url, len(body), len(t.body))
		}
		if t.scenario.cacheable && i == 0 {
			continue
		}
		if k.hit != nil && k.hit(header) != t.scenario.cacheable {
			return fmt.Errorf("%s: from the cache: %t: want %t: %v", url, !t.scenario.cacheable, t.scenario.cacheable, header)
		}
		reached, err := t.asked(ctx)
		if err != nil {
			return err
		}
		if err := t.scenario.plausible(1, reached-asked-1); err != nil {
			return err
		}
	}
	return nil
}

// get returns a response with status 200.
func (t *site) get(ctx context.Context, url string) (http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, nil, err
	}
	res, err := t.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, int64(len(t.body))+1<<10))
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: status %s: want 200", url, res.Status)
	}
	return res.Header, body, err
}

// asked is how many requests the origin has had, this question included.
func (t *site) asked(ctx context.Context) (int, error) {
	_, status, err := t.get(ctx, "http://"+t.address+"/status")
	if err != nil {
		return 0, fmt.Errorf("ask the origin: %w", err)
	}
	return parseStatus(string(status))
}

var statusCounts = regexp.MustCompile(`(?m)^ (\d+) (\d+) (\d+) *$`)

// parseStatus reads the number of requests from nginx's stub_status: the third below "server accepts handled requests".
func parseStatus(status string) (int, error) {
	counts := statusCounts.FindStringSubmatch(status)
	if counts == nil {
		return 0, errors.New("no counts in the status page " + strconv.Quote(status))
	}
	return strconv.Atoi(counts[3])
}
