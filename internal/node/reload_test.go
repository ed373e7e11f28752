package node

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// files are a node's configuration in a folder of the test's.
type files struct {
	*testing.T
	folder, data, origin string
}

// newFiles has an origin that answers with the host it is asked for.
func newFiles(t *testing.T) *files {
	t.Helper()
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host) }))
	t.Cleanup(origin.Close)
	return &files{t, t.TempDir(), t.TempDir(), origin.URL}
}

func (f *files) path() string { return filepath.Join(f.folder, "seawall.yaml") }

// write puts down the main file, with zones in the form of zone.
func (f *files) write(zones ...string) {
	f.Helper()
	text := "node:\n  http: ['127.0.0.1:0']\n  https: []\n  admin: ''\n  data: " + f.data + "\n  cache: {size: 8MiB, object: 1MiB}\nzones:\n"
	f.writeFile(f.path(), text+strings.Join(zones, ""))
}

func (f *files) writeFile(path, text string) {
	f.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		f.Fatal(err)
	}
}

// zone is a zone of the file, with one host and maybe more keys.
func (f *files) zone(name, host string, more ...string) string {
	z := fmt.Sprintf("  - name: %s\n    hosts: [%s]\n    origin: {url: %q}\n", name, host, f.origin)
	for _, line := range more {
		z += "    " + line + "\n"
	}
	return z
}

// open starts a node from the files until the test ends.
func (f *files) open() (*Node, *events) {
	f.Helper()
	log := new(events)
	n, err := Open(f.Context(), f.path(), f.data, log.logger())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := n.Shutdown(context.Background()); err != nil {
			f.Errorf("shutdown: got %v", err)
		}
	})
	return n, log
}

// served tells which hosts are.
func served(t *testing.T, n *Node, hosts ...string) map[string]bool {
	t.Helper()
	got := make(map[string]bool)
	for _, host := range hosts {
		status, _, body := visit(t, n.Listening()[0].Address, host, "/")
		if got[host] = status == http.StatusOK; got[host] && body != host {
			t.Errorf("%s: got %q from the origin", host, body)
		}
	}
	return got
}

