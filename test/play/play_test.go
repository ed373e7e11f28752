// Package play holds whole-system plays: the built program, as a user starts it, between real peers (curl, Chromium, wrk,
// slowhttptest, HAProxy, gRPC) and origins: real ones (nginx, DokuWiki, gRPC), and one that behaves as origins do, badly included. Each
// .txtar file here is one story; this package is the stage. The commands that stories use are listed in [commands].
//
// Plays run side by side, each in a folder and on ports of its own, on loopback only; those in the folder attacked one after the
// other. Waiting is bounded by patience. A play whose peers are not installed skips, and names the Debian package.
package play

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/seawall/seawall/internal/control/cert/pebble"
)

// commands are what a story may say besides testscript's own words.
var commands = map[string]command{
	"needs":     needs,     // needs PROGRAM...: skip without them
	"exits":     exits,     // exits CODE PROGRAM ARG...: run it, and it ends so
	"await":     await,     // await FILE REGEXP: until the file has it
	"certify":   certify,   // certify HOST: HOST.pem and HOST.key, signed by itself
	"authority": authority, // authority [issues HOST|hurry HOST|replaced|orders]: one that speaks ACME, in this process
	"tool":      tool,      // tool NAME...: build grpc-client, grpc-server or h2spec
	"ports":     ports,     // ports NAME...: set them to addresses that nobody else has
	"atlas":     atlas,     // atlas FILE NETWORK=COUNTRY...: write a file of countries
	"configure": configure, // configure FILE AS: write it with the variables in place
	"origin":    origin(0), // origin [unix|proxy|h2|start|stop|release|counts|sees REGEXP]: the server to protect
	"origin2":   origin(1), // another one
	"origin3":   origin(2), // and another
	"nginx":     nginx,     // nginx FOLDER: the server to protect is nginx with this folder
	"grpc":      grpc,      // grpc [HOST]: the server to protect is grpc-go's for its own tests, with HOST.pem over TLS
	"caching":   caching,   // caching start | URL FILE: the origin of http-cache-tests, and its tests, of which those in FILE fail
	"dokuwiki":  dokuWiki,  // dokuwiki FOLDER [SITE]: the server to protect is DokuWiki with this folder's conf and data; another one has SITE
	"halt":      halt,      // halt: end nginx, and what is behind it
	"tour":      tours,     // tour private TEXT... | begins URL... | goes | sees URL | again: visitors of real sites through $DOOR; again: of a dead origin
	"killed":    killed,    // killed N [FLAG...]: a shield killed N times under load, every byte of whose answers is checked
	"shield":    shield,    // shield [FLAG...|says REGEXP|signal NAME|upgrade [FLAG...]|wait|stop|memory MIB]: seawall protect
	"node":      runNode,   // node [FLAG...]: seawall run --config seawall.yaml; then as shield
	"get":       get,       // get [curl's ARG...] URL: response on stdout, its id in $ID
	"gets":      gets,      // gets REGEXP [curl's ARG...] URL: get until the response has it
	"talk":      talk,      // talk FILE: send these lines as they are, response on stdout, its id in $ID
	"duplex":    duplex,    // duplex [-2] N URL: send pieces, each when the one before has come back; -2: over HTTP/2
	"sign":      sign,      // sign URL [FILE]: post over HTTP/2, with a trailer; the response with its trailers on stdout
	"desert":    desert,    // desert URL | for URL: ask over HTTP/2, in the background; give up, and ask on the same connection
	"explain":   explain,   // explain ID: seawall explain
	"logged":    logged,    // logged REGEXP: until the access log has a line like that, its id in $ID
	"metrics":   metrics,   // metrics REGEXP...: until there are lines like these
	"crowd":     crowd,     // crowd [-2] [-n N] [-addresses N] [-once] URL... | sees STATUS | wait | stop: visitors in the background
	"visit":     visit,     // visit quiet URL | attacked [TIME]: a visitor's hits, and under an attack, hardly slower, or anew within TIME
	"h2attacks": h2attacks, // h2attacks TLS URL: every attack on HTTP/2, from thousands of addresses, and a visitor of the URL beside
	"slow":      slow,      // slow heads|senders|readers N URL | wait | count: clients that take their time
	"browser":   browse,    // browser URL | type CSS TEXT | follow CSS | sees REGEXP | leave: Chromium, its page's loads on stdout
	"websocket": webSocket, // websocket [-2] N URL | echo | close: open them, hear an echo on each, keep them open; -2: over HTTP/2
}

