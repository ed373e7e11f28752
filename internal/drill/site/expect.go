package site

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"html"
	"strings"
	"time"
)

// Where programs answer.
const (
	SearchPath  = "/search"
	LoginPath   = "/login"
	AccountPath = "/account"
	TidesPath   = "/api/v1/tides"
	InboxPath   = "/app/v1/inbox"
	HookPath    = "/hooks/payments"
	LivePath    = "/live"
	TicketsPath = "/tickets"
	OrderPath   = "/tickets/buy"
	ReportPath  = "/report"
	XMLRPCPath  = "/xmlrpc.php"
	HealthPath  = "/health"
	SitemapPath = "/sitemap.xml"
)

const (
	// Title is the newspaper's name. Every page has it, those that refuse, too.
	Title = "The Harbour Post"
	// Stations is how many there are in the API: 0 to Stations-1.
	Stations = 64
	// LiveGreeting is the first message of /live; after it, each message comes back as it is.
	LiveGreeting = "harbour live: the tide turns"
	// Healthy is the body of /health.
	Healthy = "ok\n"
	// SignatureField is the field that a webhook's signature is in: SignHook of its body.
	SignatureField = "X-Signature-256"
	// VisitCookie is set by GET /tickets and GET /login. An order needs it.
	VisitCookie = "visit"
	// SessionCookie is set by a login.
	SessionCookie = "session"
)

// What follows is what answers contain; visitors look for it.

// ResultsFor is the line of a result page that says what was asked for.
func ResultsFor(q string) string { return "<h2>Results for: " + html.EscapeString(q) + "</h2>\n" }

// Greeting is the line of the account page that only its owner may see.
func Greeting(user string) string { return "<p>Signed in as " + html.EscapeString(user) + "</p>\n" }

// PasswordOf is the password of a user's account. Every name has an account.
func PasswordOf(user string) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(user))) }

// TidesAt is the API's answer for a station, to whoever sends a bearer token.
func TidesAt(station int) string {
	return fmt.Sprintf("{\"station\":%d,\"high_cm\":%d,\"low_cm\":%d}\n", station, 180+station, 20+station)
}

// TokenOf is the bearer token that a user's app sends (RFC 6750).
func TokenOf(user string) string { return user + "." + seal("app", []byte(user)) }

// InboxOf is the app's inbox for whoever sends the user's token; without one, 401 is right.
func InboxOf(user string) string {
	return fmt.Sprintf("{\"user\":%q,\"unread\":%d}\n", user, crc32.ChecksumIEEE([]byte(user))%7)
}

// SignHook is the signature that a webhook's body must come with.
func SignHook(body []byte) string { return "sha256=" + seal("payments", body) }

// OrderFor is the line that confirms an order of tickets for a show. Shows do not sell out.
func OrderFor(show string) string { return "<p>Reserved: " + html.EscapeString(show) + "</p>\n" }

// Pingback is the body of a call to /xmlrpc.php that says source links to target (Pingback 1.0).
func Pingback(source, target string) []byte {
	return fmt.Appendf(nil, "<?xml version=\"1.0\"?>\n<methodCall><methodName>pingback.ping</methodName><params>"+
		"<param><value><string>%s</string></value></param><param><value><string>%s</string></value></param>"+
		"</params></methodCall>\n", html.EscapeString(source), html.EscapeString(target))
}

// PingbackAccepted is in the answer to a pingback. The site looks nothing up.
const PingbackAccepted = "<string>pingback registered</string>"

// ReportFor is the body of the report page of a month (2006-01), and false if that is no month.
func ReportFor(month string) (string, bool) {
	first, err := time.Parse("2006-01", month)
	if err != nil {
		return "", false
	}
	var b strings.Builder
	fmt.Fprintf(&b, "<h2>Tides of %s</h2>\n<table>\n", month)
	for day := first; day.Month() == first.Month(); day = day.AddDate(0, 0, 1) {
		level := 180 + crc32.ChecksumIEEE([]byte(day.Format(time.DateOnly)))%40
		fmt.Fprintf(&b, "<tr><td>%s</td><td>%d cm</td></tr>\n", day.Format(time.DateOnly), level)
	}
	b.WriteString("</table>\n")
	return b.String(), true
}

// seal authenticates data for a purpose. The key is public: these are the drill's own programs.
func seal(purpose string, data []byte) string {
	m := hmac.New(sha256.New, []byte("harbour.test "+purpose))
	m.Write(data)
	return hex.EncodeToString(m.Sum(nil)[:12])
}
