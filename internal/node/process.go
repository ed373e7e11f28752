package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/seawall/seawall/internal/node/handover"
	"github.com/seawall/seawall/internal/spec"
)

// Process is how this process was started: what an upgrade of its node starts anew.
type Process struct {
	command handover.Command
	tell    func(state string)
	before  *handover.Conn // of the process whose node this one's is to take over, or nil
}

// NewProcess looks how this process was started, and fits the runtime to the machine. tell says states to systemd (sd_notify(3)). It is to
// be called once, before anything changes the working folder or the environment.
func NewProcess(tell func(state string)) (*Process, error) {
	useMachine()
	before, err := handover.Predecessor()
	if err != nil {
		return nil, err
	}
	p := &Process{tell: tell, before: before}
	p.command = handover.Command{Args: os.Args[1:], Errors: os.Stderr}
	if p.command.Program, err = program(); err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	if p.command.Dir, err = os.Getwd(); err != nil {
		return nil, fmt.Errorf("finding the working folder: %w", err)
	}
	return p, nil
}

// program is the absolute path by which this program was started: it may be a link that points at another version later. Where that is
// something else, it is what the kernel says.
func program() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	if path, ok := sought(); ok && sameFile(self, path) {
		return path, nil
	}
	return self, nil
}

// sought is what the name by which this program was started stands for.
func sought() (path string, ok bool) {
	found, err := exec.LookPath(os.Args[0])
	if err == nil {
		found, err = filepath.Abs(found)
	}
	return found, err == nil
}

func sameFile(a, b string) bool {
	x, xErr := os.Stat(a)
	y, yErr := os.Stat(b)
	return xErr == nil && yErr == nil && os.SameFile(x, y)
}

// Start is [Start] for a node that can be upgraded, and takes over from the one before if this process was started for that.
func (p *Process) Start(ctx context.Context, s spec.Node, zones []spec.Zone, log *slog.Logger) (*Node, error) {
	n, err := startNode(ctx, p, s, zones, log)
	return n, p.answer(err)
}

// Open is [Open], likewise.
func (p *Process) Open(ctx context.Context, path, data string, log *slog.Logger) (*Node, error) {
	n, err := openNode(ctx, p, path, data, log)
	return n, p.answer(err)
}

// answer tells the process before why this one does not take over.
func (p *Process) answer(err error) error {
	if err != nil && p.before != nil {
		_ = p.before.Send(&handover.Message{Type: handover.Failed, Error: err.Error()}) // it may have gone
		_ = p.before.Close()
	}
	return err
}

// trusted tells why a program may not be started in place of this one: who can write it could do as the node does.
func trusted(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("%q is no absolute path, such as /usr/bin/seawall", path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		return fmt.Errorf("%s is no program", path)
	case ok && owner.Uid != 0 && int(owner.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to user %d: want a file of root or of the node's user (%d)", path, owner.Uid, os.Geteuid())
	case info.Mode()&0o022 != 0:
		return fmt.Errorf("%s may be written by others (mode %#o): chmod go-w %s", path, info.Mode().Perm(), path)
	}
	return nil
}

// Reasons why a node can't be upgraded.
var (
	errNoProcess = errors.New("this node is a part of another program and can't be upgraded by itself")
	errUpgrading = errors.New("an upgrade is under way")
	errRetired   = errors.New("a newer process has taken over")
)

// ErrNoUpgrade tells that there is no node that could be upgraded.
var ErrNoUpgrade = errors.New("no node can be upgraded")

// AskUpgrade has the node that runs on this machine upgraded, to program if that is not empty, and returns the new process's identifier;
// for admin see [Explain]. Unless it
// succeeds, the node goes on as before.
func AskUpgrade(ctx context.Context, data, admin, program string) (pid int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*upgradeTime)
	defer cancel()
	body, err := send(ctx, http.MethodPost, data, admin, "/api/upgrade?program="+url.QueryEscape(program), nil)
	switch {
	case errors.Is(err, errNoNode):
		return 0, fmt.Errorf("%w: %w", ErrNoUpgrade, err)
	case errors.Is(err, errNoPath):
		return 0, fmt.Errorf("%w: the version that runs knows no upgrades", ErrNoUpgrade)
	case err != nil:
		return 0, err
	}
	var done Upgraded
	if err := json.Unmarshal(body, &done); err != nil {
		return 0, fmt.Errorf("reading the node's answer: %w", err)
	}
	return done.PID, nil
}
