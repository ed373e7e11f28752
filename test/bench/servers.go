package main

import (
	"context"
	"embed"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/test/server"
)

// A setting is what one server is told; the templates in peers/ read it.
type setting struct {
	Dir       string // holds all that the server writes, and chain.pem, key.pem and both.pem
	Store     string // holds what has to be on a disk; else it is Dir
	Files     string // folder of the site's files
	Root      bool   // the bench runs as root
	Address   string // where the server listens
	Admin     string // where Seawall has its metrics
	Origin    string // address
	Sink      string // address that takes a log over TCP, and writes it to Log
	Log       string // access log
	Size      int    // of the body, in bytes
	Cacheable bool
	Cache     int    // most that it stores, in MiB
	Disk      int    // the same on a disk; 0 for no disk
	Tags      string // that the origin gives
	Waits     bool   // for another request that asks the origin for the same
	TLS       bool
	HTTP2     bool
	Stall     time.Duration // how long clients may stand still; 0 for as long as possible
	Resume    bool
	Refuse    refusal
}

// A kind is a server that can be measured.
type kind struct {
	name    string
	program string // as installed; empty for the one that was built
	config  string // in peers/; empty if the command says all
	sink    bool   // it logs to setting.Sink
	env     []string
	command func(program, config string, s setting) []string
	logger  func(s setting) []string         // of a second process, which writes the log; nil if there is none
	hit     func(http.Header) bool           // whether the response says that it is from the cache; nil if the server doesn't say
	cannot  func(scenario) string            // why the server has no part in a scenario; nil if it has one in all
	note    func(scenario) string            // what the reader of the table has to know; nil for nothing
	fill    func(scenario) (connections int) // of one address that have to be open before it is refused; nil for none
}

const seawall = "seawall"

var kinds = []kind{
	{
		name:    seawall, // sets its threads itself, by the cores it may use
		config:  "seawall.yaml",
		command: seawallCommand,
		hit:     func(h http.Header) bool { return strings.Contains(h.Get("Cache-Status"), "; hit") },
		fill: func(s scenario) int {
			if s.refuse == refuseConnections {
				return spec.DefaultNode().Connections.PerSource
			}
			return 0
		},
	},
	{
		name:    "nginx",
		program: "nginx",
		config:  "nginx.conf",
		command: nginxCommand,
		hit:     func(h http.Header) bool { return h.Get("X-Cache-Status") == "HIT" },
		cannot: func(s scenario) string {
			switch s.client {
			case churning, playing:
				return "its cache is on disk"
			case purging:
				return "it has no tags"
			}
			return ""
		},
	},
	{
		name:    "haproxy",
		program: "haproxy",
		config:  "haproxy.cfg",
		sink:    true,
		command: func(program, config string, _ setting) []string { return []string{program, "-db", "-f", config} },
		cannot: func(s scenario) string {
			switch s.client {
			case spreading:
				return "its cache is in memory"
			case playing:
				return "its cache drops what is oldest, whoever asks for it"
			case purging:
				return "it has no tags"
			case collapsing:
				return "it asks the origin for each request"
			}
			return ""
		},
	},
	{
		name:    "varnish",
		program: "varnishd",
		config:  "varnish.vcl",
		command: varnishCommand,
		logger:  varnishLogger,
		hit:     func(h http.Header) bool { return strings.Contains(h.Get("X-Varnish"), " ") }, // its own number, and that of who stored
		cannot: func(s scenario) string {
			switch {
			case s.tls:
				return "it has no TLS"
			case s.refuse == refuseConnections:
				return "it refuses requests, not connections"
			case s.refuse == refuseExcess:
				return "its limits are a module of others"
			case s.client == spreading:
				return "its cache is in memory"
			case s.client == purging:
				return "its tags are a module of others"
			}
			return ""
		},
		note: func(s scenario) string {
			if s.client == churning {
				return "what its processes share counts in each of them"
			}
			return ""
		},
	},
	{
		name:    "caddy",
		program: "caddy",
		config:  "Caddyfile",
		env:     []string{"GOMAXPROCS=1"},
		command: func(program, config string, _ setting) []string {
			return []string{program, "run", "--adapter", "caddyfile", "--config", config}
		},
		cannot: func(s scenario) string {
			switch {
			case slices.Contains([]client{churning, spreading, playing, purging, collapsing}, s.client):
				return "it has no cache"
			case s.refuse == refuseExcess:
				return "its limits are a module of others"
			}
			return ""
		},
		note: func(s scenario) string {
			if s.cacheable && s.refuse == refuseNothing {
				return "a file: it has no cache"
			}
			return ""
		},
	},
}

