// Package packaging has no code: its test builds the Debian package as `make deb` does, looks at what is in it, runs the program from it
// as systemd would and as systemd does, and installs, upgrades and purges it in a folder.
package packaging

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// contents are the files of the package, with the modes they have to have; all belong to root.
const contents = `
drwxr-xr-x ./etc/seawall/
-rw-r--r-- ./etc/seawall/seawall.yaml
drwxr-xr-x ./etc/seawall/zones.d/
-rwxr-xr-x ./usr/bin/seawall
-rw-r--r-- ./usr/lib/systemd/system/seawall.service
-rw-r--r-- ./usr/lib/sysusers.d/seawall.conf
-rw-r--r-- ./usr/share/bash-completion/completions/seawall
-rw-r--r-- ./usr/share/doc/seawall/NEWS.md
-rw-r--r-- ./usr/share/doc/seawall/README.md
-rw-r--r-- ./usr/share/doc/seawall/changelog.gz
-rw-r--r-- ./usr/share/doc/seawall/configuration.md
-rw-r--r-- ./usr/share/doc/seawall/copyright
-rw-r--r-- ./usr/share/doc/seawall/examples/packets.conf
-rw-r--r-- ./usr/share/doc/seawall/examples/seawall.rules.yml
-rw-r--r-- ./usr/share/doc/seawall/examples/zone.yaml
-rw-r--r-- ./usr/share/doc/seawall/install.md
-rw-r--r-- ./usr/share/doc/seawall/metrics.md
-rw-r--r-- ./usr/share/doc/seawall/seawall.schema.json
-rw-r--r-- ./usr/share/doc/seawall/third-party-licenses.gz
-rw-r--r-- ./usr/share/fish/vendor_completions.d/seawall.fish
-rw-r--r-- ./usr/share/lintian/overrides/seawall
-rw-r--r-- ./usr/share/man/man1/seawall.1.gz
-rw-r--r-- ./usr/share/man/man5/seawall.yaml.5.gz
-rw-r--r-- ./usr/share/zsh/vendor-completions/_seawall
`

func TestDeb(t *testing.T) {
	if testing.Short() {
		t.Skip("building a package takes ten seconds")
	}
	for _, tool := range []string{"bash", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s: %v", tool, err)
		}
	}
	deb := build(t)
	root := t.TempDir()
	output(t, exec.Command("dpkg-deb", "--extract", deb, root))
	t.Run("contents", func(t *testing.T) { testContents(t, deb) })
	t.Run("reproducible", func(t *testing.T) { testReproducible(t, deb) })
	t.Run("program", func(t *testing.T) { testProgram(t, root) })
	t.Run("unit", func(t *testing.T) { testUnit(t, root) })
	t.Run("service", func(t *testing.T) { testService(t, root) })
	t.Run("packets", func(t *testing.T) { testPackets(t, root) })
	t.Run("install", func(t *testing.T) { testInstall(t, deb) })
}

// output is what a command prints; it must not fail.
func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", cmd.Args, err, out, errs.String())
	}
	return string(out)
}

func build(t *testing.T, env ...string) (deb string) {
	t.Helper()
	cmd := exec.Command("bash", "-c", `umask "${UMASK:-022}"; exec bash deb.sh "$0"`, t.TempDir())
	cmd.Env = append(os.Environ(), env...)
	return strings.TrimSpace(output(t, cmd))
}

func testContents(t *testing.T, deb string) {
	var got strings.Builder
	for line := range strings.Lines(output(t, exec.Command("dpkg-deb", "--contents", deb))) {
		f := strings.Fields(line)
		if f[1] != "root/root" {
			t.Errorf("%s belongs to %s", f[5], f[1])
		}
		if f[0][0] != 'd' || strings.HasPrefix(f[5], "./etc/seawall/") {
			got.WriteString(f[0] + " " + f[5] + "\n")
		}
	}
	if diff := cmp.Diff(strings.TrimSpace(contents), strings.TrimSpace(got.String())); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	fields := output(t, exec.Command("dpkg-deb", "--field", deb, "Package", "Version"))
	if want := regexp.MustCompile(`^Package: seawall\nVersion: [0-9]\S*\n$`); !want.MatchString(fields) {
		t.Errorf("fields: got %q, want %s", fields, want)
	}
}

