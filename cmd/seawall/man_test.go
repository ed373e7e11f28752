package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

func page(t *testing.T, name string, k *kong.Kong) string {
	t.Helper()
	var out bytes.Buffer
	if err := (&man{Page: name}).Run(k, output{&out, nil}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestManWhole: the page has a section for every command, and in it all its arguments and flags.
func TestManWhole(t *testing.T) {
	k := program(t)
	text := page(t, "seawall.1", k)
	sections := make(map[string]string)
	for _, section := range strings.Split(text, "\n.SS ")[1:] {
		title, body, _ := strings.Cut(section, "\n")
		title, _, _ = strings.Cut(title, ` \fI`)
		title, _, _ = strings.Cut(title, " [")
		sections[title], _, _ = strings.Cut(body, "\n.SH ")
	}
	for _, u := range usageOf(k.Model.Node).All() {
		if len(u.Children) > 0 {
			continue
		}
		body, ok := sections[roff(u.Command)]
		if !ok {
			t.Errorf("%q has no section", u.Command)
		}
		for _, a := range u.Arguments {
			if want := ".TP\n\\fI" + roff(a.Name) + "\\fR\n"; !strings.Contains(body, want) {
				t.Errorf("%s: argument %s is missing", u.Command, a.Name)
			}
		}
		for _, f := range u.Flags() {
			if want := `\fB\-\-` + roff(f.Name) + `\fR`; !strings.Contains(body, want) && f.Name != "help" {
				t.Errorf("%s: --%s is missing", u.Command, f.Name)
			}
		}
	}
	if want := `.BR \-\-help ", " \-h`; !strings.Contains(text, want) {
		t.Error("--help is missing")
	}
}

// TestManText looks at what is said of a sample's flags, as a reader sees it.
func TestManText(t *testing.T) {
	if _, err := exec.LookPath("groff"); err != nil {
		t.Skipf("needs groff: %v", err)
	}
	cmd := exec.Command("groff", "-man", "-ww", "-Tascii", "-P-cbou", "-rLL=200n")
	cmd.Stdin = strings.NewReader(page(t, "seawall.1", sample(t)))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got := strings.Join(strings.Fields(string(out)), " ")
	for _, want := range []string{
		"sample start file Start: it's all it does. file What to start. ",
		`-v, --verbose Say it's "more": [all] of C:\ and .x. `,
		"--mode MODE How. Default: fast. ",
		"--data DIR A folder. Default: /srv. ",
		"--log FILE A file. ",
		"Naming -n, --name NAME A name: 'any' [one]. ",
		"sample remote add kind ",
		"kind Which: git,http. ",
		"sample remote drop [path...] ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	if strings.Contains(got, "Nobody's") {
		t.Error("what is hidden is shown")
	}
}

// TestManRoff: roff has nothing to say against the pages.
func TestManRoff(t *testing.T) {
	for _, name := range []string{"seawall.1", "seawall.yaml.5"} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath("groff"); err != nil {
				t.Skipf("needs groff: %v", err)
			}
			cmd := exec.Command("groff", "-man", "-ww", "-Tutf8", "-z")
			cmd.Stdin = strings.NewReader(page(t, name, program(t)))
			if said, err := cmd.CombinedOutput(); err != nil || len(said) > 0 {
				t.Errorf("%v: %s", err, said)
			}
		})
	}
}

func TestRoff(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"plain", "plain", "plain"},
		{"hyphens stay as they are typed", "--flag", `\-\-flag`},
		{"a backslash", `\n`, `\en`},
		{"no request", ".SH", `\&.SH`},
		{"no request either", "'br", `\(aqbr`},
		{"one line", "a\n.SH b", "a .SH b"},
		{"beyond ASCII", "Zürich", `Z\[u00FC]rich`},
		{"the data folder", "in " + defaultData() + "/x", "in /var/lib/seawall/x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := roff(tt.text); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
