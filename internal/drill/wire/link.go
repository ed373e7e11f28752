package wire

import (
	"net"
	"sync/atomic"
	"time"
)

// A link is the connection below TLS: it reads as slowly as is asked of it, and sets deadlines no more often than
// is worth a timer.
type link struct {
	net.Conn
	pace     atomic.Int64 // bytes a second; 0: as they come
	deadline time.Time    // as set, of reads and writes or of writes alone
}

const (
	coarse     = 125 * time.Millisecond // deadlines are rounded up to it
	beat       = 100 * time.Millisecond // of a slow reader
	slowBuffer = 32 << 10               // bytes the kernel receives for a slow reader, so that the other end feels it
)

// until gives reads and writes a deadline, or takes theirs away if t is zero.
func (l *link) until(t time.Time) {
	if l.moves(&t) {
		_ = l.SetDeadline(t)
	}
}

// writeUntil gives writes alone a deadline: in HTTP/2 reads serve many requests.
func (l *link) writeUntil(t time.Time) {
	if l.moves(&t) {
		_ = l.SetWriteDeadline(t)
	}
}

// moves rounds a deadline and reports whether it is another than the last.
func (l *link) moves(t *time.Time) bool {
	if !t.IsZero() {
		*t = t.Truncate(coarse).Add(coarse)
	}
	if t.Equal(l.deadline) {
		return false
	}
	l.deadline = *t
	return true
}

// slow makes the link read so many bytes a second from now on.
func (l *link) slow(pace int) {
	if l.pace.Swap(int64(pace)) != int64(pace) && pace > 0 {
		if t, ok := l.Conn.(*net.TCPConn); ok {
			_ = t.SetReadBuffer(slowBuffer)
		}
	}
}

func (l *link) Read(p []byte) (int, error) {
	pace := l.pace.Load()
	if pace == 0 {
		return l.Conn.Read(p)
	}
	n := min(int64(len(p)), max(pace*int64(beat)/int64(time.Second), 1))
	time.Sleep(time.Duration(n) * time.Second / time.Duration(pace))
	return l.Conn.Read(p[:n])
}
