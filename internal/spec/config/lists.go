package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/seawall/seawall/internal/spec"
)

// mixed decodes a list of prefixes with names of lists among them.
func (d *decoder) mixed(n *node, prefixes, names reflect.Value, f *field, key string) *Problem {
	var named []string
	if f.rule.appended {
		named = slices.Clip(names.Interface().([]string))
	}
	rest := *n
	rest.items = nil
	for _, item := range n.items {
		name, ok := strings.CutPrefix(item.text, "$")
		if item.kind == text && ok {
			named = append(named, name)
			continue
		}
		rest.items = append(rest.items, item)
	}
	names.Set(reflect.ValueOf(named))
	return d.prefixes(&rest, prefixes.Addr().Interface().(*[]netip.Prefix), f, key)
}

// listed is the text of a list: this one, or that of a file. Why that can't be read is kept for who checks the whole.
func (d *decoder) listed(s, key string) string {
	if s == "" || strings.Contains(s, "\n") {
		return s
	}
	name := d.beside(s)
	d.refs = append(d.refs, ref{name: name, most: maxList})
	s, err := d.reader.text(name, maxList)
	d.pending[key] = listFile{name, err}
	return s
}

// listFile is a file that a key of the section names that is being decoded, and why it can't be read.
type listFile struct {
	name string
	err  error
}

// named checks a list. If only its file is wrong, it is as it was.
func (d *decoder) named(l *spec.List, line int, path string) *Problem {
	inline := *l
	inline.File = ""
	if _, err := inline.Contents(""); err != nil {
		key := d.join(path, "values")
		return d.problem(d.lineOf(key, line), key, "%s", oneLine(err))
	}
	before, known := d.reader.good[listKey{d.of, l.Name}]
	err := d.pending["file"].err
	if err == nil && (!known || string(l.File) != before) {
		_, err = l.Contents(d.source(path, "file"))
	}
	if err != nil {
		l.File = spec.ListText(d.stays(before, known, err, line, d.join(path, "file")))
	}
	clear(d.pending)
	return nil
}

// crawler checks a crawler's ranges and keys likewise.
func (d *decoder) crawler(c *spec.Crawler, line int, path string) *Problem {
	before, known := d.reader.good[listKey{ofCrawlers, c.Name}]
	err := d.pending["ranges"].err
	if err == nil {
		_, err = c.Prefixes(d.source(path, "ranges"))
	}
	if err != nil {
		c.Ranges = spec.FileText(d.stays(before, known, err, line, d.join(path, "ranges")))
	}
	before, known = d.reader.good[listKey{ofKeys, c.Name}]
	if err = d.pending["keys"].err; err == nil {
		_, err = c.PublicKeys(d.source(path, "keys"))
	}
	if err != nil {
		c.Keys = spec.FileText(d.stays(before, known, err, line, d.join(path, "keys")))
	}
	clear(d.pending)
	return nil
}

// source is where the text of a list comes from.
func (d *decoder) source(path, key string) string {
	if f, ok := d.pending[key]; ok {
		return f.name
	}
	return path
}

// stays says that a list's file can't be used, and returns what takes its place.
func (d *decoder) stays(before string, known bool, err error, line int, key string) string {
	outcome := "it is empty until that is mended"
	if known {
		outcome = "it stays as it was"
	}
	full := key
	switch d.of {
	case "":
		full = d.join("node", key)
	case ofDefaults:
		full = d.join("defaults", key)
	}
	d.broken = append(d.broken, d.problem(d.lineOf(key, line), full, "%s: %s", oneLine(err), outcome))
	return before
}

func oneLine(err error) string { return strings.ReplaceAll(fmt.Sprint(err), "\n", "; ") }
