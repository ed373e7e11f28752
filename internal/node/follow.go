package node

import (
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settleTime is how long files have to be left alone before they are read again: a change is often several.
const settleTime = 200 * time.Millisecond

// follow reloads when the files of the configuration change, until the watcher is closed.
func (n *Node) follow() {
	settled := time.NewTimer(0)
	<-settled.C
	for {
		select {
		case e, ok := <-n.watcher.Events:
			if !ok {
				return
			}
			if !e.Has(fsnotify.Chmod) && n.concerns(e.Name) {
				settled.Reset(settleTime)
			}
		case err, ok := <-n.watcher.Errors: // such as more events than the kernel keeps: something may have changed
			if !ok {
				return
			}
			n.log.Warn("watching the configuration", "error", err)
			settled.Reset(settleTime)
		case <-settled.C:
			n.Reload()
		}
	}
}

// concerns tells whether a changed path may change what is read: a file, what lies in a folder of files, or the link by which some
// systems exchange them all at once.
func (n *Node) concerns(path string) bool {
	n.reloading.Lock()
	defer n.reloading.Unlock()
	return slices.Contains(n.source.files, path) || slices.Contains(n.source.files, filepath.Dir(path)) || filepath.Base(path) == "..data"
}

// watch follows the folders in which files were read, and no others. Folders are watched, as files are often replaced.
//
// The caller holds reloading.
func (n *Node) watch() {
	if n.watcher == nil {
		return
	}
	folders := make(map[string]bool)
	for _, file := range n.source.files {
		folders[filepath.Dir(file)] = true
		folders[file] = true // if it is one
	}
	for _, old := range n.watcher.WatchList() {
		if !folders[old] {
			_ = n.watcher.Remove(old)
		}
	}
	for folder := range folders {
		if info, err := os.Stat(folder); err == nil && info.IsDir() {
			if err := n.watcher.Add(folder); err != nil {
				n.log.Warn("changes are not noticed here: reload by SIGHUP", "folder", folder, "error", err)
			}
		}
	}
}
