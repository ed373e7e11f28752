package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

// script writes a completion to a file, and has the shell say whether it can read it.
func script(t *testing.T, shell string, k *kong.Kong) (path string) {
	t.Helper()
	if _, err := exec.LookPath(shell); err != nil {
		t.Skipf("needs %s: %v", shell, err)
	}
	var out bytes.Buffer
	if err := (&completion{Shell: shell}).Run(k, output{&out, nil}); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "completion")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command(shell, "-n", path).CombinedOutput(); err != nil || len(said) > 0 {
		t.Fatalf("%s -n: %v, %s", shell, err, said)
	}
	return path
}

// TestCompletionWhole: every shell learns all commands and flags of the program.
func TestCompletionWhole(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		t.Run(shell, func(t *testing.T) {
			k := program(t)
			text, err := os.ReadFile(script(t, shell, k))
			if err != nil {
				t.Fatal(err)
			}
			prefix := map[string]string{"bash": "--", "zsh": "--", "fish": "-l "}[shell]
			for _, u := range usageOf(k.Model.Node).All() {
				want := []string{u.Name}
				for _, f := range u.Flags() {
					want = append(want, prefix+f.Name)
				}
				for _, word := range want {
					if !bytes.Contains(text, []byte(word)) {
						t.Errorf("%s: %q is missing", u.Command, word)
					}
				}
			}
		})
	}
}

// complete asks a shell how the last word of a line goes on, in a folder with three files.
func complete(t *testing.T, shell, path string, line []string) (words []string) {
	t.Helper()
	ask := `source "$1"; shift; complete -p "$1" >/dev/null || exit
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _sample; printf '%s\n' "${COMPREPLY[@]}"`
	args := append([]string{"--norc", "--noprofile", "-c", ask, "bash", path}, line...)
	if shell == "fish" {
		typed := strings.ReplaceAll(strings.Join(line, " "), " = ", "=") // bash takes that for three words, fish for one
		args = []string{"--no-config", "-c", "source $argv[1]; complete -C $argv[2]", path, typed}
	}
	cmd := exec.Command(shell, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+cmd.Dir)
	for _, name := range []string{"a file", "b file"} {
		if err := os.WriteFile(filepath.Join(cmd.Dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(cmd.Dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || errs.Len() > 0 {
		t.Fatalf("%s: %v, %s", shell, err, errs.String())
	}
	for word := range strings.Lines(string(out)) {
		word, _, _ = strings.Cut(strings.TrimSuffix(word, "\n"), "\t") // fish says more
		if word = strings.ReplaceAll(strings.TrimSuffix(word, "/"), `\`, ""); word != "" {
			words = append(words, strings.TrimPrefix(word, "--mode="))
		}
	}
	slices.Sort(words)
	return words
}

func TestCompletion(t *testing.T) {
	tests := []struct {
		name string
		line string // the words, without the first; the last, which may be empty, is to be completed
		want []string
	}{
		{"commands", "", []string{"remote", "start"}},
		{"a command", "re", []string{"remote"}},
		{"a command below", "remote ", []string{"add", "drop"}},
		{"an argument's words", "remote add ", []string{"git", "http"}},
		{"an argument's files", "start ", []string{"a file", "b file", "sub"}},
		{"an argument's folders", "remote drop ", []string{"sub"}},
		{"flags", "start --", []string{"--data", "--help", "--log", "--mode", "--name", "--verbose"}},
		{"flags of a command that has no others", "remote add --", []string{"--help", "--verbose"}},
		{"a flag after another", "start --data sub --lo", []string{"--log"}},
		{"a flag after an argument", "start remote --lo", []string{"--log"}},
		{"a flag's words", "start --mode ", []string{"fast", "slow"}},
		{"a flag's words, after =", "start --mode = s", []string{"slow"}},
		{"a flag's files", "start --log a", []string{"a file"}},
		{"a flag's folders", "start --data ", []string{"sub"}},
		{"a value that can't be known", "start --name ", nil},
		{"a value that can't be known, in short", "start -n ", nil},
		{"flags before the command", "-v remote a", []string{"add"}},
		{"no hidden command", "inter", nil},
		{"no hidden flag", "start --sec", nil},
	}
	for _, shell := range []string{"bash", "fish"} {
		t.Run(shell, func(t *testing.T) {
			path := script(t, shell, sample(t))
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					got := complete(t, shell, path, strings.Split("sample "+tt.line, " "))
					if diff := cmp.Diff(tt.want, got); diff != "" {
						t.Errorf("%q: -want +got:\n%s", tt.line, diff)
					}
				})
			}
		})
	}
}

func TestQuote(t *testing.T) {
	for _, text := range []string{"plain", "it's", `C:\`, `\'`, "$(false) `false` !x", "*.example.org", ""} {
		for _, shell := range []string{"bash", "zsh", "fish"} {
			t.Run(shell+" "+text, func(t *testing.T) {
				if _, err := exec.LookPath(shell); err != nil {
					t.Skipf("needs %s: %v", shell, err)
				}
				got, err := exec.Command(shell, "-c", "printf %s "+quote(text)).Output()
				if err != nil || string(got) != text {
					t.Errorf("got %q, %v, want %q", got, err, text)
				}
			})
		}
	}
}
