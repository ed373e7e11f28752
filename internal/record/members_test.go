package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// TestMembers wants every member of an entry to be known, in order, and to say what it tells.
func TestMembers(t *testing.T) {
	var want, got []string
	for field := range reflect.TypeFor[Entry]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		want = append(want, name)
	}
	for _, m := range Members() {
		got = append(got, m.Name)
		if m.Meaning == "" || strings.HasSuffix(m.Meaning, ".") {
			t.Errorf("%s: got %q, want what it tells", m.Name, m.Meaning)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestCheckLog(t *testing.T) {
	tests := []struct {
		name string
		log  spec.Log
		want []string // to be said; nil for no error
	}{
		{"default", spec.DefaultNode().Log, nil},
		{"some", spec.Log{Sample: 100, Fields: []string{"time", "sample", "error"}}, nil},
		{"unknown", spec.Log{Sample: 1, Fields: []string{"time", "user-agent"}}, []string{"log.fields: ", `"user-agent"`, "time, id, zone", "agent"}},
		{"empty", spec.Log{Sample: 1, Fields: []string{""}}, []string{"log.fields: ", `""`}},
		{"no sample", spec.Log{}, []string{"log.sample: 0 "}},
		{"negative sample", spec.Log{Sample: -1}, []string{"log.sample: -1 "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := CheckLog(&tt.log)
			if (err == nil) != (tt.want == nil) {
				t.Fatalf("got %v, want an error: %t", err, tt.want != nil)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %q in it", err, want)
				}
			}
		})
	}
}

// TestLogFields cuts the log's lines and not those that Find finds.
func TestLogFields(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	r, p := loggingAs(t, spec.Log{Path: path, Sample: 1, Fields: []string{"status", "id", "status", "refusal", "agent"}}, new(bytes.Buffer))
	f := hit()
	p.Add(f)
	g := refused(&flow.Refusal{Reason: flow.Denied, Status: 403, Rule: "lists.deny"})
	g.Request.ID = idOf(2)
	g.Request.Fields = []flow.Field{{Name: "User-Agent", Value: `a "quoted\",\\" one`}}
	p.Add(g)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"id":"%s","status":200,"agent":"%s"}
{"id":"%s","status":403,"refusal":"denied","agent":"a \"quoted\\\",\\\\\" one"}
`, idOf(1), hitEntry().Agent, idOf(2))
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("the log: -want +got:\n%s", diff)
	}
	line, _ := r.Find(idOf(1).String())
	if e, err := Parse(line); err != nil || e.Target != f.Request.Target {
		t.Errorf("found %s, want a whole line", line)
	}
}

// FuzzCut wants of any line what JSON's own reader makes of the wanted members.
func FuzzCut(f *testing.F) {
	f.Add("GET", "/", "curl/8", "evidence", uint64(0b1011), uint64(1))
	f.Add(`\`, `\\`, `\\\"`, `"`, ^uint64(0), uint64(100))
	f.Add("", `","agent":"`, `"}`, `,"sample":0}`, uint64(0), uint64(2))
	f.Add("{", "}", "[,]", ":", uint64(1)<<11, uint64(1<<40))
	f.Fuzz(func(t *testing.T, method, target, agent, detail string, chosen, sample uint64) {
		x := hit()
		x.Request.Method, x.Request.Target = method, target
		x.Request.Fields = []flow.Field{{Name: "user-agent", Value: agent}}
		y := refused(&flow.Refusal{Reason: flow.Denied, Status: 403, Detail: detail})
		r := &Room{sample: sample}
		var fields []string
		for i, m := range members {
			if chosen>>i&1 == 1 {
				fields = append(fields, m.Name)
			}
		}
		c := newCut(&spec.Log{Sample: int(min(sample, 1<<20)), Fields: fields})

		var in []byte
		var want []map[string]any
		for _, f := range []*flow.Flow{x, y, x} {
			from := len(in)
			in = r.appendLine(in, f, &shard{})
			var line map[string]any
			if err := json.Unmarshal(in[from:], &line); err != nil {
				t.Fatal(err)
			}
			if line["sample"] == 0.0 {
				continue
			}
			maps.DeleteFunc(line, func(name string, _ any) bool {
				return len(fields) > 0 && name != "sample" && !slices.Contains(fields, name)
			})
			want = append(want, line)
		}
		var got []map[string]any
		for text := range bytes.Lines(c.lines(in)) {
			var line map[string]any
			if err := json.Unmarshal(text, &line); err != nil {
				t.Fatalf("%v in %q", err, text)
			}
			got = append(got, line)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// BenchmarkCut is what a line costs the log's writer.
func BenchmarkCut(b *testing.B) {
	for _, bb := range []struct {
		name string
		log  spec.Log
	}{
		{"all", spec.Log{Sample: 1}},
		{"sample", spec.Log{Sample: 100}},
		{"fields", spec.Log{Sample: 1, Fields: []string{"time", "id", "client", "host", "target", "status", "bytes", "refusal"}}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			r := &Room{sample: uint64(bb.log.Sample)}
			c := newCut(&bb.log)
			line := r.appendLine(nil, hit(), &shard{})
			scratch := make([]byte, 0, 2*len(line))
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				c.lines(append(scratch[:0], line...))
			}
		})
	}
}

// TestMembersAreTheSpecs: what a configuration may name is what a line has.
func TestMembersAreTheSpecs(t *testing.T) {
	var names []string
	for _, m := range Members() {
		names = append(names, m.Name)
	}
	if diff := cmp.Diff(spec.LogFields(), names); diff != "" {
		t.Errorf("-spec +record:\n%s", diff)
	}
}
