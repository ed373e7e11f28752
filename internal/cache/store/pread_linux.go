package store

import (
	"io"
	"os"

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

// cached implements file by cachestat(2), which came with Linux 6.5: without it the answer is no.
func (f *osFile) cached(off, n int64) bool {
	page := int64(os.Getpagesize())
	var have unix.Cachestat_t
	err := unix.Cachestat(uint(f.fd), &unix.CachestatRange{Off: uint64(off), Len: uint64(n)}, &have, 0)
	return err == nil && have.Cache > uint64((off+n-1)/page-off/page)
}
