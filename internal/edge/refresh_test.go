package edge

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/spec"
)

// TestRefreshBehindTheAnswer: within stale-while-revalidate no visitor waits, the origin is asked once, and what comes is for the next visitors. The
// origin's time is nobody's, but its budget is used, and it is counted.
func TestRefreshBehindTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := site("site", "site.test")
		z.Budget = spec.Budget{Concurrent: 1, Queue: 1, QueueTimeout: time.Second}
		h := build(t, testNode(), z)
		asked := 0
		h.serve(firstOrigin, func(w http.ResponseWriter, r *http.Request) {
			asked++
			if asked > 1 {
				time.Sleep(5 * time.Second)
			}
			w.Header().Set("Cache-Control", "max-age=10, stale-while-revalidate=60")
			fmt.Fprintf(w, "page %d%s", asked, strings.Repeat(".", 100_000))
		})
		page := func(wantBody, wantStatus string) {
			t.Helper()
			began := time.Now()
			a := h.get("10.0.0.1", "site.test", "/a")
			if !strings.HasPrefix(a.body, wantBody) || !strings.Contains(a.header.Get("Cache-Status"), wantStatus) {
				t.Errorf("got %.10q, %s, want %s, %s", a.body, a.header.Get("Cache-Status"), wantBody, wantStatus)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("a visitor waited for %v", took)
			}
		}
		page("page 1", "fwd=miss")
		time.Sleep(15 * time.Second)
		for range 5 {
			page("page 1", "; hit; ttl=-")
		}
		time.Sleep(6 * time.Second)
		page("page 2", "; hit; ttl=")
		if asked != 2 {
			t.Errorf("the origin was asked %d times, want 2", asked)
		}
		if got := h.policy("site").Record.Counts(); got.OriginAttempts != 2 || got.Requests != 7 {
			t.Errorf("got %d attempts for %d requests, want 2 for 7", got.OriginAttempts, got.Requests)
		}
		time.Sleep(time.Minute)
		h.wantIdle("site")
	})
}

// TestRefreshFails: a refresh that fails leaves what is there, and is tried again after a while.
func TestRefreshFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, testNode(), site("site", "site.test"))
		asked := 0
		h.serve(firstOrigin, func(w http.ResponseWriter, r *http.Request) {
			if asked++; asked == 2 || asked == 3 { // also when it is asked again on another connection
				panic(http.ErrAbortHandler)
			}
			w.Header().Set("Cache-Control", "max-age=10, stale-while-revalidate=600")
			io.WriteString(w, fmt.Sprint("page ", asked))
		})
		for _, want := range []string{"page 1", "page 1", "page 1", "page 4"} {
			if a := h.get("10.0.0.1", "site.test", "/a"); a.body != want {
				t.Errorf("after %d requests to the origin: got %s, want %s", asked, a.body, want)
			}
			time.Sleep(11 * time.Second)
		}
	})
}