// testReproducible builds it again, as somebody else somewhere else.
func testReproducible(t *testing.T, deb string) {
	again := build(t, "UMASK=077", "TZ=Pacific/Auckland", "LC_ALL=C")
	a, err := os.ReadFile(deb)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(again)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) || filepath.Base(deb) != filepath.Base(again) {
		t.Errorf("%s (%d bytes) and %s (%d bytes) differ", deb, len(a), again, len(b))
	}
}

// testProgram: the program runs, and finds its configuration and its example zone good.
func testProgram(t *testing.T, root string) {
	program := filepath.Join(root, "usr/bin/seawall")
	if got := output(t, exec.Command(program, "version")); !strings.HasPrefix(got, "seawall ") {
		t.Errorf("version: got %q", got)
	}
	config := filepath.Join(t.TempDir(), "seawall")
	if err := os.CopyFS(config, os.DirFS(filepath.Join(root, "etc/seawall"))); err != nil {
		t.Fatal(err)
	}
	check := func(want string) {
		t.Helper()
		if got := output(t, exec.Command(program, "check", "--config", filepath.Join(config, "seawall.yaml"))); !strings.Contains(got, want) {
			t.Errorf("check: got %q, want %q", got, want)
		}
	}
	check("good; zones: 0")
	zone, err := os.ReadFile(filepath.Join(root, "usr/share/doc/seawall/examples/zone.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(config, "zones.d/example.yaml"), zone, 0o600); err != nil {
		t.Fatal(err)
	}
	check("good; zones: 1")
}

// testUnit: systemd understands the unit.
func testUnit(t *testing.T, root string) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skipf("needs systemd: %v", err)
	}
	unit, err := os.ReadFile("systemd/seawall.service")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "seawall.service")
	unit = bytes.ReplaceAll(unit, []byte("/usr/bin/seawall"), []byte(filepath.Join(root, "usr/bin/seawall")))
	if err := os.WriteFile(path, unit, 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command("systemd-analyze", "verify", "--man=no", path).CombinedOutput(); err != nil || len(said) > 0 {
		t.Errorf("%v: %s", err, said)
	}
}

// testService runs the command of the unit with the configuration of the package, but for its addresses and folders, and follows what it
// tells systemd.
func testService(t *testing.T, root string) {
	dir := t.TempDir()
	config, err := os.ReadFile(filepath.Join(root, "etc/seawall/seawall.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []struct{ from, to string }{
		{"http: [80]", `http: ["127.0.0.1:0"]`},
		{"https: [443]", `https: ["127.0.0.1:0"]`},
		{"admin: 127.0.0.1:9901", "admin: 127.0.0.1:0"},
		{"/var/lib/seawall", filepath.Join(dir, "data")},
		{"/var/log/seawall", dir},
		{"zones_folder: zones.d", "zones_folder: " + filepath.Join(root, "etc/seawall/zones.d")},
	} {
		if !bytes.Contains(config, []byte(change.from)) {
			t.Fatalf("the configuration has no %q", change.from)
		}
		config = bytes.ReplaceAll(config, []byte(change.from), []byte(change.to))
	}
	file := filepath.Join(dir, "seawall.yaml")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	manager.SetReadDeadline(time.Now().Add(30 * time.Second))

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(root, "usr/bin/seawall"), "run", "--config", file, "--data", filepath.Join(dir, "data"))
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+filepath.Join(dir, "notify"), "WATCHDOG_USEC=400000")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	main := cmd.Process.Pid
	for _, step := range []struct {
		want string
		then syscall.Signal
	}{
		{"READY=1", 0},
		{"WATCHDOG=1", syscall.SIGHUP},
		{"RELOADING=1\nMONOTONIC_USEC=", 0},
		{"READY=1", syscall.SIGUSR2},
		{"MAINPID=", 0},
		{"READY=1", syscall.SIGTERM},
		{"STOPPING=1", 0},
	} {
		state := make([]byte, 200)
		n, err := manager.Read(state)
		for err == nil && string(state[:n]) == "WATCHDOG=1" && step.want != "WATCHDOG=1" {
			n, err = manager.Read(state)
		}
		if err != nil || !strings.HasPrefix(string(state[:n]), step.want) {
			cancel()
			cmd.Wait()
			t.Fatalf("systemd was told %q, %v, want %q: %s", state[:n], err, step.want, said.String())
		}
		if pid, ok := strings.CutPrefix(string(state[:n]), "MAINPID="); ok {
			if main, err = strconv.Atoi(pid); err != nil || main == cmd.Process.Pid {
				t.Errorf("the main process after an upgrade: got %d, %v", main, err)
			}
		}
		if step.then != 0 {
			syscall.Kill(main, step.then)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, said.String())
	}
}

