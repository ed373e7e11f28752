package metrics

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seawall/seawall/internal/admission"
	"github.com/seawall/seawall/internal/cache"
	"github.com/seawall/seawall/internal/conn"
	"github.com/seawall/seawall/internal/edge"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/hello"
	"github.com/seawall/seawall/internal/origin"
	"github.com/seawall/seawall/internal/packet"
	"github.com/seawall/seawall/internal/record"
	"github.com/seawall/seawall/internal/response"
	"github.com/seawall/seawall/internal/snapshot"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/verdict"
	"github.com/seawall/seawall/internal/zone"
	"github.com/seawall/seawall/reqid"
	"github.com/seawall/seawall/workers"
)

// testSources are of a small node with so many zones, of two servers each.
func testSources(t *testing.T, zones int) *Sources {
	t.Helper()
	n := spec.DefaultNode()
	n.Cache, n.Log.Ring = spec.Memory{Size: 1 << 20, Object: 1 << 18, Disk: n.Cache.Disk}, 1
	n.Cache.Disk.Path = t.TempDir()
	records, err := record.New(&n, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	objects, err := cache.New(&n)
	if err != nil {
		t.Fatal(err)
	}
	if err := objects.OpenDisk(slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(objects.CloseDisk)
	rooms := &zone.Rooms{
		Verdict: verdict.New(&n), Cache: objects, Admission: admission.New(&n), Origin: origin.New(&n),
		Response: response.New(&n, reqid.NewSealer([32]byte{})), Record: records,
	}
	t.Cleanup(rooms.Origin.Close)
	in, err := snapshot.New(rooms)
	if err != nil {
		t.Fatal(err)
	}
	var specs []spec.Zone
	for i := range zones {
		z := spec.DefaultZone()
		z.Name = fmt.Sprintf("zone-%d", i)
		z.Hosts = []string{z.Name + ".test"}
		z.Cache.Survive = time.Hour
		z.Origin.Servers = []spec.Server{{URL: "http://192.0.2.1", Weight: 1}, {URL: "http://192.0.2.2", Weight: 1, Backup: true}}
		z.Rules.Firewall = []spec.Rule{{Name: "plain", Expression: "not ssl", Action: spec.RuleLog}}
		specs = append(specs, z)
	}
	if problems := in.Apply(specs); len(problems) > 0 {
		t.Fatal(problems)
	}
	n.Data = t.TempDir()
	handshakes, problems := hello.New(&n, hello.Options{}, time.Now())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	t.Cleanup(handshakes.Close)
	pool := workers.New(workers.Options{Threads: 1})
	t.Cleanup(pool.Close)
	end := time.Unix(1_800_000_000, 0)
	return &Sources{
		Connections: conn.New(&n, conn.Options{}), Handshakes: handshakes, Workers: pool, Records: records, Cache: objects, Zones: in, MaxConnections: n.Connections.Max, Version: "v1",
		Packets: func() ([]packet.End, error) {
			return []packet.End{{For: "192.0.2.1:443", Reason: "denied", Dropped: true, Packets: 7, Bytes: 700}}, nil
		},
		Rules:      rooms.Verdict.Rules,
		Prefetched: func(string) (edge.Prefetched, bool) { return edge.Prefetched{Listed: 2}, true },
		Certificates: func() []Certificate {
			return []Certificate{{"a.test", end.Add(-time.Hour)}, {"a.test", end}, {"a.test", end.Add(-time.Minute)}, {"b.test", end}}
		},
		Configuration: func() Configuration {
			return Configuration{Applied: 3, Refused: 1, Read: end, Unusable: true, Problems: 2, Restart: true}
		},
	}
}

// described is what a table says of a metric, or what the code does.
type described struct{ Kind, Labels string }

// shown is all that a node shows: names without those of the Prometheus client library.
func shown(t *testing.T, s *Sources) map[string]described {
	t.Helper()
	families, err := registry(s).Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]described{}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "seawall_") {
			continue
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		got[f.GetName()] = described{strings.ToLower(f.GetType().String()), strings.Join(labels, " ")}
	}
	return got
}

// TestList: what may be shown is what is shown.
func TestList(t *testing.T) {
	kinds := map[prometheus.ValueType]string{prometheus.GaugeValue: "gauge", prometheus.CounterValue: "counter", distribution: "histogram"}
	want := map[string]described{}
	for _, m := range all {
		want[m.name] = described{kinds[m.kind], strings.Join(slices.Sorted(slices.Values(m.labels)), " ")}
	}
	if diff := cmp.Diff(want, shown(t, testSources(t, 1))); diff != "" {
		t.Errorf("-listed +shown:\n%s", diff)
	}
}

// row is one of the tables' in docs/metrics.md: name, type, labels and meaning.
var row = regexp.MustCompile("(?m)^\\| `(seawall_[a-z_]+)` \\| ([a-z]+) \\|([^|]*)\\| ([^|]+) \\|$")

