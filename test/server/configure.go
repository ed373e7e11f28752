package server

import (
	"bytes"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"text/template"
)

// Find is the path of a program, which Debian may keep where only root looks.
func Find(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		if path, sbin := exec.LookPath("/usr/sbin/" + program); sbin == nil {
			return path, nil
		}
	}
	return path, err
}

// functions are what templates can call.
func functions() template.FuncMap {
	return template.FuncMap{
		"host": func(address string) (string, error) { host, _, err := net.SplitHostPort(address); return host, err },
		"port": func(address string) (string, error) { _, port, err := net.SplitHostPort(address); return port, err },
	}
}

// Configure writes a server's configuration into a folder: the template of that name, filled with setting.
func Configure(templates fs.FS, name, dir string, setting any) (file string, err error) {
	t, err := template.New(path.Base(name)).Funcs(functions()).Option("missingkey=error").ParseFS(templates, name)
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	if err := t.Execute(&text, setting); err != nil {
		return "", err
	}
	file = filepath.Join(dir, path.Base(name))
	return file, os.WriteFile(file, text.Bytes(), 0o600)
}
