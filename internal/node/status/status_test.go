package status

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/seawall/seawall/internal/flow"
)

// page is a page as a browser reads it.
type page struct {
	*html.Node
	raw    string
	policy string
}

func read(t *testing.T, w *httptest.ResponseRecorder) page {
	t.Helper()
	if got := w.Header().Get("Content-Type"); w.Code != 200 || got != "text/html; charset=utf-8" {
		t.Fatalf("got %d, %q: %s", w.Code, got, w.Body)
	}
	root, err := html.Parse(strings.NewReader(w.Body.String()))
	if err != nil {
		t.Fatal(err)
	}
	return page{root, w.Body.String(), w.Header().Get("Content-Security-Policy")}
}

func nodePage(t *testing.T, r *Report, query string) page {
	t.Helper()
	q, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	Page(w, r, q)
	return read(t, w)
}

func zonePage(t *testing.T, r *Report, name string) page {
	t.Helper()
	w := httptest.NewRecorder()
	ZonePage(w, r, r.Zone(name), url.Values{})
	return read(t, w)
}

func storyPage(t *testing.T, story ...Chunk) page {
	t.Helper()
	w := httptest.NewRecorder()
	StoryPage(w, "ams-1", "06h0abgq5hmzjqrm20t0", story)
	return read(t, w)
}

// all are the elements of a name, in the order of the page.
func (p page) all(name string) (found []*html.Node) {
	for n := range p.Descendants() {
		if n.Type == html.ElementNode && n.Data == name {
			found = append(found, n)
		}
	}
	return found
}

// text is what a reader sees of an element, with a space between its parts.
func text(n *html.Node) string {
	var words []string
	for d := range n.Descendants() {
		if d.Type == html.TextNode && d.Parent.Data != "style" {
			words = append(words, strings.Fields(d.Data)...)
		}
	}
	return strings.Join(words, " ")
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// TestPage reads the page as an operator does: is it serving, what is refused and why, who is hit, are the origins well?
func TestPage(t *testing.T) {
	attacked := testReport(60)
	attacked.Problems = []string{"zones/shop.yaml:12: origin.servers: no scheme"}
	draining := testReport(1)
	draining.State = Draining
	calm := &Report{Node: "ams-1", State: Serving, Time: noon()}
	tests := []struct {
		name       string
		report     *Report
		query      string
		want, none []string
	}{
		{"under attack", attacked, "", []string{
			"ams-1 serving", "12:00:00 UTC", "To be mended zones/shop.yaml:12: origin.servers: no scheme", "10,000/s", "connections 4,321 of 100 k",
			"reason now, /s since the start request-limit", "client of the newest 200 203.0.0.0/24 29", "www.zone-3.example/search 200",
			"queue full: 1,900 wait refusing", "zone-5.example, www.zone-5.example, cdn.zone-5.example and 2 more origin down", "1 of 2 servers down",
			"certificate ends in 2 days dry run", "0 of 2", "64 of 64", "61, those first that need a look", "page 1 of 2 after →",
			"12:00:00 request-limit 203.0.0.0/24 GET www.zone-3.example/search?q=0 zone-3.example 06h0abgq5hmzjqrm20t0fs7aaxjxpsrm3wkn7gbf3cr100",
			"running for 3 days, since 2026-11-20 09:00 UTC", "configuration read 12 min ago", "listening http [::]:80, https [::]:443",
			"cache 201 MiB of 256 MiB in 18,233 objects", "source-full 91,234",
			"TLS handshakes 765 k, 346 k of them resumed; 17 open, 5 queued", "TLS handshakes refused cause since the start not-tls 0 queue-full 54,321",
			"*.example.net Example CA in 60 days", "version v0.3.0",
		}, []string{"← before"}},
		{"second page of zones", attacked, "page=2", []string{"← before page 2 of 2"}, []string{"after →", "origin down"}},
		{"page too far", attacked, "page=99", []string{"page 2 of 2"}, nil},
		{"page before the first", attacked, "page=-1", []string{"page 1 of 2"}, nil},
		{"filter by name", attacked, "q=ZONE-5.", []string{"1 of 61, those", "origin down"}, []string{"queue full", "page 1"}},
		{"filter by host", attacked, "q=shop.zone-5.", []string{"1 of 61, those", "origin down"}, nil},
		{"filter for nothing", attacked, "q=nothing", []string{"0 of 61, those"}, []string{"origin down"}},
		{"draining", draining, "", []string{"ams-1 draining"}, []string{"serving"}},
		{"nothing to say", calm, "", []string{"ams-1 serving", "Nothing was refused.", "None is remembered.", "listening nowhere", "cache off"}, []string{"To be mended", "Certificates", "TLS"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := text(nodePage(t, tt.report, tt.query).Node)
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("the page does not say %q", want)
				}
			}
			for _, none := range tt.none {
				if strings.Contains(got, none) {
					t.Errorf("the page says %q", none)
				}
			}
			if t.Failed() {
				t.Log(got)
			}
		})
	}
}

