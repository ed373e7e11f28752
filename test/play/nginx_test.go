package play

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
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
	server { listen %s; root %s; expires 1h; }
}
`

// nginx serves a folder until the play ends. It sets $ORIGIN, and logs to nginx/access.log.
func nginx(p *play, args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	if err := needs(p, []string{"nginx"}); err != nil {
		return err
	}
	program, err := p.find("nginx")
	if err != nil {
		return err
	}
	address, err := freeAddress()
	if err != nil {
		return err
	}
	dir := p.MkAbs("nginx")
	conf := fmt.Sprintf(nginxConf, address, p.MkAbs(args[0]))
	if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(dir+"/nginx.conf", []byte(conf), 0o644)); err != nil {
		return err
	}
	var output transcript
	cmd := exec.Command(program, "-p", dir, "-c", "nginx.conf", "-e", "stderr")
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		return err
	}
	p.Defer(func() {
		cmd.Process.Kill()
		cmd.Wait()
		p.t.Log(fmt.Sprintf("nginx (%v) says: %s", cmd.ProcessState, &output))
	})
	p.Setenv("ORIGIN", "http://"+address)
	return until("nginx serves", func() bool {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
}

// freeAddress is one that nobody listens on now: nginx cannot choose a port itself.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
