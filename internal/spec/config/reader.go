package config

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"sync"

	"github.com/seawall/seawall/prefixes"
)

// The sizes of files, in bytes.
const (
	maxYAML = 16 << 20
	maxPEM  = 1 << 20
	maxList = 64 << 20
)

// reader reads files, each once.
type reader struct {
	mu    sync.Mutex
	files map[string]*content
	good  map[listKey]string // that lists had before
}

// content is what was in a file, or why it can't be read.
type content struct {
	text   string
	err    error
	sum    sum
	listed bool
	list   []netip.Prefix
}

// sum is the SHA-256 of a file, or of the error.
type sum [sha256.Size]byte

func newReader() *reader { return &reader{files: make(map[string]*content)} }

// text returns a file's text, if it is not longer than most.
func (r *reader) text(name string, most int64) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.get(name, most)
	return c.text, c.err
}

// sum tells one state of a file from another.
func (r *reader) sum(name string, most int64) sum {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.get(name, most).sum
}

// prefixes returns a file's prefixes. Who gets them must not change them.
func (r *reader) prefixes(name string) ([]netip.Prefix, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.get(name, maxList)
	if c.err == nil && !c.listed {
		c.list, c.err = prefixes.ParseList(name, strings.NewReader(c.text), maxPrefixes)
		c.listed = true
	}
	return c.list, c.err
}

// get finds a file that was read before, or reads it. Call it with mu held.
func (r *reader) get(name string, most int64) *content {
	c := r.files[name]
	if c == nil {
		c = new(content)
		c.text, c.err = read(name, most)
		if c.err != nil {
			c.sum = sha256.Sum256([]byte(c.err.Error()))
		} else {
			c.sum = sha256.Sum256([]byte(c.text))
		}
		r.files[name] = c
	}
	return c
}

func read(name string, most int64) (string, error) {
	info, err := os.Stat(name) // first: opening a pipe would wait for who writes
	if err != nil {
		return "", unreadable(name, err)
	}
	if !info.Mode().IsRegular() {
		return "", unreadable(name, errors.New("it is no regular file"))
	}
	f, err := os.Open(name)
	if err != nil {
		return "", unreadable(name, err)
	}
	defer f.Close()
	b := bytes.NewBuffer(make([]byte, 0, min(info.Size(), most)+bytes.MinRead))
	if n, err := b.ReadFrom(io.LimitReader(f, most+1)); err != nil {
		return "", unreadable(name, err)
	} else if n > most {
		return "", unreadable(name, fmt.Errorf("it has more than %d bytes", most))
	}
	return b.String(), nil
}

func unreadable(name string, err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return fmt.Errorf("%s cannot be read: %w", name, err)
}