// TestWorstFirst: the zones that need a look come before those that do not.
func TestWorstFirst(t *testing.T) {
	var got []string
	for _, r := range rows(testReport(60).Zones, noon(), "")[:5] {
		got = append(got, r.Name)
	}
	if want := "zone-3.example zone-5.example"; strings.Join(got[:2], " ") != want {
		t.Errorf("first: got %v, want %s", got, want)
	}
	if rest := strings.Join(got[2:4], " "); !strings.Contains(rest, "zone-2.example") || !strings.Contains(rest, "zone-7.example") {
		t.Errorf("then: got %v, want zone-2 and zone-7", got)
	}
}

func TestZonePage(t *testing.T) {
	r := testReport(8)
	r.Zone("zone-4.example").Servers[0].Why = "read: connection reset"
	r.Undone = []Undone{
		{What: "rule http_request_firewall_custom/bad in zone zone-2.example", Zone: "zone-2.example", Until: noon().Add(time.Hour), By: "local"},
		{What: "address 192.0.2.9 in all zones", Until: noon().Add(2 * time.Hour), By: "local"},
	}
	r.Zone("zone-6.example").Certificates = []Certificate{{Names: []string{"a.example"}, Problem: "acme: rate limited"}}
	tests := []struct {
		zone string
		want []string
	}{
		{"zone-2.example", []string{
			"zone-2.example 1 of 2 servers down", "ams-1 serving", "mail.zone-2.example, shop.zone-2.example",
			"http://10.0.0.1:8080 up for 2 days 2 7 123 k 3", "http://10.0.0.2:8080 down for 4 min: connect: connection refused 1 0 60,000 321",
			"requests at the origin 7 of 64", "waiting 0 of 2,048", "upgraded connections 3 of 1,024", "rate off", "limits.requests – 346 k", `http_request_firewall_custom/bad undone, ends in 60 min block 77 http.user_agent contains "bad"`,
			"rule http_request_firewall_custom/bad in zone zone-2.example in 60 min local", "address 192.0.2.9 in all zones in 2 h local",
			"2xx 1.10 M", "What the cache did bypass 135 k hit 900 k miss 200 k stale 12", "bytes of content 98.0 GiB", "Nothing was refused.", "R11, Let's Encrypt in 40 days",
		}},
		{"zone-3.example", []string{"queue full", "request-limit", "waiting 1,900 of 2,048"}},
		{"zone-4.example", []string{"zone-4.example ok", "up for 2 days failed before: read: connection reset"}},
		{"zone-6.example", []string{"no certificate yet", "a.example – not obtained yet acme: rate limited"}},
		{"zone-7.example", []string{"Rules, in a dry run: 17 would have been refused"}},
		{Unserved, []string{"no zone ok"}},
	}
	for _, tt := range tests {
		t.Run(tt.zone, func(t *testing.T) {
			got := text(zonePage(t, r, tt.zone).Node)
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("the page does not say %q:\n%s", want, got)
				}
			}
		})
	}
}

// TestNodeRules: the node's own rules are on its page, and of many only the first, as of what is undone.
func TestNodeRules(t *testing.T) {
	r := testReport(1)
	r.Rules = []Rule{{Name: "node/http_ratelimit/each", Action: "block", Expression: "not ssl", Matches: 5}}
	for range rulesShown + 1 {
		r.Undone = append(r.Undone, Undone{What: "address 192.0.2.9 in all zones", Until: noon().Add(time.Hour), By: "local"})
	}
	got := text(nodePage(t, r, "").Node)
	for _, want := range []string{"Rules of the node, before each zone's", "node/http_ratelimit/each block 5 not ssl", "Undone for a time", "and 201 in all: seawall undo --list"} {
		if !strings.Contains(got, want) {
			t.Errorf("the page does not say %q:\n%s", want, got)
		}
	}
	if n := strings.Count(got, "192.0.2.9"); n != rulesShown {
		t.Errorf("got %d exceptions on the page, want %d", n, rulesShown)
	}
}

