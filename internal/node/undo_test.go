package node

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/spec"
)

const firewall = "http_request_firewall_custom/"

// ruled is a zone that refuses whom its header says.
func ruled(t *testing.T, name string) spec.Zone {
	t.Helper()
	z, _ := testZone(t)
	z.Name, z.Hosts = name, []string{name + ".test"}
	z.Lists.Deny = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	z.Rules.Firewall = []spec.Rule{
		{Name: "bad agents", Expression: `http.user_agent contains "bad"`, Action: spec.RuleBlock},
		{Name: "noted", Expression: `http.user_agent contains "odd"`, Action: spec.RuleLog},
	}
	return z
}

// twoZones runs a node with two such zones, behind a proxy that says who its clients are.
func twoZones(t *testing.T) (n *Node, log *events, data string) {
	t.Helper()
	s := testNode(t)
	s.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	n, log = start(t, s, ruled(t, "a"), ruled(t, "b"))
	return n, log, s.Data
}

// fares is what a client gets: the status, and the id that explains it.
func fares(t *testing.T, n *Node, host, client, agent string) (status int, id string) {
	t.Helper()
	before := n.Counts(strings.TrimSuffix(host, ".test")).Requests
	status, header, _ := visit(t, n.Listening()[0].Address, host, "/page", "X-Forwarded-For: "+client, "User-Agent: "+agent)
	recorded(t, n, strings.TrimSuffix(host, ".test"), before+1)
	return status, header.Get("X-Request-Id")
}

// TestUndo: what is undone holds for the next request, in its zone and for its addresses only, and ends when it is cancelled.
func TestUndo(t *testing.T) {
	tests := []struct {
		name string
		undo Undo
		says string
		// who gets through to zone a or b: a client of the deny list, and another that the rule is about
		denied, bad, deniedB, badB int
	}{
		{"an address", Undo{Address: "203.0.113.7", For: "30m"}, "address 203.0.113.7 in all zones", 200, 403, 200, 403},
		{"an address in a zone", Undo{Address: "::ffff:203.0.113.7", Zone: "a"}, "address 203.0.113.7 in zone a", 200, 403, 403, 403},
		{"a prefix", Undo{Address: "192.0.2.9/24", Zone: "b"}, "address 192.0.2.0/24 in zone b", 403, 403, 403, 200},
		{"a rule", Undo{Rule: "bad agents", Zone: "a"}, "rule " + firewall + "bad agents in zone a", 403, 200, 403, 403},
		{"a list", Undo{Rule: "lists.deny", Zone: "b"}, "rule lists.deny in zone b", 403, 403, 200, 403},
	}
	n, log, data := twoZones(t)
	statuses := func() (got [4]int) {
		got[0], _ = fares(t, n, "a.test", "203.0.113.7", "good")
		got[1], _ = fares(t, n, "a.test", "192.0.2.1", "bad")
		got[2], _ = fares(t, n, "b.test", "203.0.113.7", "good")
		got[3], _ = fares(t, n, "b.test", "192.0.2.1", "bad")
		return got
	}
	refused := [4]int{403, 403, 403, 403}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := statuses(); got != refused {
				t.Fatalf("before: got %v, want all refused", got)
			}
			done, err := UndoRefusals(t.Context(), data, "", &tt.undo)
			if err != nil {
				t.Fatal(err)
			}
			if done.String() != tt.says || done.By != "local" {
				t.Errorf("got %q by %q, want %q", done.String(), done.By, tt.says)
			}
			if got, want := statuses(), [4]int{tt.denied, tt.bad, tt.deniedB, tt.badB}; got != want {
				t.Errorf("got %v, want %v", got, want)
			}
			list, err := ListUndone(t.Context(), data, "")
			if err != nil || len(list) != 1 || list[0].String() != tt.says {
				t.Errorf("got %v, %v, want it listed", list, err)
			}
			gone, err := CancelUndone(t.Context(), data, "", &tt.undo)
			if err != nil || len(gone) != 1 {
				t.Fatalf("cancelled: got %v, %v", gone, err)
			}
			if got := statuses(); got != refused {
				t.Errorf("after: got %v, want all refused", got)
			}
			if got := log.with(`msg=undone what="` + tt.says + `"`); len(got) != 1 || !strings.Contains(got[0], "level=INFO") || !strings.Contains(got[0], "by=local") {
				t.Errorf("the log says %q", got)
			}
		})
	}
}

