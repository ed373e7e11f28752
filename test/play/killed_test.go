package play

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// killed has a node with these flags killed in the midst of its visitors' work, again and again, and checks every byte that they get, before
// and after. Times is how often; SEAWALL_KILLS takes its place.
func killed(p *play, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	times, err := strconv.Atoi(args[0])
	if text := os.Getenv("SEAWALL_KILLS"); text != "" && err == nil {
		times, err = strconv.Atoi(text)
	}
	if err != nil {
		return errUsage
	}
	origin := httptest.NewServer(http.HandlerFunc(serveThing))
	defer origin.Close()
	p.Setenv("ORIGIN", origin.URL)
	var all killedCounts
	for range times {
		if err := p.protect(args[1:]); err != nil {
			return err
		}
		before := all.hits.Load()
		if err := all.round(p); err != nil {
			return err
		}
		fmt.Fprintf(p.Stdout(), "hits %d\n", all.hits.Load()-before)
	}
	fmt.Fprintf(p.Stdout(), "killed %d times: %d responses, %d of them hits, each byte right\n", times, all.responses.Load(), all.hits.Load())
	return nil
}

// killedCounts are what visitors have got.
type killedCounts struct{ responses, hits atomic.Int64 }

// round has visitors at work until the node is killed, at a time that nobody chose.
func (c *killedCounts) round(p *play) error {
	const visitors = 8
	var over atomic.Bool
	errs := make([]error, visitors)
	var work sync.WaitGroup
	site := p.Getenv("SITE")
	for i := range visitors {
		work.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for !over.Load() && errs[i] == nil {
				errs[i] = c.visit(client, site, &over)
			}
		})
	}
	time.Sleep(100*time.Millisecond + rand.N(400*time.Millisecond)) // which is what the kill is to meet
	over.Store(true)
	err := p.node.signal(9)
	work.Wait()
	return errors.Join(err, errors.Join(errs...), until("the shield is dead", p.node.over))
}

// visit asks for one thing, or a part of it. A connection that breaks off is the kill's.
func (c *killedCounts) visit(client *http.Client, site string, over *atomic.Bool) error {
	path := fmt.Sprintf("/thing/%d", int(rand.ExpFloat64()*40))
	want, from := thing(path), 0
	request, err := http.NewRequest("GET", site+path, nil)
	if err != nil {
		return err
	}
	if rand.N(4) == 0 {
		from = rand.N(len(want))
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	response, err := client.Do(request)
	if err != nil {
		return unless(over, err)
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if response.StatusCode == http.StatusPartialContent {
		want = want[from:]
	}
	switch {
	case err != nil && !bytes.HasPrefix(want, got), err == nil && !bytes.Equal(got, want):
		return fmt.Errorf("%s, %s: got %d bytes, not the %d that are right", path, response.Status, len(got), len(want))
	case err != nil:
		return unless(over, err)
	}
	c.responses.Add(1)
	if bytes.Contains([]byte(response.Header.Get("Cache-Status")), []byte("; hit")) {
		c.hits.Add(1)
	}
	return nil
}

// unless is an error, if it is not over.
func unless(over *atomic.Bool, err error) error {
	if over.Load() || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// serveThing is an origin whose things never change.
func serveThing(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=86400")
	w.Header().Set("ETag", strconv.Quote(r.URL.Path))
	http.ServeContent(w, r, "thing.bin", time.Time{}, bytes.NewReader(thing(r.URL.Path)))
}

// thing is what a path has: up to 300 KiB, of which each byte depends on the path.
func thing(path string) []byte {
	h := fnv.New64a()
	io.WriteString(h, path)
	random := rand.NewChaCha8([32]byte{byte(h.Sum64()), byte(h.Sum64() >> 8), byte(h.Sum64() >> 16), byte(h.Sum64() >> 24)})
	b := make([]byte, 1+random.Uint64()%(300<<10))
	random.Read(b)
	return b
}
