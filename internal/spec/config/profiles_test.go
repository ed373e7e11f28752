package config

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/spec/config/profiles"
)

func names(rules []spec.Rule) (all []string) {
	for i := range rules {
		all = append(all, rules[i].Name)
	}
	return all
}

// blocking is a rule that blocks, as YAML.
func blocking(name string) string { return "{name: " + name + ", expression: ssl, action: block}" }

// TestProfiles: their rules come first, and the zone's own of the same name take their places; marks go along.
func TestProfiles(t *testing.T) {
	dir := write(t, map[string]string{"main.yaml": `defaults:
  rules:
    http_request_firewall_custom: [` + blocking("common") + `]
zones:
  - name: shop
    hosts: [shop.example]
    origin: {url: "http://10.0.0.5:3000"}
    profiles: [api]
    rules:
      http_request_firewall_custom:
        - ` + blocking("own") + `
        - ` + blocking("api.secrets") + `
`})
	c := mustLoad(t, new(Loader), filepath.Join(dir, "main.yaml"))
	got := c.Zones[0].Rules.Firewall
	want := []string{"api.crawlers", "api.methods", "api.secrets", "api.scanners", "common", "own"}
	if diff := cmp.Diff(want, names(got)); diff != "" {
		t.Fatalf("-want +got:\n%s", diff)
	}
	if got[2].Expression != "ssl" {
		t.Errorf("api.secrets: got %q, want the zone's own", got[2].Expression)
	}
	for i, line := range map[string]int{"[0]": 8, "[2]": 12, "[3].expression": 8, "[5].expression": 11} {
		if _, got := c.Where("shop", "rules.http_request_firewall_custom"+i); got != line {
			t.Errorf("%s: got line %d, want %d", i, got, line)
		}
	}
	if len(c.Zones[0].Rules.RateLimit) == 0 {
		t.Error("got no rate limits, want those of the profile")
	}
	var out strings.Builder
	if err := Write(&out, &c.Node, c.Zones); err != nil {
		t.Fatal(err)
	}
	again := filepath.Join(dir, "again.yaml")
	put(t, again, out.String())
	if diff := cmp.Diff(c.Zones[0].Rules, mustLoad(t, new(Loader), again).Zones[0].Rules); diff != "" {
		t.Errorf("written and read again (-want +got):\n%s", diff)
	}
}

// TestProfilesShareNothing: what one zone puts in the place of a profile's rule is that zone's alone.
func TestProfilesShareNothing(t *testing.T) {
	zone := func(name, more string) string {
		return "  - {name: " + name + ", hosts: [" + name + ".example], origin: {url: \"http://10.0.0.5:3000\"}, profiles: [api]" + more + "}\n"
	}
	path := filepath.Join(write(t, map[string]string{"main.yaml": "zones:\n" +
		zone("a", ", rules: {http_request_firewall_custom: ["+blocking("api.secrets")+", "+blocking("mine")+"]}") + zone("b", "")}), "main.yaml")
	c := mustLoad(t, new(Loader), path)
	b := c.Zones[1].Rules.Firewall
	if b[2].Name != "api.secrets" || b[2].Expression == "ssl" || len(b) != 4 {
		t.Errorf("got %v, want the profile's rules", names(b))
	}
}

func TestUnknownProfile(t *testing.T) {
	path := filepath.Join(write(t, map[string]string{"main.yaml": shop("profiles: [wordpres]")}), "main.yaml")
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	want := `main.yaml:9: profiles[0]: "wordpres" is unknown: want ` + strings.Join(profiles.Names(), ", ")
	if len(c.Refused) != 1 || !strings.HasSuffix(c.Refused[0].Problem.Error(), want) {
		t.Errorf("got %v, want %s", c.Refused, want)
	}
}

func TestPrefix(t *testing.T) {
	r := spec.Rules{Firewall: []spec.Rule{
		{Name: "a", Skip: spec.RuleSkip{Rules: []string{"b", "other"}}}, {Name: "b"},
	}}
	prefix(&r, "p.")
	want := spec.Rules{Firewall: []spec.Rule{
		{Name: "p.a", Skip: spec.RuleSkip{Rules: []string{"p.b", "other"}}}, {Name: "p.b"},
	}}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestDiffProfile(t *testing.T) {
	text, err := profiles.Text("api")
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.ReplaceAll(text, "requests_per_period: 60", "requests_per_period: 90")
	edited = strings.ReplaceAll(edited, "- name: methods", "- name: verbs")
	dir := write(t, map[string]string{"same.yaml": text, "edited.yaml": edited, "used.yaml": "profiles: [api]\n", "two.yaml": "zones: []\n"})
	tests := []struct {
		file string
		want []string
	}{
		{"same.yaml", nil},
		{"used.yaml", nil},
		{"edited.yaml", []string{
			"http_request_firewall_custom/verbs: added", "http_request_firewall_custom/methods: removed",
			"http_ratelimit/login: ratelimit.requests_per_period: 60 → 90",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			got, err := DiffProfile("api", filepath.Join(dir, tt.file))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	if _, err := DiffProfile("api", filepath.Join(dir, "two.yaml")); err == nil || !strings.Contains(err.Error(), "has 0 zones: want one") {
		t.Errorf("got %v, want an error about the zones", err)
	}
	if _, err := DiffProfile("none", filepath.Join(dir, "same.yaml")); err == nil || !strings.Contains(err.Error(), `no profile "none"`) {
		t.Errorf("got %v, want an error about the profile", err)
	}
}

// TestLoadRules: a file of rules is a whole configuration or any part of one; of a part, what it does not say is off.
func TestLoadRules(t *testing.T) {
	tests := []struct {
		name, text string
		rules      []string
		limits     bool
	}{
		{"whole", shop("rules: {http_request_firewall_custom: [" + blocking("a") + "]}"), []string{"a"}, true},
		{"a zone's file", "hosts: [shop.example]\norigin: {url: \"http://10.0.0.5:3000\"}\nrules: {http_request_firewall_custom: [" + blocking("a") + "]}\n", []string{"a"}, true},
		{"a part", "rules: {http_request_firewall_custom: [" + blocking("a") + "]}\n", []string{"a"}, false},
		{"rules alone", "http_request_firewall_custom: [" + blocking("a") + ", " + blocking("b") + "]\n", []string{"a", "b"}, false},
		{"a profile", "profiles: [api]\n", []string{"api.crawlers", "api.methods", "api.secrets", "api.scanners"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := LoadRules(filepath.Join(write(t, map[string]string{"rules.yaml": tt.text}), "rules.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			z := c.Zones[0]
			if diff := cmp.Diff(tt.rules, names(z.Rules.Firewall)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got := z.Limits.Requests != (spec.Rate{}); got != tt.limits {
				t.Errorf("limits: got %v, want %v", got, tt.limits)
			}
		})
	}
}