// command is a word of the stories. Its error fails the play, or is what "!" expects.
type command func(p *play, args []string) error

// play is one story's stage.
type play struct {
	*testscript.TestScript
	t        testscript.T
	seawall  string // the program
	node     *node
	shown    map[string]*node // by the id it has shown
	sites    [3]*site
	crowd    *visitors
	slow     []*slowClients
	sockets  *sockets
	browser  *browser
	visitor  *visitor
	deserter *deserter
	tour     *tour
	servers  []*exec.Cmd // that serve started

	authority *pebble.Server
	suite     string   // the folder of http-cache-tests
	hurried   *big.Int // serial number of the certificate that the authority wants renewed early
}

type playKey struct{}

func TestPlays(t *testing.T) {
	params := stage(t)
	params.Dir = "."
	testscript.Run(t, params)
}

// TestAttacked has the plays in which it is measured how a visitor fares under an attack. Each has the machine for itself.
func TestAttacked(t *testing.T) {
	params := stage(t)
	plays, err := filepath.Glob("attacked/*.txtar")
	if err != nil || len(plays) == 0 {
		t.Fatalf("no plays: %v", err)
	}
	for _, play := range plays {
		t.Run(strings.TrimSuffix(filepath.Base(play), ".txtar"), func(t *testing.T) {
			params.Files = []string{play}
			testscript.Run(t, params)
		})
	}
}

// stage is what plays need.
func stage(t *testing.T) testscript.Params {
	seawall := build(t)
	cmds := make(map[string]func(*testscript.TestScript, bool, []string), len(commands))
	for name, c := range commands {
		cmds[name] = c.perform
	}
	return testscript.Params{
		Cmds:                cmds,
		Condition:           condition,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			p := &play{t: e.T(), seawall: seawall, shown: make(map[string]*node)}
			e.Values[playKey{}] = p
			e.Setenv("PATH", filepath.Dir(seawall)+":/usr/sbin:/sbin:"+e.Getenv("PATH"))
			e.Defer(p.end)
			return nil
		},
	}
}

// build makes the program, with the race detector if the test has it.
func build(t *testing.T) string {
	dir, err := os.MkdirTemp("", "seawall-play-") //nolint:usetesting // others may not enter t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // a play runs it as somebody else
		t.Fatal(err)
	}
	program := filepath.Join(dir, "seawall")
	args := []string{"build", "-o", program}
	if raceDetector {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "../../cmd/seawall")...).CombinedOutput(); err != nil {
		t.Fatalf("building seawall: %v\n%s", err, out)
	}
	return program
}

// files are those by which a condition knows whether a Debian package of that name is installed.
var files = map[string]string{
	"dokuwiki":    "/usr/share/dokuwiki/doku.php",
	"php-fpm":     phpFPM,
	"python3-doc": "/usr/share/doc/python3-doc/html/index.html",
}

// condition knows the names of some Debian packages, whether they are installed, and [root].
func condition(name string) (bool, error) {
	if name == "root" {
		return os.Geteuid() == 0, nil
	}
	file := files[name]
	if file == "" {
		return false, fmt.Errorf("unknown condition %s", name)
	}
	found, err := filepath.Glob(file)
	return len(found) > 0, err
}

// perform calls a command for a script.
func (c command) perform(ts *testscript.TestScript, neg bool, args []string) {
	p := ts.Value(playKey{}).(*play)
	p.TestScript = ts
	switch err := c(p, args); {
	case neg && err == nil:
		ts.Fatalf("succeeded, and should not")
	case neg:
		fmt.Fprintln(ts.Stderr(), err)
	case err != nil:
		ts.Fatalf("%v", err)
	}
}

