package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/seawall/seawall/test/server"
)

// A site is the origin of one scenario: one file, and a count of the requests.
type site struct {
	scenario  scenario
	address   string
	path      string
	files     string // the folder that path is below
	body      []byte
	rate      int // of requests a second, for a client that paces; 0 for the full load
	processes []*server.Process
	client    *http.Client
}

// openSite starts the origin, which serves its file as cacheable for a day or as not to be stored.
func openSite(ctx context.Context, dir string, s scenario) (*site, error) {
	program, err := server.Find(origin.program)
	if err != nil {
		return nil, fmt.Errorf("%w: it is the origin: apt-get install nginx", err)
	}
	address, err := server.FreeAddress()
	if err != nil {
		return nil, err
	}
	folder := "uncacheable"
	if s.cacheable {
		folder = "cacheable"
	}
	t := &site{scenario: s, address: address, body: bytes.Repeat([]byte("seawall\n"), s.size/8)}
	t.path = "/" + folder + "/" + strconv.Itoa(s.size)
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(s.http2)
	t.client = &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: s.visitor()}}).DialContext, TLSClientConfig: clientTLS(), DisableKeepAlives: true,
			Protocols: &protocols,
		},
	}
	settings := setting{Dir: filepath.Join(dir, "origin"), Root: os.Geteuid() == 0, Address: address, Origin: address, Tags: purgeTagList()}
	t.files = filepath.Join(settings.Dir, "files")
	if err := t.writeFiles(folder); err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(settings.Dir, "temp"), 0o700); err != nil {
		return nil, err
	}
	t.processes, err = origin.launch(ctx, program, "", settings)
	return t, err
}

// writeFiles writes the site's file, and the others that a scenario has.
func (t *site) writeFiles(folder string) error {
	sizes := []int{t.scenario.size}
	switch t.scenario.client {
	case churning:
		sizes = churnSizes
	case attacking:
		sizes = append(sizes, attackLarge)
	case playing:
		sizes = append(sizes, stepSizes()...)
	}
	for _, folder := range []string{folder, "tagged"} {
		if err := os.MkdirAll(filepath.Join(t.files, folder), 0o700); err != nil {
			return err
		}
		for _, size := range sizes {
			body := bytes.Repeat([]byte("seawall\n"), size/8)
			if err := os.WriteFile(filepath.Join(t.files, folder, strconv.Itoa(size)), body, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *site) close() {
	for _, p := range t.processes {
		p.Stop()
	}
}

// visitor is the address that asks before the turns begin. Where connections are refused it is another than the load's.
func (s scenario) visitor() net.IP {
	if s.refuse == refuseConnections {
		return net.IPv4(127, 0, 0, 2)
	}
	return net.IPv4(127, 0, 0, 1)
}

// clientTLS is how the bench shakes hands: in full every time, for there is no session cache.
func clientTLS() *tls.Config {
	return &tls.Config{
		InsecureSkipVerify: true, // each server has a certificate that signs itself
		MinVersion:         tls.VersionTLS13,
		CurvePreferences:   []tls.CurveID{tls.X25519},
	}
}

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
		a, err := t.get(ctx, url)
		if err != nil {
			return err
		}
		if err := t.verify(a); err != nil {
			return fmt.Errorf("%s: %w", url, err)
		}
		if t.scenario.refuse == refuseRequests || t.scenario.refuse == refuseExcess || t.scenario.cacheable && i == 0 {
			continue
		}
		if k.hit != nil && k.hit(a.header) != t.scenario.cacheable {
			return fmt.Errorf("%s: from the cache: %t: want %t: %v", url, !t.scenario.cacheable, t.scenario.cacheable, a.header)
		}
		reached, err := t.asked(ctx)
		if err != nil {
			return err
		}
		if got := reached - asked - 1; (got == 0) != t.scenario.cacheable {
			return fmt.Errorf("%s: %d requests reached the origin: from the cache: %t", url, got, t.scenario.cacheable)
		}
	}
	return nil
}

// An answer is a response, read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
	proto  int // major version
	tls    *tls.ConnectionState
}

// verify compares an answer with what every server has to answer.
func (t *site) verify(a answer) error {
	if t.scenario.refuse == refuseExcess && a.status == http.StatusTooManyRequests {
		return nil
	}
	if t.scenario.refuse == refuseRequests {
		if a.status != http.StatusForbidden {
			return fmt.Errorf("status %d: want 403", a.status)
		}
		return nil
	}
	if a.status != http.StatusOK {
		return fmt.Errorf("status %d: want 200", a.status)
	}
	if !bytes.Equal(a.body, t.body) {
		return fmt.Errorf("a body of %d bytes that is not the origin's of %d", len(a.body), len(t.body))
	}
	if !t.scenario.tls {
		return nil
	}
	if t.scenario.http2 && a.proto != 2 {
		return fmt.Errorf("%w: it answered over HTTP/%d", errNoHTTP2, a.proto)
	}
	if suite := a.tls.CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 || a.tls.CurveID != tls.X25519 {
		return fmt.Errorf("%s with %v: want TLS_AES_128_GCM_SHA256 with X25519", tls.CipherSuiteName(suite), a.tls.CurveID)
	}
	return nil
}

// get returns a response, whatever its status.
func (t *site) get(ctx context.Context, url string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return answer{}, err
	}
	res, err := t.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, int64(len(t.body))+16<<10))
	return answer{res.StatusCode, res.Header, body, res.ProtoMajor, res.TLS}, err
}

// asked is how many requests the origin has had, this question included.
func (t *site) asked(ctx context.Context) (int, error) {
	status, err := t.get(ctx, "http://"+t.address+"/status")
	if err != nil {
		return 0, fmt.Errorf("ask the origin: %w", err)
	}
	return parseStatus(string(status.body))
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
