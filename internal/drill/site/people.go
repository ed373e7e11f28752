package site

import (
	"crypto/hmac"
	"fmt"
	"html"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// What people do with the site beyond reading it: they log in, and buy tickets.

func (s *Site) serveLogin(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		s.greet(w)
		sendPage(w, http.StatusOK, "Log in",
			"<form method=\"post\"><input name=\"user\"><input name=\"password\" type=\"password\"></form>\n")
		return
	}
	user := r.PostForm.Get("user")
	if user == "" || r.PostForm.Get("password") != PasswordOf(user) {
		sendPage(w, http.StatusUnauthorized, "Wrong name or password", "")
		return
	}
	s.setCookie(w, SessionCookie, user)
	w.Header().Set("Location", AccountPath)
	send(w, http.StatusSeeOther, typeHTML, nil)
}

func (s *Site) serveAccount(w http.ResponseWriter, r *http.Request) {
	user, ok := s.cookie(r, SessionCookie)
	if !ok {
		sendPage(w, http.StatusForbidden, "Log in first", "")
		return
	}
	sendPage(w, http.StatusOK, "Account", Greeting(user))
}

func (s *Site) serveTickets(w http.ResponseWriter) {
	s.greet(w)
	var b strings.Builder
	fmt.Fprintf(&b, "<form method=\"post\" action=\"%s\"><select name=\"show\">\n", OrderPath)
	for _, show := range s.content.Shows {
		fmt.Fprintf(&b, "<option>%s</option>\n", html.EscapeString(show))
	}
	b.WriteString("</select><button>Buy</button></form>\n")
	sendPage(w, http.StatusOK, "Tickets", b.String())
}

func (s *Site) serveOrder(w http.ResponseWriter, r *http.Request) {
	show := r.PostForm.Get("show")
	_, known := s.cookie(r, VisitCookie)
	switch {
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		sendPage(w, http.StatusMethodNotAllowed, "Choose a show first", "")
	case !known:
		sendPage(w, http.StatusForbidden, "Choose a show first", "")
	case !slices.Contains(s.content.Shows, show):
		sendPage(w, http.StatusNotFound, "No such show", "")
	default:
		sendPage(w, http.StatusOK, "Thank you", OrderFor(show))
	}
}

// greet gives whoever comes a cookie to be known again by.
func (s *Site) greet(w http.ResponseWriter) {
	s.setCookie(w, VisitCookie, strconv.FormatUint(s.visits.Add(1), 36))
}

func (s *Site) setCookie(w http.ResponseWriter, name, value string) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // not Secure: a drill may be played without TLS
		Name: name, Value: value + "." + s.sign(name+"="+value), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// cookie returns what a cookie of ours says, and false if there is none or it is forged.
func (s *Site) cookie(r *http.Request, name string) (string, bool) {
	c, err := r.Cookie(name)
	if err != nil {
		return "", false
	}
	value, sig, _ := strings.Cut(c.Value, ".")
	return value, hmac.Equal([]byte(sig), []byte(s.sign(name+"="+value)))
}