// end leaves nothing running, and looks whether the node was well.
func (p *play) end() {
	for _, s := range p.slow {
		s.close()
	}
	if p.sockets != nil {
		p.sockets.close()
	}
	if p.crowd != nil {
		p.crowd.cancel()
	}
	if p.browser != nil {
		p.browser.cancel()
	}
	if p.tour != nil {
		p.tour.CloseIdleConnections()
	}
	if p.visitor != nil {
		p.visitor.kept.CloseIdleConnections()
	}
	if p.authority != nil {
		p.authority.Close()
	}
	for _, s := range p.sites {
		if s != nil {
			s.stop()
		}
	}
	if p.node != nil {
		p.node.end(p.t)
	}
}

// errUsage is a story's mistake.
var errUsage = errors.New("wrong arguments: see commands in play_test.go")

// debian says which package has a program that is not named like it.
var debian = map[string]string{
	"h2load": "nghttp2-client", "nghttp": "nghttp2-client", "prlimit": "util-linux", "setpriv": "util-linux", "testssl": "testssl.sh",
}

func needs(p *play, programs []string) error {
	for _, program := range programs {
		if _, err := p.find(program); err != nil {
			pkg := debian[program]
			if pkg == "" {
				pkg = program
			}
			p.t.Skip(fmt.Sprintf("%s is not installed: Debian package %s", program, pkg))
		}
	}
	return nil
}

// find looks a program up in the story's PATH.
func (p *play) find(program string) (string, error) {
	for _, dir := range filepath.SplitList(p.Getenv("PATH")) {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w", program, exec.ErrNotFound)
}

// run runs a program in the play's folder to its end, or to that of patience.
func (p *play) run(stdout, stderr io.Writer, program string, args ...string) error {
	path, err := p.find(program)
	if err != nil {
		return err
	}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env = p.MkAbs("."), append(os.Environ(), "PATH="+p.Getenv("PATH"))
	cmd.Stdout, cmd.Stderr = stdout, stderr
	timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer timer.Stop()
	return cmd.Run()
}

func exits(p *play, args []string) error {
	if len(args) < 2 {
		return errUsage
	}
	want, err := strconv.Atoi(args[0])
	if err != nil {
		return errUsage
	}
	err = p.run(p.Stdout(), p.Stderr(), args[1], args[2:]...)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	got := 0
	if exit != nil {
		got = exit.ExitCode()
	}
	switch {
	case got < 0:
		return fmt.Errorf("it did not end within %v, and should with code %d", patience, want)
	case got != want:
		return fmt.Errorf("exit code %d, want %d", got, want)
	}
	return nil
}

func await(p *play, args []string) error {
	if len(args) != 2 {
		return errUsage
	}
	want, err := regexp.Compile("(?m)" + args[1])
	if err != nil {
		return err
	}
	file := p.MkAbs(args[0])
	return until(args[0]+" has "+args[1], func() bool {
		text, err := os.ReadFile(file)
		return err == nil && want.Match(text)
	})
}

// patience is how long a play waits for anything that has to happen.
const patience = 2 * time.Minute

// until waits until ok, as long as patience lasts.
func until(what string, ok func() bool) error {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-look.C {
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %v in vain until %s", patience, what)
		}
	}
	return nil
}

// transcript is what a program has written so far.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *transcript) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(b)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// requestID finds the id that a response shows.
var requestID = regexp.MustCompile(`(?mi)^x-request-id: (\S+)`)

// tell shows a response, without the carriage returns that make lines hard to match, and remembers its id.
func (p *play) tell(response []byte) {
	text := strings.ReplaceAll(string(response), "\r\n", "\n")
	p.Stdout().Write([]byte(text))
	if ids := requestID.FindAllStringSubmatch(text, -1); ids != nil {
		p.remember(ids[len(ids)-1][1])
	}
}

// remember remembers a response's id, and who has shown it.
func (p *play) remember(id string) {
	p.Setenv("ID", id)
	p.shown[id] = p.node
}
