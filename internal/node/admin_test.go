package node

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/seawall/seawall/internal/spec"
)

// bearer is the Authorization that opens a node's admin listener, as its data folder has it.
func bearer(t *testing.T, data string) string {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(data, tokenFile))
	if err != nil {
		t.Fatal(err)
	}
	return "Authorization: Bearer " + strings.TrimSpace(string(token))
}

func TestAdminAuthorization(t *testing.T) {
	z, _ := testZone(t)
	s := testNode(t)
	n, _ := start(t, s, z)
	right := bearer(t, s.Data)
	tests := []struct {
		name, target, authorization string
		status                      int
	}{
		{"health needs no token", "/healthz", "", 200},
		{"metrics", "/metrics", right, 200},
		{"explain", "/explain/nonsense", right, 404},
		{"no token", "/metrics", "", 401},
		{"no token for explain", "/explain/nonsense", "", 401},
		{"wrong token", "/metrics", right + "0", 401},
		{"half a token", "/metrics", right[:len(right)-1], 401},
		{"empty token", "/metrics", "Authorization: Bearer ", 401},
		{"another scheme", "/metrics", strings.Replace(right, "Bearer", "Token", 1), 401},
		{"elsewhere", "/", right, 404},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var fields []string
			if tt.authorization != "" {
				fields = append(fields, tt.authorization)
			}
			status, header, body := visit(t, n.Admin(), "", tt.target, fields...)
			if status != tt.status {
				t.Errorf("got %d, %q, want %d", status, body, tt.status)
			}
			if challenge := header.Get("WWW-Authenticate"); (challenge != "") != (tt.status == 401) {
				t.Errorf("got the challenge %q with %d", challenge, status)
			}
		})
	}
}

// metricsOf reads the metrics, by name with labels.
func metricsOf(t *testing.T, n *Node, data string) map[string]float64 {
	t.Helper()
	status, header, body := visit(t, n.Admin(), "", "/metrics", bearer(t, data))
	if status != 200 || !strings.HasPrefix(header.Get("Content-Type"), "text/plain") {
		t.Fatalf("got %d, %q, want 200 as text", status, header.Get("Content-Type"))
	}
	values := map[string]float64{}
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		space := strings.LastIndexByte(line, ' ')
		if space < 0 {
			t.Fatalf("got the line %q, want a name and a value", line)
		}
		value, err := strconv.ParseFloat(line[space+1:], 64)
		if _, twice := values[line[:space]]; err != nil || twice {
			t.Fatalf("got the line %q, %v, want a number, once", line, err)
		}
		values[line[:space]] = value
	}
	return values
}

func TestMetrics(t *testing.T) {
	z, _ := testZone(t)
	z.Limits.Requests = spec.Rate{Requests: 1, Per: z.Limits.Requests.Per * 3600, Burst: 2}
	s := testNode(t)
	n, _ := start(t, s, z)
	at := n.Listening()[0].Address
	for _, target := range []string{"/a", "/a", "/b", "/c"} {
		visit(t, at, "site.test", target)
	}
	visit(t, at, "other.test", "/")
	recorded(t, n, "site", 4)
	recorded(t, n, "-", 1)
	got := metricsOf(t, n, s.Data)
	for name, want := range map[string]float64{
		`seawall_requests_total{status="2",zone="site"}`:                     3,
		`seawall_requests_total{status="4",zone="site"}`:                     1,
		`seawall_requests_total{status="4",zone="-"}`:                        1,
		`seawall_cache_requests_total{cache="hit",zone="site"}`:              1,
		`seawall_cache_requests_total{cache="miss",zone="site"}`:             2,
		`seawall_requests_refused_total{reason="request-limit",zone="site"}`: 1,
		`seawall_requests_refused_total{reason="unknown-host",zone="-"}`:     1,
		`seawall_requests_dry_total{zone="site"}`:                            0,
		`seawall_responses_broken_total{zone="site"}`:                        0,
		`seawall_origin_requests_total{zone="site"}`:                         2,
		`seawall_origin_concurrent_requests{zone="site"}`:                    0,
		`seawall_origin_queued_requests{zone="site"}`:                        0,
		`seawall_origin_upgraded_connections{zone="site"}`:                   0,
		`seawall_request_duration_seconds_count{zone="site"}`:                4,
		`seawall_request_duration_seconds_bucket{zone="site",le="+Inf"}`:     4,
		`seawall_origin_first_byte_seconds_count{zone="site"}`:               2,
		`seawall_origin_queue_seconds_count{zone="site"}`:                    0,
		`seawall_connections_refused_total{cause="source-full"}`:             0,
		`seawall_faults_total`:                                               0,
		`seawall_log_lines_lost_total`:                                       0,
		`seawall_cache_objects`:                                              2,
		`seawall_cache_evictions_total`:                                      0,
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s: got %v (%v), want %v", name, value, ok, want)
		}
	}
	for _, name := range []string{`seawall_connections`, `seawall_cache_bytes`, `go_goroutines`, `process_open_fds`} {
		if _, ok := got[name]; !ok {
			t.Errorf("%s is not there", name)
		}
	}
	if got[`seawall_response_body_bytes_total{zone="site"}`] < 6 {
		t.Errorf("got %v body bytes, want those of the pages", got[`seawall_response_body_bytes_total{zone="site"}`])
	}
}

