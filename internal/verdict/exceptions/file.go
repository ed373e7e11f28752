package exceptions

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/google/renameio/v2"
)

// maxFile bounds the file that keeps exceptions, in bytes: more than [Most] of them take.
const maxFile = 16 << 20

// Open puts the exceptions in force that a file keeps, and keeps all further ones there. One that is not there has none. It fails if the
// file can't be read; then it is written anew with the next change.
func (r *Room) Open(path string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.path = path
	kept, err := read(path)
	if err != nil {
		return fmt.Errorf("reading what was undone: %w", err)
	}
	now := time.Now()
	r.all = slices.DeleteFunc(kept, func(e Exception) bool { return e.check(now) != nil })
	slices.SortFunc(r.all, func(a, b Exception) int { return a.Until.Compare(b.Until) })
	r.all = slices.Delete(r.all, 0, max(len(r.all)-Most, 0))
	r.enforce()
	return nil
}

func read(path string) (kept []Exception, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, maxFile)).Decode(&kept); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return kept, nil
}

// keep replaces the file, whole or not at all.
func (r *Room) keep() error {
	if r.path == "" {
		return nil
	}
	text, err := json.MarshalIndent(r.all, "", " ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(r.path, append(text, '\n'), 0o600)
}
