package h2

import "strconv"

// appendHead appends a field section in HEADERS, and CONTINUATION where one frame can't hold it. It begins with :status
// unless status is 0, and ends with content-length unless length is negative. The encoding is without state and without
// Huffman codes: it costs less than what it would save, and a response reads the same on every connection.
func (s *Server) appendHead(out []byte, id uint32, status int, fields []Field, length int64, flags uint8) []byte {
	start := len(out)
	out = appendFrame(out, 0, typeHeaders, flags, id)
	if s.table == tableToShrink {
		s.table = tableNone
		out = append(out, 0b001<<5) // RFC 7541 §6.3: a table of size 0
	}
	if status != 0 {
		out = appendStatus(out, status)
	}
	for i := range fields {
		out = appendField(out, fields[i].Name, fields[i].Value)
	}
	if length >= 0 {
		out = appendContentLength(out, length)
	}
	return frameSection(out, start)
}

// frameSection ends the HEADERS frame at start, to which all that follows belongs: it writes its length, and moves what
// is more than a frame's payload into CONTINUATION.
func frameSection(out []byte, start int) []byte {
	f := readFrame(out[start:])
	first, size := start+frameHead, len(out)-start-frameHead
	more := max(size-1, 0) / maxFrame // frames
	if more > 0 {
		out = append(out, make([]byte, more*frameHead)...)
	}
	for i := more; i > 0; i-- {
		from, n := first+i*maxFrame, min(size-i*maxFrame, maxFrame)
		to := from + i*frameHead
		copy(out[to:], out[from:from+n])
		putFrame(out[to-frameHead:], n, typeContinuation, endHeaders(i == more), f.id)
	}
	putFrame(out[start:], min(size, maxFrame), typeHeaders, f.flags|endHeaders(more == 0), f.id)
	return out
}

func endHeaders(yes bool) uint8 {
	if yes {
		return flagEndHeaders
	}
	return 0
}

// appendStatus appends :status, from the static table if it is there (RFC 7541, appendix A).
func appendStatus(out []byte, status int) []byte {
	switch status {
	case 200:
		return append(out, 0x80|8)
	case 204:
		return append(out, 0x80|9)
	case 206:
		return append(out, 0x80|10)
	case 304:
		return append(out, 0x80|11)
	case 400:
		return append(out, 0x80|12)
	case 404:
		return append(out, 0x80|13)
	case 500:
		return append(out, 0x80|14)
	}
	return append(out, 8, 3, byte('0'+status/100), byte('0'+status/10%10), byte('0'+status%10))
}

// appendContentLength appends content-length.
func appendContentLength(out []byte, n int64) []byte {
	start := len(out) + 3
	out = strconv.AppendInt(append(out, 15, 28-15, 0), n, 10)
	out[start-1] = byte(len(out) - start)
	return out
}

// A known is a name that a response's field may have.
type known struct {
	name, usual string // in lower case, and as HTTP/1.1 mostly has it
	index       uint8  // in the static table; 0 for a field that HTTP/2 has no use for
}

// knownNames are the names of fields in responses that the static table has (RFC 7541, appendix A), and the
// connection-specific ones (RFC 9113 §8.2.2), by length.
var knownNames = [28][]known{
	2:  {{"te", "TE", 0}},
	3:  {{"age", "Age", 21}, {"via", "Via", 60}},
	4:  {{"date", "Date", 33}, {"etag", "ETag", 34}, {"vary", "Vary", 59}, {"link", "Link", 45}},
	5:  {{"allow", "Allow", 22}},
	6:  {{"server", "Server", 54}},
	7:  {{"expires", "Expires", 36}, {"refresh", "Refresh", 52}, {"upgrade", "Upgrade", 0}},
	8:  {{"location", "Location", 46}},
	10: {{"set-cookie", "Set-Cookie", 55}, {"connection", "Connection", 0}, {"keep-alive", "Keep-Alive", 0}},
	11: {{"retry-after", "Retry-After", 53}},
	12: {{"content-type", "Content-Type", 31}},
	13: {{"cache-control", "Cache-Control", 24}, {"accept-ranges", "Accept-Ranges", 18}, {"last-modified", "Last-Modified", 44},
		{"content-range", "Content-Range", 30}},
	14: {{"content-length", "Content-Length", 28}},
	16: {{"content-encoding", "Content-Encoding", 26}, {"content-language", "Content-Language", 27}, {"content-location", "Content-Location", 29},
		{"www-authenticate", "WWW-Authenticate", 61}, {"proxy-connection", "Proxy-Connection", 0}},
	17: {{"transfer-encoding", "Transfer-Encoding", 0}},
	18: {{"proxy-authenticate", "Proxy-Authenticate", 48}},
	19: {{"content-disposition", "Content-Disposition", 25}},
	25: {{"strict-transport-security", "Strict-Transport-Security", 56}},
	27: {{"access-control-allow-origin", "Access-Control-Allow-Origin", 20}},
}

// findKnown returns what is known of a name in any case.
func findKnown(name string) (index uint8, ok bool) {
	if len(name) >= len(knownNames) {
		return 0, false
	}
	for i := range knownNames[len(name)] {
		k := &knownNames[len(name)][i]
		if last := len(name) - 1; name[last]|0x20 != k.name[last] {
			continue
		}
		if name == k.usual || name == k.name || equalFold(name, k.name) {
			return k.index, true
		}
	}
	return 0, false
}

// appendField appends a literal field without indexing (RFC 7541 §6.2.2), or nothing if it is connection-specific.
func appendField(out []byte, name, value string) []byte {
	index, ok := findKnown(name)
	switch {
	case ok && index == 0:
		return out
	case !ok:
		out = append(appendLength(append(out, 0), len(name)), name...)
		lowerCase(out[len(out)-len(name):])
	default:
		out = append(out, 15, index-15) // the names of responses are behind what the prefix holds
	}
	return append(appendLength(out, len(value)), value...)
}

// lowerCase turns letters to lower case.
func lowerCase(name []byte) {
	for i, c := range name {
		if c-'A' < 26 {
			name[i] = c | 0x20
		}
	}
}

// appendLength appends the length of a string without Huffman code (RFC 7541 §5.2).
func appendLength(out []byte, n int) []byte {
	if n < 0x7f {
		return append(out, byte(n))
	}
	out = append(out, 0x7f)
	for n -= 0x7f; n >= 0x80; n >>= 7 {
		out = append(out, byte(n)|0x80)
	}
	return append(out, byte(n))
}
