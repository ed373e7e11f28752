package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// folder is what a disk tier needs of the system; tests put one in its place that fails.
type folder interface {
	// lock makes the folder this process's own, until release; it fails with errInUse if it is another's.
	lock() (release func(), err error)
	// list names the files.
	list() ([]string, error)
	// open opens a file for reading and writing, and makes it if asked to.
	open(name string, create bool) (file, error)
	remove(name string) error
	rename(from, to string) error
	// load reads a small file whole, and save replaces one in one step.
	load(name string) ([]byte, error)
	save(name string, text []byte) error
}

// file is an open one.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// tryReadAt fills p with what is in the page cache at an offset, or fails with ErrWouldWait.
	tryReadAt(p []byte, off int64) error
	// cached tells whether the page cache has a part, and descriptor by what the kernel knows the file.
	cached(off, n int64) bool
	descriptor() int
	size() (int64, error)
	Truncate(size int64) error
	Sync() error
}

// ErrWouldWait tells that a read would have to wait for the disk, or that the system can't tell whether it would.
var ErrWouldWait = errors.New("reading would wait")

var errInUse = errors.New("another process uses the folder")

// osFolder is a folder of the operating system.
type osFolder string

func (f osFolder) path(name string) string { return filepath.Join(string(f), name) }

func (f osFolder) lock() (func(), error) {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return nil, err
	}
	l, err := os.OpenFile(f.path(lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lockWhole(l); err != nil {
		l.Close()
		return nil, err
	}
	return func() { l.Close() }, nil
}

func (f osFolder) list() (names []string, err error) {
	entries, err := os.ReadDir(string(f))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (f osFolder) open(name string, create bool) (file, error) {
	flags := os.O_RDWR
	if create {
		flags |= os.O_CREATE
	}
	o, err := os.OpenFile(f.path(name), flags, 0o600)
	if err != nil {
		return nil, err
	}
	return &osFile{o, int(o.Fd())}, nil
}

func (f osFolder) remove(name string) error {
	if err := os.Remove(f.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (f osFolder) rename(from, to string) error { return os.Rename(f.path(from), f.path(to)) }

func (f osFolder) load(name string) ([]byte, error) { return os.ReadFile(f.path(name)) }

func (f osFolder) save(name string, text []byte) error {
	if err := renameio.WriteFile(f.path(name), text, 0o600); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

// osFile is a file of the operating system. Its descriptor is asked for once: it stays until Close.
type osFile struct {
	*os.File
	fd int
}

func (f *osFile) descriptor() int { return f.fd }

func (f *osFile) size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
