package main

import (
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/spec"
)

// program is Seawall's own command line.
func program(t *testing.T) *kong.Kong {
	t.Helper()
	k, err := kong.New(new(commands), kong.Name("seawall"), kong.Description(about),
		kong.Vars{"data": defaultData(), "config": defaultConfig, "acme": spec.LetsEncrypt})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// sample is a command line with one of each sort.
func sample(t *testing.T) *kong.Kong {
	t.Helper()
	type grammar struct {
		Verbose bool `short:"v" help:"Say it's \"more\": [all] of C:\\ and .x."`
		Start   struct {
			File   string   `arg:"" type:"path" help:"What to start."`
			Mode   string   `enum:"fast,slow" default:"fast" help:"How."`
			Name   []string `short:"n" placeholder:"NAME" group:"Naming" help:"A name: 'any' [one]."`
			Data   string   `placeholder:"DIR" default:"/srv" help:"A folder."`
			Log    string   `placeholder:"FILE" help:"A file."`
			Secret string   `hidden:"" help:"Nobody's business."`
		} `cmd:"" help:"Start: it's all it does."`
		Remote struct {
			Add struct {
				Kind string `arg:"" enum:"git,http" help:"Which: ${enum}."`
			} `cmd:"" help:"Add one."`
			Drop struct {
				Path []string `arg:"" optional:"" type:"existingdir" help:"What to drop."`
			} `cmd:"" help:"Drop one."`
		} `cmd:"" help:"About remotes."`
		Internal struct{} `cmd:"" hidden:"" help:"Nobody's business."`
	}
	k, err := kong.New(new(grammar), kong.Name("sample"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestUsageOf(t *testing.T) {
	got := make(map[string][]string)
	for _, u := range usageOf(sample(t).Model.Node).All() {
		got[u.Command] = []string{}
		for _, g := range u.Groups {
			for _, f := range g.Flags {
				got[u.Command] = append(got[u.Command], g.Title+"/"+f.Name+" "+f.ValueName()+f.Action())
			}
		}
		for _, a := range u.Arguments {
			got[u.Command] = append(got[u.Command], a.Name+a.Action())
		}
	}
	want := map[string][]string{
		"sample": {"/help  ", "/verbose  "},
		"sample start": {
			"/help  ", "/verbose  ", "/mode MODE(fast slow)", "/data DIR_files -/", "/log FILE_files", "Naming/name NAME ", "file_files",
		},
		"sample remote":      {"/help  ", "/verbose  "},
		"sample remote add":  {"/help  ", "/verbose  ", "kind(git http)"},
		"sample remote drop": {"/help  ", "/verbose  ", "path_files -/"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