func TestUndoRefused(t *testing.T) {
	n, _, data := twoZones(t)
	tests := []struct {
		name string
		undo Undo
		want string
	}{
		{"nothing", Undo{}, "want an address or a rule, and not both"},
		{"both", Undo{Address: "192.0.2.1", Rule: "lists.deny"}, "want an address or a rule, and not both"},
		{"no address", Undo{Address: "here"}, `"here" is neither an address nor a prefix`},
		{"no zone", Undo{Address: "192.0.2.1", Zone: "c"}, "no zone c is in force"},
		{"a rule of no zone", Undo{Rule: "bad agents", Zone: "c"}, "no zone c is in force"},
		{"no rule", Undo{Rule: "worse"}, `no rule "worse" refuses: there are ` + firewall + "bad agents, limits."},
		{"a rule that refuses nobody", Undo{Rule: "noted"}, `no rule "noted" refuses`},
		{"two rules", Undo{Rule: "bad agents"}, "there are 2 rules \"bad agents\": want one's zone and whole name: a: " + firewall},
		{"no time", Undo{Address: "192.0.2.1", For: "long"}, "want a time such as 30m or 24h"},
		{"too long", Undo{Address: "192.0.2.1", For: "169h"}, "at most 168h"},
		{"the past", Undo{Address: "192.0.2.1", For: "-1h"}, "more than nothing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := UndoRefusals(t.Context(), data, "", &tt.undo)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want it to say %q", err, tt.want)
			}
			if _, err := CancelUndone(t.Context(), data, "", &tt.undo); err == nil {
				t.Error("it could be cancelled")
			}
			if list := n.rooms.Verdict.Exceptions.List(); len(list) > 0 {
				t.Errorf("got %v undone", list)
			}
		})
	}
}

// TestUndoAPI: it takes the token, no other site's page, and JSON that it understands.
func TestUndoAPI(t *testing.T) {
	n, _, data := twoZones(t)
	token := bearer(t, data)
	tests := []struct {
		name, method, path string
		fields             []string
		status             int
	}{
		{"no token", "POST", "/api/undo", nil, 401},
		{"no token for the list", "GET", "/api/undo", nil, 401},
		{"no token for rules", "GET", "/api/rules", nil, 401},
		{"another site's page", "POST", "/api/undo", []string{token, "Sec-Fetch-Site: cross-site"}, 403},
		{"another site's page cancels", "DELETE", "/api/undo?rule=a", []string{token, "Sec-Fetch-Site: cross-site"}, 403},
		{"no JSON", "POST", "/api/undo", []string{token}, 400},
		{"nothing undone", "GET", "/api/undo", []string{token}, 200},
		{"rules of no zone", "GET", "/api/rules?zone=c", []string{token}, 422},
		{"rules with what", "GET", "/api/rules?samples=some", []string{token}, 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := askAdmin(t, n, tt.method, tt.path, tt.fields...); got.status != tt.status {
				t.Errorf("got %d, %q, want %d", got.status, got.body, tt.status)
			}
		})
	}
	far := &http.Request{RemoteAddr: "192.0.2.1:1234"}
	if who := n.who(far); !strings.HasPrefix(who, "token ") || !strings.HasSuffix(who, " from 192.0.2.1") || strings.Contains(n.keys.token, who[6:14]) {
		t.Errorf("got %q, want a hash of the token and the address", who)
	}
}

// TestUndoOutlives: what is undone is undone after a restart.
func TestUndoOutlives(t *testing.T) {
	s := testNode(t)
	z := ruled(t, "a")
	log := new(events)
	n, err := Start(t.Context(), s, []spec.Zone{z}, log.logger())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := UndoRefusals(t.Context(), s.Data, "", &Undo{Rule: "bad agents"}); err != nil {
		t.Fatal(err)
	}
	want := n.rooms.Verdict.Exceptions.List()
	if err := n.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	n, _ = start(t, s, z)
	if got := n.rooms.Verdict.Exceptions.List(); len(got) != 1 || got[0].String() != want[0].String() || !got[0].Until.Equal(want[0].Until) {
		t.Errorf("got %v, want %v", got, want)
	}
	if status, _ := fares(t, n, "a.test", "192.0.2.1", "bad"); status != 200 {
		t.Errorf("got %d, want 200", status)
	}
}

// TestRemedy wants a refusal's explanation to name what undoes it, also when no more than the id is left.
func TestRemedy(t *testing.T) {
	n, _, data := twoZones(t)
	_, byRule := fares(t, n, "a.test", "192.0.2.1", "bad")
	_, byList := fares(t, n, "a.test", "203.0.113.7", "good")
	_, passed := fares(t, n, "a.test", "192.0.2.1", "good")
	tests := []struct {
		name, id string
		want     []string
	}{
		{"a rule", byRule, []string{
			"seawall undo --rule '" + firewall + "bad agents' --zone a --for 1h",
			"seawall undo --address 192.0.2.0/24 --zone a --for 1h # the log knows its network only; its address will do, too",
		}},
		{"a list", byList, []string{
			"seawall undo --rule lists.deny --zone a --for 1h",
			"seawall undo --address 203.0.113.0/24 --zone a --for 1h # the log knows its network only; its address will do, too",
		}},
		{"no refusal", passed, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x, err := Explain(t.Context(), data, "", tt.id)
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == nil {
				if x.Remedy != nil {
					t.Errorf("got %+v, want none", x.Remedy)
				}
				return
			}
			if x.Remedy == nil {
				t.Fatal("got no remedy")
			}
			if diff := cmp.Diff(tt.want, x.Remedy.Undo); diff != "" || x.Remedy.Rule.Matches != 1 {
				t.Errorf("got %d matches, want 1; -want +got:\n%s", x.Remedy.Rule.Matches, diff)
			}
			_, evidence, err := n.sealer.Open(tt.id)
			if err != nil {
				t.Fatal(err)
			}
			forgotten := n.remedy(&Explanation{Zone: "a"}, evidence.Rule)
			if forgotten == nil || len(forgotten.Undo) != 1 || forgotten.Undo[0] != tt.want[0] {
				t.Errorf("by the id alone: got %+v, want %q", forgotten, tt.want[0])
			}
		})
	}
}

