package xdp

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestRebuild compiles the program anew: the object that is checked in is that of these sources, byte for byte.
func TestRebuild(t *testing.T) {
	for _, tool := range []string{"clang-14", "llvm-strip-14"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s: Debian packages clang-14 and llvm-14", tool)
		}
	}
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "bpf"), os.DirFS("bpf")); err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("generate.go")
	if err != nil {
		t.Fatal(err)
	}
	// bpf2go writes where it is run: a copy, with the tools of this tree.
	source = bytes.ReplaceAll(source, []byte("../../../tools"), []byte(filepath.Join(wd, "../../../tools")))
	files := map[string][]byte{"generate.go": source, "go.mod": []byte("module rebuild\n\ngo 1.26.0\n")}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "generate", ".")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go generate: %v: %s", err, out)
	}
	for _, name := range []string{"filter_bpfel.o", "filter_bpfel.go"} {
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what go generate makes of bpf/: %v; run go generate", name, err)
		}
	}
}
