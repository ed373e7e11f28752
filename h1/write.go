package h1

import (
	"strconv"
	"time"
)

// The Append functions write what they are given. Names, values and targets that did not come out of Parse are to be
// checked first, with ValidToken and ValidFieldValue: a line end in one of them would split the message.

// AppendRequestLine appends the request line of an HTTP/1.1 request.
func AppendRequestLine(dst []byte, method, target string) []byte {
	dst = append(dst, method...)
	dst = append(dst, ' ')
	dst = append(dst, target...)
	return append(dst, " HTTP/1.1\r\n"...)
}

// AppendStatusLine appends the status line of an HTTP/1.1 response. status has three digits. An empty reason means the
// registered phrase, if there is one.
func AppendStatusLine(dst []byte, status int, reason string) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = append(dst, byte('0'+status/100), byte('0'+status/10%10), byte('0'+status%10), ' ')
	if reason == "" {
		reason = phrase(status)
	}
	dst = append(dst, reason...)
	return append(dst, "\r\n"...)
}

// AppendField appends a field line. The caller appends the empty line that ends the head.
func AppendField(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}

// AppendChunk appends data as a chunk, or nothing if data is empty, since an empty chunk would end the content.
func AppendChunk(dst, data []byte) []byte {
	if len(data) == 0 {
		return dst
	}
	dst = AppendChunkHead(dst, len(data))
	dst = append(dst, data...)
	return append(dst, "\r\n"...)
}

// AppendChunkHead appends the size line of a chunk. size is positive; as many bytes of data and CRLF are to follow.
func AppendChunkHead(dst []byte, size int) []byte {
	dst = strconv.AppendInt(dst, int64(size), 16)
	return append(dst, "\r\n"...)
}

// AppendLastChunk appends the last chunk, the trailer fields, and the empty line that ends the content.
func AppendLastChunk(dst []byte, trailers []Field) []byte {
	dst = append(dst, "0\r\n"...)
	for _, f := range trailers {
		dst = AppendField(dst, f.Name, f.Value)
	}
	return append(dst, "\r\n"...)
}

// AppendDate appends t as an IMF-fixdate, the form of Date (RFC 9110 §5.6.7). The year has four digits.
func AppendDate(dst []byte, t time.Time) []byte {
	const days, months = "SunMonTueWedThuFriSat", "JanFebMarAprMayJunJulAugSepOctNovDec"
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	d, m := 3*int(t.Weekday()), 3*int(month-1)
	return append(dst,
		days[d], days[d+1], days[d+2], ',', ' ',
		byte('0'+day/10), byte('0'+day%10), ' ',
		months[m], months[m+1], months[m+2], ' ',
		byte('0'+year/1000%10), byte('0'+year/100%10), byte('0'+year/10%10), byte('0'+year%10), ' ',
		byte('0'+hour/10), byte('0'+hour%10), ':',
		byte('0'+minute/10), byte('0'+minute%10), ':',
		byte('0'+second/10), byte('0'+second%10), ' ', 'G', 'M', 'T')
}

// phrases are the reason phrases of the IANA registry of status codes, a row for each hundred from 100.
var phrases = [5][]string{
	{0: "Continue", 1: "Switching Protocols", 2: "Processing", 3: "Early Hints"},
	{0: "OK", 1: "Created", 2: "Accepted", 3: "Non-Authoritative Information", 4: "No Content", 5: "Reset Content",
		6: "Partial Content", 7: "Multi-Status", 8: "Already Reported", 26: "IM Used"},
	{0: "Multiple Choices", 1: "Moved Permanently", 2: "Found", 3: "See Other", 4: "Not Modified", 5: "Use Proxy",
		7: "Temporary Redirect", 8: "Permanent Redirect"},
	{0: "Bad Request", 1: "Unauthorized", 2: "Payment Required", 3: "Forbidden", 4: "Not Found",
		5: "Method Not Allowed", 6: "Not Acceptable", 7: "Proxy Authentication Required", 8: "Request Timeout",
		9: "Conflict", 10: "Gone", 11: "Length Required", 12: "Precondition Failed", 13: "Content Too Large",
		14: "URI Too Long", 15: "Unsupported Media Type", 16: "Range Not Satisfiable", 17: "Expectation Failed",
		21: "Misdirected Request", 22: "Unprocessable Content", 23: "Locked", 24: "Failed Dependency",
		25: "Too Early", 26: "Upgrade Required", 28: "Precondition Required", 29: "Too Many Requests",
		31: "Request Header Fields Too Large", 51: "Unavailable For Legal Reasons"},
	{0: "Internal Server Error", 1: "Not Implemented", 2: "Bad Gateway", 3: "Service Unavailable",
		4: "Gateway Timeout", 5: "HTTP Version Not Supported", 6: "Variant Also Negotiates", 7: "Insufficient Storage",
		8: "Loop Detected", 11: "Network Authentication Required"},
}

// phrase returns the registered reason phrase of status, or "".
func phrase(status int) string {
	class, code := status/100-1, status%100
	if class < 0 || class >= len(phrases) || code >= len(phrases[class]) {
		return ""
	}
	return phrases[class][code]
}
