package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

func TestConfigure(t *testing.T) {
	templates := fstest.MapFS{"peers/a.conf": {Data: []byte("listen {{host .Address}} at {{port .Address}};")}}
	tests := []struct {
		name, file string
		setting    any
		want       string // in the file
		wrong      string // in the error
	}{
		{"all there", "peers/a.conf", map[string]string{"Address": "127.0.0.1:80"}, "listen 127.0.0.1 at 80;", ""},
		{"no such key", "peers/a.conf", map[string]string{}, "", "Address"},
		{"no address", "peers/a.conf", map[string]string{"Address": "x"}, "", "missing port"},
		{"no such file", "peers/b.conf", nil, "", "b.conf"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			file, err := Configure(templates, tt.file, dir, tt.setting)
			if tt.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wrong) {
					t.Errorf("got error %v, want one about %s", err, tt.wrong)
				}
				return
			}
			got, readErr := os.ReadFile(file)
			if err != nil || readErr != nil || string(got) != tt.want || file != filepath.Join(dir, "a.conf") {
				t.Errorf("%s has %q, %v, %v; want %q", file, got, err, readErr, tt.want)
			}
		})
	}
}
