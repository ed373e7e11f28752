package edge

import (
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall/seawall/crawl"
	"github.com/seawall/seawall/internal/cache"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/zone"
)

// prefetchAgent is the User-Agent of requests for pages that nobody has asked for, and their product token in robots.txt.
const prefetchAgent = "seawall-prefetch"

const (
	// mostMaps bounds the site maps that are read in a round, and mostListed the bytes of their addresses that are kept.
	mostMaps   = 100
	mostListed = 8 << 20
	// busyWait is how long a crawler waits whose origin has no share of its budget to spare.
	busyWait = time.Second
	// glance is how long it waits after a page that it has not fetched.
	glance = 10 * time.Millisecond
	// unwellWait is how long it waits for an origin that is unwell, each time twice as long, up to mostUnwellWait.
	unwellWait     = time.Minute
	mostUnwellWait = time.Hour
)

// crawler fetches a zone's pages ahead. One goroutine runs it.
type crawler struct {
	path *Path
	zone atomic.Pointer[zone.Zone]
	wake chan struct{}
	stop chan struct{}
	done chan struct{}
	now  atomic.Pointer[flow.Abort] // of what is under way

	mu    sync.Mutex
	state Prefetched

	// What follows is the goroutine's.
	wish   cache.Prefetch // for which this round was begun
	robots *crawl.Robots  // nil before a round's has been read
	maps   []string       // that are still to be read, as requests have them
	read   int            // maps, of this round
	pages  []string
	listed int // bytes of all that
	next   int // page
	due    time.Time
	unwell time.Duration
}

func newCrawler(p *Path, z *zone.Zone) *crawler {
	c := &crawler{path: p, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	c.zone.Store(z)
	return c
}

// hurry has a crawler that waits look whether it has to.
func (c *crawler) hurry() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// end stops a crawler, and what it waits for.
func (c *crawler) end() {
	close(c.stop)
	if a := c.now.Load(); a != nil {
		a.Fire()
	}
}

func (c *crawler) run() {
	defer close(c.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	next := time.Now()
	for {
		select {
		case <-c.stop:
			return
		case <-c.wake:
			if z := c.zone.Load(); *z.Cache.Prefetch() != c.wish {
				c.begin(*z.Cache.Prefetch())
				next = time.Now()
			}
		case <-timer.C:
		}
		if time.Now().Before(next) {
			timer.Reset(time.Until(next))
			continue
		}
		next = time.Now().Add(c.step())
		timer.Reset(time.Until(next))
	}
}

// begin begins a round.
func (c *crawler) begin(wish cache.Prefetch) {
	c.wish, c.due = wish, time.Now().Add(wish.Every)
	c.robots, c.maps, c.read, c.pages, c.listed, c.next = nil, nil, 0, nil, 0, 0
	c.tell(func(s *Prefetched) { s.Listed, s.Looked, s.Problem, s.Next = 0, 0, "", time.Time{} })
}

func (c *crawler) tell(what func(*Prefetched)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	what(&c.state)
}

// step does the next thing, which is one request at most, and returns how long to wait after it. A panic in it is a fault of this node, and
// ends the round.
func (c *crawler) step() (wait time.Duration) {
	defer func() {
		if fault := recover(); fault != nil && c.path.Fault != nil {
			c.path.Fault(fault)
			c.maps, c.next, wait = nil, len(c.pages), mostUnwellWait
		}
	}()
	z := c.zone.Load()
	switch {
	case c.robots == nil && c.wish.Authority != "":
		return c.readRobots(z)
	case len(c.maps) > 0:
		return c.readMap(z)
	case c.next < len(c.pages):
		return c.fetchPage(z)
	case c.wish.Authority != "" && time.Now().Before(c.due):
		c.tell(func(s *Prefetched) { s.Next = c.due })
		return time.Until(c.due)
	}
	c.begin(*z.Cache.Prefetch())
	return 0
}

// readRobots learns what may be fetched, and where the maps are. Without an answer to that, nothing may be (RFC 9309 §2.3.1.4).
func (c *crawler) readRobots(z *zone.Zone) time.Duration {
	return c.after(c.document(z, "/robots.txt", func(status int, content io.Reader) {
		text := ""
		if status == 200 {
			all, _ := io.ReadAll(io.LimitReader(content, crawl.MostRobots)) // what is there counts
			text = string(all)
		}
		c.robots = crawl.ParseRobots(text, prefetchAgent)
		if c.wish.Sitemap != "" {
			c.maps = append(c.maps, c.wish.Sitemap)
			return
		}
		for _, address := range c.robots.Sitemaps {
			c.list(&c.maps, address)
		}
		if len(c.maps) == 0 {
			c.tell(func(s *Prefetched) { s.Problem = "robots.txt names no site map of this host" })
		}
	}))
}

// readMap adds what a map lists.
func (c *crawler) readMap(z *zone.Zone) time.Duration {
	target := c.maps[0]
	return c.after(c.document(z, target, func(status int, content io.Reader) {
		c.maps = c.maps[1:]
		c.read++
		if status != 200 {
			c.tell(func(s *Prefetched) { s.Problem = fmt.Sprintf("%s: status %d", target, status) })
			return
		}
		m, err := crawl.ReadSitemap(content)
		for _, address := range m.Maps {
			if c.read+len(c.maps) < mostMaps {
				c.list(&c.maps, address)
			}
		}
		for _, address := range m.Pages {
			c.list(&c.pages, address)
		}
		c.tell(func(s *Prefetched) {
			if s.Listed = len(c.pages); err != nil {
				s.Problem = fmt.Sprintf("%s: %v", target, err)
			}
		})
	}))
}

// list adds an address to a list, as requests have it, if it is one of this host and there is room.
func (c *crawler) list(to *[]string, address string) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return
	}
	host, path, ok := flow.NormalTarget(u.Host, u.EscapedPath())
	own, _, _ := flow.NormalTarget(c.wish.Authority, "/")
	if !ok || host != own || len(*to) >= crawl.MostURLs || strings.ContainsFunc(u.RawQuery, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return
	}
	if u.RawQuery != "" {
		path += "?" + u.RawQuery
	}
	if c.listed += len(path); c.listed <= mostListed {
		*to = append(*to, path)
	}
}