func TestReload(t *testing.T) {
	f := newFiles(t)
	f.write(f.zone("a", "a.test"), f.zone("b", "b.test"), f.zone("c", "c.test"))
	n, log := f.open()
	n.watcher.Close() // the test says when
	if got := served(t, n, "a.test", "b.test", "c.test", "d.test"); !got["a.test"] || !got["b.test"] || !got["c.test"] || got["d.test"] {
		t.Fatalf("got %v, want the three zones to be served", got)
	}

	// One is mended in a way that breaks it, one has another host, one goes, one comes, and one's mistake only a room can find.
	f.write(f.zone("a", "a.test", "budget: {concurent: 5}"), f.zone("b", "new.test"), f.zone("d", "d.test"),
		f.zone("e", "e.test", "https: {redirect: true}"))
	r := n.Reload()
	want := map[string]bool{"a.test": true, "b.test": false, "new.test": true, "c.test": false, "d.test": true, "e.test": false}
	if diff := cmp.Diff(want, served(t, n, "a.test", "b.test", "new.test", "c.test", "d.test", "e.test")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for i, where := range []string{f.path() + ":11: budget.concurent: ", f.path() + ":21: https.redirect: this node does not listen for HTTPS"} {
		if i >= len(r.Problems) || !strings.HasPrefix(r.Problems[i], where) {
			t.Errorf("got problems %q, want one that begins with %q", r.Problems, where)
		}
	}
	if said := log.with("msg=refused"); len(said) != 2 {
		t.Errorf("got %q in the log, want both problems", said)
	}

	// A file that can't be used changes nothing, and is good again when it is mended.
	f.writeFile(f.path(), "zones: [")
	if r := n.Reload(); r.Error == "" || !strings.Contains(r.Error, f.path()+":1") {
		t.Errorf("got %+v, want an error with its place", r)
	}
	if got := served(t, n, "a.test", "new.test"); !got["a.test"] || !got["new.test"] {
		t.Errorf("got %v, want all to be as it was", got)
	}
	f.write(f.zone("a", "a.test"))
	if r := n.Reload(); r.Error != "" || len(r.Problems) > 0 {
		t.Errorf("got %+v, want no problem", r)
	}
	if last, good, failed := n.Reloads(); good != 3 || failed != 2 || last.Error != "" {
		t.Errorf("got %+v, %d good and %d failed, want 3 and 2", last, good, failed)
	}
}

// TestRestartKeys: what can't change while the node runs is named, and the rest changes.
func TestRestartKeys(t *testing.T) {
	f := newFiles(t)
	f.write(f.zone("a", "a.test"))
	n, _ := f.open()
	n.watcher.Close()
	text, err := os.ReadFile(f.path())
	if err != nil {
		t.Fatal(err)
	}
	f.writeFile(f.path(), strings.Replace(string(text), "node:\n", "node:\n  name: other\n  connections: {per_source: 7}\n", 1)+f.zone("b", "b.test"))
	r := n.Reload()
	if diff := cmp.Diff([]string{"node.name", "node.connections.per_source"}, r.Restart); diff != "" || r.Error != "" || len(r.Problems) > 0 {
		t.Errorf("got %+v, -want +got:\n%s", r, diff)
	}
	if got := served(t, n, "a.test", "b.test"); !got["a.test"] || !got["b.test"] {
		t.Errorf("got %v, want both zones", got)
	}
}

// TestLastGood starts nodes whose files are gone or broken, over a data folder that knows better.
func TestLastGood(t *testing.T) {
	tests := []struct {
		name   string
		change func(f *files)
		want   map[string]bool
		says   string
	}{
		{"file gone", func(f *files) { os.Remove(f.path()) }, map[string]bool{"a.test": true, "b.test": true}, "level=ERROR"},
		{"file broken", func(f *files) { f.writeFile(f.path(), "zones: [") }, map[string]bool{"a.test": true, "b.test": true}, "level=ERROR"},
		{"node broken", func(f *files) {
			f.writeFile(f.path(), "node: {data: "+f.data+", nonsense: 1}\nzones:\n"+f.zone("b", "b.test"))
		}, map[string]bool{"a.test": false, "b.test": true}, "node.nonsense"},
		{"zone broken", func(f *files) { f.write(f.zone("a", "a.test", "nonsense: 1"), f.zone("c", "c.test")) },
			map[string]bool{"a.test": true, "b.test": false, "c.test": true}, "nonsense"},
		{"zone that can't be compiled", func(f *files) { f.write(f.zone("a", "a.test", "https: {redirect: true}")) },
			map[string]bool{"a.test": true, "b.test": false}, "https.redirect"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFiles(t)
			f.write(f.zone("a", "a.test"), f.zone("b", "b.test"))
			n, err := Open(t.Context(), f.path(), f.data, new(events).logger())
			if err != nil {
				t.Fatal(err)
			}
			if err := n.Shutdown(context.Background()); err != nil {
				t.Fatal(err)
			}
			tt.change(f)
			n, log := f.open()
			hosts := make([]string, 0, len(tt.want))
			for host := range tt.want {
				hosts = append(hosts, host)
			}
			if diff := cmp.Diff(tt.want, served(t, n, hosts...)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if len(log.with(tt.says)) == 0 {
				t.Errorf("the log does not say %q", tt.says)
			}
		})
	}
}

// TestOpenFails: without anything to go by, a node does not start, and says why.
func TestOpenFails(t *testing.T) {
	tests := []struct {
		name, text string
		says       []string
	}{
		{"no file", "", []string{"seawall.yaml", "last-good.json"}},
		{"no YAML", "zones: [", []string{"seawall.yaml:2", "last-good.json"}},
		{"no zone is good", "zones:\n  - {name: a, hosts: [a.test], origin: {url: 'ftp://a'}}", []string{"seawall.yaml:3", "origin.url"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFiles(t)
			if tt.text != "" {
				f.writeFile(f.path(), "node: {data: "+f.data+", http: ['127.0.0.1:0'], https: [], admin: ''}\n"+tt.text)
			}
			before := runtime.NumGoroutine()
			_, err := Open(t.Context(), f.path(), f.data, new(events).logger())
			for _, want := range tt.says {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want it to say %q", err, want)
				}
			}
			settled(t, before)
			if _, err := os.Stat(filepath.Join(f.data, savedFile)); err == nil {
				t.Error("something was kept that was never good")
			}
		})
	}
}

