package play

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// node is a running seawall protect, or run.
type node struct {
	cmd      *exec.Cmd
	pids     []int // of the first process, and of those that took over
	out, err transcript
	exited   chan struct{} // closed after the end, when result is set
	result   error
	awaited  []*regexp.Regexp // what it was to say
}

// shield starts and watches a node. It protects $ORIGIN on ports of its own, with data as its data folder, unless flags say
// otherwise. $UNDER is a command to run it under. It sets $NODE (its process), $SITE (with $HTTP, its host and port), and where there are
// such listeners $TLS (host and port) and $ADMIN.
func shield(p *play, args []string) error {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return p.protect(args)
	}
	n := p.node
	if n == nil {
		return errors.New("there is no shield yet")
	}
	switch verb, rest := args[0], args[1:]; {
	case verb == "says" && len(rest) == 1:
		return n.says(rest[0])
	case verb == "signal" && len(rest) == 1:
		return n.signal(unix.SignalNum("SIG" + rest[0]))
	case verb == "upgrade":
		return p.upgrade(n, rest)
	case verb == "memory" && len(rest) == 1:
		return n.memory(rest[0])
	case verb == "stop" && len(rest) == 0:
		if err := n.signal(syscall.SIGTERM); err != nil {
			return err
		}
		return p.ended(n)
	case verb == "wait" && len(rest) == 0:
		return p.ended(n)
	}
	return errUsage
}

var (
	visitorsAt = regexp.MustCompile(`(?m)^  visitors +(https?)://(\S+)$`)
	adminAt    = regexp.MustCompile(`(?m)^  status +(http://[^/]+)/`)
)

// greeted is the last line of what a node says when it serves.
const greeted = "seawall explain ID\n"

func (p *play) protect(flags []string) error {
	words := []string{"protect", p.Getenv("ORIGIN")}
	for _, usual := range []struct{ flag, value string }{
		{"--http", "127.0.0.1:0"}, {"--https", "off"}, {"--admin", "127.0.0.1:0"}, {"--data", "data"},
	} {
		if !slices.ContainsFunc(flags, func(f string) bool { return f == usual.flag || strings.HasPrefix(f, usual.flag+"=") }) {
			words = append(words, usual.flag, usual.value)
		}
	}
	return p.start(append(words, flags...))
}

// runNode starts a node with seawall.yaml, and data as its data folder; all else is as for [shield].
func runNode(p *play, flags []string) error {
	return p.start(append([]string{"run", "--config", "seawall.yaml", "--data", "data"}, flags...))
}

// start starts a node in place of the one before, and waits until it serves.
func (p *play) start(args []string) error {
	if p.node != nil {
		p.node.end(p.t)
	}
	words := slices.Concat(strings.Fields(p.Getenv("UNDER")), []string{p.seawall}, args)
	n := &node{cmd: exec.Command(words[0], words[1:]...), exited: make(chan struct{})}
	n.cmd.Dir = p.MkAbs(".")
	n.cmd.Stdout, n.cmd.Stderr = &n.out, &n.err
	if err := n.cmd.Start(); err != nil {
		return err
	}
	p.node, n.pids = n, []int{n.cmd.Process.Pid}
	p.Setenv("NODE", strconv.Itoa(n.cmd.Process.Pid))
	go func() {
		n.result = n.cmd.Wait()
		close(n.exited)
	}()
	if err := until("the shield serves", func() bool { return n.over() || strings.HasSuffix(n.out.String(), greeted) }); err != nil {
		return fmt.Errorf("%w\n%s%s", err, &n.out, &n.err)
	}
	p.Stdout().Write([]byte(n.out.String()))
	if n.over() {
		p.Stderr().Write([]byte(n.err.String()))
		return fmt.Errorf("the shield did not start: %w", n.result)
	}
	p.look(n.out.String())
	return nil
}

// look finds out where the node listens.
func (p *play) look(greeting string) {
	for _, at := range visitorsAt.FindAllStringSubmatch(greeting, -1) {
		if at[1] == "http" {
			p.Setenv("SITE", "http://"+at[2])
			p.Setenv("HTTP", at[2])
		} else {
			p.Setenv("TLS", at[2])
		}
	}
	if at := adminAt.FindStringSubmatch(greeting); at != nil {
		p.Setenv("ADMIN", at[1])
	}
}

func (n *node) over() bool {
	select {
	case <-n.exited:
		return true
	default:
		return false
	}
}

// signal sends a signal to the process that serves.
func (n *node) signal(s syscall.Signal) error { return syscall.Kill(n.pids[len(n.pids)-1], s) }

var upgradedTo = regexp.MustCompile(`^upgraded: process ([0-9]+) serves`)

// upgrade has another process take over. The node is at its end when all of them are.
func (p *play) upgrade(n *node, flags []string) error {
	var out bytes.Buffer
	err := p.run(&out, p.Stderr(), "seawall", append([]string{"upgrade", "--data", "data"}, flags...)...)
	p.Stdout().Write(out.Bytes())
	if err != nil {
		return err
	}
	to := upgradedTo.FindStringSubmatch(out.String())
	if to == nil {
		return fmt.Errorf("seawall upgrade does not say which process serves: %q", &out)
	}
	pid, err := strconv.Atoi(to[1])
	n.pids = append(n.pids, pid)
	p.Setenv("NODE", to[1])
	return err
}

