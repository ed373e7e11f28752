package h2client

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/net/http2"
)

var (
	// ErrUnprocessed tells that the server has not looked at the request, and does not mind if it is sent again (RFC 9113 §8.7).
	ErrUnprocessed = errors.New("the server did not process the request")
	// ErrEnded tells that the connection ended before the response.
	ErrEnded = errors.New("the connection ended")
	// ErrRequest tells that the request can't be sent.
	ErrRequest = errors.New("the request cannot be sent over HTTP/2")
	// ErrTooLarge tells that its head is longer than the server allows.
	ErrTooLarge = errors.New("the request's head is longer than the server allows")
	// ErrNoTunnel tells that the server does not offer extended CONNECT (RFC 8441).
	ErrNoTunnel = errors.New("the server speaks HTTP/2 without extended CONNECT (RFC 8441), over which WebSockets go")

	errInterim   = errors.New("too many interim responses")
	errSwitching = errors.New("status 101, which HTTP/2 does not have")
	errFields    = errors.New("too many fields")
	errSize      = errors.New("head too long")
	errStatus    = errors.New("bad status")
	errClosed    = errors.New("the stream was given up")
)

// ResetError tells that the server gave the stream up, and why (RFC 9113 §7).
type ResetError struct{ Code uint32 }

func (e *ResetError) Error() string {
	return fmt.Sprintf("the server reset the stream: %v", http2.ErrCode(e.Code))
}

// Cancelled tells that the server does not want the response to go on any more: a gRPC server resets so when a call's deadline is over.
func (e *ResetError) Cancelled() bool { return http2.ErrCode(e.Code) == http2.ErrCodeCancel }

// The transport's errors that it does not export, by their texts. TestClosedConnection, and TestStreamRetries and TestStreamBlameless of package
// origin, notice if they change.
const (
	textFromPeer = "received from peer"
	textTunnel   = "extended connect not supported by peer"
	textTooLarge = "request header list larger than peer's advertised limit"
)

// unsent are texts of errors of which the transport says that the request may be sent again: the connection could take none any more, it
// ended before the first one, or the server's GOAWAY is of before it.
var unsent = [...]string{
	"http2: client conn not usable",
	"http2: client conn could not be established",
	"http2: Transport received Server's graceful shutdown GOAWAY",
	"http2: Transport received GOAWAY from server ErrCode:",
}

// classify says in this package's words what the transport complains about.
func classify(err error) error {
	if e, ok := errors.AsType[http2.StreamError](err); ok {
		return classifyStream(e)
	}
	text := err.Error()
	for _, u := range unsent {
		if strings.HasPrefix(text, u) {
			return fmt.Errorf("%w: %w", ErrUnprocessed, err)
		}
	}
	switch {
	case strings.HasSuffix(text, textTunnel):
		return ErrNoTunnel
	case strings.HasSuffix(text, textTooLarge):
		return ErrTooLarge
	case strings.HasPrefix(text, "http2: invalid "), strings.HasPrefix(text, "http2: idna"):
		return fmt.Errorf("%w: %w", ErrRequest, err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return err
	}
	return fmt.Errorf("%w: %w", ErrEnded, err)
}

func classifyStream(e http2.StreamError) error {
	switch {
	case e.Cause == nil:
		return fmt.Errorf("response: %v", e.Code)
	case e.Cause.Error() != textFromPeer:
		return fmt.Errorf("response: %w", e.Cause)
	case e.Code == http2.ErrCodeRefusedStream:
		return fmt.Errorf("%w: %w", ErrUnprocessed, &ResetError{uint32(e.Code)})
	}
	return &ResetError{uint32(e.Code)}
}
