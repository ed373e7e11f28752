// Package h1 reads and writes HTTP/1.1 messages (RFC 9112): heads from a string, the chunked coding as it arrives.
//
// It is written for a proxy that attackers talk to. A request is refused whenever two implementations could read it
// differently: whatever Parse accepts has one method, one target, one host and one length, and written back with
// AppendRequestLine and AppendField it means the same to every reader that follows the RFC. A response comes from an
// origin that somebody chose, so there the tolerances that RFC 9112 grants to a proxy hold, none of which touches on
// where a message ends.
//
// End finds where a head ends in the bytes read so far; Request.Parse and Response.Parse read it. Names and values are
// substrings of the head that the caller made: one allocation a head, none by this package. A substring kept beyond
// the message keeps the whole head in memory: clone it.
//
// Stricter than RFC 9110 and RFC 9112, on purpose:
//   - a request's Content-Length may not be repeated, not even with the same value;
//   - Transfer-Encoding in a request is "chunked" and nothing else; names that turn into a length once "_" is read
//     as "-" (Content_Length, as CGI does) are refused;
//   - a host has letters, digits, "-", ".", "_" and "~" or is an IPv6 address in brackets; percent-encoding,
//     sub-delims, IPvFuture, userinfo and an empty port are refused, and so is an empty host;
//   - an absolute-form target has the scheme http or https, and a Host that agrees;
//   - chunk extensions in requests are refused, since no client needs them and readers disagree about their end;
//   - a line ends with CRLF, also in responses: neither a bare LF nor a bare CR is a line end.
//
// Bounds: Limits for heads and trailers, 32 bytes for a method, 64 bytes for a line of chunk size. Work is linear in
// the input. It fails with an *Error, which carries the status to answer with; the errors are static values.
package h1

// A Field is a field line of a head or a trailer section, its name in the sender's case, its value without the
// whitespace around it. It is an alias, so that packages which declare the same one need no conversion.
type Field = struct{ Name, Value string }

// Framing says how the end of a message's content is found (RFC 9112 §6.3).
type Framing uint8

const (
	NoBody     Framing = iota // there is none; the next message follows the head
	Length                    // as many bytes as Content-Length says
	Chunked                   // the chunked coding; see Decoder
	UntilClose                // all until the connection closes (responses only)
)
