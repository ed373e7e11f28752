package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenLog(t *testing.T) {
	const text = "a line\nanother\n"
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"a.log": text, "a.log.gz": packed.String()} {
		l, err := openLog(file(t, name, content))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(l.text)
		l.close()
		if err != nil || string(got) != text {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, text)
		}
		if l.size != int64(len(content)) || l.read != l.size {
			t.Errorf("%s: got %d of %d bytes, want %d", name, l.read, l.size, len(content))
		}
	}
	if _, err := openLog(file(t, "b.log.gz", text)); err == nil {
		t.Error("got no error for what is not packed")
	}
}

func TestBar(t *testing.T) {
	var out bytes.Buffer
	b := &bar{to: &out, log: &logFile{size: 200, read: 50}, begun: time.Now().Add(-time.Second)}
	b.show(1024)
	b.show(2048) // too soon
	b.clear()
	if got := out.String(); !strings.HasPrefix(got, "\r[#######.......................]  25%  1024 lines, ") || strings.Contains(got, "2048") ||
		!strings.HasSuffix(got, "\r\x1b[K") {
		t.Errorf("got %q", got)
	}
	out.Reset()
	b = &bar{to: &out, log: &logFile{}, begun: time.Now().Add(-time.Second)}
	if b.show(1024); !strings.HasPrefix(out.String(), "\r1024 lines, ") {
		t.Errorf("of unknown size: got %q", out.String())
	}
	if b = newBar(&out, &logFile{}); b.to != nil {
		t.Error("got a bar where there is no terminal")
	}
}

// TestRuleTest: 0 for what holds, 1 for what does not, 2 for a mistake, which is shown in its place.
func TestRuleTest(t *testing.T) {
	request := file(t, "request", "GET /a HTTP/1.1\nHost: a.test\n\n")
	tests := []struct {
		name, expression string
		code             int
		out, err         string
	}{
		{"holds", `http.host eq "a.test"`, 0, "http.host eq \"a.test\" = true\n  http.host = \"a.test\"\n", ""},
		{"holds not", `http.host eq "b.test"`, 1, "http.host eq \"b.test\" = false\n  http.host = \"a.test\"\n", ""},
		{"unknown field", `ssl and http.hots eq "x"`, 2, "", "seawall: column 9: unknown field http.hots: did you mean http.host?\n  ssl and http.hots eq \"x\"\n          ^\n"},
		{"second line", "ssl and\n\té" + ` eq "x"`, 2, "", "\n  \t\u00e9 eq \"x\"\n  \t^\n"},
		{"empty", " ", 2, "", "seawall: the expression is empty\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out, err bytes.Buffer
			if code := run([]string{"rule", "test", tt.expression, "--request", request}, &out, &err); code != tt.code {
				t.Errorf("code: got %d, want %d", code, tt.code)
			}
			if out.String() != tt.out {
				t.Errorf("out: got %q, want %q", out.String(), tt.out)
			}
			if !strings.HasSuffix(err.String(), tt.err) || tt.err == "" && err.Len() > 0 {
				t.Errorf("err: got %q, want it to end with %q", err.String(), tt.err)
			}
		})
	}
}

// TestSamples are bounded: they are what memory grows with.
func TestSamples(t *testing.T) {
	var out, err bytes.Buffer
	code := run([]string{"replay", "--log", "-", "--profile", "api", "--samples", "1001"}, &out, &err)
	if code != exitUsage || !strings.Contains(err.String(), "--samples: 1001: want 0 to 1000") {
		t.Errorf("got %d, %s", code, err.String())
	}
}
