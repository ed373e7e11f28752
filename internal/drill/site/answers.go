package site

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// kindOf names what a request asks for.
func kindOf(path string, res *Resource) Kind {
	if res != nil {
		return res.Kind
	}
	switch path {
	case SearchPath:
		return Search
	case LoginPath:
		return Login
	case AccountPath:
		return Account
	case TidesPath:
		return API
	case InboxPath:
		return Inbox
	case HookPath:
		return Hook
	case LivePath:
		return Live
	case TicketsPath:
		return Tickets
	case OrderPath:
		return Order
	case ReportPath:
		return Report
	case XMLRPCPath:
		return XMLRPC
	case HealthPath:
		return Health
	}
	if strings.HasPrefix(path, "/harbour.git/") {
		return Git
	}
	return Other
}

// serveResource answers with a cacheable resource; net/http does conditional and range requests (RFC 9110 §13, §14).
func serveResource(w http.ResponseWriter, r *http.Request, res *Resource) {
	h := w.Header()
	h.Set("Content-Type", res.contentType)
	h.Set("Cache-Control", res.cacheControl)
	h.Set("ETag", res.ETag)
	modified := time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC)
	http.ServeContent(w, r, "", modified, bytes.NewReader(res.Body))
}

// serveDynamic answers what no cache may keep.
func (s *Site) serveDynamic(w http.ResponseWriter, r *http.Request, kind Kind) {
	w.Header().Set("Cache-Control", "private, no-store")
	switch kind {
	case Search:
		s.serveSearch(w, r.Form.Get("q"))
	case Login:
		s.serveLogin(w, r)
	case Account:
		s.serveAccount(w, r)
	case Tickets:
		s.serveTickets(w)
	case Order:
		s.serveOrder(w, r)
	case Report:
		serveReport(w, r.Form.Get("month"))
	case API:
		serveTides(w, r)
	case Inbox:
		serveInbox(w, r)
	case Hook:
		serveHook(w, r)
	case XMLRPC:
		serveXMLRPC(w, r)
	case Git:
		s.serveGit(w, r)
	case Live:
		s.serveLive(w, r)
	case Health:
		send(w, http.StatusOK, "text/plain; charset=utf-8", []byte(Healthy))
	default:
		sendPage(w, http.StatusNotFound, "Not found", "")
	}
}

func (s *Site) serveSearch(w http.ResponseWriter, q string) {
	var b strings.Builder
	b.WriteString(ResultsFor(q))
	for _, a := range s.content.Articles {
		if t := titleOf(a); containsAny(t, strings.Fields(q)) {
			fmt.Fprintf(&b, "<p><a href=\"%s\">%s</a></p>\n", a.Path, t)
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	sendPage(w, http.StatusOK, "Search", b.String())
}

func containsAny(s string, words []string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

func serveReport(w http.ResponseWriter, month string) {
	w.Header().Set("Cache-Control", "no-store")
	body, ok := ReportFor(month)
	if !ok {
		sendPage(w, http.StatusNotFound, "No such month", "")
		return
	}
	sendPage(w, http.StatusOK, "Report", body)
}

func send(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone: nothing to be done
}

func sendPage(w http.ResponseWriter, status int, title, body string) {
	send(w, status, typeHTML, page(title, "", body))
}
