package main

import (
	"bytes"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/seawall/seawall/internal/drill/scenario"
	"github.com/seawall/seawall/internal/drill/scenario/network"
	"github.com/seawall/seawall/internal/drill/score"
	"github.com/seawall/seawall/test/server"
)

func TestParsePlan(t *testing.T) {
	dir := t.TempDir()
	page, bare := filepath.Join(dir, "page.md"), filepath.Join(dir, "bare.md")
	write(t, page, "# Drill\n"+score.TableBegin+"\n"+score.TableEnd+"\n")
	write(t, bare, "# Drill\n")
	all := len(scenario.Names())
	tests := []struct {
		name             string
		args             []string
		peers, scenarios int
		wrong            string
	}{
		{"everything", nil, len(peers), all, ""},
		{"some", []string{"-peers", "caddy,nginx", "-page", page, scenario.Names()[0]}, 2, 1, ""},
		{"a file", []string{"testdata/quiet.yaml"}, len(peers), 1, ""},
		{"unknown peer", []string{"-peers", "apache"}, 0, 0, `no peer is called "apache"`},
		{"unknown scenario", []string{"tsunami"}, 0, 0, "tsunami"},
		{"no place for the table", []string{"-page", bare}, 0, 0, "no place"},
		{"no page", []string{"-page", dir + "/none"}, 0, 0, "no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := parsePlan(io.Discard, tt.args)
			if tt.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wrong) {
					t.Errorf("got error %v, want one about %s", err, tt.wrong)
				}
				return
			}
			if err != nil || len(p.peers) != tt.peers || len(p.pieces) != tt.scenarios {
				t.Errorf("got %d peers, %d scenarios, %v; want %d and %d", len(p.peers), len(p.pieces), err, tt.peers, tt.scenarios)
			}
		})
	}
}

// A contest with nginx, which is there, and something that is not; what plays is a script that has the report ready, or fails.
func TestContest(t *testing.T) {
	if _, err := server.Find("nginx"); err != nil {
		t.Skip("nginx is not installed")
	}
	name := scenario.Names()[0]
	nginx := peers[2]
	absent := nginx
	absent.name, absent.program = "absent", "no-such-proxy"
	tests := []struct {
		name, script string
		results      int
		failures     []string
	}{
		{"both ways", `for a; do case $a in */report.json) cp "$REPORT" "$a"; esac; done; echo "$@" >"$ASKED"`, 1, []string{"no-such-proxy"}},
		{"fails", "echo no descriptors >&2; exit 1", 0, []string{"no-such-proxy", "nginx: " + name + ": exit status 1: no descriptors"}},
		{"no report", "exit 0", 0, []string{"no-such-proxy", "report.json"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			p := plan{seawall: filepath.Join(dir, "seawall"), out: filepath.Join(dir, "out"), page: filepath.Join(dir, "page.md"), peers: []peer{nginx, absent}}
			s, err := load(name)
			if err != nil {
				t.Fatal(err)
			}
			p.pieces = []piece{s}
			write(t, p.page, "# Drill\n"+score.TableBegin+"\n"+score.TableEnd+"\nend\n")
			write(t, p.seawall, "#!/bin/sh\n"+tt.script+"\n")
			if err := os.Chmod(p.seawall, 0o700); err != nil {
				t.Fatal(err)
			}
			var report bytes.Buffer
			if err := score.NewReport("nginx", 7, []score.Result{{Scenario: name, Group: score.Attack, Seed: 7}}).WriteJSON(&report); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "ready.json"), report.String())
			t.Setenv("REPORT", filepath.Join(dir, "ready.json"))
			t.Setenv("ASKED", filepath.Join(dir, "asked"))

			c, err := openContest(p, dir)
			if err != nil {
				t.Fatal(err)
			}
			results, failures := c.playAll(t.Context(), io.Discard)
			if err := c.write(t.Context(), io.Discard, results); err != nil {
				t.Fatal(err)
			}
			if len(results["nginx"]) != tt.results || len(results) != tt.results {
				t.Errorf("results %v, want %d of nginx", results, tt.results)
			}
			for i, want := range tt.failures {
				if len(failures) <= i || !strings.Contains(failures[i].Error(), want) {
					t.Errorf("failures %v, want one about %q", failures, want)
				}
			}
			if tt.results > 0 {
				checkWritten(t, p, name, filepath.Join(dir, "asked"))
			}
		})
	}
}

