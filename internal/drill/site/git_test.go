package site

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The real git clones the repository in either version of its protocol, finds nothing wrong with it, and has nothing to
// fetch afterwards.
func TestGitClones(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	s, err := Start(tiny, "127.0.0.1:0", "harbour.test", fixed(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, version := range []string{"0", "2"} {
		t.Run("version "+version, func(t *testing.T) {
			dir := t.TempDir()
			git := func(args ...string) string {
				t.Helper()
				cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir, "-c", "protocol.version=" + version}, args...)...)
				cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_TERMINAL_PROMPT=0")
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("git %v: %v: %s", args, err, out)
				}
				return string(out)
			}
			git("clone", "--quiet", s.URL()+"/harbour.git", ".")
			git("fsck", "--strict")
			if got := git("fetch"); got != "" {
				t.Errorf("git fetch: %s", got)
			}
			if got, want := git("log", "--format=%s %D"), "Tides of the harbour, every station HEAD -> main, origin/main, origin/HEAD\nTides of the harbour tag: v1\n"; got != want {
				t.Errorf("log:\n%swant:\n%s", got, want)
			}
			b, err := os.ReadFile(filepath.Join(dir, "tides", "station-07.txt"))
			if err != nil || !strings.HasPrefix(string(b), TidesAt(7)) {
				t.Errorf("tides/station-07.txt: %.40q, %v", b, err)
			}
		})
	}
}

// The drill's own git gets from the site what it expects, to the byte.
func TestClone(t *testing.T) {
	s, err := Start(tiny, "127.0.0.1:0", "harbour.test", fixed(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, step := range fixed().Repository.Clone() {
		q, err := http.NewRequestWithContext(t.Context(), step.Method, s.URL()+step.Target, bytes.NewReader(step.Body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Git-Protocol", "version=2")
		q.Header.Set("Content-Type", step.ContentType)
		r, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || r.StatusCode != http.StatusOK || !bytes.Equal(got, step.Want) {
			t.Errorf("%s %s: %d, %d bytes, %v; want 200 and %d", step.Method, step.Target, r.StatusCode, len(got), err, len(step.Want))
		}
	}
	if n := s.Counts().ByKind[Git].Unknown; n != 3 {
		t.Errorf("%d requests of git, want 3", n)
	}
}

func TestGitAnswers(t *testing.T) {
	r := fixed().Repository
	want := "want " + r.head
	tests := []struct{ name, body, answer, wrong string }{
		{"version 0, still haggling", packets(want+" ofs-delta\n") + flush + packets("have "+r.tag+"\n"), "0008NAK\n", ""},
		{"version 0, no side band", packets(want+"\n") + flush + packets("done\n"), "0008NAK\nPACK", ""},
		{"version 0", packets(want+" side-band-64k ofs-delta\n") + flush + packets("done\n"), "0008NAK\nfff0\x01PACK", ""},
		{"version 2, still haggling", packets("command=fetch") + delim + packets(want, "have "+r.tag) + flush, "0014acknowledgments\n0008NAK\n0000", ""},
		{"version 2", packets("command=fetch\n") + delim + packets(want, "done") + flush, "000dpackfile\nfff0\x01PACK", ""},
		{"version 2, list", packets("command=ls-refs\n") + flush, "0050" + r.head + " HEAD symref-target:refs/heads/main\n", ""},
		{"unknown commit", packets("want "+strings.Repeat("0", 40)+"\n") + flush, "", "not our ref"},
		{"short name", packets("want 12\n") + flush, "", "not our ref"},
		{"unknown command", packets("command=object-info\n") + flush, "", "no command"},
		{"cut off", "00", "", "ends within"},
		{"no length", "zzzz", "", "no packet's length"},
		{"too long", "00ffx", "", "5 are there"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := r.answer([]byte(tt.body))
			if !bytes.HasPrefix(got, []byte(tt.answer)) {
				t.Errorf("got %.80q, want %q", got, tt.answer)
			}
			if tt.wrong == "" && err != nil || tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong)) {
				t.Errorf("error %v, want %q", err, tt.wrong)
			}
		})
	}
}

func FuzzReadPackets(f *testing.F) {
	for _, s := range fixed().Repository.Clone() {
		f.Add(s.Body)
	}
	f.Add([]byte("0003"))
	f.Add([]byte("0004"))
	f.Fuzz(func(t *testing.T, b []byte) {
		lines, err := readPackets(b)
		if err != nil {
			return
		}
		again, err := readPackets([]byte(packets(lines...)))
		if err != nil || len(again) != len(lines) {
			t.Errorf("%d lines written and read again: %d, %v", len(lines), len(again), err)
		}
	})
}
