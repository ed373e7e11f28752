package snapshot

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seawall/seawall/internal/spec"
)

// TestSaved wants what was in force to come back as it was.
func TestSaved(t *testing.T) {
	s := newSnapshot(t)
	b := site("b", "b.test *.b.test")
	b.Origin.Servers = append(b.Origin.Servers, spec.Server{URL: "https://b.test", Weight: 3, Backup: true, TLS: &spec.TLS{Insecure: true}})
	b.Lists.Deny = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}
	b.Budget.Rate = spec.Rate{Requests: 7, Per: 3 * time.Second, Burst: 2}
	if problems := s.Apply([]spec.Zone{b, site("a", "a.test")}); len(problems) > 0 {
		t.Fatal(problems)
	}
	node := spec.DefaultNode()
	node.HTTP = []spec.Listener{{Address: "[::1]:80"}}
	node.Certificates = []spec.Certificate{{Chain: "-----BEGIN CERTIFICATE-----\n", Key: "-----BEGIN PRIVATE KEY-----\n"}}
	want := &Saved{Time: time.Unix(1e9, 0).UTC(), Node: node, Zones: s.Specs()}
	path := filepath.Join(t.TempDir(), "saved")
	if err := Save(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := LoadSaved(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, %v, want it to be the owner's alone", info.Mode(), err)
	}
	again := newSnapshot(t)
	zones := make([]spec.Zone, len(got.Zones))
	for i, z := range got.Zones {
		zones[i] = *z
	}
	if problems := again.Apply(zones); len(problems) > 0 {
		t.Errorf("got %v, want what was in force to be put in force again", problems)
	}
}

func TestLoadSavedFails(t *testing.T) {
	folder := t.TempDir()
	broken := filepath.Join(folder, "broken")
	if err := os.WriteFile(broken, []byte(`{"Zones": [`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{broken, filepath.Join(folder, "none"), folder} {
		if _, err := LoadSaved(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v, want an error that names %s", err, path)
		}
	}
	if err := Save(filepath.Join(folder, "none", "saved"), &Saved{}); err == nil {
		t.Error("got no error for a folder that is not there")
	}
}
