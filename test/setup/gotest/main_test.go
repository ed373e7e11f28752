package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRelay(t *testing.T) {
	tests := []struct {
		name   string
		events []string
		want   string
		skips  []skip
	}{
		{
			name: "pass",
			events: []string{
				`{"Action":"run","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: chatter\n"}`,
				`{"Action":"pass","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Output":"PASS\n"}`,
				`{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}`,
				`{"Action":"pass","Package":"p"}`,
			},
			want: "ok  \tp\t0.1s\n",
		},
		{
			name: "fail",
			events: []string{
				`{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: wrong\n"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"--- FAIL: TestA (0.00s)\n"}`,
				`{"Action":"fail","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Output":"FAIL\n"}`,
				`{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			want: "    a_test.go:1: wrong\n--- FAIL: TestA (0.00s)\nFAIL\nFAIL\tp\t0.1s\n",
		},
		{
			name: "killed while running",
			events: []string{
				`{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"panic: test timed out\n"}`,
				`{"Action":"output","Package":"pp","Test":"TestB","Output":"still running\n"}`,
				`{"Action":"output","Package":"p","Output":"FAIL\tp\t600s\n"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			want: "FAIL\tp\t600s\npanic: test timed out\n",
		},
		{
			name: "does not build",
			events: []string{
				`{"ImportPath":"p","Action":"build-output","Output":"p/a.go:1: undefined: x\n"}`,
				`{"ImportPath":"p","Action":"build-fail"}`,
				`{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}`,
				`{"Action":"fail","Package":"p","FailedBuild":"p"}`,
			},
			want: "p/a.go:1: undefined: x\nFAIL\tp [build failed]\n",
		},
		{
			name: "skip",
			events: []string{
				`{"Action":"output","Package":"p","Test":"TestA/b","Output":"=== RUN   TestA/b\n"}`,
				`{"Action":"output","Package":"p","Test":"TestA/b","Output":"    a_test.go:1: needs root:\n"}`,
				`{"Action":"output","Package":"p","Test":"TestA/b","Output":"        a namespace\n"}`,
				`{"Action":"output","Package":"p","Test":"TestA/b","Output":"    --- SKIP: TestA/b (0.00s)\n"}`,
				`{"Action":"skip","Package":"p","Test":"TestA/b"}`,
				`{"Action":"skip","Package":"p","Test":"TestC"}`,
				`{"Action":"output","Package":"q","Output":"?   \tq\t[no test files]\n"}`,
				`{"Action":"skip","Package":"q"}`,
			},
			want:  "?   \tq\t[no test files]\n",
			skips: []skip{{"p TestA/b", "a_test.go:1: needs root: a namespace"}, {"p TestC", "no reason given"}},
		},
		{
			name:   "the go command complains",
			events: []string{`no required module provides package x`},
			want:   "no required module provides package x\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			skips, err := relay(strings.NewReader(strings.Join(tt.events, "\n")+"\n"), &out)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.skips, skips, cmp.AllowUnexported(skip{})); diff != "" {
				t.Errorf("skips (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAllowed(t *testing.T) {
	present := func(path string) bool { return path == "../shared/data/log/here.log" }
	tests := []struct {
		reason string
		want   bool
	}{
		{"a_test.go:1: needs root", false},
		{"a_test.go:1: no ../shared/data", true},
		{"a_test.go:1: open ../../../shared/data/pcap/gone.pcap: no such file or directory", true},
		{"a_test.go:1: don't like ../../shared/data/log/here.log.", false},
	}
	for _, tt := range tests {
		if got := (skip{"p TestA", tt.reason}).allowed(present); got != tt.want {
			t.Errorf("%q: got %v, want %v", tt.reason, got, tt.want)
		}
	}
}

// A real module, a real go test: its status, its list of skips, and what becomes of them when nothing may be skipped.
func TestRun(t *testing.T) {
	module := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.org/m\n\ngo 1.26\n",
		"a_test.go": "package m\n\nimport \"testing\"\n\n" +
			"func TestFail(t *testing.T) { t.Fail() }\n" +
			"func TestSkip(t *testing.T) { t.Skip(\"no moon tonight\") }\n",
	} {
		if err := os.WriteFile(filepath.Join(module, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name   string
		run    string
		noSkip bool
		status int
		err    string
		list   string
	}{
		{"fail", "TestFail", true, 1, "", ""},
		{"skip", "TestSkip", false, 0, "", "  example.org/m TestSkip: a_test.go:6: no moon tonight\n"},
		{"no skip", "TestSkip", true, 0, "no moon tonight", "  example.org/m TestSkip: a_test.go:6: no moon tonight\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(module)
			list := filepath.Join(t.TempDir(), "skipped")
			status, err := run(io.Discard, []string{"-run", tt.run, "."}, list, tt.noSkip)
			if status != tt.status {
				t.Errorf("status: got %d, want %d", status, tt.status)
			}
			if (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error: got %v, want %q", err, tt.err)
			}
			got, _ := os.ReadFile(list)
			if diff := cmp.Diff(tt.list, string(got)); diff != "" {
				t.Errorf("list (-want +got):\n%s", diff)
			}
		})
	}
}
