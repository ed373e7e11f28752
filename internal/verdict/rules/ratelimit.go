package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/limit"
	"github.com/seawall/seawall/rules"
)

// rateLimit is what a rule counts, and how much of it there may be.
type rateLimit struct {
	keys []*rules.Key
	// counter says what counts, and moment when that is known.
	counter  *rules.Filter
	moment   moment
	toOrigin bool
	unit     int64 // bytes that count as one; 0 counts requests

	counted *limit.Table
	rate    limit.Rate
	free    int // units that have to be free for a request that is not counted yet to be one of those that may be

	mitigated  *limit.Table // who is refused for the whole of a mitigation's time; nil if nobody is
	mitigation limit.Rate

	detail string // what it is, in words
}

// moment is when a request counts.
type moment uint8

const (
	judged   moment = iota // as it is refused if it is one too many: what counts is what the rule is about
	aside                  // likewise by its head, but what counts is something else
	bound                  // on its way to the origin
	read                   // as judged, when its body has been read, on its way to the origin likewise
	beside                 // as aside, when its body has been read
	answered               // when its response has been sent
	moments                // how many there are
)

// owed is how many periods' worth is remembered of responses, which are counted when it is too late to refuse them: whoever got more than
// he may waits until he has got no more than that on average.
const owed = 4

// Bounds of a rate limit.
const (
	maxCharacteristics = 8
	minPeriod          = time.Second
	maxPeriod          = 24 * time.Hour
)

func (r *rule) counting() *rules.Filter { return r.limit.counter }

// rateLimit compiles what the rule limits, which holds for those that a filter says.
func (c *compiler) rateLimit(about *rules.Filter) (*rateLimit, error) {
	s := &c.spec.RateLimit
	l := &rateLimit{toOrigin: s.ToOrigin}
	if err := c.characteristics(l); err != nil {
		return nil, err
	}
	if err := c.counter(l, about); err != nil {
		return nil, err
	}
	if err := l.meter(s); err != nil {
		return nil, err
	}
	l.detail += ", counted " + l.apart()
	l.counted = c.room.tables.of(tableID{c.zone, c.spec.Name, false}, c.tables)
	if s.Mitigation == 0 {
		return l, nil
	}
	var err error
	if l.mitigation, err = limit.NewRate(1, s.Mitigation, 1); err != nil || s.Mitigation < minPeriod || s.Mitigation > maxPeriod {
		return nil, fmt.Errorf("ratelimit.mitigation_timeout: %v: want 0, or %v to %v", s.Mitigation, minPeriod, maxPeriod)
	}
	l.mitigated = c.room.tables.of(tableID{c.zone, c.spec.Name, true}, c.tables)
	return l, nil
}

// edgeCharacteristic is what Cloudflare's rules always name: that each of its data centers counts for itself, as each edge does.
const edgeCharacteristic = "cf.colo.id"

// instead says what to use for Cloudflare's characteristics that only Cloudflare can tell.
func instead(characteristic string) string {
	switch characteristic {
	case "cf.unique_visitor_id":
		return "ip.src.prefix with tls.ja4, or with a cookie of the site's: http.request.cookies[\"name\"][0]"
	case "cf.bot_management.ja3_hash":
		return "tls.ja4"
	}
	return ""
}

func (c *compiler) characteristics(l *rateLimit) error {
	named := c.spec.RateLimit.Characteristics
	if len(named) == 0 || len(named) > maxCharacteristics {
		return fmt.Errorf("ratelimit.characteristics: there are %d: want 1 to %d, such as ip.src; %s alone counts all together",
			len(named), maxCharacteristics, edgeCharacteristic)
	}
	for i, name := range named {
		if name == edgeCharacteristic {
			continue
		}
		if other := instead(name); other != "" {
			return fmt.Errorf("ratelimit.characteristics[%d]: %s is Cloudflare's alone: want %s", i, name, other)
		}
		key, err := rules.CompileKey(c.scheme, name)
		if err != nil {
			return fmt.Errorf("ratelimit.characteristics[%d]: %w", i, err)
		}
		if key.Phase() == rules.Response {
			return fmt.Errorf("ratelimit.characteristics[%d]: it reads the %s: want what is known when the request is judged", i, key.Phase())
		}
		l.keys = append(l.keys, key)
	}
	return nil
}

// apart says by what requests are counted apart.
func (l *rateLimit) apart() string {
	if len(l.keys) == 0 {
		return "all together"
	}
	names := make([]string, len(l.keys))
	for i, k := range l.keys {
		names[i] = k.String()
	}
	return "by " + shorten(strings.Join(names, ", "))
}

// readsBody tells that the rule can be judged only when a request's body has been read.
func (l *rateLimit) readsBody(about *rules.Filter) bool {
	return about.Phase() == rules.Body || l.counter.Phase() == rules.Body ||
		slices.ContainsFunc(l.keys, func(k *rules.Key) bool { return k.Phase() == rules.Body })
}

// counter finds out what counts, and when.
func (c *compiler) counter(l *rateLimit, about *rules.Filter) (err error) {
	key, text := "ratelimit.counting_expression", c.spec.RateLimit.Counting
	if text == "" {
		key, text = "expression", c.spec.Expression
	}
	if l.counter, err = rules.Compile(c.scheme, text); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	body, late := l.readsBody(about), l.counter.Phase() == rules.Response || c.spec.RateLimit.BytesPerPeriod != 0
	switch {
	case late && (body || strings.Contains(text, "http.request.body.")):
		return fmt.Errorf("ratelimit: it reads the request's body, which is gone when responses are counted: want a count of requests")
	case late:
		l.moment = answered
	case body && c.spec.RateLimit.Counting != "":
		l.moment = beside
	case body:
		l.moment = read
	case l.toOrigin:
		l.moment = bound
	case c.spec.RateLimit.Counting != "":
		l.moment = aside
	}
	if c.ofNode() && l.moment > aside {
		return fmt.Errorf("ratelimit: the node's rules count requests as they come: want no field of the body or the response, requests_to_origin or bytes_per_period")
	}
	return nil
}

// meter finds out how much there may be.
func (l *rateLimit) meter(s *spec.RuleRateLimit) error {
	if s.Period < minPeriod || s.Period > maxPeriod {
		return fmt.Errorf("ratelimit.period: %v: want %v to %v", s.Period, minPeriod, maxPeriod)
	}
	key, count := "ratelimit.requests_per_period", int64(s.Requests)
	l.detail = fmt.Sprintf("more than %d requests per %v", s.Requests, s.Period)
	switch {
	case (s.Requests != 0) == (s.BytesPerPeriod != 0):
		return fmt.Errorf("ratelimit: want either requests_per_period or bytes_per_period")
	case s.BytesPerPeriod != 0:
		key, l.unit = "ratelimit.bytes_per_period", 1
		for count = int64(s.BytesPerPeriod); count > int64(s.Period/time.Microsecond); count /= 2 { // a million units a second can be metered
			l.unit *= 2
		}
		l.detail = fmt.Sprintf("more than %d bytes per %v", s.BytesPerPeriod, s.Period)
	}
	burst := count
	l.free = 1
	if l.moment == answered {
		burst *= owed
		l.free += int((owed - 1) * count)
	}
	var err error
	if l.rate, err = limit.NewRate(int(count), s.Period, int(burst)); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}
