// Command seawall keeps a website up under attack. It parses the command line and calls the node.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/seawall/seawall/internal/node"
	"github.com/seawall/seawall/internal/spec"
)

// Exit codes.
const (
	exitFailed  = 1 // something went wrong; what, is said on standard error
	exitUsage   = 2 // the command line is wrong
	exitUnknown = 3 // explain: nothing is known of the id; upgrade: there is no node that can be upgraded
)

type commands struct {
	Protect    protect         `cmd:"" help:"Protect a website: serve it from here, with its origin behind."`
	Run        runNode         `cmd:"" help:"Run a node with the zones that a file configures."`
	Upgrade    upgrade         `cmd:"" help:"Hand a running node over to a new version of the program, without a lost connection."`
	Check      check           `cmd:"" help:"Check a configuration."`
	Diff       diff            `cmd:"" help:"Show what a reload of the configuration would change."`
	Schema     schema          `cmd:"" help:"Print the configuration's JSON Schema, for editors."`
	Replay     replayLog       `cmd:"" help:"Run a log through rules: what they would have done, and to whom."`
	Rule       ruleCommands    `cmd:"" help:"About rules."`
	Profile    profileCommands `cmd:"" help:"About profiles: ready rules for sites of a kind."`
	Origin     originCommands  `cmd:"" help:"About origins."`
	Explain    explain         `cmd:"" help:"Explain what happened to a request, by the id that its response shows."`
	Undo       undo            `cmd:"" help:"Let through for a time what is refused: an address, or all that a rule is about."`
	Rules      listRules       `cmd:"" help:"List the rules in force with what they have matched."`
	Packets    packetCommands  `cmd:"" help:"About the packet filter: what is dropped below TCP."`
	Purge      purge           `cmd:"" help:"Drop from the cache: URLs, prefixes, hosts, tags or everything of a zone."`
	Cache      cacheCommands   `cmd:"" help:"About the cache."`
	Drill      drillCommands   `cmd:"" help:"Play an attack, with visitors, against Seawall or any proxy on this machine, and score who was hurt."`
	Demo       demo            `cmd:"" help:"Show on this machine how a small site fares under a flood, bare and behind Seawall. Takes a minute."`
	Completion completion      `cmd:"" help:"Print a script that teaches a shell to complete commands and flags."`
	Man        man             `cmd:"" hidden:"" help:"Print a manual page."`
	Version    version         `cmd:"" help:"Print the version."`
}

const about = `Seawall keeps websites up under attack.

A site under attack right now: seawall protect http://127.0.0.1:3000

Many sites, from a file: seawall run --config seawall.yaml

What it does, in a minute: seawall demo`

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the whole program; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	var c commands
	exit := -1
	parser, err := kong.New(&c,
		kong.Name("seawall"),
		kong.Description(about),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exit = code }),
		kong.Vars{"data": defaultData(), "config": defaultConfig, "acme": spec.LetsEncrypt},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		fmt.Fprintln(stderr, "seawall:", err)
		return exitFailed
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if exit >= 0 { // --help has been answered
		return exit
	}
	if err != nil {
		fmt.Fprintf(stderr, "seawall: %v\nTry: seawall --help\n", err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	command.BindTo(ctx, (*context.Context)(nil))
	command.Bind(output{stdout, stderr})
	return code(command.Run(), stderr)
}

// output is where a command writes.
type output struct{ out, err io.Writer }

func code(err error, stderr io.Writer) int {
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errNotHeld): // which has been shown
		return exitFailed
	case errors.As(err, &usage):
		fmt.Fprintln(stderr, "seawall:", err)
		return exitUsage
	case errors.Is(err, errUnknown), errors.Is(err, node.ErrNoUpgrade):
		fmt.Fprintln(stderr, "seawall:", err)
		return exitUnknown
	}
	fmt.Fprintln(stderr, "seawall:", err)
	return exitFailed
}

// usageError is a mistake on the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// defaultConfig is where the Debian package has the configuration.
const defaultConfig = "/etc/seawall/seawall.yaml"

// defaultData is where a node keeps its keys if it is not told: a system folder for root, else one in the user's home.
func defaultData() string {
	if os.Geteuid() == 0 {
		return "/var/lib/seawall"
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "seawall")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "state", "seawall")
	}
	return filepath.Join(os.TempDir(), "seawall")
}