// TestRules wants each rule listed with its matches and, if asked for, whom it matched.
func TestRules(t *testing.T) {
	n, _, data := twoZones(t)
	_, id := fares(t, n, "a.test", "192.0.2.1", "odd\u202e")
	fares(t, n, "a.test", "192.0.2.2", "bad")
	if _, err := UndoRefusals(t.Context(), data, "", &Undo{Rule: "bad agents", Zone: "b"}); err != nil {
		t.Fatal(err)
	}
	all, err := ListRules(t.Context(), data, "", "", true)
	if err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]Rule)
	for _, r := range all {
		byName[r.Zone+": "+r.Rule] = r
	}
	noted, bad := byName["a: "+firewall+"noted"], byName["a: "+firewall+"bad agents"]
	if noted.Matches != 1 || noted.Action != "log" || len(noted.Samples) != 1 || noted.Samples[0].ID != id || noted.Samples[0].Client.String() != "192.0.2.1" ||
		!strings.Contains(noted.Samples[0].Evidence, "odd") || bad.Matches != 1 || bad.Undone != nil {
		t.Errorf("got %+v, %+v", noted, bad)
	}
	if b := byName["b: "+firewall+"bad agents"]; b.Matches != 0 || b.Undone == nil || b.Undone.Before(time.Now()) {
		t.Errorf("zone b: got %+v", b)
	}
	var text strings.Builder
	if err := all.Write(&text); err != nil || strings.Contains(text.String(), "\u202e") || !strings.Contains(text.String(), "192.0.2.1 GET a.test/page by odd") {
		t.Errorf("got %q, %v", text.String(), err)
	}
	some, err := ListRules(t.Context(), data, "", "b", false)
	if err != nil || len(some) != len(all)/2 || some[0].Zone != "b" {
		t.Errorf("of one zone: got %v, %v", some, err)
	}
	if text, _ := json.Marshal(some); strings.Contains(string(text), "samples") {
		t.Errorf("got samples that nobody asked for: %s", text)
	}
}

// TestStatusOfRules: a zone's page has its rules and what is undone in it, and no other zone's.
func TestStatusOfRules(t *testing.T) {
	n, _, data := twoZones(t)
	for _, u := range []Undo{{Rule: "noted", Zone: "a"}, {Rule: "bad agents", Zone: "b"}, {Address: "192.0.2.9"}} {
		if _, err := UndoRefusals(t.Context(), data, "", &u); (err != nil) != (u.Rule == "noted") {
			t.Fatalf("%+v: got %v", u, err)
		}
	}
	fares(t, n, "a.test", "192.0.2.1", "odd")
	for zone, want := range map[string][]string{
		"a": {firewall + "noted", "<td>log<td class=\"n\">1<td", "http.user_agent contains &#34;odd&#34;", "address 192.0.2.9 in all zones"},
		"b": {"bad agents<small>undone, ends in ", "bad agents in zone b", "address 192.0.2.9 in all zones"},
	} {
		page, err := send(t.Context(), http.MethodGet, data, "", "/zones/"+zone, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range want {
			if !strings.Contains(string(page), text) {
				t.Errorf("zone %s: the page does not have %q", zone, text)
			}
		}
		if zone == "a" && strings.Contains(string(page), "in zone b") {
			t.Error("zone a's page has what is undone in zone b")
		}
	}
}

// TestShellWord: a rule's name is one word of the command that undoes it.
func TestShellWord(t *testing.T) {
	for give, want := range map[string]string{
		"lists.deny": "lists.deny", "p/not-a_b:1": "p/not-a_b:1", "bad agents": "'bad agents'", "it's": `'it'\''s'`, "$(x)": "'$(x)'", "é": "'é'", "": "''",
	} {
		if got := word(give); got != want {
			t.Errorf("%q: got %s, want %s", give, got, want)
		}
	}
}

// TestUndoRetired: a process that another has taken over from undoes nothing, as the other would not know.
func TestUndoRetired(t *testing.T) {
	n, _, _ := twoZones(t)
	taken := func(by *successor) {
		n.reloading.Lock()
		n.after = by
		n.reloading.Unlock()
	}
	taken(new(successor))
	defer taken(nil)
	if _, err := n.undo(&Undo{Address: "192.0.2.1"}, "test"); !errors.Is(err, errRetired) {
		t.Errorf("undone: got %v, want %v", err, errRetired)
	}
	if _, err := n.cancel(&Undo{Address: "192.0.2.1"}, "test"); !errors.Is(err, errRetired) {
		t.Errorf("cancelled: got %v, want %v", err, errRetired)
	}
}
