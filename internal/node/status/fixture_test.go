package status

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/seawall/seawall/internal/flow"
)

// noon is when reports of tests are made.
func noon() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// testReport is a node under attack, with so many zones, all of them full of things to say.
func testReport(zones int) *Report {
	now, random := noon(), rand.New(rand.NewPCG(1, 2))
	r := &Report{
		Node: "ams-1", Version: "v0.3.0", Time: now, Started: now.Add(-75 * time.Hour), Reloaded: now.Add(-12 * time.Minute), State: Serving,
		Listening:    []string{"http [::]:80", "https [::]:443"},
		Connections:  Connections{Open: 4321, Max: 100_000, Refused: map[string]int64{"node-full": 0, "source-full": 91_234, "head-slow": 812}},
		Handshakes:   &Handshakes{Open: 17, Queued: 5, Complete: 765_432, Resumed: 345_678, Failed: 2345, Refused: map[string]int64{"queue-full": 54_321, "not-tls": 0}},
		Cache:        Cache{Objects: 18_233, Bytes: 201 << 20, Size: 256 << 20, Evictions: 12},
		Certificates: []Certificate{{Names: []string{"*.example.net"}, Issuer: "Example CA", NotAfter: now.Add(60 * 24 * time.Hour)}},
		CanReload:    true,
	}
	h, counters := NewHistory(), map[string]Counters{}
	for i := range zones {
		r.Zones = append(r.Zones, testZone(i, now))
		counters[r.Zones[i].Name] = Counters{}
	}
	r.Zones = append(r.Zones, Zone{Name: Unserved})
	ticks := points + 2
	if zones > 100 {
		ticks = kept // as much as makes a difference to a page's size
	}
	for tick := range ticks {
		next := map[string]Counters{}
		for i := range zones { // in order: what is random is the same every time
			name := r.Zones[i].Name
			c := counters[name]
			flood := int64(0)
			if tick > 70 && name == "zone-3.example" {
				flood = 20_000 + random.Int64N(4000)
			}
			seen := 200 + random.Int64N(200)
			c.Requests += seen + flood
			c.Asked += seen
			c.Hits += seen * 8 / 10
			c.Origin += seen / 10
			c.Refused[flow.RequestLimit] += flood * 9 / 10
			c.Refused[flow.QueueFull] += flood / 200
			next[name] = c
		}
		counters = next
		h.Add(now.Add(time.Duration(tick-ticks)*Every), counters)
	}
	h.Fill(r, counters)
	var refused []Refusal
	for i := range 200 {
		refused = append(refused, Refusal{
			Time: now.Add(-time.Duration(i) * 10 * time.Millisecond), ID: fmt.Sprintf("06h0abgq5hmzjqrm20t0fs7aaxjxpsrm3wkn7gbf3cr1%02d", i%100),
			Zone: "zone-3.example", Status: 429, Reason: "request-limit", Rule: "limits.requests", Client: fmt.Sprintf("203.0.%d.0/24", i%7),
			Method: "GET", Host: "www.zone-3.example", Target: fmt.Sprintf("/search?q=%d", i%40),
		})
	}
	r.Summarize(refused, 20)
	return r
}

func testZone(i int, now time.Time) Zone {
	name := fmt.Sprintf("zone-%d.example", i)
	z := Zone{
		Name: name, Hosts: []string{name, "www." + name, "cdn." + name, "mail." + name, "shop." + name},
		Requests: 1_234_567, Bytes: 98 << 30, Status: [6]int64{2: 1_100_000, 3: 100_000, 4: 30_000, 5: 4567},
		ByCache: map[string]int64{"hit": 900_000, "miss": 200_000, "stale": 12, "bypass": 134_555},
		Rules: []Rule{
			{Name: "lists.deny", Matches: 12}, {Name: "limits.requests", Matches: 345_678},
			{Name: "http_request_firewall_custom/bad", Action: "block", Expression: `http.user_agent contains "bad"`, Matches: 77, Undone: now.Add(time.Hour)},
		},
		Servers: []Server{
			{URL: "http://10.0.0.1:8080", Weight: 2, Up: true, Since: now.Add(-70 * time.Hour), InFlight: 7, Requests: 123_456, Failures: 3},
			{URL: "http://10.0.0.2:8080", Weight: 1, Up: i != 2, Why: "", Since: now.Add(-4 * time.Minute), Requests: 60_000, Failures: 321},
		},
		Budget: Budget{Concurrent: 7, MaxConcurrent: 64, MaxQueued: 2048, Upgrades: 3, MaxUpgrades: 1024, Rate: "off"},
		Certificates: []Certificate{{
			Names: []string{name, "www." + name}, Issuer: "R11, Let's Encrypt", NotAfter: now.Add(40 * 24 * time.Hour),
		}},
	}
	if i == 2 {
		z.Servers[1].Why = "connect: connection refused"
	}
	if i == 3 {
		z.Budget.Concurrent, z.Budget.Queued = 64, 1900
	}
	if i == 5 {
		for s := range z.Servers {
			z.Servers[s].Up, z.Servers[s].Why = false, "check: 503 Service Unavailable"
		}
	}
	if i == 7 {
		z.Certificates[0].NotAfter, z.DryRun, z.Dry = now.Add(60*time.Hour), true, 17
	}
	return z
}