// fetchPage fetches the next page, if it is not there and may be fetched.
func (c *crawler) fetchPage(z *zone.Zone) time.Duration {
	target := c.pages[c.next]
	outcome := left
	if c.robots.Allowed(target) {
		f := c.flow(z, target)
		outcome = c.visit(z, f, false)
		drain(f.Message())
	}
	wait := c.after(outcome)
	if outcome == busy || outcome == unwell {
		return wait
	}
	c.next++
	c.tell(func(s *Prefetched) {
		s.Looked = c.next
		switch outcome {
		case stored:
			s.Stored++
		case left:
			s.Left++
		default:
			s.Fetched++
		}
	})
	return wait
}

// outcome is what became of a request.
type outcome uint8

const (
	answered outcome = iota // by the origin, or for a document by the cache
	stored                  // the cache has it already
	left                    // it is not to be fetched
	busy                    // people want the origin's budget
	unwell                  // the origin did not answer, or with an error
)

// after is how long to wait after a request.
func (c *crawler) after(o outcome) time.Duration {
	switch o {
	case busy:
		return busyWait
	case unwell:
		c.unwell = min(max(2*c.unwell, unwellWait), mostUnwellWait)
		c.tell(func(s *Prefetched) {
			s.Failed++
			s.Problem, s.Next = "the origin is unwell", time.Now().Add(c.unwell)
		})
		return c.unwell
	case stored, left:
		return glance
	}
	if c.unwell > 0 {
		c.unwell = 0
		c.tell(func(s *Prefetched) { s.Problem, s.Next = "", time.Time{} })
	}
	return c.wish.Pause
}

