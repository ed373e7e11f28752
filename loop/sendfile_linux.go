package loop

import (
	"io"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TryWriteFile writes as much of head, then of a file's n bytes from an offset on, as the kernel takes now, cuts that off both, and returns
// how much it was. What the page cache does not have of the file it waits for. A file that ends too early is [io.ErrUnexpectedEOF].
func (c *Conn) TryWriteFile(head *[]byte, file int, offset, n *int64) (written int, err error) {
	for len(*head) > 0 {
		w, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(c.fd), uintptr(unsafe.Pointer(unsafe.SliceData(*head))), uintptr(len(*head)),
			unix.MSG_NOSIGNAL|unix.MSG_MORE, 0, 0)
		switch errno {
		case 0:
			written += int(w)
			*head = (*head)[w:]
		case syscall.EAGAIN:
			return written, nil
		case syscall.EINTR:
		default:
			return written, os.NewSyscallError("write", errno)
		}
	}
	for *n > 0 {
		w, err := unix.Sendfile(c.fd, file, offset, int(*n))
		switch {
		case err == unix.EAGAIN:
			return written, nil
		case err == unix.EINTR:
		case err != nil:
			return written, os.NewSyscallError("sendfile", err)
		case w == 0:
			return written, io.ErrUnexpectedEOF
		default:
			written += w
			*n -= int64(w)
		}
	}
	return written, nil
}