// TestExplain asks about a refusal: on the admin listener and as a command, while the node runs and after it has ended.
func TestExplain(t *testing.T) {
	z, _ := testZone(t)
	s := testNode(t)
	n, err := Start(t.Context(), s, []spec.Zone{z}, new(events).logger())
	if err != nil {
		t.Fatal(err)
	}
	at := n.Listening()[0].Address
	_, header, _ := visit(t, at, "site.test", "/only", "Cache-Control: only-if-cached")
	refused := header.Get("X-Request-Id")
	_, header, _ = visit(t, at, "site.test", "/served")
	served := header.Get("X-Request-Id")

	recorded(t, n, "site", 2)

	status, _, body := visit(t, n.Admin(), "", "/explain/"+refused, bearer(t, s.Data))
	var x Explanation
	if err := json.Unmarshal([]byte(body), &x); err != nil || status != 200 || x.Entry == nil || x.Entry.Refusal != "only-if-cached" ||
		x.Refusal != "only-if-cached" || x.Zone != "site" {
		t.Errorf("got %d, %s, %v, want the refusal's entry", status, body, err)
	}
	explain := func(data, admin, id string) (string, error) {
		x, err := Explain(t.Context(), data, admin, id)
		if err != nil {
			return "", err
		}
		var story strings.Builder
		err = x.Write(&story)
		return story.String(), err
	}
	tests := []struct {
		name, data, admin, id string
		want                  string // in the story or the error
		err                   bool
	}{
		{"refused", s.Data, "", refused, "only-if-cached by cache.only-if-cached", false},
		{"refused, as people copy it", s.Data, n.Admin().String(), " " + strings.ToUpper(refused) + "\n", "only-if-cached", false},
		{"only the id's beginning", s.Data, "", refused[:20], "only-if-cached", false},
		{"served", s.Data, "", served, "/served", false},
		{"forgotten", s.Data, "", older(served), "nothing is known", true},
		{"no id", s.Data, "", "nonsense", "not a request id", true},
		{"altered", s.Data, "", refused[:45] + otherEnd(refused), "altered", true},
		{"no data folder", t.TempDir(), "", refused, "no node answers", true},
		{"no token", t.TempDir(), n.Admin().String(), refused, "admin token", true},
	}
	check := func(name, data, admin, id, want string, fails bool) {
		t.Helper()
		story, err := explain(data, admin, id)
		if (err != nil) != fails {
			t.Errorf("%s: got %q, %v, want an error %v", name, story, err, fails)
		}
		if err != nil {
			story = err.Error()
		}
		if !strings.Contains(story, want) {
			t.Errorf("%s: got %q, want it to say %q", name, story, want)
		}
	}
	for _, tt := range tests {
		check(tt.name, tt.data, tt.admin, tt.id, tt.want, tt.err)
	}
	admin := n.Admin().String()
	if err := n.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	check("refused, after the end", s.Data, "", refused, "only-if-cached (as sealed in the id", false)
	check("refused, after the end, with an address", s.Data, admin, refused, "only-if-cached (as sealed in the id", false)
	check("served, after the end", s.Data, "", served, "carries no evidence", true)
	check("with another's key", otherKey(t), "", refused, "another key", true)

	again, _ := start(t, s, z)
	status, _, body = visit(t, again.Admin(), "", "/explain/"+refused, bearer(t, s.Data))
	if status != 200 || !strings.Contains(body, `"zone":"site"`) || !strings.Contains(body, `"refusal":"only-if-cached"`) {
		t.Errorf("the next start: got %d, %s, want zone and refusal out of the id", status, body)
	}
}

// older is an id that could have been made by another node a little earlier.
func older(id string) string { return id[:8] + strings.Repeat("0", len(id)-8) }

// otherEnd is a last character that an id has not.
func otherEnd(id string) string {
	if strings.HasSuffix(id, "0") {
		return "4"
	}
	return "0"
}

// otherKey is a data folder with another node's keys.
func otherKey(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if _, err := openKeys(folder); err != nil {
		t.Fatal(err)
	}
	return folder
}
