// Package h2 is the server's side of one HTTP/2 connection (RFC 9113) as a state machine without I/O: bytes in, bytes
// out, callbacks. It has no goroutine, no lock and no timer, and one owner at a time.
//
// Server.Feed reads what the client sent, calls a Handler for what it means, and appends what the protocol itself
// answers. The Append methods write responses. HPACK (RFC 7541) is decoded by golang.org/x/net/http2/hpack and encoded
// here without a dynamic table; priorities are those of RFC 9218, tunnels those of RFC 8441.
//
// It is written for a proxy that attackers talk to. A request that two readers could understand differently is
// malformed. Nothing is buffered but a field section that is spread over several frames; content is handed on as it
// arrives, and its window opens only as far as Server.Grant says.
//
// Stricter than RFC 9113 and RFC 9110, on purpose, as package h1 is:
//   - a scheme is http or https; a path has visible ASCII only, and no "#";
//   - a host has letters, digits, "-", ".", "_" and "~" or is an IPv6 address in brackets; percent-encoding,
//     sub-delims, userinfo and an empty port are malformed, and so is a request without a host;
//   - values have no control characters but HTAB;
//   - a content-length may not be repeated, not even with the same value, and CONNECT has none; names that turn into a
//     length once "_" is read as "-" are malformed;
//   - trailers have no field for framing, routing, authentication and the like (RFC 9110 §6.5.1).
//
// Bounds: Settings for streams, field sections and windows, Budgets for what a client may do how often. A connection
// without streams holds about 1 KiB at most beside its HPACK table, a stream less than 100 bytes. Work is linear in the
// input but for Server.Next and the search for a stream, which are linear and logarithmic in the streams open then.
//
// It fails with a *ConnError, after the GOAWAY that tells the client has been appended. An error of one stream is
// answered with RST_STREAM, and costs the client a part of its budget.
package h2

import "strconv"

// A Field is a field line of a field section: its name in lower case as received, in any case to be sent. It is an
// alias, so that packages which declare the same one need no conversion.
type Field = struct{ Name, Value string }

// A Code is an error code of RST_STREAM and GOAWAY (RFC 9113 §7).
type Code uint32

const (
	NoError            Code = 0x0
	ProtocolError      Code = 0x1
	InternalError      Code = 0x2
	FlowControlError   Code = 0x3
	SettingsTimeout    Code = 0x4
	StreamClosed       Code = 0x5
	FrameSizeError     Code = 0x6
	RefusedStream      Code = 0x7
	Cancel             Code = 0x8
	CompressionError   Code = 0x9
	ConnectError       Code = 0xa
	EnhanceYourCalm    Code = 0xb
	InadequateSecurity Code = 0xc
	HTTP11Required     Code = 0xd
)

// String returns the code's name as RFC 9113 writes it.
func (c Code) String() string {
	names := [...]string{"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
		"STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR",
		"ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"}
	if int64(c) < int64(len(names)) {
		return names[c]
	}
	return "0x" + strconv.FormatUint(uint64(c), 16)
}

// A ConnError ends a connection (RFC 9113 §5.4.1).
type ConnError struct {
	Code   Code   // of the GOAWAY that was appended; EnhanceYourCalm if a budget or a bound was exceeded
	Reason string // a short lower-case phrase, such as "too many resets"
}

func (e *ConnError) Error() string { return e.Reason }

func connError(code Code, reason string) *ConnError { return &ConnError{code, reason} }
