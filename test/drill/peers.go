package main

import (
	"context"
	"embed"
	"fmt"
	"os"
	"path/filepath"

	"github.com/seawall/seawall/internal/drill/scenario"
	"github.com/seawall/seawall/test/server"
)

// The sites that every proxy stands before.
const (
	ourHost       = "harbour.test"
	neighbourHost = "neighbour.test"
)

// A peer is a proxy as its experts set it.
type peer struct {
	name    string
	program string // as installed; empty for the one that was built
	config  string // in peers/
	profile string // of Seawall's
	version []string
	about   string // what the reader of the table has to know
	command func(program, config string, s setting) []string

	// What it can do with its own means, for the tests.
	caches bool
	limits bool // by address
	queues bool // what the origin has no worker for
}

// peers are in the order of the table.
var peers = []peer{
	{
		name: "seawall", config: "seawall.yaml", version: []string{"version"}, command: seawallCommand,
		about:  "as it comes: told where the sites are, how many workers they have, and where addresses are",
		caches: true, limits: true, queues: true,
	},
	{
		name: "seawall-website", config: "seawall.yaml", profile: "website", version: []string{"version"}, command: seawallCommand,
		about:  "the same with `profiles: [website]`",
		caches: true, limits: true, queues: true,
	},
	{
		name: "nginx", program: "nginx", config: "nginx.conf", version: []string{"-v"}, command: nginxCommand,
		about:  "`limit_req` and `limit_conn` by address, `proxy_cache` with lock and stale; it has no queue before an origin",
		caches: true, limits: true,
	},
	{
		name: "haproxy", program: "haproxy", config: "haproxy.cfg", version: []string{"-v"}, command: haproxyCommand,
		about:  "stick tables by address, its cache, `maxconn` with a queue before the site; it does not collapse misses",
		caches: true, limits: true, queues: true,
	},
	{
		name: "caddy", program: "caddy", config: "Caddyfile", version: []string{"version"}, command: caddyCommand,
		about:  "`max_conns_per_host` before the site; limits by address and a cache are modules of others, and it has none here",
		queues: true,
	},
}

func seawallCommand(program, config string, s setting) []string {
	return []string{program, "run", "--config", config, "--data", s.Dir}
}

func nginxCommand(program, config string, s setting) []string {
	return []string{program, "-e", "stderr", "-p", s.Dir, "-c", config}
}

func haproxyCommand(program, config string, _ setting) []string {
	return []string{program, "-db", "-f", config}
}

func caddyCommand(program, config string, _ setting) []string {
	return []string{program, "run", "--adapter", "caddyfile", "--config", config}
}

// A setting is what one proxy is told; the templates in peers/ read it.
type setting struct {
	Dir     string // holds all that the proxy writes, and chain.pem, key.pem and both.pem
	Root    bool   // we run as root
	HTTP    string // where it listens
	HTTPS   string
	Admin   string // where Seawall has its metrics
	Sites   [2]upstream
	Workers int    // of each site
	Geo     string // a file of networks
	Profile string
}

// An upstream is a site as a proxy knows it.
type upstream struct{ Host, Origin string }

//go:embed peers
var templates embed.FS

// newSetting makes a folder for a proxy, and finds it addresses.
func (p peer) newSetting(dir, geo string, site scenario.Site) (setting, error) {
	s := setting{Dir: dir, Root: os.Geteuid() == 0, Workers: site.Workers, Geo: geo, Profile: p.profile}
	if err := os.MkdirAll(filepath.Join(dir, "temp"), 0o700); err != nil {
		return s, err
	}
	if err := server.WriteCertificate(dir, ourHost, neighbourHost); err != nil {
		return s, err
	}
	s.Sites[0].Host, s.Sites[1].Host = ourHost, neighbourHost
	taken := map[string]bool{"": true}
	for _, address := range []*string{&s.HTTP, &s.HTTPS, &s.Admin, &s.Sites[0].Origin, &s.Sites[1].Origin} {
		for taken[*address] {
			var err error
			if *address, err = server.FreeAddress(); err != nil {
				return s, err
			}
		}
		taken[*address] = true
	}
	return s, nil
}

// launch starts a proxy on some cores ("": all), and returns when it accepts connections.
func (p peer) launch(ctx context.Context, cores, program string, s setting) (*server.Process, error) {
	config, err := server.Configure(templates, "peers/"+p.config, s.Dir, s)
	if err != nil {
		return nil, fmt.Errorf("configure %s: %w", p.name, err)
	}
	env := []string{"HOME=" + s.Dir, "XDG_CONFIG_HOME=" + s.Dir, "XDG_DATA_HOME=" + s.Dir} // Caddy writes there
	process, err := server.Start(ctx, cores, filepath.Join(s.Dir, "said"), env, p.command(program, config, s))
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	if err := process.WaitUntilReady(ctx, s.HTTPS); err != nil {
		process.Stop()
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	return process, nil
}