// origin stands behind every server.
var origin = kind{name: "origin", program: "nginx", config: "origin.conf", command: nginxCommand}

func seawallCommand(program, config string, s setting) []string {
	if s.Stall > 0 || s.Refuse == refuseExcess { // there are no flags for that
		return []string{program, "run", "--config", config, "--data", s.Dir}
	}
	command := []string{
		program, "protect", "http://" + s.Origin, "--data", s.Store, "--log", s.Log, "--admin", s.Admin,
		"--limit", "1000000/s", "--limit-burst", "1000000", // the highest that can be set
		"--busy-limit", "1000000/s", "--busy-limit-burst", "1000000",
		"--origin-concurrency", "128", "--cache-size", strconv.Itoa(s.Cache),
	}
	if s.TLS {
		command = append(command, "--http", "off", "--https", s.Address, "--certificate", s.Dir+"/chain.pem:"+s.Dir+"/key.pem")
	} else {
		command = append(command, "--http", s.Address, "--https", "off")
	}
	if s.Refuse == refuseRequests {
		command = append(command, "--deny", "127.0.0.1")
	}
	if s.Disk > 0 {
		command = append(command, "--cache-disk", strconv.Itoa(s.Disk)+"MiB")
	}
	return command
}

func nginxCommand(program, config string, s setting) []string {
	return []string{program, "-e", "stderr", "-p", s.Dir, "-c", config}
}

// varnishCommand has one pool of threads for the one core. Without a jail it runs as who started it, as the others do.
func varnishCommand(program, config string, s setting) []string {
	command := []string{
		program, "-F", "-j", "none", "-n", s.Dir, "-a", s.Address, "-f", config, "-s", fmt.Sprintf("malloc,%dm", s.Cache),
		"-p", "thread_pools=1", "-p", "timeout_idle=3600",
		"-p", "nuke_limit=100000", // else a large object finds no room among small ones, and is not stored
	}
	if s.HTTP2 {
		command = append(command, "-p", "feature=+http2")
	}
	return command
}

func varnishLogger(s setting) []string {
	return []string{
		"varnishncsa", "-n", s.Dir, "-a", "-w", s.Log, "-F",
		`{"time":"%t","client":"%h","method":"%m","host":"%{Host}i","target":"%U%q","proto":"%H","status":%s,"bytes":"%b",` +
			`"us":%D,"cache":"%{Varnish:handling}x"}`,
	}
}

//go:embed peers
var templates embed.FS

// configure writes the server's configuration.
func (k kind) configure(s setting) (path string, err error) {
	if k.config == "" {
		return "", nil
	}
	return server.Configure(templates, "peers/"+k.config, s.Dir, s)
}

// launch starts the server, and what writes its log. With cores they are pinned to them.
func (k kind) launch(ctx context.Context, program, cores string, s setting) ([]*server.Process, error) {
	config, err := k.configure(s)
	if err != nil {
		return nil, fmt.Errorf("configure %s: %w", k.name, err)
	}
	env := append([]string{"HOME=" + s.Dir, "XDG_CONFIG_HOME=" + s.Dir, "XDG_DATA_HOME=" + s.Dir}, k.env...) // Caddy writes there
	p, err := server.Start(ctx, cores, filepath.Join(s.Dir, k.name+".out"), env, k.command(program, config, s))
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", k.name, err)
	}
	processes := []*server.Process{p}
	err = p.WaitUntilReady(ctx, s.Address)
	if err == nil && k.logger != nil {
		if p, err = server.Start(ctx, cores, filepath.Join(s.Dir, k.name+"-log.out"), nil, k.logger(s)); err == nil {
			processes = append(processes, p)
		}
	}
	if err == nil {
		err = pinned(processes, cores)
	}
	if err != nil {
		for _, p := range processes {
			p.Stop()
		}
		return nil, fmt.Errorf("start %s: %w", k.name, err)
	}
	return processes, nil
}
