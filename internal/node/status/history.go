package status

import (
	"sync"
	"time"

	"github.com/seawall/seawall/internal/flow"
)

const (
	// Every is how long after a sample the next one is due.
	Every = 5 * time.Second
	// kept is how many samples of each zone are kept, a minute's, and points how many points of the whole node, ten minutes'.
	kept   = int(time.Minute/Every) + 1
	points = int(10 * time.Minute / Every)
)

// Counters are what had been counted of a zone at some time since the start. Asked counts requests for which the cache was asked, Hits
// those of them that it answered.
type Counters struct {
	Requests, Origin, Asked, Hits int64
	Refused                       [flow.Reasons]int64
}

// refused sums over the reasons.
func (c *Counters) refused() (sum int64) {
	for _, n := range c.Refused {
		sum += n
	}
	return sum
}

// History remembers what was counted within the last minute, so that rates can be told, and how many requests there were within the
// last ten. A zone takes some 200 bytes a sample. Its methods may be called at any time by anyone.
type History struct {
	mu      sync.Mutex
	samples []sample // oldest first
	points  []Point
}

// NewHistory remembers nothing yet.
func NewHistory() *History { return &History{} }

type sample struct {
	time  time.Time
	zones map[string]Counters
}

// Add remembers what has been counted, by zone. It keeps the map.
func (h *History) Add(now time.Time, zones map[string]Counters) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.samples); n > 0 {
		r := h.samples[n-1].until(now, zones)
		p := Point{Time: now}
		for _, rate := range r {
			p.Requests += rate.Requests
			p.Refused += rate.Refused
		}
		h.points = push(h.points, p, points)
	}
	h.samples = push(h.samples, sample{now, zones}, kept)
}

// push appends to a list that forgets its oldest.
func push[E any](list []E, e E, most int) []E {
	if len(list) == most {
		copy(list, list[1:])
		list = list[:most-1]
	}
	return append(list, e)
}

// Fill puts the rates of now into a report, and into those of its zones that have counters.
func (h *History) Fill(r *Report, zones map[string]Counters) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.Points = append([]Point{}, h.points...)
	now, minute := h.rates(r.Time, 10*time.Second, zones), h.rates(r.Time, time.Minute, zones)
	var sum [2]total
	reasons := reasonSums{}
	for i := range r.Zones {
		z := &r.Zones[i]
		c := zones[z.Name]
		recent := now[z.Name]
		z.Now, z.Minute = recent.Rate, minute[z.Name].Rate
		z.Refused = reasonSums{c.Refused, recent.reasons}.list()
		sum[0].add(z.Now)
		sum[1].add(z.Minute)
		reasons.add(&c, &recent)
	}
	r.Now, r.Minute, r.Refused = sum[0].rate(), sum[1].rate(), reasons.list()
}

// rates compares with the newest sample that is at least so old, or with the oldest there is.
func (h *History) rates(now time.Time, age time.Duration, zones map[string]Counters) map[string]zoneRate {
	if len(h.samples) == 0 {
		return nil
	}
	from := 0
	for i := range h.samples {
		if now.Sub(h.samples[i].time) >= age {
			from = i
		}
	}
	return h.samples[from].until(now, zones)
}

// zoneRate is a zone's rate, refusals also by reason.
type zoneRate struct {
	Rate
	reasons [flow.Reasons]float64
}

// until is what happened between a sample and a later count. Of a zone that is not in the sample nothing is known; a counter that is
// below the sample's was begun anew.
func (s *sample) until(now time.Time, zones map[string]Counters) map[string]zoneRate {
	seconds := max(now.Sub(s.time).Seconds(), 0.1)
	rates := make(map[string]zoneRate, len(zones))
	for name, after := range zones {
		before, ok := s.zones[name]
		if !ok {
			continue
		}
		per := func(after, before int64) float64 {
			if after < before {
				before = 0
			}
			return float64(after-before) / seconds
		}
		r := zoneRate{Rate: Rate{
			Requests: per(after.Requests, before.Requests),
			Refused:  per(after.refused(), before.refused()),
			Origin:   per(after.Origin, before.Origin),
			Asked:    per(after.Asked, before.Asked),
		}}
		if r.Asked > 0 {
			r.HitRatio = per(after.Hits, before.Hits) / r.Asked
		}
		for i := range after.Refused {
			r.reasons[i] = per(after.Refused[i], before.Refused[i])
		}
		rates[name] = r
	}
	return rates
}

// total adds rates up.
type total struct {
	sum  Rate
	hits float64
}

func (t *total) add(r Rate) {
	t.sum.Requests += r.Requests
	t.sum.Refused += r.Refused
	t.sum.Origin += r.Origin
	t.sum.Asked += r.Asked
	t.hits += r.Asked * r.HitRatio
}

func (t *total) rate() Rate {
	if t.sum.Asked > 0 {
		t.sum.HitRatio = t.hits / t.sum.Asked
	}
	return t.sum
}

// reasonSums are refusals by reason: since the start, and each second now.
type reasonSums struct {
	total [flow.Reasons]int64
	now   [flow.Reasons]float64
}

func (s *reasonSums) add(c *Counters, r *zoneRate) {
	for i := range c.Refused {
		s.total[i] += c.Refused[i]
		s.now[i] += r.reasons[i]
	}
}
