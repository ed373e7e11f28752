package store

import (
	"io"

	"golang.org/x/sys/unix"
)

// tryReadAt implements file by preadv2(2): with RWF_NOWAIT, it reads what the page cache has and says EAGAIN for the rest. A part, as any
// error of which a read that waits will tell, is a wait.
func (f *osFile) tryReadAt(p []byte, off int64) error {
	n, err := unix.Preadv2(f.fd, [][]byte{p}, off, unix.RWF_NOWAIT)
	switch {
	case err == nil && n == len(p):
		return nil
	case err == nil && n == 0:
		return io.ErrUnexpectedEOF
	}
	return ErrWouldWait
}
