package record

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"strings"
)

// Misses is what of a zone's newest requests the cache did not answer, and why.
type Misses struct {
	// Requests are those still in memory; Hits of them were answered by the cache, with HitBytes of the Bytes in all bodies.
	Requests int   `json:"requests"`
	Hits     int   `json:"hits"`
	Bytes    int64 `json:"bytes"`
	HitBytes int64 `json:"hit_bytes"`
	// Top are the commonest misses, the most first.
	Top []MissedPage `json:"top"`
}

// MissedPage is one page, its query left out, that the cache did not answer for one reason.
type MissedPage struct {
	Host    string `json:"host"`
	Path    string `json:"path"`
	Cache   string `json:"cache"` // what it did instead
	Reason  string `json:"reason"`
	Count   int    `json:"count"`
	Example string `json:"example"` // the newest one's id
}

// MostMisses bounds what [Room.Misses] lists.
const MostMisses = 1000

// Misses looks through the requests of a zone that are still in memory, "" for all zones, and lists the n commonest misses. Refused
// requests are no misses. It takes time and memory in proportion to the ring.
func (r *Room) Misses(zone string, n int) Misses {
	mark := appendText(nil, `,"zone":"`, zone, maxText)
	if zone == "" {
		mark = nil
	}
	var m Misses
	type page struct{ host, path, cache, reason string }
	found := make(map[page]*MissedPage)
	for i := range r.shards {
		lines := r.shards[i].appendNewest(nil, math.MaxInt, func(line []byte) bool { return bytes.HasPrefix(line[zoneAt:], mark) })
		for _, line := range lines {
			e, err := Parse(line)
			if err != nil || e.Refusal != "" {
				continue
			}
			m.Requests++
			m.Bytes += e.Bytes
			if e.OriginAttempts == 0 && (e.Cache == "hit" || e.Cache == "stale") || e.Collapsed {
				m.Hits++
				m.HitBytes += e.Bytes
				continue
			}
			path, _, _ := strings.Cut(e.Target, "?")
			k := page{e.Host, path, e.Cache, e.CacheReason}
			p := found[k]
			if p == nil {
				p = &MissedPage{Host: e.Host, Path: path, Cache: e.Cache, Reason: e.CacheReason}
				found[k] = p
			}
			p.Count++
			p.Example = max(p.Example, e.ID) // ids sort by time
		}
	}
	for _, p := range found {
		m.Top = append(m.Top, *p)
	}
	slices.SortFunc(m.Top, func(a, b MissedPage) int {
		return cmp.Or(b.Count-a.Count, strings.Compare(a.Host+a.Path, b.Host+b.Path), strings.Compare(a.Reason, b.Reason))
	})
	m.Top = m.Top[:min(max(n, 0), len(m.Top), MostMisses)]
	return m
}
