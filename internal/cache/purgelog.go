package cache

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// What is on the disk outlives the process, and so must the purges: the cache's folder has them in a file, one JSON object a line, in the order
// in which they came. Each is there, on the disk, before its receipt is given. A line that a crash has cut off is of a purge that had no receipt.

// purgeFile is the file's name in the cache's folder.
const purgeFile = "purges"

// mostPurgeLine bounds a line that is read, in bytes.
const mostPurgeLine = 64 << 10

// purgeLine is a purge in the file.
type purgeLine struct {
	Zone string `json:"zone"`
	purgeText
}

// notePurge writes a purge to the file, if there is a folder.
func (r *Room) notePurge(zone string, p purgeRecord) {
	if r.disk.Load() == nil {
		return
	}
	t := r.tier
	t.noting.Lock()
	defer t.noting.Unlock()
	err := r.appendPurge(zone, p)
	if t.noted++; err == nil && t.noted > mostPurges { // a client may cause some, by invalidations: the file must not grow for ever
		err = r.writePurges(filepath.Join(t.spec.Path, purgeFile))
	}
	if err != nil {
		r.tier.log.Error("a purge is in force, but will not outlive a restart", "zone", zone, "scope", p.key.scope, "error", err)
	}
}

func (r *Room) appendPurge(zone string, p purgeRecord) error {
	line, err := json.Marshal(purgeLine{zone, p.text()})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(r.tier.spec.Path, purgeFile), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Sync(), f.Close())
}

// recallPurges puts the file's purges in force, and writes those that count anew.
func (r *Room) recallPurges(folder string) error {
	path := filepath.Join(folder, purgeFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	err = r.readPurges(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return r.writePurges(path)
}

// writePurges writes the purges that count anew.
func (r *Room) writePurges(path string) (err error) {
	r.tier.noted = 0
	var text bytes.Buffer
	lines := json.NewEncoder(&text)
	r.purges.Range(func(zone, z any) bool {
		z.(*purges).each(func(p purgeRecord) { err = errors.Join(err, lines.Encode(purgeLine{zone.(string), p.text()})) })
		return true
	})
	return errors.Join(err, renameio.WriteFile(path, text.Bytes(), 0o600))
}

// readPurges puts the purges of lines in force. What can't be read may have been any purge: then nothing that is older than now is used.
func (r *Room) readPurges(from io.Reader) error {
	lines := bufio.NewReaderSize(from, mostPurgeLine)
	for {
		line, err := lines.ReadSlice('\n')
		if err == io.EOF { // also in a line that a crash has cut off
			return nil
		}
		if err != nil {
			return err
		}
		var l purgeLine
		if err := json.Unmarshal(line, &l); err != nil || l.Scope > PurgeTag {
			return fmt.Errorf("not a purge: %.40q", line)
		}
		r.purgesOf(l.Zone).add(l.record())
		r.ticks.Store(max(r.ticks.Load(), l.At))
	}
}

func (p *purgeRecord) text() purgeText {
	return purgeText{p.key.scope, p.key.host, p.key.text, p.at, p.soft}
}

func (p *purgeText) record() purgeRecord {
	return purgeRecord{purgeKey{p.Scope, p.Host, p.Text}, p.At, p.Soft}
}