// nobodyAddress is the client's of flows that have none, the dummy address of RFC 7600: what the origin shows to its own machine or network, and
// trusts X-Forwarded-For for, it must not show here.
func nobodyAddress() netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 0, 8}) }

// flow is that of a visitor without cookies.
func (c *crawler) flow(z *zone.Zone, target string) *flow.Flow {
	self := netip.AddrPortFrom(nobodyAddress(), 0)
	f := &flow.Flow{Exchange: nobody{}, Abort: new(flow.Abort), Conn: &flow.Conn{Remote: self, Local: self}, Zone: z}
	q := &f.Request
	q.Received, q.Client, q.Source = time.Now(), self.Addr(), netip.PrefixFrom(self.Addr(), 32)
	q.Proto, q.Method, q.Scheme, q.Authority, q.Target = "HTTP/1.1", "GET", c.wish.Scheme, c.wish.Authority, target
	q.Host, _, _ = flow.NormalTarget(q.Authority, "/")
	q.Path, q.Query, q.HasQuery = strings.Cut(target, "?")
	q.Fields = []flow.Field{
		{Name: "User-Agent", Value: prefetchAgent}, {Name: "Accept", Value: "text/html,*/*;q=0.8"}, {Name: "Accept-Encoding", Value: "gzip, br, zstd"},
	}
	c.now.Store(f.Abort)
	select {
	case <-c.stop: // before it could be told so
		f.Abort.Fire()
	default:
	}
	f.Verdict.Action = flow.Allow // limits are for visitors; the budget is the bound here
	return f
}

// visit walks the path for a flow without a client, with a share of the origin's budget that nobody else wants. What a rule of the zone has
// bypass the cache is fetched only if it is wanted in any case.
func (c *crawler) visit(z *zone.Zone, f *flow.Flow, inAnyCase bool) outcome {
	if z.Verdict.Judge(f); f.Refusal() != nil || f.Message() != nil { // rules have something else for visitors there
		return left
	}
	z.Cache.Lookup(f)
	switch {
	case f.Cache.Refresh:
		c.path.refresh(z, f)
		return stored
	case f.Message() != nil:
		return stored
	case inAnyCase:
	case f.Cache.Status == flow.Bypass:
		return left
	case z.Cache.Copied(f.Effective(), c.wish.Every/2): // rounds do not all take the same time
		return stored
	}
	lease := z.Asked(f).Admission.Spare()
	if lease == nil {
		return busy
	}
	f.Admission.Lease = lease
	switch z.Cache.Join(f) {
	case cache.Lead:
		lead(z, f)
	case cache.Pass:
		fetch(z, f)
	case cache.Served:
		lease.Release()
		return stored
	}
	z.Record.AddBehind(f)
	if o := &f.Origin; o.Refusal != nil || o.Status >= 500 || o.Status == 429 || f.Message() == nil {
		return unwell
	}
	return answered
}

// document has robots.txt or a map read, if there is an answer.
func (c *crawler) document(z *zone.Zone, target string, read func(status int, content io.Reader)) outcome {
	f := c.flow(z, target)
	f.Request.Fields = f.Request.Fields[:2] // in no coding, as it is read here
	o := c.visit(z, f, true)
	m := f.Message()
	if o == busy || o == unwell || m == nil {
		drain(m)
		return o
	}
	defer m.Repay()
	body := &bodyReader{piece: m.Body, body: m.Stream}
	if m.Stream != nil {
		defer m.Stream.Close()
	}
	read(m.Status, body)
	return answered
}

// bodyReader is a message's body as a reader. A body that breaks off is one that is too short.
type bodyReader struct {
	piece []byte
	body  flow.Body // nil if the piece is all
	err   error
}

// Read implements [io.Reader].
func (r *bodyReader) Read(p []byte) (int, error) {
	for len(r.piece) == 0 {
		switch {
		case r.err != nil:
			return 0, r.err
		case r.body == nil:
			return 0, io.EOF
		}
		r.piece, r.err = r.body.Next()
	}
	n := copy(p, r.piece)
	r.piece = r.piece[n:]
	return n, nil
}