// TestFollow: a change is put in force by itself, in the main file and in the folder of zones, also where a file is replaced.
func TestFollow(t *testing.T) {
	f := newFiles(t)
	zones := filepath.Join(f.folder, "zones.d")
	if err := os.Mkdir(zones, 0o700); err != nil {
		t.Fatal(err)
	}
	f.write(f.zone("a", "a.test"))
	text, err := os.ReadFile(f.path())
	if err != nil {
		t.Fatal(err)
	}
	f.writeFile(f.path(), "zones_folder: zones.d\n"+string(text))
	n, _ := f.open()
	eventually := func(host string, want bool) {
		t.Helper()
		for end := time.Now().Add(patience); served(t, n, host)[host] != want; runtime.Gosched() {
			if time.Now().After(end) {
				t.Fatalf("%s: want served %v", host, want)
			}
		}
	}
	file := filepath.Join(zones, "b.yaml")
	f.writeFile(file, fmt.Sprintf("hosts: [b.test]\norigin: {url: %q}\n", f.origin))
	eventually("b.test", true)
	other := filepath.Join(zones, "b.yaml.new")
	f.writeFile(other, fmt.Sprintf("hosts: [other.test]\norigin: {url: %q}\n", f.origin))
	if err := os.Rename(other, file); err != nil {
		t.Fatal(err)
	}
	eventually("other.test", true)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	eventually("other.test", false)
	f.write(f.zone("a", "changed.test"))
	eventually("changed.test", true)
}

func TestCheck(t *testing.T) {
	f := newFiles(t)
	f.write(f.zone("a", "a.test"), f.zone("b", "b.test", "https: {redirect: true}"), f.zone("c", "c.test", "nonsense: 1"), f.zone("d", "a.test"),
		f.zone("e", "e.test", "https: {hsts: {preload: true}}", "rules: {http_request_firewall_custom: [",
			"  {name: one, expression: http.hots eq 1, action: block}, {name: two, expression: ssl eq, action: block}]}"))
	c, problems := Check(f.path())
	var got []string
	for _, p := range problems {
		got = append(got, p.Error())
	}
	for _, want := range []string{
		"nonsense", "https.redirect", `"a.test" already belongs to zone a`,
		"https.hsts.preload", "http_request_firewall_custom[0].expression", "http_request_firewall_custom[1].expression",
	} {
		if !strings.Contains(strings.Join(got, "\n"), want) {
			t.Errorf("got %q, want one with %q", got, want)
		}
	}
	if len(problems) != 6 || len(c.Zones) != 4 {
		t.Errorf("got %d problems and %d zones, want 6 and 4: %q", len(problems), len(c.Zones), got)
	}
	if left, err := os.ReadDir(f.data); err != nil || len(left) > 0 {
		t.Errorf("got %v in the data folder, want a check to leave nothing", left)
	}
}

// TestCheckAsksNobody: a configuration is checked without a word to its origins.
func TestCheckAsksNobody(t *testing.T) {
	f := newFiles(t)
	var asked atomic.Int32
	origin := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(origin.Close)
	f.write(fmt.Sprintf("  - {name: a, hosts: [a.test], origin: {url: %q, health: {path: /healthz, interval: 100ms, timeout: 100ms}}}\n", origin.URL))
	before := runtime.NumGoroutine()
	if _, problems := Check(f.path()); len(problems) > 0 {
		t.Fatal(problems)
	}
	settled(t, before)
	if n := asked.Load(); n > 0 {
		t.Errorf("the origin was asked %d times", n)
	}
}

