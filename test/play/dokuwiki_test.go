package play

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// fpmConf makes PHP-FPM write below the play's folder only. Before each script runs prepend.php.
const fpmConf = `[global]
error_log = /dev/stderr
[www]
listen = php.sock
pm = static
pm.max_children = 4
user = root
php_admin_value[auto_prepend_file] = %[1]s/prepend.php
php_admin_value[session.save_path] = %[1]s/sessions
php_admin_value[upload_tmp_dir] = %[1]s/sessions
php_admin_flag[log_errors] = on
catch_workers_output = yes
`

// prependPHP says where DokuWiki's configuration is.
const prependPHP = `<?php define('DOKU_CONF', '%s/'); // what is not there, Debian's /etc/dokuwiki says
`

// wikiServer is DokuWiki's part of nginx.conf.
const wikiServer = `root /usr/share/dokuwiki; index doku.php;
	location ~ ^/(bin|inc|vendor)/ { return 404; }
	location ~ [.]php$ {
		include /etc/nginx/fastcgi_params;
		fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
		fastcgi_pass unix:%s;
	}
	location /lib/ { expires 1h; }`

// dokuWiki serves a folder with DokuWiki's conf and data, by nginx and PHP-FPM, until the play ends, and by the same nginx another folder, of which nothing
// may be used without asking.
// It sets $ORIGIN, and $ORIGIN2.
func dokuWiki(p *play, args []string) error {
	if len(args) != 1 && len(args) != 2 {
		return errUsage
	}
	wiki, dir := p.MkAbs(args[0]), p.MkAbs("php")
	err := errors.Join(os.Mkdir(dir, 0o755), os.Mkdir(dir+"/sessions", 0o755),
		os.WriteFile(dir+"/fpm.conf", fmt.Appendf(nil, fpmConf, dir), 0o644),
		os.WriteFile(dir+"/prepend.php", fmt.Appendf(nil, prependPHP, wiki+"/conf"), 0o644))
	for _, kind := range []string{"attic", "cache", "index", "locks", "log", "media", "media_attic", "media_meta", "meta", "pages", "tmp"} {
		err = errors.Join(err, os.MkdirAll(filepath.Join(wiki, "data", kind), 0o755))
	}
	programs, _ := filepath.Glob(phpFPM)
	if len(programs) == 0 {
		err = errors.Join(err, exec.ErrNotFound)
	}
	if err != nil {
		return err
	}
	flags := []string{"--nodaemonize", "--prefix", dir, "--fpm-config", dir + "/fpm.conf"}
	if os.Geteuid() == 0 {
		flags = append(flags, "--allow-to-run-as-root")
	}
	if err := p.serve(exec.Command(programs[0], flags...), "unix", dir+"/php.sock"); err != nil {
		return err
	}
	servers := []string{fmt.Sprintf(wikiServer, dir+"/php.sock")}
	for _, site := range args[1:] {
		servers = append(servers, fmt.Sprintf("root %s; add_header Cache-Control no-cache;", p.MkAbs(site)))
	}
	return p.nginx(servers...)
}

// phpFPM is where Debian has it, with PHP's version in its name.
const phpFPM = "/usr/sbin/php-fpm[0-9]*"
