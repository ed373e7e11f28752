package edge

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestDirectivesPass: RFC 9111 §5.2: cache directives go through to the origin and to clients, whatever they mean to us, and once stored,
// still do; CDN-Cache-Control goes on as well (RFC 9213 §3.1). RFC 9111 §5.5: a stale response has no Warning.
func TestDirectivesPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, testNode(), site("site", "site.test"))
		const asked, said = `no-cache, max-age=0, x="a, b"`, `max-age=60, x="a, b", community=UCI`
		s := h.serve(firstOrigin, func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header["Cache-Control"]; !slices.Equal(got, []string{asked}) {
				t.Errorf("the origin got %q, want %q", got, asked)
			}
			w.Header().Set("Cache-Control", said)
			w.Header().Set("CDN-Cache-Control", "max-age=70")
			w.Header().Set("Seawall-Cache-Control", "max-age=80")
			io.WriteString(w, "page")
		})
		for _, when := range []string{"miss", "hit", "stale"} {
			if when == "stale" {
				h.must(s.Close())
				time.Sleep(10 * time.Minute)
			}
			a := h.get(visitor, "site.test", "/", "Cache-Control: "+asked)
			h.want(when, a, 200, "page")
			if e := h.entry(a); e.Cache != when {
				t.Errorf("got cache %s in the record, want %s", e.Cache, when)
			}
			if got := a.header["Cache-Control"]; !slices.Equal(got, []string{said}) {
				t.Errorf("%s: got %q, want %q", when, got, said)
			}
			if a.header.Get("Cdn-Cache-Control") != "max-age=70" || a.header.Get("Seawall-Cache-Control") != "" || a.header.Get("Warning") != "" {
				t.Errorf("%s: got %v", when, a.header)
			}
		}
	})
}

// TestConfirmedForAnother: RFC 9111 §4.3.2: who asks by a tag that is not the stored one's gets the stored response whole when the origin has
// confirmed it, and who asks by that one gets 304.
func TestConfirmedForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, testNode(), site("site", "site.test"))
		confirmed := 0
		h.serve(firstOrigin, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "max-age=10")
			w.Header().Set("ETag", `"one"`)
			if r.Header.Get("If-None-Match") == `"one"` {
				confirmed++
				w.WriteHeader(http.StatusNotModified)
				return
			}
			io.WriteString(w, "page")
		})
		h.want("first", h.get(visitor, "site.test", "/"), 200, "page")
		time.Sleep(20 * time.Second)
		h.want("another tag", h.get(visitor, "site.test", "/", `If-None-Match: "two"`), 200, "page")
		time.Sleep(20 * time.Second)
		h.want("the same tag", h.get(visitor, "site.test", "/", `If-None-Match: "two", "one"`), 304, "")
		if confirmed != 2 {
			t.Errorf("got %d confirmed, want 2", confirmed)
		}
	})
}

// TestPartsAndHead: a part of a range serves what it holds, parts become the whole, and HEAD keeps that fresh (RFC 9111 §3.3, §3.4, §4.3.5),
// all along the path.
func TestPartsAndHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, testNode(), site("site", "site.test"))
		var asked []string
		made := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
		h.serve(firstOrigin, func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.Method+" "+r.Header.Get("Range"))
			w.Header().Set("Cache-Control", "max-age=60")
			w.Header().Set("ETag", `"one"`)
			http.ServeContent(w, r, "a.txt", made, strings.NewReader("0123456789"))
		})
		ask := func(what, method, ranges string, status int, body string) {
			t.Helper()
			var fields []string
			if ranges != "" {
				fields = append(fields, "Range: bytes="+ranges)
			}
			h.want(what, h.ask(visitor, method, "site.test", "/", fields...), status, body)
		}
		ask("a part", "GET", "2-5", 206, "2345")
		ask("within it", "GET", "3-4", 206, "34")
		ask("the beginning", "GET", "0-1", 206, "01")
		ask("both", "GET", "1-2", 206, "12")
		ask("the rest", "GET", "6-", 206, "6789")
		ask("the whole", "GET", "", 200, "0123456789")
		time.Sleep(2 * time.Minute)
		ask("HEAD", "HEAD", "", 200, "")
		ask("the whole again", "GET", "", 200, "0123456789")
		if want := []string{"GET bytes=2-5", "GET bytes=0-1", "GET bytes=6-", "HEAD "}; !slices.Equal(asked, want) {
			t.Errorf("the origin was asked for %q, want %q", asked, want)
		}
	})
}
