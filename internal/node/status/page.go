package status

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// perPage is how many zones a page lists, hostsShown how many hosts of each.
	perPage    = 50
	rulesShown = 200 // of a zone, and exceptions
	hostsShown = 3
	// maxText cuts what clients or operators wrote, in characters, and maxLine what may be several texts together.
	maxText = 120
	maxLine = 2000
	// refreshEvery is how often a browser asks for a page again, unless its reader holds it.
	refreshEvery = 10 * time.Second
)

//go:embed style.css
var style template.CSS

//go:embed page.html
var source string

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"count": count[int64], "rate": rate, "size": size, "percent": percent, "span": span, "bound": bound, "class": class,
	"short": func(text string) string { return plain(maxText, text) },
	"long":  func(text string) string { return plain(maxLine, text) },
	"clock": func(t time.Time) string { return t.UTC().Format("15:04:05") },
	"date":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") },
	"iso":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"path":  url.PathEscape,
	"int64": func(n int) int64 { return int64(n) },
	"style": func() template.CSS { return style },
}).Parse(source))

// policy lets a page have its own style and send its forms to where it came from, and nothing else.
var policy = func() string {
	hash := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) +
		"'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}()

// view is what a page is made of.
type view struct {
	*Report
	Title string
	// Refresh is in seconds; 0 holds the page.
	Refresh int

	Rows                  []row
	Filter                string
	Matching, Page, Pages int
	Chart                 chart

	Row   row     // on a zone's page
	Story []Chunk // on a request's page
}

// Page answers with the node's page. The query may have a filter for zones (q), the page of their list (page), and refresh=off.
func Page(w http.ResponseWriter, r *Report, query url.Values) {
	v := newView(r, r.Node, query)
	v.Filter = plain(maxText, query.Get("q"))
	v.Rows = rows(r.Zones, r.Time, v.Filter)
	v.Matching = len(v.Rows)
	v.Pages = max((v.Matching+perPage-1)/perPage, 1)
	v.Page, _ = strconv.Atoi(query.Get("page"))
	v.Page = min(max(v.Page, 1), v.Pages)
	v.Rows = v.Rows[(v.Page-1)*perPage : min(v.Page*perPage, v.Matching)]
	v.Chart = newChart(r.Points)
	v.write(w, "node")
}

// ZonePage answers with the page of one zone of a report, of which the refusals shown are that zone's.
func ZonePage(w http.ResponseWriter, r *Report, z *Zone, query url.Values) {
	v := newView(r, "zone "+z.Title(), query)
	v.Row = row{z, z.Conditions(r.Time)}
	v.write(w, "zone")
}

// Chunk is a line of a request's story: what room it is about, if that is another than the last line's, and what happened.
type Chunk struct{ Label, Text string }

// StoryPage answers with the story of the request with this id.
func StoryPage(w http.ResponseWriter, node, id string, story []Chunk) {
	v := &view{Report: &Report{Node: node}, Title: "request " + id, Story: story}
	v.write(w, "story")
}

func newView(r *Report, title string, query url.Values) *view {
	v := &view{Report: r, Title: title, Refresh: int(refreshEvery.Seconds())}
	if query.Get("refresh") == "off" {
		v.Refresh = 0
	}
	return v
}

// write sends the page whole or, as a mistake of ours, an error.
func (v *view) write(w http.ResponseWriter, name string) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, v); err != nil {
		http.Error(w, "making the page: "+err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	_, _ = w.Write(b.Bytes()) // a browser that went away has no use for it
}

// Query is where the page's links lead: the same page but for one thing.
func (v *view) Query(page int, refresh bool) string {
	q := url.Values{}
	if v.Filter != "" {
		q.Set("q", v.Filter)
	}
	if page > 1 {
		q.Set("page", strconv.Itoa(page))
	}
	if !refresh {
		q.Set("refresh", "off")
	}
	return "?" + q.Encode()
}

// Live tells whether the page refreshes itself.
func (v *view) Live() bool { return v.Refresh > 0 }

// Before is the page before this one in the list of zones, 0 for none.
func (v *view) Before() int { return v.Page - 1 }

// After is the page after this one, 0 for none.
func (v *view) After() int {
	if v.Page == v.Pages {
		return 0
	}
	return v.Page + 1
}

// Title is the zone's name for people.
func (z *Zone) Title() string {
	if z.Name == Unserved {
		return "no zone"
	}
	return z.Name
}

// Few are the first of the zone's hosts, and how many more there are; "" if the name says it.
func (z *Zone) Few() string {
	if len(z.Hosts) == 1 && z.Hosts[0] == z.Name {
		return ""
	}
	if len(z.Hosts) <= hostsShown {
		return strings.Join(z.Hosts, ", ")
	}
	return strings.Join(z.Hosts[:hostsShown], ", ") + " and " + strconv.Itoa(len(z.Hosts)-hostsShown) + " more"
}

// Up is how many of the zone's servers are up.
func (z *Zone) Up() (n int) {
	for i := range z.Servers {
		if z.Servers[i].Up {
			n++
		}
	}
	return n
}

// table is a list with what its columns are called after.
type table[E any] struct {
	Report *Report
	What   string
	Of     int
	List   []E
}

// Shares are a table of what refusals have in common.
func (v *view) Shares(what string, list []Share) table[Share] {
	return table[Share]{v.Report, what, v.Looked, list}
}

// Certs are a table of certificates.
func (v *view) Certs(list []Certificate) table[Certificate] {
	return table[Certificate]{Report: v.Report, List: list}
}

// Judging are a table of rules, the first of many.
func (v *view) Judging(list []Rule) table[Rule] {
	return table[Rule]{Report: v.Report, Of: len(list), List: list[:min(len(list), rulesShown)]}
}

// Exceptions are a table of what is undone, the first of many.
func (v *view) Exceptions(list []Undone) table[Undone] {
	return table[Undone]{Report: v.Report, Of: len(list), List: list[:min(len(list), rulesShown)]}
}

// UndoneIn is what of exceptions is about a zone.
func (r *Report) UndoneIn(zone string) (in []Undone) {
	for i := range r.Undone {
		if u := &r.Undone[i]; u.Zone == "" || u.Zone == zone {
			in = append(in, *u)
		}
	}
	return in
}

// Ago is how long before the report a time was.
func (r *Report) Ago(t time.Time) string { return span(r.Time.Sub(t)) }

// Left is how long after the report a time is.
func (r *Report) Left(t time.Time) string {
	if !t.After(r.Time) {
		return "ended"
	}
	return "in " + span(t.Sub(r.Time))
}
