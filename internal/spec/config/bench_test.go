package config

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// many writes n zones: in main.yaml, and again in a folder that folder.yaml names.
func many(tb testing.TB, n int) (dir string) {
	var main strings.Builder
	main.WriteString("zones:\n")
	files := map[string]string{"folder.yaml": "zones_folder: zones.d\n"}
	for i := range n {
		main.WriteString("  - " + strings.ReplaceAll(strings.TrimSuffix(plainZone(i), "\n"), "\n", "\n    ") + "\n")
		files[fmt.Sprintf("zones.d/zone-%d.yaml", i)] = plainZone(i)
	}
	files["main.yaml"] = main.String()
	return write(tb, files)
}

func load1000(tb testing.TB, l *Loader, path string) {
	tb.Helper()
	if c := mustLoad(tb, l, path); len(c.Zones) != 1000 {
		tb.Fatalf("got %d zones, want 1000", len(c.Zones))
	}
}

func BenchmarkLoad1000(b *testing.B) {
	dir := many(b, 1000)
	for _, name := range []string{"main", "folder"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				load1000(b, new(Loader), filepath.Join(dir, name+".yaml"))
			}
		})
	}
}

func BenchmarkReload1000(b *testing.B) {
	dir := many(b, 1000)
	tests := []struct {
		name    string
		changes bool
	}{{"unchanged", false}, {"one", true}}
	for _, tt := range tests {
		b.Run(tt.name, func(b *testing.B) {
			l := new(Loader)
			path := filepath.Join(dir, "folder.yaml")
			load1000(b, l, path)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if tt.changes {
					put(b, filepath.Join(dir, "zones.d/zone-7.yaml"), plainZone(7)+fmt.Sprintf("  waiters: %d\n", i))
				}
				load1000(b, l, path)
			}
		})
	}
}
