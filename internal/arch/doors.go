package arch

import (
	"go/ast"
	"slices"
	"strconv"
	"strings"
)

// A door is the one folder that may import a heavy module, so that the module can be replaced there.
type door struct {
	module string // an import path or its beginning; with a "$" behind it, that path alone
	folder string
}

// shuts tells whether the door keeps a file of a folder from importing target.
func (d *door) shuts(target, dir string, test bool) bool {
	module, whole := strings.CutSuffix(d.module, "$")
	if whole && target != module || !strings.HasPrefix(target, module) {
		return false
	}
	return !under(dir, d.folder) && !(test && slices.Contains(oracles, d.module))
}

// doors of the house (design, rule 3 of the house).
var doors = []door{
	{"github.com/nats-io/", "internal/bus/natsbus"},
	{"github.com/quic-go/", "internal/request/h3"},
	{"github.com/corazawaf/", "internal/verdict/waf"},
	{"github.com/cilium/ebpf", "internal/packet/xdp"},
	{"github.com/google/nftables", "internal/packet/nft"},
	{"github.com/mdlayher/netlink", "internal/packet/nft"},
	{"database/sql", "internal/control/store"},
	{"modernc.org/sqlite", "internal/control/store"},
	{"github.com/jackc/pgx/", "internal/control/store"},
	{"github.com/pressly/goose/", "internal/control/store"},
	{"github.com/prometheus/", "internal/node/metrics"},
	{"github.com/caddyserver/certmagic", "internal/control/cert"},
	{"github.com/mholt/acmez", "internal/control/cert"},
	{"go.uber.org/zap", "internal/control/cert"},
	{"github.com/letsencrypt/pebble", "internal/control/cert/pebble"},
	{"github.com/goccy/go-yaml", "internal/spec/config"},
	{"github.com/fsnotify/fsnotify", "internal/node"},
	{"github.com/alecthomas/kong", "cmd/seawall"},
	{"github.com/klauspost/compress", "internal/cache/coding"},
	{"github.com/andybalholm/brotli", "internal/cache/coding"},
	{"github.com/oschwald/maxminddb-golang", "internal/verdict/geo"},
	{"github.com/maxmind/mmdbwriter", "internal/verdict/geo"}, // its tests
	{"github.com/refraction-networking/utls", "internal/drill/wire"},
	{http2, "internal/origin/h2client"},
}

// http2 is not hpack below it.
const http2 = "golang.org/x/net/http2$"

// oracles are what tests may import anywhere, to compare with what it does, or to speak frame by frame.
var oracles = []string{http2}

// doorProblems: a heavy module is imported behind its door only. Tests obey too, unless it is an oracle; plays and benchmarks stand
// outside, and may be clients of anything.
func doorProblems(h *House) []Problem {
	var problems []Problem
	for _, p := range h.Packages {
		if under(p.Dir, testDir) {
			continue
		}
		for _, f := range p.Files {
			for _, spec := range f.Imports {
				target, _ := strconv.Unquote(spec.Path.Value)
				for _, d := range doors {
					if d.shuts(target, p.Dir, f.Test) {
						problems = append(problems, h.problem(spec.Pos(), "%s belongs behind the door %s", target, d.folder))
					}
				}
			}
		}
	}
	return problems
}

// connFolders may handle connections; the other rooms see a flow.Exchange (design, rule 1 of the house).
var connFolders = []string{
	"loop", "internal/conn", "internal/hello", "internal/origin", "internal/node", "internal/drill", simDir, "cmd", testDir,
}

// connTypes of package net are what the other rooms never see.
var connTypes = []string{"Conn", "TCPConn", "UnixConn"}

// connProblems: net.Conn is named only where connections are handled, and in tests. It is names that are found: a
// connection passed along without ever being named would get by.
func connProblems(h *House) []Problem {
	var problems []Problem
	for _, p := range h.Packages {
		if underAny(p.Dir, connFolders) {
			continue
		}
		for _, f := range p.Files {
			if f.Test {
				continue
			}
			ast.Inspect(f.File, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok && slices.Contains(connTypes, sel.Sel.Name) && p.packageOf(sel.X) == "net" {
					problems = append(problems, h.problem(sel.Pos(), "%s names net.%s: it should see a flow.Exchange", p.Dir, sel.Sel.Name))
				}
				return true
			})
		}
	}
	return problems
}
