package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/spec/config"
)

func TestSectionsOf(t *testing.T) {
	const schema = `{
		"properties": {
			"node": {"$ref": "#/$defs/node"},
			"defaults": {"$ref": "#/$defs/defaults"},
			"zones": {"items": {"$ref": "#/$defs/zone"}, "description": "The zones."}
		},
		"$defs": {
			"defaults": {"description": "What zones start from.", "properties": {"hosts": {}}},
			"node": {"properties": {
				"tls": {"$ref": "#/$defs/tls"},
				"http": {"type": ["array"], "items": {"type": "string"}, "description": "Ports.", "default": [":80", ":81"]},
				"fields": {"items": {"enum": ["time", "id"]}, "description": "Members."}
			}},
			"zone": {"properties": {
				"action": {"enum": ["", "block", "log"], "default": "block", "description": "What to do."},
				"max": {"default": 5, "description": "How many."},
				"on": {"default": false, "description": "Whether."},
				"tls": {"$ref": "#/$defs/tls"}
			}},
			"tls": {"properties": {"ca": {"description": "Whom to trust."}}}
		}
	}`
	sections, err := sectionsOf([]byte(schema))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range sections {
		got = append(got, "# "+strings.Join(s.Paths, ", "))
		for _, k := range s.Keys {
			got = append(got, k.Key+": "+k.Said())
		}
	}
	want := []string{
		"# ", "node: ", "defaults: What zones start from.", "zones: The zones.",
		"# node", "tls: ", "http: Ports. Default: :80 :81.", "fields: Members. Values: time, id.",
		"# node.tls, zones[].tls", "ca: Whom to trust.",
		"# zones[]", "action: What to do. Values: block, log. Default: block.", "max: How many. Default: 5.",
		"on: Whether. Default: false.", "tls: ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := sectionsOf([]byte(`{"properties": {"node": 5}}`)); err == nil {
		t.Error("nonsense is no error")
	}
}

// TestManYAMLWhole: every section and key of the configuration is in the page.
func TestManYAMLWhole(t *testing.T) {
	sections, err := sectionsOf(config.Schema())
	if err != nil || len(sections) < 10 {
		t.Fatalf("%d sections, %v", len(sections), err)
	}
	text := page(t, "seawall.yaml.5", program(t))
	for _, s := range sections {
		for _, path := range s.Paths {
			if !strings.Contains(text, roff(path)) {
				t.Errorf("section %s is missing", path)
			}
		}
		for _, k := range s.Keys {
			if !strings.Contains(text, "\n.TP\n.B "+roff(k.Key)+"\n"+roff(k.Said())+"\n") {
				t.Errorf("%v: %s is missing", s.Paths, k.Key)
			}
		}
	}
}

func FuzzSectionsOf(f *testing.F) {
	f.Add([]byte(`{"properties": {"a": {"items": {"$ref": "#/$defs/b"}}}, "$defs": {"b": {"properties": {"c": {"$ref": "#/$defs/b"}}}}}`))
	f.Add([]byte(`{"properties": {"a": {"enum": ["x"], "default": [1]}}}`))
	f.Add([]byte(`{"properties": null}`))
	f.Fuzz(func(t *testing.T, schema []byte) {
		sections, err := sectionsOf(schema)
		if err == nil && (len(sections) == 0 || sections[0].Paths != nil) {
			t.Errorf("got %v, want the keys of the top first", sections)
		}
		for _, s := range sections {
			for _, k := range s.Keys {
				k.Said()
			}
		}
	})
}