// TestListFiles: a list's file is followed. One that is broken leaves the list as it was, also over a restart, and is said with its line.
func TestListFiles(t *testing.T) {
	f := newFiles(t)
	lists := filepath.Join(f.folder, "bad.txt")
	f.writeFile(lists, "192.0.2.1\n")
	f.write(f.zone("a", "a.test", `lists: {deny: [$bad, $own], named: [{name: own, kind: ip, file: own.txt}]}`))
	text, err := os.ReadFile(f.path())
	if err != nil {
		t.Fatal(err)
	}
	f.writeFile(f.path(), strings.Replace(string(text), "node:\n", "node:\n  trusted_proxies: [127.0.0.1]\n  lists: [{name: bad, kind: ip, file: bad.txt}]\n", 1))
	f.writeFile(filepath.Join(f.folder, "own.txt"), "192.0.2.7\n")
	denied := func(n *Node, client string) bool {
		status, _, _ := visit(t, n.Listening()[0].Address, "a.test", "/", "X-Forwarded-For: "+client)
		return status == http.StatusForbidden
	}
	want := func(n *Node, what string, clients ...string) {
		t.Helper()
		for _, client := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.7"} {
			if got, want := denied(n, client), slices.Contains(clients, client); got != want {
				t.Errorf("%s: %s: got denied %v, want %v", what, client, got, want)
			}
		}
	}
	problem := func(what string, r Reload, text string) {
		t.Helper()
		if text == "" && r.Problems != nil || text != "" && (len(r.Problems) != 1 || !strings.Contains(r.Problems[0], text)) || r.Restart != nil {
			t.Errorf("%s: got %+v, want a problem %q", what, r, text)
		}
	}
	n, _ := f.open()
	want(n, "at first", "192.0.2.1", "192.0.2.7")
	f.writeFile(lists, "192.0.2.2\n")
	problem("changed", n.Reload(), "")
	want(n, "changed", "192.0.2.2", "192.0.2.7")
	f.writeFile(lists, "192.0.2.3\nx\n")
	problem("broken", n.Reload(), `seawall.yaml:3: node.lists[0].file: `+lists+`:2: "x" is not an address`)
	problem("still broken", n.Reload(), "it stays as it was")
	want(n, "broken", "192.0.2.2", "192.0.2.7")
	again, log := f.open()
	want(again, "after a restart", "192.0.2.2", "192.0.2.7")
	if len(log.with("it stays as it was")) != 1 {
		t.Errorf("after a restart: got %v, want that it stays as it was", log.with("list"))
	}
	f.writeFile(filepath.Join(f.folder, "own.txt"), "x\n")
	if err := os.Remove(lists); err != nil {
		t.Fatal(err)
	}
	if r := n.Reload(); len(r.Problems) != 2 || !strings.Contains(strings.Join(r.Problems, " "), "bad.txt cannot be read: no such file or directory: it stays as it was") {
		t.Errorf("gone: got %+v", r)
	}
	want(n, "gone", "192.0.2.2", "192.0.2.7")
	// Without the list, which the zone still names:
	f.writeFile(f.path(), strings.Replace(string(text), "node:\n", "node:\n  trusted_proxies: [127.0.0.1]\n", 1))
	f.writeFile(filepath.Join(f.folder, "own.txt"), "192.0.2.7\n")
	problem("not there", n.Reload(), "lists.deny: there is no list bad: want one of own (zone a)")
}

func TestDiff(t *testing.T) {
	f := newFiles(t)
	f.write(f.zone("a", "a.test"), f.zone("b", "b.test"))
	if _, _, err := Diff(f.path(), ""); err == nil || !strings.Contains(err.Error(), "last-good.json") {
		t.Errorf("got %v, want an error that names the file", err)
	}
	f.open()
	if changes, problems, err := Diff(f.path(), ""); len(changes) > 0 || len(problems) > 0 || err != nil {
		t.Errorf("got %v, %v, %v for the file in force", changes, problems, err)
	}
	other := newFiles(t)
	other.data, other.origin = f.data, f.origin
	other.write(f.zone("a", "new.test"), f.zone("c", "c.test"), f.zone("d", "d.test", "nonsense: 1"))
	changes, problems, err := Diff(other.path(), "")
	var got []string
	for _, c := range changes {
		got = append(got, c.String())
	}
	want := []string{"zone a: hosts: [a.test] → [new.test]", "zone c: added", "zone b: removed"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil || len(problems) != 1 {
		t.Errorf("problems %v, %v, -want +got:\n%s", problems, err, diff)
	}
}
