package play

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// nginxConf makes nginx one process in the foreground that writes only below the play's folder.
const nginxConf = `daemon off; master_process off; worker_rlimit_nofile 1024;
pid nginx.pid;
error_log stderr;
events { worker_connections 512; }
http {
	include /etc/nginx/mime.types;
	access_log access.log;
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
%s}
`

// nginxServer is one server in it.
const nginxServer = `	server {
		listen %s;
		%s
	}
`

// nginx serves a folder until the play ends. It sets $ORIGIN, and logs to nginx/access.log.
func nginx(p *play, args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	return p.nginx(fmt.Sprintf("root %s; expires 1h;", p.MkAbs(args[0])))
}

// nginx runs nginx with what its configuration has to say of each server. It sets $ORIGIN, and $ORIGIN2 for the second.
func (p *play) nginx(servers ...string) error {
	if err := needs(p, []string{"nginx"}); err != nil {
		return err
	}
	program, err := p.find("nginx")
	if err != nil {
		return err
	}
	var address string
	var all strings.Builder
	for i, server := range servers {
		if address, err = p.reserve(); err != nil {
			return err
		}
		fmt.Fprintf(&all, nginxServer, address, server)
		p.Setenv([]string{"ORIGIN", "ORIGIN2"}[i], "http://"+address)
	}
	dir := p.MkAbs("nginx")
	conf := fmt.Appendf(nil, nginxConf, all.String())
	if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(dir+"/nginx.conf", conf, 0o644)); err != nil {
		return err
	}
	return p.serve(exec.Command(program, "-p", dir, "-c", "nginx.conf", "-e", "stderr"), "tcp", address)
}

// halt ends the servers that serve runs.
func halt(p *play, args []string) error {
	if len(args) != 0 || len(p.servers) == 0 {
		return errUsage
	}
	for _, server := range p.servers {
		if err := server.Process.Signal(syscall.SIGTERM); err != nil { // PHP-FPM would leave its workers behind
			return err
		}
		server.Wait()
	}
	p.servers = nil
	return nil
}

// serve runs a server until the play ends. It returns when the server listens.
func (p *play) serve(server *exec.Cmd, network, address string) error {
	var output transcript
	server.Stdout, server.Stderr = &output, &output
	if err := server.Start(); err != nil {
		return err
	}
	p.servers = append(p.servers, server)
	p.Defer(func() {
		server.Process.Signal(syscall.SIGTERM)
		server.Wait()
		p.t.Log(fmt.Sprintf("%s (%v) says: %s", server.Path, server.ProcessState, &output))
	})
	return until(server.Path+" serves", func() bool {
		c, err := net.Dial(network, address)
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
}
