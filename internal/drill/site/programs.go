package site

import (
	"bytes"
	"context"
	"crypto/hmac"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// What programs ask the site for: an API, an app's inbox, a payment provider's webhook, pingbacks, a live feed.

func serveTides(w http.ResponseWriter, r *http.Request) {
	station, err := strconv.Atoi(r.Form.Get("station"))
	switch {
	case bearer(r) == "":
		unauthorized(w)
	case err != nil || station < 0 || station >= Stations:
		send(w, http.StatusNotFound, typeJSON, []byte(`{"error":"no such station"}`+"\n"))
	default:
		send(w, http.StatusOK, typeJSON, []byte(TidesAt(station)))
	}
}

func serveInbox(w http.ResponseWriter, r *http.Request) {
	token := bearer(r)
	user, _, _ := strings.Cut(token, ".")
	if user == "" || !hmac.Equal([]byte(token), []byte(TokenOf(user))) {
		unauthorized(w)
		return
	}
	send(w, http.StatusOK, typeJSON, []byte(InboxOf(user)))
}

// bearer returns the token of a request (RFC 6750 §2.1).
func bearer(r *http.Request) string {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return ""
	}
	return token
}

func unauthorized(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", "Bearer")
	send(w, http.StatusUnauthorized, typeJSON, []byte(`{"error":"no token"}`+"\n"))
}

func serveHook(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	switch {
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		send(w, http.StatusMethodNotAllowed, typeJSON, []byte(`{"error":"post"}`+"\n"))
	case err != nil || !json.Valid(body):
		send(w, http.StatusBadRequest, typeJSON, []byte(`{"error":"no JSON"}`+"\n"))
	case !hmac.Equal([]byte(r.Header.Get(SignatureField)), []byte(SignHook(body))):
		send(w, http.StatusForbidden, typeJSON, []byte(`{"error":"wrong signature"}`+"\n"))
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func serveXMLRPC(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if r.Method != http.MethodPost || err != nil || !bytes.Contains(body, []byte("<methodName>pingback.ping</methodName>")) {
		send(w, http.StatusBadRequest, "text/xml", []byte("<?xml version=\"1.0\"?>\n<methodResponse><fault><value><int>-32601</int></value></fault></methodResponse>\n"))
		return
	}
	send(w, http.StatusOK, "text/xml", []byte("<?xml version=\"1.0\"?>\n<methodResponse><params><param><value>"+PingbackAccepted+
		"</value></param></params></methodResponse>\n"))
}

const (
	maxSockets    = 1024 // WebSockets at once
	maxMessage    = 4 << 10
	socketSilence = 2 * time.Minute // after which one is closed
)

// serveLive greets and echoes over a WebSocket (RFC 6455). Once open, it occupies no worker and is not in the site's
// concurrency any more.
func (s *Site) serveLive(w http.ResponseWriter, r *http.Request) {
	defer s.sockets.Add(-1)
	if s.sockets.Add(1) > maxSockets {
		s.counts.overload(time.Now())
		http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
		return
	}
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // pages of other hosts may listen in
	if err != nil {
		return // it has answered
	}
	defer func() { _ = c.CloseNow() }()
	c.SetReadLimit(maxMessage)
	for sort, message := websocket.MessageText, []byte(LiveGreeting); err == nil; {
		sort, message, err = s.exchange(c, sort, message)
	}
}

// exchange sends a message and waits for the next.
func (s *Site) exchange(c *websocket.Conn, sort websocket.MessageType, message []byte) (websocket.MessageType, []byte, error) {
	ctx, cancel := context.WithTimeout(s.ctx, socketSilence)
	defer cancel()
	if err := c.Write(ctx, sort, message); err != nil {
		return 0, nil, err
	}
	return c.Read(ctx)
}
