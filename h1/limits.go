package h1

import (
	"bytes"
	"strings"
)

// Limits bounds a head or a trailer section. A zero or negative number means the default.
type Limits struct {
	Line   int // bytes of the first line without its line end; default 8192
	Head   int // bytes of the whole head, or of a trailer section; default 32768
	Fields int // number of field lines; default 100
}

func (l Limits) orDefault() Limits {
	if l.Line <= 0 {
		l.Line = 8192
	}
	if l.Head <= 0 {
		l.Head = 32768
	}
	if l.Fields <= 0 {
		l.Fields = 100
	}
	return l
}

// End returns the index just past the empty line that ends the head at the start of b, or 0 if it has not arrived.
// from is how many bytes of b an earlier call has seen: a head that trickles in is scanned once.
//
// A bare LF, or a CR that no LF follows, which a lenient peer might take for the end, ends the scan too, so that
// nobody waits for more: End then returns an index behind it, and Parse refuses what ends there. One empty line before
// the first line is skipped (RFC 9112 §2.2); a second one is an end that Parse refuses. As soon as b proves that a
// limit is exceeded, End says so: 414 for the first line, 431 for the head, both to be read as 502 for a response.
// In whatever pieces a head that Parse accepts arrives, its end is the same.
func End(b []byte, from int, lim Limits) (end int, err error) {
	lim = lim.orDefault()
	from = min(max(from, 0), len(b))
	end = emptyLineEnd(b, max(from-3, 0))
	if lim.exceeded(b, end, from) || end == 0 && !regular(b, from) {
		return irregular(b, lim)
	}
	return end, nil
}

// emptyLineEnd returns the index just past the first empty line of b whose CRLFCRLF starts at or after i, or 0. Every
// fourth byte is enough to see it. (bytes.IndexByte, called for each line, takes twice as long.)
func emptyLineEnd(b []byte, i int) int {
	j := i + 3
	for ; j+29 <= len(b); j += 32 {
		s := b[j : j+29 : j+29]
		if s[0] > '\r' && s[4] > '\r' && s[8] > '\r' && s[12] > '\r' &&
			s[16] > '\r' && s[20] > '\r' && s[24] > '\r' && s[28] > '\r' {
			continue
		}
		for k := 0; k < len(s); k += 4 {
			if s[k] <= '\r' {
				if end := emptyLineAt(b, j+k); end > 0 {
					return end
				}
			}
		}
	}
	for ; j < len(b); j += 4 {
		if end := emptyLineAt(b, j); end > 0 {
			return end
		}
	}
	return 0
}

// emptyLineAt returns the index just past the empty line of b whose line end, or the one before it, covers b[j], or 0.
// j is at least 3.
func emptyLineAt(b []byte, j int) int {
	switch b[j] {
	case '\n':
		if b[j-2] == '\n' && b[j-1] == '\r' {
			return j + 1
		}
		if j+2 < len(b) && b[j+1] == '\r' && b[j+2] == '\n' {
			return j + 3
		}
	case '\r':
		if b[j-1] == '\n' && j+1 < len(b) && b[j+1] == '\n' {
			return j + 2
		}
		if j+3 < len(b) && b[j+1] == '\n' && b[j+2] == '\r' && b[j+3] == '\n' {
			return j + 4
		}
	}
	return 0
}

// regular reports whether the line ends of b[from:] are CRLF; a CR at the end of b may become one.
func regular(b []byte, from int) bool {
	if from > 0 && b[from-1] == '\r' {
		from--
	}
	crs := bytes.Count(b[from:], []byte{'\r'})
	if crs > 0 && b[len(b)-1] == '\r' {
		crs--
	}
	for i := from; ; crs-- {
		o := bytes.IndexByte(b[i:], '\n')
		if o < 0 {
			return crs == 0
		}
		if i += o + 1; i < 2 || b[i-2] != '\r' {
			return false
		}
	}
}

// exceeded reports whether the head at the start of b, which ends at end unless that is 0, is too long.
func (l Limits) exceeded(b []byte, end, from int) bool {
	if end > l.Head || end == 0 && len(b) >= l.Head {
		return true
	}
	line := emptyLine(b) + l.Line + 2
	return from < line && len(b) >= line && bytes.IndexByte(b[emptyLine(b):line], '\n') < 0
}

// emptyLine returns the length of the empty line that may precede the first line: 2 or 0.
func emptyLine[T string | []byte](head T) int {
	if len(head) >= 2 && head[0] == '\r' && head[1] == '\n' {
		return 2
	}
	return 0
}

// irregular is End for bytes that have an ill-formed line end or exceed a limit: it walks byte by byte and returns what
// comes first. The connection ends with it, so it runs once.
func irregular(b []byte, lim Limits) (int, error) {
	lineEnd := emptyLine(b) + lim.Line + 1 // where the LF of the first line stands at the latest
	for p, c := range b {
		switch {
		case c == '\n' && (p == 0 || b[p-1] != '\r'):
			return p + 1, nil
		case c != '\n' && p > 0 && b[p-1] == '\r':
			return p, nil
		case c == '\n' && p > 2 && b[p-2] == '\n':
			return p + 1, nil
		case p == lineEnd && bytes.IndexByte(b[emptyLine(b):p+1], '\n') < 0:
			return 0, &errLineLong.request
		case p+1 >= lim.Head:
			return 0, &errHeadLong.request
		}
	}
	return 0, nil
}

// whole checks that head is what End delimits: within the limits, and ending with an empty line.
func whole(head string, lim Limits) *refusal {
	switch {
	case len(head) > lim.Head:
		return errHeadLong
	case strings.HasSuffix(head, "\r\n\r\n"):
		return nil
	case strings.HasSuffix(head, "\n\r\n"):
		return errBareLF
	case strings.HasSuffix(head, "\r\n"):
		return errIncomplete
	case strings.HasSuffix(head, "\n"):
		return errBareLF
	case strings.HasSuffix(head, "\r"):
		return errBareCR
	}
	return errIncomplete
}
