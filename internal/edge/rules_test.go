package edge

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// ruledZone has a rule of each phase.
func ruledZone() spec.Zone {
	z := site("ruled", "ruled.test")
	z.Limits.Requests = spec.Rate{Requests: 1, Per: time.Hour}
	at := func(path string) string { return fmt.Sprintf("http.request.uri.path eq %q", path) }
	header := func(name, operation, value string) spec.RuleRewrite {
		return spec.RuleRewrite{Headers: []spec.RuleHeader{{Name: name, Operation: operation, Value: value}}}
	}
	z.Rules = spec.Rules{
		DynamicRedirect: []spec.Rule{{Name: "moved", Expression: at("/moved"), Action: spec.RuleRedirects, Redirect: spec.RuleRedirect{URL: "/here", StatusCode: 301}}},
		Transform:       []spec.Rule{{Name: "alias", Expression: at("/alias"), Action: spec.RuleRewrites, Rewrite: spec.RuleRewrite{Path: "/kept", Query: "v=1"}}},
		Origin:          []spec.Rule{{Name: "app", Expression: `http.request.headers["x-app"][0] eq "1"`, Action: spec.RuleRoutes, Route: spec.RuleRoute{HostHeader: "app.internal"}}},
		Firewall: []spec.Rule{
			{Name: "free", Expression: `http.request.uri.path ne "/limited"`, Action: spec.RuleSkipping, Skip: spec.RuleSkip{Phases: []string{"limits"}}},
			{Name: "teapot", Expression: at("/teapot"), Action: spec.RuleBlock, Response: spec.RuleResponse{StatusCode: 418, Content: "short and stout"}},
		},
		LateTransform: []spec.Rule{{Name: "tell", Expression: `ssl or not ssl`, Action: spec.RuleRewrites, Rewrite: header("X-Told", "set", "yes")}},
		CacheSettings: []spec.Rule{
			{Name: "keep", Expression: `http.request.uri.path in {"/kept" "/routed"}`, Action: spec.RuleSetCache, Cache: spec.RuleCache{EdgeTTL: time.Hour}},
			{Name: "fresh", Expression: at("/fresh"), Action: spec.RuleSetCache, Cache: spec.RuleCache{Bypass: true}},
		},
		ResponseHeaders: []spec.Rule{{Name: "hide", Expression: "http.response.code eq 200", Action: spec.RuleRewrites, Rewrite: header("X-Powered-By", "remove", "")}},
	}
	return z
}

// TestBodyRules: a body is judged before the origin gets any of it, and what passes arrives whole.
func TestBodyRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := site("bodies", "bodies.test")
		z.Budget = spec.Budget{Concurrent: 1}
		z.Rules.Firewall = []spec.Rule{
			{Name: "trusted", Expression: `http.request.uri.path eq "/hook"`, Action: spec.RuleSkipping, Skip: spec.RuleSkip{Rest: true}},
			{Name: "spam", Expression: `http.request.body.form["text"][0] contains "casino"`, Action: spec.RuleBlock},
			{Name: "huge", Expression: `http.request.body.truncated and http.request.uri.path eq "/small"`, Action: spec.RuleBlock},
		}
		h := build(t, testNode(), z)
		h.serve(firstOrigin, func(w http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%d %x %v", len(b), sha256.Sum256(b), err)
		})
		post := func(target, body string, fields ...string) answer {
			c := h.dial(visitor)
			defer c.conn.Close()
			c.send(head("POST", "bodies.test", target, append(fields, fmt.Sprintf("Content-Length: %d", len(body)), "Content-Type: application/x-www-form-urlencoded")...) + body)
			return c.read("POST")
		}
		got := func(body string) string { return fmt.Sprintf("%d %x <nil>", len(body), sha256.Sum256([]byte(body))) }
		ham, spam, large := "name=a&text=hello", "name=a&text=my+casino", strings.Repeat("x", 300<<10)
		h.want("ham", post("/", ham), 200, got(ham))
		h.wantRefusal("spam", post("/", spam), 403, "bodies", flow.RuleBlocked, "http_request_firewall_custom/spam")
		h.want("spared", post("/hook", spam), 200, got(spam))
		h.want("much", post("/", large), 200, got(large))
		h.wantRefusal("too much", post("/small", large), 403, "bodies", flow.RuleBlocked, "http_request_firewall_custom/huge")
		h.want("nothing", post("/small", ""), 200, got(""))
		c := h.dial(visitor)
		c.send(head("POST", "bodies.test", "/chunks", "Transfer-Encoding: chunked", "Content-Type: application/x-www-form-urlencoded") +
			"9\r\nname=a&te\r\n8\r\nxt=hello\r\n0\r\n\r\n")
		h.want("chunks", c.read("POST"), 200, got(ham))
		c.conn.Close()
		h.wantIdle("bodies")
	})
}

// TestRules: what rules say is what the origin, the cache and the visitor see.
func TestRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, testNode(), ruledZone())
		asked := 0
		h.serve(firstOrigin, func(w http.ResponseWriter, r *http.Request) {
			asked++
			w.Header().Set("X-Powered-By", "secrets")
			w.Header().Set("Cache-Control", map[bool]string{true: "max-age=60", false: "no-store"}[r.URL.Path == "/fresh"])
			fmt.Fprintf(w, "%d %s%s %s", asked, r.Host, r.URL, r.Header.Get("X-Told"))
		})
		get := func(target string, fields ...string) answer { return h.get(visitor, "ruled.test", target, fields...) }

		if a := get("/moved?x"); a.status != 301 || a.header.Get("Location") != "/here" {
			t.Errorf("a redirect: got %d to %q", a.status, a.header.Get("Location"))
		}
		h.want("a rewritten target", get("/alias?x=2"), 200, "1 ruled.test/kept?v=1 yes")
		h.want("from the cache", get("/alias"), 200, "1 ruled.test/kept?v=1 yes")
		h.want("the same by its own name", get("/kept?v=1"), 200, "1 ruled.test/kept?v=1 yes")
		h.want("another Host", get("/routed", "X-App: 1"), 200, "2 app.internal/routed yes")
		h.want("not for others", get("/routed"), 200, "3 ruled.test/routed yes")
		h.want("again", get("/routed", "X-App: 1"), 200, "2 app.internal/routed yes")
		h.want("past the cache", get("/fresh"), 200, "4 ")
		h.want("past it again", get("/fresh"), 200, "5 ")
		if a := get("/fresh"); a.header.Get("X-Powered-By") != "" {
			t.Errorf("got %v, want no X-Powered-By", a.header)
		}
		blocked := get("/teapot")
		h.want("an answer of its own", blocked, 418, "short and stout")
		if e := h.entry(blocked); e.Rule != "http_request_firewall_custom/teapot" || e.Refusal != "rule" || e.Verdict != "block" {
			t.Errorf("the record has %+v of a blocked request", e)
		}
		h.want("the first of one an hour", get("/limited"), 200, "7 ")
		h.want("spared no limits", get("/limited"), 429, "")
	})
}
