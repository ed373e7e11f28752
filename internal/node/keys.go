package node

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// The files in the data folder.
const (
	sealFile  = "seal.key"
	tokenFile = "admin.token"
	adminFile = "admin.address"
)

// keys are the node's secrets, kept in its data folder and made there at the first start.
type keys struct {
	seal  [32]byte // seals the evidence in refusals' ids
	token string   // opens the admin listener
}

func openKeys(folder string) (*keys, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w; choose another with --data", err)
	}
	k := &keys{}
	seal, err := secret(filepath.Join(folder, sealFile))
	if err != nil {
		return nil, err
	}
	copy(k.seal[:], seal)
	token, err := secret(filepath.Join(folder, tokenFile))
	if err != nil {
		return nil, err
	}
	k.token = hex.EncodeToString(token)
	return k, nil
}

// secret reads 32 bytes in hexadecimal, or makes them.
func secret(path string) ([]byte, error) {
	b, err := readSecret(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	b = make([]byte, 32)
	rand.Read(b)
	if err := renameio.WriteFile(path, []byte(hex.EncodeToString(b)+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("writing a key: %w; choose another data folder with --data", err)
	}
	return b, nil
}

func readSecret(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading a key: %w", err)
	}
	b, err := hex.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil || len(b) != 32 {
		return nil, fmt.Errorf("reading a key: %s does not hold 64 hexadecimal digits; delete it to have a new one made", path)
	}
	return b, nil
}
