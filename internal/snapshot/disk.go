package snapshot

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/renameio/v2"

	"github.com/seawall/seawall/internal/spec"
)

// Saved is what a node had in force, as it is kept on disk. It needs none of the files it came from.
type Saved struct {
	Time  time.Time
	Node  spec.Node
	Zones []*spec.Zone
}

// maxSaved bounds the file, in bytes.
const maxSaved = 1 << 30

// Save replaces the file at path, which may hold private keys, whole or not at all.
func Save(path string, saved *Saved) error {
	text, err := json.Marshal(saved)
	if err != nil {
		return fmt.Errorf("keeping what is in force: %w", err)
	}
	if err := renameio.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("keeping what is in force: %w", err)
	}
	return nil
}

// LoadSaved reads what Save has written.
func LoadSaved(path string) (*Saved, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading what was in force: %w", err)
	}
	defer f.Close()
	saved := new(Saved)
	if err := json.NewDecoder(io.LimitReader(f, maxSaved)).Decode(saved); err != nil {
		return nil, fmt.Errorf("reading what was in force: %s: %w", path, err)
	}
	return saved, nil
}
