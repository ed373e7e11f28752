package main

import (
	"fmt"
	"runtime/debug"
	"strings"
	"text/template"
	"time"

	"github.com/alecthomas/kong"

	"github.com/seawall/seawall/internal/spec/config"
)

// man is the command line of a manual page.
type man struct {
	Page string `arg:"" optional:"" default:"seawall.1" enum:"seawall.1,seawall.yaml.5" help:"The page: ${enum}."`
}

// Run prints the page in roff, with the macros of man(7).
func (m *man) Run(k *kong.Kong, o output) error {
	t, err := template.New(m.Page+".tmpl").Funcs(template.FuncMap{"roff": roff, "join": strings.Join}).ParseFS(templates, "templates/"+m.Page+".tmpl")
	if err != nil {
		return fmt.Errorf("manual page %s: %w", m.Page, err)
	}
	sections, err := sectionsOf(config.Schema())
	if err != nil {
		return fmt.Errorf("manual page %s: %w", m.Page, err)
	}
	version, date := built()
	return t.Execute(o.out, struct {
		*usage
		Sections      []*section
		Version, Date string
	}{usageOf(k.Model.Node), sections, version, date})
}

// built is the version that the program was made of, and the day of that version.
func built() (version, date string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", ""
	}
	for _, s := range info.Settings {
		if t, err := time.Parse(time.RFC3339, s.Value); err == nil && s.Key == "vcs.time" {
			date = t.Format(time.DateOnly)
		}
	}
	return info.Main.Version, date
}

// serviceData is the data folder of the system's service.
const serviceData = "/var/lib/seawall"

// roff makes a text one line that roff prints as it stands. Pages are for all users, so a data folder in them is the service's, not that of
// who has them printed.
func roff(text string) string {
	text = strings.ReplaceAll(strings.Join(strings.Fields(text), " "), defaultData(), serviceData)
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(text)
	var b strings.Builder
	if strings.HasPrefix(text, ".") {
		b.WriteString(`\&`) // or it would be a request
	}
	for _, r := range text {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\[u%04X]`, r)
		}
	}
	return b.String()
}

// Said is the help, with a default that it doesn't name.
func (f flag) Said() string { return said(f.Value) }

// Said is the help, with a default that it doesn't name.
func (a argument) Said() string { return said(a.Positional) }

func said(v *kong.Value) string {
	if v.Default == "" || v.IsBool() || strings.Contains(v.OrigHelp, "Default") || strings.Contains(v.OrigHelp, "${default}") {
		return v.Help
	}
	return v.Help + " Default: " + v.Default + "."
}
