// Package h2client asks servers over HTTP/2 (RFC 9113): a [Pool] of connections to one server, on each of them many streams, and on each
// [Stream] one request and its response, both of which may be under way at once. It is the door of golang.org/x/net/http2, which does the
// protocol; docs/decisions/0011-origins-over-h2.md says why, and what that costs.
//
// Bounds: a pool has as many connections as its taker says, a connection as many streams as the server allows; a response's head 64 KiB and
// 200 fields, its trailers as much, all interim responses of a stream together as much and 16 in number. A stream has two buffers of 32 KiB,
// a window of 256 KiB for what the server is ahead of its reader, two goroutines and one timer. Every wait of a stream ends with its
// time-outs, or with [Stream.Reset].
//
// Pings find out whether a silent connection on which somebody waits is alive. gRPC servers count them, and end a connection on which
// more than two came without an answer of theirs between, or within five minutes: there is one between two answers at most.
//
// It fails with what [Stream.Head] and [Stream.Next] say: [ErrUnprocessed] if the server has not looked at the request, so that it may be sent
// again whatever it is; [ErrEnded] if the connection ended, and the server may have; [*ResetError] if the server gave the stream up;
// [ErrRequest], [ErrTooLarge] or [ErrNoTunnel] if this request can't be sent, or not to this server; and otherwise what is wrong with the response.
package h2client
