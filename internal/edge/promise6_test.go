package edge

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/reqid"
)

// refusedZones are zones that refuse for every reason there is, each for its own.
func refusedZones() []spec.Zone {
	var zones []spec.Zone
	add := func(name string, change func(*spec.Zone)) {
		z := site(name, name+".test")
		change(&z)
		zones = append(zones, z)
	}
	once := spec.Rate{Requests: 1, Per: time.Hour}
	add("plain", func(z *spec.Zone) {})
	add("listed", func(z *spec.Zone) { z.Lists.Deny = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")} })
	add("limited", func(z *spec.Zone) { z.Limits.Requests = once })
	add("protected", func(z *spec.Zone) { z.Limits.OriginRequests = once })
	add("full", func(z *spec.Zone) { z.Budget = spec.Budget{Concurrent: 1} })
	add("slow", func(z *spec.Zone) {
		z.Budget = spec.Budget{Concurrent: 1, Queue: 10, QueueTimeout: time.Second}
	})
	add("dead", func(z *spec.Zone) { z.Origin.Servers = spec.OneServer("http://198.51.100.99:80") })
	add("down", func(z *spec.Zone) {
		z.Origin.Servers = spec.OneServer("http://198.51.100.99:80")
		z.Origin.Health.Path = "/healthz"
	})
	add("strict", func(z *spec.Zone) { z.HTTPS.MinVersion = "1.3" })
	add("ruled", func(z *spec.Zone) {
		z.Rules.Firewall = []spec.Rule{{Name: "secret", Action: spec.RuleBlock, Expression: `http.request.uri.path eq "/secret"`}}
		z.Rules.RateLimit = []spec.Rule{{Name: "form", Action: spec.RuleBlock, Expression: `http.request.uri.path eq "/form"`, RateLimit: spec.RuleRateLimit{
			Characteristics: []string{"ip.src"}, Requests: 1, Period: time.Minute,
		}}}
	})
	add("hasty", func(z *spec.Zone) { z.Origin.ResponseTimeout = time.Second })
	return zones
}

// refusal is a way to be refused.
type refusal struct {
	reason     flow.Reason
	status     int
	zone, rule string
	provoke    func(h *house) answer
}

// refusals are a way for each reason that a client can be told.
var refusals = []refusal{
	{flow.Malformed, 400, "-", "http", func(h *house) answer {
		c := h.dial(visitor)
		c.send("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
		return c.read("GET")
	}},
	{flow.Malformed, 400, "plain", "http", func(h *house) answer { return h.get(visitor, "plain.test", "/%00") }},
	{flow.TooLarge, 431, "-", "http", func(h *house) answer {
		return h.get(visitor, "plain.test", "/", "X: "+strings.Repeat("x", 40_000))
	}},
	{flow.Unsupported, 501, "plain", "http", func(h *house) answer { return h.ask(visitor, "TRACE", "plain.test", "/") }},
	{flow.Loop, 508, "plain", "cdn-loop", func(h *house) answer {
		return h.get(visitor, "plain.test", "/", "CDN-Loop: other, seawall-seawall")
	}},
	{flow.HeadTimeout, 408, "-", "http", func(h *house) answer {
		c := h.dial(visitor)
		c.send("GET / HTT")
		return c.read("GET")
	}},
	{flow.UnknownHost, 421, "-", "zone", func(h *house) answer { return h.get(visitor, "nowhere.test", "/") }},
	{flow.Misdirected, 421, "strict", "https", func(h *house) answer {
		c := h.dialAt(visitor, secureDoor)
		defer c.conn.Close()
		return c.ask("GET", "strict.test", "/")
	}},
	{flow.Denied, 403, "listed", "lists.deny", func(h *house) answer { return h.get(visitor, "listed.test", "/") }},
	{flow.RuleBlocked, 403, "ruled", "http_request_firewall_custom/secret", func(h *house) answer { return h.get(visitor, "ruled.test", "/secret") }},
	{flow.RuleLimit, 429, "ruled", "http_ratelimit/form", func(h *house) answer {
		h.get(visitor, "ruled.test", "/form")
		return h.get(visitor, "ruled.test", "/form")
	}},
	{flow.RequestLimit, 429, "limited", "limits.requests", func(h *house) answer {
		h.get(visitor, "limited.test", "/")
		return h.get(visitor, "limited.test", "/")
	}},
	{flow.OriginLimit, 429, "protected", "limits.origin_requests", func(h *house) answer {
		h.get(visitor, "protected.test", "/one")
		return h.get(visitor, "protected.test", "/two")
	}},
	{flow.OnlyIfCached, 504, "plain", "cache.only-if-cached", func(h *house) answer {
		return h.get(visitor, "plain.test", "/never", "Cache-Control: only-if-cached")
	}},
	{flow.QueueFull, 503, "full", "budget.queue", func(h *house) answer {
		go h.get("10.0.0.1", "full.test", "/sleep")
		synctest.Wait()
		return h.get(visitor, "full.test", "/")
	}},
	{flow.QueueTimeout, 503, "slow", "budget.queue_timeout", func(h *house) answer {
		go h.get("10.0.0.1", "slow.test", "/sleep")
		synctest.Wait()
		return h.get(visitor, "slow.test", "/")
	}},
	{flow.UpgradeCap, 503, "full", "budget.upgrades", func(h *house) answer {
		return h.get(visitor, "full.test", "/live", "Connection: upgrade", "Upgrade: echo")
	}},
	{flow.OriginUnreachable, 502, "dead", "origin", func(h *house) answer { return h.get(visitor, "dead.test", "/") }},
	{flow.OriginDown, 503, "down", "origin.health", func(h *house) answer {
		time.Sleep(time.Minute) // for a few checks
		return h.get(visitor, "down.test", "/")
	}},
	{flow.OriginTimeout, 504, "hasty", "origin", func(h *house) answer { return h.get(visitor, "hasty.test", "/sleep") }},
	{flow.OriginBroken, 502, "plain", "origin", func(h *house) answer { return h.get(visitor, "plain.test", "/broken") }},
	{flow.BodyBroken, 400, "plain", "origin", func(h *house) answer {
		c := h.dial(visitor)
		c.send(head("POST", "plain.test", "/form", "Transfer-Encoding: chunked") + "5\r\nhello\r\nzz\r\n")
		return c.read("POST")
	}},
}

// TestPromise6RefusalsExplainThemselves: for every reason, the page shows an id that the record explains while it remembers the
// request, and that tells zone, rule and reason to whoever holds the key when the record has forgotten it.
func TestPromise6RefusalsExplainThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := testNode()
		n.Log.Ring = 1 // the least
		h := build(t, n, refusedZones()...)
		h.serve(firstOrigin, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/sleep":
				time.Sleep(5 * time.Second)
			case "/broken":
				c, _, _ := w.(http.Hijacker).Hijack()
				io.WriteString(c, "nonsense\r\n\r\n")
				c.Close()
				return
			}
			io.Copy(io.Discard, r.Body)
		})
		answers := make([]answer, len(refusals))
		told := map[flow.Reason]bool{flow.NoReason: true, flow.ClientGone: true}
		for i, r := range refusals {
			answers[i] = r.provoke(h)
			h.wantRefusal(r.reason.String(), answers[i], r.status, r.zone, r.reason, r.rule)
			told[r.reason] = true
			time.Sleep(10 * time.Second) // what still holds a budget
		}
		for reason := range flow.Reason(flow.Reasons) {
			if !told[reason] {
				t.Errorf("%v is not tested", reason)
			}
		}

		for i := range 64 { // more than the rings hold
			c := h.dial(fmt.Sprintf("203.0.113.%d", i))
			for range 30 {
				c.ask("GET", "listed.test", "/"+strings.Repeat("x", 400))
			}
			c.conn.Close()
		}
		for i, r := range refusals {
			id, _, _, err := reqid.Parse(answers[i].id())
			if err != nil {
				t.Errorf("%v: got %v", r.reason, err)
			}
			if _, ok := h.rooms.Record.Find(id.String()); ok {
				t.Errorf("%v: the record still remembers it", r.reason)
			}
			h.wantSealed(r.reason.String(), answers[i], r.zone, r.reason, r.rule)
		}
	})
}
