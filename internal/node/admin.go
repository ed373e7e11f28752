package node

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seawall/seawall/internal/node/metrics"
	"github.com/seawall/seawall/internal/node/status"
	"github.com/seawall/seawall/internal/record"
)

// admin is the listener for the operator. It shares nothing with the visitors' path, so that an attack on that does not lock the
// operator out.
type admin struct {
	listener net.Listener
	server   *http.Server
	file     string

	started time.Time
	history *status.History
	leaves  leaves
	end     context.CancelFunc // of the sampling
	retired atomic.Bool        // another process has the listener
}

// operations are what the operator may have done over the admin listener; what is nil is not offered.
type operations struct {
	// Reload reads the configuration anew.
	Reload func() Reload
	// Config is the configuration in force in YAML, without secrets.
	Config func() ([]byte, error)
	// Upgrade hands the node over to a new process of a program, "" for the same.
	Upgrade func(program string) (pid int, err error)
}

func (n *Node) startAdmin(ctx context.Context) error {
	l, err := n.listenAdmin(ctx, &n.spec)
	if err != nil {
		return explainListen("admin", n.spec.Admin, err)
	}
	n.admin = &admin{
		listener: l,
		server: &http.Server{
			Handler:           n.routes(),
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       10 * time.Second,
			WriteTimeout:      30 * time.Second,
			IdleTimeout:       time.Minute,
			MaxHeaderBytes:    16 << 10,
		},
		file:    filepath.Join(n.spec.Data, adminFile),
		started: time.Now(),
		history: status.NewHistory(),
	}
	if err := os.WriteFile(n.admin.file, []byte(l.Addr().String()+"\n"), 0o600); err != nil {
		n.warn("commands on this machine have to be told --admin", err)
	}
	n.sample(n.admin.started)
	ctx, n.admin.end = context.WithCancel(context.WithoutCancel(ctx))
	go n.sampling(ctx)
	go func() { _ = n.admin.server.Serve(l) }() // until close
	return nil
}

func (a *admin) close() error {
	a.end()
	if !a.retired.Load() {
		os.Remove(a.file)
	}
	return a.server.Close()
}

// retire lets what is asked be answered, and leaves the rest to another process.
func (a *admin) retire() {
	a.retired.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), upgradeTime)
	defer cancel()
	_ = a.server.Shutdown(ctx)
}

// routes are all that the listener answers. Health checks need no token, and tell nothing but the state.
func (n *Node) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", n.serveReady)

	private := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, n.authorized(h)) }
	private("GET /{$}", n.servePage)
	private("GET /zones/{name}", n.serveZonePage)
	private("GET /explain/{id}", n.serveExplain)
	private("GET /metrics", metrics.Handler(n.sources()).ServeHTTP)
	private("GET /api/status", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, n.report("")) })
	private("GET /api/zones/{name}", n.serveZone)
	private("GET /api/refusals", n.serveRefusals)

	// A browser sends the token that it was given with every request, also with one that another site makes it send.
	protection := http.NewCrossOriginProtection()
	private("GET /api/undo", n.serveExceptions)
	private("POST /api/undo", protection.Handler(http.HandlerFunc(n.serveUndo)).ServeHTTP)
	private("DELETE /api/undo", protection.Handler(http.HandlerFunc(n.serveCancel)).ServeHTTP)
	private("GET /api/rules", n.serveRules)
	private("GET /api/packets", n.servePackets)
	private("POST /api/purge", protection.Handler(http.HandlerFunc(n.servePurge)).ServeHTTP)
	private("GET /api/cache/why", n.serveWhy)
	private("GET /api/cache/top", n.serveMisses)
	may := n.operations()
	if may.Reload != nil {
		private("POST /api/reload", protection.Handler(serveReload(may.Reload)).ServeHTTP)
	}
	if may.Upgrade != nil {
		private("POST /api/upgrade", protection.Handler(serveUpgrade(may.Upgrade)).ServeHTTP)
	}
	if may.Config != nil {
		private("GET /api/config", serveConfig(may.Config))
	}
	return guarded(mux)
}