// checkWritten looks at what a contest of nginx has left.
func checkWritten(t *testing.T, p plan, scenario, asked string) {
	t.Helper()
	for file, want := range map[string]string{
		asked:  "drill --target https://127.0.0.1:",
		p.page: "- **nginx** (nginx version",
		strings.TrimSuffix(p.page, ".md") + ".svg":     "<svg",
		filepath.Join(p.out, "nginx", "report.json"):   `"target": "nginx"`,
		filepath.Join(p.out, "nginx", "drill.svg"):     "<svg",
		filepath.Join(p.out, "nginx", scenario+".svg"): "<svg",
	} {
		if b, err := os.ReadFile(file); err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%s: %v; want %q in it: %.300s", filepath.Base(file), err, want, b)
		}
	}
}

// On a quiet day nobody refuses anybody, whoever they are. (Whether all are served in time is the machine's business, too.)
func TestQuietDay(t *testing.T) {
	if testing.Short() {
		t.Skip("real proxies take long to start")
	}
	names := make([]string, 0, len(peers))
	for _, p := range peers {
		if _, err := server.Find(p.program); err == nil || p.program == "" {
			names = append(names, p.name)
		}
	}
	out := t.TempDir()
	args := []string{"-seawall", seawall(t), "-out", out, "-peers", strings.Join(names, ","), "testdata/quiet.yaml"}
	if err := run(t.Context(), io.Discard, io.Discard, args); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		r, err := readResult(filepath.Join(out, name, "report.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, kinds := range []map[string]score.Phases{r.Kinds, r.Comers} {
			for kind, p := range kinds {
				for _, f := range []score.Figures{p.Quiet, p.During} {
					if f.Refused.Count > 0 || f.Challenged.Count > 0 {
						t.Errorf("%s refused %d and challenged %d of %d steps of %s: %v", name, f.Refused.Count, f.Challenged.Count, f.Steps, kind, f.Why)
					}
				}
			}
		}
		if r.Everyone.During.Served.Count == 0 {
			t.Errorf("%s served nobody", name)
		}
	}
}

// Seawall can tell from the file where each network of the plan is.
func TestPlaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "places.mmdb")
	if err := writePlaces(path); err != nil {
		t.Fatal(err)
	}
	db, err := maxminddb.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	type record struct {
		Country struct {
			ISO string `maxminddb:"iso_code"`
		} `maxminddb:"country"`
		ASN uint32 `maxminddb:"autonomous_system_number"`
	}
	for _, n := range network.Plan() {
		for _, p := range n.Prefixes {
			var got record
			if err := db.Lookup(p.Addr()).Decode(&got); err != nil || got.ASN != n.ASN || got.Country.ISO != n.Country {
				t.Errorf("%s: got %+v, %v; want AS%d in %s", p, got, err, n.ASN, n.Country)
			}
		}
	}
	var none record
	if r := db.Lookup(netip.MustParseAddr("127.0.0.1")); r.Decode(&none) != nil || none.ASN != 0 {
		t.Errorf("127.0.0.1 is in AS%d", none.ASN)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A contest can be played in parts: what the folder has of other scenarios stays, whoever played them.
func TestAdd(t *testing.T) {
	names := scenario.Names()
	result := func(i int) score.Result { return score.Result{Scenario: names[i], Group: score.Attack, Seed: 7} }
	out := t.TempDir()
	for peer, results := range map[string][]score.Result{"nginx": {result(2), result(0)}, "caddy": {result(0)}} {
		if err := writeReport(filepath.Join(out, peer), score.NewReport(peer, 7, results)); err != nil {
			t.Fatal(err)
		}
	}
	c := &contest{plan: plan{out: out, add: true}}
	var table bytes.Buffer
	if err := c.write(t.Context(), &table, map[string][]score.Result{"nginx": {result(1), result(0)}, "haproxy": {result(1)}}); err != nil {
		t.Fatal(err)
	}
	for peer, want := range map[string][]string{"nginx": names[:3], "haproxy": names[1:2], "caddy": names[:1]} {
		r, err := readReport(filepath.Join(out, peer, reportFile))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range r.Results {
			got = append(got, r.Scenario)
		}
		if !slices.Equal(got, want) || !strings.Contains(table.String(), "**"+peer+"**") {
			t.Errorf("%s: got %v, want %v, and a line in the table:\n%s", peer, got, want, table.String())
		}
	}
}
