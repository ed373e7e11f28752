package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/seawall/seawall/internal/drill"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/internal/spec/config"
)

const (
	childStart = 15 * time.Second // until a node serves
	childStop  = 10 * time.Second // until it has ended
)

// child is a node in a process of its own, so that the drill's generator does not share its memory and threads with what it measures.
type child struct {
	cmd    *exec.Cmd
	folder string // what it keeps and says
	url    string
	exited chan struct{}
}

// startChild starts a node before the sites of a stage, which take `budget` requests at once, and returns when it serves. profile may be "".
func startChild(ctx context.Context, on cores, stage *drill.Stage, budget int, profile string) (*child, error) {
	folder, err := os.MkdirTemp("", "seawall-drill-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for a node: %w", err)
	}
	c := &child{folder: folder, exited: make(chan struct{})}
	if err := c.start(ctx, on, stage, budget, profile); err != nil {
		_ = os.RemoveAll(folder)
		return nil, err
	}
	return c, nil
}

func (c *child) start(ctx context.Context, on cores, stage *drill.Stage, budget int, profile string) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	c.url = "https://" + address
	if err := c.configure(address, stage, budget, profile); err != nil {
		return err
	}
	said, err := os.Create(filepath.Join(c.folder, "said"))
	if err != nil {
		return err
	}
	defer said.Close()
	ready, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(c.folder, "ready"), Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("hearing of a node's start: %w", err)
	}
	defer ready.Close()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c.cmd = exec.Command(self, "run", "--config", filepath.Join(c.folder, "seawall.yaml"), "--data", c.folder)
	c.cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+ready.LocalAddr().String())
	c.cmd.Stdout, c.cmd.Stderr = said, said
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true} // an interrupt is the drill's, which then ends the node
	if err := on.start(c.cmd.Start); err != nil {
		return fmt.Errorf("starting a node: %w", err)
	}
	go func() {
		_ = c.cmd.Wait() // what it said tells how it ended
		close(c.exited)
	}()
	if err := c.await(ctx, ready); err != nil {
		c.end()
		return err
	}
	return nil
}

// configure writes what differs from the defaults: where it listens, and the origins with their budgets.
func (c *child) configure(address string, stage *drill.Stage, budget int, profile string) error {
	n := spec.DefaultNode()
	n.HTTPS = []spec.Listener{{Address: address}}
	n.Data = c.folder
	n.Log.Path = filepath.Join(c.folder, "access.log")
	n.Connections.DrainTimeout = time.Second
	var zones []spec.Zone
	origin, neighbour := stage.Origins()
	for _, site := range [][2]string{{drill.Host, origin}, {drill.Neighbour, neighbour}} {
		z := spec.DefaultZone()
		z.Name, z.Hosts = strings.ReplaceAll(site[0], ".", "-"), []string{site[0]}
		z.Origin.Servers = spec.OneServer(site[1])
		z.Budget.Concurrent = budget
		if profile != "" {
			z.Profiles = []string{profile}
		}
		zones = append(zones, z)
	}
	f, err := os.OpenFile(filepath.Join(c.folder, "seawall.yaml"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := config.Write(f, &n, zones); err != nil {
		f.Close()
		return fmt.Errorf("configuring a node: %w", err)
	}
	return f.Close()
}

// await returns when the node says that it is ready.
func (c *child) await(ctx context.Context, ready *net.UnixConn) error {
	ctx, cancel := context.WithTimeout(ctx, childStart)
	defer cancel()
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		for text := make([]byte, 256); ; {
			n, err := ready.Read(text)
			if err != nil || strings.HasPrefix(string(text[:n]), "READY=1") {
				return
			}
		}
	}()
	defer func() {
		_ = ready.Close()
		<-heard
	}()
	select {
	case <-heard:
		return nil
	case <-c.exited:
		return fmt.Errorf("the node ended: %s", c.said())
	case <-ctx.Done():
		return fmt.Errorf("the node does not serve: %w", errors.Join(context.Cause(ctx), errors.New(c.said())))
	}
}

// said is the end of what the node said.
func (c *child) said() string {
	const most = 2 << 10
	text, _ := os.ReadFile(filepath.Join(c.folder, "said"))
	return strings.TrimSpace(string(text[max(0, len(text)-most):]))
}

// end stops the node, politely and then not.
func (c *child) end() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-c.exited:
	case <-time.After(childStop):
		_ = c.cmd.Process.Kill()
		<-c.exited
	}
	_ = os.RemoveAll(c.folder)
}

// freeAddress is one that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("looking for a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}
