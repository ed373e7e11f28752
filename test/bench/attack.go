package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/seawall/seawall/test/server"
)

const (
	attackStall   = 2 * time.Second         // the servers' time-outs
	attackClocks  = time.Second             // by which a server may be late that looks at them once a second
	attackLasts   = 1300 * time.Millisecond // so that it can be seen who is cut within a second
	attackRise    = 100 * time.Millisecond  // before what is measured beside it begins
	attackQuiet   = 300 * time.Millisecond  // measured before it
	attackNoise   = time.Millisecond        // by which the neighbour's p95 may differ for other reasons, as the attacker shares its core
	attackSources = 200                     // addresses that it may go on from, from 127.66.0.1 on
	attackConns   = 400
	attackLarge   = 1 << 20 // bytes of a response that is to stall
	attackTurn    = 15 * time.Second
	attackTimeout = 20 * time.Minute // of all of them
)

// An attack is one that the attacker knows: test/h2attack says what is in its JSON, and in that of an attackResult.
type attack struct {
	Name, About string
	Every       time.Duration // of an attack that takes its time
}

type attackResult struct {
	First struct {
		End   string
		Taken int
		Took  time.Duration
	}
	Held                         bool
	Connections, Again, Unopened int
}

// A withstood is how a server has withstood one attack.
type withstood struct {
	attackResult
	cpu        time.Duration // beside what the neighbour costs
	grown      int64         // KB: the most memory during the attack, less that before
	quiet, p95 time.Duration // the neighbour's
	failed     string        // why the neighbour was not served any more; empty if it was
}

// withstandAttacks has each server withstand each attack of the program, and prints the table.
func withstandAttacks(ctx context.Context, w io.Writer, program string, s scenario, contenders []*contender) error {
	if _, err := exec.LookPath("chrt"); err != nil {
		return fmt.Errorf("%w: it has the attacker yield to the neighbour: apt-get install util-linux", err)
	}
	attacks, err := listAttacks(ctx, program)
	if err != nil {
		return err
	}
	table := attackTable{scenario: s, contenders: contenders}
	for _, a := range attacks {
		row := attackRow{attack: a, withstood: make([]*withstood, len(contenders))}
		for i, c := range contenders {
			err := c.attempt(ctx, func(ctx context.Context) error {
				got, err := c.withstand(ctx, program, a)
				row.withstood[i] = got
				return err
			})
			if err != nil {
				return err
			}
		}
		table.rows = append(table.rows, row)
	}
	table.print(w)
	return nil
}

// listAttacks asks the program what it knows.
func listAttacks(ctx context.Context, program string) ([]attack, error) {
	out, err := exec.CommandContext(ctx, program, "-list").Output()
	if err != nil {
		return nil, fmt.Errorf("list the attacks: %w", err)
	}
	var attacks []attack
	for lines := json.NewDecoder(bytes.NewReader(out)); lines.More(); {
		var a attack
		if err := lines.Decode(&a); err != nil {
			return nil, fmt.Errorf("list the attacks: %w", err)
		}
		attacks = append(attacks, a)
	}
	return attacks, nil
}

// withstand starts the server and has it attacked.
func (c *contender) withstand(ctx context.Context, program string, a attack) (*withstood, error) {
	if err := c.start(ctx); err != nil {
		return nil, err
	}
	defer c.stop()
	neighbour, err := newPacer(c.site, c.setting.Address)
	if err != nil {
		return nil, err
	}
	defer neighbour.close()
	calm, err := c.calm(ctx, neighbour)
	if err != nil {
		return nil, err
	}
	memory, err := kilobytes(c.processes, "status", "VmRSS")
	if err == nil {
		err = resetPeak(c.processes)
	}
	if err != nil {
		return nil, err
	}
	return c.attacked(ctx, program, a, neighbour, calm, memory)
}

