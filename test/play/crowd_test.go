package play

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// visitors are a crowd: each asks for the crowd's pages in turn, without haste.
type visitors struct {
	site  *site
	urls  []string
	once  bool
	http2 bool // with prior knowledge

	ctx     context.Context // ends with the requests in progress
	cancel  context.CancelFunc
	leaving chan struct{} // closed when they shall ask for nothing more
	group   sync.WaitGroup

	mu       sync.Mutex
	statuses map[int]int
	run      map[int]int // how many of each status there were since the last other one
	refused  int         // connections
	broken   int         // responses that were none, or not whole
	unjust   int         // failures while the origin was up
	nameless int         // refusals that show no id
	hits     int
	shared   int // that shared another request's fetch
	first    error
}

// crowd sends visitors in the background, and waits for what they meet.
func crowd(p *play, args []string) error {
	switch v := p.crowd; {
	case len(args) == 2 && args[0] == "sees" && v != nil:
		status, err := strconv.Atoi(args[1])
		if err != nil {
			return errUsage
		}
		return v.sees(status)
	case len(args) == 1 && args[0] == "wait" && v != nil:
		return v.leave(p, false)
	case len(args) == 1 && args[0] == "stop" && v != nil:
		return v.leave(p, true)
	case v != nil:
		return errors.New("there is a crowd already")
	case p.sites[0] == nil:
		return errors.New("there is no origin yet")
	}
	flags := flag.NewFlagSet("crowd", flag.ContinueOnError)
	n := flags.Int("n", 8, "visitors")
	addresses := flags.Int("addresses", 1, "how many addresses they come from")
	once := flags.Bool("once", false, "one request each")
	http2 := flags.Bool("2", false, "over HTTP/2, with prior knowledge")
	if err := flags.Parse(args); err != nil || flags.NArg() == 0 || *n < 1 || *n > 250 || *addresses < 1 || *addresses > 250 {
		return errUsage
	}
	v := &visitors{
		site: p.sites[0], urls: flags.Args(), once: *once, http2: *http2,
		leaving: make(chan struct{}), statuses: make(map[int]int), run: make(map[int]int),
	}
	v.ctx, v.cancel = context.WithCancel(context.Background())
	p.crowd = v
	for i := range *n {
		from := net.IPv4(127, 0, 77, byte(1+i%*addresses))
		v.group.Go(func() { v.visit(from) })
	}
	return nil
}

// visit is one visitor's stay.
func (v *visitors) visit(from net.IP) {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}
	transport := &http.Transport{DialContext: dialer.DialContext, DisableCompression: true, Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(v.http2)
	transport.Protocols.SetHTTP1(!v.http2)
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: patience}
	pause := time.NewTicker(2 * time.Millisecond)
	defer pause.Stop()
	for i := 0; ; i++ {
		v.ask(client, v.urls[i%len(v.urls)])
		if v.once {
			return
		}
		select {
		case <-pause.C:
		case <-v.leaving:
			return
		}
	}
}

func (v *visitors) ask(client *http.Client, url string) {
	epoch, up := v.site.up()
	request, err := http.NewRequestWithContext(v.ctx, http.MethodGet, url, nil)
	if err != nil {
		panic(err)
	}
	response, err := client.Do(request)
	if err == nil {
		_, err = io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
	if v.ctx.Err() != nil {
		return
	}
	after, _ := v.site.up()
	v.mu.Lock()
	defer v.mu.Unlock()
	if up && epoch == after && (err != nil || response.StatusCode >= 500) {
		v.unjust++
	}
	if err != nil {
		v.fail(err)
		return
	}
	v.note(response)
}

// fail notes a request without a whole response; v.mu is held.
func (v *visitors) fail(err error) {
	if v.first == nil {
		v.first = err
	}
	if dial := (*net.OpError)(nil); errors.As(err, &dial) && dial.Op == "dial" {
		v.refused++
		return
	}
	v.broken++
}

// note notes a response; v.mu is held.
func (v *visitors) note(r *http.Response) {
	v.statuses[r.StatusCode]++
	for status := range v.run {
		if status != r.StatusCode {
			delete(v.run, status)
		}
	}
	v.run[r.StatusCode]++
	if r.StatusCode >= 400 && r.Header.Get("X-Request-Id") == "" {
		v.nameless++
	}
	cache := r.Header.Get("Cache-Status")
	if strings.Contains(cache, "; hit") {
		v.hits++
	}
	if strings.Contains(cache, "; collapsed") {
		v.shared++
	}
}

// sees waits until a good many responses in a row have had this status.
func (v *visitors) sees(status int) error {
	const many = 50
	err := until(fmt.Sprintf("the crowd sees %d", status), func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		return v.run[status] >= many
	})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, v.summary())
	}
	return nil
}

// leave waits until all have had their answers, after telling them to go if they have to be told.
func (v *visitors) leave(p *play, tell bool) error {
	p.crowd = nil
	if tell {
		close(v.leaving)
	}
	defer v.cancel()
	done := make(chan struct{})
	go func() {
		v.group.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(patience):
		return fmt.Errorf("the crowd does not leave\n%s", v.summary())
	}
	fmt.Fprint(p.Stdout(), v.summary())
	return nil
}

func (v *visitors) summary() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var b strings.Builder
	for _, status := range slices.Sorted(maps.Keys(v.statuses)) {
		fmt.Fprintf(&b, "status %d: %d\n", status, v.statuses[status])
	}
	for _, line := range []struct {
		what string
		n    int
	}{
		{"served from the cache", v.hits},
		{"shared a fetch", v.shared},
		{"refused a connection", v.refused},
		{"broken responses", v.broken},
		{"refusals without an id", v.nameless},
		{"failed while the origin was up", v.unjust},
	} {
		fmt.Fprintf(&b, "%s: %d\n", line.what, line.n)
	}
	if v.first != nil {
		fmt.Fprintf(&b, "first failure: %v\n", v.first)
	}
	return b.String()
}
