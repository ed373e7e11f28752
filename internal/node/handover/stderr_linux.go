package handover

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// UseStderr makes file this process's standard error, and closes it.
func UseStderr(file *os.File) error {
	defer file.Close()
	rc, err := file.SyscallConn()
	if err != nil {
		return fmt.Errorf("replacing standard error: %w", err)
	}
	var dup error
	if err := rc.Control(func(fd uintptr) { dup = unix.Dup3(int(fd), 2, 0) }); err != nil {
		return fmt.Errorf("replacing standard error: %w", err)
	}
	if dup != nil {
		return fmt.Errorf("replacing standard error: %w", dup)
	}
	return nil
}