// TestHostile: what clients and others write stays text, on every page.
func TestHostile(t *testing.T) {
	const bad = `"><script>alert(1)</script><img src=x onerror=y>'` + "\u202e\x00\x1b[31m`}}{{.}}javascript:"
	r := testReport(1)
	r.Node, r.Version, r.Problems, r.Listening = bad, bad, []string{bad}, []string{bad}
	r.Connections.Refused[bad] = 1
	r.Certificates[0] = Certificate{Names: []string{bad}, Issuer: bad, Problem: bad}
	z := &r.Zones[0]
	z.Name, z.Hosts, z.ByCache, z.Rules = bad, []string{bad}, map[string]int64{bad: 1}, []Rule{{Name: bad, Action: bad, Expression: bad, Matches: 1}}
	z.Servers[0].URL, z.Servers[1].Up, z.Servers[1].Why, z.Budget.Rate = bad, false, bad, bad
	z.Certificates = r.Certificates
	z.Refused = []Refused{{Reason: bad, Total: 1}}
	z.Pools, z.Servers[0].Pool = []Pool{{Name: bad, Budget: Budget{Rate: bad}}}, bad
	r.Rules, r.Undone = z.Rules, []Undone{{What: bad, Until: noon(), By: bad}}
	var refused []Refusal
	for range 3 {
		refused = append(refused, Refusal{ID: bad, Zone: bad, Reason: bad, Rule: bad, Client: bad, Method: bad, Host: bad, Target: bad})
	}
	r.Summarize(refused, 3)
	for name, p := range map[string]page{
		"node":  nodePage(t, r, url.Values{"q": {bad}, "refresh": {bad}}.Encode()),
		"all":   nodePage(t, r, ""),
		"zone":  zonePage(t, r, bad),
		"story": storyPage(t, Chunk{bad, bad}),
	} {
		t.Run(name, func(t *testing.T) {
			for _, element := range []string{"script", "img"} {
				if found := p.all(element); len(found) > 0 {
					t.Errorf("an element %s got in", element)
				}
			}
			for n := range p.Descendants() {
				for _, a := range n.Attr {
					if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "href" && strings.HasPrefix(a.Val, "javascript:") {
						t.Errorf("an attribute %s=%q got in", a.Key, a.Val)
					}
				}
			}
			if strings.ContainsAny(p.raw, "\u202e\x00\x1b") {
				t.Error("a character got in that turns text around, or does not print")
			}
			for _, a := range p.all("a") {
				if u, err := url.Parse(attribute(a, "href")); err != nil || u.IsAbs() || u.Host != "" {
					t.Errorf("a link leads to %q", attribute(a, "href"))
				}
			}
		})
	}
}