// testInstall installs the package in a folder, upgrades it to itself, removes and purges it.
func testInstall(t *testing.T, deb string) {
	for _, tool := range []string{"dpkg", "systemd-sysusers", "deb-systemd-helper"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s: %v", tool, err)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root, as files belong to it")
	}
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "var/lib/dpkg/info"), 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(root, "var/lib/dpkg/status"), "")
	// Without a shell in root, scripts get its path in DPKG_ROOT.
	dpkg := func(args ...string) {
		t.Helper()
		output(t, exec.Command("dpkg", append([]string{"--root=" + root, "--force-script-chrootless", "--force-depends",
			"--log=" + filepath.Join(root, "log")}, args...)...))
	}
	config := filepath.Join(root, "etc/seawall/seawall.yaml")
	enabled := filepath.Join(root, "etc/systemd/system/multi-user.target.wants/seawall.service")

	dpkg("--install", deb)
	users, err := os.ReadFile(filepath.Join(root, "etc/passwd"))
	if want := ":/var/lib/seawall:/usr/sbin/nologin\n"; err != nil || !strings.Contains(string(users), want) {
		t.Errorf("users: got %q, %v, want one with %q", users, err, want)
	}
	if _, err := os.Lstat(enabled); err != nil {
		t.Errorf("not enabled: %v", err)
	}
	folder, err := os.Stat(filepath.Dir(config))
	if err != nil || folder.Mode().Perm() != 0o750 || folder.Sys().(*syscall.Stat_t).Gid == 0 {
		t.Errorf("%s: got %v, %v, want it for the service's group only", filepath.Dir(config), folder, err)
	}

	put(t, config, "zones: []\n")
	os.Remove(enabled) // by systemctl disable
	dpkg("--install", deb)
	if text, err := os.ReadFile(config); err != nil || string(text) != "zones: []\n" {
		t.Errorf("the upgrade made %q of the configuration: %v", text, err)
	}
	if _, err := os.Lstat(enabled); err == nil {
		t.Error("the upgrade enabled the service again")
	}

	for _, path := range []string{"var/lib/seawall/admin.token", "var/log/seawall/access.log", "etc/seawall/zones.d/mine.yaml"} {
		put(t, filepath.Join(root, path), "written since\n")
	}
	dpkg("--remove", "seawall")
	dpkg("--purge", "seawall")
	var left []string
	filepath.WalkDir(root, func(path string, _ os.DirEntry, _ error) error {
		if rel, _ := filepath.Rel(root, path); strings.Contains(rel, "seawall") && !strings.Contains(rel, "dpkg") {
			left = append(left, rel)
		}
		return nil
	})
	if diff := cmp.Diff([]string{"etc/seawall", "etc/seawall/zones.d", "etc/seawall/zones.d/mine.yaml"}, left); diff != "" {
		t.Errorf("left after a purge: -want +got:\n%s", diff)
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