// TestDocumented: docs/metrics.md lists exactly what /metrics can show, each name once.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]described{}
	for _, cells := range row.FindAllStringSubmatch(string(text), -1) {
		name, meaning := cells[1], strings.TrimSpace(cells[4])
		if _, twice := documented[name]; twice || len(meaning) < 10 {
			t.Errorf("%s: stands there twice, or means nothing: %q", name, meaning)
		}
		labels := regexp.MustCompile("`([a-z]+)`").FindAllStringSubmatch(cells[3], -1)
		var names []string
		for _, l := range labels {
			names = append(names, l[1])
		}
		documented[name] = described{cells[2], strings.Join(slices.Sorted(slices.Values(names)), " ")}
	}
	if diff := cmp.Diff(shown(t, testSources(t, 1)), documented); diff != "" {
		t.Errorf("-shown +documented:\n%s", diff)
	}
	if rows := strings.Count(string(text), "\n| `seawall_"); rows != len(documented) {
		t.Errorf("got %d rows, of which %d can be read", rows, len(documented))
	}
}

// TestCausesDocumented: docs/metrics.md names every value of the labels that say why.
func TestCausesDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for cause := range conn.New(&spec.Node{}, conn.Options{}).Stats().Refused {
		names = append(names, cause.String())
	}
	for cause := range hello.Causes {
		names = append(names, hello.Cause(cause).String())
	}
	for reason := flow.NoReason + 1; int(reason) < flow.Reasons; reason++ {
		names = append(names, reason.String())
	}
	for _, name := range names {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("%s is not there", name)
		}
	}
}

// TestNoHandshakes: a node that does not listen for HTTPS has none to show.
func TestNoHandshakes(t *testing.T) {
	s := testSources(t, 0)
	s.Handshakes = nil
	for name := range shown(t, s) {
		if strings.Contains(name, "handshakes") {
			t.Errorf("%s is shown", name)
		}
	}
}

// TestCardinality: each zone adds the same number of series, whatever its clients do.
func TestCardinality(t *testing.T) {
	series := func(zones int) (n int) {
		w := httptest.NewRecorder()
		Handler(testSources(t, zones)).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		if w.Code != 200 {
			t.Fatalf("got %d: %s", w.Code, w.Body)
		}
		for line := range strings.Lines(w.Body.String()) {
			if strings.HasPrefix(line, "seawall_") {
				n++
			}
		}
		return n
	}
	one, two, eleven := series(1), series(2), series(11) // with the first come the node's own of survival copies
	t.Logf("%d series for a zone", two-one)
	if each := two - one; eleven-one != 10*each || each > 150 {
		t.Errorf("got %d series with a zone, %d with two, %d with eleven", one, two, eleven)
	}
}

func TestValues(t *testing.T) {
	w := httptest.NewRecorder()
	Handler(testSources(t, 1)).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{
		`seawall_certificate_not_after_seconds{name="a.test"} 1.8e+09`,
		`seawall_certificate_not_after_seconds{name="b.test"} 1.8e+09`,
		`seawall_config_reloads_total{result="applied"} 3`,
		`seawall_config_reloads_total{result="refused"} 1`,
		`seawall_config_last_reload_timestamp_seconds 1.8e+09`,
		`seawall_config_last_reload_successful 0`,
		`seawall_config_problems 2`,
		`seawall_config_restart_needed 1`,
		`seawall_origin_server_up{server="http://192.0.2.2",zone="zone-0"} 1`,
		`seawall_origin_queued_requests_max{zone="zone-0"} 2048`,
		`seawall_rule_matches_total{rule="lists.deny",zone="zone-0"} 0`,
		`seawall_rule_matches_total{rule="http_request_firewall_custom/plain",zone="zone-0"} 0`,
		`seawall_packets_total{for="192.0.2.1:443",reason="denied",result="dropped"} 7`,
		`seawall_packet_bytes_total{for="192.0.2.1:443",reason="denied",result="dropped"} 700`,
		`seawall_zones 1`,
	} {
		if !strings.Contains(w.Body.String(), want+"\n") {
			t.Errorf("%s is not there", want)
		}
	}
}

// TestRules: the example alerts ask for metrics that there are, with labels that they have. Whether they are good PromQL,
// `promtool test rules seawall.rules.test.yml` tells.
func TestRules(t *testing.T) {
	text, err := os.ReadFile("../../../packaging/prometheus/seawall.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string][]string{}
	for _, m := range all {
		if m.kind != distribution {
			labels[m.name] = m.labels
			continue
		}
		for _, suffix := range []string{"_sum", "_count", "_bucket"} {
			labels[m.name+suffix] = append([]string{"le"}, m.labels...)
		}
	}
	used := map[string]bool{}
	for _, found := range regexp.MustCompile(`(seawall_[a-z_]+)(?:\{([^}]*)\})?`).FindAllStringSubmatch(string(text), -1) {
		known, ok := labels[found[1]]
		if !ok {
			t.Errorf("there is no metric %s", found[1])
		}
		used[found[1]] = true
		for _, l := range regexp.MustCompile(`([a-z_]+)\s*[=!]`).FindAllStringSubmatch(found[2], -1) {
			if !slices.Contains(known, l[1]) {
				t.Errorf("%s has no label %s", found[1], l[1])
			}
		}
	}
	alerts := strings.Split(string(text), "- alert: ")[1:]
	if len(alerts) < 9 || len(used) < 9 {
		t.Errorf("got %d alerts on %v", len(alerts), slices.Sorted(maps.Keys(used)))
	}
	for _, a := range alerts {
		for _, part := range []string{"expr: ", "for: ", "severity: ", "summary: ", "description: "} {
			if strings.Count(a, part) != 1 {
				t.Errorf("want one %q in the alert %s", part, a)
			}
		}
	}
}