// FuzzHostile: whatever the text, a page has the elements that it has with any other.
func FuzzHostile(f *testing.F) {
	for _, seed := range []string{"</td></table><p>", "<!--", "&lt;script&gt;", "\"><a href=x>", "\xff\u2028", "</style></title>", strings.Repeat("<b>", 1000)} {
		f.Add(seed)
	}
	elements := func(t *testing.T, text string) (names []string) {
		r := &Report{Node: "n", State: Serving, Time: noon(), Problems: []string{text}}
		r.Zones = []Zone{{Name: "z" + text, Hosts: []string{"h" + text}, Servers: []Server{{URL: text, Why: "w" + text}}}}
		x := Refusal{ID: "i" + text, Zone: text, Reason: text, Client: text, Method: text, Host: text, Target: text}
		r.Summarize([]Refusal{x, x}, 2)
		for _, p := range []page{nodePage(t, r, ""), zonePage(t, r, r.Zones[0].Name), storyPage(t, Chunk{text, text})} {
			for n := range p.Descendants() {
				if n.Type == html.ElementNode || n.Type == html.CommentNode {
					names = append(names, n.Data)
				}
			}
		}
		return names
	}
	want := fmt.Sprint(elements(&testing.T{}, "plain"))
	f.Fuzz(func(t *testing.T, text string) {
		if got := fmt.Sprint(elements(t, text)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// TestPolicy: the Content-Security-Policy allows the page's own style, to the byte, and the page needs nothing else.
func TestPolicy(t *testing.T) {
	r := testReport(3)
	for name, p := range map[string]page{"node": nodePage(t, r, ""), "zone": zonePage(t, r, "zone-1.example"), "story": storyPage(t, Chunk{"a", "b"})} {
		t.Run(name, func(t *testing.T) {
			styles := p.all("style")
			if len(styles) != 1 {
				t.Fatalf("got %d styles, want 1", len(styles))
			}
			hash := sha256.Sum256([]byte(styles[0].FirstChild.Data))
			if want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'"; !strings.Contains(p.policy, want) {
				t.Errorf("got the policy %s, want %s", p.policy, want)
			}
			if !strings.HasPrefix(p.policy, "default-src 'none'; ") || strings.Contains(p.policy, "unsafe") {
				t.Errorf("got the policy %s", p.policy)
			}
		})
	}
}

// TestAccessible: every table has headers, every drawing and every field a name, and a colour never says anything alone.
func TestAccessible(t *testing.T) {
	r := testReport(60)
	for name, p := range map[string]page{"node": nodePage(t, r, ""), "zone": zonePage(t, r, "zone-2.example"), "story": storyPage(t, Chunk{"a", "b"})} {
		t.Run(name, func(t *testing.T) {
			if len(p.all("h1")) != 1 || len(p.all("main")) != 1 || attribute(p.all("html")[0], "lang") != "en" {
				t.Error("the page has not one heading, one main part and a language")
			}
			for _, row := range p.all("tr") {
				headers := 0
				for cell := range row.ChildNodes() {
					if cell.Data == "th" && attribute(cell, "scope") != "" {
						headers++
					}
				}
				if headers == 0 {
					t.Errorf("a row without a header: %s", text(row))
				}
			}
			for _, drawing := range p.all("svg") {
				if attribute(drawing, "aria-label") == "" {
					t.Error("a drawing without a name")
				}
			}
			for _, field := range p.all("input") {
				if attribute(field, "type") != "hidden" && field.Parent.Data != "label" {
					t.Error("a field without a label")
				}
			}
			for _, n := range append(p.all("li"), p.all("span")...) {
				if class := attribute(n, "class"); (class == "ok" || class == "warning" || class == "down") && text(n) == "" {
					t.Error("a colour without a word")
				}
			}
		})
	}
}

// TestLinks: each refusal leads to its story, each zone to its page, and the list's pages keep filter and hold.
func TestLinks(t *testing.T) {
	r := testReport(120)
	r.Zones[0].Name, r.Zones[0].Servers[0].Up, r.Zones[0].Servers[1].Up = "a/b c", false, false
	links := map[string]bool{}
	for _, a := range nodePage(t, r, "q=example&refresh=off&page=2").all("a") {
		links[attribute(a, "href")] = true
	}
	for _, a := range nodePage(t, r, "").all("a") {
		links[attribute(a, "href")] = true
	}
	for _, want := range []string{
		"/explain/" + r.Refusals[0].ID, "/zones/zone-5.example", "/zones/a%2Fb%20c", "/api/status", "/metrics",
		"?q=example&refresh=off", "?page=3&q=example&refresh=off", "?page=2", "?refresh=off", "?page=2&q=example",
	} {
		if !links[want] {
			t.Errorf("no link to %s in %v", want, links)
		}
	}
}

// TestSize: the page of a large node stays small.
func TestSize(t *testing.T) {
	r := testReport(1000)
	for i := range r.Zones {
		for j := range 100 {
			r.Zones[i].Hosts = append(r.Zones[i].Hosts, fmt.Sprintf("host-%d.zone-%d.example", j, i))
		}
	}
	start := time.Now()
	node, zone := nodePage(t, r, ""), zonePage(t, r, "zone-999.example")
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the pages took %v", took)
	}
	if got, most := len(node.raw), 80<<10; got > most {
		t.Errorf("the node's page has %d bytes, want %d at most", got, most)
	}
	if got, most := len(zone.raw), 40<<10; got > most {
		t.Errorf("a zone's page has %d bytes, want %d at most", got, most)
	}
}

func TestReportJSON(t *testing.T) {
	text, err := json.Marshal(testReport(1))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"node", "state", "rates_10s", "rates_1m", "refused", "zones", "refusals", "problems", "cache", "connections", "handshakes", "points"} {
		if _, ok := got[key]; !ok {
			t.Errorf("no %q in %s", key, text[:200])
		}
	}
	zone := got["zones"].([]any)[0].(map[string]any)
	if rates, ok := zone["rates_10s"].(map[string]any); !ok || rates["requests"].(float64) <= 0 || zone["servers"] == nil {
		t.Errorf("got the zone %v, want rates and servers", zone)
	}
}

func TestConditions(t *testing.T) {
	now := noon()
	certificate := func(left time.Duration, problem string) Zone {
		return Zone{Certificates: []Certificate{{NotAfter: now.Add(left), Problem: problem}}}
	}
	refusing := Zone{}
	refusing.Now.Refused = 12
	tests := []struct {
		name string
		zone Zone
		want string
	}{
		{"nothing", Zone{}, "[{ok ok}]"},
		{"servers up", Zone{Servers: []Server{{Up: true}}}, "[{ok ok}]"},
		{"one of two down", Zone{Servers: []Server{{Up: true}, {}}}, "[{warning 1 of 2 servers down}]"},
		{"all down", Zone{Servers: []Server{{}, {}}}, "[{down origin down}]"},
		{"some wait", Zone{Budget: Budget{Queued: 79, MaxQueued: 100}}, "[{warning 79 wait for the origin}]"},
		{"many wait", Zone{Budget: Budget{Queued: 80, MaxQueued: 100}}, "[{down queue full: 80 wait}]"},
		{"certificate", certificate(10*24*time.Hour, ""), "[{ok ok}]"},
		{"certificate ends", certificate(9*24*time.Hour, ""), "[{warning certificate ends in 9 days}]"},
		{"certificate ended", certificate(-time.Minute, ""), "[{down certificate ended 60 s ago}]"},
		{"certificate not renewed", certificate(20*24*time.Hour, "no"), "[{warning certificate not renewed: ends in 20 days}]"},
		{"no certificate", Zone{Certificates: []Certificate{{Problem: "no"}}}, "[{warning no certificate yet}]"},
		{"refusing", refusing, "[{warning refusing 12/s}]"},
		{"dry run", Zone{DryRun: true}, "[{ok dry run}]"},
		{"the worst first", Zone{DryRun: true, Servers: []Server{{Up: true}, {}}, Budget: Budget{Queued: 1, MaxQueued: 1}},
			"[{down queue full: 1 wait} {warning 1 of 2 servers down} {ok dry run}]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := fmt.Sprint(tt.zone.Conditions(now)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestSummarize(t *testing.T) {
	var all []Refusal
	for i := range 100 {
		all = append(all, Refusal{Client: fmt.Sprint(i % 20), Host: "a.test", Target: fmt.Sprintf("/x?%d", i)})
	}
	all = append(all, Refusal{Client: "once", Target: "once"}, Refusal{Client: "3", Host: "a.test", Target: "/x"})
	r := &Report{}
	r.Summarize(all, 5)
	if r.Looked != 102 || len(r.Refusals) != 5 || len(r.Sources) != shares || r.Sources[0] != (Share{"3", 6}) || len(r.Targets) != 1 ||
		r.Targets[0] != (Share{"a.test/x", 101}) {
		t.Errorf("got %d, %d refusals, %v, %v", r.Looked, len(r.Refusals), r.Sources, r.Targets)
	}
}

// TestRates counts for two zones, of which one begins anew, as after a reload, and another comes later.
func TestRates(t *testing.T) {
	h, start := NewHistory(), noon()
	counters := func(tick int64) map[string]Counters {
		a := Counters{Requests: 50 * tick, Origin: 5 * tick, Asked: 40 * tick, Hits: 30 * tick}
		a.Refused[flow.RequestLimit] = 10 * tick
		all := map[string]Counters{"a": a, "b": {Requests: 5 * (tick % 21)}}
		if tick > 20 {
			all["late"] = Counters{Requests: 1000}
		}
		return all
	}
	for tick := range int64(21) {
		h.Add(start.Add(time.Duration(tick)*Every), counters(tick))
	}
	r := &Report{Time: start.Add(21 * Every), Zones: []Zone{{Name: "a"}, {Name: "b"}, {Name: "late"}}}
	h.Fill(r, counters(21))
	a := Rate{Requests: 10, Refused: 2, Origin: 1, Asked: 8, HitRatio: 0.75}
	for name, got := range map[string]Rate{"now": r.Zone("a").Now, "minute": r.Zone("a").Minute} {
		if got != a {
			t.Errorf("a, %s: got %+v, want %+v", name, got, a)
		}
	}
	for _, zone := range []string{"b", "late"} {
		if got := r.Zone(zone).Now; got != (Rate{}) {
			t.Errorf("%s: got %+v, want nothing", zone, got)
		}
	}
	if got := r.Zone("a").Refused; len(got) != 1 || got[0] != (Refused{"request-limit", 210, 2}) {
		t.Errorf("a: got %+v refused", got)
	}
	if r.Now != a || len(r.Refused) != 1 || r.Refused[0] != (Refused{"request-limit", 210, 2}) {
		t.Errorf("all: got %+v, %+v, want %+v", r.Now, r.Refused, a)
	}
	if len(r.Points) != 20 || r.Points[19].Requests != 11 || r.Points[19].Refused != 2 {
		t.Errorf("got %d points, %+v the last, want 20 of 11 requests a second", len(r.Points), r.Points[len(r.Points)-1])
	}
}

// TestHistoryBounded: a year's samples take no more than a few minutes'.
func TestHistoryBounded(t *testing.T) {
	h := NewHistory()
	r := &Report{Time: noon()}
	h.Fill(r, nil) // before the first sample
	if r.Now != (Rate{}) || len(r.Points) != 0 {
		t.Errorf("nothing: got %+v", r)
	}
	for tick := range 10_000 {
		h.Add(noon().Add(time.Duration(tick)*Every), map[string]Counters{})
	}
	if len(h.samples) != kept || len(h.points) != points || cap(h.samples) > 2*kept || cap(h.points) > 2*points {
		t.Errorf("got %d samples of %d, %d points of %d", len(h.samples), cap(h.samples), len(h.points), cap(h.points))
	}
}

func TestChart(t *testing.T) {
	tests := []struct {
		name     string
		requests []float64
		want     chart
	}{
		{"nothing", nil, chart{"", "", "1.0"}},
		{"quiet", []float64{0, 0}, chart{"M595.0 100.0L595.0 100.0L600.0 100.0L600.0 100.0Z", "M595.0 100.0L595.0 100.0L600.0 100.0L600.0 100.0Z", "1.0"}},
		{"busy", []float64{30, 40}, chart{"M595.0 100.0L595.0 40.0L600.0 20.0L600.0 100.0Z", "M595.0 100.0L595.0 70.0L600.0 60.0L600.0 100.0Z", "50"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var list []Point
			for _, n := range tt.requests {
				list = append(list, Point{Requests: n, Refused: n / 2})
			}
			if got := newChart(list); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if err := xml.Unmarshal([]byte(`<path d="`+newChart(list).Requests+`"/>`), new(struct{})); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestFormat(t *testing.T) {
	tests := []struct{ name, got, want string }{
		{"count 0", count(0), "0"},
		{"count 999", count(999), "999"},
		{"count 1000", count(1000), "1,000"},
		{"count 99999", count(99_999), "99,999"},
		{"count 100000", count(100_000), "100 k"},
		{"count 1234567", count(int64(1_234_567)), "1.23 M"},
		{"count 12345678901234", count(uint64(12_345_678_901_234)), "12.3 T"},
		{"rate 0", rate(0), "0"},
		{"rate 0.01", rate(0.01), "<0.1"},
		{"rate 0.25", rate(0.25), "0.2"},
		{"rate 9.96", rate(9.96), "10"},
		{"rate 1234.5", rate(1234.4), "1,234"},
		{"size 0", size(0), "0 B"},
		{"size 1023", size(1023), "1023 B"},
		{"size 1536", size(1536), "1.50 KiB"},
		{"size 256 MiB", size(256 << 20), "256 MiB"},
		{"size 1023 MiB", size(1023 << 20), "1.00 GiB"},
		{"percent 0", percent(0), "0 %"},
		{"percent 0.999", percent(0.999), "99 %"},
		{"percent 1", percent(1), "100 %"},
		{"span -1", span(-1), "0 s"},
		{"span 119 s", span(119 * time.Second), "119 s"},
		{"span 119 min", span(119 * time.Minute), "119 min"},
		{"span 47 h", span(47 * time.Hour), "47 h"},
		{"span 2000 days", span(48000 * time.Hour), "2,000 days"},
		{"bound", bound(5, 10), "5 of 10"},
		{"no bound", bound(5, 0), "5"},
		{"plain", plain(3, "a\u202eb"), "a\uFFFDb"},
		{"plain, long", plain(3, "abcd"), "abc…"},
		{"plain, no UTF-8", plain(3, "a\xff"), "a\uFFFD"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.got != tt.want {
				t.Errorf("got %q, want %q", tt.got, tt.want)
			}
		})
	}
}