// A calm is what the neighbour had, and cost, before the attack.
type calm struct {
	p95        time.Duration
	perRequest time.Duration
}

func (c *contender) calm(ctx context.Context, neighbour *pacer) (calm, error) {
	before, err := cpu(c.processes)
	if err != nil {
		return calm{}, err
	}
	l, err := neighbour.run(ctx, calmRate, attackQuiet)
	if err != nil {
		return calm{}, err
	}
	after, err := cpu(c.processes)
	if err != nil {
		return calm{}, err
	}
	return calm{neighbour.latencies.quantile(0.95), after.since(before) / time.Duration(l.requests)}, nil
}

// attacked runs the attack, and the neighbour beside it.
func (c *contender) attacked(ctx context.Context, program string, a attack, neighbour *pacer, quiet calm, memory int64) (*withstood, error) {
	before, err := cpu(c.processes)
	if err != nil {
		return nil, err
	}
	lasts, grace := attackLasts, time.Duration(0)
	if a.Every > 0 {
		lasts, grace = attackLasts+attackStall+attackClocks, attackStall+attackClocks
	}
	attacker, err := startAttacker(ctx, program, c.setting.Address, a.Name, lasts, grace)
	if err != nil {
		return nil, err
	}
	time.Sleep(attackRise)
	l, failed := neighbour.run(ctx, calmRate, lasts-2*attackRise)
	w := &withstood{quiet: quiet.p95, p95: neighbour.latencies.quantile(0.95)}
	if failed != nil {
		w.failed = failed.Error()
	}
	if w.attackResult, err = attacker.wait(); err != nil {
		return nil, err
	}
	after, err := cpu(c.processes)
	if err != nil {
		return nil, err
	}
	w.cpu = max(after.since(before)-time.Duration(l.requests)*quiet.perRequest, 0)
	most, err := kilobytes(c.processes, "status", "VmHWM")
	w.grown = max(most-memory, 0)
	return w, errors.Join(err, ctx.Err())
}

// resetPeak has the kernel forget the most memory that processes and their children ever had (proc_pid_clear_refs(5)).
func resetPeak(processes []*server.Process) error {
	pids, err := family(processes)
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := os.WriteFile("/proc/"+strconv.Itoa(pid)+"/clear_refs", []byte("5"), 0); err != nil {
			return err
		}
	}
	return nil
}

// An attacker is a process of its own, which has what the neighbour and the origin leave of the cores.
type attacker struct {
	cmd       *exec.Cmd
	cancel    context.CancelFunc
	out, errs bytes.Buffer
}

func startAttacker(ctx context.Context, program, address, name string, lasts, grace time.Duration) (*attacker, error) {
	if ip, err := net.ResolveTCPAddr("tcp", address); err != nil || !ip.IP.IsLoopback() {
		return nil, fmt.Errorf("%s is not on the loopback", address)
	}
	ctx, cancel := context.WithTimeout(ctx, attackTurn)
	a := &attacker{cancel: cancel, cmd: exec.CommandContext(ctx, "chrt", "-i", "0", program, "-tls", "-small", "/status", "-sink", "/sink",
		"-large", "/cacheable/"+strconv.Itoa(attackLarge), "-from", "127.66.0.1", "-sources", strconv.Itoa(attackSources),
		"-n", strconv.Itoa(attackConns), "-for", lasts.String(), "-grace", grace.String(), address, name)}
	a.cmd.Stdout, a.cmd.Stderr = &a.out, &a.errs
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // should the bench be killed
	if err := a.cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	return a, nil
}

// wait waits for the attack's end.
func (a *attacker) wait() (attackResult, error) {
	defer a.cancel()
	var r attackResult
	if err := a.cmd.Wait(); err != nil {
		return r, fmt.Errorf("attack: %w: %s", err, bytes.TrimSpace(a.errs.Bytes()))
	}
	err := json.Unmarshal(a.out.Bytes(), &r)
	return r, err
}
