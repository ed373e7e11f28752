package packaging

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// found is what testdata/administer.sh finds of a service that may filter packets.
const found = `timestamps: 1
without rights: active, no packets are filtered: node.packets.interfaces says where they are to be; the log says what failed
the process lacks CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN
with them: active, interface   outside, xdp, generic
packets     are dropped as they come in, by node.deny
restarted: active, interface   outside, xdp, generic
upgraded: another process serves; the one before ends when its last connection does
upgraded: active, interface   outside, xdp, generic
packets     are dropped as they come in, by node.deny
timestamps: 2
program: prog/xdp
no packets are filtered any more
program: none
timestamps: 1
`

// testPackets runs the service under a systemd of its own, without and with the rights of examples/packets.conf.
func testPackets(t *testing.T, root string) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make a machine of namespaces")
	}
	for _, tool := range []string{"unshare", "/usr/lib/systemd/systemd", "ip"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs systemd, util-linux and iproute2: %v", err)
		}
	}
	group := controlGroup(t)
	work := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", "--pid", "--mount", "--cgroup", "--uts", "--ipc", "--net", "--fork", "--kill-child",
		"bash", "testdata/machine.sh", root, work)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd())}
	var console bytes.Buffer
	cmd.Stdout, cmd.Stderr = &console, &console
	err := cmd.Run()
	got, missing := os.ReadFile(filepath.Join(work, "found"))
	if errors.Is(missing, os.ErrNotExist) {
		t.Skipf("no machine of its own can be had: %v: %s", err, &console)
	}
	if diff := cmp.Diff(found, string(got)); diff != "" {
		said, _ := os.ReadFile(filepath.Join(work, "said"))
		t.Errorf("-want +got:\n%s\nthe service said:\n%s", diff, said)
	}
}

// controlGroup makes one for a systemd, and removes it in the end with those that systemd has made there.
func controlGroup(t *testing.T) *os.File {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	top := regexp.MustCompile(`(?m)^\S+ (\S+) cgroup2 `).FindSubmatch(mounts)
	if top == nil {
		t.Skip("needs control groups, version 2")
	}
	path := filepath.Join(string(top[1]), fmt.Sprintf("seawall-test-%d", os.Getpid()))
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Skipf("needs a control group of its own: %v", err)
	}
	group, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		group.Close()
		var all []string
		filepath.WalkDir(path, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				all = append(all, path)
			}
			return nil
		})
		for _, path := range slices.Backward(all) {
			if err := syscall.Rmdir(path); err != nil {
				t.Errorf("remove %s: %v", path, err)
			}
		}
	})
	return group
}
