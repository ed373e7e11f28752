package node

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/node/metrics"
)

// admin is the listener for the operator. It shares nothing with the visitors' path, so that an attack on that does not lock the
// operator out.
type admin struct {
	listener net.Listener
	server   *http.Server
	file     string
}

func (n *Node) startAdmin(ctx context.Context) error {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", n.spec.Admin)
	if err != nil {
		return explainListen("admin", n.spec.Admin, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("GET /metrics", n.authorized(metrics.Handler(n.conns, n.rooms.Record, n.rooms.Cache, n.snapshot)))
	mux.Handle("GET /explain/{id}", n.authorized(http.HandlerFunc(n.serveExplain)))
	n.admin = &admin{
		listener: l,
		server: &http.Server{
			Handler:           mux,
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       10 * time.Second,
			WriteTimeout:      30 * time.Second,
			IdleTimeout:       time.Minute,
			MaxHeaderBytes:    16 << 10,
		},
		file: filepath.Join(n.spec.Data, adminFile),
	}
	if err := os.WriteFile(n.admin.file, []byte(l.Addr().String()+"\n"), 0o600); err != nil {
		n.warn("commands on this machine have to be told --admin", err)
	}
	go func() { _ = n.admin.server.Serve(l) }() // until close
	return nil
}

func (a *admin) close() error {
	os.Remove(a.file)
	return a.server.Close()
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

func (n *Node) serveExplain(w http.ResponseWriter, r *http.Request) {
	x, err := n.explain(r.PathValue("id"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(x)
}
