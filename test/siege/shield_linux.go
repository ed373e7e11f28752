package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seawall/seawall/internal/node"
	"github.com/seawall/seawall/internal/packet"
	"github.com/seawall/seawall/test/flood/lab"
	"github.com/seawall/seawall/test/server"
)

// A shield is Seawall's program as a user runs it, on the lab's server, before the site at [sitePort].
type shield struct {
	lab     *lab.Lab
	program string
	folder  string // of its configuration and data
	cores   string // that it keeps to; "" for all
	port    int
	through []string // the command that runs it, if it is not to have what it would have
	started *server.Process
	main    int // the process that serves: after an upgrade, not the one that was started
}

// configuration of a node. Visitors are few addresses that come often, as those of a carrier are.
const configuration = `
node:
  http: [%d]
  https: []
  admin: 127.0.0.1:0
  data: %q
  log: {path: "off"}
  connections: {ban: 10m}
  packets: {interfaces: [%s], mode: %s%s}
zones:
  - name: site
    hosts: ["*"]
    origin: {servers: [{url: "http://127.0.0.1:%d"}]}
    limits: {requests: "off"}
`

// build builds the program into a folder.
func build(ctx context.Context, folder string) (program string, err error) {
	program = filepath.Join(folder, "seawall")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/seawall/seawall/cmd/seawall").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build seawall: %w: %s", err, out)
	}
	return program, nil
}

// newShield configures a node, in a folder of its own, that filters in a mode of node.packets, with what more is to stand there.
func newShield(l *lab.Lab, program, folder, mode, more string) (*shield, error) {
	s := &shield{lab: l, program: program, folder: folder, port: port}
	text := fmt.Sprintf(configuration, port, s.data(), l.Server.Interface, mode, more, sitePort)
	return s, os.WriteFile(s.file(), []byte(text), 0o600)
}

func (s *shield) file() string { return filepath.Join(s.folder, "seawall.yaml") }
func (s *shield) said() string { return filepath.Join(s.folder, "said") }
func (s *shield) data() string { return filepath.Join(s.folder, "data") }

// start starts it, and waits until it serves.
func (s *shield) start(ctx context.Context) (err error) {
	run := append(slices.Clone(s.through), s.program, "run", "--config", s.file())
	command := s.lab.Server.Command(ctx, run[0], run[1:]...)
	if s.started, err = server.Start(ctx, s.cores, s.said(), nil, command.Args); err != nil {
		return err
	}
	s.main = s.started.Cmd.Process.Pid
	err = until(ctx, "the node serves", func() bool { return s.serves(ctx) || s.started.Failure() != nil })
	if err = errors.Join(err, s.started.Failure()); err != nil {
		s.started.Stop()
	}
	return err
}

// serves tells whether its doors are open, the admin's included.
func (s *shield) serves(ctx context.Context) bool {
	_, err := s.packets(ctx)
	return err == nil && s.listens(ctx)
}

// listens tells whether a process has the door open. It asks on loopback, where nothing is filtered.
func (s *shield) listens(ctx context.Context) bool {
	c, err := s.lab.Server.Dial(ctx, netip.Addr{}, "tcp", "127.0.0.1:"+strconv.Itoa(s.port))
	if err == nil {
		c.Close()
	}
	return err == nil
}

// end sends the process that serves a signal, and returns when nobody listens any more.
func (s *shield) end(ctx context.Context, by syscall.Signal) error {
	if err := syscall.Kill(s.main, by); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	err := until(ctx, "nobody listens", func() bool { return !s.listens(ctx) })
	s.started.Stop() // an earlier one that an upgrade left may still let its connections finish
	return err
}

// upgrade has another process take over.
func (s *shield) upgrade(ctx context.Context) error {
	out, err := s.command(ctx, "upgrade")
	if err != nil {
		return err
	}
	if _, err := fmt.Sscanf(out, "upgraded: process %d serves", &s.main); err != nil {
		return fmt.Errorf("upgrade: got %q: %w", out, err)
	}
	return nil
}

// detach ends all that it has left in the kernel.
func (s *shield) detach(ctx context.Context) error {
	_, err := s.command(ctx, "packets", "detach")
	return err
}

// command runs a command line of the program's about this node.
func (s *shield) command(ctx context.Context, args ...string) (string, error) {
	return s.lab.Server.Run(ctx, "", s.program, append(args, "--data", s.data())...)
}

// packets is what `seawall packets --json` shows, without a program started for it.
func (s *shield) packets(ctx context.Context) (p node.Packets, err error) {
	text, err := s.ask(ctx, "/api/packets")
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(text, &p)
}

// ask asks the node's admin listener.
func (s *shield) ask(ctx context.Context, path string) ([]byte, error) {
	address, err1 := os.ReadFile(filepath.Join(s.data(), "admin.address"))
	token, err2 := os.ReadFile(filepath.Join(s.data(), "admin.token"))
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+strings.TrimSpace(string(address))+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	transport := http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		return s.lab.Server.Dial(ctx, netip.Addr{}, network, address)
	}}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s of the node: %s", path, answer.Status)
	}
	return io.ReadAll(answer.Body)
}

// counted are the packets in the node's metrics, by reason. They come quicker than what packets shows, which has all bans.
func (s *shield) counted(ctx context.Context) (map[string]int, error) {
	text, err := s.ask(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	packets := make(map[string]int)
	for _, line := range regexp.MustCompile(`(?m)^seawall_packets_total\{.*reason="([^"]*)".*\} (\S+)$`).FindAllStringSubmatch(string(text), -1) {
		n, err := strconv.ParseFloat(line[2], 64)
		if err != nil {
			return nil, err
		}
		packets[line[1]] += int(n)
	}
	return packets, nil
}

// stopped is how many packets the filter has kept from the kernel, because it dropped or answered them: all, or those for some reasons.
func (s *shield) stopped(ctx context.Context, reasons ...string) (n int, err error) {
	packets, err := s.counted(ctx)
	if len(reasons) == 0 {
		for reason := packet.Cookie; reason < packet.Reasons; reason++ {
			reasons = append(reasons, reason.String())
		}
	}
	for _, reason := range reasons {
		n += packets[reason]
	}
	return n, err
}

// used is what a process has had of all cores. Threads that have ended are not in it.
func used(process int) (time.Duration, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*/schedstat", process))
	if err != nil || len(threads) == 0 {
		return 0, fmt.Errorf("process %d has no threads: %w", process, err)
	}
	var sum time.Duration
	for _, file := range threads {
		text, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) { // it has ended
			continue
		}
		first, _, _ := strings.Cut(string(text), " ") // time on a core in ns, time waiting for one, turns
		ran, err2 := strconv.ParseInt(first, 10, 64)
		if err := errors.Join(err, err2); err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
		sum += time.Duration(ran)
	}
	return sum, nil
}

// until waits for something to happen.
func until(ctx context.Context, what string, ok func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %v in vain until %s", startPatience, what)
		case <-look.C:
		}
	}
	return nil
}
