package response

import (
	_ "embed"
	"encoding/json"
	"errors"
	"html/template"
	"strings"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/flow"
)

// errGone tells that the client left before anything was sent.
var errGone = errors.New("client gone")

type pageFormat uint8

const (
	asText pageFormat = iota
	asHTML
	asJSON
	pageFormats
)

// page is one refusal's body, cut where the request's id goes.
type page struct {
	contentType   string
	before, after string
	proxyStatus   string
}

// maxBody is more than any refusal's body has, and no more than what an exchange copies.
const maxBody = flow.CopiedBody / 2

// pages are all refusals' bodies, made once.
type pages [flow.Reasons][pageFormats]page

// page returns the page for a refusal.
func (p *pages) page(r *flow.Refusal, as pageFormat) *page { return &p[r.Reason][as] }

//go:embed page.html
var pageHTML string

// idMark stands where the id goes while the pages are made; it survives every encoding.
const idMark = "@id@"

// explanation is what a page says.
type explanation struct {
	Error string `json:"error"`
	Title string `json:"title"`
	Text  string `json:"detail"`
	ID    string `json:"id"`
}

func newPages(node string) *pages {
	p := new(pages)
	t := template.Must(template.New("page").Parse(pageHTML))
	member := string(httpcache.CacheStatus{Cache: node}.Append(nil)) // Proxy-Status names proxies as Cache-Status does caches
	for reason := range p {
		w := wordings[reason]
		x := explanation{flow.Reason(reason).String(), w.title, w.text, idMark}
		var html strings.Builder
		err := t.Execute(&html, x)
		object, jsonErr := json.Marshal(x)
		if err := errors.Join(err, jsonErr); err != nil {
			panic(err) // the template and the wordings are ours
		}
		text := x.Title + "\n\n" + x.Text + "\n\nRequest id: " + x.ID + "\n"
		status := member + "; error=" + w.proxyError
		p[reason][asHTML] = newPage("text/html; charset=utf-8", html.String(), status)
		p[reason][asJSON] = newPage("application/json", string(object)+"\n", status)
		p[reason][asText] = newPage("text/plain; charset=utf-8", text, status)
	}
	return p
}

func newPage(contentType, body, proxyStatus string) page {
	before, after, _ := strings.Cut(body, idMark)
	return page{contentType: contentType, before: before, after: after, proxyStatus: proxyStatus}
}

// wording is what a visitor is told, and the error type of RFC 9209 that a machine is told.
type wording struct{ title, text, proxyError string }

const yourRequest = "Your browser or program sent a request that this server can't accept."

var wordings = [flow.Reasons]wording{
	flow.NoReason:    {"Something went wrong", "The request could not be answered.", "proxy_internal_error"},
	flow.Malformed:   {"Bad request", yourRequest + " It breaks the rules of HTTP.", "http_request_error"},
	flow.TooLarge:    {"Request too large", yourRequest + " Its address or its headers are too long. Clearing this site's cookies may help.", "http_request_error"},
	flow.Unsupported: {"Not supported", yourRequest + " It uses something that is not supported here.", "http_request_error"},
	flow.HeadTimeout: {"Request timed out", "The request did not arrive in time. Please try again.", "http_request_error"},
	flow.BodyBroken:  {"Bad request", yourRequest + " Its content broke off or breaks the rules of HTTP.", "http_request_error"},
	flow.Loop:        {"Loop detected", "This request has passed this server before. The site's operator has to mend its configuration.", "proxy_loop_detected"},
	flow.UnknownHost: {"No such site here", "This server does not serve the site you asked for. Please check the address.", "destination_not_found"},
	flow.Misdirected: {"Wrong connection", "This site has to be asked on a connection of its own. Please reload the page.", "destination_not_found"},
	flow.Denied:      {"Access denied", "The operator of this site does not accept requests from your network.", "http_request_denied"},
	flow.RuleBlocked: {"Access denied", "This site does not accept such a request. If you think it should, please tell its operator the id below.",
		"http_request_denied"},
	flow.RequestLimit: {"Too many requests", "Many requests came from your network in a short time. Please wait a moment and try again.",
		"http_request_denied"},
	flow.RuleLimit: {"Too many requests", "There were many requests like yours in a short time. Please wait a moment and try again.",
		"http_request_denied"},
	flow.OriginLimit: {"Too many requests", "Many requests came from your network in a short time. Please wait a moment and try again.",
		"http_request_denied"},
	flow.OnlyIfCached: {"Not in the cache", "Your program asked for a stored copy only, and there is none.", "http_request_denied"},
	flow.QueueFull: {"This site is very busy", "More people want this page than the site can serve at once. Please try again in a moment.",
		"connection_limit_reached"},
	flow.QueueTimeout: {"This site is very busy", "More people want this page than the site can serve at once. Please try again in a moment.",
		"connection_limit_reached"},
	flow.UpgradeCap:        {"This site is very busy", "The site has as many live connections as it can hold. Please try again later.", "connection_limit_reached"},
	flow.OriginUnreachable: {"The site can't be reached", "The server behind this site does not answer. Please try again in a few minutes.", "destination_unavailable"},
	flow.OriginDown:        {"The site is down", "None of the servers behind this site is well. Please try again in a few minutes.", "destination_unavailable"},
	flow.OriginTimeout:     {"The site takes too long", "The server behind this site did not answer in time. Please try again.", "http_response_timeout"},
	flow.OriginBroken:      {"The site's answer was broken", "The server behind this site sent something that could not be passed on.", "http_protocol_error"},
	flow.ClientGone:        {"Client gone", "The client left before its answer came.", "http_request_error"},
}
