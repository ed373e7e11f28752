package play

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/coder/websocket"
)

const (
	forTenMinutes = "max-age=600"
	forNobody     = "no-store"
)

// routes are the site's pages.
func (s *site) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /page", says(forTenMinutes, "a page"))
	mux.HandleFunc("POST /page", says(forNobody, "changed"))
	mux.HandleFunc("POST /login", login)
	mux.HandleFunc("GET /live", says(forNobody, "live"))
	mux.HandleFunc("GET /name", says(forNobody, s.name))
	mux.HandleFunc("GET /old", says("max-age=0, stale-if-error=600", "old"))
	mux.HandleFunc("GET /confirmed", confirmed)
	mux.HandleFunc("GET /with/{path...}", with)
	mux.HandleFunc("/request", showRequest)
	mux.HandleFunc("/echo", echo)
	mux.HandleFunc("/duplex", echoPieces)
	mux.HandleFunc("GET /mebibytes/{n}", mebibytes)
	mux.HandleFunc("GET /album", album)
	mux.HandleFunc("GET /album/{picture}", picture)
	mux.HandleFunc("GET /reel", reel)
	mux.HandleFunc("GET /busy", busy)
	mux.HandleFunc("GET /held", s.held(forNobody))
	mux.HandleFunc("GET /held/page", s.held(forTenMinutes))
	mux.HandleFunc("GET /events", s.halves("text/event-stream", forNobody, "data: one\n\n", "data: two\n\n"))
	mux.HandleFunc("GET /halves", s.halves("text/plain", forTenMinutes, "one half\n", "the other half\n"))
	mux.HandleFunc("GET /hints", hints)
	mux.HandleFunc("/trailers", trailers)
	mux.HandleFunc("/garbage", raw("this is not HTTP\r\n\r\n"))
	mux.HandleFunc("/hangup", raw(""))
	mux.HandleFunc("/cut", raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it"))
	mux.HandleFunc("/websocket", echoSocket)
	return mux
}

func says(cacheControl, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", cacheControl)
		fmt.Fprintln(w, text)
	}
}

// login lets in who has the password.
func login(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", forNobody)
	if r.PostFormValue("password") != "right" {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintln(w, "wrong")
		return
	}
	fmt.Fprintln(w, "welcome")
}

// with answers with the fields in its query.
func with(w http.ResponseWriter, r *http.Request) {
	for name, values := range r.URL.Query() {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	fmt.Fprintln(w, r.URL.Path)
}

// confirmed is stale at once and always the same.
func confirmed(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=0")
	w.Header().Set("ETag", `"same"`)
	if r.Header.Get("If-None-Match") == `"same"` {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	fmt.Fprintln(w, "confirmed")
}

// showRequest answers with the request as it arrived.
func showRequest(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", forNobody)
	from, _, _ := net.SplitHostPort(r.RemoteAddr)
	fmt.Fprintf(w, "%s %s %s\nFrom: %s\nHost: %s\n", r.Method, r.RequestURI, r.Proto, from, r.Host)
	names := make([]string, 0, len(r.Header))
	for name := range r.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range r.Header[name] {
			fmt.Fprintf(w, "%s: %s\n", name, value)
		}
	}
}

// echo reads a body to its end, then sends it back; it tells how it was framed.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 128<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Cache-Control", forNobody)
	w.Header().Set("Request-Length", strconv.FormatInt(r.ContentLength, 10))
	w.Write(body)
}

// echoPieces sends each piece of a body back as it comes.
func echoPieces(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	if err := control.EnableFullDuplex(); err != nil {
		panic(err)
	}
	w.Header().Set("Cache-Control", forNobody)
	buffer := make([]byte, 32<<10)
	for {
		n, err := r.Body.Read(buffer)
		w.Write(buffer[:n])
		control.Flush()
		if err != nil {
			return
		}
	}
}

// mebibytes sends bytes that do not compress and are the same each time.
func mebibytes(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil || n > 256 {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", forNobody)
	w.Header().Set("Content-Length", strconv.Itoa(n<<20))
	io.CopyN(w, rand.NewChaCha8([32]byte{}), int64(n)<<20)
}

// pictures is how many an album has.
const pictures = 64

// album is a page of pictures, with a script that says hello to [echoSocket], and shows what comes back.
func album(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", forTenMinutes)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	io.WriteString(w, "<!doctype html><title>Album</title><link rel=icon href=data:,>\n")
	for i := range pictures {
		fmt.Fprintf(w, "<img src=/album/%d.svg>\n", i)
	}
	io.WriteString(w, `<script>
const socket = new WebSocket("wss://" + location.host + "/websocket")
socket.onopen = () => socket.send("hello")
socket.onmessage = (m) => document.body.append("echo: " + m.data)
</script>
`)
}

func picture(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", forTenMinutes)
	w.Header().Set("Content-Type", "image/svg+xml")
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="60" height="20"><text y="15">%s</text></svg>`, r.PathValue("picture"))
}

// reel is 2 MiB that may be kept.
func reel(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", forTenMinutes)
	w.Write(make([]byte, 2<<20))
}

// busy works for a while.
func busy(w http.ResponseWriter, r *http.Request) {
	work := time.NewTimer(5 * time.Millisecond)
	defer work.Stop()
	select {
	case <-work.C:
	case <-r.Context().Done():
	}
	says(forNobody, "done")(w, r)
}

// held answers when the story says so.
func (s *site) held(cacheControl string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.hold(r) {
			says(cacheControl, "held")(w, r)
		}
	}
}

// halves sends the second half of its answer when the story says so.
func (s *site) halves(contentType, cacheControl, first, second string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Cache-Control", cacheControl)
		io.WriteString(w, first)
		http.NewResponseController(w).Flush()
		if s.hold(r) {
			io.WriteString(w, second)
		}
	}
}

func hints(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Link", "</style.css>; rel=preload")
	w.WriteHeader(http.StatusEarlyHints)
	says(forNobody, "hinted")(w, r)
}

// trailers sends a digest of the body behind it, and the request's own trailer.
func trailers(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Cache-Control", forNobody)
	w.Header().Set("Trailer", "Digest, Request-Trailer")
	w.Write(body)
	http.NewResponseController(w).Flush()
	w.Header().Set("Digest", fmt.Sprintf("%x", sha256.Sum256(body)))
	w.Header().Set("Request-Trailer", r.Trailer.Get("Signature"))
}

// raw answers with these bytes and hangs up.
func raw(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		io.WriteString(c, text)
		c.Close()
	}
}

func echoSocket(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer c.CloseNow()
	for {
		kind, message, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if err := c.Write(r.Context(), kind, message); err != nil {
			return
		}
	}
}
