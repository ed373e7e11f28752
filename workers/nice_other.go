//go:build !linux

package workers

import "errors"

// renice fails: elsewhere, a nice value is a process's.
func renice(nice int) error {
	if nice == 0 {
		return nil
	}
	return errors.ErrUnsupported
}

// Precede fails: it is for Linux's scheduler.
func Precede() error { return errors.ErrUnsupported }