// guarded keeps what is answered out of caches, frames and guesses of its type.
func guarded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Cache-Control", "no-store")
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("X-Content-Type-Options", "nosniff")
		h.ServeHTTP(w, r)
	})
}

// authorized lets in who shows the token from the data folder, as a bearer token (RFC 6750) or as the password of a browser's dialogue.
func (n *Node) authorized(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			_, token, _ = r.BasicAuth()
		}
		if subtle.ConstantTimeCompare([]byte(token), []byte(n.keys.token)) != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="seawall: any name, and the token in `+tokenFile+`"`)
			http.Error(w, "the token in the data folder's "+tokenFile+" is needed, as Authorization: Bearer", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// serveReady tells load balancers whether to send visitors here.
func (n *Node) serveReady(w http.ResponseWriter, _ *http.Request) {
	if s := n.state(); s != status.Serving {
		http.Error(w, string(s), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

func (n *Node) servePage(w http.ResponseWriter, r *http.Request) {
	status.Page(w, n.report(""), r.URL.Query())
}

func (n *Node) serveZonePage(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	report := n.report(name)
	z := report.Zone(name)
	if z == nil {
		noZone(w)
		return
	}
	if name != status.Unserved {
		z.Rules = n.reportRules(name)
	}
	status.ZonePage(w, report, z, r.URL.Query())
}

func noZone(w http.ResponseWriter) {
	http.Error(w, "no zone of that name is in force", http.StatusNotFound)
}

func (n *Node) serveZone(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	z := n.report(name).Zone(name)
	if z == nil {
		noZone(w)
		return
	}
	answer(w, http.StatusOK, z)
}

// serveRefusals lists the newest refusals, as they are in the access log.
func (n *Node) serveRefusals(w http.ResponseWriter, r *http.Request) {
	query, most := r.URL.Query(), 100
	if text := query.Get("n"); text != "" {
		var err error
		if most, err = strconv.Atoi(text); err != nil || most < 1 || most > record.MostRefusals {
			http.Error(w, fmt.Sprintf("n is %q: want a number from 1 to %d", text, record.MostRefusals), http.StatusBadRequest)
			return
		}
	}
	list := n.rooms.Record.Refusals(query.Get("zone"), most)
	if list == nil {
		list = []record.Entry{}
	}
	answer(w, http.StatusOK, list)
}

// serveExplain tells a request's story: as a page to a browser, else in JSON.
func (n *Node) serveExplain(w http.ResponseWriter, r *http.Request) {
	if a, err := netip.ParseAddr(r.PathValue("id")); err == nil {
		n.serveStanding(w, r, a)
		return
	}
	x, err := n.explain(r.PathValue("id"))
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusNotFound)
	case browser(r):
		status.StoryPage(w, n.spec.Name, x.ID, chunks(x.Write))
	default:
		answer(w, http.StatusOK, x)
	}
}

// chunks are the lines of a story.
func chunks(write func(io.Writer) error) (chunks []status.Chunk) {
	var story strings.Builder
	_ = write(&story) // a Builder takes everything
	for line := range strings.Lines(story.String()) {
		label, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		chunks = append(chunks, status.Chunk{Label: label, Text: strings.TrimSpace(text)})
	}
	return chunks
}

// serveReload has the configuration read and says how that went; a browser is shown the node's page, which says it too.
func serveReload(reload func() Reload) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		done := reload()
		switch {
		case browser(r):
			http.Redirect(w, r, "/", http.StatusSeeOther)
		case done.Error != "":
			answer(w, http.StatusUnprocessableEntity, done)
		default:
			answer(w, http.StatusOK, done)
		}
	})
}

// Upgraded is the answer to an upgrade.
type Upgraded struct {
	PID int `json:"pid"`
}

// serveUpgrade hands the node over. It may take longer than the server otherwise allows.
func serveUpgrade(upgrade func(program string) (pid int, err error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(2 * upgradeTime)) // as it is, if that fails
		pid, err := upgrade(r.FormValue("program"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		answer(w, http.StatusOK, Upgraded{pid})
	})
}

func serveConfig(config func() ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		text, err := config()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/yaml") // RFC 9512
		_, _ = w.Write(text)
	}
}

// browser tells whether who asks would rather have a page.
func browser(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // who went away does not mind
}
