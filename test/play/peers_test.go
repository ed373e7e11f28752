package play

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// tools are programs of the module tools/peers, by the names under which stories know them.
var tools = map[string]string{
	"grpc-client": "google.golang.org/grpc/interop/client",
	"grpc-server": "github.com/seawall/seawall/tools/peers/grpcserver",
	"h2spec":      "github.com/summerwind/h2spec/cmd/h2spec",
}

// tool builds programs, or finds them in Go's cache, and lets the story's PATH have them.
func tool(p *play, names []string) error {
	for _, name := range names {
		if tools[name] == "" {
			return errUsage
		}
		build := exec.Command("go", "tool", "-n", tools[name]) // builds it, and only says where it is
		build.Dir = "../../tools/peers"
		build.Stderr = p.Stderr()
		path, err := build.Output()
		if err != nil {
			return fmt.Errorf("build %s: %w", name, err)
		}
		link := filepath.Join(filepath.Dir(p.seawall), name)
		err = os.Symlink(strings.TrimSpace(string(path)), link)
		if err != nil && !errors.Is(err, fs.ErrExist) { // another play may have been first
			return err
		}
	}
	return nil
}

// grpc serves grpc-go's interoperability tests until the play ends: with prior knowledge, or over TLS with the certificate of a host that
// was certified. It sets $ORIGIN.
func grpc(p *play, args []string) error {
	if len(args) > 1 {
		return errUsage
	}
	program, err := p.find("grpc-server")
	if err != nil {
		return err
	}
	address, err := p.reserve()
	if err != nil {
		return err
	}
	words, scheme := []string{address}, "http://"
	if len(args) == 1 {
		words, scheme = append(words, p.MkAbs(args[0]+".pem"), p.MkAbs(args[0]+".key")), "https://"
	}
	p.Setenv("ORIGIN", scheme+address)
	return p.serve(exec.Command(program, words...), "tcp", address)
}
