package drill

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// pathKind names what a request asks for, for the site's counts.
func pathKind(r *http.Request, res *resource) string {
	if res != nil {
		return res.kind
	}
	switch r.URL.Path {
	case "/search", "/login", "/account":
		return r.URL.Path[1:]
	case "/api/v1/tides":
		return "api"
	}
	return "other"
}

// serveResource answers with a cacheable resource; net/http does conditional and range requests (RFC 9110 §13, §14).
func serveResource(w http.ResponseWriter, r *http.Request, res *resource) {
	h := w.Header()
	h.Set("Content-Type", res.contentType)
	h.Set("Cache-Control", res.cacheControl)
	h.Set("ETag", res.etag)
	modified := time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC)
	http.ServeContent(w, r, "", modified, bytes.NewReader(res.body))
}

// serveDynamic answers what no cache may keep.
func (s *Site) serveDynamic(w http.ResponseWriter, r *http.Request, kind string) {
	w.Header().Set("Cache-Control", "private, no-store")
	switch kind {
	case "search":
		s.serveSearch(w, r.Form.Get("q"))
	case "login":
		s.serveLogin(w, r)
	case "account":
		s.serveAccount(w, r)
	case "api":
		s.serveTides(w, r)
	default:
		send(w, http.StatusNotFound, "text/html; charset=utf-8", page("Not found", "", ""))
	}
}

func (s *Site) serveSearch(w http.ResponseWriter, q string) {
	var b strings.Builder
	b.WriteString(resultsFor(q))
	for _, a := range s.content.articles {
		if t := titleOf(a); containsAny(t, strings.Fields(q)) {
			fmt.Fprintf(&b, "<p><a href=\"%s\">%s</a></p>\n", a.path, t)
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	send(w, http.StatusOK, "text/html; charset=utf-8", page("Search", "", b.String()))
}

// resultsFor is the line of a result page that says what was asked for; visitors look for it.
func resultsFor(q string) string { return "<h2>Results for: " + html.EscapeString(q) + "</h2>\n" }

func containsAny(s string, words []string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

func (s *Site) serveLogin(w http.ResponseWriter, r *http.Request) {
	user := r.PostForm.Get("user")
	if r.Method != http.MethodPost || user == "" || r.PostForm.Get("password") != passwordOf(user) {
		send(w, http.StatusUnauthorized, "text/html; charset=utf-8", page("Wrong name or password", "", ""))
		return
	}
	http.SetCookie(w, &http.Cookie{Name: "session", Value: user + "." + s.sign(user), Path: "/", HttpOnly: true})
	w.Header().Set("Location", "/account")
	send(w, http.StatusSeeOther, "text/plain", nil)
}

func (s *Site) serveAccount(w http.ResponseWriter, r *http.Request) {
	c, err := r.Cookie("session")
	if err == nil {
		if user, sig, ok := strings.Cut(c.Value, "."); ok && hmac.Equal([]byte(sig), []byte(s.sign(user))) {
			send(w, http.StatusOK, "text/html; charset=utf-8", page("Account", "", greeting(user)))
			return
		}
	}
	send(w, http.StatusForbidden, "text/html; charset=utf-8", page("Log in first", "", ""))
}

// greeting is the line of the account page that only its owner may see.
func greeting(user string) string { return "<p>Signed in as " + html.EscapeString(user) + "</p>\n" }

func (s *Site) serveTides(w http.ResponseWriter, r *http.Request) {
	station, err := strconv.Atoi(r.Form.Get("station"))
	switch {
	case !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer "):
		w.Header().Set("WWW-Authenticate", "Bearer")
		send(w, http.StatusUnauthorized, "application/json", []byte(`{"error":"no token"}`+"\n"))
	case err != nil || station < 0 || station >= stations:
		send(w, http.StatusNotFound, "application/json", []byte(`{"error":"no such station"}`+"\n"))
	default:
		send(w, http.StatusOK, "application/json", []byte(tidesAt(station)))
	}
}

// tidesAt is the API's answer for a station.
func tidesAt(station int) string {
	return fmt.Sprintf("{\"station\":%d,\"high_cm\":%d,\"low_cm\":%d}\n", station, 180+station, 20+station)
}

func send(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone: nothing to be done
}

func sessionKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails (crypto/rand)
	return key
}

func (s *Site) sign(user string) string {
	m := hmac.New(sha256.New, s.key)
	m.Write([]byte(user))
	return hex.EncodeToString(m.Sum(nil)[:12])
}
