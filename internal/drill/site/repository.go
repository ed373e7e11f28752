package site

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1" //nolint:gosec // git names objects so
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
)

// Repository is a small git repository that is cloned over smart HTTP. It holds two commits with a file for each station.
type Repository struct {
	head string // name of the commit that main is at
	tag  string // and of the one tagged v1
	pack []byte
}

// Types of objects in a pack (gitformat-pack).
const (
	objectCommit = 1
	objectTree   = 2
	objectBlob   = 3
)

// newRepository writes the repository: what git calls commits, trees and blobs.
func newRepository(rng *rand.Rand, words Lexicon) *Repository {
	p := &packWriter{}
	var files []treeEntry
	for n := range Stations {
		name := fmt.Sprintf("station-%02d.txt", n)
		files = append(files, treeEntry{"100644", name, p.add(objectBlob, []byte(TidesAt(n)+prose(rng, words)))})
	}
	tides := p.add(objectTree, encodeTree(files))
	commit := func(readme, parent string, when int64) string {
		about := p.add(objectBlob, []byte(readme))
		tree := p.add(objectTree, encodeTree([]treeEntry{{"100644", "README.md", about}, {"40000", "tides", tides}}))
		who := fmt.Sprintf("Harbour Post <post@harbour.test> %d +0000", when)
		text := fmt.Sprintf("tree %s\n%sauthor %s\ncommitter %s\n\n%s", tree, parent, who, who, readme)
		return p.add(objectCommit, []byte(text))
	}
	first := commit("Tides of the harbour\n", "", 1772344800)
	second := commit("Tides of the harbour, every station\n", "parent "+first+"\n", 1772431200)
	return &Repository{head: second, tag: first, pack: p.bytes()}
}

type treeEntry struct{ mode, name, object string }

// encodeTree encodes a tree; entries come sorted by name.
func encodeTree(entries []treeEntry) []byte {
	var b []byte
	for _, e := range entries {
		b = fmt.Appendf(b, "%s %s\x00", e.mode, e.name)
		b, _ = hex.AppendDecode(b, []byte(e.object)) // a name is hexadecimal
	}
	return b
}

// packWriter gathers whole objects, no deltas.
type packWriter struct {
	count   uint32
	objects bytes.Buffer
}

// add appends an object and returns its name.
func (p *packWriter) add(kind byte, data []byte) string {
	p.count++
	rest := len(data) >> 4
	first := kind<<4 | byte(len(data)&15)
	for rest > 0 { // the size: 4 bits, then 7 a byte
		p.objects.WriteByte(first | 0x80)
		first, rest = byte(rest&127), rest>>7
	}
	p.objects.WriteByte(first)
	z := zlib.NewWriter(&p.objects)
	_, _ = z.Write(data) // into memory: never fails
	_ = z.Close()
	name := [...]string{objectCommit: "commit", objectTree: "tree", objectBlob: "blob"}[kind]
	sum := sha1.Sum(append(fmt.Appendf(nil, "%s %d\x00", name, len(data)), data...)) //nolint:gosec // as above
	return hex.EncodeToString(sum[:])
}

func (p *packWriter) bytes() []byte {
	b := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), p.count)
	b = append(b, p.objects.Bytes()...)
	sum := sha1.Sum(b) //nolint:gosec // as above
	return append(b, sum[:]...)
}

// refs is what there is, as ls-refs tells it.
func (r *Repository) refs() []string {
	return []string{
		r.head + " HEAD symref-target:refs/heads/main\n",
		r.head + " refs/heads/main\n",
		r.tag + " refs/tags/v1\n",
	}
}

// has reports whether a commit may be asked for by name.
func (r *Repository) has(commit string) bool {
	commit = strings.TrimSpace(commit)
	return commit == r.head || commit == r.tag
}
