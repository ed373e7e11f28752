package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/fsnotify/fsnotify"

	"github.com/seawall/seawall/internal/snapshot"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/spec/config"
)

// source is the file that a node's configuration comes from, with what it includes.
type source struct {
	path   string
	loader config.Loader
	files  []string // what was read last
}

// wanted is what is to be put in force.
type wanted struct {
	node     *spec.Node // nil to leave the node as it is
	zones    []spec.Zone
	keep     []string // zones that can't be read
	problems []error
	file     *config.Config // that it came from, or nil
}

// read fails only if nothing of the file can be used.
func (s *source) read() (*wanted, error) {
	c, err := s.loader.Load(s.path)
	if err != nil {
		return nil, err
	}
	s.files = c.Files
	w := &wanted{node: &c.Node, zones: c.Zones, file: c}
	if c.NodeProblem != nil {
		w.node = nil
		w.problems = append(w.problems, c.NodeProblem)
	}
	for _, p := range c.Broken {
		w.problems = append(w.problems, p)
	}
	for _, r := range c.Refused {
		w.keep = append(w.keep, r.Zone)
		w.problems = append(w.problems, fmt.Errorf("%w (zone %s)", r.Problem, r.Zone))
	}
	return w, nil
}

// Open starts a node with what a file says, and follows the file's changes until ctx ends. What can't be used of it is as it was in force
// last, according to the data folder: data, unless the file says another.
func Open(ctx context.Context, path, data string, log *slog.Logger) (*Node, error) {
	return openNode(ctx, nil, path, data, log)
}

func openNode(ctx context.Context, p *Process, path, data string, log *slog.Logger) (*Node, error) {
	s := &source{path: path, files: []string{path}}
	w, err := s.read()
	if err == nil && w.node != nil {
		data = w.node.Data
	}
	saved, savedErr := snapshot.LoadSaved(filepath.Join(data, savedFile))
	if err == nil && savedErr == nil && len(w.file.Broken) > 0 {
		s.loader.Remember(&saved.Node, values(saved.Zones))
		w, err = s.read()
	}
	switch {
	case err == nil && w.node != nil:
	case savedErr != nil:
		if err == nil {
			err = errors.Join(w.problems...)
		}
		return nil, fmt.Errorf("%w; and there is no other: %w", err, savedErr)
	case err != nil:
		log.Error("the configuration can't be used: starting with what was in force last", "error", err, "since", saved.Time)
		w = &wanted{node: &saved.Node, zones: values(saved.Zones)}
	default:
		w.node = &saved.Node
	}
	n := &Node{spec: *w.node, log: log, source: s, process: p}
	var before []spec.Zone
	if saved != nil {
		before, n.spec.Rules = values(saved.Zones), saved.Node.Rules // until those of the file have come in force
	}
	if n.watcher, err = fsnotify.NewWatcher(); err != nil {
		n.warn("changes of the configuration are not noticed: reload by SIGHUP", err)
	}
	n.watch() // nothing that changes from here on is missed
	if err := n.start(ctx, w, before); err != nil {
		return nil, err
	}
	if n.watcher != nil {
		go n.follow()
	}
	return n, nil
}

// Check tells what is wrong with a file, without putting anything in force.
func Check(path string) (*config.Config, []error) {
	w, err := (&source{path: path}).read()
	if err != nil {
		return nil, []error{err}
	}
	problems := w.problems
	n := &Node{spec: spec.DefaultNode(), log: slog.New(slog.DiscardHandler), keys: new(keys)}
	if w.node != nil {
		n.spec = *w.node
	}
	n.spec.Log.Path, n.spec.Log.Ring = "", 0
	if err := n.assemble(); err != nil {
		return w.file, append(problems, w.file.Explain("", err))
	}
	defer func() { _ = n.rooms.Record.Close() }()
	n.rooms.Origin.Close()                        // so that no health check begins
	n.rooms.Verdict.HTTPSPort = len(n.spec.HTTPS) // any but 0
	problems = append(problems, n.know(w)...)
	return w.file, append(problems, w.explain(n.snapshot.Apply(w.zones))...)
}

// explain gives zones' problems their places in the files, each a line.
func (w *wanted) explain(problems []error) (explained []error) {
	if w.file == nil {
		return problems
	}
	for _, err := range problems {
		refused, ok := errors.AsType[*snapshot.Refused](err)
		if !ok {
			explained = append(explained, err)
			continue
		}
		for _, p := range spec.Problems(refused.Err) {
			explained = append(explained, fmt.Errorf("%w (zone %s)", w.file.Explain(refused.Zone, p), refused.Zone))
		}
	}
	return explained
}

// restart are the node's keys that are wanted otherwise than they were at the start, and take effect at the next.
func (w *wanted) restart(started *spec.Node) (keys []string) {
	if w.node == nil {
		return nil
	}
	for _, c := range config.Diff(&config.Config{Node: *started}, &config.Config{Node: *w.node}) {
		if c.Restart {
			keys = append(keys, "node."+c.Key)
		}
	}
	return keys
}

// Diff tells what a reload of a file would change of what is in force, according to the data folder: data, unless the file says another.
// What of the file can't be read is among the problems.
func Diff(path, data string) (changes []config.Change, problems []error, err error) {
	w, err := (&source{path: path}).read()
	if err != nil {
		return nil, nil, err
	}
	if w.node != nil {
		data = w.node.Data
	}
	saved, err := snapshot.LoadSaved(filepath.Join(data, savedFile))
	if err != nil {
		return nil, w.problems, fmt.Errorf("%w; has a node run with this data folder?", err)
	}
	return config.Diff(&config.Config{Node: saved.Node, Zones: values(saved.Zones)}, w.file), w.problems, nil
}
