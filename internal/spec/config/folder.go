package config

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/seawall/seawall/internal/spec"
)

// zoneFile is a file of the folder, and the zone that it holds.
type zoneFile struct {
	zone zone
	sum  sum
	refs []ref
	// broken are files that it names and that can't be used.
	broken []*Problem
}

// ref is a file that another one names, as it was read.
type ref struct {
	name string
	most int64 // bytes
	sum  sum
}

const zoneSuffix = ".yaml"

// folder reads the files of the folder, those that have changed on all processors, and adds their zones in the order of their names.
func (l *Loader) folder(m *mainFile) *Problem {
	names, err := zoneNames(m.folder)
	if err != nil {
		return m.d.problem(m.folderLine, "zones_folder", "%v", err)
	}
	m.config.Files = append(m.config.Files, m.folder)
	read := make([]*zoneFile, len(names))
	var work errgroup.Group
	work.SetLimit(runtime.GOMAXPROCS(0))
	for i, name := range names {
		work.Go(func() error {
			path := filepath.Join(m.folder, name)
			if read[i] = l.files[path]; !m.reader.same(path, read[i]) {
				read[i] = m.reader.zone(path, m.defaults)
			}
			return nil
		})
	}
	_ = work.Wait() // what is wrong with a file is in it
	l.files = make(map[string]*zoneFile, len(names))
	for i, z := range read {
		path := filepath.Join(m.folder, names[i])
		l.files[path] = z
		m.config.Files = append(m.config.Files, path)
		m.watch(z.refs)
		m.config.Broken = append(m.config.Broken, z.broken...)
		if name := stem(names[i]); m.claim(name, z.zone.place) {
			m.add(name, z.zone)
		}
	}
	return nil
}

// zoneNames are the files of a folder that hold zones, or seem to: what is hidden (an editor's, for example) and folders do not.
func zoneNames(folder string) (names []string, err error) {
	f, err := os.Open(folder)
	if err != nil {
		return nil, unreadable(folder, err)
	}
	defer f.Close()
	entries, err := f.ReadDir(maxZones + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, unreadable(folder, err)
	}
	if len(entries) > maxZones {
		return nil, unreadable(folder, errors.New("it has too many files for one node"))
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	for _, e := range entries {
		name := e.Name()
		if ext := filepath.Ext(name); !e.IsDir() && name[0] != '.' && (ext == zoneSuffix || ext == ".yml") {
			names = append(names, name)
		}
	}
	return names, nil
}

// stem is a file's name without what comes last.
func stem(path string) string { return strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)) }

// same tells whether a file of the folder, and all files that it names, are as they were when z was read.
func (r *reader) same(path string, z *zoneFile) bool {
	if z == nil || r.sum(path, maxYAML) != z.sum {
		return false
	}
	return !slices.ContainsFunc(z.refs, func(f ref) bool { return r.sum(f.name, f.most) != f.sum })
}

// zone reads a file of the folder.
func (r *reader) zone(path string, defaults spec.Zone) *zoneFile {
	name := stem(path)
	z := &zoneFile{sum: r.sum(path, maxYAML)}
	z.zone.place.file = path
	root, p := r.parse(path)
	if z.zone.problem = p; p != nil {
		return z
	}
	d := newDecoder(r, path)
	z.zone = d.zone(root, name, defaults)
	if got := z.zone.Name; z.zone.problem == nil && got != name {
		z.zone.problem = d.problem(d.lineOf("name", root.line), "name", "%s is not the file's name: want %s, or no name here", clip(got), name)
	}
	if z.zone.problem == nil && filepath.Ext(path) != zoneSuffix {
		z.zone.problem = &Problem{File: path, Text: "does not end in .yaml: rename it to " + name + zoneSuffix}
	}
	for i := range d.refs {
		d.refs[i].sum = r.sum(d.refs[i].name, d.refs[i].most)
	}
	z.refs, z.broken = d.refs, d.broken
	return z
}