// configure writes a file with the story's variables in place, whole or not at all, as editors and deployments do.
func configure(p *play, args []string) error {
	if len(args) != 2 {
		return errUsage
	}
	file := p.MkAbs(args[1])
	return errors.Join(
		os.WriteFile(file+".new", []byte(os.Expand(p.ReadFile(args[0]), p.Getenv)), 0o600),
		os.Rename(file+".new", file))
}

// says waits until the node's events have a text.
func (n *node) says(pattern string) error {
	want, err := regexp.Compile("(?m)" + pattern)
	if err != nil {
		return err
	}
	n.awaited = append(n.awaited, want)
	if err := until("the shield says "+pattern, func() bool { return want.MatchString(n.err.String()) }); err != nil {
		return fmt.Errorf("%w\n%s", err, &n.err)
	}
	return nil
}

// ended waits for the node's end, and fails if that was not a good one.
func (p *play) ended(n *node) error {
	if err := until("the shield ends", n.over); err != nil {
		return err
	}
	p.Stdout().Write([]byte(n.out.String()))
	p.Stderr().Write([]byte(n.err.String()))
	return n.result
}

// memory checks the most that the node has had in memory. Under the race detector that says nothing.
func (n *node) memory(mib string) error {
	limit, err := strconv.Atoi(mib)
	if err != nil || raceDetector {
		return err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.cmd.Process.Pid))
	if err != nil {
		return err
	}
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	fields := strings.Fields(string(rest))
	if len(fields) == 0 {
		return errors.New("the kernel does not tell the shield's memory")
	}
	kib, err := strconv.Atoi(fields[0])
	if err == nil && kib > limit<<10 {
		return fmt.Errorf("the shield has used %d KiB, more than %d MiB", kib, limit)
	}
	return err
}

// end makes an end of the node, and tells of faults.
func (n *node) end(t testscript.T) {
	if !n.over() {
		n.signal(syscall.SIGTERM)
		select {
		case <-n.exited:
		case <-time.After(time.Second): // what is held open by a failed play
			for _, pid := range n.pids {
				syscall.Kill(pid, syscall.SIGKILL)
			}
			<-n.exited
		}
	}
	events := n.err.String()
	t.Log("the shield's own account:\n" + events)
	for line := range strings.Lines(events) {
		if faulty.MatchString(line) && !slices.ContainsFunc(n.awaited, func(r *regexp.Regexp) bool { return r.MatchString(line) }) {
			t.Fatal("the shield was not well: it said " + line)
		}
	}
}

// faulty is what a node says that is not well, unless the story waits for just that.
var faulty = regexp.MustCompile("DATA RACE|level=ERROR|panic:|fatal error:")

// explain explains an id. A client may have its answer a moment before the node has written down what happened: that is waited for,
// if it is this node's id.
func explain(p *play, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	n := p.shown[args[len(args)-1]]
	if n != p.node || n == nil || n.over() {
		n = nil
	}
	var out, errs bytes.Buffer
	var failed error
	err := until("the shield explains it", func() bool {
		out.Reset()
		errs.Reset()
		failed = p.run(&out, &errs, "seawall", append([]string{"explain", "--data", "data"}, args...)...)
		return n == nil || n.over() || failed == nil && !strings.Contains(out.String(), "the rest is forgotten")
	})
	p.Stdout().Write(out.Bytes())
	p.Stderr().Write(errs.Bytes())
	return cmp.Or(err, failed)
}

// logged waits for the access log's line. Its id is what the last such line has.
func logged(p *play, args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	want, err := regexp.Compile(args[0])
	if err != nil {
		return err
	}
	file, found := p.MkAbs(filepath.Join("data", "access.log")), ""
	err = until("the access log has "+args[0], func() bool {
		text, _ := os.ReadFile(file)
		for line := range strings.Lines(string(text)) {
			if want.MatchString(line) && strings.HasSuffix(line, "\n") {
				found = line
			}
		}
		return found != ""
	})
	if err != nil {
		return err
	}
	fmt.Fprint(p.Stdout(), found)
	_, rest, _ := strings.Cut(found, `"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	p.Setenv("ID", id)
	return nil
}

// metrics shows the node's metrics once they are as wanted.
func metrics(p *play, args []string) error {
	var wants []*regexp.Regexp
	for _, arg := range args {
		want, err := regexp.Compile("(?m)" + arg)
		if err != nil {
			return err
		}
		wants = append(wants, want)
	}
	token, err := os.ReadFile(p.MkAbs("data/admin.token"))
	if err != nil {
		return err
	}
	var text []byte
	err = until("the metrics have "+strings.Join(args, " and "), func() bool {
		text, err = scrape(p.Getenv("ADMIN")+"/metrics", strings.TrimSpace(string(token)))
		return err == nil && !slices.ContainsFunc(wants, func(want *regexp.Regexp) bool { return !want.Match(text) })
	})
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			fmt.Fprint(p.Stdout(), line)
		}
	}
	return err
}

func scrape(url, token string) ([]byte, error) {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	return text, err
}
