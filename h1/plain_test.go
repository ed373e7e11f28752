package h1

import (
	"regexp"
	"strconv"
	"strings"
)

var (
	sizeLine         = regexp.MustCompile(`^[0-9A-Fa-f]{1,16}\r\n`)
	sizeLineResponse = regexp.MustCompile(`^[0-9A-Fa-f]{1,16}([ \t;][^\x00-\x08\x0a-\x1f\x7f]*)?\r\n`)
	trailerLine      = regexp.MustCompile("^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \\t]*([^\\x00-\\x08\\x0a-\\x1f\\x7f]*)\\r\\n")
)

// plainDecode is the chunked coding written down as plainly as possible: what a Decoder is compared with. ok is false
// if body is ill-formed or has no end.
func plainDecode(body string, response bool) (content string, trailers []Field, rest string, ok bool) {
	expr := sizeLine
	if response {
		expr = sizeLineResponse
	}
	for {
		line := expr.FindString(body)
		if line == "" || len(line) > maxSizeLine+len("\r\n") {
			return "", nil, "", false
		}
		body = body[len(line):]
		size, err := strconv.ParseInt(line[:strings.IndexAny(line, "\r \t;")], 16, 64)
		if err != nil {
			return "", nil, "", false
		}
		if size == 0 {
			break
		}
		if int64(len(body)) < size || !strings.HasPrefix(body[size:], "\r\n") {
			return "", nil, "", false
		}
		content += body[:size]
		body = body[size+2:]
	}
	section, fields := len("\r\n"), 0
	for !strings.HasPrefix(body, "\r\n") {
		m := trailerLine.FindStringSubmatch(body)
		if m == nil {
			return "", nil, "", false
		}
		body = body[len(m[0]):]
		section += len(m[0])
		fields++
		switch forbidden := forbiddenTrailer(m[1]); {
		case forbidden && !response:
			return "", nil, "", false
		case !forbidden:
			trailers = append(trailers, Field{m[1], strings.Trim(m[2], " \t")})
		}
	}
	return content, trailers, body[2:], section <= 32768 && fields <= 100
}
