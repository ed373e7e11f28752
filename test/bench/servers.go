package main

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
)

// A setting is what one server is told; the templates in peers/ read it.
type setting struct {
	Dir       string // holds all that the server writes, and chain.pem, key.pem and both.pem
	Root      bool   // the bench runs as root
	Address   string // where the server listens
	Admin     string // where Seawall has its metrics
	Origin    string // address
	Sink      string // address that takes a log over TCP, and writes it to Log
	Log       string // access log
	Size      int    // of the body, in bytes
	Cacheable bool
	TLS       bool
}

// A kind is a server that can be measured.
type kind struct {
	name    string
	program string // as installed; empty for the one that was built
	config  string // in peers/; empty if the command says all
	sink    bool   // it logs to setting.Sink
	env     []string
	command func(program, config string, s setting) []string
	hit     func(http.Header) bool // whether the response says that it is from the cache; nil if the server doesn't say
}

const seawall = "seawall"

var kinds = []kind{
	{
		name: seawall,
		env:  []string{"GOMAXPROCS=1"},
		command: func(program, _ string, s setting) []string {
			listen := []string{"--http", s.Address, "--https", "off"}
			if s.TLS {
				listen = []string{"--http", "off", "--https", s.Address, "--certificate", s.Dir + "/chain.pem:" + s.Dir + "/key.pem"}
			}
			return append([]string{
				program, "protect", "http://" + s.Origin, "--data", s.Dir, "--log", s.Log, "--admin", s.Admin,
				"--limit", "1000000/s", "--limit-burst", "1000000", // the highest that can be set
				"--origin-limit", "1000000/s", "--origin-limit-burst", "1000000",
				"--origin-concurrency", "128",
			}, listen...)
		},
		hit: func(h http.Header) bool { return strings.Contains(h.Get("Cache-Status"), "; hit") },
	},
	{
		name:    "nginx",
		program: "nginx",
		config:  "nginx.conf",
		command: nginxCommand,
		hit:     func(h http.Header) bool { return h.Get("X-Cache-Status") == "HIT" },
	},
	{
		name:    "haproxy",
		program: "haproxy",
		config:  "haproxy.cfg",
		sink:    true,
		command: func(program, config string, _ setting) []string { return []string{program, "-db", "-f", config} },
	},
}

// origin stands behind every server.
var origin = kind{name: "origin", program: "nginx", config: "origin.conf", command: nginxCommand}

func nginxCommand(program, config string, s setting) []string {
	return []string{program, "-e", "stderr", "-p", s.Dir, "-c", config}
}

// find is the path of a program, which Debian may keep where only root looks.
func find(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		if path, sbin := exec.LookPath("/usr/sbin/" + program); sbin == nil {
			return path, nil
		}
	}
	return path, err
}

//go:embed peers
var templates embed.FS

// configure writes the server's configuration.
func (k kind) configure(s setting) (path string, err error) {
	if k.config == "" {
		return "", nil
	}
	t, err := template.New(k.config).Option("missingkey=error").ParseFS(templates, "peers/"+k.config)
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	if err := t.Execute(&text, s); err != nil {
		return "", err
	}
	path = filepath.Join(s.Dir, k.config)
	return path, os.WriteFile(path, text.Bytes(), 0o600)
}

// launch starts the server. With a core it is pinned to it.
func (k kind) launch(ctx context.Context, program, core, address string, s setting) (*process, error) {
	config, err := k.configure(s)
	if err != nil {
		return nil, fmt.Errorf("configure %s: %w", k.name, err)
	}
	said := filepath.Join(s.Dir, k.name+".out")
	p, err := start(ctx, core, said, address, k.env, k.command(program, config, s))
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", k.name, err)
	}
	return p, nil
}
